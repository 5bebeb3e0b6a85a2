//! Local response norm (Krizhevsky, Sutskever and Hinton 2012): x/(k + α mean x²)^β, where the mean is over neighbouring
//! channels; a composite of other ops.

use super::prelude::*;

impl<T: Float> Var<'_, T> {
    /// Each element of `[samples, channels, ..]` divided by (k + α s)^β, where s is Σx²/`size` over the `size` channels
    /// around its own: `size/2` before it and `(size - 1)/2` after it, as in PyTorch. Channels beyond the ends count as
    /// zeros.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 1.0, 1.0]]));
    /// let y = x.local_response_norm(3, 3.0, 1.0, 1.0);
    /// assert_eq!(y.value()?, Tensor::from([[1.0 / 3.0, 0.25, 1.0 / 3.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn local_response_norm(self, size: usize, alpha: f64, beta: f64, k: f64) -> Self {
        let _scope = self.tape().error_scope("local_response_norm");
        const OP: &str = "local_response_norm";
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let wrong = match (shape.len(), size) {
            (..2, _) => Some((Kind::Shape, format!("expected [samples, channels, ..], found {shape}"))),
            (_, 0) => {
                Some((Kind::Argument, "expected a neighbourhood of one channel or more, found 0".into()))
            }
            _ => None,
        };
        if let Some((kind, detail)) = wrong {
            return refuse(self, OP, kind, detail);
        }
        let channels = shape[1];
        let square = self.square();
        // Beyond the last channel there are only zeros, however large the neighbourhood.
        let (before, after) = ((size / 2).min(channels), ((size - 1) / 2).min(channels));
        let mut total = square;
        for d in 1..=before {
            let zeros = square.slice(1, 0..d).zeros_like();
            total += self.tape().concat(&[zeros, square.slice(1, 0..channels - d)], 1);
        }
        for d in 1..=after {
            let zeros = square.slice(1, 0..d).zeros_like();
            total += self.tape().concat(&[square.slice(1, d..channels), zeros], 1);
        }
        self * (total * (alpha / size as f64) + k).pow(-beta)
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("local_response_norm", Order::Second, |g| {
        let mut shape = vec![g.dim(0..=2), g.dim(1..=4)];
        let rest = shape[0] * shape[1];
        if g.once_in(2) {
            shape.push(g.beside(1..=3, rest));
        }
        let (size, beta) = (g.within(1..=5), g.pick(&[0.75, 1.0, 0.5]));
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| x[0].local_response_norm(size, 0.7, beta, 1.5))
    })
}
