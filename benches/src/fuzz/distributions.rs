//! `nn::dist`.

use crate::arguments::Arguments;
use crate::function::{Function, Outcome, Seen, done, table};
use wengert::Result;
use wengert::nn::dist::{
    Bernoulli, Beta, Categorical, Dirichlet, Distribution, Exponential, Gamma, Independent, Keys, Kl,
    Laplace, LogNormal, Mixture, MultivariateNormal, Normal, Poisson, Reparameterised, StudentT, Uniform, kl,
};
use wengert::ops::Tensor;
use wengert::tape::{Float, Var};

/// A value on the tape, or a draw.
enum Some<'t, T: Float> {
    Var(Var<'t, T>),
    Draw(Result<Tensor<T>>),
}

impl<'t, T: Float> Outcome<'t, T> for Some<'t, T> {
    fn show(self, seen: &mut Seen<'t, T>) {
        match self {
            Some::Var(v) => v.show(seen),
            Some::Draw(t) => t.show(seen),
        }
    }
}

/// A number of draws.
fn draws<T: Float>(a: &mut Arguments<'_, T>) -> usize {
    a.count(0..=3)
}

/// The result of function number `which` of a distribution.
fn tried<'t, T: Float>(d: impl Distribution<'t, T>, which: usize, a: &mut Arguments<'t, T>) -> Some<'t, T> {
    let mut rng = a.rng();
    Some::Var(match which {
        0 => d.log_prob(a.beside()),
        1 => {
            let x = d.draw(&[], &mut &mut rng);
            match x {
                Ok(x) => d.log_prob(x),
                Err(e) => return Some::Draw(Err(e)),
            }
        }
        2 => d.mean(),
        3 => d.variance(),
        4 => d.std(),
        5 => d.mode(),
        6 => d.entropy(),
        7 => return Some::Draw(d.draw(&[draws(a), 2], &mut a.tape)),
        _ => {
            done((d.tape().len(), d.shape(), d.event_rank()));
            return Some::Draw(d.draw(&[draws(a)], &mut &mut rng));
        }
    })
}

fn any_of<'t, T: Float>(a: &mut Arguments<'t, T>, d: impl Distribution<'t, T>) -> Some<'t, T> {
    let which = a.below(9);
    tried(d, which, a)
}

fn redrawn<'t, T: Float>(a: &mut Arguments<'t, T>, d: &impl Reparameterised<'t, T>) -> Var<'t, T> {
    let mut rng = a.rng();
    d.redraw(&[draws(a)], &mut &mut rng)
}

/// A positive parameter, or sometimes any value.
fn positive<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    let x = a.var_ranked(0..=3);
    if a.once_in(6) { x } else { x.softplus() + 0.1 }
}

/// A second positive parameter, which broadcasts with the first.
fn beside<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    let shape = a.narrower();
    let x = a.more(&shape);
    if a.once_in(6) { x } else { x.softplus() + 0.1 }
}

fn normal<'t, T: Float>(a: &mut Arguments<'t, T>) -> Normal<'t, T> {
    Normal::new(a.var_ranked(0..=3), beside(a))
}

fn categorical<'t, T: Float>(a: &mut Arguments<'t, T>) -> Categorical<'t, T> {
    Categorical::new(a.var_ranked(1..=3))
}

fn multivariate<'t, T: Float>(a: &mut Arguments<'t, T>) -> MultivariateNormal<'t, T> {
    let n = a.size().min(3);
    let x = a.more(&[n, n]);
    let covariance = if a.once_in(6) || x.rank() != 2 { x } else { x.matmul(x.t()) + Tensor::eye(n) };
    MultivariateNormal::from_covariance(a.of(&[n]), covariance)
}

/// The result of function number `which` of a random distribution.
fn some<'t, T: Float>(a: &mut Arguments<'t, T>, which: usize) -> Some<'t, T> {
    match a.below(8) {
        0 => tried(Bernoulli::from_logits(a.var()), which, a),
        1 => tried(Gamma::new(positive(a), beside(a)), which, a),
        2 => tried(categorical(a), which, a),
        3 => tried(Poisson::new(positive(a)), which, a),
        4 => tried(Laplace::new(a.var(), beside(a)), which, a),
        5 => tried(Independent::new(normal(a), a.below(3)), which, a),
        6 => tried(Uniform::new(a.var(), 3.0), which, a),
        _ => tried(normal(a), which, a),
    }
}

fn apart<'t, T: Float, D: Kl<'t, T>>(p: D, q: D) -> Var<'t, T> {
    kl(&p, &q)
}

fn divergence<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    match a.below(9) {
        0 => apart(Bernoulli::from_logits(a.var()), Bernoulli::from_logits(a.same())),
        1 => apart(Gamma::new(positive(a), 1.0), Gamma::new(beside(a), 2.0)),
        2 => apart(categorical(a), Categorical::new(a.same())),
        3 => apart(Poisson::new(positive(a)), Poisson::new(beside(a))),
        4 => apart(Laplace::new(a.var(), 1.0), Laplace::new(a.same(), beside(a))),
        5 => apart(Dirichlet::new(positive(a)), Dirichlet::new(beside(a))),
        6 => apart(Beta::new(positive(a), 2.0), Beta::new(beside(a), 1.0)),
        7 => apart(multivariate(a), multivariate(a)),
        _ => apart(Independent::new(normal(a), a.below(2)), Independent::new(normal(a), a.below(2))),
    }
}

/// The next key of any source of keys.
fn key(mut keys: impl Keys) -> wengert::ops::random::Key {
    keys.next_key()
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "nn::Bernoulli" {
            from_logits: { let d = Bernoulli::from_logits(a.var()); any_of(a, d) };
            from_probs: { let d = Bernoulli::from_probs(a.var().sigmoid()); any_of(a, d) };
            probs: Bernoulli::from_logits(a.var()).probs();
        }
        "nn::Beta" {
            new: { let d = Beta::new(positive(a), beside(a)); any_of(a, d) };
        }
        "nn::Categorical" {
            new: { let d = categorical(a); any_of(a, d) };
            probs: categorical(a).probs();
            log_probs: categorical(a).log_probs();
            log_prob_of: { let d = categorical(a);
                let (&k, batch) = a.shape.split_last().unwrap_or((&1, &[]));
                let mut batch = batch.to_vec(); if k == 0 { batch.push(0);
                    } d.log_prob_of(&a.index_of(&batch, k)) };
            mode_index: categorical(a).mode_index();
            sample_index: categorical(a).sample_index(&mut a.rng());
            relaxed_sample: categorical(a).relaxed_sample(a.positive(), &mut a.rng());
        }
        "nn::Dirichlet" {
            new: { let d = Dirichlet::new(positive(a)); any_of(a, d) };
        }
        "nn::Exponential" {
            new: { let d = Exponential::new(positive(a)); any_of(a, d) };
        }
        "nn::Gamma" {
            new: { let d = Gamma::new(positive(a), beside(a)); any_of(a, d) };
        }
        "nn::Independent" {
            new: { let d = Independent::new(normal(a), a.count(0..=3)); any_of(a, d) };
            each: Independent::new(normal(a), a.count(0..=3)).each().mean();
        }
        "nn::Laplace" {
            new: { let d = Laplace::new(a.var_ranked(0..=3), beside(a)); any_of(a, d) };
        }
        "nn::LogNormal" {
            new: { let d = LogNormal::new(a.var_ranked(0..=3), beside(a)); any_of(a, d) };
        }
        "nn::Mixture" {
            new: { let k = a.size(); let w = Categorical::new(a.of(&[2, k]));
                let parts = Normal::new(a.of(&[2, k]), 1.0);
                let d = Mixture::new(w, parts); any_of(a, d) };
        }
        "nn::MultivariateNormal" {
            from_covariance: { let d = multivariate(a); any_of(a, d) };
            from_factor: { let n = a.size().min(3);
                let x = a.more(&[n, n]);
                let factor = if a.once_in(6) || x.is_failed() { x } else { x.tril(-1) + Tensor::eye(n) };
                let d = MultivariateNormal::from_factor(a.of(&[n]), factor); any_of(a, d) };
            factor: multivariate(a).factor();
            covariance: multivariate(a).covariance();
        }
        "nn::Normal" {
            new: { let d = normal(a); any_of(a, d) };
            diagonal: { let d = Normal::diagonal(a.var_ranked(0..=3), beside(a)); any_of(a, d) };
        }
        "nn::Poisson" {
            new: { let d = Poisson::new(positive(a)); any_of(a, d) };
        }
        "nn::StudentT" {
            new: { let d = StudentT::new(positive(a), a.same(), beside(a)); any_of(a, d) };
        }
        "nn::Uniform" {
            new: { let d = Uniform::new(a.var_ranked(0..=3), beside(a) + 3.0); any_of(a, d) };
        }
        "nn::dist" {
            kl: divergence(a);
        }
        "nn::dyn Distribution" {
            log_prob: some(a, 0);
            log_prob_of_draw: some(a, 1);
            mean: some(a, 2);
            variance: some(a, 3);
            std: some(a, 4);
            mode: some(a, 5);
            entropy: some(a, 6);
            draw: some(a, 7);
            sample: normal(a).sample(&mut a.rng());
            sample_n: normal(a).sample_n(draws(a), a.tape);
            rsample: normal(a).rsample(&mut a.rng());
            rsample_n: normal(a).rsample_n(draws(a), a.tape);
            redraw: { let d = multivariate(a); redrawn(a, &d) };
            next_key: (key(a.tape), key(&mut a.rng()));
        }
    }
}
