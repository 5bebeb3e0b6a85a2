"""Adds a new op or layer: a file from a template that works, and a line in every table.

    python3 benches/new.py op gaussian                      an elementwise op, e^(-x²) until you write its formula
    python3 benches/new.py op gaussian --pytorch F.gaussian the same, with its row in the table of PyTorch's names
    python3 benches/new.py layer scale                      a layer, one factor per feature until you write your own
    python3 benches/new.py test                             adds both in a copy of the tree, then runs fmt, clippy and tests there
    python3 benches/new.py test --quick                     adds both in a copy, then runs only fmt and `cargo check` there

Nothing is written if the name is taken or a table is not found. CONTRIBUTING.md describes the steps.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

OP = '''\
//! @name@: e^(-x²). Derivative: -2x e^(-x²).

use super::prelude::*;

/// e^(-x²).
#[derive(Debug, Clone, Copy)]
pub struct @Type@;

impl Pointwise for @Type@ {
    const NAME: &'static str = "@name@";
    const COST: usize = 6;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        (-(x * x)).exp()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, y: R) -> R {
        // Far out the function is an exact zero, also where x is infinite.
        R::select(y.equals(y.like(0.0)), y, x.like(-2.0) * x * y)
    }
}

impl<T: Float> Var<'_, T> {
    /// e^(-x²). Its derivative is -2x e^(-x²).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([0.0f64, 1.0]));
    /// let y = x.@name@();
    /// assert!((y.value()?.to_vec()[1] - 0.36787944117144233).abs() < 1e-15);
    /// let slope = y.sum().backward()?.wrt(x)?;
    /// assert!((slope.to_vec()[1] + 0.7357588823428847).abs() < 1e-15);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn @name@(self) -> Self {
        self.pointwise(@Type@)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("@name@", Domain::Real, |x| case!(x, [], |x| x[0].@name@()))
        .at(&[0.0, 1e-9, 1.0, -5.0, 9.3, -9.3, 27.0])
}
'''

LAYER = '''\
//! [`@Type@`].

use crate::Module;
use crate::layers::{Layer, ones, refused};
use wengert_tape::{Float, Param, Var};

/// A learned factor for every feature, `[.., features]` → `[.., features]`: x times the weight.
///
/// ```
/// use wengert_nn::{Layer, @Type@};
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let layer = @Type@ { weight: Param::new(Tensor::from([1.0f64, 2.0, 3.0])) };
/// let tape = Tape::eval();
/// let y = layer.forward(tape.constant(Tensor::from([[1.0, 1.0, 1.0], [0.0, 2.0, 4.0]])));
/// assert_eq!(y.value()?, Tensor::from([[1.0, 2.0, 3.0], [0.0, 4.0, 12.0]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct @Type@<T: Float> {
    /// `[features]`, one at first.
    pub weight: Param<T>,
}

impl<T: Float> @Type@<T> {
    /// A layer that changes nothing until it has learned.
    ///
    /// # Panics
    /// If the weight does not fit in memory.
    pub fn new(features: usize) -> Self {
        @Type@ { weight: ones([features]) }
    }
}

impl<T: Float> Layer<T> for @Type@<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (shape, features) = (x.shape(), self.weight.shape().numel());
        if !x.is_failed() && shape.as_shape().last() != Some(&features) {
            let detail = format!("expected x [.., {features}], found {shape}");
            return refused(x.tape(), "@name@", detail);
        }
        x * x.tape().param(&self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use wengert_ops::Tensor;
    use wengert_ops::random::Rng;
    use wengert_tape::Tape;

    #[test]
    fn the_gradient_is_right() {
        let x = Tensor::randn([4, 3], &mut Rng::seed(0)).unwrap();
        let report = gradcheck::check(
            &mut @Type@::<f64>::new(3),
            |layer, tape| layer.forward(tape.constant(&x)).tanh().sum(),
            4,
        )
        .unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    #[test]
    fn another_number_of_features_is_refused() {
        let tape = Tape::new();
        for shape in [&[4, 1][..], &[4, 4], &[]] {
            let e = @Type@::<f64>::new(3).forward(tape.constant(Tensor::zeros(shape))).value().unwrap_err();
            assert!(e.op() == "@name@" && e.location().map(|at| at.file()) == Some(file!()), "{e}");
        }
    }
}
'''

AFTER_OP = '''
What is next, in crates/tape/src/rules/@name@.rs:
  1. Put your formula in place of e^(-x²): in `f` and `df`, the documentation, its example, and the `//!` line.
     If `df` does not read x or y, add `const USES_X: bool = false;` or `USES_Y`.
     Put PyTorch's expression of it into its line of benches/src/opbench/pointwise.rs.
  2. Choose the domain in `spec()` by where the function is smooth, and name the numbers where the formula changes.
  3. Test it, and look at the diff of docs/public-functions.txt:
       cargo test -p wengert-tape
       cargo test -p wengert-benches --bin fuzz --bin bench-ops
       cargo run --release --features check -- check --mutants --op @name@
  4. If PyTorch has it, docs/src/from-pytorch.md needs a row (`--pytorch` writes one, which you move to its
     like). Add a line to CHANGELOG.md.
'''

AFTER_LAYER = '''
What is next, in crates/nn/src/layers/@name@.rs:
  1. Put your layer in place of the factors: fields, `new`, `forward`, shapes and example in the documentation, tests.
  2. Follow a change of `new` in benches/src/fuzz/modules.rs and crates/nn/tests/names.rs.
  3. Test it:
       cargo test -p wengert-nn
       cargo test -p wengert-benches --bin fuzz
  4. If most programs will want it, add it to the prelude in crates/wengert/src/lib.rs. If PyTorch has it,
     docs/src/from-pytorch.md needs a row (`--pytorch` writes one, which you move to its like). Add a line to CHANGELOG.md.
'''

# Strict and reserved keywords, as of edition 2024.
KEYWORDS = set(
    "abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if impl in let "
    "loop macro match mod move mut override priv pub ref return self static struct super trait true try type typeof unsafe "
    "unsized use virtual where while yield".split()
)
# Words of the prelude, which a type of the same name would hide.
PRELUDE = set("Box Clone Copy Debug Default Drop Err Fn None Ok Option Result Self Send Some String Sync Vec".split())


class Refused(Exception):
    """The reason why nothing was written."""


class Tree:
    """Files to write, all of them or none."""

    def __init__(self, root):
        self.root, self.changed = root, {}

    def read(self, path):
        if path in self.changed:
            return self.changed[path]
        try:
            return (self.root / path).read_text()
        except FileNotFoundError:
            raise Refused(f"{path} is not there: is {self.root} the project's folder?") from None

    def create(self, path, text):
        if (self.root / path).exists():
            raise Refused(f"{path} is there already")
        self.changed[path] = text

    def insert(self, path, pattern, key, text):
        """Inserts `text` among the lines that match `pattern`, whose first group is a key, where the fewest keys are out of order."""
        lines = self.read(path).splitlines(keepends=True)
        found = [(i, m[1]) for i, line in enumerate(lines) if (m := re.match(pattern, line))]
        if not found:
            raise Refused(f"{path} has no line like {pattern}")
        if any(k == key for _, k in found):
            raise Refused(f"{path} has a line for {key} already")
        below = [sum(k > key for _, k in found[:n]) + sum(k < key for _, k in found[n:]) for n in range(len(found) + 1)]
        best = max(n for n, count in enumerate(below) if count == min(below))
        at = found[best][0] if best < len(found) else found[-1][0] + 1
        lines.insert(at, text + "\n")
        self.changed[path] = "".join(lines)

    def import_name(self, path, of, name):
        """Adds a name to `use of::{..};`."""
        text = self.read(path)
        found = re.search(rf"\buse {of}::\{{([^}}]*)\}}", text)
        if not found:
            raise Refused(f"{path} has no `use {of}::{{..}}`")
        names = found[1].rstrip().rstrip(",")
        self.changed[path] = text[: found.start(1)] + f"{names}, {name}" + text[found.end(1) :]

    def write(self):
        formatted = {p: rustfmt(self.root, text) if p.endswith(".rs") else text for p, text in self.changed.items()}
        for path, text in formatted.items():
            (self.root / path).write_text(text)
            print(f"  {path}")


def rustfmt(root, text):
    command = ["rustfmt", "--edition", "2024", "--config-path", str(root)]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"rustfmt: {done.stderr.strip()}")
    return done.stdout


def camel(name):
    return "".join(part.capitalize() for part in name.split("_"))


def filled(template, name):
    return template.replace("@name@", name).replace("@Type@", camel(name))


def check_name(tree, crate, name):
    if not re.fullmatch(r"[a-z][a-z0-9]+(_[a-z0-9]+)*", name):
        raise Refused(f"expected a name in snake_case, as log_sigmoid, found {name}")
    if name in KEYWORDS or camel(name) in PRELUDE:
        raise Refused(f"{name} is a word of Rust")
    declared = re.compile(rf"^\s*pub(?:\(\w+\))? (?:struct|enum|trait|type) {camel(name)}\b", re.M)
    for path in sorted((tree.root / "crates" / crate / "src").rglob("*.rs")):
        # The scalar tape's types have the same names as the tensor tape's.
        if "scalar" not in path.parts and declared.search(path.read_text()):
            raise Refused(f"{camel(name)} is declared already, in {path.relative_to(tree.root)}")


def row(tree, pytorch, jax, ours):
    """Adds the row of PyTorch's name, near the others of its module."""
    pytorch = pytorch.strip("`")
    if "." not in pytorch:
        raise Refused(f"expected PyTorch's name with its module, as F.silu or torch.special.erf, found {pytorch}")
    how = "same" if pytorch.rsplit(".", 1)[1] == ours.rsplit("::", 1)[1] else "other name"
    jax = f"`{jax}`" if jax else "-"
    module = re.escape(pytorch.rsplit(".", 1)[0])
    text = f"| `{pytorch}` | {jax} | `{ours}` | {how} |"
    tree.insert("docs/src/from-pytorch.md", rf"\| `({module}\.\w+)`", pytorch, text)


def op(tree, name, pytorch=None, jax=None):
    check_name(tree, "tape", name)
    listing = set(tree.read("docs/public-functions.txt").split())
    for of in ("tape::Var", "tape::Tape"):
        if f"{of}::{name}" in listing:
            raise Refused(f"{name} is a method of {of} already")
    rules = "crates/tape/src/rules"
    tree.create(f"{rules}/{name}.rs", filled(OP, name))
    tree.insert(f"{rules}/mod.rs", r"(?:pub(?:\(\w+\))? )?mod (\w+);", name, f"pub mod {name};")
    tree.insert(f"{rules}/mod.rs", r"        (\w+)::\w*spec\(\),", name, f"        {name}::spec(),")
    tree.insert("benches/src/fuzz/pointwise.rs", r"            (\w+): a\.var\(\)\.\1\(\);", name,
                f"            {name}: a.var().{name}();")
    tree.insert("benches/src/opbench/pointwise.rs", r'        "(\w+)" "[^"]*" \w+; \|x\| x\.', name,
                f'        "{name}" "torch.exp(-x[0] * x[0])" REAL; |x| x.{name}();')
    tree.insert("docs/public-functions.txt", r"(\S+)", f"tape::Var::{name}", f"tape::Var::{name}")
    if pytorch:
        row(tree, pytorch, jax, f"Var::{name}")
    tree.write()
    return filled(AFTER_OP, name)


def layer(tree, name, pytorch=None, jax=None):
    check_name(tree, "nn", name)
    kind, layers = camel(name), "crates/nn/src/layers"
    if f"nn::{kind}::" in tree.read("docs/public-functions.txt"):
        raise Refused(f"{kind} is declared already, as docs/public-functions.txt has it")
    tree.create(f"{layers}/{name}.rs", filled(LAYER, name))
    tree.insert(f"{layers}/mod.rs", r"mod (\w+);", name, f"mod {name};")
    tree.insert(f"{layers}/mod.rs", r"pub use (\w+)::", name, f"pub use {name}::{kind};")
    fuzz = "benches/src/fuzz/modules.rs"
    tree.insert(fuzz, r'        "nn::(\w+)" \{', kind,
                f'        "nn::{kind}" {{\n'
                f"            new: done({kind}::<T>::new(a.size()));\n"
                f"            forward: {{ let n = a.size(); {kind}::new(n).forward(features(a, n)) }};\n"
                "        }")
    tree.import_name(fuzz, "wengert::nn", kind)
    tree.insert("crates/nn/tests/names.rs", r'        \(&\["(\w+)"\], Box::new', name,
                f'        (&["{name}"], Box::new({kind}::new(3))),')
    for function in ("forward", "new"):
        tree.insert("docs/public-functions.txt", r"(\S+)", f"nn::{kind}::{function}", f"nn::{kind}::{function}")
    if pytorch:
        row(tree, pytorch, jax, f"nn::{kind}")
    tree.write()
    return filled(AFTER_LAYER, name)


def copy(to):
    """Copies the tree without files that git ignores. Modification times are kept, so that cargo rebuilds little."""
    shutil.rmtree(to, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name, follow_symlinks=False)


def refuses(root, make, *args):
    """Checks that a name is refused and that nothing is written."""
    tree = Tree(root)
    try:
        tree.write = lambda: None
        make(tree, *args)
    except Refused as e:
        print(f"  refused: {e}")
    else:
        sys.exit(f"{make.__name__} {' '.join(args)} is not refused")


def test(quick):
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    to = target / "new-tree"
    copy(to)
    print("scaffolded in a copy:")
    op(Tree(to), "gaussian", "F.gaussian")
    layer(Tree(to), "scale")
    for name in ("gaussian", "tanh", "matmul", "concat", "op", "Gaussian", "log__two", "x", "match", "prelude", "../up"):
        refuses(to, op, name)
    for name in ("scale", "linear", "conv2d", "noisy_weights", "adam", "Scale", "use"):
        refuses(to, layer, name)
    refuses(to, op, "gaussian2", "silu")

    def cargo(*args):
        print(f"$ cargo {' '.join(args)}", flush=True)
        environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_INCREMENTAL": "0", "CARGO_PROFILE_DEV_DEBUG": "0"}
        if subprocess.run(["cargo", *args], cwd=to, env=environment).returncode:
            sys.exit(f"what the scaffold writes does not pass, see {to}")

    touched = [f"-p{p}" for p in ("wengert-tape", "wengert-nn", "wengert-benches")]
    cargo("fmt", "--all", "--", "--check")
    if quick:
        cargo("check", "--quiet", "-pwengert-tape", "-pwengert-nn", "--features", "wengert-tape/table")
        return
    cargo("clippy", "--quiet", *touched, "--all-targets", "--all-features", "--", "-D", "warnings")
    tape = ("test", "--quiet", "-p", "wengert-tape", "--all-features")
    cargo(*tape, "--test", "behaviour", "--", "enrolment::", "locations::", "table::")
    cargo(*tape, "--doc", "gaussian")
    nn = ("test", "--quiet", "-p", "wengert-nn", "--all-features")
    cargo(*nn, "--lib", "layers::scale")
    cargo(*nn, "--test", "behaviour", "names::")
    cargo(*nn, "--doc", "scale")
    cargo("test", "--quiet", "-p", "wengert-benches", "--bin", "fuzz", "--bin", "bench-ops")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    for what in ("op", "layer"):
        one = commands.add_parser(what)
        one.add_argument("name", help="in snake_case")
        one.add_argument("--pytorch", help="PyTorch's name for it, with its module: F.silu, torch.erf, nn.ReLU")
        one.add_argument("--jax", help="JAX's name for it")
    commands.add_parser("test").add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.what == "test":
        return test(args.quick)
    try:
        print({"op": op, "layer": layer}[args.what](Tree(ROOT), args.name, args.pytorch, args.jax), end="")
    except Refused as e:
        sys.exit(f"{args.what} {args.name}: {e}; nothing was written")


main()
