//! Every model of the zoo from the command line: trained, evaluated, sampled from and resumed, also on the user's files.

use super::{fails, line, succeeds, temporary};
use std::fs;
use wengert::data::format::image;

/// Trains for an epoch or two; the evaluation must have the same numbers.
fn trained_and_evaluated(model: &str, options: &str, measures: &[&str]) -> std::path::PathBuf {
    let inside = temporary(&format!("zoo-{model}"));
    let trained = succeeds(&inside, &format!("train {model} --out run {options}"));
    let evaluated = succeeds(&inside, "eval run");
    for measure in measures.iter().chain(&["test loss", "weights"]) {
        assert_eq!(line(&trained, measure), line(&evaluated, measure), "{model}");
    }
    assert!(succeeds(&inside, "summary run").contains("total "));
    inside
}

#[test]
fn classifiers_of_images() {
    for (model, options) in [
        ("lenet", "--epochs 1"),
        ("vgg", "--epochs 1 --widths 8,16 --augment crop,flip,rotate,cutout,noise --labels 200"),
        ("resnet", "--epochs 1 --layers 8 --labels 100 --optimizer sgd --schedule one-cycle"),
        ("vit", "--epochs 1 --width 16 --heads 2 --layers 1 --labels 100 --warmup 3"),
    ] {
        let inside = trained_and_evaluated(model, options, &["test accuracy"]);
        fails(&inside, "sample run", 1, &[model, "makes nothing"]);
    }
    let inside = temporary("zoo-classifiers");
    fails(&inside, "train resnet --layers 21", 1, &["6 n + 2 layers", "found 21"]);
    fails(&inside, "train vit --heads 5", 1, &["--heads", "64", "found 5"]);
    fails(&inside, "train vit --patch 3", 1, &["--patch", "8", "found 3"]);
    fails(&inside, "train vgg --widths 2,2,2,2,2", 1, &["5 stages", "8 × 8"]);
    fails(&inside, "train mlp --labels 11", 1, &["multiple of the 10 classes", "found 11"]);
    fails(&inside, "train mlp --augment flip", 1, &["--augment", "rows and columns"]);
}

#[test]
fn language_models() {
    let options = "--epochs 1 --data text --data-path ../words.txt --batch-size 8";
    let words = "the cat sat on the mat and the dog sat on the log\n".repeat(40);
    let folder = temporary("words").parent().unwrap().to_owned();
    fs::write(folder.join("words.txt"), words).unwrap();
    for (model, shape) in [
        ("gpt", "--context 16 --width 16 --heads 2 --layers 1"),
        ("char-rnn", "--window 16 --hidden 16 --recurrence gru"),
    ] {
        let inside = trained_and_evaluated(model, &format!("{options} {shape}"), &["test perplexity"]);
        let ask = "sample run --prompt cat --length 20 --seed 3 --temperature 0.5 --top-k 5";
        let text = succeeds(&inside, ask);
        assert!(text.starts_with("cat") && text.trim_end().chars().count() >= 10, "{text:?}");
        assert_eq!(succeeds(&inside, ask), text);
        assert_eq!(succeeds(&inside, "sample run --count 3 --length 5").matches("----").count(), 2);
        fails(&inside, "sample run --prompt Z", 1, &["--prompt", "\"Z\"", "characters"]);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_wengert"))
            .args(["sample", "run", "--prompt", ""])
            .current_dir(&inside)
            .output()
            .unwrap();
        let said = super::stderr(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said.starts_with("error: --prompt: expected at least one character, found an empty text"),
            "{said}"
        );
        assert!(succeeds(&inside, "sample run --out text.txt").contains("wrote text.txt"));
        assert!(fs::read_to_string(inside.join("text.txt")).unwrap().len() > 100);
        fails(&inside, "train gpt --data text", 1, &["--data text", "--data-path"]);
    }
}

#[test]
fn translation_and_forecasts() {
    for (model, options) in
        [("seq2seq", "--epochs 1 --hidden 16"), ("translator", "--epochs 1 --width 16 --heads 2 --layers 1")]
    {
        let inside = trained_and_evaluated(model, options, &["test perplexity"]);
        let text = succeeds(&inside, "sample run --prompt Germany --length 12");
        assert!(text.trim_end().chars().count() <= 12, "{text:?}");
        fails(&inside, "sample run", 1, &["--prompt"]);
        fails(&inside, "sample run --prompt 東京", 1, &["--prompt", "東"]);
    }
    let inside = temporary("zoo-pairs");
    fs::write(inside.join("bad.tsv"), "a\tb\nc d\n").unwrap();
    fails(&inside, "train seq2seq --data pairs --data-path bad.tsv", 1, &["bad.tsv, line 2", "no tab"]);

    let inside = trained_and_evaluated("forecaster", "--epochs 3 --gradient-flow", &["test rmse"]);
    let csv = succeeds(&inside, "sample run");
    let rows: Vec<Vec<f64>> =
        csv.lines().skip(1).map(|row| row.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    assert!(csv.starts_with("step,mean,std,low,high\n") && rows.len() == 3, "{csv}");
    assert!(rows.iter().all(|r| r[3] < r[1] && r[1] < r[4] && r[2] > 0.0), "{csv}");
    let numbers: String = (0..200).map(|t| format!("{},{}\n", (f64::from(t) / 3.0).sin(), t % 7)).collect();
    fs::write(inside.join("two.csv"), numbers).unwrap();
    succeeds(&inside, "train forecaster --data series --data-path two.csv --epochs 1 --past 10 --out two");
    assert_eq!(succeeds(&inside, "sample two").lines().count(), 4);
}

#[test]
fn generators_of_images() {
    for (model, options, measures) in [
        ("vae", "--epochs 2 --average 0.9 --clip-norm 5 --accumulate 2", &["test reconstruction"][..]),
        ("gan", "--epochs 2 --hidden 32 --checkpoint-every 5steps --tensorboard", &["test fid"]),
    ] {
        let inside = trained_and_evaluated(model, options, measures);
        assert!(inside.join("run/samples.png").exists());
        let said = succeeds(&inside, "sample run --count 9 --seed 5 --out nine.png");
        assert_eq!(said.trim_end(), "wrote nine.png");
        let grid = image::read::<f32>(inside.join("nine.png"), image::Channels::Gray).unwrap();
        assert_eq!(*grid.shape(), [1, 3 * 8 + 4 * 2, 3 * 8 + 4 * 2]);
        let before = fs::read(inside.join("nine.png")).unwrap();
        succeeds(&inside, "sample run --count 9 --seed 6 --out nine.png");
        assert_ne!(fs::read(inside.join("nine.png")).unwrap(), before);
    }
    let inside = trained_and_evaluated("autoencoder", "--epochs 2 --noise 0.2", &["weights"]);
    assert!(inside.join("run/reconstructions.png").exists());
    fails(&inside, "sample run", 1, &["autoencoder", "makes nothing"]);
    let inside = temporary("zoo-convolutional");
    for options in [
        "train vae --convolutional --channels 4 --labels 50 --gaussian 0.3",
        "train gan --convolutional --channels 4 --labels 100 --judge-epochs 0",
        "train gan --game wasserstein --critic-steps 2 --labels 100 --hidden 16 --judge-epochs 1",
    ] {
        succeeds(&inside, &format!("{options} --epochs 1"));
    }
    fails(&inside, "train gan --average 0.9", 1, &["gan trains both", "--average"]);
}

#[test]
fn what_learns_without_labels() {
    for (model, options) in [
        ("semi-supervised", "--labels 50 --latent 64 --average 0.9"),
        ("contrastive", "--labels 30 --widths 4,8 --augment crop,noise"),
        ("masked", "--labels 20 --width 16 --heads 2 --layers 1 --checkpoint-every 1epochs"),
    ] {
        let inside = trained_and_evaluated(
            model,
            &format!("--epochs 1 {options}"),
            &["test accuracy", "test accuracy_on"],
        );
        assert_eq!(inside.join("run/reconstructions.png").exists(), model != "contrastive");
    }
    let inside = temporary("zoo-unlabelled");
    succeeds(&inside, "train semi-supervised --autoencoder variational --hidden 32 --epochs 1 --out m1");
    assert!(succeeds(&inside, "sample m1").contains("m1/samples.png"));
    fails(&inside, "train semi-supervised --labels 15", 1, &["multiple of the 10 classes", "found 15"]);
    fails(&inside, "train masked --hide 0.99", 1, &["hides some but not all of 16 patches"]);
}

#[test]
fn texts_with_classes() {
    let options = "--epochs 1 --width 16 --heads 2 --layers 1";
    let inside = trained_and_evaluated("text-classifier", options, &["test accuracy"]);
    let lines: String =
        (0..60).map(|i| format!("number {i} is {}\t{}\n", i % 2, ["even", "odd"][i % 2])).collect();
    fs::write(inside.join("texts.tsv"), lines).unwrap();
    succeeds(
        &inside,
        &format!("train text-classifier --data texts --data-path texts.tsv {options} --pooling class"),
    );
    fs::write(inside.join("bad.tsv"), "one\ttwo\nthree\n").unwrap();
    fails(
        &inside,
        "train text-classifier --data texts --data-path bad.tsv",
        1,
        &["bad.tsv", "line 2", "a tab"],
    );
}

/// A resumed game continues with the same bits: both players, both optimisers, the noise.
#[test]
fn a_game_is_resumed() {
    let inside = temporary("zoo-game");
    let options = "train gan --hidden 16 --judge-epochs 0 --labels 500";
    let straight = succeeds(&inside, &format!("{options} --epochs 4 --checkpoint-every 5steps --out a"));
    // Everything after the first checkpoint is removed.
    let mut names: Vec<_> =
        fs::read_dir(inside.join("a/checkpoints")).unwrap().map(|f| f.unwrap().path()).collect();
    names.sort();
    for later in &names[1..] {
        fs::remove_file(later).unwrap();
    }
    fs::remove_file(inside.join("a/model.safetensors")).unwrap();
    let resumed = succeeds(&inside, "resume a");
    assert_eq!(line(&resumed, "weights"), line(&straight, "weights"));
}

#[test]
fn the_users_own_files() {
    let inside = temporary("zoo-files");
    let digits = wengert::data::digits().unwrap();
    for i in 0..60 {
        let class = inside.join("pictures").join(digits.labels().to_vec()[i].to_string());
        fs::create_dir_all(&class).unwrap();
        let one = digits.inputs().slice(0, i..=i).unwrap().reshape([1, 8, 8]).unwrap();
        image::write(class.join(format!("{i}.png")), &one).unwrap();
    }
    let trained = succeeds(&inside, "train vgg --data folder --data-path pictures --epochs 2 --out run");
    assert_eq!(line(&trained, "test accuracy"), line(&succeeds(&inside, "eval run"), "test accuracy"));
    let table: String = (0..40).map(|i| format!("{},{},{}\n", i, 3 * i, ["a", "b"][i % 2])).collect();
    fs::write(inside.join("table.csv"), table).unwrap();
    succeeds(&inside, "train mlp --data csv --data-path table.csv --epochs 2 --widths 4");
    fails(&inside, "train mlp --data csv --data-path none.csv", 1, &["none.csv", "No such file"]);
    fails(&inside, "train lenet --data fashion-mnist --data-path empty", 1, &["apt-get install"]);
}
