"""A release of all crates: its checks, its rehearsal, and the change of the version.

    python3 release/release.py check                 seconds: metadata, versions, licences, changelog, contents of the archives
    python3 release/release.py rehearse              the whole release from a fresh clone of HEAD, without publishing anything
    python3 release/release.py rehearse --version 0.1.0  the same, and HEAD must be a release of this version
    python3 release/release.py prepare 0.1.0         writes the version, and dates its section of the changelog

The rehearsal packages every crate as `cargo publish` does and builds each archive on its own. A registry in a folder, which holds these
archives and those of all dependencies, then stands for crates.io: a new project runs `cargo add wengert` and the programs of the README,
`cargo install wengert-cli --features check` installs the command, the command is used, and the documentation is built as docs.rs builds
it. Nothing of the checkout is read after the packaging. The first failure ends it.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
LARGEST = 10 * 1024 * 1024  # of an archive, in bytes: the limit of crates.io
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
# Of https://crates.io/category_slugs, those that fit.
CATEGORIES = {
    "algorithms", "command-line-utilities", "development-tools::procedural-macro-helpers", "development-tools::testing", "encoding",
    "mathematics", "science", "visualization",
}


class Failure(Exception):
    """What is wrong, for a person."""


def need(condition, message):
    if not condition:
        raise Failure(message)


def run(arguments, inside, say=None, **environment):
    """The standard output of a command, which must succeed."""
    started = time.monotonic()
    variables = {**os.environ, "CARGO_TERM_COLOR": "never", "CARGO_INCREMENTAL": "0", **environment}
    done = subprocess.run([str(a) for a in arguments], cwd=inside, env=variables, capture_output=True, text=True)
    shown = " ".join(str(a) for a in arguments)
    if done.returncode != 0:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-60:])
        raise Failure(f"{shown}, in {inside}, ends with code {done.returncode}:\n{end}")
    if say:
        print(f"  {time.monotonic() - started:6.1f} s  {say}", flush=True)
    return done.stdout


def heading(text):
    print(f"\n== {text}", flush=True)


# ---------------------------------------------------------------------------------------------------- metadata


def metadata(root, *more):
    return json.loads(run(["cargo", "metadata", "--format-version", "1", "--all-features", *more], root))


def crates_of(data):
    """The crates to publish, each after those that it needs."""
    members = {p["name"]: p for p in data["packages"] if p["id"] in data["workspace_members"] and p["publish"] != []}
    order = []

    def visit(name):
        if name not in order:
            for dependency in members[name]["dependencies"]:
                # What tests need is not published before.
                if dependency["name"] in members and dependency["kind"] != "dev":
                    visit(dependency["name"])
            order.append(name)

    for name in sorted(members):
        visit(name)
    return [members[name] for name in order]


def check_metadata(root, data):
    workspace = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]
    version = workspace["version"]
    for crate in crates_of(data):
        name, folder = crate["name"], pathlib.Path(crate["manifest_path"]).parent
        for field in ("description", "license", "repository", "homepage", "documentation", "readme", "rust_version"):
            need(crate[field], f"{name}: Cargo.toml has no {field}")
        need(crate["version"] == version, f"{name} has version {crate['version']}, the workspace has {version}")
        need(crate["rust_version"] == workspace["rust-version"], f"{name} has another rust-version than the workspace")
        need((folder / crate["readme"]).is_file(), f"{name}: there is no {crate['readme']}")
        need(1 <= len(crate["keywords"]) <= 5, f"{name}: 1 to 5 keywords are allowed, found {len(crate['keywords'])}")
        for keyword in crate["keywords"]:
            need(re.fullmatch(r"[a-z0-9][a-z0-9_+-]{0,19}", keyword), f"{name}: crates.io refuses the keyword {keyword!r}")
        need(1 <= len(crate["categories"]) <= 5, f"{name}: 1 to 5 categories are allowed")
        unknown = set(crate["categories"]) - CATEGORIES
        need(not unknown, f"{name}: unknown categories {unknown}; if crates.io has them, add them to release.py")
        if any(kind in target["kind"] for target in crate["targets"] for kind in ("lib", "proc-macro")):
            docs = ((crate["metadata"] or {}).get("docs") or {}).get("rs") or {}
            need(docs.get("all-features") is True, f"{name}: [package.metadata.docs.rs] has no all-features = true")
        for dependency in crate["dependencies"]:
            if not dependency.get("path"):
                need(dependency["req"] != "*", f"{name}: {dependency['name']} has no version")
            elif dependency["kind"] != "dev":
                need(
                    dependency["req"] == f"={version}",
                    f"{name} asks for {dependency['name']} {dependency['req']}, expected ={version}",
                )
    return version


def check_minimum(root, data):
    """The minimum of Rust is the same wherever it is stated, and no dependency needs a newer one."""
    stated = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    for page in ["README.md", "CONTRIBUTING.md", "docs/src/installation.md", "docs/src/versions.md"]:
        for found in re.findall(r"Rust (\d+\.\d+) or newer", (root / page).read_text()) or ["nothing"]:
            need(found == stated, f"{page} states {found} as the minimum of Rust, Cargo.toml {stated}")
    number = lambda text: [int(n) for n in text.split(".")][:2]
    for package in data["packages"]:
        least = package["rust_version"]
        need(
            not least or number(least) <= number(stated),
            f"{package['name']} {package['version']} needs Rust {least}, Cargo.toml states {stated}",
        )
    return stated


# ---------------------------------------------------------------------------------------------------- licences


def allowed_by(expression, allowed):
    """Whether an SPDX expression is met by allowed licences alone."""
    words = re.findall(r"\(|\)|[^\s()/]+|/", expression)
    words = ["OR" if word == "/" else word for word in words]  # the old form of crates.io

    def either():
        met = both()
        while words and words[0] == "OR":
            words.pop(0)
            met = both() or met
        return met

    def both():
        met = single()
        while words and words[0] == "AND":
            words.pop(0)
            met = single() and met
        return met

    def single():
        word = words.pop(0)
        if word == "(":
            met = either()
            need(words and words.pop(0) == ")", f"the licence {expression!r} cannot be parsed")
            return met
        if words and words[0] == "WITH":
            words.pop(0)
            word = f"{word} WITH {words.pop(0)}"
        return word in allowed

    met = either()
    need(not words, f"the licence {expression!r} cannot be parsed")
    return met


def check_licences(root, data):
    rules = tomllib.loads((root / "deny.toml").read_text())["licenses"]
    more = {rule["crate"]: rule["allow"] for rule in rules["exceptions"]}
    for package in data["packages"]:
        name = package["name"]
        need(package["license"], f"{name} {package['version']} states no licence")
        allowed = set(rules["allow"]) | set(more.get(name, []))
        need(
            allowed_by(package["license"], allowed),
            f"{name} {package['version']} is licensed under {package['license']}, which deny.toml does not allow",
        )
    return len(data["packages"])


# ---------------------------------------------------------------------------------------------------- changelog


def sections_of(text):
    """The headings of versions, with the text below each."""
    parts = re.split(r"^## (.*)$", text, flags=re.M)
    return list(zip(parts[1::2], parts[2::2]))


def check_changelog(root, version=None):
    text = (root / "CHANGELOG.md").read_text()
    sections = sections_of(text)
    need(sections and sections[0][0] == "[Unreleased]", "CHANGELOG.md does not begin with ## [Unreleased]")
    before = None
    for title, body in sections:
        if title != "[Unreleased]":
            found = re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)", title)
            need(found, f"CHANGELOG.md: expected a heading like [0.1.0] - 2027-01-31, found {title}")
            datetime.date.fromisoformat(found[4])
            number = tuple(int(n) for n in found.groups()[:3])
            need(before is None or number < before, f"CHANGELOG.md: {title} is not in its place; the newest version is first")
            before = number
        kinds = re.findall(r"^### (.*)$", body, flags=re.M)
        need(len(set(kinds)) == len(kinds), f"CHANGELOG.md: a heading occurs twice in {title}: {kinds}")
        need(kinds == [k for k in KINDS if k in kinds], f"CHANGELOG.md: {title} has {kinds}, expected some of {KINDS} in this order")
        name = title.split("]")[0][1:]
        need(re.search(rf"^\[{re.escape(name)}\]: https://", text, flags=re.M), f"CHANGELOG.md: [{name}] has no link at the end")
    if version:
        need(len(sections) > 1, f"CHANGELOG.md has no section of {version}; python3 release/release.py prepare {version} writes it")
        newest = sections[1][0]
        need(newest.startswith(f"[{version}] - "), f"CHANGELOG.md's newest version is {newest}, expected {version}")
        need(not sections[0][1].strip(), f"CHANGELOG.md has changes above {version}")


# ---------------------------------------------------------------------------------------------------- archives


def package(root, crates, *more, verify):
    """Writes the archives, and returns the seconds of each."""
    arguments = ["cargo", "package", *more] + [word for crate in crates for word in ("-p", crate["name"])]
    if not verify:
        arguments.append("--no-verify")
    variables = {**os.environ, "CARGO_TERM_COLOR": "never", "CARGO_INCREMENTAL": "0", "CARGO_PROFILE_DEV_DEBUG": "0"}
    process = subprocess.Popen(arguments, cwd=root, env=variables, stderr=subprocess.PIPE, text=True)
    seconds, lines, current, since = {}, [], None, time.monotonic()
    for line in process.stderr:
        lines.append(line)
        found = re.match(r"\s*(Packaging|Verifying) (\S+) v", line)
        if not found:
            continue
        now = time.monotonic()
        if current:
            seconds[current] = seconds.get(current, 0.0) + now - since
        current, since = found[2], now
        if found[1] == "Verifying":
            print(f"  building {current} from its archive", flush=True)
    if current:
        seconds[current] = seconds.get(current, 0.0) + time.monotonic() - since
    if process.wait() != 0:
        raise Failure(f"{' '.join(arguments)} ends with code {process.returncode}:\n{''.join(lines[-60:])}")
    return seconds


def archive_of(target, crate):
    return target / "package" / f"{crate['name']}-{crate['version']}.crate"


def check_archive(root, path, crate, tracked):
    """The contents of one archive: licences, the readme and its links, nothing for development only. Returns the number of files."""
    name = crate["name"]
    size = path.stat().st_size
    need(size <= LARGEST, f"{path.name} has {size} bytes; crates.io takes at most {LARGEST}")
    top = f"{name}-{crate['version']}/"
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        texts = {}
        for member in members:
            need(member.isfile() and member.name.startswith(top), f"{path.name}: {member.name} is not a plain file")
            inside = member.name.removeprefix(top)
            if inside in ("LICENSE-MIT", "LICENSE-APACHE", "README.md", "Cargo.toml", "assets/README.md"):
                texts[inside] = archive.extractfile(member).read().decode()
        files = [member.name.removeprefix(top) for member in members]
    for licence in ("LICENSE-MIT", "LICENSE-APACHE"):
        need(texts.get(licence) == (root / licence).read_text(), f"{path.name}: {licence} is missing or not the project's")
    need(len(texts.get("README.md", "")) > 200, f"{path.name}: README.md is missing or short")
    for file in files:
        need(not re.match(r"(tests|benches|fixtures)/|.*\.(py|mjs|sh|snap|tmp)$", file), f"{path.name} contains {file}")
    third = (root / "THIRD-PARTY.md").read_text()
    for file in files:
        known = file.endswith((".rs", ".md", ".toml", ".lock", ".orig", ".cargo_vcs_info.json")) or file.startswith("LICENSE-")
        need(known or f"`{file}`" in third, f"{path.name} contains {file}, and THIRD-PARTY.md does not name it")
    check_links(name, texts["README.md"], set(files), tracked, crate["repository"])
    return len(files)


def check_links(name, text, files, tracked, repository):
    """On crates.io there is only the archive: links are to its files, to pages elsewhere, or to files of the repository."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)", text, flags=re.M)
    own = re.compile(re.escape(repository) + r"/(?:blob|tree)/main/([^#]*)")
    raw = re.compile(r"https://raw\.githubusercontent\.com/" + re.escape(repository.removeprefix("https://github.com/")) + r"/main/(.*)")
    for target in targets:
        ours = own.match(target) or raw.match(target)
        if ours:
            there = ours[1] in tracked or any(file.startswith(ours[1].rstrip("/") + "/") for file in tracked)
            need(there, f"{name}: README.md links to {target}, which is not in the repository")
        elif not target.startswith(("https://", "#")):
            need(target in files, f"{name}: README.md links to {target}, which is not in the archive")


def table(rows):
    """Prints the archives."""
    total = ("all", "", sum(r[2] for r in rows), sum(r[3] for r in rows), sum(r[4] for r in rows))
    print(f"\n{'crate':<16} {'version':<8} {'archive':>10} {'files':>6} {'time':>8}")
    for name, version, size, files, seconds in [*rows, total]:
        print(f"{name:<16} {version:<8} {size / 1024:>6.0f} KiB {files:>6} {seconds:>6.1f} s")


def static(root, version=None):
    """All checks that need no compiler. Returns the crates."""
    data = metadata(root, "--locked")
    current = check_metadata(root, data)
    need(version in (None, current), f"Cargo.toml has version {current}, expected {version}")
    minimum = check_minimum(root, data)
    packages = check_licences(root, data)
    check_changelog(root, version)
    crates = crates_of(data)
    print(f"  {len(crates)} crates of version {current}, for Rust {minimum} and newer; the licences of {packages} packages are allowed")
    return crates


def tracked_files(root):
    return set(run(["git", "ls-files"], root).splitlines())


def archives(root, target, crates, seconds):
    """Checks all archives and prints their table."""
    tracked, rows = tracked_files(root), []
    for crate in crates:
        path = archive_of(target, crate)
        files = check_archive(root, path, crate, tracked)
        rows.append((crate["name"], crate["version"], path.stat().st_size, files, seconds.get(crate["name"], 0.0)))
    table(rows)


def check(_):
    run([sys.executable, "-m", "unittest", "--quiet", "test_release"], ROOT / "release")
    crates = static(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        # The archives also of a work tree with changes: the rehearsal is strict.
        seconds = package(ROOT, crates, "--allow-dirty", "--target-dir", folder, verify=False)
        archives(ROOT, pathlib.Path(folder), crates, seconds)


# ---------------------------------------------------------------------------------------------------- rehearsal


def index_line(package, sum):
    """A package as the index of a registry lists it."""
    dependencies = [
        {
            "name": d["rename"] or d["name"],
            "package": d["name"] if d["rename"] else None,
            "req": d["req"],
            "features": d["features"],
            "optional": d["optional"],
            "default_features": d["uses_default_features"],
            "target": d["target"],
            "kind": d["kind"] or "normal",
        }
        for d in package["dependencies"]  # of tests too: features may name them
    ]
    line = {"name": package["name"], "vers": package["version"], "deps": dependencies, "cksum": sum, "features": {}, "yanked": False}
    return json.dumps({**line, "features2": package["features"], "links": package["links"], "v": 2})


def index_path(name):
    return {1: f"1/{name}", 2: f"2/{name}", 3: f"3/{name[0]}/{name}"}.get(len(name), f"{name[:2]}/{name[2:4]}/{name}")


def registry(clone, folder, unpacked, crates, target):
    """A registry in a folder: our archives, and those of all packages in Cargo.lock."""
    run(["cargo", "fetch", "--locked"], clone)
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
    cached = {path.name: path for path in (home / "registry" / "cache").glob("*/*.crate")}
    folder.mkdir()
    lines = {}
    for package in metadata(clone, "--locked")["packages"]:
        if package["source"]:
            name = f"{package['name']}-{package['version']}.crate"
            need(name in cached, f"{name} is not in {home}/registry/cache")
            shutil.copy(cached[name], folder / name)
            lines.setdefault(package["name"], []).append((package, folder / name))
    for crate in crates:
        path = folder / archive_of(target, crate).name
        shutil.copy(archive_of(target, crate), path)
        # What Cargo reads in the archive, not in the checkout.
        manifest = unpacked / f"{crate['name']}-{crate['version']}" / "Cargo.toml"
        found = run(["cargo", "metadata", "--format-version", "1", "--no-deps", "--manifest-path", manifest], unpacked)
        lines.setdefault(crate["name"], []).append((json.loads(found)["packages"][0], path))
    for name, versions in lines.items():
        path = folder / "index" / index_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        sums = [(package, hashlib.sha256(file.read_bytes()).hexdigest()) for package, file in versions]
        path.write_text("".join(index_line(package, sum) + "\n" for package, sum in sums))
    return sum(len(versions) for versions in lines.values())


def programs(readme):
    """The Rust blocks of a page as files of a project: programs, and tests where a block has one."""
    files = {}
    for i, block in enumerate(re.findall(r"^```rust\n(.*?)^```", readme, flags=re.M | re.S), start=1):
        lines = [re.sub(r"^# ?", "", line) if re.match(r"#( |$)", line) else line for line in block.splitlines()]
        text = "\n".join(lines)
        if "#[gradcheck]" in text:
            files[f"tests/readme_{i}.rs"] = text + "\n"
        elif "fn main(" in text:
            files[f"src/bin/readme_{i}.rs"] = text + "\n"
        else:
            body = "".join(f"    {line}\n" for line in lines)
            files[f"src/bin/readme_{i}.rs"] = f"fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{body}    Ok(())\n}}\n"
    need(files, "the README has no Rust programs")
    return files


# A program of checks, for the feature `check`.
CHECKS = """\
use wengert::prelude::*;

#[gradcheck(spec)]
fn cube<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    x * x * x
}

fn main() -> std::process::ExitCode {
    wengert::check::main([cube::spec()])
}
"""


def user(folder, crate, environment):
    """What a user does with the library: a new project, the programs of the README, every feature."""
    run(["cargo", "new", "--quiet", "--bin", "first"], folder, **environment)
    project = folder / "first"
    run(["cargo", "add", "--quiet", "wengert"], project, "cargo add wengert", **environment)
    found = tomllib.loads((project / "Cargo.toml").read_text())["dependencies"]["wengert"]
    need(found == crate["version"], f"cargo add chose wengert {found}, expected {crate['version']}")
    files = programs((folder / "unpacked" / f"wengert-{crate['version']}" / "README.md").read_text())
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    for name in files:
        program = pathlib.Path(name).stem
        if name.startswith("src"):
            run(["cargo", "run", "--quiet", "--bin", program], project, f"{program}, with the default features", **environment)
        else:
            text = run(["cargo", "test", "--test", program], project, f"{program}, as tests", **environment)
            passed = re.search(r"(\d+) passed; 0 failed", text)
            need(passed and int(passed[1]) > 0, f"{program} ran no test:\n{text}")
    sources = {d["source"] for p in metadata(project)["packages"] for d in p["dependencies"]}
    need(all(not s or s.startswith("registry+") for s in sources), f"the project has dependencies from elsewhere: {sources}")
    for features in (["--no-default-features"], ["--features", "train,trace,proptest,check"]):
        run(["cargo", "add", "--quiet", "wengert", *features], project, **environment)
        if "--no-default-features" not in features:
            run(["cargo", "add", "--quiet", "wengert", "--default-features"], project, **environment)
        run(["cargo", "check", "--quiet", "--bins"], project, f"cargo check, wengert with {' '.join(features)}", **environment)
    (project / "src/bin/gradients.rs").write_text(CHECKS)
    arguments = ["cargo", "run", "--quiet", "--bin", "gradients", "--", "--cases", "20"]
    run(arguments, project, "wengert::check::main in a program", **environment)


def book(folder, crate, environment):
    """The programs of the README and the book as doc tests of the archive of the facade."""
    archive = folder / "unpacked" / f"wengert-{crate['version']}"
    text = run(["cargo", "test", "--doc", "--all-features"], archive, "README and book, the doc tests of wengert", **environment)
    passed = re.search(r"(\d+) passed; 0 failed", text)
    need(passed and int(passed[1]) > 20, f"the doc tests of wengert are fewer than 20:\n{text}")


def installed(folder, crate, commit, profile, environment):
    """What a user does with the command."""
    root = folder / "installed"
    options = ["--features", "check", "--root", root, "--profile", profile]
    run(["cargo", "install", "--quiet", "wengert-cli", *options], folder, "cargo install wengert-cli --features check", **environment)
    wengert = root / "bin" / "wengert"
    version = run([wengert, "--version"], folder)
    for fact in (f"wengert {crate['version']}\n", f"commit        {commit[:12]}\n", "features      check\n", "instructions  ", "threads  "):
        need(fact in version, f"wengert --version does not say {fact!r}:\n{version}")
    print("    " + version.strip().replace("\n", "\n    "))
    scores = []
    for arguments in ("train mlp --epochs 3 --out run", "eval run"):
        text = run([wengert, *arguments.split()], folder, f"wengert {arguments}")
        scores.append(re.findall(r"^test .*", text, flags=re.M))
    need(scores[0] and scores[0] == scores[1], f"wengert train and wengert eval have other results: {scores}")
    run([wengert, "step", "tanh(w*x + b)^2", "--at", "w=2,x=-1,b=0.5", "--format", "text"], folder, "wengert step 'tanh(w*x + b)^2'")
    run([wengert, "check", "--op", "gelu"], folder, "wengert check --op gelu")
    for shell in ("bash", "zsh", "fish", "powershell", "elvish"):
        need(len(run([wengert, "completions", shell], folder)) > 1000, f"the completions for {shell} are short")
    pages = run([wengert, "man", "--output", folder / "man1"], folder, "wengert completions, wengert man")
    need((folder / "man1" / "wengert-train.1").exists(), f"there is no page of wengert train: {pages}")


def documentation(folder, crates, environment):
    """The documentation of each library as docs.rs builds it: from its archive alone, with all features, examples read."""
    for crate in crates:
        if not any(kind in target["kind"] for target in crate["targets"] for kind in ("lib", "proc-macro")):
            continue
        name = crate["name"]
        # docs.rs has a nightly compiler; this variable lets a stable one take the same options.
        variables = {**environment, "RUSTC_BOOTSTRAP": "1", "DOCS_RS": "1", "RUSTDOCFLAGS": "--cfg docsrs -D warnings"}
        variables["CARGO_TARGET_DIR"] = str(folder / "documentation")
        arguments = ["cargo", "doc", "--lib", "--no-deps", "--all-features", "-Zunstable-options", "-Zrustdoc-scrape-examples"]
        run(arguments, folder / "unpacked" / f"{name}-{crate['version']}", f"documentation of {name}", **variables)
        page = folder / "documentation" / "doc" / name.replace("-", "_") / "index.html"
        need(page.exists(), f"{name}: rustdoc wrote no {page}")
        if (folder / "unpacked" / f"{name}-{crate['version']}" / "examples").is_dir():
            used = any("scraped-example" in page.read_text() for page in page.parent.rglob("*.html"))
            need(used, f"{name}: no page shows a line of its examples")


def rehearse(arguments):
    started = time.monotonic()
    changes = run(["git", "status", "--porcelain"], ROOT).strip()
    need(not changes, f"the work tree has changes, and only commits are released:\n{changes}")
    commit = run(["git", "rev-parse", "HEAD"], ROOT).strip()
    folder = pathlib.Path(arguments.folder or tempfile.mkdtemp(prefix="wengert-release-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    need(not any(folder.iterdir()), f"{folder} is not empty")
    clone, target, home = folder / "clone", folder / "target", folder / "user"
    try:
        heading(f"a clone of {commit[:12]} in {folder}")
        run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], folder)
        run(["git", "checkout", "--quiet", "--detach", commit], clone)
        crates = static(clone, arguments.version)

        heading("cargo package, and each archive is built on its own")
        seconds = package(clone, crates, "--locked", "--target-dir", target, verify=True)
        archives(clone, target, crates, seconds)
        changes = run(["git", "status", "--porcelain"], clone).strip()
        need(not changes, f"packaging changed the clone:\n{changes}")

        heading("a registry of the archives")
        unpacked = home / "unpacked"
        unpacked.mkdir(parents=True)
        for crate in crates:
            with tarfile.open(archive_of(target, crate)) as archive:
                archive.extractall(unpacked, filter="data")
        count = registry(clone, folder / "registry", unpacked, crates, target)
        (home / ".cargo").mkdir()
        (home / ".cargo" / "config.toml").write_text(
            f'[source.crates-io]\nreplace-with = "rehearsal"\n\n[source.rehearsal]\nlocal-registry = "{folder / "registry"}"\n'
        )
        print(f"  {count} packages")
        shutil.rmtree(clone)
        # A home without settings or downloads, so that nothing but the registry is read. Archives built above are not built again.
        environment = {
            "CARGO_HOME": str(home / "cargo"), "CARGO_NET_OFFLINE": "true", "CARGO_TARGET_DIR": str(target / "package"),
            "CARGO_PROFILE_DEV_DEBUG": "0",
        }  # fmt: skip

        heading("a new project, and the programs of the README")
        facade = next(c for c in crates if c["name"] == "wengert")
        user(home, facade, environment)
        book(home, facade, environment)

        heading("the command")
        installed(home, next(c for c in crates if c["name"] == "wengert-cli"), commit, arguments.profile, environment)

        heading("the documentation, as docs.rs builds it")
        documentation(home, crates, environment)
        heading(f"the release can be made; this took {time.monotonic() - started:.0f} s")
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


# ---------------------------------------------------------------------------------------------------- a new version


def prepare(arguments):
    """Writes the version into Cargo.toml and Cargo.lock, and makes the changes of CHANGELOG.md those of this version."""
    version = arguments.version
    need(re.fullmatch(r"\d+\.\d+\.\d+", version), f"expected a version like 0.1.0, found {version}")
    check_changelog(ROOT)
    path = ROOT / "CHANGELOG.md"
    text = path.read_text()
    sections = sections_of(text)
    need(sections[0][1].strip(), "CHANGELOG.md has no changes under [Unreleased]")
    need(all(not title.startswith(f"[{version}]") for title, _ in sections), f"CHANGELOG.md has a section of {version} already")
    today = arguments.date or datetime.date.today().isoformat()
    text = text.replace("## [Unreleased]\n", f"## [Unreleased]\n\n## [{version}] - {today}\n", 1)
    manifest = ROOT / "Cargo.toml"
    cargo = manifest.read_text()
    repository = re.search(r'^repository = "(.*)"', cargo, flags=re.M)[1]
    link = f"[Unreleased]: {repository}/compare/v{version}...HEAD\n"
    previous = re.match(r"\[(.*?)\]", sections[1][0])[1] if len(sections) > 1 and sections[1][0].startswith("[") else None
    own = f"compare/v{previous}...v{version}" if previous else f"releases/tag/v{version}"
    text = re.sub(r"^\[Unreleased\]: .*\n", f"{link}[{version}]: {repository}/{own}\n", text, flags=re.M)
    path.write_text(text)
    old = re.search(r'^version = "(.*)"', cargo, flags=re.M)[1]
    cargo = cargo.replace(f'\nversion = "{old}"\n', f'\nversion = "{version}"\n', 1)
    manifest.write_text(re.sub(rf'(path = "crates/[a-z]+", version = "=){re.escape(old)}"', rf'\g<1>{version}"', cargo))
    run(["cargo", "update", "--quiet", "--workspace"], ROOT)
    check_changelog(ROOT, version)
    print(f"Cargo.toml, Cargo.lock and CHANGELOG.md are those of {version}. Commit them, and run just release-rehearsal --version {version}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("check", help="what needs no compiler")
    command.set_defaults(run=check)
    command = commands.add_parser("rehearse", help="the whole release, without publishing")
    command.add_argument("--version", help="what is to be released; without it, Unreleased changes are no failure")
    command.add_argument("--folder", help="where to work, an empty folder; by default a temporary one")
    command.add_argument("--profile", default="release", help="of cargo install; `dev` compiles faster")
    command.add_argument("--keep", action="store_true", help="keep the folder")
    command.set_defaults(run=rehearse)
    command = commands.add_parser("prepare", help="write a version")
    command.add_argument("version")
    command.add_argument("--date", help="by default today")
    command.set_defaults(run=prepare)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except Failure as failure:
        sys.exit(f"\nrelease.py: {failure}")


if __name__ == "__main__":
    main()
