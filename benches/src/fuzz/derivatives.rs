//! `tape`: derivatives as tensors, and gradients of samples.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::tape::{Float, Grads, Param, PerSample, Result, Tape, Var, per_sample};
use wengert::tape::{hessian, hvp, jacobian, jvp, vjp};

/// A function of `x`: smooth, constant or failing, with a scalar result or one of another shape.
fn function<T: Float>(which: usize, x: Var<'_, T>) -> Var<'_, T> {
    match which {
        0 => x.tanh() * x,
        1 => x.detach(),
        2 => x.flatten(0).index_select(0, &wengert::ops::Tensor::from([0i64])),
        3 => x.tape().constant(1.0),
        4 => Tape::constant(x.tape(), 2.0) * x.flatten(0),
        5 => x,
        _ => x.square().sum(),
    }
}

/// A small tensor at which to differentiate.
fn point<T: Float>(a: &mut Arguments<'_, T>) -> wengert::ops::Tensor<T> {
    let shape = a.sizes::<2>().map(|n| n.min(3));
    a.tensor_of(&shape)
}

fn samples<T: Float>(a: &mut Arguments<'_, T>) -> (Param<T>, Param<T>, Result<PerSample<T>>) {
    let (n, which, p) = (a.below(4), a.below(9), a.param());
    let each = per_sample(n, |tape, i| function(which.max(5) + i, tape.param(&p)).sum());
    (p, a.param(), each)
}

fn swept<T: Float>(a: &mut Arguments<'_, T>) -> Result<(Param<T>, Grads<T>)> {
    let p = a.param();
    let grads = (a.tape.param(&p) * a.same()).sum().backward()?;
    Ok((p, grads))
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::derivatives" {
            vjp: { let (x, which) = (point(a), a.below(9)); let v = if which > 5 { a.like(&[]) } else { a.like(x.shape()) };
                vjp(|x| function(which, x), &x, &v) };
            jvp: { let (x, which) = (point(a), a.below(9));
                jvp(|x| function(which, x), &x, &a.like(x.shape())) };
            jacobian: { let (x, which) = (point(a), a.below(9)); jacobian(|x| function(which, x), &x) };
            hessian: { let (x, which) = (point(a), a.below(9)); hessian(|x| function(which, x), &x) };
            hvp: { let (x, which) = (point(a), a.below(9));
                hvp(|x| function(which, x), &x, &a.like(x.shape())) };
        }
        "tape::per_sample" {
            per_sample: samples(a).2;
        }
        "tape::PerSample" {
            of: { let (p, q, each) = samples(a); let other = a.once_in(4);
                each.and_then(|s| s.of(if other { &q } else { &p })) };
            norms: samples(a).2.map(|s| done(s.norms()));
            weighted: { let (_, _, each) = samples(a); match each {
                Ok(s) => { let n = s.len(); let n = a.count(n..=n).min(9);
                    let w: Vec<_> = (0..n).map(|_| a.number()).collect();
                    s.weighted(&w) }
                Err(e) => Err(e),
            } };
            len: samples(a).2.map(|s| s.len());
            is_empty: samples(a).2.map(|s| s.is_empty());
        }
        "tape::Grads" {
            wrt: { let x = a.var(); let other = if a.once_in(3) { a.var() } else { x };
                (x * x).sum().backward().and_then(|g| g.wrt(other)) };
            of: swept(a).and_then(|(p, g)| { let other = a.param();
                g.of(if a.once_in(4) { &other } else { &p }).cloned() });
            get: swept(a).map(|(p, g)| g.get(p.id()).cloned());
            iter: swept(a).map(|(_, g)| done(g.iter().map(|(_, _, g)| g.to_vec()).collect::<Vec<_>>()));
            iter_mut: swept(a).map(|(_, mut g)| g.iter_mut().for_each(|(_, g)| *g = g.scale(2.0)));
            norm: swept(a).map(|(_, g)| done(g.norm()));
            len: swept(a).map(|(_, g)| g.len());
            is_empty: swept(a).map(|(_, g)| g.is_empty());
            accumulate: swept(a).and_then(|(p, mut g)| {
                let x = a.tape.param(&p);
                let more = (x * x).sum().backward()?;
                let other = swept(a)?.1;
                g.accumulate(more)?;
                g.accumulate(other)
            });
            scale: swept(a).map(|(_, mut g)| g.scale(a.number()));
            scale_parameters: swept(a).map(|(_, mut g)| g.scale_parameters(a.number()));
            gradient: swept(a).map(|(p, g)| g.gradient(p.id()).map(|g| g.values.scale(g.factor.to_f64())));
            updates: swept(a).map(|(_, g)| g.updates().len());
        }
    }
}
