//! Scopes: values made inside that are no longer needed are freed when the scope ends.

use crate::number::Float;
use crate::tape::Tape;
use crate::tape::region::drop_values;
use crate::tape::slot::{Gone, Slot};
use crate::tape::var::Var;
use smallvec::SmallVec;
use std::panic::Location;

/// What a scope returns to its caller: the handles whose values stay.
pub trait ScopeOutput {
    /// Calls `each` with the node of every handle in this output.
    fn nodes(&self, each: &mut dyn FnMut(u32));
}

impl<T: Float> ScopeOutput for Var<'_, T> {
    fn nodes(&self, each: &mut dyn FnMut(u32)) {
        each(self.id);
    }
}

macro_rules! nothing {
    ($($t:ty)*) => {$(
        impl ScopeOutput for $t {
            fn nodes(&self, _each: &mut dyn FnMut(u32)) {}
        }
    )*};
}
nothing!(() bool usize i64 f32 f64 String);

impl<T: wengert_ops::Element> ScopeOutput for wengert_ops::Tensor<T> {
    fn nodes(&self, _each: &mut dyn FnMut(u32)) {}
}

impl<K: ScopeOutput> ScopeOutput for Vec<K> {
    fn nodes(&self, each: &mut dyn FnMut(u32)) {
        self.iter().for_each(|k| k.nodes(each));
    }
}

impl<K: ScopeOutput, const N: usize> ScopeOutput for [K; N] {
    fn nodes(&self, each: &mut dyn FnMut(u32)) {
        self.iter().for_each(|k| k.nodes(each));
    }
}

impl<K: ScopeOutput> ScopeOutput for Option<K> {
    fn nodes(&self, each: &mut dyn FnMut(u32)) {
        self.iter().for_each(|k| k.nodes(each));
    }
}

impl<K: ScopeOutput, E> ScopeOutput for Result<K, E> {
    fn nodes(&self, each: &mut dyn FnMut(u32)) {
        self.iter().for_each(|k| k.nodes(each));
    }
}

macro_rules! tuples {
    ($(($($k:ident)*))*) => {$(
        impl<$($k: ScopeOutput),*> ScopeOutput for ($($k,)*) {
            #[allow(non_snake_case, reason = "the type parameters name the fields")]
            fn nodes(&self, each: &mut dyn FnMut(u32)) {
                let ($($k,)*) = self;
                $($k.nodes(each);)*
            }
        }
    )*};
}
tuples!((A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F));

impl<T: Float> Tape<T> {
    /// Runs `f`. When it returns, the values made inside are freed, except those that it returns, those that a rule will
    /// read in the reverse sweep, and those that were [kept](Var::keep).
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0]));
    /// let mut inner = x;
    /// let y = tape.scope(|| {
    ///     inner = x + 1.0;                    // no rule reads it
    ///     (inner * 2.0).sum()
    /// });
    /// assert_eq!(y.item()?, 10.0);
    /// assert!(inner.value().unwrap_err().to_string().contains("keep()"));
    /// assert_eq!(y.backward()?.wrt(x)?, Tensor::from([2.0, 2.0]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn scope<K: ScopeOutput>(&self, f: impl FnOnce() -> K) -> K {
        let scope = self.open_scope();
        scope.close(f())
    }

    /// Opens a scope that [`close`](Scope::close) ends, for code in which a closure would hide the caller's line. If it is
    /// dropped without being closed, it frees nothing.
    #[track_caller]
    pub fn open_scope(&self) -> Scope<'_, T> {
        Scope::open(self, false, Location::caller())
    }
}

/// An open scope or [`checkpoint`](Tape::checkpoint).
#[must_use]
pub struct Scope<'t, T: Float> {
    tape: &'t Tape<T>,
    start: usize,
    /// Whether the sweep recomputes dropped values.
    checkpoint: bool,
    at: &'static Location<'static>,
}

impl<'t, T: Float> Scope<'t, T> {
    pub(crate) fn open(tape: &'t Tape<T>, checkpoint: bool, at: &'static Location<'static>) -> Self {
        Scope { tape, start: tape.len(), checkpoint, at }
    }

    /// Frees what was made since the scope was opened, except what `result` holds, what a rule will read, and what was
    /// kept. A checkpoint also drops what a rule will read.
    pub fn close<K: ScopeOutput>(self, result: K) -> K {
        let mut stays: SmallVec<[u32; 4]> = SmallVec::new();
        result.nodes(&mut |id| stays.push(id));
        if self.checkpoint {
            // An error is in the value.
            let _ = self.tape.read_by("the end of a checkpoint", || self.tape.compute(&stays));
            let mut state = self.tape.state.borrow_mut();
            let region = drop_values(&mut state.nodes, self.start, &stays, self.at);
            state.regions.push(region);
            return result;
        }
        if self.tape.mode.keeps {
            return result;
        }
        let (compute, mut held) = self.pending(&stays);
        if !compute.is_empty() {
            // An error is in the value.
            let _ = self.tape.read_by("the end of a scope", || self.tape.compute(&compute));
            held = self.pending(&stays).1;
        }
        let mut state = self.tape.state.borrow_mut();
        for (id, node) in state.nodes.iter_mut().enumerate().skip(self.start) {
            let made = node.op.is_some() || node.first as usize != id || !node.inputs.is_empty();
            if !made || node.wanted || node.kept || stays.contains(&(id as u32)) {
                continue;
            }
            match &mut node.value {
                Slot::Pending(p) if held.contains(&(id as u32)) => {
                    p.freed.get_or_insert(Gone::Scope(self.at));
                }
                Slot::Pending(p) => {
                    node.value = Slot::Gone(p.shape.clone(), p.freed.unwrap_or(Gone::Scope(self.at)));
                }
                Slot::Ready(t) => node.value = Slot::Gone(t.shape().clone(), Gone::Scope(self.at)),
                _ => {}
            }
        }
        result
    }

    /// Of the pending values: those that stay but need a value in memory that does not, and those that do not stay but are needed by
    /// one that does.
    fn pending(&self, stays: &[u32]) -> (SmallVec<[u32; 4]>, Vec<u32>) {
        let state = self.tape.state.borrow();
        let (mut compute, mut held) = (SmallVec::new(), Vec::new());
        if !state.is_pending_from(self.start) {
            return (compute, held);
        }
        let nodes = &state.nodes;
        let stays = |id: u32| {
            let node = &nodes[id as usize];
            (id as usize) < self.start || node.wanted || node.kept || stays.contains(&id)
        };
        let is_pending = |id: u32| matches!(nodes[id as usize].value, Slot::Pending(_));
        let here = state.pending().iter().copied().filter(|&id| id as usize >= self.start && is_pending(id));
        for id in here.filter(|&id| stays(id)) {
            let before = held.len();
            let mut open: SmallVec<[u32; 8]> = nodes[id as usize].inputs.iter().copied().collect();
            let mut loses = false;
            while let Some(x) = open.pop() {
                if stays(x) || held[before..].contains(&x) {
                    continue;
                }
                if is_pending(x) {
                    held.push(x);
                    open.extend(nodes[x as usize].inputs.iter().copied());
                } else {
                    loses = true;
                }
            }
            if loses {
                held.truncate(before);
                compute.push(id);
            }
        }
        (compute, held)
    }
}
