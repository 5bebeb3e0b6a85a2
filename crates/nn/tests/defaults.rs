//! The documentation of every option states its default, and the default is that of the code.

use std::collections::BTreeMap;
use std::path::Path;
use wengert_nn::loss::{
    Bce, BceWithLogits, CosineEmbedding, CrossEntropy, CrossEntropySoft, Ctc, GaussianNll, HingeEmbedding,
    Huber, InfoNce, MarginRanking, MultiMargin, MultilabelSoftMargin, Nll, PoissonNll, SmoothL1,
    TripletMargin,
};
use wengert_nn::optim::*;
use wengert_nn::zoo::*;
use wengert_nn::{AttentionConfig, RecurrentConfig, Rotary, TransformerConfig};

/// The default of every struct of options, as `{:?}` prints it.
fn in_code() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    macro_rules! defaults {
        ($($t:ident $(<$float:ty>)?),* $(,)?) => {
            $(all.insert(stringify!($t).to_owned(), format!("{:?}", <$t $(<$float>)?>::default()));)*
        };
    }
    defaults!(
        AdadeltaConfig,
        AdagradConfig,
        AdamConfig,
        AdamaxConfig,
        LbfgsConfig,
        LionConfig,
        NadamConfig,
        PlateauConfig,
        RadamConfig,
        RmspropConfig,
        SgdConfig,
        Bce<f64>,
        BceWithLogits<f64>,
        CosineEmbedding,
        CrossEntropy<f64>,
        CrossEntropySoft<f64>,
        Ctc,
        GaussianNll,
        HingeEmbedding,
        Huber,
        InfoNce,
        MarginRanking,
        MultiMargin<f64>,
        MultilabelSoftMargin<f64>,
        Nll<f64>,
        PoissonNll,
        SmoothL1,
        TripletMargin,
        Rotary,
        TransformerConfig,
        AutoencoderConfig,
        CharRnnConfig,
        ContrastiveConfig,
        DcganConfig,
        Decoding,
        ForecasterConfig,
        GanConfig,
        GptConfig,
        LatentClassifierConfig,
        MaskedConfig,
        MlpConfig,
        Seq2SeqConfig,
        TextClassifierConfig,
        TranslatorConfig,
        VaeConfig,
        VggConfig,
        VitConfig,
    );
    // These require their sizes.
    all.insert("AttentionConfig".to_owned(), format!("{:?}", AttentionConfig::new(8, 2)));
    all.insert("RecurrentConfig".to_owned(), format!("{:?}", RecurrentConfig::new(3, 4)));
    all
}

/// Options without a fixed default: they must be given, or follow from those given.
const GIVEN: [&str; 6] = [
    "AttentionConfig.width",
    "AttentionConfig.heads",
    "AttentionConfig.keys",
    "AttentionConfig.values",
    "RecurrentConfig.input",
    "RecurrentConfig.hidden",
];

/// Structs whose name ends in `Config` that have neither a default nor such a constructor.
const WITHOUT: [&str; 1] = ["ResNetConfig"];

/// The fields in the output of `{:?}`.
fn fields(debug: &str) -> BTreeMap<String, String> {
    let inside = debug.split_once('{').unwrap().1.rsplit_once('}').unwrap().0;
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inside.chars() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().unwrap().push(c),
        }
    }
    let pair = |p: &String| {
        let (name, value) = p.split_once(':').unwrap();
        (name.trim().to_owned(), value.trim().to_owned())
    };
    parts.iter().filter(|p| !p.trim().is_empty()).map(pair).collect()
}

/// The words and numbers of a text; numbers are normalised.
fn tokens(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || "_.-".contains(c))).filter(|w| !w.is_empty());
    words.map(|w| w.parse::<f64>().map_or_else(|_| w.to_owned(), |n| n.to_string())).collect()
}

/// The sources of the crate.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The documentation of each public field of a struct.
fn documented(source: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let at = [" {\n", "<"].iter().find_map(|after| source.find(&format!("\npub struct {name}{after}")))?;
    let body = source[at..].split_once("{\n")?.1.split_once("\n}")?.0;
    let (mut all, mut doc) = (BTreeMap::new(), String::new());
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
        } else if let Some(field) = line.strip_prefix("pub ") {
            all.insert(field.split(':').next()?.to_owned(), std::mem::take(&mut doc));
        }
    }
    Some(all)
}

#[test]
fn every_option_says_its_default() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut checked, mut wrong) = (0, Vec::new());
    let in_code = in_code();
    for (name, debug) in &in_code {
        let docs = files.iter().find_map(|s| documented(s, name));
        let docs = docs.unwrap_or_else(|| panic!("no struct {name} in the sources"));
        for (field, value) in fields(debug) {
            let called = format!("{name}.{field}");
            if GIVEN.contains(&&*called) {
                continue;
            }
            let said = docs.get(&field).and_then(|d| d.split_once("Default: `")?.1.split_once('`'));
            match said {
                Some((said, _)) if tokens(said) == tokens(&value) => checked += 1,
                Some((said, _)) => wrong.push(format!("{called} is said to be {said}, but is {value}")),
                None => wrong.push(format!("{called} does not say that it is {value}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 150, "{checked}");
    // No struct of options is missing.
    for source in &files {
        for name in source.lines().filter_map(|l| l.strip_prefix("pub struct ")) {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            let known = in_code.contains_key(&name) || WITHOUT.contains(&&*name);
            assert!(known || !name.ends_with("Config"), "{name} is not compared");
        }
    }
}
