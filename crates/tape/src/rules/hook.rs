//! hook: the value itself; a function changes its cotangent in the reverse sweep.

use super::prelude::*;

struct Hook<F>(F);

impl<T: Float, F> Op<T> for Hook<F>
where
    F: for<'s> Fn(Var<'s, T>) -> Var<'s, T> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        "hook"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].clone().into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        cotangents([Some((self.0)(r.gy()))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Var<'_, T> {
    /// The same value. The reverse sweep calls `f` with the cotangent and continues with what `f` returns. So a hook can
    /// observe a cotangent (return it unchanged), clip or scale it, or negate it, as a gradient reversal layer does.
    ///
    /// `f` uses operations of the tape, so a recorded sweep differentiates through it. The hook sees only cotangents that
    /// flow through the returned handle. The result of `f` must have the cotangent's shape, otherwise the sweep fails. To
    /// read a cotangent after the sweep, [`keep`](Var::keep) the value instead.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, -3.0]));
    /// let loss = x.hook(|g| g.clamp(-2.0, 2.0)).square().sum();
    /// assert_eq!(loss.backward()?.wrt(x)?.to_vec(), [2.0, -2.0]);          // not [2, -6]
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "register_hook")]
    #[track_caller]
    pub fn hook(self, f: impl for<'s> Fn(Var<'s, T>) -> Var<'s, T> + Send + Sync + 'static) -> Self {
        self.tape().apply(Hook(f), &[self])
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("hook", Order::Second, |g| {
        let shape = g.shape(0..=3);
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| x[0].hook(|g| g))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_hook_sees_and_changes_what_passes_through_it_alone() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([1.0, 2.0]));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let h = x.hook(move |g| {
            log.lock().unwrap().extend(g.value().unwrap().to_vec());
            -g
        });
        let y = (h * 3.0 + x * 10.0).sum();
        assert_eq!(y.backward().unwrap().wrt(x).unwrap().to_vec(), [7.0, 7.0]);
        assert_eq!(*seen.lock().unwrap(), [3.0, 3.0]);
    }

    #[test]
    fn a_recorded_sweep_differentiates_through_a_hook() {
        let tape = Tape::<f64>::new();
        let x = tape.var(3.0);
        let g = x.hook(|g| g * 0.5).square().grad(x).unwrap(); // half of 2x, which is x
        assert_eq!(g.item().unwrap(), 3.0);
        // The second sweep goes through the hook too.
        assert_eq!(g.grad(x).unwrap().item().unwrap(), 0.5);
    }

    #[test]
    fn another_shape_is_refused() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([1.0, 2.0]));
        let e = x.hook(|g| g.sum()).sum().backward().unwrap_err();
        assert_eq!(e.op(), "hook");
        assert!(e.to_string().contains("shape []") && e.to_string().contains("[2]"), "{e}");
    }
}
