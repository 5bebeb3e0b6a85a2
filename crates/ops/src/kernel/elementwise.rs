//! Elementwise functions of tensors: `map`, arithmetic and its operators, comparisons, logic, and the functions of [`Float`].

use crate::dtype::Element;
use crate::error::Result;
use crate::float::Float;
use crate::kernel::pointwise::{Elementwise, FnKernel, Kernel, pointwise, pointwise_as};
use crate::tensor::{IntoTensor, Tensor};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A user's closure, of unknown cost: several instructions, perhaps a function of [`Float`].
struct Mapped<F>(F);

impl<T, U, F: Fn(T) -> U + Sync> Kernel<1, T, U> for Mapped<F> {
    const COST: usize = 8;
    #[inline(always)]
    fn call(&self, [x]: [T; 1]) -> U {
        (self.0)(x)
    }
}

impl<T, U, F: Fn(T, T) -> U + Sync> Kernel<2, T, U> for Mapped<F> {
    const COST: usize = 8;
    #[inline(always)]
    fn call(&self, [x, y]: [T; 2]) -> U {
        (self.0)(x, y)
    }
}

impl<T: Element> Tensor<T> {
    /// Applies a function to each element and returns a new tensor. The loop runs in vectors, with the best instruction
    /// set of the machine, and on all threads.
    ///
    /// The closure must be small enough to be inlined; a formula of two or three functions is. If it is not inlined,
    /// every fused multiply-add becomes a function call, and the loop takes a hundred times as long. In that case write
    /// a [`Kernel`], whose function is always inlined, and call [`pointwise`].
    ///
    /// ```
    /// use wengert_ops::{Float, Tensor};
    /// let t = Tensor::from([0.0f64, 1.0]).map(|x| (-x * x).exp());
    /// assert_eq!(t.to_vec(), [1.0, (-1.0f64).exp()]);
    /// ```
    #[doc(alias = "apply_")]
    pub fn map<U: Element>(&self, f: impl Fn(T) -> U + Sync) -> Tensor<U> {
        pointwise_as(self.shape().clone(), [self], &Elementwise(Mapped(f)))
    }

    /// Applies a function to the elements of two tensors, which broadcast; otherwise like [`map`](Tensor::map).
    ///
    /// ```
    /// use wengert_ops::{Float, Tensor};
    /// let (a, b) = (Tensor::from([3.0f64, 5.0]), Tensor::from([[4.0], [12.0]]));
    /// let t = a.zip_map(&b, |a, b| (a * a + b * b).sqrt())?;
    /// assert_eq!(t.to_vec(), [5.0, 41f64.sqrt(), 153f64.sqrt(), 13.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[doc(alias = "map_")]
    pub fn zip_map<U: Element>(&self, o: &Tensor<T>, f: impl Fn(T, T) -> U + Sync) -> Result<Tensor<U>> {
        pointwise("zip_map", [self, o], &Mapped(f))
    }
}

macro_rules! arithmetic {
    ($($(#[$doc:meta])* $name:ident $f:expr;)*) => {
        impl<T: Float> Tensor<T> {
            $($(#[$doc])*
            ///
            /// # Errors
            /// If the shapes do not broadcast.
            pub fn $name(&self, o: impl IntoTensor<T>) -> Result<Tensor<T>> {
                pointwise(stringify!($name), [self, &o.into_tensor()?], &FnKernel($f))
            })*
        }
    };
}
arithmetic! {
    /// Elementwise sum, broadcasting.
    add |a, b| a + b;
    /// Elementwise difference, broadcasting.
    sub |a, b| a - b;
    /// Elementwise product, broadcasting.
    mul |a, b| a * b;
    /// Elementwise quotient, broadcasting.
    div |a, b| a / b;
    /// Elementwise larger value, broadcasting; NaN if either is NaN.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([-1.0, 2.0]);
    /// assert_eq!(t.maximum(0.0)?.to_vec(), [0.0, 2.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    maximum Float::maximum;
    /// Elementwise smaller value, broadcasting; NaN if either is NaN.
    minimum Float::minimum;
}

macro_rules! comparison {
    ($($(#[$doc:meta])* $name:ident $f:expr;)*) => {
        impl<T: Element> Tensor<T> {
            $($(#[$doc])*
            ///
            /// # Errors
            /// If the shapes do not broadcast.
            pub fn $name(&self, o: impl IntoTensor<T>) -> Result<Tensor<bool>> {
                pointwise(stringify!($name), [self, &o.into_tensor()?], &FnKernel($f))
            })*
        }
    };
}
comparison! {
    /// Where `self == o`, broadcasting; NaN equals nothing.
    ///
    /// ```
    /// let labels = wengert_ops::Tensor::from([3i64, 5, 3]);
    /// assert_eq!(labels.eq(3)?.to_vec(), [true, false, true]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    eq |a, b| a == b;
    /// Where `self != o`, broadcasting.
    ne |a, b| a != b;
    /// Where `self < o`, broadcasting.
    lt |a, b| a < b;
    /// Where `self <= o`, broadcasting.
    le |a, b| a <= b;
    /// Where `self > o`, broadcasting.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([-1.0f32, 2.0]);
    /// assert_eq!(t.gt(0.0)?.to_vec(), [false, true]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    gt |a, b| a > b;
    /// Where `self >= o`, broadcasting.
    ge |a, b| a >= b;
}

macro_rules! operators {
    ($($trait:ident $method:ident;)*) => {$(
        /// Elementwise, broadcasting; an error if the shapes do not broadcast.
        impl<T: Float> $trait<&Tensor<T>> for &Tensor<T> {
            type Output = Result<Tensor<T>>;
            fn $method(self, o: &Tensor<T>) -> Result<Tensor<T>> {
                Tensor::$method(self, o)
            }
        }
        /// Applies the operation to every element and a number.
        impl<T: Float> $trait<f64> for &Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, c: f64) -> Tensor<T> {
                let c = T::from_f64(c);
                pointwise_as(self.shape().clone(), [self], &Elementwise(FnKernel(move |v| $trait::$method(v, c))))
            }
        }
    )*};
}
operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
}

impl<T: Float> Neg for &Tensor<T> {
    type Output = Tensor<T>;
    fn neg(self) -> Tensor<T> {
        pointwise_as(self.shape().clone(), [self], &Elementwise(FnKernel(|v: T| -v)))
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident $cost:literal;)*) => {
        impl<T: Float> Tensor<T> {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> Tensor<T> {
                struct Function;
                impl<T: Float> Kernel<1, T, T> for Function {
                    const COST: usize = $cost;
                    #[inline(always)]
                    fn call(&self, [x]: [T; 1]) -> T {
                        x.$name()
                    }
                }
                pointwise_as(self.shape().clone(), [self], &Elementwise(Function))
            })*
        }
    };
}
functions! {
    /// Absolute values.
    abs 1;
    /// Square roots; NaN for negative elements.
    sqrt 4;
    /// eˣ of every element.
    exp 5;
    /// eˣ - 1 of every element, accurate near zero.
    expm1 6;
    /// Natural logarithms; NaN for negative elements, -∞ for zeros.
    log 6;
    /// log(1 + x) of every element, accurate near zero.
    log1p 8;
    /// Logarithms to base 2; NaN for negative elements, -∞ for zeros.
    log2 6;
    /// Logarithms to base 10; NaN for negative elements, -∞ for zeros.
    log10 6;
    /// Hyperbolic tangents.
    tanh 8;
    /// 1 / (1 + e⁻ˣ) of every element.
    sigmoid 6;
    /// The error function of every element.
    erf 12;
}

/// The sine, or the cosine.
struct Trigonometric<const SINE: bool>;

impl<T: Float, const SINE: bool> Kernel<1, T, T> for Trigonometric<SINE> {
    const COST: usize = 8;
    const PATCHES: bool = true;
    #[inline(always)]
    fn call(&self, [x]: [T; 1]) -> T {
        if SINE { x.sin() } else { x.cos() }
    }
    #[inline(always)]
    fn is_rough(&self, [x]: [T; 1]) -> bool {
        x.trig_is_large()
    }
    fn patch(&self, [x]: [T; 1]) -> T {
        if SINE { x.sin_any() } else { x.cos_any() }
    }
}

impl<T: Float> Tensor<T> {
    /// Sines of angles in radians.
    #[must_use]
    pub fn sin(&self) -> Tensor<T> {
        pointwise_as(self.shape().clone(), [self], &Elementwise(Trigonometric::<true>))
    }

    /// Cosines of angles in radians.
    #[must_use]
    pub fn cos(&self) -> Tensor<T> {
        pointwise_as(self.shape().clone(), [self], &Elementwise(Trigonometric::<false>))
    }
}

impl<T: Float> Tensor<T> {
    /// Every element times `c`.
    pub fn scale(&self, c: f64) -> Tensor<T> {
        let c = T::from_f64(c);
        pointwise_as(self.shape().clone(), [self], &Elementwise(FnKernel(move |v| v * c)))
    }
}

macro_rules! rounding {
    ($($(#[$doc:meta])* $name:ident $f:expr;)*) => {
        impl<T: Float> Tensor<T> {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> Tensor<T> {
                pointwise_as(self.shape().clone(), [self], &Elementwise(FnKernel($f)))
            })*
        }
    };
}
rounding! {
    /// Squares.
    square |v: T| v * v;
    /// 1 / x of every element; ±∞ for zeros.
    #[doc(alias = "reciprocal")]
    recip |v: T| T::ONE / v;
    /// max(x, 0) of every element; NaN stays NaN.
    relu |v: T| if v <= T::ZERO { T::ZERO } else { v };
    /// The largest integers not above the elements.
    floor |v: T| v.floor();
    /// The smallest integers not below the elements.
    ceil |v: T| v.ceil();
    /// The nearest integers; halves round to even. An element that rounds to zero keeps its sign.
    round |v: T| v.round();
    /// The integer parts.
    trunc |v: T| v.trunc();
    /// 1 for positive elements, -1 for negative ones, 0 for zeros of either sign; NaN stays NaN.
    sign |v: T| {
        if v > T::ZERO {
            T::ONE
        } else if v < T::ZERO {
            -T::ONE
        } else {
            v + T::ZERO
        }
    };
}

impl Tensor<bool> {
    /// Logical negation.
    #[must_use]
    pub fn logical_not(&self) -> Tensor<bool> {
        pointwise_as(self.shape().clone(), [self], &Elementwise(FnKernel(|v: bool| !v)))
    }

    /// Where both are true, broadcasting.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn logical_and(&self, o: &Tensor<bool>) -> Result<Tensor<bool>> {
        pointwise("logical_and", [self, o], &FnKernel(|a, b| a & b))
    }

    /// Where either is true, broadcasting.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn logical_or(&self, o: &Tensor<bool>) -> Result<Tensor<bool>> {
        pointwise("logical_or", [self, o], &FnKernel(|a, b| a | b))
    }

    /// 1 where true, 0 where false.
    #[doc(alias = "float")]
    pub fn to_float<T: Float>(&self) -> Tensor<T> {
        pointwise_as(
            self.shape().clone(),
            [self],
            &Elementwise(FnKernel(|v: bool| if v { T::ONE } else { T::ZERO })),
        )
    }
}

impl<T: Float> Tensor<T> {
    /// This tensor where `condition` is true, `other` elsewhere; all three broadcast. A NaN in an element that is not
    /// taken has no effect.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let x = Tensor::from([-1.0, 2.0]);
    /// assert_eq!(x.where_cond(x.gt(0.0), 0.0)?.to_vec(), [0.0, 2.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[doc(alias = "where")]
    #[doc(alias = "where_")]
    pub fn where_cond(
        &self,
        condition: impl IntoTensor<bool>,
        other: impl IntoTensor<T>,
    ) -> Result<Tensor<T>> {
        choose("where_cond", &condition.into_tensor()?, self, &other.into_tensor()?)
    }

    /// This tensor with `fill` where the mask is true; all three broadcast.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.masked_fill(x.gt(1.5), f64::NEG_INFINITY)?.to_vec(), [1.0, f64::NEG_INFINITY]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn masked_fill(&self, mask: impl IntoTensor<bool>, fill: impl IntoTensor<T>) -> Result<Tensor<T>> {
        choose("masked_fill", &mask.into_tensor()?, &fill.into_tensor()?, self)
    }

    /// Every element to the power of `exponent`, broadcasting; x⁰ is 1 for every x.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([1.0, 2.0, 3.0]);
    /// assert_eq!(t.pow(2.0)?.to_vec(), [1.0, 4.0, 9.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[doc(alias = "float_power")]
    pub fn pow(&self, exponent: impl IntoTensor<T>) -> Result<Tensor<T>> {
        let exponent = exponent.into_tensor()?;
        match exponent.rank() {
            0 => Ok(power(self, exponent.item()?.to_f64())),
            _ => pointwise("pow", [self, &exponent], &Powers),
        }
    }

    /// Every element limited by two bounds: min(max(x, low), high); NaN stays NaN.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([-3.0, 0.5, 2.0]);
    /// assert_eq!(t.clamp(-1.0, 1.0).to_vec(), [-1.0, 0.5, 1.0]);
    /// ```
    #[doc(alias = "clip")]
    #[must_use]
    pub fn clamp(&self, low: f64, high: f64) -> Tensor<T> {
        let (low, high) = (T::from_f64(low), T::from_f64(high));
        let kernel = FnKernel(move |v: T| Float::minimum(Float::maximum(v, low), high));
        pointwise_as(self.shape().clone(), [self], &Elementwise(kernel))
    }

    /// The larger of every element and a lower bound; NaN stays NaN.
    #[must_use]
    pub fn clamp_min(&self, low: f64) -> Tensor<T> {
        self.clamp(low, f64::INFINITY)
    }

    /// The smaller of every element and an upper bound; NaN stays NaN.
    #[must_use]
    pub fn clamp_max(&self, high: f64) -> Tensor<T> {
        self.clamp(f64::NEG_INFINITY, high)
    }

    /// Every element limited by its own bounds: min(max(x, low), high), where all three broadcast; NaN in any of the
    /// three gives NaN. Where the bounds cross, the result is `high`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([-3.0, 0.5, 2.0]);
    /// assert_eq!(t.clamp_between(-1.0, Tensor::from([0.0, 1.0, 1.0]))?.to_vec(), [-1.0, 0.5, 1.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    #[doc(alias = "clamp")]
    #[doc(alias = "clip")]
    pub fn clamp_between(&self, low: impl IntoTensor<T>, high: impl IntoTensor<T>) -> Result<Tensor<T>> {
        let kept = self.maximum(low).and_then(|above| above.minimum(high));
        kept.map_err(|e| e.in_op("clamp_between"))
    }
}

/// `yes` where the mask is true, `no` elsewhere.
fn choose<T: Float>(
    op: &'static str,
    mask: &Tensor<bool>,
    yes: &Tensor<T>,
    no: &Tensor<T>,
) -> Result<Tensor<T>> {
    // The mask in the tensors' element type, since the executor takes inputs of one type.
    let mask = mask.to_float::<T>();
    pointwise(op, [&mask, yes, no], &FnKernel(|m: T, y, n| if m != T::ZERO { y } else { n }))
}

/// The elements to the power of a number. Products and roots are faster than the general power.
pub(crate) fn power<T: Float>(x: &Tensor<T>, p: f64) -> Tensor<T> {
    match p {
        2.0 => x.map(|v| v * v),
        3.0 => x.map(|v| v * v * v),
        4.0 => x.map(|v| (v * v) * (v * v)),
        -1.0 => x.map(|v| T::ONE / v),
        -2.0 => x.map(|v| (T::ONE / v) * (T::ONE / v)),
        0.5 => x.map(|v| v.sqrt()),
        -0.5 => x.map(|v| T::ONE / v.sqrt()),
        _ => pointwise_as(x.shape().clone(), [x], &Elementwise(Power(T::from_f64(p)))),
    }
}

/// Each element to the power of another.
struct Powers;

impl<T: Float> Kernel<2, T, T> for Powers {
    const COST: usize = 10;
    #[inline(always)]
    fn call(&self, [x, y]: [T; 2]) -> T {
        x.powf(y)
    }
}

/// Each element to the power of a number.
struct Power<T>(T);

impl<T: Float> Kernel<1, T, T> for Power<T> {
    const COST: usize = 10;
    #[inline(always)]
    fn call(&self, [x]: [T; 1]) -> T {
        x.powf(self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Slice, Tensor};

    /// `copysign` of a composition: the sign of a zero counts, and that of NaN changes nothing of a number but its sign.
    #[test]
    fn copysign_by_zip_map_takes_the_sign_of_zeros() {
        let x = Tensor::from([1.5, -1.5, 0.0, -0.0, f64::INFINITY]);
        for (sign, want) in
            [(-0.0, [-1.5, -1.5, -0.0, -0.0, f64::NEG_INFINITY]), (0.0, [1.5, 1.5, 0.0, 0.0, f64::INFINITY])]
        {
            let found = x.zip_map(&Tensor::scalar(sign), f64::copysign).unwrap().to_vec();
            assert_eq!(found.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), want.map(f64::to_bits));
        }
    }

    #[test]
    fn every_layout_gives_what_indexing_gives() {
        let base = Tensor::<f64>::steps(1.0, 1.0, 24).reshape([2, 3, 4]).unwrap();
        let views = [
            base.clone(),
            base.slice(2, Slice::all().step(-1)).unwrap(),
            Tensor::<f64>::steps(0.5, 0.5, 24).reshape([4, 3, 2]).unwrap().permute([2, 1, 0]).unwrap(),
            Tensor::from([[1.0], [2.0], [3.0]]).expand([2, 3, 4]).unwrap(),
            Tensor::scalar(2.0).expand([2, 3, 4]).unwrap(),
        ];
        for a in &views {
            for b in &views {
                let c = a.add(b).unwrap();
                for i in 0..24 {
                    let at = [i / 12, i / 4 % 3, i % 4];
                    assert_eq!(c.get(&at).unwrap(), a.get(&at).unwrap() + b.get(&at).unwrap());
                }
            }
        }
    }

    #[test]
    fn sizes_around_blocks_and_grains() {
        for n in [0, 1, 2, 511, 512, 513, 32767, 32769, 200_001] {
            let a = Tensor::<f32>::steps(0.0, 1.0, n);
            let r = a.slice(0, Slice::all().step(-1)).unwrap();
            let sum = a.add(&r).unwrap();
            assert!(sum.to_vec().iter().all(|&v| v == n as f32 - 1.0), "{n}");
        }
    }

    #[test]
    fn rounding_keeps_signs_and_nan() {
        let x = Tensor::from([-2.5, -0.5, -0.0, 0.5, 1.5, f64::NAN, f64::NEG_INFINITY]);
        let same = |y: Tensor<f64>, want: [f64; 7]| {
            let bits = |v: &f64| if v.is_nan() { 0 } else { v.to_bits() };
            assert!(y.to_vec().iter().map(bits).eq(want.iter().map(bits)), "{y}");
        };
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        same(x.floor(), [-3.0, -1.0, -0.0, 0.0, 1.0, nan, -inf]);
        same(x.ceil(), [-2.0, -0.0, -0.0, 1.0, 2.0, nan, -inf]);
        same(x.round(), [-2.0, -0.0, -0.0, 0.0, 2.0, nan, -inf]);
        same(x.trunc(), [-2.0, -0.0, -0.0, 0.0, 1.0, nan, -inf]);
        same(x.sign(), [-1.0, -1.0, 0.0, 1.0, 1.0, nan, -1.0]);
        let reversed = x.slice(0, Slice::all().step(-1)).unwrap();
        assert_eq!(reversed.sign().to_vec()[4..], [0.0, -1.0, -1.0]);
    }

    #[test]
    fn functions_and_operators_of_tensors_are_those_of_their_elements() {
        let base = Tensor::<f64>::steps(0.25, 0.3, 1200).reshape([30, 40]).unwrap();
        for x in [base.clone(), base.transpose(0, 1).unwrap(), base.slice(0, Slice::all().step(-3)).unwrap()]
        {
            let each = |y: Tensor<f64>, f: fn(f64) -> f64| {
                for (y, v) in y.to_vec().into_iter().zip(x.to_vec()) {
                    assert!(
                        y == f(v) || (y - f(v)).abs() <= 1e-15 * f(v).abs(),
                        "{v}: {y}, expected {}",
                        f(v)
                    );
                }
            };
            each(x.exp(), f64::exp);
            each(x.expm1(), f64::exp_m1);
            each(x.log(), f64::ln);
            each(x.log1p(), f64::ln_1p);
            each(x.sqrt(), f64::sqrt);
            each(x.tanh(), f64::tanh);
            each(x.sigmoid(), |v| 1.0 / (1.0 + (-v).exp()));
            each((-&x).abs(), f64::abs);
            each(x.map(|v| (v * 1e7).floor()).sin().abs(), |v| (v * 1e7).floor().sin().abs());
            each(&(&(&x * 2.0) + 1.0) / 4.0, |v| (v * 2.0 + 1.0) / 4.0);
            each((&x + &x).unwrap(), |v| v + v);
            each(x.zip_map(&x, |a, b| a * b - 1.0).unwrap(), |v| v * v - 1.0);
        }
        assert!((&base + &Tensor::zeros([7])).is_err());
        assert!(base.cos().sub(base.map(f64::cos)).unwrap().to_vec().iter().all(|d| d.abs() < 1e-15));
        assert!((Tensor::from([0.5]).erf().item().unwrap() - 0.5204998778130465f64).abs() < 1e-15);
    }

    #[test]
    fn nan_is_never_dropped() {
        let (n, x) = (Tensor::from([f64::NAN, 1.0]), Tensor::from([1.0, f64::NAN]));
        assert!(n.maximum(&x).unwrap().to_vec().iter().all(|v| v.is_nan()));
        assert!(n.minimum(&x).unwrap().to_vec().iter().all(|v| v.is_nan()));
        let mask = Tensor::from([false, true]);
        assert_eq!(n.where_cond(&mask, Tensor::from([5.0, f64::NAN])).unwrap().to_vec(), [5.0, 1.0]);
    }
}
