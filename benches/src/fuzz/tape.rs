//! `tape`: tapes, values, parameters, scopes, sweeps, custom ops, and errors.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::ops::Tensor;
use wengert::tape::profile::{Column, Pass, Profile, Profiler, span, span_of};
use wengert::tape::{
    BackwardContext, Cotangents, Error, ErrorKind, Float, ForwardOutput, Grads, Op, Param, Result,
    RetainGraph, Tape, Var, VjpContext, cotangents,
};

/// A custom op whose rule requests inputs and outputs that may not be available.
#[derive(Clone, Copy)]
struct Asking {
    outputs: usize,
    which: usize,
    i: usize,
    eager: bool,
}

impl Asking {
    fn drawn<T: Float>(a: &mut Arguments<'_, T>, which: usize) -> Self {
        let i = if a.once_in(2) { 0 } else { a.count(0..=3) };
        Asking { outputs: a.below(4), which, i, eager: a.once_in(2) }
    }
}

impl<T: Float> Op<T> for Asking {
    fn name(&self) -> &'static str {
        "asking"
    }

    fn forward(&self, x: &[&Tensor<T>]) -> wengert::ops::Result<ForwardOutput<T>> {
        let y = x.first().map_or_else(|| Tensor::scalar(T::ONE), |x| x.scale(2.0));
        Ok(vec![y; self.outputs].into())
    }

    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let i = self.i;
        let g = match self.which {
            0 => r.x(i),
            1 => r.y() * r.outputs().len() as f64,
            2 => r.gy_of(i),
            3 => r.gy() * r.cotangents().len() as f64,
            4 => return [r.when(i, || r.gy())].into_iter().collect(),
            5 if r.needs(i) => r.gy(),
            _ => return r.inputs().iter().copied().map(Some).collect(),
        };
        cotangents([Some(g * 2.0)])
    }

    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let i = self.i;
        self.eager.then(|| {
            let g = match self.which {
                0 => r.x(i)?.clone(),
                1 => r.y()?.clone(),
                2 => Tensor::try_full(r.shape(i), T::ONE)?,
                3 => r.gy()?.scale(r.cotangents().len() as f64),
                4 => r.saved(i)?.clone(),
                _ if r.needs(i) => r.gy()?.clone(),
                _ => return Ok((0..r.inputs()).map(|_| None).collect()),
            };
            Ok(cotangents([Some(g)]))
        })
    }
}

/// The sweep of an op whose rule requests inputs and outputs.
fn asked<'t, T: Float>(a: &mut Arguments<'t, T>, which: usize, eager: bool) -> Result<Grads<T>> {
    let op = Asking { eager, outputs: 1, ..Asking::drawn(a, which) };
    let x = a.tape.var(a.tensor());
    a.tape.apply(op, &[x]).sum().backward()
}

static STATIC: Asking = Asking { outputs: 1, which: 0, i: 0, eager: false };

const PASSES: [Pass; 3] = [Pass::Forward, Pass::Evaluation, Pass::Named("fuzz")];

/// The profile of a sweep, which may fail.
fn profiled<T: Float>(a: &mut Arguments<'_, T>) -> Profile {
    let x = a.var();
    a.tape.profile(|| x.exp().sum().backward_retaining().map(drop)).1
}

fn error<T: Float>(a: &mut Arguments<'_, T>) -> Error {
    Error::new(
        a.pick(&[ErrorKind::Freed, ErrorKind::Rule, ErrorKind::NonFinite]),
        "fuzz",
        "x".repeat(a.below(9)),
    )
}

/// Outputs with cotangents, which usually have the right shapes.
fn seeds<'t, T: Float>(a: &mut Arguments<'t, T>) -> Vec<(Var<'t, T>, Tensor<T>)> {
    (0..a.below(3))
        .map(|_| {
            let x = a.var();
            (if a.once_in(2) { x.exp() } else { x }, a.like(x.shape().as_shape()))
        })
        .collect()
}

fn retain<T: Float>(a: &mut Arguments<'_, T>) -> RetainGraph {
    a.pick(&[RetainGraph::Nothing, RetainGraph::Values])
}

/// A value created inside a scope, and one that depends on it.
fn inside<'t, T: Float>(x: Var<'t, T>) -> (Var<'t, T>, Var<'t, T>) {
    let inner = x + 1.0;
    (inner, inner.exp() * inner)
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::profile" {
            span: { let _span = span(a.pick(&PASSES)); a.var().exp() };
            span_of: { let _span = span_of("fuzz", a.pick(&PASSES), || None); a.var().exp() };
        }
        "tape::Profiler" {
            start: { let _profiler = Profiler::start(); let _span = span(Pass::Data); a.var().exp() };
            stop: {
                let (profiler, span) = (Profiler::start(), span(a.pick(&PASSES)));
                let x = a.var().exp();
                if a.flag() { drop(span); }
                let profile = profiler.stop();
                done(profile.to_string());
                x
            };
        }
        "tape::Profile" {
            rows: done(profiled(a).rows().to_vec());
            wall: done(profiled(a).wall());
            threads_running: done(profiled(a).threads_running());
            threads_waiting: done(profiled(a).threads_waiting());
            wake_ups: done(profiled(a).wake_ups());
            peak_bytes: profiled(a).peak_bytes();
            per_step: { let steps = a.below(3); profiled(a).per_step(steps).to_string() };
            table: profiled(a).table().to_string();
            by_operation: profiled(a).by_operation().to_string();
            by_module: profiled(a).by_module().to_string();
            by_pass: profiled(a).by_pass().to_string();
            chrome_trace: profiled(a).chrome_trace();
            write_chrome_trace: done(profiled(a).write_chrome_trace(""));
        }
        "tape::Table" {
            rows: done(profiled(a).table().rows().to_vec());
            sorted_by: { let column = a.pick(&[Column::Calls, Column::Bytes, Column::AllocatedBytes, Column::TotalTime]);
                profiled(a).table().sorted_by(column).to_string() };
            limited: { let rows = a.below(4); profiled(a).table().limited(rows).to_string() };
        }
        "tape::Tape" {
            substitute: { let p = a.param(); let by = a.same(); let _here = a.tape.substitute(&p, by);
                a.tape.param(&p) * 2.0 };
            profile: { let x = a.var(); a.tape.profile(|| x.exp()).0 };
            error_scope: { let x = a.var(); let _scope = a.tape.error_scope("fuzz"); x.exp() };
            new: done(Tape::<T>::new());
            train: done(Tape::<T>::train(a.bits()));
            eval: done(Tape::<T>::eval());
            detect_anomaly: { let tape = Tape::<T>::new().detect_anomaly();
                let t = a.tensor(); tape.var(t).log().sum().backward().map(|_| ()) };
            keep_all: { let tape = Tape::<T>::new().keep_all();
                let t = a.tensor(); tape.scope(|| tape.var(t).exp().sum()).backward().map(|_| ()) };
            eager: { let tape = Tape::<T>::new().eager();
                let t = a.tensor(); tape.var(t).exp().sum().backward().map(|_| ()) };
            explain_fusion: done(Tape::<T>::new().explain_fusion());
            fused_passes: { let tape = Tape::<T>::new().explain_fusion(); let x = tape.var(a.tensor());
                let g = (x.tanh() * x + 1.0).sum().backward();
                (g.is_ok(), tape.fused_passes().iter().map(|p| p.to_string().len()).sum::<usize>()) };
            values: { let (x, y) = (a.var(), a.var()); a.tape.values([x.exp(), y, x]).map(|[x, ..]| x) };
            is_training: a.tape.is_training();
            is_recording: a.tape.is_recording();
            next_key: a.tape.next_key();
            rng: a.tape.rng();
            set_rng: { a.tape.set_rng(a.rng()); a.tape.next_key() };
            reset: { let mut tape = Tape::<T>::new(); let g = tape.var(a.tensor()).sum().backward();
                tape.reset(); tape.reset();
                let x = tape.var(a.tensor()); (g.and_then(|g| g.wrt(x)).is_err(), x.sum().backward()) };
            error: done({ let _ = a.var(); a.tape.error() });
            len: { let _ = a.var(); a.tape.len() };
            is_empty: { let _ = a.var(); a.tape.is_empty() };
            bytes: { let _ = a.var(); a.tape.bytes() };
            var: a.tape.var(a.tensor());
            constant: a.tape.constant(a.tensor());
            param: { let p = a.param(); let x = a.tape.param(&p); x * a.tape.param(&p) };
            apply: { let op = Asking::drawn(a, 3); let x = a.var(); a.tape.apply(op, &[x]) };
            apply_many: { let op = Asking::drawn(a, 1); let x = a.var();
                a.tape.apply_many(op, &[x], a.count(op.outputs..=op.outputs).min(9)) };
            apply_static: { let x = a.vars_ranked(0..=2); a.tape.apply_static(&STATIC, &x).sum().backward() };
            failed: done(a.tape.failed(error(a)).is_failed());
            scope: { let x = a.var(); let mut lost = x;
                let y = a.tape.scope(|| { let (inner, y) = inside(x); lost = inner; y }); [y, lost.keep()] };
            open_scope: { let x = a.var(); let scope = a.tape.open_scope(); let (_, y) = inside(x);
                if a.once_in(4) { drop(scope) } else { let _ = scope.close(y); } y };
            checkpoint: { let x = a.var(); a.tape.checkpoint(|| a.tape.checkpoint(|| inside(x).1) * x) };
            open_checkpoint: { let x = a.var(); let scope = a.tape.open_checkpoint(); let (_, y) = inside(x);
                if a.once_in(4) { drop(scope) } else { let _ = scope.close(y); } y };
            backward: { let outputs = seeds(a); a.tape.backward(&outputs, retain(a)) };
            grad: { let x = a.var(); let outputs: Vec<_> = seeds(a).into_iter().map(|(y, g)| (y,
                a.tape.constant(g))).collect();
                let y = a.var(); a.tape.grad(&outputs, &[x, y, x]) };
        }
        "tape::Scope" {
            close: { let x = a.var(); let (outer, inner) = (a.tape.open_scope(), a.tape.open_checkpoint());
                let (p, q) = inside(x);
                if a.once_in(4) { let _ = outer.close(q); inner.close(p) } else { let _ = inner.close(q);
                    outer.close(p) } };
        }
        "tape::Var" {
            tape: a.var().tape().len();
            value: a.var().value();
            item: { let x = if a.once_in(2) { a.of(&[1]) } else { a.var() }; x.item().map(done) };
            shape: a.var().shape();
            rank: a.var().rank();
            numel: a.var().numel();
            is_failed: a.var().is_failed();
            dim: { let x = a.var_ranked(1..=5); x.dim(a.axis()); x };
            dims: { let x = a.var_ranked(2..=2); let [m, n] = x.dims(); done((m, n)); x };
            keep: a.var().keep();
            detach: a.var().detach();
            zeros_like: a.var().zeros_like();
            ones_like: a.var().ones_like();
            hook: { let which = a.below(5);
                a.var().hook(move |g| match which { 0 => g.sum(), 1 => g.tape().constant(1.0), 2 => -g,
                _ => g }).sum().backward() };
            backward: a.var().sum().backward();
            backward_retaining: { let y = a.var().exp().sum();
                y.backward_retaining().and_then(|_| y.backward_retaining()) };
            backward_from: { let x = a.var(); let g = a.like(&a.shape.clone()); x.tanh().backward_from(g) };
            grad: { let x = a.var(); let y = if a.once_in(3) { a.var() } else { x };
                x.square().sum().grad(y).and_then(|g| g.sum().grad(x)) };
        }
        "tape::Dims" {
            rank: a.var().shape().rank();
            numel: a.var().shape().numel();
            as_shape: a.var().shape().as_shape().clone();
        }
        "tape::Param" {
            new: a.tape.param(&Param::new(a.tensor()));
            value: a.param().value().clone();
            shape: a.param().shape().clone();
            numel: a.param().numel();
            id: done(a.param().id());
            version: done(a.param().version());
            set: { let mut p = a.param(); let t = a.same(); t.value().and_then(|t| p.set(t)) };
            update: { let mut p = a.param(); p.update(|t| t.data_mut().iter_mut().for_each(|v| *v = T::ONE)) };
            name: done(a.param().name());
            set_name: { let mut p = a.param(); p.set_name(&"a.".repeat(a.below(4))) };
            is_trainable: a.param().is_trainable();
            set_trainable: { let mut p = a.param(); let x = a.tape.param(&p); p.set_trainable(a.flag());
                x * a.tape.param(&p) };
        }
        "tape::op" {
            cotangents: done(cotangents([Some(a.var()), None]));
        }
        "tape::VjpContext" {
            x: asked(a, 0, false);
            y: asked(a, 1, false);
            outputs: asked(a, 1, false);
            gy_of: asked(a, 2, false);
            gy: asked(a, 3, false);
            cotangents: asked(a, 3, false);
            when: asked(a, 4, false);
            needs: asked(a, 5, false);
            inputs: asked(a, 6, false);
        }
        "tape::BackwardContext" {
            x: asked(a, 0, true);
            y: asked(a, 1, true);
            shape: asked(a, 2, true);
            gy: asked(a, 3, true);
            cotangents: asked(a, 3, true);
            saved: { let r = asked(a, 4, true); r.is_ok() };
            needs: asked(a, 5, true);
            inputs: asked(a, 6, true);
        }
        "tape::Error" {
            new: done(error(a));
            kind: done(error(a).kind());
            op: error(a).op();
            detail: done(error(a).detail());
            location: done(error(a).location());
            module_path: done(error(a).module_path());
            at: error(a).at(std::panic::Location::caller()).to_string();
            inside: error(a).inside(a.once_in(2).then(|| "encoder".repeat(a.below(3)))).to_string();
        }
    }
}
