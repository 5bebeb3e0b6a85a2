//! Categorical cross-entropy from logits and class indices, fused: log Σ exp(x) - x[target] for every row, without the
//! probabilities in between. Cotangent: g (softmax(x) - onehot(target)), and 0 where g is: a row that does not count may be
//! anything.

use super::prelude::*;

struct CrossEntropy {
    targets: Tensor<i64>,
}

impl<T: Float> Op<T> for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("targets {}", listed(&self.targets)))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].cross_entropy(&self.targets)?.into())
    }
    fn composite<'t>(&self, x: &[Var<'t, T>]) -> Option<Vec<Var<'t, T>>> {
        let at = self.targets.unsqueeze(-1);
        Some(vec![match at {
            Ok(at) => -x[0].log_softmax(-1).gather(-1, &at).squeeze(-1),
            Err(e) => x[0].tape().failed(e.into()),
        }])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            Ok(cotangents([Some(r.x(0)?.cross_entropy_adjoint(&self.targets, r.gy()?)?)]))
        };
        Some(adjoint())
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<T: Float> Var<'_, T> {
    /// -log softmax(x)\[target\] for logits `[.., classes]` and class indices `[..]`, one number a row; stable for any
    /// logits, whatever offset they have in common. `mean()` or `sum()` makes a loss of it. A row whose cotangent is 0, as after
    /// `masked_fill`, has a gradient of 0 to any order, also if its logits are -∞ or NaN.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let logits = tape.var(Tensor::from([[0.0, 0.0], [1000.0, 0.0]]));
    /// let loss = logits.cross_entropy(&Tensor::from([0, 1]));
    /// assert_eq!(loss.value()?.to_vec(), [std::f64::consts::LN_2, 1000.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn cross_entropy(self, targets: &Tensor<i64>) -> Self {
        self.tape().apply(CrossEntropy { targets: targets.clone() }, &[self])
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("cross_entropy", Order::Second, |g| {
        let classes = g.around(1..=4, &[31, 32, 33, 63, 65]);
        let rows = if g.is_large() { vec![g.beside(1..=3, classes)] } else { g.shape(0..=2) };
        let targets = g.indices(&rows, classes);
        let mut shape = rows;
        shape.push(classes);
        case!(vec![g.tensor(&shape, Domain::Real)], [targets], |x| x[0].cross_entropy(&targets))
    })
    .in_units_of(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_masked_afterwards_has_no_gradient_of_any_order() {
        type Function = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
        const INF: f64 = f64::INFINITY;
        let functions: [(&str, Function); 2] = [
            ("cross_entropy", |x| x.cross_entropy(&Tensor::from([0, 1, 1]))),
            ("log_softmax", |x| {
                let at = Tensor::from([[0], [1], [1]]);
                -x.log_softmax(-1).gather(-1, &at).squeeze(-1)
            }),
        ];
        for (name, f) in functions {
            for row in [[-INF, -INF], [f64::NAN, 0.0], [INF, 0.0]] {
                let tape = Tape::new();
                let x = tape.var(Tensor::from([row, [0.0, 0.0], row]));
                let y = f(x).masked_fill(Tensor::from([true, false, true]), 0.0).sum();
                let want = [0.0, 0.0, 0.5, -0.5, 0.0, 0.0];
                let g = y.grad(x).unwrap();
                assert_eq!(g.value().unwrap().to_vec(), want, "{name} of {row:?}");
                // With p = ½: p (1 - p) and -p².
                let h = g.select(1, 0).sum().grad(x).unwrap();
                let second = [0.0, 0.0, 0.25, -0.25, 0.0, 0.0];
                assert_eq!(h.value().unwrap().to_vec(), second, "{name} of {row:?}");
                let h = g.square().sum().grad(x).unwrap();
                assert_eq!(h.value().unwrap().to_vec(), [0.0, 0.0, 0.5, -0.5, 0.0, 0.0], "{name} of {row:?}");
                assert_eq!(y.backward().unwrap().wrt(x).unwrap().to_vec(), want, "{name} of {row:?}");
            }
        }
    }
}
