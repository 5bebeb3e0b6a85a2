"""Tests of release.py: what it must refuse. `release.py check` runs them."""

import io
import pathlib
import tarfile
import tempfile
import unittest

import release

LINKS = "[Unreleased]: https://example.org\n[0.2.0]: https://example.org\n[0.1.0]: https://example.org\n"


def folder_with(files):
    folder = tempfile.TemporaryDirectory()
    for name, text in files.items():
        path = pathlib.Path(folder.name) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class Licences(unittest.TestCase):
    def test_expressions(self):
        allowed = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"}
        for expression, met in [
            ("MIT", True),
            ("GPL-3.0-only", False),
            ("GPL-3.0-only OR MIT", True),
            ("Unlicense/MIT", True),
            ("MIT AND GPL-3.0-only", False),
            ("(MIT OR GPL-3.0-only) AND Apache-2.0", True),
            ("MIT OR Apache-2.0 AND GPL-3.0-only", True),
            ("Apache-2.0 WITH LLVM-exception", True),
            ("Apache-2.0 WITH other-exception", False),
        ]:
            self.assertEqual(release.allowed_by(expression, allowed), met, expression)
        for broken in ["(MIT", "MIT)", "MIT Apache-2.0"]:
            with self.assertRaises(release.Failure, msg=broken):
                release.allowed_by(broken, allowed)

    def test_a_licence_that_is_not_listed_is_refused(self):
        rules = '[licenses]\nallow = ["MIT"]\nexceptions = [{ crate = "data", allow = ["CC-BY-4.0"] }]\n'
        with folder_with({"deny.toml": rules}) as root:
            packages = lambda *pairs: {"packages": [{"name": n, "version": "1.0.0", "license": l} for n, l in pairs]}
            root = pathlib.Path(root)
            self.assertEqual(release.check_licences(root, packages(("a", "MIT"), ("data", "MIT AND CC-BY-4.0"))), 2)
            for wrong in [("a", "CC-BY-4.0"), ("a", "GPL-3.0-only"), ("a", None)]:
                with self.assertRaises(release.Failure):
                    release.check_licences(root, packages(wrong))


class Changelog(unittest.TestCase):
    def check(self, text, version=None):
        with folder_with({"CHANGELOG.md": text + LINKS}) as root:
            release.check_changelog(pathlib.Path(root), version)

    def test_forms(self):
        self.check("## [Unreleased]\n\n### Added\n\n- a\n\n")
        self.check("## [Unreleased]\n\n## [0.2.0] - 2027-02-01\n\n### Fixed\n\n- b\n\n## [0.1.0] - 2027-01-01\n\n- c\n\n", "0.2.0")

    def test_what_is_refused(self):
        for text, version in [
            ("# Changelog\n", None),
            ("## [0.1.0] - 2027-01-01\n", None),
            ("## [Unreleased]\n\n### Fixed\n\n### Added\n\n", None),
            ("## [Unreleased]\n\n### Added\n\n### Added\n\n", None),
            ("## [Unreleased]\n\n### News\n\n", None),
            ("## [Unreleased]\n\n## 0.1.0\n\n", None),
            ("## [Unreleased]\n\n## [0.1.0] - 2027-01-01\n\n## [0.2.0] - 2027-02-01\n\n", None),
            ("## [Unreleased]\n\n## [0.3.0] - 2027-01-01\n\n", None),  # without a link
            ("## [Unreleased]\n\n### Added\n\n- a\n\n", "0.1.0"),  # no such section
            ("## [Unreleased]\n\n## [0.1.0] - 2027-01-01\n\n", "0.2.0"),
            ("## [Unreleased]\n\n### Added\n\n- a\n\n## [0.1.0] - 2027-01-01\n\n", "0.1.0"),  # changes above it
        ]:
            with self.assertRaises(release.Failure, msg=text):
                self.check(text, version)


class Archives(unittest.TestCase):
    CRATE = {"name": "a", "version": "1.0.0", "repository": "https://github.com/o/a"}

    def check(self, tracked=("README.md", "docs/page.md"), **changes):
        files = {"LICENSE-MIT": "mit", "LICENSE-APACHE": "apache", "README.md": "a" * 300, "src/lib.rs": "", "Cargo.toml": ""}
        files |= changes.get("files", {})
        with folder_with({"LICENSE-MIT": "mit", "LICENSE-APACHE": "apache", "THIRD-PARTY.md": "`src/page.css`"}) as root:
            path = pathlib.Path(root) / "a-1.0.0.crate"
            with tarfile.open(path, "w:gz") as archive:
                for name, text in files.items():
                    if text is not None:
                        member = tarfile.TarInfo(f"a-1.0.0/{name}")
                        member.size = len(text)
                        archive.addfile(member, io.BytesIO(text.encode()))
            return release.check_archive(pathlib.Path(root), path, self.CRATE, set(tracked))

    def test_contents(self):
        self.assertEqual(self.check(), 5)
        self.assertEqual(self.check(files={"src/page.css": "a"}), 6)
        link = "a" * 300 + "\n[b]\n\n[b]: https://github.com/o/a/blob/main/docs/page.md#part\n[c](LICENSE-MIT)\n"
        self.check(files={"README.md": link})
        for wrong in [
            {"LICENSE-MIT": None},
            {"LICENSE-APACHE": "../../LICENSE-APACHE"},  # a link that was not followed
            {"README.md": "short"},
            {"tests/a.rs": ""},
            {"src/generate.py": ""},
            {"src/font.woff2": "a"},  # not in THIRD-PARTY.md
            {"README.md": "a" * 300 + "[b](docs/page.md)"},  # not in the archive
            {"README.md": "a" * 300 + "[b](https://github.com/o/a/blob/main/docs/gone.md)"},
        ]:
            with self.assertRaises(release.Failure, msg=wrong):
                self.check(files=wrong)


class Rehearsal(unittest.TestCase):
    def test_programs(self):
        readme = "```rust\nfn main() {\n#   let _ = 1;\n}\n```\n```rust\nlet x = 1;\n```\n```rust\n#[gradcheck]\nfn f() {}\n```\n```text\n```\n"
        files = release.programs(readme)
        self.assertEqual(sorted(files), ["src/bin/readme_1.rs", "src/bin/readme_2.rs", "tests/readme_3.rs"])
        self.assertEqual(files["src/bin/readme_1.rs"], "fn main() {\n  let _ = 1;\n}\n")
        self.assertIn("    let x = 1;\n    Ok(())", files["src/bin/readme_2.rs"])

    def test_index(self):
        self.assertEqual([release.index_path(n) for n in ("a", "ab", "abc", "abcde")], ["1/a", "2/ab", "3/a/abc", "ab/cd/abcde"])


if __name__ == "__main__":
    unittest.main()
