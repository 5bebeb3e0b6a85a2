//! `nn::optim`, penalties, and the states of optimisers.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::nn::optim::{
    Accumulator, Adadelta, Adagrad, Adam, AdamConfig, Adamax, Ema, FirstOrder, Lbfgs, LbfgsConfig, Lion,
    Nadam, NadamConfig, Optimizer, Plateau, PlateauConfig, Radam, RadamConfig, Rmsprop, RmspropConfig,
    Schedule, Sgd, SgdConfig, clip_norm, clip_value,
};
use wengert::nn::state::{AnyTensor, Dict};
use wengert::nn::{Layer, Linear, penalty};
use wengert::ops::Tensor;
use wengert::tape::{Float, Grads, Result};

fn linear<T: Float>(a: &mut Arguments<'_, T>) -> Linear<T> {
    let layer = Linear::new(a.size(), a.size(), &mut a.rng());
    if a.once_in(4) { layer.without_bias() } else { layer }
}

/// A model, and gradients of it or of another model.
fn swept<T: Float>(a: &mut Arguments<'_, T>) -> Result<(Linear<T>, Grads<T>)> {
    let (i, o) = (a.size(), a.size());
    let mut model = Linear::new(i, o, &mut a.rng());
    let other = Linear::new(o, i, &mut a.rng());
    model.weight.set_trainable(a.flag());
    let grads = match a.once_in(6) {
        true => other.forward(a.of(&[2, o])),
        false => model.forward(a.of(&[2, i])),
    };
    let grads = grads.square().sum().backward()?;
    if a.once_in(6) {
        // The parameter is replaced by one of another shape after the sweep.
        let _ = model.weight.set(a.like(&[o, i]));
    }
    Ok((model, grads))
}

/// A state, sometimes with a missing tensor, an extra one, or one of another shape.
fn damaged<T: Float>(a: &mut Arguments<'_, T>, mut state: Dict) -> Dict {
    let names: Vec<String> = state.keys().cloned().collect();
    if a.once_in(3) && !names.is_empty() {
        let name = a.pick(&names);
        match a.below(4) {
            0 => drop(state.remove(&name)),
            1 => drop(state.insert(name, AnyTensor::of(&a.tensor()))),
            2 => {
                drop(
                    state.insert(name, AnyTensor::I64(Tensor::scalar(a.pick(&[i64::MIN, i64::MAX, -1, 0])))),
                );
            }
            _ => drop(state.insert("other".to_owned(), AnyTensor::of(&a.tensor()))),
        }
    }
    state
}

/// Steps with random options, saves, loads a state that may be damaged, and continues.
fn stepped<T: Float>(a: &mut Arguments<'_, T>, mut optimizer: impl Optimizer<T>) -> Result<()> {
    let (mut model, grads) = swept(a)?;
    optimizer.step(&mut model, &grads)?;
    let state = damaged(a, optimizer.state(&model));
    optimizer.load_state(&model, &state)?;
    optimizer.set_learning_rate(if a.once_in(6) { a.number() } else { a.positive() });
    done(optimizer.learning_rate());
    optimizer.step(&mut model, &grads)
}

fn rate<T: Float>(a: &mut Arguments<'_, T>) -> f64 {
    a.positive()
}

fn sgd<T: Float>(a: &mut Arguments<'_, T>) -> Sgd<T> {
    let (learning_rate, momentum) = (rate(a), a.probability());
    Sgd::with_config(SgdConfig {
        learning_rate,
        momentum,
        nesterov: a.flag(),
        weight_decay: a.positive(),
        ..SgdConfig::default()
    })
}

fn adam<T: Float>(a: &mut Arguments<'_, T>) -> Adam<T> {
    let (learning_rate, beta1, beta2, epsilon) = (rate(a), a.probability(), a.probability(), a.positive());
    let (decoupled, amsgrad, weight_decay) = (a.flag(), a.flag(), a.positive());
    Adam::with_config(AdamConfig { learning_rate, beta1, beta2, epsilon, weight_decay, decoupled, amsgrad })
}

/// Steps with a random optimiser of those that have most options.
fn descended<T: Float>(a: &mut Arguments<'_, T>) -> Result<()> {
    match a.below(8) {
        0 | 5..=7 => stepped(
            a,
            FirstOrder::with_config(RmspropConfig {
                momentum: 0.5,
                centered: true,
                ..RmspropConfig::default()
            }),
        ),
        1 => stepped(a, FirstOrder::with_config(RadamConfig::default())),
        2 => stepped(a, FirstOrder::with_config(NadamConfig::default())),
        3 => {
            let adam = adam(a);
            stepped(a, adam)
        }
        _ => {
            let sgd = sgd(a);
            stepped(a, sgd)
        }
    }
}

fn lbfgs<T: Float>(a: &mut Arguments<'_, T>, config: LbfgsConfig) -> Result<(Linear<T>, Lbfgs<T>)> {
    let (mut model, mut lbfgs) = (linear(a), Lbfgs::with_config(config));
    let (n, shift) = (model.weight.shape()[1], a.number());
    let x = a.like(&[2, n]);
    lbfgs.step(&mut model, |m, tape| (m.forward(tape.constant(&x)) - shift).square().sum())?;
    Ok((model, lbfgs))
}

fn options<T: Float>(a: &mut Arguments<'_, T>) -> LbfgsConfig {
    LbfgsConfig {
        learning_rate: a.positive(),
        max_iter: a.below(4),
        max_eval: a.flag().then(|| a.below(6)),
        tolerance_grad: a.positive(),
        tolerance_change: a.positive(),
        history_size: a.below(3),
        strong_wolfe: a.flag(),
    }
}

fn schedule<T: Float>(a: &mut Arguments<'_, T>, depth: usize) -> Schedule {
    let (from, to, steps) = (a.number(), a.number(), a.count(0..=9));
    match a.below(if depth == 0 { 9 } else { 11 }) {
        0 => Schedule::Constant(from),
        1 => Schedule::Step { from, every: steps, factor: to },
        2 => Schedule::MultiStep { from, milestones: vec![steps, 3, 3], factor: to },
        3 => Schedule::Exponential { from, factor: to },
        4 => Schedule::Cosine { from, to, steps },
        5 => Schedule::WarmRestarts { from, to, period: steps, growth: a.count(0..=3) },
        6 => Schedule::Polynomial { from, to, steps, power: a.number() },
        7 => Schedule::OneCycle { from, peak: a.number(), to, steps, rise: a.number() },
        8 => Schedule::InverseSqrt { peak: from, warmup: steps },
        9 => schedule(a, depth - 1).then(steps, schedule(a, depth - 1)),
        _ => schedule(a, depth - 1).times(schedule(a, depth - 1)),
    }
}

fn at<T: Float>(a: &mut Arguments<'_, T>, s: Schedule) -> f64 {
    s.at(a.count(0..=12))
}

fn ema<T: Float>(a: &mut Arguments<'_, T>) -> Result<(Linear<T>, Ema)> {
    let (first, second) = (linear(a), linear(a));
    let mut ema = Ema::new(a.probability(), &first);
    let model = if a.once_in(4) { second } else { first };
    ema.update(&model)?;
    Ok((model, ema))
}

fn accumulated<T: Float>(a: &mut Arguments<'_, T>) -> Result<Accumulator<T>> {
    let mut sum = Accumulator::new();
    for _ in 0..a.below(3) {
        sum.add(swept(a)?.1)?;
    }
    Ok(sum)
}

fn plateau<T: Float>(a: &mut Arguments<'_, T>) -> Plateau {
    Plateau::with_config(
        a.positive(),
        PlateauConfig { factor: a.probability(), patience: a.bits() % 3, ..PlateauConfig::default() },
    )
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "nn::Sgd" {
            new: { let o = Sgd::new(rate(a)); stepped(a, o) };
        }
        "nn::Adam" {
            new: { let o = Adam::new(rate(a)); stepped(a, o) };
            adamw: { let o = Adam::adamw(rate(a)); stepped(a, o) };
        }
        "nn::Adadelta" {
            new: { let o = Adadelta::new(rate(a)); stepped(a, o) };
        }
        "nn::Adagrad" {
            new: { let o = Adagrad::new(rate(a)); stepped(a, o) };
        }
        "nn::Adamax" {
            new: { let o = Adamax::new(rate(a)); stepped(a, o) };
        }
        "nn::Lion" {
            new: { let o = Lion::new(rate(a)); stepped(a, o) };
        }
        "nn::Nadam" {
            new: { let o = Nadam::new(rate(a)); stepped(a, o) };
        }
        "nn::Radam" {
            new: { let o = Radam::new(rate(a)); stepped(a, o) };
        }
        "nn::Rmsprop" {
            new: { let o = Rmsprop::new(rate(a)); stepped(a, o) };
        }
        "nn::FirstOrder" {
            with_config: descended(a);
            step: descended(a);
            state: descended(a);
            load_state: descended(a);
            group: { let patterns = ["weight", "*", "*", "w*", "", "**.w*", "a.*.b", "*.*.*.*.*.*.*.*.*x"];
                let (m, o) = (linear(a), Adam::<T>::new(rate(a)));
                done(o.group(a.pick(&patterns), |c| c.learning_rate *= 0.5).options(&m)); };
            config: done(adam(a).config());
            config_mut: done(adam(a).config_mut());
            options: { let model = linear(a); adam(a).group("*", |c| c.beta1 = 2.0).options(&model).len() };
            steps: { let p = a.param(); adam(a).steps(&p) };
            learning_rate: adam(a).learning_rate();
            set_learning_rate: adam(a).set_learning_rate(a.number());
        }
        "nn::Lbfgs" {
            new: done(Lbfgs::<T>::new());
            with_config: { let c = options(a); lbfgs(a, c).map(|_| ()) };
            config_mut: done(Lbfgs::<T>::new().config_mut());
            evaluations: { let c = options(a); lbfgs(a, c).map(|(_, o)| o.evaluations()) };
            step: { let c = options(a); lbfgs(a, c).map(|_| ()) };
            state: { let c = options(a); lbfgs(a, c).and_then(|(m, o)| o.state(&m).map(done)) };
            load_state: { let c = options(a);
                lbfgs(a, c).and_then(|(m, mut o)| { let state = damaged(a, o.state(&m)?);
                o.load_state(&m, &state) }) };
        }
        "nn::clip" {
            clip_norm: swept(a).and_then(|(_, mut g)| Ok(clip_norm(&mut g, a.positive())?));
            clip_value: swept(a).and_then(|(_, mut g)| Ok(clip_value(&mut g, a.positive())?));
        }
        "nn::Accumulator" {
            new: done(Accumulator::<T>::new());
            add: accumulated(a).map(done);
            len: accumulated(a).map(|s| s.len());
            is_empty: accumulated(a).map(|s| s.is_empty());
            take_sum: accumulated(a).map(|mut s| s.take_sum());
            take_mean: accumulated(a).map(|mut s| s.take_mean());
        }
        "nn::Ema" {
            new: { let m = linear(a); done(Ema::new(a.number(), &m)) };
            set_decay: ema(a).and_then(|(m, mut e)| { e.set_decay(a.probability()); e.update(&m) });
            update: ema(a).map(done);
            swap: ema(a).and_then(|(m, mut e)| { let mut m = if a.once_in(3) { linear(a) } else { m };
                e.swap(&mut m) });
            store: ema(a).and_then(|(m, e)| { let mut m = if a.once_in(3) { linear(a) } else { m };
                e.store(&mut m) });
            state: ema(a).map(|(_, e)| e.state().len());
            load_state: ema(a).and_then(|(_, mut e)| { let state = damaged(a, e.state().clone());
                e.load_state(&state) });
        }
        "nn::Plateau" {
            new: done(Plateau::new(a.number()));
            with_config: done(plateau(a));
            rate: plateau(a).rate();
            observe: { let mut p = plateau(a); p.observe(a.number()).and_then(|_| p.observe(a.number())) };
            state: done(plateau(a).state());
            load_state: { let mut p = plateau(a); let state = damaged(a, p.state()); p.load_state(&state) };
        }
        "nn::Schedule" {
            one_cycle: { let s = Schedule::one_cycle(a.number(), a.count(0..=9)); at(a, s) };
            after_warmup: { let s = schedule(a, 1).after_warmup(a.count(0..=9)); at(a, s) };
            then: { let s = schedule(a, 1).then(a.count(0..=9), schedule(a, 1)); at(a, s) };
            times: { let s = schedule(a, 1).times(schedule(a, 1)); at(a, s) };
            at: { let s = schedule(a, 2); at(a, s) };
        }
        "nn::penalty" {
            l1: penalty::l1(&linear(a), a.tape, a.number());
            l2: penalty::l2(&linear(a), a.tape, a.number());
        }
        "nn::AnyTensor" {
            of: done(AnyTensor::of(&a.tensor()));
            to_float: AnyTensor::of(&a.tensor()).to_float::<T>();
            shape: AnyTensor::of(&a.tensor()).shape().clone();
            dtype: AnyTensor::of(&a.tensor()).dtype();
            nbytes: AnyTensor::of(&a.tensor()).nbytes();
        }
    }
}
