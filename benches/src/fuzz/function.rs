//! A public function of the libraries in the form that the fuzz calls: a name, and a call with random arguments.

use crate::arguments::Arguments;
use std::hint::black_box;
use wengert::ops::random::{Key, Rng};
use wengert::ops::{DType, Element, Layout, Shape, Tensor};
use wengert::tape::{Dims, Error, ErrorKind, Float, Grads, PerSample, RetainGraph, Var};

/// A public function.
pub(crate) struct Function<T: Float> {
    /// The crate, the type or module, and the name, as in `tape::Var::softmax`.
    pub(crate) name: &'static str,
    pub(crate) call: for<'t> fn(&mut Arguments<'t, T>) -> Seen<'t, T>,
}

/// Entries of the table: `table!(a; "tape::Var" { tanh: a.var().tanh(); .. } ..)` is a `Vec` of [`Function`]s.
macro_rules! table {
    ($a:ident; $($group:literal { $($name:ident: $call:expr;)* })*) => {
        vec![$($({
            #[allow(unused_variables, reason = "some functions take nothing")]
            fn call<'t, T: Float>($a: &mut crate::arguments::Arguments<'t, T>) -> Seen<'t, T> {
                Seen::of($call)
            }
            Function { name: concat!($group, "::", stringify!($name)), call: call::<T> }
        },)*)*]
    };
}
pub(crate) use table;

/// The result of a call.
pub(crate) struct Seen<'t, T: Float> {
    /// The error of the call, if it was refused.
    pub(crate) refused: Option<String>,
    /// The values on the tape that it returned.
    vars: Vec<Var<'t, T>>,
}

impl<'t, T: Float> Seen<'t, T> {
    pub(crate) fn of(outcome: impl Outcome<'t, T>) -> Self {
        let mut seen = Seen { refused: None, vars: Vec::new() };
        outcome.show(&mut seen);
        seen
    }

    /// Differentiates the results of the call, once on tensors and sometimes twice on the tape. An error means that a value was
    /// computed but could not be differentiated.
    pub(crate) fn sweep(&self, a: &mut Arguments<'t, T>) -> Result<(), Error> {
        let known = |v: &&Var<'t, T>| v.numel() <= 4096 && std::ptr::eq(v.tape(), a.tape);
        let vars: Vec<_> = self.vars.iter().filter(known).copied().collect();
        if vars.is_empty() {
            return Ok(());
        }
        if a.once_in(3) && vars.iter().all(|v| v.numel() <= 64) {
            excused(twice(&vars, a))?;
        }
        let seeds = vars.iter().map(|v| Ok((*v, Tensor::try_full(v.shape(), T::ONE)?)));
        let seeds = seeds.collect::<Result<Vec<_>, Error>>()?;
        let retain = if a.once_in(2) { RetainGraph::Values } else { RetainGraph::Nothing };
        excused(a.tape.backward(&seeds, retain).map(|grads| {
            for leaf in &a.leaves {
                black_box(grads.wrt(*leaf).map(|g| g.to_vec()).is_ok());
            }
        }))
    }
}

/// The gradient of the gradient.
fn twice<'t, T: Float>(vars: &[Var<'t, T>], a: &Arguments<'t, T>) -> Result<(), Error> {
    let seeds: Vec<_> = vars.iter().map(|v| (*v, v.ones_like())).collect();
    let leaves: Vec<_> = a.leaves.iter().copied().filter(|v| std::ptr::eq(v.tape(), a.tape)).collect();
    let first = a.tape.grad(&seeds, &leaves)?;
    let seeds: Vec<_> = first.iter().map(|v| (*v, v.ones_like())).collect();
    if !seeds.is_empty() {
        let second = a.tape.grad(&seeds, &leaves)?;
        black_box(second.iter().filter_map(|v| v.value().ok()).map(|v| v.to_vec()).collect::<Vec<_>>());
    }
    Ok(())
}

/// Accepts the errors that a sweep may end with, since values are freed, constant, singular, or not finite. Not accepted is a
/// rule whose cotangents have the wrong shape.
fn excused(outcome: Result<(), Error>) -> Result<(), Error> {
    use wengert::ops::ErrorKind::{Axis, Index, Shape};
    outcome.or_else(|e| match e.kind() {
        ErrorKind::Rule => Err(e),
        ErrorKind::Op(Shape | Axis | Index) => Err(e),
        _ => Ok(()),
    })
}

/// A function's result.
pub(crate) trait Outcome<'t, T: Float> {
    /// Reads all of it, and records what was refused and what can be differentiated.
    fn show(self, seen: &mut Seen<'t, T>);
}

impl<'t, T: Float> Outcome<'t, T> for Var<'t, T> {
    fn show(self, seen: &mut Seen<'t, T>) {
        if self.is_failed() {
            seen.refused = self.value().err().map(|e| e.to_string());
        } else {
            self.value().ok().show(seen);
            seen.vars.push(self);
        }
    }
}

impl<'t, T: Float, U: Element> Outcome<'t, T> for Tensor<U> {
    fn show(self, _seen: &mut Seen<'t, T>) {
        if self.numel() < 1 << 16 {
            black_box(self.to_vec());
        }
    }
}

impl<'t, T: Float, R: Outcome<'t, T>, E: std::fmt::Display> Outcome<'t, T> for Result<R, E> {
    fn show(self, seen: &mut Seen<'t, T>) {
        match self {
            Ok(r) => r.show(seen),
            Err(e) => seen.refused = Some(e.to_string()),
        }
    }
}

impl<'t, T: Float, R: Outcome<'t, T>> Outcome<'t, T> for Option<R> {
    fn show(self, seen: &mut Seen<'t, T>) {
        if let Some(r) = self {
            r.show(seen);
        }
    }
}

impl<'t, T: Float, R: Outcome<'t, T>> Outcome<'t, T> for Vec<R> {
    fn show(self, seen: &mut Seen<'t, T>) {
        self.into_iter().for_each(|r| r.show(seen));
    }
}

impl<'t, T: Float, R: Outcome<'t, T>, const N: usize> Outcome<'t, T> for [R; N] {
    fn show(self, seen: &mut Seen<'t, T>) {
        self.into_iter().for_each(|r| r.show(seen));
    }
}

impl<'t, T: Float, A: Outcome<'t, T>, B: Outcome<'t, T>> Outcome<'t, T> for (A, B) {
    fn show(self, seen: &mut Seen<'t, T>) {
        self.0.show(seen);
        self.1.show(seen);
    }
}

macro_rules! seen_by_being_there {
    ($($t:ty)*) => {$(
        impl<'t, T: Float> Outcome<'t, T> for $t {
            fn show(self, _seen: &mut Seen<'t, T>) {
                black_box(self);
            }
        }
    )*};
}
seen_by_being_there!(() bool u32 u64 usize f32 f64 String &'static str Shape Layout DType Key Rng Dims Grads<T> PerSample<T>);

/// Consumes any other result.
pub(crate) fn done<R>(result: R) {
    black_box(&result);
}
