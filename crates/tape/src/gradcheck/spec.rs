//! [`Spec`]: an op enrolled for the property tests, with a generator of its valid inputs.

use crate::error::Result;
use crate::gradcheck::difference::Tolerance;
use crate::gradcheck::generate::{Domain, Gen, Kind};
use crate::number::Float;
use crate::tape::var::Var;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use wengert_ops::Tensor;

/// The order to which an op is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The op is linear between kinks, or its derivative jumps: the second derivative is zero almost everywhere.
    First,
    /// The first and the second.
    Second,
    /// The first only, on all cases: the op has no second derivative, or none that is right.
    FirstOnly,
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

macro_rules! tuples {
    ($($($part:ident)+;)*) => { $(
        impl<'t, T: Float, $($part: IntoOutputs<'t, T>),+> IntoOutputs<'t, T> for ($($part,)+) {
            #[allow(non_snake_case, reason = "a value has the name of its type parameter")]
            fn into_outputs(self) -> Vec<Var<'t, T>> {
                let ($($part,)+) = self;
                let mut all = Vec::new();
                $(all.extend($part.into_outputs());)+
                all
            }
        }
    )* };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}

/// Outputs of a function that can fail; in a check, an error is a failure with its message.
impl<'t, T: Float, O: IntoOutputs<'t, T>> IntoOutputs<'t, T> for Result<O> {
    fn into_outputs(self) -> Vec<Var<'t, T>> {
        // Every call of a case is guarded.
        self.unwrap_or_else(|e| panic!("the function returned an error: {e}")).into_outputs()
    }
}

/// The outputs of a call; [`case!`](crate::case) calls it.
pub fn outputs<'t, T: Float>(of: impl IntoOutputs<'t, T>) -> Vec<Var<'t, T>> {
    of.into_outputs()
}

/// One valid call of an op: inputs, and the call in both element types, or in one.
pub struct Case {
    /// The differentiable inputs.
    pub inputs: Vec<Tensor<f64>>,
    /// The call in double precision.
    pub double: Option<Run<f64>>,
    /// The same call in single precision.
    pub single: Option<Run<f32>>,
    /// A function with whose differences the gradients are compared, instead of with those of the call.
    pub against: Option<Against>,
    /// The other arguments of the call, as they are printed with a failure, such as `axis = 1`.
    pub arguments: String,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("inputs", &self.inputs).field("arguments", &self.arguments).finish()
    }
}

/// A function with whose differences gradients are compared.
pub enum Against {
    /// The call has the gradient of this function, and other values: a straight-through estimator.
    Surrogate(Run<f64>),
    /// The call has the values and the gradient of this function, which is written in another way.
    Reference(Run<f64>),
}

impl Against {
    pub(crate) fn run(&self) -> &Run<f64> {
        match self {
            Against::Surrogate(run) | Against::Reference(run) => run,
        }
    }
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
        Case { single: Some(Box::new(single)), ..Self::double(inputs, double) }
    }

    /// A call that exists in double precision only.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::gradcheck::{Case, Order, Spec, suite};
    /// let spec = Spec::new("cube", Order::Second, |_| {
    ///     Case::double(vec![Tensor::from([0.5, -2.0])], |x| vec![x[0] * x[0] * x[0]])
    /// });
    /// assert!(suite::run(&spec, 0, 10).passed());
    /// ```
    pub fn double(
        inputs: Vec<Tensor<f64>>,
        double: impl for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>> + Send + Sync + 'static,
    ) -> Self {
        let double: Run<f64> = Box::new(double);
        Case { inputs, double: Some(double), single: None, against: None, arguments: String::new() }
    }

    /// A call that exists in single precision only. The inputs are rounded to it.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::gradcheck::{Case, Order, Spec, suite};
    /// let spec = Spec::new("cube", Order::Second, |_| {
    ///     Case::single(vec![Tensor::from([0.5, -2.0])], |x| vec![x[0] * x[0] * x[0]])
    /// });
    /// assert!(suite::run(&spec, 0, 10).passed());
    /// ```
    pub fn single(
        inputs: Vec<Tensor<f64>>,
        single: impl for<'t> Fn(&[Var<'t, f32>]) -> Vec<Var<'t, f32>> + Send + Sync + 'static,
    ) -> Self {
        let inputs = inputs.iter().map(|x| x.cast::<f32>().cast()).collect();
        let single: Run<f32> = Box::new(single);
        Case { inputs, double: None, single: Some(single), against: None, arguments: String::new() }
    }

    /// Compares the gradients of the call with differences of another function, since those of the call are surrogate gradients.
    #[must_use]
    pub fn surrogate(
        mut self,
        surrogate: impl for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>> + Send + Sync + 'static,
    ) -> Self {
        self.against = Some(Against::Surrogate(Box::new(surrogate)));
        self
    }

    /// Compares values and gradients of the call with those of another function in double precision.
    #[must_use]
    pub fn reference(
        mut self,
        reference: impl for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>> + Send + Sync + 'static,
    ) -> Self {
        self.against = Some(Against::Reference(Box::new(reference)));
        self
    }

    /// Sets the text of the other arguments, which is printed with a failure.
    #[must_use]
    pub fn arguments(mut self, arguments: impl Into<String>) -> Self {
        self.arguments = arguments.into();
        self
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
    /// Whether single precision is tested under offsets and scales, by cases of [`Kind::Scaled`].
    pub scaled: bool,
    /// Numbers worth testing: where formulas change, overflow or cancel.
    pub points: &'static [f64],
    /// The tolerance of comparisons with differences.
    pub tolerance: Tolerance,
    /// The step of the differences that is tried first.
    pub step: f64,
    /// The names of the inputs in reports; `input 0` for one without a name.
    pub inputs: Vec<String>,
    /// The number of combinations of arguments that [`Gen::each`] lists.
    pub combinations: usize,
    /// What must hold at single points.
    pub at_points: Vec<AtPoint>,
    /// The line of the source that made this entry.
    pub location: &'static Location<'static>,
    /// Makes one valid call.
    pub sample: Box<dyn Fn(&mut Gen) -> Case + Send + Sync>,
}

/// What must hold for a call at one point.
pub struct AtPoint {
    /// Makes the call.
    pub case: Box<dyn Fn() -> Case + Send + Sync>,
    /// What must hold.
    pub expected: Expected,
}

/// What must hold at a point.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// The gradient of the sum of all outputs with respect to each input, exactly (to 10⁻¹² of its size).
    Gradient(Vec<Tensor<f64>>),
    /// There is a kink, or no finite derivative.
    NotDifferentiable,
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
    #[track_caller]
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
            scaled: true,
            points: &[],
            tolerance: Tolerance::default(),
            step: 1e-4,
            inputs: Vec::new(),
            combinations: 1,
            at_points: Vec::new(),
            location: Location::caller(),
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

    /// Leaves out the cases of [`Kind::Scaled`]: offsets and scales at which only carefully written code keeps its digits in single
    /// precision.
    #[must_use]
    pub fn unscaled(mut self) -> Self {
        self.scaled = false;
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

    /// Sets the relative tolerance of comparisons with differences, 10⁻⁶ by default.
    #[must_use]
    pub fn rtol(mut self, rtol: f64) -> Self {
        self.tolerance.rtol = rtol;
        self
    }

    /// Sets the absolute tolerance of comparisons with differences, 10⁻⁶ by default; see [`Tolerance`].
    #[must_use]
    pub fn atol(mut self, atol: f64) -> Self {
        self.tolerance.atol = atol;
        self
    }

    /// Sets the step of the differences that is tried first, 10⁻⁴ by default.
    #[must_use]
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// Sets the names of the inputs in reports, in order.
    #[must_use]
    pub fn input_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.inputs = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the number of combinations of the values that the generator takes with [`Gen::each`]: a test runs at least ten cases of
    /// each.
    #[must_use]
    pub fn combinations(mut self, n: usize) -> Self {
        self.combinations = n.max(1);
        self
    }

    /// The gradient of the sum of the outputs at a point, for a convention at a kink, a tie or a pole. `case` makes the call, and
    /// `gradients` has a tensor for each input.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::case;
    /// use wengert_tape::gradcheck::{Domain, Spec, suite};
    /// let spec = || Spec::unary("relu", Domain::Kinks(&[0.0]), |x| case!(x, [], |x| x[0].relu()));
    /// let zero = || case!(vec![Tensor::scalar(0.0)], [], |x| x[0].relu());
    /// assert!(suite::run(&spec().gradient_at(zero, vec![Tensor::scalar(0.0)]), 0, 10).passed());
    /// let half = suite::run(&spec().gradient_at(zero, vec![Tensor::scalar(0.5)]), 0, 10);
    /// assert!(half.to_string().contains("gradient of input 0 at Tensor::from(0.0): swept Tensor::from(0.0), declared"), "{half}");
    /// ```
    #[must_use]
    pub fn gradient_at(
        mut self,
        case: impl Fn() -> Case + Send + Sync + 'static,
        gradients: Vec<Tensor<f64>>,
    ) -> Self {
        self.at_points.push(AtPoint { case: Box::new(case), expected: Expected::Gradient(gradients) });
        self
    }

    /// The function must have a kink at a point, or no finite derivative: the check fails if it is differentiable there.
    #[must_use]
    pub fn not_differentiable_at(mut self, case: impl Fn() -> Case + Send + Sync + 'static) -> Self {
        self.at_points.push(AtPoint { case: Box::new(case), expected: Expected::NotDifferentiable });
        self
    }

    /// The call that is drawn with a seed.
    pub fn draw(&self, seed: u64) -> (Case, Gen) {
        self.drawn(seed, false)
    }

    /// The same, with numbers away from kinks if `away`.
    pub(crate) fn drawn(&self, seed: u64, away: bool) -> (Case, Gen) {
        let mut g = Gen::of_kind(seed, Kind::of(seed));
        (g.points, g.away) = (self.points, away);
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
    #[track_caller]
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
