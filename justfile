# Recipes for development. `just` lists them.

wengert := env("CARGO_TARGET_DIR", justfile_directory() / "target") / "debug/wengert"

default:
    @just --list

# Everything that CI runs
ci:
    bash .ci/run

# Formatting, clippy with warnings as errors
lint:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# All tests, doc tests included
test:
    cargo test --workspace --all-features

# The API documentation, and the book if mdbook is there
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps
    mdbook build docs

# Train the MLP on the digits
train *ARGS:
    cargo run --release -- train mlp {{ARGS}}

# Prove every gradient: `just check`, `just check --op 'log*' --cases 1000`
check *ARGS:
    cargo run --release --features check -- check {{ARGS}}

# The hashes of all results, written to docs/bits.txt again, after a change that is meant to give other bits
bits:
    mkdir -p target
    cargo run --release --features check -- check --bits > target/bits.txt
    mv target/bits.txt docs/bits.txt
    git diff --stat docs/bits.txt

# Weights of small models by width of vectors, number of threads and emulated processor, which must be the same
# (`apt-get install qemu-user`): `just same-bits`, `just same-bits --model gpt,vae`
same-bits *ARGS:
    python3 benches/same-bits.py {{ARGS}}

# Values and gradients beside PyTorch's: `just conformance`, `just conformance --op softmax --cases 500`
conformance *ARGS:
    python3 benches/conformance.py {{ARGS}}

# Models trained beside PyTorch's, loss by loss: `just parity`, `just parity --model gpt,vae --seeds 10`
parity *ARGS:
    python3 benches/parity.py {{ARGS}}

# A million calls of the public functions with random arguments, none of which may panic: `just fuzz`, `just fuzz --function Var::softmax`
fuzz *ARGS:
    cargo run --release -p wengert-benches --bin fuzz -- {{ARGS}}

# The file of a new elementwise op and its line in every table: `just new-op gaussian`, `just new-op softmin --pytorch F.softmin`
new-op NAME *ARGS:
    python3 benches/new.py op {{NAME}} {{ARGS}}

# The file of a new layer and its line in every table: `just new-layer scale`
new-layer NAME *ARGS:
    python3 benches/new.py layer {{NAME}} {{ARGS}}

# Other libraries' gradient checkers on our mistakes, written into the book with --book (needs PyTorch and JAX, as `bench-peers`;
# CHECKERS_PYTHON is a Python with tensorflow-cpu and autograd)
checkers *ARGS:
    python3 benches/checkers.py {{ARGS}}

# The crate of examples/ci, copied outside of the workspace
copied:
    .ci/copied.sh

# Both in a copy of the tree, which then has to pass fmt, clippy and its tests: `just new-test`, `just new-test --quick`
new-test *ARGS:
    python3 benches/new.py test {{ARGS}}

# The workspace with the minimum of Rust that Cargo.toml states (`rustup toolchain install 1.89 --profile minimal`)
minimum:
    cargo +$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) check --workspace --target-dir target/minimum

# Buffers and arena in Miri (`rustup toolchain install nightly --profile minimal --component miri,rust-src`)
miri *ARGS="buffer:: short:: arena::":
    cargo +nightly miri test -p wengert-ops --lib --target-dir target/miri -- {{ARGS}}

# Speed beside PyTorch, torch.compile, JAX, candle and burn, in turns: `just bench-peers --workload w5,gru --peers torch,jax`,
# `just bench-peers --json speed.json --book` (see the chapter "Speed")
bench-peers *ARGS:
    python3 benches/peers.py {{ARGS}}

# Training steps beside PyTorch's, in turns: `just bench`, `just bench training 1`
bench WORKLOADS="w1,w9,w10" SECONDS="1" THREADS="2":
    python3 benches/peers.py --workload {{WORKLOADS}} --seconds {{SECONDS}} --threads {{THREADS}} --peers torch

# Matrix products beside those of the crate gemm, as a table: `just bench-products`, `just bench-products --threads 1`
bench-products *ARGS:
    cargo run --release --manifest-path benches/peers/products/Cargo.toml --target-dir target/peers -- {{ARGS}}

# Every operation next to PyTorch's, forward and backward: `just bench-ops`, `just bench-ops --op 'conv*' --only-slow`
bench-ops *ARGS:
    python3 benches/ops.py {{ARGS}}

# The scalar tape beside other engines of reverse mode: `just scalar`, `just scalar --programs p1,p4 --turns 9`
scalar *ARGS:
    python3 benches/scalar.py {{ARGS}}

# How long the facade takes to build from nothing, and how many crates it needs
weight:
    cargo tree -p wengert -e normal --prefix none --no-dedupe | sort -u | wc -l
    rm -rf target/weight
    bash -c 'time cargo build --release -p wengert --target-dir target/weight'

# The page of `wengert step`, tested in Chromium (`apt-get install chromium`)
browser:
    cargo build -p wengert-cli
    cd crates/trace/tests/browser && npm install --no-audit --no-fund
    cd crates/trace/tests/browser && WENGERT="{{wengert}}" node --test page.mjs access.mjs

# The pictures of the documentation; needs Chromium and tmux
shots:
    cargo build -p wengert-cli
    cd crates/trace/tests/browser && npm install --no-audit --no-fund
    cd crates/trace/tests/browser && WENGERT="{{wengert}}" node shots.mjs

# The pictures of the chapter of analyses, drawn anew
pictures:
    for name in $(grep -o 'example [a-z_]*`$' docs/src/analyses.md | tr -d '`' | cut -d ' ' -f 2); do \
        cargo run --release --quiet -p wengert-examples --example "$name" -- docs/src/images || exit 1; \
    done

# How costs grow with the number of pieces, steps and nodes; fails on what is worse than n log n: `just growth`,
# `just growth --filter parts --scale 8`
growth *ARGS:
    cargo run --release -p wengert-benches --bin growth -- {{ARGS}}

# Instructions of ten small training steps, compared with benches/instructions.tsv (`apt-get install valgrind`): `just instructions`,
# `just instructions --write`
instructions *ARGS:
    python3 benches/instructions.py {{ARGS}}

# The circles of imports inside each crate: `just circles`, `just circles tape`
circles *CRATES:
    python3 benches/circles.py {{CRATES}}

# What a release needs, as far as it takes no compiler: metadata, versions, licences, changelog, contents of the archives
release-check:
    python3 release/release.py check

# The whole release from a fresh clone of HEAD, with nothing published: archives, a project and a command made from them alone, the
# documentation of docs.rs: `just release-rehearsal`, `just release-rehearsal --version 0.1.0`, `just release-rehearsal --profile dev`
release-rehearsal *ARGS:
    python3 release/release.py rehearse {{ARGS}}

# The version and the date into Cargo.toml, Cargo.lock and CHANGELOG.md: `just release-prepare 0.1.0`
release-prepare VERSION:
    python3 release/release.py prepare {{VERSION}}

# Licences, sources, vulnerabilities and versions of dependencies (`cargo install cargo-deny`)
deny *ARGS="check":
    cargo deny {{ARGS}}
