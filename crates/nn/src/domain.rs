//! Domains of data: the search of a tensor for an element that is outside its domain, and the description of where it is.

use wengert_ops::Tensor;
use wengert_tape::Float;

/// What each element of a tensor must be. NaN is in none of the domains; a caller that accepts it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Any number, infinities included.
    Number,
    /// Any finite number.
    Finite,
    /// More than 0.
    Positive,
    /// More than 0, and finite.
    FinitePositive,
    /// 0 or more.
    NotNegative,
    /// 0 or more, and finite.
    FiniteNotNegative,
    /// From 0 to 1.
    Probability,
    /// From 0 to 1, up to a few units of rounding: for data that were scaled or interpolated.
    RoundedProbability,
    /// 0 or less, up to a few units of rounding.
    LogProbability,
    /// 1 or -1.
    Sign,
}

/// The number of units of rounding that [`Domain::RoundedProbability`] and [`Domain::LogProbability`] allow.
const SLACK: f64 = 64.0;

impl Domain {
    #[inline(always)]
    fn holds<T: Float>(self, x: T, slack: T) -> bool {
        match self {
            Domain::Number => x >= T::NEG_INFINITY,
            Domain::Finite => x > T::NEG_INFINITY && x < T::INFINITY,
            Domain::Positive => x > T::ZERO,
            Domain::FinitePositive => x > T::ZERO && x < T::INFINITY,
            Domain::NotNegative => x >= T::ZERO,
            Domain::FiniteNotNegative => x >= T::ZERO && x < T::INFINITY,
            Domain::Probability => x >= T::ZERO && x <= T::ONE,
            Domain::RoundedProbability => x >= -slack && x <= T::ONE + slack,
            Domain::LogProbability => x <= slack,
            Domain::Sign => x == T::ONE || x == -T::ONE,
        }
    }

    /// The domain in words, as in "expected … of".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Domain::Number => "a number",
            Domain::Finite => "a finite number",
            Domain::Positive => "more than 0",
            Domain::FinitePositive => "more than 0 and finite",
            Domain::NotNegative => "at least 0",
            Domain::FiniteNotNegative => "at least 0 and finite",
            Domain::Probability => "a probability",
            Domain::RoundedProbability => "between 0 and 1",
            Domain::LogProbability => "at most 0",
            Domain::Sign => "1 or -1",
        }
    }

    /// The first element outside the domain, and its index: `1.5 at [0, 2]`. NaN is outside unless `nan` is true.
    pub(crate) fn outside<T: Float>(self, t: &Tensor<T>, nan: bool) -> Option<String> {
        let slack = T::from_f64(SLACK) * T::EPSILON;
        first(t, |x| !(self.holds(x, slack) || nan && x.is_nan()))
    }
}

/// The first element for which `bad` is true, and its index.
fn first<T: Float>(t: &Tensor<T>, bad: impl Fn(T) -> bool) -> Option<String> {
    let dense = t.contiguous();
    let values = dense.as_slice().unwrap_or_default();
    // A block is checked as a whole, without a branch per element.
    let block = values.chunks(BLOCK).position(|b| b.iter().fold(false, |found, x| found | bad(*x)))?;
    let at = block * BLOCK + values[block * BLOCK..].iter().position(|x| bad(*x))?;
    Some(place(values[at], at, t.shape()))
}

const BLOCK: usize = 256;

/// An element and its index: `7 at [0, 2]`; a scalar has no index.
pub(crate) fn place(value: impl std::fmt::Display, at: usize, shape: &[usize]) -> String {
    if shape.is_empty() {
        return value.to_string();
    }
    let (mut rest, mut index) = (at, vec![0; shape.len()]);
    for (i, n) in index.iter_mut().zip(shape).rev() {
        (*i, rest) = (rest % n.max(&1), rest / n.max(&1));
    }
    format!("{value} at {index:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_element_outside_is_found_in_any_layout() {
        let t = Tensor::<f32>::zeros([30, 40]);
        assert_eq!(Domain::Probability.outside(&t, false), None);
        let mut values = t.to_vec();
        (values[717], values[1100]) = (1.5, -2.0);
        let t = Tensor::from_vec(values, [30, 40]).unwrap();
        assert_eq!(Domain::Probability.outside(&t, false).unwrap(), "1.5 at [17, 37]");
        let turned = t.transpose(0, 1).unwrap();
        assert_eq!(Domain::Probability.outside(&turned, false).unwrap(), "-2 at [20, 27]");
        assert_eq!(Domain::Positive.outside(&Tensor::scalar(-0.5f64), false).unwrap(), "-0.5");
        assert_eq!(Domain::Positive.outside(&Tensor::<f64>::zeros([0, 2]), false), None);
    }

    #[test]
    fn domains_are_closed_where_they_should_be_and_nan_passes_only_when_let() {
        const INF: f64 = f64::INFINITY;
        let inside = |d: Domain, x: f64| d.outside(&Tensor::scalar(x), false).is_none();
        for (d, good, bad) in [
            (Domain::Number, vec![-INF, 0.0, INF], vec![]),
            (Domain::Finite, vec![-1e300, 0.0], vec![-INF, INF]),
            (Domain::Positive, vec![1e-300, INF], vec![0.0, -1.0]),
            (Domain::NotNegative, vec![0.0, -0.0, INF], vec![-1e-300]),
            (Domain::FinitePositive, vec![1e-300, 2.0], vec![0.0, -1.0, INF]),
            (Domain::FiniteNotNegative, vec![0.0, 2.0], vec![-1e-300, INF]),
            (Domain::Probability, vec![0.0, -0.0, 1.0], vec![1.0 + f64::EPSILON, -1e-300, INF]),
            (Domain::RoundedProbability, vec![0.0, 1.0 + f64::EPSILON], vec![1.0 + 1e-12, -1e-12]),
            (Domain::LogProbability, vec![-INF, 0.0, f64::EPSILON], vec![1e-12, INF]),
            (Domain::Sign, vec![1.0, -1.0], vec![0.0, 0.5, INF]),
        ] {
            assert!(good.iter().all(|x| inside(d, *x)), "{d:?}");
            assert!(bad.iter().all(|x| !inside(d, *x)), "{d:?}");
            assert!(!inside(d, f64::NAN) && d.outside(&Tensor::scalar(f64::NAN), true).is_none(), "{d:?}");
        }
    }
}
