//! Losses.

use crate::{Entry, Sample};
use wengert::nn::loss::{
    self, Bce, BceWithLogits, CosineEmbedding, CrossEntropy, CrossEntropySoft, Ctc, GaussianNll,
    HingeEmbedding, Huber, InfoNce, MarginRanking, MultiMargin, MultilabelSoftMargin, Nll, PoissonNll,
    Reduction, SmoothL1, TripletMargin,
};
use wengert::ops::Tensor;
use wengert::tape::Var;
use wengert::tape::gradcheck::Domain::{Away, Between, Real};
use wengert::tape::gradcheck::Gen;

/// Losses of two tensors of the same shape `[rows, columns]`: name, PyTorch's expression, domains, wengert's function.
macro_rules! pairs {
    ($($name:literal $torch:literal $first:expr, $second:expr, |$a:ident, $b:ident| $call:expr;)*) => {
        vec![$(Entry::new($name, |g| {
            let shape = [g.within(1..=4), g.within(1..=4)];
            let x = vec![g.tensor(&shape, $first), g.tensor(&shape, $second)];
            Sample::new($torch, x, |x: &[Var<'_, f64>]| { let ($a, $b) = (x[0], x[1]); $call })
        })),*]
    };
}

/// Each reduction with PyTorch's name for it.
const REDUCTIONS: [(Reduction, &str); 3] =
    [(Reduction::Mean, "mean"), (Reduction::Sum, "sum"), (Reduction::None, "none")];

pub(crate) fn entries() -> Vec<Entry> {
    let mut all = pairs! {
        "mse" "F.mse_loss(x[0], x[1])" Real, Real, |x, t| loss::mse(x, t);
        "l1" "F.l1_loss(x[0], x[1])" Real, Real, |x, t| loss::l1(x, t);
        "huber" "F.huber_loss(x[0], x[1], delta=0.7)" Real, Real, |x, t| Huber { delta: 0.7, ..Default::default() }.of(x, t);
        "smooth_l1" "F.smooth_l1_loss(x[0], x[1], beta=0.7)" Real, Real, |x, t| SmoothL1 { beta: 0.7, ..Default::default() }.of(x, t);
        "smooth_l1 (0)" "F.smooth_l1_loss(x[0], x[1], beta=0.0)" Real, Real, |x, t| SmoothL1 { beta: 0.0, ..Default::default() }.of(x, t);
        "log_cosh" "torch.log(torch.cosh(x[0] - x[1])).mean()" Real, Real, |x, t| loss::log_cosh(x, t);
        "bce" "F.binary_cross_entropy(x[0], x[1])" Between(0.01, 0.99), Between(0.0, 1.0), |x, t| loss::bce(x, t);
        "bce_with_logits" "F.binary_cross_entropy_with_logits(x[0], x[1])" Real, Between(0.0, 1.0),
            |x, t| loss::bce_with_logits(x, t);
        "cross_entropy_soft" "F.cross_entropy(x[0], x[1])" Real, Between(0.0, 1.0), |x, t| loss::cross_entropy_soft(x, t);
        "kl" "F.kl_div(x[1].log_softmax(-1), x[0].log_softmax(-1), log_target=True, reduction='batchmean')" Real, Real,
            |p, q| loss::kl(p.log_softmax(-1), q.log_softmax(-1));
        "info_nce" "(lambda s: (F.cross_entropy(s, torch.arange(len(s))) + F.cross_entropy(s.T, torch.arange(len(s)))) / 2)(
            F.normalize(x[0], dim=-1) @ F.normalize(x[1], dim=-1).T / 0.4)"
            Away(0.3, 2.0), Away(0.3, 2.0), |x, y| InfoNce { temperature: 0.4, ..Default::default() }.of(x, y);
        "poisson_nll" "F.poisson_nll_loss(x[0], x[1])" Between(-2.0, 2.0), Between(0.0, 4.0),
            |x, t| PoissonNll::default().of(x, t);
        "poisson_nll (full)" "F.poisson_nll_loss(x[0], x[1].detach(), full=True)" Between(-2.0, 2.0), Between(0.0, 4.0),
            |x, t| PoissonNll { full: true, ..Default::default() }.of(x, t.detach());
        "poisson_nll (rate)" "F.poisson_nll_loss(x[0], x[1], log_input=False)" Between(0.2, 4.0), Between(0.0, 4.0),
            |x, t| PoissonNll { log_input: false, ..Default::default() }.of(x, t);
    };
    all.push(Entry::new("cross_entropy (options)", |g| {
        let (rows, classes) = (g.within(1..=4), g.within(1..=4));
        let targets = g.indices(&[rows], classes);
        // PyTorch's mean over no rows is NaN, so one row is not ignored.
        let ignored = targets.get(&[0]).map_or(0, |t| (t + 1) % classes as i64);
        let ignored = if classes == 1 { -100 } else { ignored };
        let weight = g.tensor(&[classes], Between(0.2, 3.0));
        let smoothing = g.pick(&[0.0, 0.1, 1.0]);
        let (reduction, word) = g.pick(&REDUCTIONS);
        let weighted = g.once_in(2);
        let torch = format!(
            "F.cross_entropy(x[0], i[0], {}ignore_index={ignored}, label_smoothing={smoothing}, reduction='{word}')",
            if weighted { "weight=i[1], " } else { "" }
        );
        let (at, w) = (targets.clone(), weight.clone());
        Sample::new(torch, vec![g.tensor(&[rows, classes], Real)], move |x| {
            CrossEntropy {
                weight: weighted.then(|| w.clone()),
                ignore_index: Some(ignored),
                label_smoothing: smoothing,
                reduction,
            }
            .of(x[0], &at)
        })
        .with_index(&targets)
        .with_numbers(&weight)
    }));
    all.push(Entry::new("nll", |g| {
        let (rows, classes) = (g.within(1..=4), g.within(1..=4));
        let targets = g.indices(&[rows], classes);
        let (reduction, word) = g.pick(&REDUCTIONS);
        let at = targets.clone();
        let weight = g.tensor(&[classes], Between(0.2, 3.0));
        let w = weight.clone();
        let torch = format!("F.nll_loss(x[0].log_softmax(-1), i[0], weight=i[1], reduction='{word}')");
        Sample::new(torch, vec![g.tensor(&[rows, classes], Real)], move |x| {
            Nll { weight: Some(w.clone()), reduction, ..Default::default() }.of(x[0].log_softmax(-1), &at)
        })
        .with_index(&targets)
        .with_numbers(&weight)
    }));
    all.push(Entry::new("cross_entropy_soft (options)", |g| {
        let (rows, classes) = (g.within(1..=4), g.within(1..=4));
        let weight = g.tensor(&[classes], Between(0.2, 3.0));
        let (label_smoothing, (reduction, word)) = (g.pick(&[0.0, 0.1, 1.0]), g.pick(&REDUCTIONS));
        let torch = format!(
            "F.cross_entropy(x[0], x[1], weight=i[0], label_smoothing={label_smoothing}, reduction='{word}')"
        );
        let x = vec![g.tensor(&[rows, classes], Real), g.tensor(&[rows, classes], Between(0.0, 1.0))];
        let w = weight.clone();
        Sample::new(torch, x, move |x| {
            CrossEntropySoft { weight: Some(w.clone()), label_smoothing, reduction }.of(x[0], x[1])
        })
        .with_numbers(&weight)
    }));
    all.push(Entry::new("bce (weights)", |g| {
        let shape = [g.within(1..=4), g.within(1..=3)];
        let weight = g.tensor(&shape, Between(0.2, 5.0));
        let x = vec![g.tensor(&shape, Between(0.01, 0.99)), g.tensor(&shape, Between(0.0, 1.0))];
        let (reduction, word) = g.pick(&REDUCTIONS);
        let torch = format!("F.binary_cross_entropy(x[0], x[1], i[0], reduction='{word}')");
        let w = weight.clone();
        Sample::new(torch, x, move |x| Bce { weight: Some(w.clone()), reduction }.of(x[0], x[1]))
            .with_numbers(&weight)
    }));
    all.push(Entry::new("multilabel_soft_margin", |g| {
        let shape = [g.within(1..=4), g.within(1..=3)];
        let weight = g.tensor(&shape[1..], Between(0.2, 5.0));
        let x = vec![g.tensor(&shape, Real), g.tensor(&shape, Between(0.0, 1.0))];
        let (reduction, word) = g.pick(&REDUCTIONS);
        let torch = format!("F.multilabel_soft_margin_loss(x[0], x[1], i[0], reduction='{word}')");
        let w = weight.clone();
        Sample::new(torch, x, move |x| {
            MultilabelSoftMargin { weight: Some(w.clone()), reduction }.of(x[0], x[1])
        })
        .with_numbers(&weight)
    }));
    all.push(Entry::new("bce_with_logits (weights)", |g| {
        let shape = [g.within(1..=4), g.within(1..=3)];
        let (positive, weight) =
            (g.tensor(&shape[1..], Between(0.2, 5.0)), g.tensor(&shape, Between(0.2, 5.0)));
        let x = vec![g.tensor(&shape, Real), g.tensor(&shape, Between(0.0, 1.0))];
        let (reduction, word) = g.pick(&REDUCTIONS);
        let torch = format!(
            "F.binary_cross_entropy_with_logits(x[0], x[1], i[1], pos_weight=i[0], reduction='{word}')"
        );
        let (p, w) = (positive.clone(), weight.clone());
        Sample::new(torch, x, move |x| {
            BceWithLogits { pos_weight: Some(p.clone()), weight: Some(w.clone()), reduction }.of(x[0], x[1])
        })
        .with_numbers(&positive)
        .with_numbers(&weight)
    }));
    all.push(Entry::new("gaussian_nll", |g| {
        let shape = [g.within(1..=4), g.within(1..=3)];
        let x = vec![g.tensor(&shape, Real), g.tensor(&shape, Real), g.tensor(&shape, Between(0.0, 3.0))];
        let (full, word) = g.pick(&[(true, "True"), (false, "False")]);
        // Some variances are below the smallest one that is used.
        Sample::new(format!("F.gaussian_nll_loss(x[0], x[1], x[2], full={word}, eps=0.5)"), x, move |x| {
            GaussianNll { full, eps: 0.5, ..Default::default() }.of(x[0], x[1], x[2])
        })
    }));
    type Call = fn(Var<'_, f64>, Tensor<f64>) -> Var<'_, f64>;
    let hinges: [(&str, &str, Call); 2] = [
        ("hinge", "(1 - x[0] * i[0]).relu().mean()", |x, t| loss::hinge(x, t)),
        ("squared_hinge", "(1 - x[0] * i[0]).relu().square().mean()", |x, t| loss::squared_hinge(x, t)),
    ];
    all.extend(hinges.map(|(name, torch, call)| {
        Entry::new(name, move |g| {
            let n = g.within(1..=5);
            let target = signs(g, n);
            let t = target.clone();
            Sample::new(torch, vec![g.tensor(&[n], Real)], move |x| call(x[0], t.clone()))
                .with_numbers(&target)
        })
    }));
    all.push(Entry::new("soft_margin", |g| {
        let n = g.within(1..=5);
        let target = signs(g, n);
        let t = target.clone();
        let x = vec![g.tensor(&[n], Real)];
        let (reduction, word) = g.pick(&REDUCTIONS);
        let torch = format!("F.soft_margin_loss(x[0], i[0], reduction='{word}')");
        Sample::new(torch, x, move |x| loss::soft_margin_with(x[0], &t, reduction)).with_numbers(&target)
    }));
    all.push(Entry::new("margin_ranking", |g| {
        let n = g.within(1..=5);
        let target = signs(g, n);
        let x = vec![g.tensor(&[n], Between(-2.0, 2.0)), g.tensor(&[n], Between(-2.0, 2.0))];
        let t = target.clone();
        let (reduction, word) = g.pick(&REDUCTIONS);
        let torch = format!("F.margin_ranking_loss(x[0], x[1], i[0], margin=0.4, reduction='{word}')");
        Sample::new(torch, x, move |x| MarginRanking { margin: 0.4, reduction }.of(x[0], x[1], &t))
            .with_numbers(&target)
    }));
    all.push(Entry::new("multi_margin", |g| {
        let (rows, classes) = (g.within(1..=4), g.within(1..=4));
        let targets = g.indices(&[rows], classes);
        let at = targets.clone();
        let x = vec![g.tensor(&[rows, classes], Between(-2.0, 2.0))];
        let weight = g.tensor(&[classes], Between(0.2, 3.0));
        let (w, p, (reduction, word)) = (weight.clone(), g.pick(&[1, 2]), g.pick(&REDUCTIONS));
        let torch =
            format!("F.multi_margin_loss(x[0], i[0], p={p}, margin=0.7, weight=i[1], reduction='{word}')");
        Sample::new(torch, x, move |x| {
            MultiMargin { p, margin: 0.7, weight: Some(w.clone()), reduction }.of(x[0], &at)
        })
        .with_index(&targets)
        .with_numbers(&weight)
    }));
    all.push(Entry::new("multilabel_margin", |g| {
        let (rows, classes) = (g.within(1..=4), g.within(1..=4));
        let labels = g.indices(&[rows, classes], classes + 1).map(|y| y - 1);
        let at = labels.clone();
        let (reduction, word) = g.pick(&REDUCTIONS);
        let torch = format!("F.multilabel_margin_loss(x[0], i[0], reduction='{word}')");
        Sample::new(torch, vec![g.tensor(&[rows, classes], Between(-2.0, 2.0))], move |x| {
            loss::multilabel_margin_with(x[0], &at, reduction)
        })
        .with_index(&labels)
    }));
    all.push(Entry::new("hinge_embedding", |g| {
        let n = g.within(1..=5);
        let target = signs(g, n);
        let t = target.clone();
        let (reduction, word) = g.pick(&REDUCTIONS);
        let torch = format!("F.hinge_embedding_loss(x[0], i[0], margin=0.4, reduction='{word}')");
        Sample::new(torch, vec![g.tensor(&[n], Between(-2.0, 2.0))], move |x| {
            HingeEmbedding { margin: 0.4, reduction }.of(x[0], &t)
        })
        .with_numbers(&target)
    }));
    all.push(Entry::new("ctc", |g| {
        let (batch, time, classes) = (g.within(1..=3), g.within(1..=5), g.within(2..=4));
        let (most, blank) = (g.within(1..=3), g.within(0..=classes - 1));
        // Any class except the blank.
        let labels =
            g.indices(&[batch, most], classes - 1).map(|y| if y >= blank as i64 { y + 1 } else { y });
        let frames: Vec<usize> = (0..batch).map(|_| g.within(1..=time)).collect();
        let counts: Vec<usize> = (0..batch).map(|_| g.within(0..=most)).collect();
        let (at, (reduction, word)) = (labels.clone(), g.pick(&REDUCTIONS));
        let torch = format!(
            "F.ctc_loss(x[0].log_softmax(-1).transpose(0, 1), i[0], {frames:?}, {counts:?}, blank={blank},
            zero_infinity=True, reduction='{word}')"
        );
        Sample::new(torch, vec![g.tensor(&[batch, time, classes], Real)], move |x| {
            Ctc { blank, zero_infinity: true, reduction }.of(x[0].log_softmax(-1), &at, &frames, &counts)
        })
        .with_index(&labels)
    }));
    all.push(Entry::new("cosine_embedding", |g| {
        let (rows, d) = (g.within(1..=4), g.within(1..=3));
        let target = signs(g, rows);
        let x = vec![g.tensor(&[rows, d], Away(0.2, 2.0)), g.tensor(&[rows, d], Away(0.2, 2.0))];
        let t = target.clone();
        let (reduction, word) = g.pick(&REDUCTIONS);
        let torch = format!("F.cosine_embedding_loss(x[0], x[1], i[0], margin=0.2, reduction='{word}')");
        Sample::new(torch, x, move |x| CosineEmbedding { margin: 0.2, reduction }.of(x[0], x[1], &t))
            .with_numbers(&target)
    }));
    all.push(Entry::new("triplet_margin", |g| {
        let shape = [g.within(1..=4), g.within(1..=3)];
        let x = (0..3).map(|_| g.tensor(&shape, Between(-2.0, 2.0))).collect();
        let (p, (swap, word)) = (g.pick(&[2.0, 1.0, 3.0]), g.pick(&[(true, "True"), (false, "False")]));
        let (reduction, kind) = g.pick(&REDUCTIONS);
        let torch = format!(
            "F.triplet_margin_loss(x[0], x[1], x[2], margin=0.6, p={p:?}, swap={word}, eps=0.01, reduction='{kind}')"
        );
        Sample::new(torch, x, move |x| {
            TripletMargin { margin: 0.6, p, swap, eps: 0.01, reduction }.of(x[0], x[1], x[2])
        })
    }));
    all
}

/// Targets that are 1 or -1.
fn signs(g: &mut Gen, n: usize) -> Tensor<f64> {
    g.mask(&[n]).map(|b| if b { 1.0 } else { -1.0 })
}
