//! PReLU: ReLU with a learned slope below 0 (He et al. 2015), and GLU, a half gated by the other (Dauphin et al. 2017).

use super::prelude::*;

/// a above 0, a b below.
#[derive(Debug, Clone, Copy)]
pub struct Prelu;

impl Pointwise2 for Prelu {
    const NAME: &'static str = "prelu";
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 1;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        if a <= F::ZERO { a * b } else { a }
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, b: R, _y: R) -> R {
        R::select(a.le(a.like(0.0)), b, a.like(1.0))
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, _b: R, _y: R) -> R {
        R::select(a.le(a.like(0.0)), a, a.like(0.0))
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// This value above 0, `slope` times it below; the slope broadcasts, as `[channels, 1, 1]` does over images.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let slope = tape.var(Tensor::from([0.25]));
    /// let y = tape.constant(Tensor::from([-4.0, 2.0])).prelu(slope);
    /// assert_eq!(y.value()?.to_vec(), [-1.0, 2.0]);
    /// assert_eq!(y.sum().backward()?.wrt(slope)?.to_vec(), [-4.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn prelu(self, slope: impl Operand<'t, T>) -> Self {
        self.pointwise2(slope, Prelu)
    }

    /// The first half along an axis times σ of the second; an odd size is an error.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([6.0, 0.0])).glu(0).value()?.to_vec(), [3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn glu(self, axis: isize) -> Self {
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let refused = match wengert_ops::normalize_axis("glu", axis, shape.len()) {
            Ok(a) if shape[a].is_multiple_of(2) => {
                let (half, n) = (shape[a] / 2, shape[a]);
                return self.slice(axis, 0..half) * self.slice(axis, half..n).sigmoid();
            }
            Ok(_) => {
                let detail = format!("expected an even size along axis {axis}, found shape {shape}");
                crate::Error::new(crate::ErrorKind::Op(wengert_ops::ErrorKind::Shape), "glu", detail)
            }
            Err(e) => e.into(),
        };
        self.tape().failed(refused)
    }

    /// This value moved towards another: x + w (y - x).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([2.0])).lerp(Tensor::from([6.0]), 0.25).item()?, 3.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn lerp(self, to: impl Operand<'t, T>, weight: impl Operand<'t, T>) -> Self {
        let to = to.into_var(self.tape());
        self + (to - self) * weight
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("prelu", Order::First, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::Kinks(&[0.0])), g.tensor(&b, Domain::Real)], [], |x| x[0].prelu(x[1]))
    })
}

pub(super) fn glu_spec() -> Spec {
    Spec::new("glu", Order::Second, |g| {
        let mut shape = g.full_shape(1..=3);
        let axis = g.within(0..=shape.len() - 1);
        shape[axis] = 2 * g.within(1..=2);
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| x[0].glu(axis as isize))
    })
}

pub(super) fn lerp_spec() -> Spec {
    Spec::new("lerp", Order::Second, |g| {
        let (a, b) = g.pair();
        let w = g.broadcastable(&b);
        let x = vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real), g.tensor(&w, Domain::Real)];
        case!(x, [], |x| x[0].lerp(x[1], x[2]))
    })
}
