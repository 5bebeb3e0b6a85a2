//! Shapes, axes, strides, and the rules that combine them.

use crate::error::{Error, ErrorKind, Result};
use crate::short::{self, Short};
use smallvec::SmallVec;
use std::fmt;
use std::ops::Deref;

/// The sizes of a tensor's axes, outermost first. A scalar has the empty shape.
///
/// ```
/// let s = wengert_ops::Shape::from([2, 3]);
/// assert_eq!((s.len(), s.numel(), s.to_string().as_str()), (2, 6, "[2, 3]"));
/// ```
#[derive(Eq, Default)]
pub struct Shape(Short<usize>);

/// Without a call of `memcmp`, which costs more than a few comparisons.
impl PartialEq for Shape {
    #[inline]
    fn eq(&self, o: &Self) -> bool {
        let (a, b) = (&self[..], &o[..]);
        a.len() == b.len() && std::iter::zip(a, b).all(|(a, b)| a == b)
    }
}

impl std::hash::Hash for Shape {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Self {
        Shape(short::copied(&self.0))
    }
}

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Shape(SmallVec::new())
    }

    /// The number of elements. It fits a `usize` for the shape of a tensor, which has been checked; where it does not
    /// fit, this is `usize::MAX`.
    #[inline]
    pub fn numel(&self) -> usize {
        self.0.iter().fold(1, |n, &d| n.saturating_mul(d))
    }

    /// The number of elements, or `None` where it does not fit in memory.
    pub fn checked_numel(&self) -> Option<usize> {
        let (mut n, mut is_empty) = (1usize, false);
        for &d in self.iter() {
            // Sizes of 0 are left out: a reduction over an empty axis leaves the others.
            is_empty |= d == 0;
            n = n.checked_mul(d.max(1))?;
        }
        if n < 1 << 36 { Some(if is_empty { 0 } else { n }) } else { None }
    }

    pub(crate) fn push(&mut self, d: usize) {
        self.0.push(d);
    }

    pub(crate) fn dims_mut(&mut self) -> &mut Short<usize> {
        &mut self.0
    }

    /// The same sizes with the given axes set to one (`keepdim`) or removed.
    pub fn reduced(&self, axes: &[usize], keepdim: bool) -> Shape {
        let kept = self.iter().enumerate().filter_map(|(i, &d)| match (axes.contains(&i), keepdim) {
            (false, _) => Some(d),
            (true, true) => Some(1),
            (true, false) => None,
        });
        Shape(kept.collect())
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0[..])
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&[usize]> for Shape {
    #[inline]
    fn from(dims: &[usize]) -> Self {
        Shape(short::from_fn(dims.len(), |i| dims[i]))
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[inline]
    fn from(dims: [usize; N]) -> Self {
        Shape(short::from_fn(N, |i| dims[i]))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(SmallVec::from_vec(dims))
    }
}

impl FromIterator<usize> for Shape {
    #[inline]
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Self {
        let mut shape = Shape::scalar();
        for d in dims {
            shape.push(d);
        }
        shape
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, o: &[usize]) -> bool {
        self.0[..] == *o
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, o: &[usize; N]) -> bool {
        self.0[..] == o[..]
    }
}

/// Something that specifies a shape: a [`Shape`], or an array, slice or vector of sizes.
///
/// Signed sizes may contain one `-1` where a call allows it (`reshape`): that size is inferred from the number of
/// elements.
pub trait ToShape {
    /// The sizes; -1 marks the one to infer.
    fn sizes(&self) -> SmallVec<[isize; 4]>;

    /// The shape of a new tensor; an error if a size is negative or the element count does not fit in memory.
    fn to_shape(&self, op: &'static str) -> Result<Shape> {
        checked(&self.sizes(), op)
    }

    /// The shape with its -1 replaced so that it holds `numel` elements.
    fn infer(&self, op: &'static str, from: &Shape) -> Result<Shape> {
        inferred(&self.sizes(), op, from)
    }
}

/// [`ToShape::to_shape`] of signed sizes.
fn checked(sizes: &[isize], op: &'static str) -> Result<Shape> {
    let size = |&d: &isize| {
        usize::try_from(d).map_err(|_| Error::argument(op, format!("negative size in shape {sizes:?}")))
    };
    checked_shape(sizes.iter().map(size).collect::<Result<_>>()?, op)
}

fn checked_shape(shape: Shape, op: &'static str) -> Result<Shape> {
    match shape.checked_numel() {
        Some(_) => Ok(shape),
        None => Err(too_large(op, &shape)),
    }
}

/// [`ToShape::infer`] of signed sizes.
fn inferred(sizes: &[isize], op: &'static str, from: &Shape) -> Result<Shape> {
    let numel = from.numel();
    let refused = |why: String| {
        let detail = format!("cannot view {from} ({numel} elements) as {sizes:?}: {why}");
        Error::shape(op, detail)
    };
    let mut rest = 1usize;
    let mut hole = None;
    for (i, &d) in sizes.iter().enumerate() {
        match usize::try_from(d) {
            Ok(d) => {
                let product = rest.checked_mul(d);
                rest = product.ok_or_else(|| refused("it has too many elements".to_owned()))?;
            }
            Err(_) if d == -1 && hole.is_none() => hole = Some(i),
            Err(_) if d == -1 => return Err(refused("only one size can be inferred".to_owned())),
            Err(_) => return Err(refused(format!("{d} is not a size"))),
        }
    }
    let filled = match hole {
        Some(_) if rest == 0 => {
            return Err(refused("-1 cannot be inferred next to a size of 0".to_owned()));
        }
        Some(_) if !numel.is_multiple_of(rest) => {
            return Err(refused(format!("{numel} is not a multiple of {rest}")));
        }
        Some(_) => numel / rest,
        None if rest != numel => return Err(refused(format!("the new shape has {rest}"))),
        None => 0,
    };
    let filled = |(i, &d): (usize, &isize)| if Some(i) == hole { filled } else { d as usize };
    checked_shape(sizes.iter().enumerate().map(filled).collect(), op)
}

/// [`ToShape::infer`] of sizes that need no inference.
#[inline]
fn fitting(shape: Shape, op: &'static str, from: &Shape) -> Result<Shape> {
    if shape.checked_numel() == Some(from.numel()) { Ok(shape) } else { inferred(&shape.sizes(), op, from) }
}

fn too_large(op: &'static str, shape: &Shape) -> Error {
    Error::new(op, ErrorKind::Overflow, format!("shape {shape} has too many elements"))
}

/// A size that `isize` cannot hold becomes negative, and is refused later.
fn signed<D: Copy>(dims: &[D]) -> Short<isize>
where
    isize: TryFrom<D>,
{
    short::from_fn(dims.len(), |i| isize::try_from(dims[i]).unwrap_or(isize::MIN))
}

impl ToShape for Shape {
    fn sizes(&self) -> SmallVec<[isize; 4]> {
        signed(self)
    }
    fn to_shape(&self, op: &'static str) -> Result<Shape> {
        checked_shape(self.clone(), op)
    }
    fn infer(&self, op: &'static str, from: &Shape) -> Result<Shape> {
        fitting(self.clone(), op, from)
    }
}

macro_rules! to_shape {
    ($($t:ty)*) => {$(
        impl ToShape for [$t] {
            fn sizes(&self) -> SmallVec<[isize; 4]> {
                signed(self)
            }
        }
        impl<const N: usize> ToShape for [$t; N] {
            fn sizes(&self) -> SmallVec<[isize; 4]> {
                signed(self)
            }
        }
        impl ToShape for Vec<$t> {
            fn sizes(&self) -> SmallVec<[isize; 4]> {
                signed(self)
            }
        }
    )*};
}
to_shape!(isize i32);

impl ToShape for [usize] {
    fn sizes(&self) -> SmallVec<[isize; 4]> {
        signed(self)
    }
    fn to_shape(&self, op: &'static str) -> Result<Shape> {
        checked_shape(Shape::from(self), op)
    }
    fn infer(&self, op: &'static str, from: &Shape) -> Result<Shape> {
        fitting(Shape::from(self), op, from)
    }
}

impl<const N: usize> ToShape for [usize; N] {
    fn sizes(&self) -> SmallVec<[isize; 4]> {
        signed(self)
    }
    fn to_shape(&self, op: &'static str) -> Result<Shape> {
        checked_shape(Shape::from(*self), op)
    }
    fn infer(&self, op: &'static str, from: &Shape) -> Result<Shape> {
        fitting(Shape::from(*self), op, from)
    }
}

impl ToShape for Vec<usize> {
    fn sizes(&self) -> SmallVec<[isize; 4]> {
        signed(self)
    }
    fn to_shape(&self, op: &'static str) -> Result<Shape> {
        self[..].to_shape(op)
    }
    fn infer(&self, op: &'static str, from: &Shape) -> Result<Shape> {
        self[..].infer(op, from)
    }
}

impl ToShape for () {
    fn sizes(&self) -> SmallVec<[isize; 4]> {
        SmallVec::new()
    }
}

impl<S: ToShape + ?Sized> ToShape for &S {
    fn sizes(&self) -> SmallVec<[isize; 4]> {
        (**self).sizes()
    }
    fn to_shape(&self, op: &'static str) -> Result<Shape> {
        (**self).to_shape(op)
    }
    fn infer(&self, op: &'static str, from: &Shape) -> Result<Shape> {
        (**self).infer(op, from)
    }
}

/// Something that specifies axes: one axis, or an array, slice or vector of them. Negative axes count from the last.
pub trait Axes {
    /// The axes as given.
    fn list(&self) -> SmallVec<[isize; 4]>;

    /// The axes counted from the first, sorted; an error if one is out of range for `rank` or named twice.
    fn resolve(&self, op: &'static str, rank: usize) -> Result<SmallVec<[usize; 4]>> {
        resolved(&self.list(), op, rank)
    }
}

/// [`Axes::resolve`] of a list.
fn resolved(list: &[isize], op: &'static str, rank: usize) -> Result<Short<usize>> {
    let mut axes = Short::new();
    for &a in list {
        let a = normalize_axis(op, a, rank)?;
        if axes.contains(&a) {
            return Err(Error::new(op, ErrorKind::Axis, format!("axis {a} is named twice")));
        }
        axes.push(a);
    }
    axes.sort_unstable();
    Ok(axes)
}

macro_rules! axes {
    ($($t:ty)*) => {$(
        impl Axes for $t {
            fn list(&self) -> SmallVec<[isize; 4]> {
                signed(&[*self])
            }
        }
        impl Axes for [$t] {
            fn list(&self) -> SmallVec<[isize; 4]> {
                signed(self)
            }
        }
        impl<const N: usize> Axes for [$t; N] {
            fn list(&self) -> SmallVec<[isize; 4]> {
                self[..].list()
            }
        }
        impl Axes for Vec<$t> {
            fn list(&self) -> SmallVec<[isize; 4]> {
                self[..].list()
            }
        }
    )*};
}
axes!(usize isize i32);

impl Axes for SmallVec<[usize; 4]> {
    fn list(&self) -> SmallVec<[isize; 4]> {
        signed(self)
    }
}

impl<A: Axes + ?Sized> Axes for &A {
    fn list(&self) -> SmallVec<[isize; 4]> {
        (**self).list()
    }
}

/// The axis counted from the first; negative ones count from the last.
pub fn normalize_axis(op: &'static str, axis: isize, rank: usize) -> Result<usize> {
    let r = rank as isize;
    if (-r..r).contains(&axis) {
        Ok(if axis < 0 { axis + r } else { axis } as usize)
    } else {
        Err(Error::new(
            op,
            ErrorKind::Axis,
            format!("axis {axis} is out of range for a tensor of rank {rank}"),
        ))
    }
}

/// The shape that two shapes broadcast to. Axes are aligned at the last; sizes must be equal, or one of them 1.
pub fn broadcast_shapes(op: &'static str, a: &Shape, b: &Shape) -> Result<Shape> {
    if a == b {
        return Ok(a.clone());
    }
    let rank = a.len().max(b.len());
    let at = |s: &Shape, i: usize| {
        if i + s.len() >= rank { s[i + s.len() - rank] } else { 1 }
    };
    let mut out = Shape::scalar();
    for i in 0..rank {
        out.push(match (at(a, i), at(b, i)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            (x, y) => {
                let axis = i as isize - rank as isize;
                return Err(Error::shape(
                    op,
                    format!("cannot broadcast {a} with {b}: axis {axis} has sizes {x} and {y}"),
                ));
            }
        });
    }
    match out.checked_numel() {
        Some(_) => Ok(out),
        None => {
            Err(Error::new(op, ErrorKind::Overflow, format!("{a} with {b} gives {out}: too many elements")))
        }
    }
}

/// The memory layout of a tensor: element `i` is at `offset + Σ i_k · strides_k` of its buffer.
#[derive(PartialEq, Eq, Debug)]
pub struct Layout {
    pub(crate) shape: Shape,
    pub(crate) strides: Short<isize>,
    pub(crate) offset: usize,
}

impl Clone for Layout {
    #[inline]
    fn clone(&self) -> Self {
        Layout { shape: self.shape.clone(), strides: short::copied(&self.strides), offset: self.offset }
    }
}

impl Layout {
    /// The row-major layout of a shape.
    #[inline]
    pub fn contiguous(shape: Shape) -> Self {
        let mut strides = [1isize; 4];
        let rank = shape.len();
        let strides = if rank <= strides.len() {
            let dims: &[usize] = &shape;
            for i in (1..rank).rev() {
                strides[i - 1] = strides[i].saturating_mul(dims[i].max(1) as isize);
            }
            SmallVec::from_buf_and_len(strides, rank)
        } else {
            let mut all: Short<isize> = SmallVec::from_elem(1, rank);
            for i in (1..rank).rev() {
                all[i - 1] = all[i].saturating_mul(shape[i].max(1) as isize);
            }
            all
        };
        Layout { shape, strides, offset: 0 }
    }

    /// Whether the elements are stored in row-major order without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        let (dims, strides): (&[usize], &[isize]) = (&self.shape, &self.strides);
        let mut step = 1isize;
        for (&d, &stride) in std::iter::zip(dims, strides).rev() {
            if d != 1 {
                if stride != step {
                    // Without elements, every layout is row-major.
                    return dims.contains(&0);
                }
                if d == 0 {
                    return true;
                }
                step = step.saturating_mul(d as isize);
            }
        }
        true
    }

    /// The layout as `shape`, to which it must broadcast; repeated axes get stride zero.
    pub(crate) fn broadcast(&self, shape: &Shape) -> Layout {
        let lead = shape.len() - self.shape.len();
        let strides = short::from_fn(shape.len(), |i| {
            if i < lead || (self.shape[i - lead] == 1 && shape[i] != 1) { 0 } else { self.strides[i - lead] }
        });
        Layout { shape: shape.clone(), strides, offset: self.offset }
    }

    /// The same elements in the same order over the fewest possible axes: (size, stride), outermost first.
    pub(crate) fn collapsed(&self) -> SmallVec<[(usize, isize); 4]> {
        let mut out: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        for (&d, &s) in self.shape.iter().zip(&self.strides) {
            if d == 1 {
                continue;
            }
            match out.last_mut() {
                Some((pd, ps)) if *ps == s * d as isize => (*pd, *ps) = (*pd * d, s),
                _ => out.push((d, s)),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inference_fills_one_hole_and_refuses_the_rest() {
        let from = Shape::from([2, 6]);
        assert_eq!([3, -1].infer("reshape", &from).unwrap(), [3, 4]);
        assert_eq!([12usize].infer("reshape", &from).unwrap(), [12]);
        for bad in
            [vec![5, -1], vec![-1, -1], vec![-2, 6], vec![13], vec![0, -1], vec![isize::MAX, isize::MAX]]
        {
            assert!(bad.infer("reshape", &from).is_err(), "{bad:?}");
        }
        assert_eq!([0usize, 3].infer("reshape", &Shape::from([0])).unwrap(), [0, 3]);
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        assert!([usize::MAX, 2].to_shape("zeros").is_err());
        assert!([1usize << 20, 1 << 20].to_shape("zeros").is_err());
        assert!([-1].to_shape("zeros").is_err());
        assert!([1usize << 40, 1 << 40, 0].to_shape("zeros").is_err(), "its strides do not fit");
        assert!([1usize << 40, 0].to_shape("zeros").is_err(), "nor does its sum over the empty axis");
        assert_eq!([1usize << 35, 0].to_shape("zeros").unwrap().numel(), 0);
        let e = [0, isize::MAX, 2].infer("reshape", &Shape::from([0])).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Overflow);
        let unchecked = Shape::from([usize::MAX, 2, 3]);
        assert_eq!((unchecked.numel(), unchecked.checked_numel()), (usize::MAX, None));
        assert!(Layout::contiguous(unchecked).is_contiguous());
        assert!([usize::MAX, 0].to_shape("zeros").is_err(), "isize cannot hold it");
    }

    #[test]
    fn collapsing_keeps_the_order() {
        let l = Layout::contiguous(Shape::from([2, 3, 4]));
        assert_eq!(l.collapsed()[..], [(24, 1)]);
        let b = Layout::contiguous(Shape::from([4])).broadcast(&Shape::from([2, 3, 4]));
        assert_eq!(b.collapsed()[..], [(6, 0), (4, 1)]);
    }
}
