#!/usr/bin/env bash
# The crate of examples/ci as somebody has it who copied it: outside of the workspace, with our crates in place of the published ones.
# Nothing is optimised, since that takes longer than the few cases that are run.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$root/examples/ci/." "$copy"
cd "$copy"

# What `cargo generate` makes is the same, with another name.
sed 's/{{project-name}}/gradient-checks/' Cargo.toml.liquid | diff - Cargo.toml
sed 's/{{project-name}}/mine/' Cargo.toml.liquid | sed '/^# Checks evaluate/,$d' >Cargo.toml
rm Cargo.toml.liquid cargo-generate.toml
mkdir .cargo
printf '[patch.crates-io]\nwengert = { path = "%s/crates/wengert" }\n' "$root" >.cargo/config.toml
cp "$root/Cargo.lock" .
CARGO_TARGET_DIR=$(cd "$target" && pwd)/copied
export CARGO_TARGET_DIR CARGO_PROFILE_DEV_OPT_LEVEL=0

CASES=10 ./ci.sh pull-request
MINUTES=0.01 CASES=10 SEED=5 ./ci.sh night 1/6 >/dev/null
for report in gradients.xml gradients.json gradients-1-6.xml mutants-1-6.json; do [ -s "reports/$report" ]; done

# A mistake is found, with the exit code of the program, and the command that it prints finds it again.
sed -i.old 's/x \* (x \* 2.0).sigmoid()/x.detach() * (x * 2.0).sigmoid()/' src/lib.rs
code=0
report=$(cargo test --quiet --test gradients -- --op 'swish*' --cases 10 2>/dev/null) || code=$?
again=$(sed -n 's/^ *again: //p' <<<"$report" | head -n 1)
echo "a mistake ends with $code, and: $again"
[ "$code" -eq 1 ] && [[ $again == "cargo test -p mine --test gradients -- --op swish2 --case "* ]]
! eval "$again" >/dev/null 2>&1
