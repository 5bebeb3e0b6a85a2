//! [`Spec`]: an op enrolled for the property tests, with a generator of its valid inputs.

use crate::gradcheck::generate::{Domain, Gen, Kind};
use crate::number::Float;
use crate::tape::var::Var;
use std::sync::Arc;
use wengert_ops::Tensor;

/// The order to which an op is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The op is linear between kinks, or its derivative jumps: the second derivative is zero almost everywhere.
    First,
    /// The first and the second.
    Second,
}

/// A call on values of a tape; it returns several outputs if the op has several.
pub(crate) type Run<T> = Box<dyn for<'t> Fn(&[Var<'t, T>]) -> Vec<Var<'t, T>> + Send + Sync>;

/// What a call may return: one value, or several.
pub trait IntoOutputs<'t, T: Float> {
    /// The values.
    fn into_outputs(self) -> Vec<Var<'t, T>>;
}

impl<'t, T: Float> IntoOutputs<'t, T> for Var<'t, T> {
    fn into_outputs(self) -> Vec<Var<'t, T>> {
        vec![self]
    }
}

impl<'t, T: Float> IntoOutputs<'t, T> for Vec<Var<'t, T>> {
    fn into_outputs(self) -> Vec<Var<'t, T>> {
        self
    }
}

impl<'t, T: Float, const N: usize> IntoOutputs<'t, T> for [Var<'t, T>; N] {
    fn into_outputs(self) -> Vec<Var<'t, T>> {
        self.to_vec()
    }
}

impl<'t, T: Float> IntoOutputs<'t, T> for (Var<'t, T>, Var<'t, T>) {
    fn into_outputs(self) -> Vec<Var<'t, T>> {
        vec![self.0, self.1]
    }
}

/// The outputs of a call; [`case!`](crate::case) calls it.
pub fn outputs<'t, T: Float>(of: impl IntoOutputs<'t, T>) -> Vec<Var<'t, T>> {
    of.into_outputs()
}

/// One valid call of an op: inputs, and the call in both element types.
pub struct Case {
    /// The differentiable inputs.
    pub inputs: Vec<Tensor<f64>>,
    /// The call in double precision.
    pub double: Run<f64>,
    /// The same call in single precision.
    pub single: Run<f32>,
}

impl Case {
    /// A call; [`case!`](crate::case) writes the two closures from one.
    pub fn new(
        inputs: Vec<Tensor<f64>>,
        double: impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64> + Send + Sync + 'static,
        single: impl for<'t> Fn(&[Var<'t, f32>]) -> Var<'t, f32> + Send + Sync + 'static,
    ) -> Self {
        Self::many(inputs, move |x| vec![double(x)], move |x| vec![single(x)])
    }

    /// A call with several outputs.
    pub fn many(
        inputs: Vec<Tensor<f64>>,
        double: impl for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>> + Send + Sync + 'static,
        single: impl for<'t> Fn(&[Var<'t, f32>]) -> Vec<Var<'t, f32>> + Send + Sync + 'static,
    ) -> Self {
        Case { inputs, double: Box::new(double), single: Box::new(single) }
    }
}

/// Makes a [`Case`](crate::gradcheck::Case) from the inputs, the values that the call captures (cloned for each element
/// type), and the call, which returns one value or several (an array, a pair or a vector).
///
/// ```
/// use wengert_ops::Tensor;
/// let axes = vec![0usize];
/// let case = wengert_tape::case!(vec![Tensor::from([1.0, 2.0])], [axes], |x| x[0].sum_axes(&axes));
/// assert_eq!(case.inputs.len(), 1);
/// ```
#[macro_export]
macro_rules! case {
    ($inputs:expr, [$($captured:ident),*], |$x:ident| $call:expr) => {
        $crate::gradcheck::Case::many(
            $inputs,
            { $(let $captured = $captured.clone();)* move |$x| $crate::gradcheck::outputs($call) },
            { $(let $captured = $captured.clone();)* move |$x| $crate::gradcheck::outputs($call) },
        )
    };
}

/// An op enrolled for the property tests.
pub struct Spec {
    /// The name of the op: that of the public method that its cases call.
    pub name: &'static str,
    /// The order to which it is checked.
    pub order: Order,
    /// Whether derivatives that cannot be compared are allowed.
    pub allow_non_finite: bool,
    /// The accuracy of single precision.
    pub accuracy: Accuracy,
    /// Numbers worth testing: where formulas change, overflow or cancel.
    pub points: &'static [f64],
    /// Makes one valid call.
    pub sample: Box<dyn Fn(&mut Gen) -> Case + Send + Sync>,
}

/// The largest difference between a call in single precision and the same call in double precision, in units of 2⁻²³ of
/// the conditioned result: |y| + Σ |∂y/∂x| |x|. If y does not change when a number is added to all elements of an
/// input, x is measured from the element that makes the sum smallest, so that a common offset does not increase the
/// allowed error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// For values. Default: `4`.
    pub value: f64,
    /// For swept and recorded gradients. Default: `8`.
    pub gradient: f64,
    /// The size of the terms that are added, if it is larger than the result: a result of 10⁻¹⁰ then needs only the
    /// digits that numbers of this size have. Default: `0`.
    pub floor: f64,
    /// The same for gradients only. Default: `0`.
    pub gradient_floor: f64,
}

impl Default for Accuracy {
    /// 4 units for values, 8 for gradients.
    fn default() -> Self {
        Accuracy { value: 4.0, gradient: 8.0, floor: 0.0, gradient_floor: 0.0 }
    }
}

impl Spec {
    /// An op with its name.
    pub fn new(
        name: &'static str,
        order: Order,
        sample: impl Fn(&mut Gen) -> Case + Send + Sync + 'static,
    ) -> Self {
        Spec {
            name,
            order,
            allow_non_finite: false,
            accuracy: Accuracy::default(),
            points: &[],
            sample: Box::new(sample),
        }
    }

    /// Derivatives that cannot be compared, since the op is NaN or infinite around a point, are counted and are not
    /// failures.
    #[must_use]
    pub fn allow_non_finite(mut self) -> Self {
        self.allow_non_finite = true;
        self
    }

    /// Sets the accuracy in single precision, in the units of [`Accuracy`].
    #[must_use]
    pub fn accurate_to(mut self, value: f64, gradient: f64) -> Self {
        self.accuracy = Accuracy { value, gradient, ..self.accuracy };
        self
    }

    /// Gradients smaller than `size` need only the digits that numbers of this size have in single precision, for a
    /// rule that computes them from a rounded value.
    #[must_use]
    pub fn gradient_in_units_of(mut self, floor: f64) -> Self {
        self.accuracy.gradient_floor = floor;
        self
    }

    /// Results smaller than `size` need only the digits that numbers of this size have in single precision: such as a
    /// probability next to another of one.
    #[must_use]
    pub fn in_units_of(mut self, floor: f64) -> Self {
        self.accuracy.floor = floor;
        self
    }

    /// Numbers that cases contain more often than chance would have it, if they are in the domain.
    #[must_use]
    pub fn at(mut self, points: &'static [f64]) -> Self {
        self.points = points;
        self
    }

    /// The call that is drawn with a seed.
    pub fn draw(&self, seed: u64) -> (Case, Gen) {
        let mut g = Gen::of_kind(seed, Kind::of(seed));
        g.points = self.points;
        ((self.sample)(&mut g), g)
    }

    /// The same for a large case whose work is split among threads, wherever the size of its tensors is the generator's: about 70,000
    /// elements. Too large for the property tests; for the comparison of results between machines.
    pub fn draw_split(&self, seed: u64) -> (Case, Gen) {
        let mut g = Gen::of_split_work(seed);
        g.points = self.points;
        ((self.sample)(&mut g), g)
    }

    /// A smooth function of one number, on a domain.
    pub fn unary(
        name: &'static str,
        domain: Domain,
        call: impl Fn(Vec<Tensor<f64>>) -> Case + Send + Sync + 'static,
    ) -> Self {
        let order = if matches!(domain, Domain::Kinks(_)) { Order::First } else { Order::Second };
        Spec::new(name, order, move |g| {
            let shape = g.shape(0..=3);
            call(vec![g.tensor(&shape, domain)])
        })
    }

    /// Ops that share a generator, which gets the position of the op's name among `names`.
    pub fn family(
        names: &[&'static str],
        order: Order,
        sample: impl Fn(&mut Gen, usize) -> Case + Send + Sync + 'static,
    ) -> Vec<Self> {
        let sample = Arc::new(sample);
        let each = |(which, &name)| {
            let sample = Arc::clone(&sample);
            Spec::new(name, order, move |g| sample(g, which))
        };
        names.iter().enumerate().map(each).collect()
    }

    /// The op is checked to the second order in spite of its kinks.
    #[must_use]
    pub fn second_order(mut self) -> Self {
        self.order = Order::Second;
        self
    }
}

/// A single entry; a file may enrol several.
impl IntoIterator for Spec {
    type Item = Spec;
    type IntoIter = std::iter::Once<Spec>;
    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}
