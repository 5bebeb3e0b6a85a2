//! The documentation of every option states its default, and the default is that of the code.

use crate::documented;
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

#[test]
fn every_option_says_its_default() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let checked = documented::compare(&[&folder], &in_code(), &GIVEN, &WITHOUT);
    assert!(checked > 150, "{checked}");
}
