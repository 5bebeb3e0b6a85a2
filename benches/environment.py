"""What the comparisons share: the throw-away environments of the peers (Python ones from PyPI in `benches/peers/.venv*`, Rust ones
from crates.io), and the blocks of results in the book."""
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = HERE / "peers"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def python(variable: str, venv: Path, requirements: Path) -> str:
    """The Python that an environment variable names, or that of a virtual environment, which is made if it is missing."""
    if variable in os.environ:
        return os.environ[variable]
    path = venv / "bin" / "python"
    if not path.exists():
        print("installing", requirements.relative_to(ROOT), "into", venv.relative_to(ROOT), file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([path, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    return str(path)


def torch_python() -> str:
    """A Python with PyTorch: that of PEER_PYTHON, or one of our own."""
    return python("PEER_PYTHON", PEERS / ".venv", PEERS / "torch" / "requirements.txt")


def jax_python() -> str:
    """A Python with JAX: that of JAX_PYTHON, or one of our own."""
    return python("JAX_PYTHON", PEERS / ".venv-jax", PEERS / "jax" / "requirements.txt")


def ours() -> Path:
    """Our program `steps`, built as users build."""
    command = ["cargo", "build", "--release", "--quiet", "-p", "wengert-benches", "--bin", "steps"]
    subprocess.run(command, check=True, cwd=ROOT)
    return TARGET / "release" / "steps"


def peer_crate(name: str) -> Path:
    """The program of a peer in Rust, built for this machine's instructions."""
    target = TARGET / "peers"
    manifest = PEERS / name / "Cargo.toml"
    command = ["cargo", "build", "--release", "--quiet", "--locked", "--manifest-path", str(manifest)]
    flags = {"CARGO_TARGET_DIR": str(target), "RUSTFLAGS": "-C target-cpu=native"}
    subprocess.run(command, check=True, env={**os.environ, **flags})
    return target / "release" / f"{name}-peer"


def write_block(page: Path, name: str, text: str) -> None:
    """Replaces the block of that name in a page of the book, or adds it at the end; the other blocks stay."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    whole = f"{begin}\n\n{text}\n\n{end}"
    old = page.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    new, replaced = pattern.subn(lambda _: whole, old)
    if not replaced:
        new = old.rstrip("\n") + f"\n\n{whole}\n"
    partial = page.with_suffix(".partial")
    partial.write_text(new, encoding="utf-8")
    partial.replace(page)
