//! Tests of `state`.

use super::*;
use crate::{Activation, Linear, Sequential};
use wengert_ops::random::Rng;

fn net(width: usize, seed: u64) -> Sequential<f32> {
    let mut rng = Rng::seed(seed);
    Sequential::new()
        .push(Linear::new(3, width, &mut rng))
        .push(Activation::Relu)
        .push(Linear::new(width, 2, &mut rng))
}

fn refused(model: &mut Sequential<f32>, bytes: &[u8], words: &[&str]) {
    let before = to_bytes(model).unwrap();
    let e = from_bytes(model, bytes, Path::new("w.safetensors")).unwrap_err().to_string();
    assert!(words.iter().all(|w| e.contains(w)), "{e} does not say {words:?}");
    assert!(e.contains("w.safetensors"), "{e}");
    assert_eq!(to_bytes(model).unwrap(), before, "the model stays as it was");
}

#[test]
fn every_truncation_and_every_flipped_header_byte_is_refused_or_read_whole() {
    let mut model = net(4, 0);
    let bytes = to_bytes(&net(4, 1)).unwrap();
    for n in 0..bytes.len() {
        refused(&mut model, &bytes[..n], &["not a valid safetensors file"]);
    }
    let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for i in 0..header {
        let mut damaged = bytes.clone();
        damaged[i] ^= 0x15;
        let before = to_bytes(&model).unwrap();
        if from_bytes(&mut model, &damaged, Path::new("w")).is_err() {
            assert_eq!(to_bytes(&model).unwrap(), before);
        }
    }
    from_bytes(&mut model, &bytes, Path::new("w")).unwrap();
    assert_eq!(to_bytes(&model).unwrap(), bytes);
}

#[test]
fn a_mismatch_names_the_tensor() {
    let bytes = to_bytes(&net(4, 1)).unwrap();
    refused(&mut net(5, 0), &bytes, &["0.weight", "[5, 3]", "[4, 3]"]);
    let mut deeper = net(4, 0).push(Linear::new(2, 2, &mut Rng::seed(0)));
    refused(&mut deeper, &bytes, &["no tensor 3.weight"]);
    let mut shallower = Sequential::new().push(Linear::new(3, 4, &mut Rng::seed(0)));
    refused(&mut shallower, &bytes, &["2.bias"]);
    let mut double = Linear::<f64>::new(3, 4, &mut Rng::seed(0));
    let single = to_bytes(&Linear::<f32>::new(3, 4, &mut Rng::seed(0))).unwrap();
    let e = from_bytes(&mut double, &single, Path::new("w")).unwrap_err().to_string();
    assert!(e.contains("weight") && e.contains("F64") && e.contains("F32"), "{e}");
    let huge = [u64::MAX.to_le_bytes().as_slice(), &[0; 64]].concat();
    refused(&mut net(4, 0), &huge, &["header claims"]);
}

#[test]
fn a_file_that_cannot_be_written_says_so() {
    let e = save(&net(4, 0), "/nonexistent-folder/w.safetensors").unwrap_err().to_string();
    assert!(e.contains("/nonexistent-folder/w.safetensors"), "{e}");
    let e = load(&mut net(4, 0), "/nonexistent-folder/w.safetensors").unwrap_err().to_string();
    assert!(e.contains("nonexistent-folder"), "{e}");
}

#[test]
fn a_file_is_replaced_and_nothing_is_left_aside() {
    let folder = std::env::temp_dir().join(format!("wengert-whole-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("taken/inside")).unwrap();
    let file = folder.join("file");
    for contents in ["one", "two"] {
        write_whole(&file, contents.as_bytes()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), contents);
    }
    // A folder is in the way of the file.
    assert!(write_whole(&folder.join("taken"), b"three").is_err());
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["file", "taken"]);
    std::fs::remove_dir_all(folder).unwrap();
}
