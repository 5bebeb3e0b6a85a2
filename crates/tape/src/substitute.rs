//! [`Replay`]: a value that replaces a parameter while a layer runs.

use crate::error::{Error, ErrorKind};
use crate::number::Float;
use crate::tape::Tape;
use crate::tape::param::{Param, ParamId};
use crate::tape::var::Var;

/// While this guard exists, its tape uses another value for a parameter. Dropping it restores the previous value.
#[must_use = "the substitution ends when this is dropped"]
pub struct Replay<'t, T: Float> {
    tape: &'t Tape<T>,
    key: (ParamId, u64),
    by: u32,
    before: Option<u32>,
}

impl<T: Float> Drop for Replay<'_, T> {
    fn drop(&mut self) {
        let params = &mut self.tape.state.borrow_mut().params;
        // A sweep may have cleared the list in between; what it released must not come back.
        if params.get(&self.key) == Some(&self.by) {
            match self.before {
                Some(id) => params.insert(self.key, id),
                None => params.remove(&self.key),
            };
        }
    }
}

impl<T: Float> Tape<T> {
    /// Makes [`param`](Tape::param) return `by` for `p` until the result is dropped: weights with noise, normalised or
    /// quantised weights, for a layer that does not know about it. The gradient flows to the values that `by` is made from.
    ///
    /// If `by` has another shape than the parameter, or belongs to another tape, an error replaces the parameter.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{Param, Tape};
    /// let p = Param::new(Tensor::from([3.0]));
    /// let tape = Tape::new();
    /// let twice = tape.param(&p) * 2.0;
    /// let y = {
    ///     let _here = tape.substitute(&p, twice);
    ///     tape.param(&p) * 5.0                        // a layer that asks for its weight
    /// };
    /// assert_eq!((y.item()?, tape.param(&p).item()?), (30.0, 3.0));
    /// assert_eq!(*y.backward()?.of(&p)?, Tensor::from([10.0]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "functional_call")]
    #[doc(alias = "register_parametrization")]
    #[track_caller]
    pub fn substitute<'t>(&'t self, p: &Param<T>, by: Var<'t, T>) -> Replay<'t, T> {
        const OP: &str = "substitute";
        let mut by = by;
        if !std::ptr::eq(by.tape, self) {
            by = self.failed(Error::new(ErrorKind::ForeignTape, OP, "the value belongs to another tape"));
        } else if !by.is_failed() && by.raw_shape() != *p.shape() {
            let detail = format!("expected the parameter's shape {}, found {}", p.shape(), by.shape());
            by = self.failed(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), OP, detail));
        }
        let key = (p.id(), p.version());
        let before = self.state.borrow_mut().params.insert(key, by.id);
        Replay { tape: self, key, by: by.id, before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;

    #[test]
    fn substitutions_nest_and_end() {
        let (p, tape) = (Param::new(Tensor::from([3.0])), Tape::new());
        let value = || tape.param(&p).item().unwrap();
        {
            let _outer = tape.substitute(&p, tape.constant(Tensor::from([5.0])));
            assert_eq!(value(), 5.0);
            {
                let _inner = tape.substitute(&p, tape.param(&p) + 1.0);
                assert_eq!(value(), 6.0);
            }
            assert_eq!(value(), 5.0);
        }
        assert_eq!(value(), 3.0);
    }

    #[test]
    fn a_sweep_inside_leaves_nothing_stale() {
        let (p, tape) = (Param::new(Tensor::from([3.0])), Tape::new());
        let here = tape.substitute(&p, tape.param(&p).square());
        let grads = tape.param(&p).sum().backward().unwrap();
        assert_eq!(grads.of(&p).unwrap().to_vec(), [6.0]);
        drop(here);
        assert_eq!(tape.param(&p).item().unwrap(), 3.0);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let (p, tape, other) = (Param::new(Tensor::from([3.0])), Tape::new(), Tape::new());
        for (by, words) in [
            (tape.constant(Tensor::from([1.0, 2.0])), "shape [1], found [2]"),
            (other.param(&p), "another tape"),
        ] {
            let _here = tape.substitute(&p, by);
            let e = (tape.param(&p) * 2.0).value().unwrap_err();
            assert!(e.op() == "substitute" && e.to_string().contains(words), "{e}");
        }
    }
}
