//! Printing tensors as NumPy does: aligned columns, long axes abbreviated.

use crate::dtype::{DType, Element};
use crate::tensor::Tensor;
use std::fmt::{self, Write};

/// In a tensor of more than `SUMMARISE` elements, a long axis shows this number of elements at each end.
const EDGE: usize = 3;
const SUMMARISE: usize = 1000;

impl<T: Element> fmt::Display for Tensor<T> {
    /// Elements in nested brackets. The precision of the format string is the number of decimals (4 by default).
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, -2.5], [10.0, 0.125]]);
    /// assert_eq!(format!("{t}"), "[[ 1.0000, -2.5000],\n [10.0000,  0.1250]]");
    /// assert_eq!(format!("{t:.1}"), "[[ 1.0, -2.5],\n [10.0,  0.1]]");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = self.numel() <= SUMMARISE;
        let mut cells = Vec::new();
        collect(self, 0, &mut Vec::new(), full, &mut cells);
        let decimals = f.precision().unwrap_or(4);
        let float = matches!(T::DTYPE, DType::F32 | DType::F64);
        let scientific = float && needs_exponent(&cells);
        let texts: Vec<String> = cells
            .iter()
            .map(|v| match (float, scientific) {
                (true, true) => exponent_form(v, decimals),
                (true, false) => format!("{v:.decimals$}"),
                (false, _) => v.to_string(),
            })
            .collect();
        let width = texts.iter().map(String::len).max().unwrap_or(0);
        let mut next = texts.iter();
        layout(f, self.shape(), 0, full, width, &mut next)
    }
}

impl<T: Element> fmt::Debug for Tensor<T> {
    /// For up to 64 elements an expression with all digits, which can be pasted into a test, with its memory layout if that is not
    /// row-major: the order of the axes in memory as a permutation, other strides as a comment. Larger tensors are abbreviated.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let t = Tensor::from([[0.1 + 0.2, f64::NAN], [1.0, -2.5]]);
    /// assert_eq!(format!("{t:?}"), "Tensor::from([[0.30000000000000004, f64::NAN], [1.0, -2.5]])");
    /// let pasted = Tensor::from([[0.30000000000000004, f64::NAN], [1.0, -2.5]]);
    /// assert_eq!(pasted.to_vec()[0], 0.1 + 0.2);
    /// assert_eq!(format!("{:?}", Tensor::from([[1.0, 2.0], [3.0, 4.0]]).t()?), "Tensor::from([[1.0, 2.0], [3.0, 4.0]]).permute([1, 0]).unwrap()");
    /// assert_eq!(format!("{:?}", Tensor::<f64>::zeros([0, 2])), "Tensor::<f64>::zeros([0, 2])");
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.numel() > 64 {
            return write!(f, "Tensor<{}>{}\n{self}", T::DTYPE, self.shape());
        }
        let (rank, strides) = (self.rank(), self.strides());
        // The axes from the longest stride to the shortest, which is their order in memory.
        let mut order: Vec<usize> = (0..rank).collect();
        order.sort_by_key(|&axis| std::cmp::Reverse(strides[axis]));
        let in_memory = self.permute(&order[..]).ok().filter(|t| !self.is_contiguous() && t.is_contiguous());
        expression(f, in_memory.as_ref().unwrap_or(self))?;
        if in_memory.is_some() {
            let mut back = vec![0; rank];
            order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
            write!(f, ".permute({back:?}).unwrap()")
        } else if self.is_contiguous() {
            Ok(())
        } else {
            write!(f, " /* strides {strides:?} */")
        }
    }
}

/// An expression for a tensor with the same elements.
fn expression<T: Element>(f: &mut fmt::Formatter<'_>, t: &Tensor<T>) -> fmt::Result {
    let ty = match T::DTYPE {
        _ if t.numel() == 0 => format!("::<{}>", T::DTYPE),
        DType::F64 | DType::Bool => String::new(),
        other => format!("::<{other}>"),
    };
    let shape = t.shape().to_vec();
    let float = matches!(T::DTYPE, DType::F32 | DType::F64);
    let number = |v: &T| match v.to_string().as_str() {
        "NaN" => format!("{}::NAN", T::DTYPE),
        "inf" => format!("{}::INFINITY", T::DTYPE),
        "-inf" => format!("{}::NEG_INFINITY", T::DTYPE),
        _ if float => format!("{v:?}"),
        text => text.to_owned(),
    };
    let mut elements: Vec<String> = t.to_vec().iter().map(number).collect();
    match shape.len() {
        _ if t.numel() == 0 => write!(f, "Tensor{ty}::zeros({shape:?})"),
        0 => write!(f, "Tensor{ty}::from({})", elements[0]),
        1..=3 => {
            for &size in shape[1..].iter().rev() {
                elements = elements.chunks(size).map(|row| format!("[{}]", row.join(", "))).collect();
            }
            write!(f, "Tensor{ty}::from([{}])", elements.join(", "))
        }
        _ => write!(f, "Tensor{ty}::from_vec(vec![{}], {shape:?}).unwrap()", elements.join(", ")),
    }
}

fn shown(n: usize, full: bool) -> impl Iterator<Item = usize> {
    (0..n).filter(move |&i| full || n <= 2 * EDGE || i < EDGE || i >= n - EDGE)
}

fn collect<T: Element>(t: &Tensor<T>, axis: usize, at: &mut Vec<usize>, full: bool, out: &mut Vec<T>) {
    if axis == t.rank() {
        out.extend(t.get(at).ok());
        return;
    }
    for i in shown(t.shape()[axis], full) {
        at.push(i);
        collect(t, axis + 1, at, full, out);
        at.pop();
    }
}

fn magnitude<T: Element>(v: &T) -> f64 {
    v.to_string().parse::<f64>().map_or(0.0, f64::abs)
}

fn needs_exponent<T: Element>(cells: &[T]) -> bool {
    let finite = cells.iter().map(magnitude).filter(|m| m.is_finite() && *m > 0.0);
    let (lo, hi) = finite.fold((f64::INFINITY, 0.0f64), |(lo, hi), m| (lo.min(m), hi.max(m)));
    hi >= 1e8 || (hi > 0.0 && (hi < 1e-3 || lo < 1e-4 && hi / lo > 1e3))
}

fn exponent_form<T: Element>(v: &T, decimals: usize) -> String {
    match v.to_string().parse::<f64>() {
        Ok(x) if x.is_finite() => format!("{x:.decimals$e}"),
        _ => v.to_string(),
    }
}

fn layout<'a>(
    f: &mut fmt::Formatter<'_>,
    shape: &[usize],
    depth: usize,
    full: bool,
    width: usize,
    next: &mut impl Iterator<Item = &'a String>,
) -> fmt::Result {
    let Some((&n, inner)) = shape.split_first() else {
        return match next.next() {
            Some(text) if depth > 0 => write!(f, "{text:>width$}"),
            Some(text) => f.write_str(text),
            None => Ok(()),
        };
    };
    let separator = |f: &mut fmt::Formatter<'_>| {
        if inner.is_empty() {
            return f.write_str(", ");
        }
        f.write_char(',')?;
        (0..inner.len()).try_for_each(|_| f.write_char('\n'))?;
        (0..=depth).try_for_each(|_| f.write_char(' '))
    };
    f.write_char('[')?;
    let mut previous = None;
    for i in shown(n, full) {
        if let Some(p) = previous {
            separator(f)?;
            if p + 1 != i {
                f.write_str("...")?;
                separator(f)?;
            }
        }
        layout(f, inner, depth + 1, full, width, next)?;
        previous = Some(i);
    }
    f.write_char(']')
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn shapes_of_every_rank_print() {
        assert_eq!(Tensor::scalar(2.5).to_string(), "2.5000");
        assert_eq!(Tensor::from([1i64, -20, 3]).to_string(), "[  1, -20,   3]");
        assert_eq!(Tensor::from([true, false]).to_string(), "[ true, false]");
        assert_eq!(Tensor::<f32>::zeros([0]).to_string(), "[]");
        assert_eq!(
            Tensor::from([[[1.0], [2.0]], [[3.0], [4.0]]]).to_string(),
            "[[[1.0000],\n  [2.0000]],\n\n [[3.0000],\n  [4.0000]]]"
        );
    }

    #[test]
    fn long_axes_are_abbreviated_and_extremes_take_exponents() {
        let long = Tensor::<f64>::steps(0.0, 1.0, 2000).to_string();
        assert_eq!(long, "[   0.0000,    1.0000,    2.0000, ..., 1997.0000, 1998.0000, 1999.0000]");
        assert_eq!(Tensor::from([1e-9, 2e-9]).to_string(), "[1.0000e-9, 2.0000e-9]");
        assert_eq!(Tensor::from([f64::NAN, f64::INFINITY, 1.0]).to_string(), "[   NaN,    inf, 1.0000]");
    }
}
