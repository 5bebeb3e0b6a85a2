//! [`Spec`]: an op enrolled for the property tests, with a generator of its valid inputs.

use crate::gradcheck::generate::{Domain, Gen};
use crate::var::Var;
use std::sync::Arc;
use wengert_ops::Tensor;

/// To which order an op is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The op is linear between kinks, or its derivative jumps: the second order is zero almost everywhere.
    First,
    /// First and second.
    Second,
}

type Run<T> = Box<dyn for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T> + Send + Sync>;

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
        Case { inputs, double: Box::new(double), single: Box::new(single) }
    }
}

/// Makes a [`Case`](crate::gradcheck::Case): inputs, then what the call captures (cloned for each element type), then
/// the call.
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
        $crate::gradcheck::Case::new(
            $inputs,
            { $(let $captured = $captured.clone();)* move |$x| $call },
            { $(let $captured = $captured.clone();)* move |$x| $call },
        )
    };
}

/// An op enrolled for the property tests.
pub struct Spec {
    /// The op's name: that of the public method which its cases call.
    pub name: &'static str,
    /// To which order it is checked.
    pub order: Order,
    /// Makes one valid call.
    pub sample: Box<dyn Fn(&mut Gen) -> Case + Send + Sync>,
}

impl Spec {
    /// An op under its name.
    pub fn new(
        name: &'static str,
        order: Order,
        sample: impl Fn(&mut Gen) -> Case + Send + Sync + 'static,
    ) -> Self {
        Spec { name, order, sample: Box::new(sample) }
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

    /// Ops that share a generator, which is told the place of the op's name among `names`.
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

    /// Checked to the second order in spite of its kinks.
    #[must_use]
    pub fn second_order(mut self) -> Self {
        self.order = Order::Second;
        self
    }
}

/// One entry, where a file may enrol several.
impl IntoIterator for Spec {
    type Item = Spec;
    type IntoIter = std::iter::Once<Spec>;
    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}
