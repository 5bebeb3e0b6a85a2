//! Damaged weights, checkpoints and configurations with correct checksums and lengths. No reader panics on one, takes more memory
//! than the stated limit, or puts control characters in a message. The variable `MUTATIONS` sets the number of files of each
//! kind:
//!
//! ```console
//! $ MUTATIONS=100000 cargo test --release -p wengert-train --test mutations
//! ```

mod damage;

use damage::{Random, count, mutated, survives};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wengert_data::{Classification, Loader};
use wengert_nn::optim::Adam;
use wengert_nn::state::{self, AnyTensor, Dict};
use wengert_nn::{Linear, Module};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_train::{
    Checkpoints, Classify, Every, Existing, FitConfig, Minimize, Monitor, RunFolder, Settings, Snapshot, fit,
};

/// Memory is counted for the whole process, so the tests run one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    wengert_ops::buffer::set_cache_limit(0);
    guard
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wengert-mutations-{name}-{}", std::process::id()))
}

fn linear() -> Linear<f32> {
    Linear::new(3, 2, &mut Rng::seed(0))
}

fn settings() -> Settings {
    Settings::of(&BTreeMap::from([("seed", 7), ("epochs", 2)])).unwrap()
}

/// The two parts of a safetensors file: the header and the bytes of the tensors. The length of the header is corrected
/// afterwards.
fn parts(file: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    rest.split_at(u64::from_le_bytes(*length) as usize)
}

fn joined(header: &[u8], tensors: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, tensors].concat()
}

/// Damages the whole file, its header, its tensors, or the note in its metadata.
fn damaged(file: &[u8], random: &mut Random) -> Vec<u8> {
    let (header, tensors) = parts(file);
    match random.below(4) {
        0 => mutated(file, random),
        1 => joined(&mutated(header, random), tensors),
        2 => joined(header, &mutated(tensors, random)),
        _ => {
            let (dict, note) = state::decode(file, "file").unwrap();
            let note = mutated(note.unwrap_or_default().as_bytes(), random);
            state::encode(&dict, Some(&String::from_utf8_lossy(&note))).unwrap()
        }
    }
}

/// CRC-32C, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1)))
    };
    !bytes.iter().fold(!0, step)
}

/// A checkpoint with other notes or tensors, and the checksum of these.
fn checkpoint(notes: &str, dict: &Dict) -> Vec<u8> {
    let mut summed = notes.as_bytes().to_vec();
    for (name, t) in dict {
        summed.extend(format!("\n{name} {:?} {}\n", t.dtype(), t.shape()).as_bytes());
        match t {
            AnyTensor::F32(t) => t.to_vec().iter().for_each(|v| summed.extend(v.to_le_bytes())),
            AnyTensor::F64(t) => t.to_vec().iter().for_each(|v| summed.extend(v.to_le_bytes())),
            AnyTensor::I64(t) => t.to_vec().iter().for_each(|v| summed.extend(v.to_le_bytes())),
            _ => {}
        }
    }
    let checksum = format!("{:08x}", crc(&summed));
    let header =
        BTreeMap::from([("format", "wengert snapshot 1"), ("checksum", &checksum), ("notes", notes)]);
    state::encode(dict, Some(&serde_json::to_string(&header).unwrap())).unwrap()
}

fn data() -> Classification {
    let x: Tensor<f32> = Tensor::randn([20, 3], &mut Rng::seed(5)).unwrap();
    let labels: Vec<i64> = x.to_vec().chunks(3).map(|row| i64::from(row[0] > 0.0)).collect();
    Classification::new(x, labels.into(), 2).unwrap()
}

/// A run of two epochs of four steps, from the start or from a snapshot.
fn run(checkpoints: Option<Checkpoints>, resume: Option<Snapshot>) -> wengert_train::Result<Dict> {
    let data = data();
    let (mut model, mut adam) = (linear(), Adam::new(0.1));
    let mut learner = Minimize::new(&mut model, &mut adam, Classify).average(0.9);
    let config = FitConfig {
        epochs: 2,
        accumulate: 2,
        monitor: Some(Monitor::new("loss")),
        checkpoints,
        resume,
        settings: Some(settings()),
        ..FitConfig::default()
    };
    fit(&mut learner, &Loader::new(&data, 3, 0)?, &data, &config, &mut ())?;
    Ok(state::dict(&model))
}

#[test]
fn damaged_checkpoints_are_refused_or_gone_on_from() {
    let _alone = alone();
    let folder = temporary("checkpoints");
    let straight = run(Some(Checkpoints::new(&folder, Every::Steps(1)).keep(100)), None).unwrap();
    let all = Checkpoints::new(&folder, Every::Steps(1)).list().unwrap();
    let files: Vec<Vec<u8>> = all.iter().map(|(_, path)| fs::read(path).unwrap()).collect();
    let path = folder.join("damaged");
    // Undamaged, the run continues with the same bits: the checksum of this test is that of the format.
    for file in &files {
        let (dict, note) = state::decode(file, "file").unwrap();
        let header: BTreeMap<String, String> = serde_json::from_str(&note.unwrap()).unwrap();
        fs::write(&path, checkpoint(&header["notes"], &dict)).unwrap();
        assert_eq!(run(None, Some(Snapshot::read(&path).unwrap())).unwrap(), straight);
    }
    survives(
        "checkpoints",
        count(400),
        8 << 20,
        |random| {
            let file = &files[random.below(files.len())];
            let (dict, note) = state::decode(file, "file").unwrap();
            let header: BTreeMap<String, String> = serde_json::from_str(&note.unwrap()).unwrap();
            match random.below(4) {
                0 => damaged(file, random),
                // Most changes of a tensor leave a valid tensor.
                1 => {
                    let (header_of_file, tensors) = parts(file);
                    match state::decode(&joined(header_of_file, &mutated(tensors, random)), "file") {
                        Ok((dict, _)) => checkpoint(&header["notes"], &dict),
                        Err(_) => file.clone(),
                    }
                }
                _ => {
                    checkpoint(&String::from_utf8_lossy(&mutated(header["notes"].as_bytes(), random)), &dict)
                }
            }
        },
        |bytes| {
            fs::write(&path, bytes).unwrap();
            run(None, Some(Snapshot::read(&path)?)).map(drop)
        },
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn damaged_weights_are_refused_or_loaded_whole() {
    let _alone = alone();
    let path = temporary("weights");
    let folder = RunFolder::create(&path, Existing::Refuse).unwrap();
    folder.save_of(&linear(), &settings()).unwrap();
    let weights = path.join("model.safetensors");
    let file = fs::read(&weights).unwrap();
    survives(
        "weights",
        count(1000),
        1 << 20,
        |random| damaged(&file, random),
        |bytes| {
            fs::write(&weights, bytes).unwrap();
            let mut model = linear();
            let before = state::dict(&model);
            let loaded = folder.load_of(&mut model, &settings());
            assert!(loaded.is_ok() || state::dict(&model) == before);
            let _ =
                state::read(&weights).map_err(|e| assert!(!e.to_string().contains(char::is_control), "{e}"));
            assert_eq!(model.num_params(), 8);
            loaded.map(drop)
        },
    );
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn damaged_configurations_are_refused_or_read() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Options {
        seed: u64,
        lr: f64,
        watch: Option<String>,
        augment: Vec<Kind>,
        model: BTreeMap<String, Vec<usize>>,
    }
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Crop,
        Flip,
    }
    let _alone = alone();
    let path = temporary("options");
    let folder = RunFolder::create(&path, Existing::Refuse).unwrap();
    let options = Options {
        seed: 7,
        lr: 0.1,
        watch: Some("loss".to_owned()),
        augment: vec![Kind::Crop, Kind::Flip],
        model: BTreeMap::from([("widths".to_owned(), vec![128, 64])]),
    };
    folder.write_config(&options).unwrap();
    let file = fs::read(path.join("config.toml")).unwrap();
    survives(
        "configurations",
        count(1000),
        1 << 20,
        |random| mutated(&file, random),
        |bytes| {
            fs::write(path.join("config.toml"), bytes).unwrap();
            folder.read_config::<Options>().map(drop)
        },
    );
    fs::remove_dir_all(path).unwrap();
}
