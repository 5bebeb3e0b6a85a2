//! The same bits for every number of threads and every width of vectors.

use crate::{stderr, stdout, temporary, wengert_with};
use std::collections::BTreeMap;
use wengert::ops::simd;

/// The names whose hashes differ, sorted.
fn different<'a>(a: &'a str, b: &'a str) -> Vec<&'a str> {
    let hashes = |text: &'a str| -> BTreeMap<_, _> {
        text.lines().map(|line| line.split_once(' ').unwrap()).collect()
    };
    let (a, b) = (hashes(a), hashes(b));
    assert!(a.len() > 250 && a.keys().eq(b.keys()), "{} and {} lines", a.len(), b.len());
    a.iter().filter(|(name, hash)| b[*name] != **hash).map(|(name, _)| *name).collect()
}

#[test]
fn results_depend_neither_on_threads_nor_on_the_width_of_vectors() {
    let inside = temporary("bits");
    let run = |threads: usize, set: &str| {
        let output =
            wengert_with(&inside, &format!("check --bits --threads {threads}"), &[("WENGERT_SIMD", set)]);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
        stdout(&output)
    };
    let best = simd::instruction_set();
    let one = run(1, best);
    assert_eq!(different(&one, &run(3, best)), [""; 0]);
    // No other set has narrower vectors and fused multiply-adds.
    if best == "avx512" {
        assert_eq!(different(&one, &run(2, "avx2")), [""; 0]);
    }
}

#[test]
fn an_instruction_set_that_does_not_exist_is_reported() {
    let inside = temporary("instruction-set");
    let output = wengert_with(&inside, "check --bits --op relu", &[("WENGERT_SIMD", "avx\u{1b}[2J")]);
    assert_eq!(output.status.code(), Some(0));
    let (warning, best) = (stderr(&output), simd::instruction_set());
    let expected =
        "warning: WENGERT_SIMD: expected avx512, avx2, neon or baseline, found \"avx\\u{1b}[2J\"; ";
    assert_eq!(warning, format!("{expected}{best} is used\n"));
}
