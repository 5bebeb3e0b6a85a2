//! floor, ceil, round, trunc and sign: plain tensors, because their gradient is zero almost everywhere. frac, x - trunc x,
//! has derivative 1.

use super::prelude::*;

/// x - trunc(x).
#[derive(Debug, Clone, Copy)]
pub struct Frac;

impl Pointwise for Frac {
    const NAME: &'static str = "frac";
    const COST: usize = 2;
    const USES_X: bool = false;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x - x.trunc()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(1.0)
    }
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident)*) => {
        impl<T: Float> Var<'_, T> {
            $($(#[$doc])*
            ///
            /// # Errors
            /// If the value has failed or was freed.
            #[track_caller]
            pub fn $name(self) -> Result<Tensor<T>> {
                Ok(self.value()?.$name())
            })*
        }
    };
}
plain! {
    /// The largest integers not above the elements, as a plain tensor.
    floor
    /// The smallest integers not below the elements, as a plain tensor.
    ceil
    /// The nearest integers, halves rounded to even, as a plain tensor; an element that rounds to zero keeps its sign.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let x = tape.var(Tensor::from([0.5, 1.5, -2.5, 2.6]));
    /// assert_eq!(x.round()?.to_vec(), [0.0, 2.0, -2.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    round
    /// The integer parts, as a plain tensor.
    trunc
    /// 1 for positive elements, -1 for negative ones, 0 for zeros of either sign, as a plain tensor; NaN
    /// stays NaN.
    sign
}

impl<T: Float> Var<'_, T> {
    /// The part after the decimal point, with the sign of x: x - trunc(x). Its derivative is 1.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// assert_eq!(tape.var(Tensor::from([2.25, -1.5])).frac().value()?.to_vec(), [0.25, -0.5]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn frac(self) -> Self {
        self.pointwise(Frac)
    }
}

pub(super) fn spec() -> Spec {
    // Between two integers, because the function jumps there.
    Spec::new("frac", Order::Second, |g| {
        let (shape, whole) = (g.shape(0..=3), g.pick(&[0.0, 2.0, -4.0]));
        case!(vec![g.tensor(&shape, Domain::Between(0.1, 0.9))], [], |x| (x[0] + whole).frac())
    })
    .in_units_of(4.0) // the integer part takes digits away from the fraction
}
