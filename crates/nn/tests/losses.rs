//! Losses: values against PyTorch's, gradients to the second order, and what happens at the edges.

use wengert_nn::dist::{Bernoulli, Categorical, Distribution, Mixture, Normal, kl};
use wengert_nn::loss::{
    self, Bce, BceWithLogits, CosineEmbedding, CrossEntropy, CrossEntropySoft, GaussianNll, HingeEmbedding,
    Huber, InfoNce, MarginRanking, MultiMargin, MultilabelSoftMargin, Nll, PoissonNll, Reduction, SmoothL1,
    TripletMargin,
};
use wengert_ops::Tensor;
use wengert_tape::gradcheck::Check;
use wengert_tape::{ErrorKind, Float, Tape, Var};

fn values(phase: f64) -> Tensor<f64> {
    Tensor::<f64>::steps(0.0, 0.7, 12).map(|v| (v + phase).powi(2).sin() * 1.5).reshape([4, 3]).unwrap()
}

fn targets() -> Tensor<i64> {
    Tensor::from([0, 2, 1, 2])
}

fn some_ignored() -> Tensor<i64> {
    Tensor::from([0, -100, 1, 2])
}

fn class_weights() -> Option<Tensor<f64>> {
    Some(Tensor::from([0.5, 1.0, 2.0]))
}

fn signs(x: &Tensor<f64>) -> Tensor<f64> {
    x.map(|v| if v > 0.0 { 1.0 } else { -1.0 })
}

fn probabilities() -> Tensor<f64> {
    values(1.1).map(|v| 1.0 / (1.0 + (-v).exp()))
}

fn counts() -> Tensor<f64> {
    Tensor::from([[0.0, 1.0, 2.0], [5.0, 3.0, 0.0], [1.0, 4.0, 7.0], [2.0, 2.0, 1.0]])
}

fn row_signs() -> Tensor<f64> {
    signs(&values(1.1)).select(1, 0).unwrap()
}

fn with_everything(reduction: Reduction) -> CrossEntropy<f64> {
    CrossEntropy { weight: class_weights(), ignore_index: Some(-100), label_smoothing: 0.1, reduction }
}

type Loss = for<'t> fn(Var<'t, f64>, Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>;

/// Each loss as a function of three matrices; some losses do not read all three.
fn losses() -> [(&'static str, Loss); 20] {
    [
        ("ce weighted", |x, _, _| {
            CrossEntropy { weight: class_weights(), ..Default::default() }.of(x, &targets())
        }),
        ("ce ignore", |x, _, _| {
            CrossEntropy { ignore_index: Some(-100), ..Default::default() }.of(x, &some_ignored())
        }),
        ("ce smooth", |x, _, _| {
            CrossEntropy { label_smoothing: 0.1, ..Default::default() }.of(x, &targets())
        }),
        ("ce all", |x, _, _| with_everything(Reduction::Mean).of(x, &some_ignored())),
        ("ce all sum", |x, _, _| with_everything(Reduction::Sum).of(x, &some_ignored())),
        ("bce", |x, y, _| loss::bce_with_logits(x, y.sigmoid())),
        ("bce weighted", |x, y, _| {
            let weight = Some(probabilities());
            BceWithLogits { pos_weight: class_weights(), weight, ..Default::default() }.of(x, y.sigmoid())
        }),
        ("smooth l1", |x, y, _| SmoothL1 { beta: 0.7, ..Default::default() }.of(x, y)),
        ("poisson", |x, _, _| PoissonNll::default().of(x, counts())),
        ("poisson full", |_, y, _| {
            PoissonNll { log_input: false, full: true, ..Default::default() }.of(y.sigmoid(), counts())
        }),
        ("gaussian", |x, y, _| GaussianNll::default().of(x, y, y.sigmoid())),
        ("gaussian full", |x, y, _| GaussianNll { full: true, ..Default::default() }.of(x, y, y.sigmoid())),
        ("margin ranking", |x, y, _| {
            MarginRanking { margin: 0.4, ..Default::default() }.of(x, y, signs(&values(2.3)))
        }),
        ("soft margin", |x, _, _| loss::soft_margin(x, signs(&values(1.1)))),
        ("multi margin", |x, _, _| loss::multi_margin(x, &targets())),
        ("cosine", |x, y, _| CosineEmbedding { margin: 0.1, ..Default::default() }.of(x, y, row_signs())),
        ("triplet", |x, y, z| TripletMargin::default().of(x, y, z)),
        ("triplet swap", |x, y, z| {
            TripletMargin { margin: 2.0, swap: true, ..Default::default() }.of(x, y, z)
        }),
        ("triplet 3", |x, y, z| TripletMargin { margin: 2.0, p: 3.0, ..Default::default() }.of(x, y, z)),
        ("info_nce", |x, y, _| InfoNce { temperature: 0.5, ..Default::default() }.of(x, y)),
    ]
}

/// Values by PyTorch 2.15: the functions of `torch.nn.functional` on the same numbers, in double precision.
#[test]
fn values_are_pytorchs_and_gradients_those_of_the_values() {
    let want: [f64; 20] = [
        1.3287128453964645,
        1.6817472069585493,
        1.3771594385121138,
        1.7817796722003734,
        6.2362288527013074,
        0.7273310199964925,
        0.4446793831586991,
        0.5940674172245005,
        1.2240312506079716,
        4.227235124983808,
        1.798077832180879,
        2.7170163653855517,
        0.35303168304075977,
        0.6398837210718715,
        0.7434206347118281,
        0.8403383367012309,
        0.6281615153763834,
        1.5065821652017393,
        1.4330955546039021,
        1.3644820737795085,
    ];
    let x = [values(0.2), values(1.1), values(2.3)];
    for ((name, f), want) in losses().into_iter().zip(want) {
        let tape = Tape::new();
        let v = x.each_ref().map(|x| tape.var(x));
        let found = f(v[0], v[1], v[2]).item().unwrap();
        assert!((found - want).abs() < 1e-9 * (1.0 + want.abs()), "{name}: {found}, expected {want}");
        let report = Check::new(name).run(|x| f(x[0], x[1], x[2]), &x);
        assert!(report.passed(), "{name}: {report}");
    }
    let smooth: [(&str, Loss); 3] = [
        ("log cosh", |x, y, _| loss::log_cosh(x, y)),
        ("hinge", |x, _, _| loss::hinge(x, signs(&values(1.1)))),
        ("squared hinge", |x, _, _| loss::squared_hinge(x, signs(&values(1.1)))),
    ];
    for (name, f) in smooth {
        let report = Check::new(name).run(|x| f(x[0], x[1], x[2]), &x);
        assert!(report.passed(), "{name}: {report}");
    }
}

fn nll_with_everything(reduction: Reduction) -> Nll<f64> {
    let CrossEntropy { weight, ignore_index, label_smoothing, reduction } = with_everything(reduction);
    Nll { weight, ignore_index, label_smoothing, reduction }
}

fn labels() -> Tensor<i64> {
    Tensor::from([[0, 2, -1], [1, -1, 0], [-1, 0, 1], [2, 1, 0]])
}

type Reduced = for<'t> fn([Var<'t, f64>; 3], Reduction) -> Var<'t, f64>;

/// Every loss that PyTorch has, by default and with all options. The values are of PyTorch 2.15, in double precision: the mean,
/// the sum, and, of the losses without a reduction, the sum of the first, twice the second, three times the third and so on.
fn reduced() -> Vec<(&'static str, Reduced, [f64; 3])> {
    vec![
        (
            "mse",
            |[x, y, _], r| loss::mse_with(x, y, r),
            [1.3427821825878545, 16.113386191054254, 120.88298461436074],
        ),
        (
            "l1",
            |[x, y, _], r| loss::l1_with(x, y, r),
            [0.8333527570704321, 10.000233084845185, 67.66952638036324],
        ),
        (
            "huber",
            |[x, y, _], r| loss::huber_with(x, y, r),
            [0.5143020013410238, 6.171624016092285, 44.12947713293685],
        ),
        (
            "huber 0.7",
            |[x, y, _], r| Huber { delta: 0.7, reduction: r }.of(x, y),
            [0.4158471920571503, 4.990166304685804, 35.052638723103996],
        ),
        (
            "smooth l1",
            |[x, y, _], r| loss::smooth_l1_with(x, y, r),
            [0.5143020013410238, 6.171624016092285, 44.12947713293685],
        ),
        (
            "smooth l1 0.7",
            |[x, y, _], r| SmoothL1 { beta: 0.7, reduction: r }.of(x, y),
            [0.5940674172245005, 7.128809006694006, 50.07519817586286],
        ),
        (
            "poisson",
            |[x, y, _], r| loss::poisson_nll_with(x, y.abs(), r),
            [2.0093896101495106, 24.11267532179413, 163.7300562012744],
        ),
        (
            "gaussian",
            |[x, y, z], r| loss::gaussian_nll_with(x, y, z.sigmoid(), r),
            [1.1548658465936297, 13.858390159123557, 106.1075660519579],
        ),
        (
            "gaussian, a variance a row",
            |[x, y, z], r| loss::gaussian_nll_with(x, y, z.slice(1, 0..1).sigmoid(), r),
            [2.802288120245238, 33.627457442942855, 267.12769685033265],
        ),
        (
            "bce",
            |[x, y, _], r| loss::bce_with(x.sigmoid(), y.sigmoid(), r),
            [0.7273310199964925, 8.72797223995791, 57.36991742956551],
        ),
        (
            "bce weighted",
            |[x, y, _], r| Bce { weight: class_weights(), reduction: r }.of(x.sigmoid(), y.sigmoid()),
            [0.8605592960548352, 10.326711552658022, 72.68672692767879],
        ),
        (
            "bce with logits",
            |[x, y, _], r| loss::bce_with_logits_with(x, y.sigmoid(), r),
            [0.7273310199964925, 8.72797223995791, 57.36991742956551],
        ),
        (
            "bce with logits weighted",
            |[x, y, _], r| {
                BceWithLogits { pos_weight: class_weights(), weight: Some(probabilities()), reduction: r }
                    .of(x, y.sigmoid())
            },
            [0.4446793831586991, 5.336152597904389, 40.16718888756253],
        ),
        (
            "multilabel soft margin",
            |[x, y, _], r| loss::multilabel_soft_margin_with(x, y.sigmoid(), r),
            [0.7273310199964925, 2.90932407998597, 7.301762693474208],
        ),
        (
            "multilabel soft margin weighted",
            |[x, y, _], r| MultilabelSoftMargin { weight: class_weights(), reduction: r }.of(x, y.sigmoid()),
            [0.8605592960548352, 3.4422371842193407, 8.733249552276893],
        ),
        (
            "cross entropy",
            |[x, ..], r| loss::cross_entropy_with(x, &targets(), r),
            [1.3714251030220694, 5.485700412088278, 14.726324456513277],
        ),
        (
            "cross entropy with everything",
            |[x, ..], r| with_everything(r).of(x, &some_ignored()),
            [1.7817796722003734, 6.2362288527013074, 21.159589207302854],
        ),
        (
            "cross entropy soft",
            |[x, y, _], r| loss::cross_entropy_soft_with(x, y.softmax(-1), r),
            [1.287060527473831, 5.148242109895324, 13.229856648016566],
        ),
        (
            "cross entropy soft with everything",
            |[x, y, _], r| {
                CrossEntropySoft { weight: class_weights(), label_smoothing: 0.1, reduction: r }
                    .of(x, y.softmax(-1))
            },
            [1.660657166704273, 6.642628666817092, 19.753733049936518],
        ),
        (
            "nll",
            |[x, ..], r| loss::nll_with(x.log_softmax(-1), &targets(), r),
            [1.3714251030220694, 5.485700412088278, 14.726324456513277],
        ),
        (
            "nll weighted, some ignored",
            |[x, ..], r| {
                Nll { label_smoothing: 0.0, ..nll_with_everything(r) }.of(x.log_softmax(-1), &some_ignored())
            },
            [1.83628659064437, 6.427003067255295, 22.044532094525177],
        ),
        (
            "nll with everything",
            |[x, ..], r| nll_with_everything(r).of(x.log_softmax(-1), &some_ignored()),
            [1.7817796722003734, 6.2362288527013074, 21.159589207302854],
        ),
        (
            "margin ranking",
            |[x, y, _], r| loss::margin_ranking_with(x, y, signs(&values(2.3)), r),
            [0.14139798095236952, 1.6967757714284342, 15.071352130186161],
        ),
        (
            "margin ranking 0.4",
            |[x, y, _], r| MarginRanking { margin: 0.4, reduction: r }.of(x, y, signs(&values(2.3))),
            [0.35303168304075977, 4.236380196489117, 34.24521482296869],
        ),
        (
            "hinge embedding",
            |[x, ..], r| loss::hinge_embedding_with(x, signs(&values(1.1)), r),
            [0.8127983769225593, 9.753580523070712, 70.60526120236302],
        ),
        (
            "hinge embedding 0.4",
            |[x, ..], r| HingeEmbedding { margin: 0.4, reduction: r }.of(x, signs(&values(1.1))),
            [0.6981344731426168, 8.377613677711402, 61.6773606662851],
        ),
        (
            "soft margin",
            |[x, ..], r| loss::soft_margin_with(x, signs(&values(1.1)), r),
            [0.6398837210718715, 7.678604652862458, 44.90065000697337],
        ),
        (
            "multi margin",
            |[x, ..], r| loss::multi_margin_with(x, &targets(), r),
            [0.7434206347118281, 2.9736825388473123, 7.38811709447079],
        ),
        (
            "multi margin with everything",
            |[x, ..], r| {
                MultiMargin { p: 2, margin: 0.7, weight: class_weights(), reduction: r }.of(x, &targets())
            },
            [1.5852741998816642, 6.341096799526657, 22.5949625732394],
        ),
        (
            "multilabel margin",
            |[x, ..], r| loss::multilabel_margin_with(x, &labels(), r),
            [0.4185983578688948, 1.6743934314755793, 2.2525054072212303],
        ),
        (
            "triplet margin",
            |[x, y, z], r| loss::triplet_margin_with(x, y, z, r),
            [0.6281615153763834, 2.5126460615055337, 4.66164064790693],
        ),
        (
            "triplet margin with everything",
            |[x, y, z], r| {
                TripletMargin { margin: 2.0, p: 3.0, swap: true, eps: 0.01, reduction: r }.of(x, y, z)
            },
            [1.5706975167822297, 6.282790067128919, 15.132941677632555],
        ),
        (
            "cosine embedding",
            |[x, y, _], r| loss::cosine_embedding_with(x, y, row_signs(), r),
            [0.8903383367012309, 3.5613533468049234, 8.045314099767783],
        ),
        (
            "cosine embedding 0.1",
            |[x, y, _], r| CosineEmbedding { margin: 0.1, reduction: r }.of(x, y, row_signs()),
            [0.8403383367012309, 3.3613533468049237, 7.445314099767782],
        ),
        (
            "ctc",
            |[x, y, _], r| {
                let log_probs = x.tape().stack(&[x, y], 0).log_softmax(-1);
                loss::ctc_with(log_probs, &Tensor::from([[1, 2], [2, -1]]), &[4, 3], &[2, 1], r)
            },
            [1.1295432038862527, 3.798652448880478, 4.518172815545011],
        ),
    ]
}

#[test]
fn every_reduction_and_option_is_pytorchs_and_each_loss_has_its_gradients() {
    let x = [values(0.2), values(1.1), values(2.3)];
    for (name, f, want) in reduced() {
        let tape = Tape::new();
        let v = x.each_ref().map(|x| tape.var(x));
        let each = f(v, Reduction::None).value().unwrap().to_vec();
        let marked: f64 = each.iter().enumerate().map(|(i, l)| (i + 1) as f64 * l).sum();
        let [mean, sum] = [Reduction::Mean, Reduction::Sum].map(|r| f(v, r).item().unwrap());
        for (found, want) in [mean, sum, marked].into_iter().zip(want) {
            assert!((found - want).abs() < 1e-9 * (1.0 + want.abs()), "{name}: {found}, expected {want}");
        }
        let total: f64 = each.iter().sum();
        assert!(
            (total - sum).abs() < 1e-12 * (1.0 + sum.abs()),
            "{name}: {each:?} add up to {total}, not {sum}"
        );
        for reduction in [Reduction::Mean, Reduction::None] {
            let report = Check::new(name).run(|x| f([x[0], x[1], x[2]], reduction), &x);
            assert!(report.passed(), "{name}, {reduction:?}: {report}");
        }
    }
}

/// The losses that PyTorch does not have.
#[test]
fn other_losses_have_every_reduction() {
    let x = [values(0.2), values(1.1), values(2.3)];
    let mask = || Tensor::from([[true], [false], [true], [true]]);
    let others: [(&str, Reduced, usize); 6] = [
        ("log_cosh", |[x, y, _], r| loss::log_cosh_with(x, y, r), 12),
        ("hinge", |[x, ..], r| loss::hinge_with(x, signs(&values(1.1)), r), 12),
        ("squared_hinge", |[x, ..], r| loss::squared_hinge_with(x, signs(&values(1.1)), r), 12),
        ("kl", |[x, y, _], r| loss::kl_with(x.log_softmax(-1), y.log_softmax(-1), r), 4),
        ("info_nce", |[x, y, _], r| loss::info_nce_with(x, y, r), 4),
        ("info_nce 0.5", |[x, y, _], r| InfoNce { temperature: 0.5, reduction: r }.of(x, y), 4),
    ];
    for (name, f, count) in others {
        let tape = Tape::new();
        let v = x.each_ref().map(|x| tape.var(x));
        let each = f(v, Reduction::None).value().unwrap().to_vec();
        let total: f64 = each.iter().sum();
        let [mean, sum] = [Reduction::Mean, Reduction::Sum].map(|r| f(v, r).item().unwrap());
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12 * (1.0 + b.abs());
        assert!(
            each.len() == count && near(total, sum) && near(sum / count as f64, mean),
            "{name}: {each:?}"
        );
        let report = Check::new(name).run(|x| f([x[0], x[1], x[2]], Reduction::None), &x);
        assert!(report.passed(), "{name}: {report}");
    }
    let tape = Tape::new();
    let v = x.each_ref().map(|x| tape.var(x));
    let each = loss::masked_mse_with(v[0], v[1], mask(), Reduction::None).value().unwrap();
    assert_eq!(each.slice(0, 1..2).unwrap().to_vec(), [0.0; 3]);
    let [mean, sum] = [Reduction::Mean, Reduction::Sum]
        .map(|r| loss::masked_mse_with(v[0], v[1], mask(), r).item().unwrap());
    let total: f64 = each.to_vec().iter().sum();
    assert!((total - sum).abs() < 1e-12 && (mean - sum / 9.0).abs() < 1e-12, "{each:?}, {sum}, {mean}");
}

#[test]
fn labels_of_a_row_end_at_the_first_minus_one_and_count_as_often_as_they_are_there() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([[0.5, 0.25, 2.0], [0.5, 0.25, 2.0], [0.5, 0.25, 2.0]]));
    let labels = Tensor::from([[0, -1, 1], [-1, 0, 1], [0, 0, -1]]);
    let each = loss::multilabel_margin_with(x, &labels, Reduction::None).value().unwrap().to_vec();
    // The first row has the label 0: 1 - (0.5 - 0.25) and 1 - (0.5 - 2); the second none; the third 0 twice. As in PyTorch 2.15.
    assert_eq!(each, [3.25 / 3.0, 0.0, 6.5 / 3.0]);
    // A single row without a batch axis; rows without labels; rows without classes.
    let row = loss::multilabel_margin(x.select(0, 0), &Tensor::from([0, -1, 1]));
    assert_eq!(row.item().unwrap(), 3.25 / 3.0);
    let none = loss::multilabel_margin(x, &Tensor::try_full([3, 3], -1).unwrap());
    assert_eq!(none.item().unwrap(), 0.0);
    assert_eq!(none.backward().unwrap().wrt(x).unwrap(), Tensor::zeros([3, 3]));
    let empty = tape.var(Tensor::<f64>::zeros([2, 0]));
    let labels = Tensor::<i64>::from_vec(vec![], [2, 0]).unwrap();
    assert_eq!(loss::multilabel_margin(empty, &labels).item().unwrap(), 0.0);
}

#[test]
fn options_and_labels_that_do_not_fit_are_refused() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([[0.25, 0.5], [0.75, 0.5]]));
    let (one, t) = (tape.var(-0.5), Tensor::from([[1.0, 0.0], [0.0, 1.0]]));
    let classes = Tensor::from([0, 1]);
    refuses(loss::hinge_embedding(x, &t), "hinge_embedding", "a target 1 or -1, found 0 at [0, 1]");
    let far = HingeEmbedding { margin: f64::NAN, ..Default::default() };
    refuses(far.of(x, signs(&t)), "hinge_embedding", "a finite margin, found NaN");
    refuses(loss::hinge_embedding(x, row_signs()), "hinge_embedding", "[2, 2]");
    refuses(
        loss::multilabel_soft_margin(x, t.map(|t| 2.0 * t)),
        "multilabel_soft_margin",
        "found 2 at [0, 0]",
    );
    refuses(loss::multilabel_soft_margin(one, 0.5), "multilabel_soft_margin", "[.., classes], found []");
    let three = || Some(Tensor::from([1.0, 1.0, 1.0]));
    refuses(
        MultilabelSoftMargin { weight: three(), ..Default::default() }.of(x, &t),
        "multilabel_soft_margin",
        "[3]",
    );
    refuses(Bce { weight: three(), ..Default::default() }.of(x, &t), "bce", "[3]");
    let weight = Some(Tensor::from([1.0, f64::INFINITY]));
    refuses(
        Bce { weight, ..Default::default() }.of(x, &t),
        "bce",
        "a weight that is a finite number, found inf at [0, 1]",
    );
    refuses(loss::multilabel_margin(x, &classes), "multilabel_margin", "shape [2, 2], the labels [2]");
    refuses(
        loss::multilabel_margin(x, &Tensor::from([[0, -1], [-1, 2]])),
        "multilabel_margin",
        "labels from 0 to 1, or -1 after the last, found 2 at [1, 1]",
    );
    refuses(
        loss::multilabel_margin(x, &Tensor::from([[0, -1], [-2, 0]])),
        "multilabel_margin",
        "found -2 at [1, 0]",
    );
    refuses(loss::multilabel_margin(one, &Tensor::scalar(0)), "multilabel_margin", "[.., classes], found []");
    let cubes = MultiMargin { p: 3, ..Default::default() };
    refuses(cubes.of(x, &classes), "multi_margin", "p of 1 or 2, found 3");
    let logs = x.log_softmax(-1);
    for weight in [Tensor::from([1.0, 1.0, 1.0]), Tensor::from([1.0, -1.0])] {
        let detail =
            if weight.numel() == 3 { "class weights [2]" } else { "at least 0 and finite, found -1 at [1]" };
        let weight = Some(weight);
        let margin = MultiMargin { weight: weight.clone(), ..Default::default() };
        refuses(margin.of(x, &classes), "multi_margin", detail);
        let nll = Nll { weight: weight.clone(), ..Default::default() };
        refuses(nll.of(logs, &classes), "nll", detail);
        let soft = CrossEntropySoft { weight, ..Default::default() };
        refuses(soft.of(x, &t), "cross_entropy_soft", detail);
    }
    for label_smoothing in [-0.1, 1.5, f64::NAN] {
        let detail = format!("label smoothing between 0 and 1, found {label_smoothing}");
        refuses(Nll { label_smoothing, ..Default::default() }.of(logs, &classes), "nll", &detail);
        let soft = CrossEntropySoft { label_smoothing, ..Default::default() };
        refuses(soft.of(x, &t), "cross_entropy_soft", &detail);
    }
    refuses(loss::nll(logs, &Tensor::from([0, -100])), "nll", "found -100 at [1]");
    let triplet = TripletMargin { eps: f64::INFINITY, ..Default::default() };
    refuses(triplet.of(x, x, x), "triplet_margin", "a finite ε, found inf");
    refuses(loss::gaussian_nll(x, x, x.slice(0, 0..1)), "gaussian_nll", "the variance [1, 2]");
    refuses(loss::poisson_nll(x, t.map(|t| -t)), "poisson_nll", "a count of at least 0, found -1 at [0, 0]");
    refuses(
        loss::masked_mse(x, x, Tensor::from([true; 3])),
        "masked_mse",
        "a mask that broadcasts to [2, 2]",
    );
    refuses(
        loss::ctc(x, &Tensor::from([[1], [1]]), &[1, 1], &[1, 1]),
        "ctc",
        "[batch, time, classes], found [2, 2]",
    );
    // A failed value keeps its error.
    let failed = x.reshape([3]);
    for y in [
        loss::huber(failed, 0.0),
        loss::bce(failed, 0.0),
        loss::nll(failed, &classes),
        loss::cross_entropy_soft(failed, 0.0),
        loss::margin_ranking(failed, 0.0, 1.0),
        loss::hinge_embedding(failed, 1.0),
        loss::multi_margin(failed, &classes),
        loss::multilabel_margin(failed, &classes),
        loss::multilabel_soft_margin(failed, 1.0),
        loss::triplet_margin(failed, 1.0, 1.0),
        loss::cosine_embedding(failed, 1.0, 1.0),
        loss::info_nce(failed, 1.0),
        loss::masked_mse(failed, 1.0, Tensor::from([true])),
        loss::gaussian_nll(failed, 1.0, 1.0),
        loss::ctc(failed, &classes, &[], &[]),
    ] {
        assert_eq!(y.value().unwrap_err().op(), "reshape");
    }
}

#[test]
fn all_rows_ignored_is_a_loss_of_zero_without_a_gradient() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, -4.0]]));
    for options in [
        CrossEntropy { ignore_index: Some(7), label_smoothing: 0.1, ..Default::default() },
        CrossEntropy { ignore_index: Some(7), weight: Some(Tensor::from([1.0, 0.0])), ..Default::default() },
    ] {
        let l = options.of(x, &Tensor::from([7, 7]));
        assert_eq!(l.item().unwrap(), 0.0);
        assert_eq!(l.backward_retaining().unwrap().wrt(x).unwrap(), Tensor::zeros([2, 2]));
        let each = CrossEntropy { reduction: Reduction::None, ..options };
        assert_eq!(each.of(x, &Tensor::from([7, 1])).value().unwrap().to_vec()[0], 0.0);
    }
}

#[test]
fn logits_of_any_size_are_certain_and_finite_where_they_are_right() {
    const INF: f64 = f64::INFINITY;
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([1e4, -1e4, 1e4, INF, -INF, INF, -INF]));
    let t = Tensor::from([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let l = loss::bce_with_logits_with(x, &t, Reduction::None);
    assert_eq!(l.value().unwrap().to_vec(), [0.0, 0.0, 1e4, 0.0, 0.0, INF, INF]);
    let recorded = l.sum().grad(x).unwrap().value().unwrap();
    let swept = l.sum().backward().unwrap().wrt(x).unwrap();
    assert_eq!(swept.to_vec(), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, -1.0]);
    assert_eq!(recorded, swept);
}

#[test]
fn a_variance_below_the_least_has_the_gradient_of_the_least() {
    let tape = Tape::<f64>::new();
    let (x, v) = (tape.var(Tensor::from([1.0])), tape.var(Tensor::from([0.0])));
    let l = GaussianNll { eps: 0.5, ..Default::default() }.of(x, Tensor::from([0.0]), v);
    assert!((l.item().unwrap() - (0.5f64.ln() + 2.0) / 2.0).abs() < 1e-15);
    let g = l.backward().unwrap();
    assert_eq!((g.wrt(x).unwrap().to_vec(), g.wrt(v).unwrap().to_vec()), (vec![2.0], vec![-1.0]));
}

#[test]
fn at_the_margin_the_derivative_is_zero_and_equal_rows_have_one() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([[1.0, 1.0]]));
    let l = loss::hinge(x, Tensor::from([[1.0, 1.0]]));
    assert_eq!(l.backward().unwrap().wrt(x).unwrap(), Tensor::zeros([1, 2]));
    let x = tape.var(Tensor::from([[1.0, 1.0]]));
    let g = TripletMargin::default().of(x, x * 1.0, x.detach()).backward().unwrap().wrt(x).unwrap();
    assert!(g.to_vec().iter().all(|g| g.is_finite()));
    // A vector of zeros has cosine 0, with a finite gradient.
    let x = tape.var(Tensor::from([[0.0, 0.0]]));
    let l = loss::cosine_embedding(x, Tensor::from([[1.0, 0.0]]), Tensor::from([1.0]));
    assert_eq!(l.item().unwrap(), 1.0);
    assert!(l.backward().unwrap().wrt(x).unwrap().to_vec().iter().all(|g| g.is_finite()));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([4, 3]));
    let row = || Tensor::<f64>::zeros([3]);
    let refused = |y: Var<'_, f64>, op: &str| {
        let e = y.value().unwrap_err();
        assert_eq!(e.op(), op, "{e}");
        assert!(e.location().is_some_and(|at| at.file().ends_with("losses.rs")), "{e}");
    };
    refused(loss::hinge(x, row()), "hinge");
    refused(SmoothL1 { beta: -1.0, ..Default::default() }.of(x, x), "smooth_l1");
    refused(loss::log_cosh(x, row()), "log_cosh");
    refused(loss::margin_ranking(x, x, row()), "margin_ranking");
    refused(loss::multi_margin(x, &Tensor::from([0, 1])), "multi_margin");
    refused(loss::cosine_embedding(x, x, row()), "cosine_embedding");
    refused(loss::info_nce(x, row()), "info_nce");
    refused(InfoNce { temperature: 0.0, ..Default::default() }.of(x, x), "info_nce");
    refused(TripletMargin { p: 0.0, ..Default::default() }.of(x, x, x), "triplet_margin");
    refused(TripletMargin::default().of(x, x, row()), "triplet_margin");
    refused(GaussianNll::default().of(x, x, row()), "gaussian_nll");
    refused(GaussianNll::default().of(x, x, x - 1.0), "gaussian_nll");
    refused(PoissonNll::default().of(x, row()), "poisson_nll");
    let weight = Some(Tensor::<f64>::ones([4]));
    refused(CrossEntropy { weight, ..Default::default() }.of(x, &targets()), "cross_entropy");
    refused(CrossEntropy { label_smoothing: 2.0, ..Default::default() }.of(x, &targets()), "cross_entropy");
    refused(CrossEntropy::default().of(x, &some_ignored()), "cross_entropy");
    let weight = Some(Tensor::<f64>::ones([2, 4, 3]));
    refused(BceWithLogits { weight, ..Default::default() }.of(x, x), "bce_with_logits");
}

const INF: f64 = f64::INFINITY;

/// The value, the swept gradient and the recorded gradient of a loss.
fn found<T: Float>(f: impl for<'t> Fn(Var<'t, T>) -> Var<'t, T>, x: &Tensor<f64>) -> [Vec<f64>; 3] {
    let tape = Tape::<T>::new();
    let x = tape.var(x.cast::<T>());
    let y = f(x).sum();
    let value = y.value().unwrap();
    let recorded = y.grad(x).unwrap().value().unwrap();
    let swept = y.backward().unwrap().wrt(x).unwrap();
    [value, swept, recorded].map(|t| t.cast::<f64>().to_vec())
}

/// For the row [c, c + 1, c + 2.5], log Σ exp is c + 2.7663678998071337 (mpmath). No loss depends on c.
#[test]
fn an_offset_of_all_logits_changes_no_loss() {
    fn check<T: Float>(offsets: &[f64], within: f64) {
        type Loss<T> = for<'t> fn(Var<'t, T>) -> Var<'t, T>;
        let row = [0.0, 1.0, 2.5];
        let costs = row.map(|x| 2.766_367_899_807_133_7 - x);
        let p = costs.map(|c| f64::exp(-c));
        let cost = |t: [f64; 3]| (0..3).map(|i| t[i] * costs[i]).sum::<f64>();
        // Each is Σ t (-log p), with the gradient p Σ t - t.
        let linear: [(&str, Loss<T>, [f64; 3]); 8] = [
            ("cross_entropy", |x| loss::cross_entropy(x, &Tensor::from([1])), [0.0, 1.0, 0.0]),
            (
                "smoothed",
                |x| CrossEntropy { label_smoothing: 0.3, ..Default::default() }.of(x, &Tensor::from([1])),
                [0.1, 0.8, 0.1],
            ),
            (
                "smoothed and weighted",
                |x| {
                    let weight = Some(Tensor::from([2.0, 0.5, 1.0]).cast::<T>());
                    let options = CrossEntropy {
                        weight,
                        label_smoothing: 0.3,
                        reduction: Reduction::Sum,
                        ignore_index: None,
                    };
                    options.of(x, &Tensor::from([1]))
                },
                [0.2, 0.4, 0.1],
            ),
            (
                "soft",
                |x| loss::cross_entropy_soft(x, Tensor::from([[0.2, 0.5, 0.3]]).cast::<T>()),
                [0.2, 0.5, 0.3],
            ),
            ("nll", |x| loss::nll(x.log_softmax(-1), &Tensor::from([1])), [0.0, 1.0, 0.0]),
            ("categorical", |x| -Categorical::new(x).log_prob_of(&Tensor::from([1])), [0.0, 1.0, 0.0]),
            (
                "categorical, one-hot",
                |x| -Categorical::new(x).log_prob(Tensor::from([[0.0, 1.0, 0.0]]).cast::<T>()),
                [0.0, 1.0, 0.0],
            ),
            (
                "mixture of equal parts",
                |x| {
                    let parts = Normal::new(x.zeros_like(), Tensor::ones([1, 3]));
                    let alone = Normal::new(x.zeros_like().select(1, 0), Tensor::ones([1]));
                    let d = Mixture::new(Categorical::new(x), parts);
                    d.log_prob(Tensor::zeros([1])) - alone.log_prob(Tensor::zeros([1]))
                },
                [0.0; 3],
            ),
        ];
        for &c in offsets {
            let x = Tensor::from([row.map(|x| x + c)]);
            let near = |name: &str, found: &[f64], want: &[f64]| {
                let worst = found.iter().zip(want).map(|(f, w)| (f - w).abs()).fold(0.0, f64::max);
                assert!(worst <= within, "{name} at {c}: {found:?}, expected {want:?}, off by {worst:e}");
            };
            for (name, f, t) in linear {
                let [y, swept, recorded] = found(f, &x);
                let total: f64 = t.iter().sum();
                let want: Vec<f64> = (0..3).map(|i| p[i] * total - t[i]).collect();
                near(name, &y, &[cost(t)]);
                near(name, &swept, &want);
                near(name, &recorded, &want);
            }
            let entropy = cost(p);
            let [y, swept, recorded] = found::<T>(|x| Categorical::new(x).entropy(), &x);
            let want: Vec<f64> = (0..3).map(|i| p[i] * (costs[i] - entropy)).collect();
            near("entropy", &y, &[entropy]);
            near("entropy", &swept, &want);
            near("entropy", &recorded, &want);
            // Against the uniform distribution: log 3 minus the entropy.
            let want: Vec<f64> = want.iter().map(|w| -w).collect();
            for (name, [y, swept, recorded]) in [
                (
                    "kl of distributions",
                    found::<T>(|x| kl(&Categorical::new(x), &Categorical::new(x.zeros_like())), &x),
                ),
                ("kl", found::<T>(|x| loss::kl(x.log_softmax(-1), x.zeros_like().log_softmax(-1)), &x)),
            ] {
                near(name, &y, &[3f64.ln() - entropy]);
                near(name, &swept, &want);
                near(name, &recorded, &want);
            }
        }
    }
    check::<f32>(&[0.0, 100.0, 1e3, 1e4, 1e6, -1e6], 4e-7);
    check::<f64>(&[0.0, 100.0, 1e4, 1e15], 1.5e-15);
}

#[test]
fn what_weighs_nothing_costs_nothing_though_it_be_infinite() {
    let swept_and_recorded = |name: &str, y: [Vec<f64>; 3], value: f64, gradient: &[f64]| {
        let near =
            |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15);
        let [v, g, r] = y;
        assert!(near(&v, &[value]), "{name}: {v:?}, expected {value}");
        assert!(near(&g, gradient) && near(&r, gradient), "{name}: {g:?} and {r:?}, expected {gradient:?}");
    };
    let x = Tensor::from([[1.0, -INF]]);
    let first = || Tensor::from([[1.0, 0.0]]);
    swept_and_recorded("soft", found::<f64>(|x| loss::cross_entropy_soft(x, first()), &x), 0.0, &[0.0, 0.0]);
    let single = found::<f32>(|x| loss::cross_entropy_soft(x, first().cast::<f32>()), &x);
    swept_and_recorded("soft, in single precision", single, 0.0, &[0.0, 0.0]);
    let three = Tensor::from([[2.0, -INF, 2.0]]);
    swept_and_recorded(
        "soft of three",
        found::<f64>(|x| loss::cross_entropy_soft(x, Tensor::from([[1.0, 0.0, 0.0]])), &three),
        2f64.ln(),
        &[-0.5, 0.0, 0.5],
    );
    let one_hot = found::<f64>(|x| -Categorical::new(x).log_prob(first()), &x);
    swept_and_recorded("one-hot", one_hot, 0.0, &[0.0, 0.0]);
    swept_and_recorded(
        "entropy",
        found::<f64>(|x| Categorical::new(x).entropy(), &three),
        2f64.ln(),
        &[0.0; 3],
    );
    // The second order, also through the target's own gradient: -log p, and nothing for impossible classes.
    let tape = Tape::<f64>::new();
    let (z, t) = (tape.var(&three), tape.var(Tensor::from([[1.0, 0.0, 0.0]])));
    let l = loss::cross_entropy_soft(z, t);
    let gt = l.grad(t).unwrap().value().unwrap().to_vec();
    assert!((gt[0] - 2f64.ln()).abs() < 1e-15 && gt[1] == 0.0 && (gt[2] - 2f64.ln()).abs() < 1e-15, "{gt:?}");
    let h = l.grad(z).unwrap().slice(1, 0..1).sum().grad(z).unwrap().value().unwrap().to_vec();
    assert_eq!(h, [0.25, 0.0, -0.25]);
    // Classes and rows without weight.
    let none = |weight: [f64; 2], label_smoothing| CrossEntropy {
        weight: Some(Tensor::from(weight)),
        label_smoothing,
        ..Default::default()
    };
    let y = found::<f64>(|x| none([1.0, 0.0], 0.0).of(x, &Tensor::from([1])), &x);
    swept_and_recorded("a class without weight", y, 0.0, &[0.0, 0.0]);
    let y = found::<f64>(|x| none([1.0, 0.0], 0.2).of(x, &Tensor::from([0])), &x);
    swept_and_recorded("smoothed over a class without weight", y, 0.0, &[0.0, 0.0]);
    let even = CrossEntropy { label_smoothing: 1.0, ..Default::default() };
    let tape = Tape::<f64>::new();
    assert_eq!(even.of(tape.var(&x), &Tensor::from([1])).item().unwrap(), INF);
    let ignore = CrossEntropy { ignore_index: Some(-100), ..Default::default() };
    let rows = Tensor::from([[-INF, 0.0], [0.0, 0.0]]);
    let y = found::<f64>(|x| ignore.of(x, &Tensor::from([-100, 0])), &rows);
    swept_and_recorded("an ignored row", y, 2f64.ln(), &[0.0, 0.0, -0.5, 0.5]);
    // Binary losses.
    let wrong = Tensor::from([INF, 0.0]);
    let y = found::<f64>(
        |x| {
            let weight = Some(Tensor::from([0.0, 1.0]));
            BceWithLogits { weight, ..Default::default() }.of(x, Tensor::from([0.0, 1.0]))
        },
        &wrong,
    );
    swept_and_recorded("binary without weight", y, 2f64.ln() / 2.0, &[0.0, -0.25]);
    let y = found::<f64>(
        |x| {
            let pos_weight = Some(Tensor::from([0.0, 1.0]));
            BceWithLogits { pos_weight, ..Default::default() }.of(x, Tensor::from([1.0, 1.0]))
        },
        &Tensor::from([-INF, 0.0]),
    );
    swept_and_recorded("positives without weight", y, 2f64.ln() / 2.0, &[0.0, -0.25]);
    let certain = Tensor::from([INF, -INF]);
    let y = found::<f64>(|x| -Bernoulli::from_logits(x).log_prob(Tensor::from([1.0, 0.0])), &certain);
    swept_and_recorded("certain and right", y, 0.0, &[0.0, 0.0]);
    let y = found::<f64>(|x| Bernoulli::from_logits(x).entropy(), &certain);
    swept_and_recorded("certain", y, 0.0, &[0.0, 0.0]);
    // A count of 0 where 0 is expected.
    let y = found::<f64>(|x| PoissonNll::default().of(x, Tensor::from([0.0])), &Tensor::from([-INF]));
    swept_and_recorded("poisson", y, 0.0, &[0.0]);
    let rates = PoissonNll { log_input: false, eps: 0.0, ..Default::default() };
    let y = found::<f64>(|x| rates.of(x, Tensor::from([0.0])), &Tensor::from([0.0]));
    swept_and_recorded("poisson of a rate", y, 0.0, &[1.0]);
    // A probability that underflows to 0, against one that is 0.
    let y = found::<f64>(|x| loss::kl(x, Tensor::from([[0.0, -INF]])), &Tensor::from([[0.0, -800.0]]));
    swept_and_recorded("kl", y, 0.0, &[1.0, 0.0]);
}

#[test]
fn small_losses_have_their_digits() {
    let near = |name: &str, found: &[f64], want: &[f64], within: f64| {
        let off = found.iter().zip(want).map(|(f, w)| (f / w - 1.0).abs()).fold(0.0, f64::max);
        assert!(off <= within, "{name}: {found:?}, expected {want:?}, off by {off:e}");
    };
    // log cosh x = x²/2 - x⁴/12 + x⁶/45 - …, and by mpmath.
    for (x, y, slope) in [
        (1e-9, 5e-19, 1e-9),
        (1e-3, 4.999999166666889e-7, 0.0009999996666668),
        (0.5, 0.12011450695827752, 0.46211715726000975),
        (-1.0, 0.4337808304830271, -0.7615941559557649),
        (3.0, 2.309328504577785, 0.9950547536867305),
        (1000.0, 1000.0 - std::f64::consts::LN_2, 1.0),
    ] {
        let at = Tensor::from([x]);
        let [l, g, r] = found::<f64>(|x| loss::log_cosh(x, Tensor::from([0.0])), &at);
        near("log_cosh", &l, &[y], 2e-15);
        near("log_cosh'", &[g, r].concat(), &[slope; 2], 2e-15);
        let [l, ..] = found::<f32>(|x| loss::log_cosh(x, Tensor::from([0.0])), &at);
        near("log_cosh in single precision", &l, &[y], 1e-6);
    }
    // -log(1 - p) for a small p.
    let [l, g, r] = found::<f64>(|p| loss::bce(p, Tensor::from([0.0])), &Tensor::from([1e-20]));
    near("bce", &[l, g, r].concat(), &[1e-20, 1.0, 1.0], 1e-15);
    let [l, ..] = found::<f32>(|p| loss::bce(p, Tensor::from([0.0])), &Tensor::from([1e-8]));
    near("bce in single precision", &l, &[1e-8], 1e-6);
    let [l, g, r] = found::<f64>(|x| loss::bce_with_logits(x, Tensor::from([1.0])), &Tensor::from([50.0]));
    near(
        "bce_with_logits",
        &[l, g, r].concat(),
        &[1.928749847963918e-22, -1.928749847963918e-22, -1.928749847963918e-22],
        1e-14,
    );
}

/// Checks the error of a loss: its name and its detail.
#[track_caller]
fn refuses(y: Var<'_, f64>, op: &str, detail: &str) {
    let e = y.value().unwrap_err();
    assert_eq!(e.op(), op, "{e}");
    assert!(e.detail().contains(detail), "{e} does not say {detail}");
    assert!(e.location().is_some_and(|at| at.file().ends_with("losses.rs")), "{e}");
}

#[test]
fn impossible_data_are_refused_with_value_and_index() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([1.5, 0.5]));
    let (p, row) = (tape.var(Tensor::from([0.25, 0.5])), |a: f64, b: f64| Tensor::from([a, b]));
    refuses(loss::bce(x, row(1.0, 0.0)), "bce", "a prediction that is a probability, found 1.5 at [0]");
    refuses(loss::bce(-p, row(1.0, 0.0)), "bce", "found -0.25 at [0]");
    refuses(loss::bce(p, row(1.0, 2.0)), "bce", "a target between 0 and 1, found 2 at [1]");
    refuses(loss::bce_with_logits(x, row(-1.0, 1.0)), "bce_with_logits", "found -1 at [0]");
    let both = BceWithLogits { pos_weight: Some(row(1.0, -2.0)), ..Default::default() };
    refuses(
        both.of(x, row(0.0, 1.0)),
        "bce_with_logits",
        "positive examples at least 0 and finite, found -2 at [1]",
    );
    let both = BceWithLogits { weight: Some(row(1.0, INF)), ..Default::default() };
    refuses(both.of(x, row(0.0, 1.0)), "bce_with_logits", "finite number, found inf at [1]");
    for (name, y) in [
        ("hinge", loss::hinge(x, row(1.0, 0.0))),
        ("squared_hinge", loss::squared_hinge(x, row(1.0, 0.0))),
        ("soft_margin", loss::soft_margin(x, row(1.0, 0.0))),
    ] {
        refuses(y, name, "a target 1 or -1, found 0 at [1]");
    }
    refuses(loss::margin_ranking(x, p, row(0.5, 1.0)), "margin_ranking", "found 0.5 at [0]");
    let ranking = MarginRanking { margin: f64::NAN, ..Default::default() };
    refuses(ranking.of(x, p, row(1.0, 1.0)), "margin_ranking", "margin, found NaN");
    let rows = tape.var(Tensor::from([[0.1, 0.2, 0.7], [0.0, 1.0, 0.0]]));
    let logs = rows.log_softmax(-1);
    let classes = |a: i64, b: i64| Tensor::from([a, b]);
    type OfClasses = for<'t> fn(Var<'t, f64>, &Tensor<i64>) -> Var<'t, f64>;
    let of_classes: [(&str, OfClasses); 4] = [
        ("cross_entropy", |x, t| loss::cross_entropy(x, t)),
        ("multi_margin", |x, t| loss::multi_margin(x, t)),
        ("nll", |x, t| loss::nll(x.log_softmax(-1), t)),
        ("categorical", |x, t| Categorical::new(x).log_prob_of(t)),
    ];
    for (name, loss) in of_classes {
        refuses(loss(rows, &classes(2, 3)), name, "classes from 0 to 2, found 3 at [1]");
        refuses(loss(rows, &classes(-1, 0)), name, "found -1 at [0]");
        refuses(loss(rows, &Tensor::from([0i64])), name, "[1]");
    }
    refuses(CrossEntropy::default().of(rows, &classes(-100, 0)), "cross_entropy", "found -100 at [0]");
    let weighted = CrossEntropy { weight: Some(Tensor::from([1.0, -0.5, 1.0])), ..Default::default() };
    refuses(
        weighted.of(rows, &classes(0, 0)),
        "cross_entropy",
        "class weights at least 0 and finite, found -0.5 at [1]",
    );
    let infinite = MultiMargin { margin: INF, ..Default::default() };
    refuses(infinite.of(rows, &classes(0, 1)), "multi_margin", "finite margin, found inf");
    refuses(loss::nll(rows, &classes(0, 1)), "nll", "at most 0, found 0.1 at [0, 0]");
    refuses(
        loss::cross_entropy_soft(rows, rows * 3.0),
        "cross_entropy_soft",
        "found 2.0999999999999996 at [0, 2]",
    );
    refuses(
        loss::kl(rows, logs),
        "kl",
        "a prediction that is a log-probability, at most 0, found 0.1 at [0, 0]",
    );
    refuses(loss::kl(logs, rows), "kl", "a target that is a log-probability, at most 0, found 0.1 at [0, 0]");
    refuses(loss::cosine_embedding(rows, rows, row(1.0, 0.0)), "cosine_embedding", "found 0 at [1]");
    refuses(
        CosineEmbedding { margin: 1.5, ..Default::default() }.of(rows, rows, row(1.0, 1.0)),
        "cosine_embedding",
        "from -1 to 1, found 1.5",
    );
    for margin in [-1.0, INF, f64::NAN] {
        let triplet = TripletMargin { margin, ..Default::default() };
        refuses(
            triplet.of(rows, rows, rows),
            "triplet_margin",
            &format!("margin of at least 0, found {margin}"),
        );
    }
    for delta in [0.0, -1.0, f64::NAN] {
        let huber = Huber { delta, ..Default::default() };
        refuses(huber.of(x, p), "huber", &format!("δ of more than 0, found {delta}"));
    }
    refuses(SmoothL1 { beta: INF, ..Default::default() }.of(x, p), "smooth_l1", "found inf");
    refuses(
        PoissonNll::default().of(x, row(3.0, -1.0)),
        "poisson_nll",
        "a count of at least 0, found -1 at [1]",
    );
    let rates = PoissonNll { log_input: false, ..Default::default() };
    refuses(rates.of(-p, row(3.0, 1.0)), "poisson_nll", "a rate of at least 0, found -0.25 at [0]");
    refuses(
        PoissonNll { eps: -1.0, ..rates }.of(p, row(3.0, 1.0)),
        "poisson_nll",
        "ε of at least 0, found -1",
    );
    let normal = GaussianNll::default();
    refuses(normal.of(x, p, row(1.0, -2.0)), "gaussian_nll", "a variance of at least 0, found -2 at [1]");
    let bare = GaussianNll { eps: 0.0, ..normal };
    refuses(bare.of(x, p, row(0.0, 2.0)), "gaussian_nll", "a variance of more than 0, found 0 at [0]");
    refuses(
        GaussianNll { eps: f64::NAN, ..normal }.of(x, p, row(1.0, 2.0)),
        "gaussian_nll",
        "ε of at least 0, found NaN",
    );
    // A single number has no axis of classes and no row.
    let one = tape.var(-0.5);
    refuses(loss::cross_entropy(one, &Tensor::scalar(0)), "cross_entropy", "[.., classes], found []");
    refuses(loss::nll(one, &Tensor::scalar(0)), "nll", "[.., classes], found []");
    refuses(loss::cross_entropy_soft(one, 1.0), "cross_entropy_soft", "[.., classes], found []");
    refuses(loss::kl(one, -0.5), "kl", "[.., classes], found []");
    refuses(loss::cosine_embedding(one, -0.5, 1.0), "cosine_embedding", "[.., d], found []");
    refuses(TripletMargin::default().of(one, 1.0, 2.0), "triplet_margin", "[.., d], found []");
}

/// Rounding errors of data scaled to [0, 1], or of the logarithm of a sum of probabilities, are accepted.
#[test]
fn rounding_is_let_pass() {
    let tape = Tape::<f32>::new();
    let (x, over) = (tape.var(Tensor::from([0.5f32])), 1.0 + f32::EPSILON);
    assert!(loss::bce_with_logits(x, Tensor::from([over])).item().is_ok());
    assert!(loss::bce(x, Tensor::from([-f32::EPSILON])).item().is_ok());
    let logs = tape.var(Tensor::from([[f32::EPSILON, -20.0]]));
    assert!(loss::nll(logs, &Tensor::from([0])).item().is_ok() && loss::kl(logs, logs).item().is_ok());
}

#[test]
fn nan_makes_a_loss_that_is_nan() {
    const NAN: f64 = f64::NAN;
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([[NAN, 0.5]]));
    let (good, t) = (Tensor::from([[0.5, 0.5]]), Tensor::from([[1.0, 1.0]]));
    let rates = PoissonNll { log_input: false, ..Default::default() };
    let normal = GaussianNll::default();
    for (name, y) in [
        ("bce", loss::bce(x, &t)),
        ("bce of a target", loss::bce(tape.var(&good), x)),
        ("bce_with_logits", loss::bce_with_logits(x, &t)),
        ("hinge", loss::hinge(x, &t)),
        ("soft_margin", loss::soft_margin(x, &t)),
        ("huber", loss::huber(x, &t)),
        ("poisson_nll", rates.of(x, &t)),
        ("gaussian_nll", normal.of(tape.var(&good), &t, x)),
        ("cross_entropy", loss::cross_entropy(x, &Tensor::from([1]))),
        ("cross_entropy_soft", loss::cross_entropy_soft(x, &good)),
        ("kl", loss::kl(x - 1.0, good.map(f64::ln))),
        ("nll", loss::nll(x - 1.0, &Tensor::from([0]))),
    ] {
        assert!(y.item().unwrap().is_nan(), "{name}");
    }
}

/// An anomaly is attributed to the loss that the program called.
#[test]
fn an_anomaly_in_a_loss_is_the_losses() {
    type OfTape = for<'t> fn(&'t Tape<f64>) -> Var<'t, f64>;
    fn t() -> Tensor<f64> {
        Tensor::from([[1.0, -1.0, 1.0]])
    }
    fn p() -> Tensor<f64> {
        Tensor::from([[0.0, 1.0, 0.5]])
    }
    fn one() -> Tensor<i64> {
        Tensor::from([1])
    }
    fn huge() -> Option<Tensor<f64>> {
        Some(Tensor::from([1e300, 1e300, 1e300]))
    }
    // Leaves may be anything: these are the predictions.
    fn any(tape: &Tape<f64>) -> Var<'_, f64> {
        tape.var(Tensor::from([[f64::NAN, f64::NEG_INFINITY, 1e300]]))
    }
    fn of(tape: &Tape<f64>, x: f64) -> Var<'_, f64> {
        tape.var(Tensor::from([[x; 3]]))
    }
    let losses: &[(&str, OfTape)] = &[
        ("mse", |tape| loss::mse(any(tape), t())),
        ("mse", |tape| loss::mse(of(tape, 1e200), t())),
        ("l1", |tape| loss::l1(any(tape), t())),
        ("huber", |tape| loss::huber(any(tape), t())),
        ("huber", |tape| Huber { delta: 1e200, ..Default::default() }.of(of(tape, 1e200), t())),
        ("smooth_l1", |tape| loss::smooth_l1(any(tape), t())),
        ("smooth_l1", |tape| SmoothL1 { beta: 0.0, ..Default::default() }.of(any(tape), t())),
        ("log_cosh", |tape| loss::log_cosh(any(tape), t())),
        ("poisson_nll", |tape| loss::poisson_nll(any(tape), p())),
        ("poisson_nll", |tape| loss::poisson_nll(of(tape, 1000.0), p())),
        ("poisson_nll", |tape| {
            PoissonNll { log_input: false, full: true, ..Default::default() }.of(of(tape, f64::NAN), p())
        }),
        ("gaussian_nll", |tape| loss::gaussian_nll(any(tape), t(), p())),
        ("gaussian_nll", |tape| loss::gaussian_nll(of(tape, 1e200), t(), p())),
        ("bce", |tape| loss::bce(of(tape, f64::NAN), p())),
        ("bce", |tape| {
            let weight = Some(Tensor::from([1e308]));
            Bce { weight, ..Default::default() }.of(of(tape, 0.0), p())
        }),
        ("bce_with_logits", |tape| loss::bce_with_logits(any(tape), p())),
        ("bce_with_logits", |tape| {
            BceWithLogits { weight: huge(), ..Default::default() }.of(of(tape, 1e9), p())
        }),
        ("bce_with_logits", |tape| {
            BceWithLogits { pos_weight: huge(), ..Default::default() }.of(of(tape, -1e9), p())
        }),
        ("multilabel_soft_margin", |tape| loss::multilabel_soft_margin(any(tape), p())),
        ("multilabel_soft_margin", |tape| {
            MultilabelSoftMargin { weight: huge(), ..Default::default() }.of(of(tape, 1e9), p())
        }),
        ("cross_entropy", |tape| loss::cross_entropy(any(tape), &one())),
        ("cross_entropy", |tape| {
            let x = tape.var(Tensor::from([[0.0, 0.0, f64::NEG_INFINITY]]));
            CrossEntropy { label_smoothing: 0.1, ..Default::default() }.of(x, &one())
        }),
        ("cross_entropy_soft", |tape| loss::cross_entropy_soft(any(tape), p())),
        ("cross_entropy_soft", |tape| {
            let x = tape.var(Tensor::from([[0.0, 0.0, -1e10]]));
            CrossEntropySoft { weight: huge(), ..Default::default() }.of(x, p())
        }),
        ("nll", |tape| loss::nll(of(tape, f64::NAN), &one())),
        ("nll", |tape| Nll { weight: huge(), ..Default::default() }.of(of(tape, -1e10), &one())),
        ("kl", |tape| loss::kl(of(tape, f64::NAN), p().map(|v| -v))),
        ("hinge", |tape| loss::hinge(any(tape), t())),
        ("squared_hinge", |tape| loss::squared_hinge(of(tape, 1e200), t())),
        ("soft_margin", |tape| loss::soft_margin(any(tape), t())),
        ("margin_ranking", |tape| loss::margin_ranking(any(tape), p(), t())),
        ("hinge_embedding", |tape| loss::hinge_embedding(any(tape), t())),
        ("multi_margin", |tape| loss::multi_margin(any(tape), &one())),
        ("multi_margin", |tape| {
            let x = tape.var(Tensor::from([[1e200, 0.0, 0.0]]));
            MultiMargin { p: 2, ..Default::default() }.of(x, &one())
        }),
        ("multilabel_margin", |tape| loss::multilabel_margin(any(tape), &Tensor::from([[0, -1, -1]]))),
        ("triplet_margin", |tape| loss::triplet_margin(any(tape), p(), t())),
        ("triplet_margin", |tape| {
            TripletMargin { p: 3.0, swap: true, ..Default::default() }.of(of(tape, 1e200), p(), t())
        }),
        ("cosine_embedding", |tape| loss::cosine_embedding(of(tape, 1e200), p(), Tensor::from([1.0]))),
        ("info_nce", |tape| loss::info_nce(of(tape, 1e200), p())),
        ("masked_mse", |tape| loss::masked_mse(of(tape, 1e200), p(), Tensor::from([true]))),
        ("ctc", |tape| {
            let x = tape.var(Tensor::from([[[f64::NAN, -1.0, -2.0]]]));
            loss::ctc(x, &Tensor::from([[1]]), &[1], &[1])
        }),
    ];
    for (name, f) in losses {
        let tape = Tape::<f64>::new().detect_anomaly();
        let e = f(&tape).value().unwrap_err();
        assert_eq!((e.kind(), e.op()), (ErrorKind::NonFinite, *name), "{e}");
        assert!(e.location().is_some_and(|at| at.file().ends_with("losses.rs")), "{e}");
    }
    // The table has every function of `loss`.
    let sources = ["mod.rs", "categorical.rs", "ctc.rs", "margin.rs", "masked.rs", "regression.rs"];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/loss");
    let text: String = sources.iter().map(|f| std::fs::read_to_string(root.join(f)).unwrap()).collect();
    let names = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let with: std::collections::BTreeSet<_> = names.filter_map(|w| w.strip_suffix("_with")).collect();
    assert!(with.len() > 20, "{with:?}");
    for name in with.into_iter().filter(|name| !name.is_empty() && !["starts", "ends", "name"].contains(name))
    {
        assert!(losses.iter().any(|(known, _)| *known == name), "no anomaly of {name}");
    }
    // The error of an operand stays what it was.
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([1.0, 2.0]));
    let bad = || Tensor::from([1.0, 2.0]).mul(Tensor::ones([3]));
    for y in [
        loss::mse(x, bad()),
        loss::huber(x, bad()),
        loss::hinge(x, bad()),
        loss::gaussian_nll(x, bad(), bad()),
    ] {
        assert_eq!(y.value().unwrap_err().op(), "mul");
    }
}

#[test]
fn an_operand_of_another_shape_is_called_by_its_name() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([4, 3]));
    let row = || Tensor::<f64>::zeros([3]);
    let refused = |y: Var<'_, f64>, op: &str, words: &str| {
        let e = y.value().unwrap_err();
        assert_eq!((e.op(), e.detail()), (op, words));
    };
    let plain = |op: &str, y: Var<'_, f64>| refused(y, op, "the prediction has shape [4, 3], the target [3]");
    plain("mse", loss::mse(x, row()));
    plain("bce", loss::bce(x, row()));
    plain("margin_ranking", loss::margin_ranking(x, x, row()));
    plain("gaussian_nll", loss::gaussian_nll(x, row(), x));
    refused(
        loss::gaussian_nll(x, x, row()),
        "gaussian_nll",
        "the prediction has shape [4, 3], the variance [3]",
    );
    let ones = Tensor::<f64>::ones([4, 3]);
    refused(loss::margin_ranking(x, row(), ones), "margin_ranking", "x has shape [4, 3], other [3]");
    refused(loss::info_nce(x, row()), "info_nce", "x has shape [4, 3], other [3]");
    let signs = Tensor::<f64>::ones([4]);
    refused(loss::cosine_embedding(x, row(), &signs), "cosine_embedding", "x has shape [4, 3], other [3]");
    refused(
        loss::cosine_embedding(x, x, row()),
        "cosine_embedding",
        "expected a target for each row of a prediction [4, 3], found [3]",
    );
    let anchor = "the anchor has shape [4, 3], the";
    refused(loss::triplet_margin(x, row(), x), "triplet_margin", &format!("{anchor} positive [3]"));
    refused(loss::triplet_margin(x, x, row()), "triplet_margin", &format!("{anchor} negative [3]"));
}

/// Rows and elements that do not count, whatever they are: value, gradient by both sweeps, and second order are those of the others.
#[test]
fn what_does_not_count_may_be_anything() {
    type OfRows = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    fn weight() -> Option<Tensor<f64>> {
        Some(Tensor::from([0.0, 1.0]))
    }
    // Of two rows the first does not count.
    let losses: &[(&str, OfRows)] = &[
        ("cross_entropy, ignored", |x| {
            CrossEntropy { ignore_index: Some(-100), ..Default::default() }.of(x, &Tensor::from([-100, 0]))
        }),
        ("cross_entropy, ignored and smoothed", |x| {
            CrossEntropy { ignore_index: Some(-100), label_smoothing: 0.2, ..Default::default() }
                .of(x, &Tensor::from([-100, 0]))
        }),
        ("cross_entropy, even", |x| {
            CrossEntropy { ignore_index: Some(-100), label_smoothing: 1.0, ..Default::default() }
                .of(x, &Tensor::from([-100, 0]))
        }),
        ("cross_entropy, a class of weight 0", |x| {
            CrossEntropy { weight: weight(), ..Default::default() }.of(x, &Tensor::from([0, 1]))
        }),
        ("cross_entropy, ignored, weighed and smoothed", |x| {
            CrossEntropy {
                weight: weight(),
                ignore_index: Some(-100),
                label_smoothing: 0.2,
                reduction: Reduction::Sum,
            }
            .of(x, &Tensor::from([-100, 1]))
        }),
        ("nll, ignored", |x| {
            Nll { ignore_index: Some(7), ..Default::default() }.of(x.log_softmax(-1), &Tensor::from([7, 0]))
        }),
        ("nll, ignored and smoothed", |x| {
            Nll { ignore_index: Some(7), label_smoothing: 0.2, ..Default::default() }
                .of(x.log_softmax(-1), &Tensor::from([7, 0]))
        }),
        ("nll, a class of weight 0", |x| {
            Nll { weight: weight(), ..Default::default() }.of(x.log_softmax(-1), &Tensor::from([0, 1]))
        }),
        ("cross_entropy_soft, zeros", |x| {
            loss::cross_entropy_soft(x, Tensor::from([[0.0, 0.0], [0.25, 0.75]]))
        }),
        ("cross_entropy_soft, classes of weight 0", |x| {
            CrossEntropySoft { weight: weight(), ..Default::default() }
                .of(x, Tensor::from([[1.0, 0.0], [0.25, 0.75]]))
        }),
        ("multi_margin, a class of weight 0", |x| {
            MultiMargin { weight: weight(), ..Default::default() }.of(x, &Tensor::from([0, 1]))
        }),
        ("multi_margin, squares", |x| {
            MultiMargin { p: 2, weight: weight(), ..Default::default() }.of(x, &Tensor::from([0, 1]))
        }),
        ("multilabel_margin, no labels", |x| loss::multilabel_margin(x, &Tensor::from([[-1, 0], [1, -1]]))),
        ("multilabel_margin, all of them", |x| loss::multilabel_margin(x, &Tensor::from([[1, 0], [1, -1]]))),
        ("multilabel_soft_margin", |x| {
            let weight = Some(Tensor::from([[0.0], [1.0]]));
            MultilabelSoftMargin { weight, ..Default::default() }.of(x, Tensor::from([[1.0, 0.0]; 2]))
        }),
        ("bce_with_logits", |x| {
            let weight = Some(Tensor::from([[0.0], [1.0]]));
            BceWithLogits { weight, pos_weight: Some(Tensor::from([2.0])), ..Default::default() }
                .of(x, Tensor::from([[1.0, 0.0]; 2]))
        }),
        ("masked_mse", |x| loss::masked_mse(x, Tensor::from([[0.0; 2]; 2]), Tensor::from([[false], [true]]))),
        ("ctc, frames after the end", |x| {
            // Time runs backwards, so that the second row is the first frame.
            loss::ctc(x.flip(0).unsqueeze(0).log_softmax(-1), &Tensor::from([[1]]), &[1], &[1])
        }),
        ("ctc, of what is no log-probability", |x| {
            let frames = tape_rows(x);
            loss::ctc(frames.unsqueeze(0), &Tensor::from([[1]]), &[1], &[1])
        }),
    ];
    /// The second row as a log-probability, and then the first, as it is.
    fn tape_rows<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
        x.tape().concat(&[x.slice(0, 1..2).log_softmax(-1), x.slice(0, 0..1)], 0)
    }
    for (name, f) in losses {
        let of = |row: [f64; 2]| {
            let tape = Tape::<f64>::new();
            let x = tape.var(Tensor::from([row, [0.5, -0.25]]));
            let y = f(x);
            let value = y.item().unwrap_or_else(|e| panic!("{name}: {e}"));
            let g = y.grad(x).unwrap();
            // Of the second order, by a function of the gradient that depends on all of it.
            let second = (g * Tensor::from([[1.0, 2.0], [3.0, -1.0]])).sum() + g.square().sum();
            // Where the gradient is constant, of the first order.
            let second = second + x.slice(0, 1..2).sum();
            let second = second.grad(x).unwrap().value().unwrap().to_vec();
            let recorded = g.value().unwrap().to_vec();
            let swept = y.backward().unwrap().wrt(x).unwrap().to_vec();
            ([vec![value], swept, second], recorded)
        };
        let (want, _) = of([0.0, 0.0]);
        assert!(want.iter().flatten().all(|v| v.is_finite()) && want[0][0] != 0.0, "{name}: {want:?}");
        assert_eq!(want[1][..2], [0.0, 0.0], "{name}");
        for row in [[-INF, -INF], [f64::NAN, f64::NAN], [f64::NAN, 0.0], [-INF, 0.0], [INF, INF], [INF, 0.0]]
        {
            let (found, recorded) = of(row);
            assert_eq!(found, want, "{name} of {row:?}");
            let near = recorded.iter().zip(&want[1]).all(|(a, b)| (a - b).abs() < 1e-14);
            assert!(near, "{name} of {row:?}: recorded {recorded:?}, swept {:?}", want[1]);
        }
    }
    // All at once: the mean over nothing is 0, and a target that is learned has a finite gradient too.
    let tape = Tape::<f64>::new();
    let (x, t) = (tape.var(Tensor::from([[-INF, -INF]])), tape.var(Tensor::from([[0.0, 0.0]])));
    let y = loss::cross_entropy_soft(x, t);
    assert_eq!(y.item().unwrap(), 0.0);
    let g = y.backward().unwrap();
    assert_eq!((g.wrt(x).unwrap().to_vec(), g.wrt(t).unwrap().to_vec()), (vec![0.0; 2], vec![0.0; 2]));
    // Of probabilities, which cannot be infinite, also where the target is NaN.
    let tape = Tape::<f64>::new();
    let p = tape.var(Tensor::from([f64::NAN, 0.5]));
    let weight = Some(Tensor::from([0.0, 1.0]));
    let y = Bce { weight, ..Default::default() }.of(p, Tensor::from([f64::NAN, 1.0]));
    assert_eq!(y.item().unwrap(), 2f64.ln() / 2.0);
    assert_eq!(y.backward().unwrap().wrt(p).unwrap().to_vec(), [0.0, -1.0]);
    // Under anomaly detection, what does not count is no anomaly.
    let tape = Tape::<f64>::new().detect_anomaly();
    let x = tape.var(Tensor::from([[f64::NAN, -INF], [0.0, 0.0]]));
    for y in [
        CrossEntropy { ignore_index: Some(-100), ..Default::default() }.of(x, &Tensor::from([-100, 0])),
        loss::cross_entropy_soft(x, Tensor::from([[0.0, 0.0], [1.0, 0.0]])) * 2.0,
    ] {
        assert_eq!(y.item().unwrap(), 2f64.ln());
        let g = y.backward_retaining().unwrap().wrt(x).unwrap().to_vec();
        assert_eq!(g, [0.0, 0.0, -0.5, 0.5]);
    }
    // A class that counts by smoothing is not hidden.
    let tape = Tape::<f64>::new();
    let y =
        CrossEntropy { weight: Some(Tensor::from([0.0, 1.0])), label_smoothing: 0.2, ..Default::default() };
    assert!(y.of(tape.var(Tensor::from([[f64::NAN, 0.0]])), &Tensor::from([0])).item().unwrap().is_nan());
}

/// A target within the slack of [0, 1] is 0 or 1: it weighs no infinity with what it is too large or too small by.
#[test]
fn a_rounded_target_beside_an_infinity_is_that_of_the_end() {
    fn check<T: Float>() {
        type OfTarget<T> = for<'t> fn(Var<'t, T>, Var<'t, T>) -> Var<'t, T>;
        let eps = T::EPSILON.to_f64();
        // Predictions, targets off by rounding, and those of the ends.
        type Case<T> = (&'static str, OfTarget<T>, [f64; 2], [f64; 2], [f64; 2]);
        let losses: [Case<T>; 5] = [
            ("soft", |x, t| loss::cross_entropy_soft(x, t), [1.0, -INF], [1.0, -eps / 4.0], [1.0, 0.0]),
            ("logits", |x, t| loss::bce_with_logits(x, t), [INF, -INF], [1.0 + eps, -eps], [1.0, 0.0]),
            (
                "logits, weighed",
                |x, t| {
                    let pos_weight = Some(Tensor::from([2.0, 2.0]).cast::<T>());
                    BceWithLogits { pos_weight, ..Default::default() }.of(x, t)
                },
                [INF, -INF],
                [1.0 + eps, -eps],
                [1.0, 0.0],
            ),
            (
                "labels",
                |x, t| loss::multilabel_soft_margin(x, t),
                [INF, -INF],
                [1.0 + 8.0 * eps, -8.0 * eps],
                [1.0, 0.0],
            ),
            ("probabilities", |x, t| loss::bce(x.sigmoid(), t), [INF, -INF], [1.0 + eps, -eps], [1.0, 0.0]),
        ];
        for (name, f, x, rounded, end) in losses {
            let of = |t: [f64; 2]| {
                let tape = Tape::<T>::new();
                let (x, t) =
                    (tape.var(Tensor::from([x]).cast::<T>()), tape.var(Tensor::from([t]).cast::<T>()));
                let y = f(x, t);
                let (gx, gt) = (y.grad(x).unwrap().value().unwrap(), y.grad(t).unwrap().value().unwrap());
                let g = y.backward_retaining().unwrap();
                [y.value().unwrap(), gx, g.wrt(x).unwrap(), gt, g.wrt(t).unwrap()].map(|t| t.to_vec())
            };
            let (found, want) = (of(rounded), of(end));
            assert_eq!(found, want, "{name}");
            assert!(want[..3].iter().flatten().all(|v| v.is_finite()), "{name}: {want:?}");
        }
    }
    check::<f64>();
    check::<f32>();
    // What is not rounding is refused as before.
    let tape = Tape::<f64>::new();
    refuses(
        loss::cross_entropy_soft(tape.var(Tensor::from([[1.0, 0.0]])), Tensor::from([[1.0, -1e-9]])),
        "cross_entropy_soft",
        "a target between 0 and 1, found -0.000000001 at [0, 1]",
    );
}
