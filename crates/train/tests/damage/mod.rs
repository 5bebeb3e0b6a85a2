//! Shared by tests of damaged files: random changes, and the verdict. The tests of traces include this file by its path.

#[path = "../../../data/tests/counting/mod.rs"]
mod counting;

pub(crate) use counting::Random;
use counting::peak;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Texts that readers and header parsers may fail on.
const TOKENS: [&[u8]; 32] = [
    b"\x1b]0;x\x07",
    b"\xc2\x9b2J",
    b"\\u001b]0;x\\u0007",
    b"\"\\u001b[2J\":1,",
    b"\"\\u001b[2J\"",
    b"\xe2\x80\xae",
    b"\xff",
    b"\"",
    b"\\",
    b",",
    b":",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[[[[[[[[[",
    b"\n",
    b"\0",
    b"null",
    b"true",
    b"nan",
    b"-1",
    b"0",
    b"1",
    b"7",
    b"1e400",
    b"-9223372036854775808",
    b"9223372036854775807",
    b"18446744073709551615",
    b"4294967295",
    b"1000000000000",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// Makes one change.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let n = bytes.len();
    let at = random.below(n);
    match random.below(9) {
        _ if n == 0 => bytes.push(random.next() as u8),
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = *random.of(&[0, 1, b'0', b'9', 0x7f, 0x80, 0xff]),
        // An integer is replaced by another.
        2..=4 => {
            let Some(from) = (at..n).find(|&i| bytes[i].is_ascii_digit()) else { return };
            let to = (from..n).find(|&i| !bytes[i].is_ascii_digit()).unwrap_or(n);
            bytes.splice(from..to, random.of(&TOKENS[21..]).iter().copied());
        }
        5 => drop(bytes.drain(at..n.min(at + 1 + random.below(8)))),
        6 => {
            let part = bytes[at..n.min(at + 1 + random.below(64))].to_vec();
            let to = random.below(n);
            bytes.splice(to..to, part);
        }
        7 => drop(bytes.splice(at..at, random.of(&TOKENS).iter().copied())),
        _ => {
            let token = random.of(&TOKENS);
            let end = n.min(at + token.len());
            bytes[at..end].copy_from_slice(&token[..end - at]);
        }
    }
}

/// Makes up to three changes. Sometimes nothing is changed, which shows that the original can be read.
pub(crate) fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.below(4) {
        mutate(&mut bytes, random);
    }
    bytes
}

/// The number of files of each kind to try.
pub(crate) fn count(usual: usize) -> usize {
    std::env::var("MUTATIONS").map_or(usual, |n| n.parse().expect("MUTATIONS is a number"))
}

/// Reads files that `damage` makes. No read panics or takes more memory than `most` bytes, and no message contains control
/// characters for a terminal. Some files are read, and many are refused.
pub(crate) fn survives<E: ToString>(
    what: &str,
    files: usize,
    most: u64,
    damage: impl Fn(&mut Random) -> Vec<u8>,
    read: impl Fn(&[u8]) -> Result<(), E>,
) {
    let (mut good, mut bad, mut largest) = (0, 0, 0);
    for seed in 0..files {
        let bytes = damage(&mut Random(seed as u64));
        let shown = || String::from_utf8_lossy(&bytes).into_owned();
        let (outcome, bytes_taken) =
            peak(|| catch_unwind(AssertUnwindSafe(|| read(&bytes).map_err(|e| e.to_string()))));
        largest = largest.max(bytes_taken);
        assert!(bytes_taken <= most, "{what}, seed {seed}: {bytes_taken} bytes of memory for {:?}", shown());
        match outcome {
            Err(_) => panic!("{what}, seed {seed}: a panic at {:?}", shown()),
            Ok(Ok(())) => good += 1,
            Ok(Err(message)) => {
                let steers = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
                assert!(!message.contains(steers), "{what}, seed {seed}: {message:?}");
                bad += 1;
            }
        }
    }
    eprintln!("{what}: {files} files, {good} read, {bad} refused, at most {largest} bytes of memory");
    assert!(files < 100 || good > files / 20 && bad > files / 20, "{what}: {good} read, {bad} refused");
}
