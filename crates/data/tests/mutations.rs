//! Damaged files of every format: no reader panics on one, takes more memory than the stated limit, or puts control characters in
//! a message. What is damaged, and how, follows from a seed. The variable `MUTATIONS` says how many files of each format to
//! try, for a longer run:
//!
//! ```console
//! $ MUTATIONS=1000000 cargo test --release -p wengert-data --test mutations
//! ```

mod counting;

use counting::{Random, peak};
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, Crc};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wengert_data::format::csv::{Header, Missing, Table, TableConfig};
use wengert_data::format::idx::{self, Kind};
use wengert_data::format::image::{self, Channels};
use wengert_data::format::{Array, MOST_FOR_ANY_FILE, MOST_PER_BYTE, npy, npz};
use wengert_data::{Error, Pairs, Result, Series, Text, Texts};
use wengert_ops::{Tensor, buffer};

/// The counts are those of the whole process, so that one test at a time may count.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // What waits in the cache is in use for the allocator.
    buffer::set_cache_limit(0);
    guard
}

fn limit(length: usize) -> u64 {
    (length as u64 * MOST_PER_BYTE).max(MOST_FOR_ANY_FILE)
}

/// What readers of text and of headers may stumble over.
const TOKENS: [&[u8]; 22] = [
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x1f\x8b\x08",
    b"\x1b]0;x\x07",
    b"\xc2\x9b2J",
    b"\"",
    b"\"\"",
    b",",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"nan",
    b"1e400",
    b"-9223372036854775808",
    b"18446744073709551615",
    b"(4294967295, 4294967295)",
    b"(0, 9223372036854775807)",
    b"'<u8'",
    b"True",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// Changes one thing.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let n = bytes.len();
    let at = random.below(n);
    match random.below(9) {
        _ if n == 0 => bytes.push(random.next() as u8),
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = *random.of(&[0, 1, 0x7f, 0x80, 0xff]),
        3 => {
            let extreme = random.of(&[
                0u64,
                1,
                0xff,
                0x7fff,
                0xffff,
                0x7fff_ffff,
                0xffff_ffff,
                u64::MAX >> 1,
                u64::MAX,
            ]);
            let width = *random.of(&[2, 4, 8]);
            let mut word = extreme.to_le_bytes()[..width].to_vec();
            if random.below(2) == 0 {
                word.reverse();
            }
            let end = n.min(at + width);
            bytes[at..end].copy_from_slice(&word[..end - at]);
        }
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..n.min(at + 1 + random.below(8)))),
        6 => {
            let part = bytes[at..n.min(at + 1 + random.below(32))].to_vec();
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

/// Now and then nothing is changed, which shows that there was something to damage.
fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.below(4) {
        mutate(&mut bytes, random);
    }
    bytes
}

fn sum(parts: &[&[u8]]) -> u32 {
    let mut crc = Crc::new();
    parts.iter().for_each(|part| crc.update(part));
    crc.sum()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What `head` and then `block`, many times, are when they are deflated: the stream, the sum and the length of it all. The block
/// is compressed only once.
fn repeated(head: &[u8], block: &[u8], times: usize) -> (Vec<u8>, u32, usize) {
    let flushed = |bytes: &[u8]| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.flush().unwrap();
        encoder.get_ref().clone()
    };
    let mut crc = Crc::new();
    crc.update(head);
    (0..times).for_each(|_| crc.update(block));
    // An empty block, and the last.
    let stream = [flushed(head), flushed(block).repeat(times), vec![3, 0]].concat();
    (stream, crc.sum(), head.len() + block.len() * times)
}

/// As [`gz`], for what [`repeated`] gives.
fn gz_repeated(head: &[u8], block: &[u8], times: usize) -> Vec<u8> {
    let (stream, sum, length) = repeated(head, block, times);
    let begin = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [&begin[..], &stream, &sum.to_le_bytes(), &(length as u32).to_le_bytes()].concat()
}

/// An archive of members that are stored or deflated, with the right sums; `sizes` may lie.
fn zip(members: &[(&[u8], Vec<u8>)], compress: bool, size: impl Fn(usize) -> u32) -> Vec<u8> {
    let members = members.iter().map(|(name, contents)| Member {
        name,
        data: if compress { deflated(contents) } else { contents.clone() },
        sum: sum(&[contents]),
        size: size(contents.len()),
    });
    zipped(members, compress)
}

struct Member<'a> {
    name: &'a [u8],
    data: Vec<u8>,
    sum: u32,
    size: u32,
}

fn zipped<'a>(members: impl IntoIterator<Item = Member<'a>>, compress: bool) -> Vec<u8> {
    let (mut bytes, mut directory, mut count) = (Vec::new(), Vec::new(), 0u16);
    for Member { name, data, sum, size } in members {
        let mut common = vec![20, 0, 0, 0, 8 * u8::from(compress), 0, 0, 0, 0, 0];
        common.extend(sum.to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        let offset = bytes.len() as u32;
        bytes.extend([b"PK\x03\x04", &common[..], name, &data].concat());
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &offset.to_le_bytes(), name].concat());
        count += 1;
    }
    let (start, length) = (bytes.len() as u32, directory.len() as u32);
    bytes.extend(directory);
    let count = count.to_le_bytes();
    let sizes = [length.to_le_bytes(), start.to_le_bytes()].concat();
    bytes.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &sizes, &[0, 0]].concat());
    bytes
}

type Chunks = Vec<([u8; 4], Vec<u8>)>;

fn png(chunks: &Chunks) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in chunks {
        bytes.extend(
            [&(data.len() as u32).to_be_bytes(), &kind[..], data, &sum(&[kind, data]).to_be_bytes()].concat(),
        );
    }
    bytes
}

/// A file whose image data are `raw`, once they are compressed.
fn picture(size: [u32; 2], depth: u8, colour: u8, interlace: u8, more: &Chunks, raw: &[u8]) -> Chunks {
    let head =
        [&size[0].to_be_bytes()[..], &size[1].to_be_bytes(), &[depth, colour, 0, 0, interlace]].concat();
    let mut chunks = vec![(*b"IHDR", head)];
    chunks.extend(more.iter().cloned());
    chunks.extend([(*b"IDAT", zlib(raw)), (*b"IEND", Vec::new())]);
    chunks
}

/// Changes a file whose sums are right afterwards: a chunk's contents, image data under the compression, or the chunks' order.
fn mutated_png(chunks: &Chunks, random: &mut Random) -> Vec<u8> {
    let mut chunks = chunks.clone();
    for _ in 0..random.below(4) {
        let (at, to) = (random.below(chunks.len()), random.below(chunks.len()));
        match random.below(6) {
            0 => chunks.swap(at, to),
            1 => chunks.insert(to, chunks[at].clone()),
            2 if chunks.len() > 1 => drop(chunks.remove(at)),
            3 => {
                chunks[at].0 =
                    **random.of(&[b"PLTE", b"tRNS", b"IDAT", b"IHDR", b"IEND", b"acTL", b"fcTL", b"iCCP"]);
            }
            _ if chunks[at].0 == *b"IDAT" => {
                let mut raw = Vec::new();
                let _ = flate2::read::ZlibDecoder::new(&chunks[at].1[..]).read_to_end(&mut raw);
                mutate(&mut raw, random);
                chunks[at].1 = zlib(&raw);
            }
            _ => mutate(&mut chunks[at].1, random),
        }
    }
    png(&chunks)
}

fn pictures() -> Vec<Chunks> {
    let palette = |n: u8| (*b"PLTE", (0..3 * n).collect::<Vec<u8>>());
    let trns = |n: usize| (*b"tRNS", vec![7; n]);
    let text = (*b"tEXt", b"k\0v".to_vec());
    let zeros = |size: usize| vec![0; size];
    vec![
        picture([3, 2], 8, 2, 0, &vec![text, trns(6)], &zeros(2 * 10)),
        picture([9, 9], 1, 0, 1, &vec![trns(2)], &zeros(64)),
        picture([5, 3], 16, 6, 0, &vec![], &zeros(3 * 41)),
        picture([4, 4], 8, 3, 0, &vec![palette(5), trns(3)], &zeros(4 * 5)),
        picture([7, 5], 2, 3, 1, &vec![palette(4)], &zeros(64)),
        picture([4, 4], 8, 4, 0, &vec![], &zeros(4 * 9)),
        picture([200, 100], 1, 0, 0, &vec![], &zeros(100 * 26)),
    ]
}

fn arrays() -> Vec<Array> {
    let ints = Tensor::from_vec((-3..9).collect::<Vec<i64>>(), [3, 4]).unwrap();
    vec![
        Tensor::from([[0.5f32, -1.0], [2.0, f32::NAN]]).into(),
        Tensor::from([[[1.0f64]]]).into(),
        ints.into(),
        Tensor::from([1u8, 2, 3, 255]).into(),
        Tensor::from_vec(vec![0u8; 20_000], [200, 100]).unwrap().into(),
    ]
}

fn npy_files() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = arrays().iter().map(npy::encode).collect();
    for descr in ["|b1", "|i1", ">i2", "<f2", ">u8", "<i4"] {
        let header = format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': (2, 3), }}");
        let length = (header.len() as u16).to_le_bytes();
        files.push(
            [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), &[1; 48][..6 * size_of_type(descr)]]
                .concat(),
        );
    }
    files
}

fn size_of_type(descr: &str) -> usize {
    (descr.as_bytes()[2] - b'0').into()
}

const TABLE: &[u8] = b"a,\"b, c\",kind\r\n1,2.5,x\r\n,\"3\n\",y\r\n-1e3,4,x\r\n";
const NUMBERS: &[u8] = b"t,v\n1,2\n2,3.5\n3,4\n";
const PAIRS: &[u8] = "cat\tKatze\nox\tOchse\ntree\tBäume\n".as_bytes();
const TEXT: &[u8] = "To be, or not to be.\nÄ \u{1F600}\n".as_bytes();

/// Where a reader of files finds one.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Scratch(std::env::temp_dir().join(format!("wengert-mutations-{name}-{}", std::process::id())))
    }

    fn read<V>(&self, bytes: &[u8], read: impl FnOnce(&Path) -> Result<V>) -> Result<()> {
        // A file system may wait for the disk where a file is overwritten.
        std::fs::remove_file(&self.0).ok();
        std::fs::write(&self.0, bytes).unwrap();
        read(&self.0).map(|_| ())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// Reads a table and takes all columns from it, in every way.
fn read_table(path: &Path) -> Result<()> {
    let mut result = Ok(());
    for (header, comment) in [(Header::Names, None), (Header::Absent, Some(b'#'))] {
        let config = TableConfig { header, comment, ..TableConfig::default() };
        let read = || -> Result<()> {
            let table = Table::read(path, &config)?;
            let check = |outcome: Result<()>| outcome.map_err(|e| assert_plain(&e)).unwrap_or_default();
            check(table.text("no such column").map(|_| ()));
            check(table.numbers::<f64, _>(0..table.width(), Missing::Median).map(|_| ()));
            // No more of them than a short file has: for each, all rows are looked at.
            for column in (0..table.width()).take(100) {
                check(table.numbers::<f32, _>([column], Missing::Refuse).map(|_| ()));
                check(table.classes(column).map(|_| ()));
            }
            Ok(())
        };
        result = result.and(read());
    }
    result
}

fn assert_plain(e: &Error) {
    let message = e.to_string();
    assert!(message.chars().all(|c| !c.is_control()) && message.len() < 2500, "{message:?}");
}

fn read_series(path: &Path) -> Result<()> {
    let table = Table::read(path, &TableConfig::default())?;
    Series::new(table.numbers::<f32, _>(0..table.width(), Missing::Refuse)?)?.split(0.2).map(|_| ())
}

fn read_image(bytes: &[u8]) -> Result<()> {
    image::decode::<f32>(bytes, "f.png", Channels::AsStored)?;
    [Channels::Gray, Channels::Rgb, Channels::Rgba]
        .into_iter()
        .try_for_each(|channels| image::decode::<f64>(bytes, "f.png", channels).map(|_| ()))
}

/// What the trials of a format came to.
struct Tally {
    name: &'static str,
    count: usize,
    read: usize,
    peak: u64,
}

/// Tries as many files as asked for.
fn try_all(
    name: &'static str,
    seed: u64,
    mut make: impl FnMut(&mut Random) -> Vec<u8>,
    read: impl Fn(&[u8]) -> Result<()>,
) -> Tally {
    let asked = std::env::var("MUTATIONS").ok().map(|count| count.parse().unwrap());
    let mut random = Random(seed);
    let mut tally = Tally { name, count: asked.unwrap_or(500), read: 0, peak: 0 };
    for i in 0..tally.count {
        let bytes = make(&mut random);
        let (outcome, peak) = peak(|| catch_unwind(AssertUnwindSafe(|| read(&bytes))));
        let peak = peak + bytes.len() as u64;
        let Ok(outcome) = outcome else { panic!("{name}, file {i} panics: {}", bytes.escape_ascii()) };
        assert!(peak <= limit(bytes.len()), "{name}, file {i} takes {peak} bytes: {}", bytes.escape_ascii());
        if let Err(e) = &outcome {
            assert_plain(e);
        }
        tally.read += usize::from(outcome.is_ok());
        tally.peak = tally.peak.max(peak);
    }
    if asked.is_some() {
        let Tally { name, count, read, peak } = &tally;
        eprintln!("{name}: {count} files, of which {read} were read; at most {peak} bytes");
    }
    tally
}

#[test]
fn damaged_files_of_every_format_are_refused_or_read() {
    let _alone = alone();
    let mut all = Vec::new();
    let pictures = pictures();
    let plain: Vec<Vec<u8>> = pictures.iter().map(png).collect();
    all.push(try_all(
        "png, sums left as they are",
        1,
        |r| {
            let b = r.of(&plain).clone();
            mutated(&b, r)
        },
        read_image,
    ));
    all.push(try_all(
        "png, sums repaired",
        2,
        |r| {
            let c = r.of(&pictures).clone();
            mutated_png(&c, r)
        },
        read_image,
    ));

    let kinds = [Kind::U8, Kind::I8, Kind::I16, Kind::I32, Kind::F32, Kind::F64];
    let small = Tensor::from_vec(vec![1i64, 2, 3, 4, 5, 6], [2, 3]).unwrap();
    let mut idx_files: Vec<Vec<u8>> = kinds.iter().map(|&kind| idx::encode(&small, kind).unwrap()).collect();
    idx_files.push(idx::encode(Tensor::from(vec![0u8; 20_000]), Kind::U8).unwrap());
    let read_idx = |bytes: &[u8]| idx::decode(bytes, "f").map(|_| ());
    all.push(try_all(
        "idx",
        3,
        |r| {
            let b = r.of(&idx_files).clone();
            mutated(&b, r)
        },
        read_idx,
    ));
    all.push(try_all(
        "idx, compressed",
        4,
        |r| {
            let b = r.of(&idx_files).clone();
            gz(&mutated(&b, r))
        },
        read_idx,
    ));
    let packed: Vec<Vec<u8>> = idx_files.iter().map(|b| gz(b)).collect();
    all.push(try_all(
        "idx, compressed, and then damaged",
        5,
        |r| {
            let b = r.of(&packed).clone();
            mutated(&b, r)
        },
        read_idx,
    ));

    let npy_files = npy_files();
    let read_npy = |bytes: &[u8]| npy::decode(bytes, "f.npy").map(|_| ());
    all.push(try_all(
        "npy",
        6,
        |r| {
            let b = r.of(&npy_files).clone();
            mutated(&b, r)
        },
        read_npy,
    ));
    all.push(try_all(
        "npy, compressed",
        7,
        |r| {
            let b = r.of(&npy_files).clone();
            gz(&mutated(&b, r))
        },
        read_npy,
    ));

    let read_npz = |bytes: &[u8]| npz::decode(bytes, "f.npz").map(|_| ());
    let archive = |r: &mut Random, damage: bool| {
        let names: [&[u8]; 4] = [b"x.npy", b"y.npy", b"/\x1b[2J.npy", b"x"];
        let mut members = Vec::new();
        for _ in 0..1 + r.below(3) {
            let mut name = names[r.below(4)];
            if damage && r.below(8) == 0 {
                name = &name[..r.below(name.len())];
            }
            let contents = r.of(&npy_files).clone();
            members.push((name, if damage { mutated(&contents, r) } else { contents }));
        }
        let lie = damage && r.below(4) == 0;
        let wrong = *r.of(&[0, 1, 20_001, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff]);
        zip(&members, r.below(2) == 0, |right| if lie { wrong } else { right as u32 })
    };
    all.push(try_all("npz, sums repaired", 8, |r| archive(r, true), read_npz));
    all.push(try_all(
        "npz, sums left as they are",
        9,
        |r| {
            let b = archive(r, false);
            mutated(&b, r)
        },
        read_npz,
    ));

    let scratch = Scratch::new("text");
    type Reader = fn(&Path) -> Result<()>;
    let texts: [(&str, &str, &[u8], Reader); 5] = [
        ("csv", "csv, compressed", TABLE, read_table),
        ("series", "series, compressed", NUMBERS, read_series),
        ("text", "text, compressed", TEXT, |path| Text::read(path).map(|_| ())),
        ("texts", "texts, compressed", PAIRS, |path| Texts::read(path).map(|_| ())),
        ("pairs", "pairs, compressed", PAIRS, |path| Pairs::read(path).map(|_| ())),
    ];
    for (i, (plain, compressed, text, read)) in (10..).step_by(2).zip(texts) {
        let read = |bytes: &[u8]| scratch.read(bytes, read);
        all.push(try_all(plain, i, |r| mutated(text, r), read));
        let twice = |r: &mut Random| {
            let inside = gz(&mutated(text, r));
            if r.below(2) == 0 { mutated(&inside, r) } else { inside }
        };
        all.push(try_all(compressed, i + 1, twice, read));
    }

    for tally in &all {
        // Changes that are all refused at the door try nothing, and those that are all read damage nothing.
        assert!(tally.read < tally.count, "{}: all were read", tally.name);
        assert!(tally.read > 0, "{}: none was read", tally.name);
    }
    let (count, peak) = (all.iter().map(|t| t.count).sum::<usize>(), all.iter().map(|t| t.peak).max());
    eprintln!("{count} files in all, at most {} bytes", peak.unwrap_or(0));
}

/// The length of a file, and what reading it came to and took, with the file itself.
fn read_once(bytes: &[u8], read: impl FnOnce(&[u8]) -> Result<()>) -> (Result<()>, u64) {
    let (result, peak) = peak(|| read(bytes));
    (result, peak + bytes.len() as u64)
}

fn message(result: Result<()>) -> String {
    result.map_or_else(|e: Error| e.to_string(), |()| "no error".into())
}

#[test]
fn few_bytes_that_stand_for_very_many_are_refused_before_memory_is_taken() {
    let _alone = alone();
    const SMALL: u64 = 1 << 22;
    // Images: 16 KiB that would be 512 MiB, and two KiB that would be as much in double precision.
    let wide = png(&picture([8192, 16384], 1, 0, 0, &vec![], &vec![0; 16384 * 1025]));
    let more = vec![(*b"PLTE", vec![0; 6]), (*b"tRNS", vec![0; 2])];
    let palette = png(&picture([4096, 4096], 1, 3, 0, &more, &vec![0; 4096 * 513]));
    for (bytes, found) in
        [(&wide, "8192 by 16384 pixels in 1 channels"), (&palette, "4096 by 4096 pixels in 4 channels")]
    {
        assert!(bytes.len() < 20_000);
        let (result, peak) =
            read_once(bytes, |b| image::decode::<f64>(b, "f", Channels::AsStored).map(|_| ()));
        let message = message(result);
        assert!(message.starts_with(&format!("f: expected {found} that take at most 5368")), "{message}");
        assert!(peak < SMALL, "{peak}");
    }
    drop((wide, palette));
    // A quarter of it fits.
    let palette = png(&picture([2048, 2048], 1, 3, 0, &more, &vec![0; 2048 * 257]));
    let (result, peak) =
        read_once(&palette, |b| image::decode::<f32>(b, "f", Channels::AsStored).map(|_| ()));
    assert!(result.is_ok() && peak < 100 << 20, "{peak}");

    // Arrays: bytes that are widened to integers of eight.
    const N: usize = 52 << 20;
    let head = [&[0, 0, 9, 1][..], &(N as u32).to_be_bytes()].concat();
    let mebibyte = vec![0; 1 << 20];
    let idx_file = gz_repeated(&head, &mebibyte, N >> 20);
    let (result, peak) = read_once(&idx_file, |b| idx::decode(b, "f").map(|_| ()));
    let text = message(result);
    assert!(text.contains("byte 8: expected elements that take at most") && peak < SMALL, "{text} {peak}");
    let header = format!("{{'descr': '|i1', 'fortran_order': True, 'shape': ({N}, 1), }}");
    let head = [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    let (data, sum, length) = repeated(&head, &mebibyte, N >> 20);
    let archive = zipped([Member { name: b"x.npy", data, sum, size: length as u32 }], true);
    let (result, peak) = read_once(&archive, |b| npz::decode(b, "f").map(|_| ()));
    let text = message(result);
    assert!(text.contains("expected elements that take at most"), "{text}");
    assert!(peak < limit(archive.len()), "{peak}");
    let npy_file = gz_repeated(&head, &mebibyte, N >> 20);
    let (result, peak) = read_once(&npy_file, |b| npy::decode(b, "f").map(|_| ()));
    let text = message(result);
    assert!(text.contains("expected elements that take at most") && peak < SMALL, "{text} {peak}");

    // Members that share their bytes.
    let shared = vec![1u8; 1 << 20];
    let one = zip(&[(b"x0.npy", npy::encode(Tensor::from(shared)))], true, |right| right as u32);
    let directory = one.len() - 22 - 46 - 6;
    let mut many = one[..directory].to_vec();
    let count = 1000u16;
    for i in 0..count {
        let mut entry = one[directory..directory + 46].to_vec();
        entry[28..30].copy_from_slice(&8u16.to_le_bytes());
        many.extend([&entry[..], format!("{i:04}.npy").as_bytes()].concat());
    }
    let (length, start) = (54 * u32::from(count), directory as u32);
    let n = count.to_le_bytes();
    many.extend(
        [b"PK\x05\x06\0\0\0\0", &n[..], &n, &length.to_le_bytes(), &start.to_le_bytes(), &[0, 0]].concat(),
    );
    let (result, peak) = read_once(&many, |b| npz::decode(b, "f").map(|_| ()));
    let text = message(result);
    assert!(text.contains("that take at most") && peak <= limit(many.len()), "{text} {peak}");

    // Text: what would become numbers, and fields.
    let scratch = Scratch::new("bombs");
    let bytes = gz_repeated(b"", &mebibyte, N >> 20);
    let (result, peak) = read_once(&bytes, |b| scratch.read(b, |path| Text::read(path)));
    let text = message(result);
    assert!(text.contains("bytes after decompression") && peak <= limit(bytes.len()), "{text} {peak}");
    let commas = gz_repeated(b"", &vec![b','; 1 << 20], 26);
    let (result, peak) = read_once(&commas, |b| scratch.read(b, read_table));
    let text = message(result);
    assert!(
        text.contains("expected a table that take at most") && peak <= limit(commas.len()),
        "{text} {peak}"
    );
    let lines = gz_repeated(b"", &b"a\tb\n".repeat(1 << 18), 21);
    for read in [|path: &Path| Texts::read(path).map(|_| ()), |path: &Path| Pairs::read(path).map(|_| ())] {
        let (result, peak) = read_once(&lines, |b| scratch.read(b, read));
        let text = message(result);
        assert!(text.contains("that take at most") && peak <= limit(lines.len()), "{text} {peak}");
    }
}

#[test]
fn files_that_are_not_compressed_take_at_most_forty_times_their_length() {
    let _alone = alone();
    const N: usize = 1 << 19;
    let scratch = Scratch::new("plain");
    let check = |what: &str, bytes: &[u8], read: &dyn Fn(&[u8]) -> Result<()>| {
        let (result, peak) = read_once(bytes, |b| read(b));
        assert!(
            peak <= MOST_PER_BYTE * bytes.len() as u64,
            "{what}: {} times its length",
            peak / bytes.len() as u64
        );
        result
    };
    for (what, text) in [
        ("empty fields", vec![b','; N]),
        ("a wide row", [vec![b'1'], b",1".repeat(N / 2), b"\n".to_vec()].concat()),
        ("short rows", b"1\n".repeat(N / 2)),
        ("short rows of nothing", b"\"\"\n".repeat(N / 3)),
        ("classes", (0..N / 6).flat_map(|i| format!("{i:x}\n").into_bytes()).collect()),
    ] {
        let _ = check(what, &text, &|b| scratch.read(b, read_table));
    }
    check("pairs", &b"a\t\n".repeat(N / 3), &|b| scratch.read(b, |path| Pairs::read(path))).unwrap();
    check("texts", &b"a\tb\n".repeat(N / 4), &|b| scratch.read(b, |path| Texts::read(path))).unwrap();
    let classes: Vec<u8> = (0..N / 8).flat_map(|i| format!("a\t{i:x}\n").into_bytes()).collect();
    check("texts of many classes", &classes, &|b| scratch.read(b, |path| Texts::read(path))).unwrap();
    check("text", &vec![b'a'; N], &|b| scratch.read(b, |path| Text::read(path))).unwrap();
    let array = |descr: &str| {
        let n = N / size_of_type(descr);
        let header = format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': ({}, 2), }}", n / 2);
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), &vec![0; N]].concat()
    };
    for descr in ["|b1", "|i1", "|u1", "<i2", ">f2", "<u4", "<f8"] {
        check(descr, &array(descr), &|b| npy::decode(b, "f").map(|_| ())).unwrap();
        let archive = zip(&[(b"x.npy", array(descr))], false, |right| right as u32);
        check(descr, &archive, &|b| npz::decode(b, "f").map(|_| ())).unwrap();
    }
    for kind in [Kind::U8, Kind::I8, Kind::I16, Kind::F32] {
        let bytes = idx::encode(Tensor::from(vec![1i64; N / 4]), kind).unwrap();
        check("idx", &bytes, &|b| idx::decode(b, "f").map(|_| ())).unwrap();
    }
}
