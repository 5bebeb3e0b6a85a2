//! Every option of tensors, tapes, data and runs says its default in its documentation, and it is the one that the code has. The
//! options of layers, losses, optimisers and models are compared in wengert-nn, those of the command line in wengert-cli.
#![cfg(all(feature = "data", feature = "train"))]

#[path = "../../nn/tests/documented/mod.rs"]
mod documented;

use std::collections::BTreeMap;
use std::path::Path;
use wengert::data::format::csv::TableConfig;
use wengert::data::format::image::{FolderConfig, GridConfig};
use wengert::data::{Loader, Text};
use wengert::ops::{ConvOptions, ConvTransposeOptions};
use wengert::tape::gradcheck::{Accuracy, Tolerance};
use wengert::tape::rules::{Attention, RecurrenceOptions};
use wengert::train::{Checkpoints, Every, FitConfig, Monitor};

/// What has no default, or is set by a method of another name that says it.
const GIVEN: [&str; 7] = [
    "Checkpoints.folder",
    "Checkpoints.every",
    "Loader.data",
    "Loader.batch_size",
    "Loader.seed",
    "Loader.sampler",
    "Monitor.measure",
];

#[test]
fn every_option_says_its_default() {
    let loader = Loader::new(&Text::characters("abc").windows(1, 1).unwrap(), 1, 0).unwrap();
    let all = [
        ("Accuracy", format!("{:?}", Accuracy::default())),
        // It is set by `bias`.
        ("Attention", format!("{:?}", Attention::<f64>::new()).replace("added", "bias")),
        ("Checkpoints", format!("{:?}", Checkpoints::new("here", Every::Steps(1)))),
        ("ConvOptions", format!("{:?}", ConvOptions::<1>::default())),
        ("ConvTransposeOptions", format!("{:?}", ConvTransposeOptions::<1>::default())),
        ("FitConfig", format!("{:?}", FitConfig::default())),
        ("FolderConfig", format!("{:?}", FolderConfig::default())),
        ("GridConfig", format!("{:?}", GridConfig::default())),
        ("Loader", format!("{loader:?}")),
        ("Monitor", format!("{:?}", Monitor::new("loss"))),
        ("RecurrenceOptions", format!("{:?}", RecurrenceOptions::default())),
        ("TableConfig", format!("{:?}", TableConfig::default())),
        ("Tolerance", format!("{:?}", Tolerance::default())),
    ];
    let in_code: BTreeMap<String, String> = all.map(|(name, debug)| (name.to_owned(), debug)).into();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = ["ops", "tape", "data", "train", "trace"].map(|name| crates.join(name).join("src"));
    let folders: Vec<&Path> = folders.iter().map(|folder| folder.as_path()).collect();
    let checked = documented::compare(&folders, &in_code, &GIVEN, &[]);
    assert!(checked >= 40, "{checked}");
}
