//! Products in which a weight of 0 wins over an infinity: an element of weight 0 contributes 0, whatever its value.

use wengert_tape::{Float, Operand, Pointwise2, Real, Var};

/// w x, and 0 where w is 0 and x is infinite. Derivatives: x with respect to w, and 0 there too; w with respect to x.
#[derive(Debug, Clone, Copy)]
struct Weighed;

impl Pointwise2 for Weighed {
    const NAME: &'static str = "weighed";
    const COST: usize = 2;
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 1;

    #[inline(always)]
    fn f<F: Float>(&self, w: F, x: F) -> F {
        if w == F::ZERO && x.abs() == F::INFINITY { F::ZERO } else { w * x }
    }
    #[inline(always)]
    fn da<R: Real>(&self, w: R, x: R, _y: R) -> R {
        let none = x.like(0.0);
        let finite = R::select(x.equals(x.like(f64::INFINITY)), none, x);
        let finite = R::select(x.equals(x.like(f64::NEG_INFINITY)), none, finite);
        R::select(w.equals(w.like(0.0)), finite, x)
    }
    #[inline(always)]
    fn db<R: Real>(&self, w: R, _x: R, _y: R) -> R {
        w
    }
}

/// w x with broadcasting, and 0 where w is 0, even if x is infinite.
#[track_caller]
pub(crate) fn weighed<'t, T: Float>(w: Var<'t, T>, x: impl Operand<'t, T>) -> Var<'t, T> {
    w.pointwise2(x, Weighed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::Tape;
    use wengert_tape::gradcheck::{Check, Domain, Gen};

    #[test]
    fn nothing_of_an_infinity_is_nothing_and_nan_stays() {
        const INF: f64 = f64::INFINITY;
        let tape = Tape::<f64>::new();
        let w = tape.var(Tensor::from([0.0, -0.0, 2.0, 0.0, 0.0]));
        let x = tape.var(Tensor::from([-INF, INF, -INF, 3.0, f64::NAN]));
        let y = weighed(w, x);
        let found = y.value().unwrap().to_vec();
        assert!(found[..4] == [0.0, 0.0, -INF, 0.0] && found[4].is_nan(), "{found:?}");
        let recorded = tape.grad(&[(y.sum(), tape.constant(1.0))], &[w, x]).unwrap();
        let swept = y.sum().backward_retaining().unwrap();
        for (g, of) in recorded.iter().zip([w, x]) {
            let (recorded, swept) = (g.value().unwrap().to_vec(), swept.wrt(of).unwrap().to_vec());
            assert_eq!(recorded[..4], swept[..4]);
        }
        assert_eq!(swept.wrt(w).unwrap().to_vec()[..4], [0.0, 0.0, -INF, 3.0]);
        assert_eq!(swept.wrt(x).unwrap().to_vec()[..4], [0.0, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn the_gradient_is_right() {
        let mut g = Gen::seeded(5);
        for _ in 0..10 {
            let (a, b) = g.pair();
            let x = [g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real)];
            let report = Check::new("weighed").run(|x| weighed(x[0], x[1]), &x);
            assert!(report.passed(), "{report}");
        }
    }
}
