//! Linear interpolation x + w (y - x), a composite.

use super::prelude::*;

impl<'t, T: Float> Var<'t, T> {
    /// This value moved towards another by the fraction w: x + w (y - x).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([2.0])).lerp(Tensor::from([6.0]), 0.25).item()?, 3.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn lerp(self, to: impl Operand<'t, T>, weight: impl Operand<'t, T>) -> Self {
        let _scope = self.tape().error_scope("lerp");
        let to = to.into_var(self.tape());
        self + (to - self) * weight
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("lerp", Order::Second, |g| {
        let (a, b) = g.pair();
        let w = g.broadcastable(&b);
        let x = vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real), g.tensor(&w, Domain::Real)];
        case!(x, [], |x| x[0].lerp(x[1], x[2]))
    })
}
