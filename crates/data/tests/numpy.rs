//! Files that NumPy wrote, and transforms that NumPy and PyTorch computed: `fixtures/make.py` wrote them.

use std::path::PathBuf;
use wengert_data::format::{Array, npy, npz};
use wengert_data::transform::{Filter, Normalize, resize, rotate};
use wengert_ops::{DType, Tensor};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn base() -> Tensor<f64> {
    Tensor::from([[-3.0, 0.0, 7.0], [1.0, 120.0, -128.0]])
}

#[test]
fn every_element_type_order_and_version_is_read() {
    let cases = [
        ("i1", DType::I64, 0.0),
        ("le-i2", DType::I64, 0.0),
        ("be-i2", DType::I64, 0.0),
        ("le-i4", DType::I64, 0.0),
        ("be-i4", DType::I64, 0.0),
        ("le-i8", DType::I64, 0.0),
        ("be-i8", DType::I64, 0.0),
        ("le-f2", DType::F32, 0.0),
        ("be-f2", DType::F32, 0.0),
        ("le-f4", DType::F32, 0.0),
        ("be-f4", DType::F32, 0.0),
        ("le-f8", DType::F64, 0.0),
        ("be-f8", DType::F64, 0.0),
        ("u1", DType::U8, 128.0),
        ("le-u4", DType::I64, 128.0),
        ("fortran", DType::F32, 0.0),
        ("version-2", DType::F32, 0.0),
        ("version-3", DType::F32, 0.0),
    ];
    for (name, dtype, more) in cases {
        let array = npy::read(path(&format!("{name}.npy"))).unwrap();
        assert_eq!((array.dtype(), array.to_float::<f64>()), (dtype, base().map(|v| v + more)), "{name}");
    }
    let positive = npy::read(path("b1.npy")).unwrap();
    assert_eq!(positive, Array::Bool(base().map(|v| v > 0.0)));
    assert_eq!(npy::read(path("scalar.npy")).unwrap(), Tensor::scalar(2.5f64).into());
    assert_eq!(npy::read(path("empty.npy")).unwrap().shape()[..], [0, 3]);
}

#[test]
fn what_we_write_is_what_numpy_writes() {
    for name in ["le-i8", "le-f4", "le-f8", "u1", "b1", "scalar", "empty"] {
        let bytes = std::fs::read(path(&format!("{name}.npy"))).unwrap();
        assert!(npy::encode(npy::decode(&bytes, name).unwrap()) == bytes, "{name}");
    }
}

#[test]
fn archives_are_read_stored_and_compressed() {
    let stored = npz::read(path("stored.npz")).unwrap();
    let labels = ("labels".to_owned(), Array::from(Tensor::from([3i64, 1, 4])));
    assert_eq!(stored, [("x".to_owned(), base().cast::<f32>().into()), labels.clone()]);
    let compressed = npz::read(path("compressed.npz")).unwrap();
    assert_eq!((compressed[0].1.shape()[..].to_vec(), &compressed[1]), (vec![80, 3], &labels));
}

#[test]
fn damaged_archives_are_refused_and_never_panic() {
    for name in ["stored.npz", "compressed.npz"] {
        let bytes = std::fs::read(path(name)).unwrap();
        let good = npz::decode(&bytes, name).unwrap();
        for cut in 0..bytes.len() {
            assert!(npz::decode(&bytes[..cut], name).is_err(), "{name} cut to {cut}");
        }
        for at in 0..bytes.len() {
            for value in [bytes[at] ^ 1, bytes[at] ^ 128, 0, 255] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(read) = npz::decode(&damaged, name) {
                    assert!(read.iter().zip(&good).all(|(a, b)| a.1 == b.1), "{name}, byte {at}");
                }
            }
        }
    }
}

#[track_caller]
fn close(found: &Tensor<f64>, expected: &Tensor<f64>, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let worst = found.to_vec().iter().zip(expected.to_vec()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-12, "{what}: {worst}");
}

#[test]
fn transforms_agree_with_numpy_and_pytorch() {
    let arrays = npz::read(path("transforms.npz")).unwrap();
    let get = |name: &str| -> Tensor<f64> {
        arrays.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name} is missing")).1.to_float()
    };
    let (images, square) = (get("images"), get("square"));
    for (name, filter) in [("nearest", Filter::Nearest), ("bilinear", Filter::Bilinear)] {
        for (h, w) in [(14, 5), (3, 20), (7, 9)] {
            let name = format!("{name}-{h}-{w}");
            close(&resize(&images, (h, w), filter).unwrap(), &get(&name), &name);
        }
    }
    for degrees in [30, 90, 137, -10] {
        let name = format!("rotate{degrees}");
        close(&rotate(&square, f64::from(degrees), 0.0).unwrap(), &get(&name), &name);
    }
    let normalize = Normalize::fit(&images).unwrap();
    close(&Tensor::from(normalize.mean().to_vec()), &get("mean"), "mean");
    close(&Tensor::from(normalize.std().to_vec()), &get("std"), "std");
}
