#!/bin/sh
# The checks, for any CI and for your machine. Reports are in the folder `reports`.
#
#   ./ci.sh pull-request   the same cases each time, in less than a minute
#   ./ci.sh night          other cases each night, for MINUTES (10), and rules that are wrong on purpose
#   ./ci.sh night 1/4      the first of four parts, for machines that share the night; they need the same SEED
set -eu
cd "$(dirname "$0")"
mkdir -p reports

check() { cargo test --quiet --test gradients -- "$@"; }

# GitHub shows annotations and a summary if it is asked to.
shown=text
[ "${GITHUB_ACTIONS:-}" = true ] && shown=github

case "${1:-pull-request}" in
pull-request)
    cargo test --quiet --lib
    check --seed 0 --cases "${CASES:-100}" --format "$shown" --format junit=reports/gradients.xml --format json=reports/gradients.json
    ;;
night)
    seed=${SEED:-random}
    part=${2:-1/1}
    name=$(printf %s "$part" | tr / -)
    worst=0
    check --seed "$seed" --time "${MINUTES:-10}m" --shard "$part" --format "$shown" \
        --format "junit=reports/gradients-$name.xml" --format "json=reports/gradients-$name.json" || worst=$?
    # Exit code 4: the gradients are right, but a wrong rule would not be noticed.
    code=0
    check --mutants --seed "$seed" --cases "${CASES:-50}" --shard "$part" --format "$shown" \
        --format "junit=reports/mutants-$name.xml" --format "json=reports/mutants-$name.json" || code=$?
    [ "$worst" -ne 0 ] || worst=$code
    exit "$worst"
    ;;
*)
    echo "usage: $0 pull-request | night [PART/PARTS]" >&2
    exit 2
    ;;
esac
