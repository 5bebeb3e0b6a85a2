//! Shapes, axes, and positions.

use super::{Arguments, HUGE, MOST};
use wengert::ops::{Shape, Slice};
use wengert::tape::Float;

impl<T: Float> Arguments<'_, T> {
    /// The size of an axis.
    pub(crate) fn size(&mut self) -> usize {
        self.pick(&[0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 7])
    }

    /// Sizes of axes that several tensors share.
    pub(crate) fn sizes<const N: usize>(&mut self) -> [usize; N] {
        std::array::from_fn(|_| self.size())
    }

    /// A valid shape of a tensor.
    pub(crate) fn dims(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Vec<usize> {
        let (low, high) = ranks.into_inner();
        let rank = low + self.below(high - low + 1);
        let mut shape = Vec::new();
        for _ in 0..rank {
            let size = self.size();
            let most = MOST / shape.iter().product::<usize>().max(1);
            shape.push(if size > most { 1 } else { size });
        }
        shape
    }

    /// A shape that usually differs from the given one.
    pub(super) fn wrong(&mut self, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        match self.below(5) {
            0 => shape.push(self.size()),
            1 => drop(shape.pop()),
            2 if !shape.is_empty() => {
                let i = self.below(shape.len());
                shape[i] = self.size();
            }
            3 => shape.reverse(),
            _ => return self.dims(0..=5),
        }
        if shape.iter().product::<usize>() > MOST { self.dims(0..=5) } else { shape }
    }

    /// A shape for a new tensor; some of its sizes are too large for any memory.
    pub(crate) fn new_shape(&mut self) -> Vec<isize> {
        let mut shape: Vec<isize> = self.dims(0..=5).into_iter().map(|d| d as isize).collect();
        if self.slip() {
            let size = self.pick(&HUGE) as isize;
            let size = self.pick(&[size, -1, isize::MIN, 1 << 37]);
            // Huge sizes also occur next to an empty axis.
            shape.push(size);
        }
        self.noted("shape", shape)
    }

    /// A shape with the number of elements of the last tensor, possibly with a -1 in it, or sometimes with another number.
    pub(crate) fn reshaped(&mut self) -> Vec<isize> {
        let n: usize = self.shape.iter().product();
        let mut shape: Vec<isize> = self.shape.iter().map(|&d| d as isize).collect();
        match self.below(4) {
            0 => shape = vec![n as isize],
            1 if shape.len() > 1 => {
                let last = shape.pop().unwrap_or(1);
                if let Some(d) = shape.last_mut() {
                    *d *= last;
                }
            }
            2 => shape.insert(self.below(shape.len() + 1), 1),
            _ => shape.reverse(),
        }
        if self.once_in(4) && n > 0 && !shape.is_empty() {
            let i = self.below(shape.len());
            shape[i] = -1;
        }
        if self.slip() {
            let d = self.pick(&[-1, -2, isize::MIN, isize::MAX, 0, 3, 1 << 40]);
            let i = self.below(shape.len() + 1);
            shape.insert(i, d);
        }
        self.noted("shape", shape)
    }

    /// A shape that the last tensor broadcasts to, or sometimes another.
    pub(crate) fn wider(&mut self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        for d in &mut shape {
            if *d == 1 && self.once_in(2) {
                *d = self.size();
            }
        }
        if self.once_in(3) {
            shape.insert(0, self.size());
        }
        if self.slip() {
            shape = self.wrong(&shape);
            if self.once_in(2) {
                let d = self.pick(&HUGE);
                shape.insert(self.below(shape.len() + 1), d);
            }
        }
        let n = Shape::from(&shape[..]).checked_numel();
        if n.is_some_and(|n| n > 4 * MOST) {
            shape = self.shape.clone();
        }
        self.noted("shape", shape)
    }

    /// A shape that broadcasts to the last tensor's, or sometimes another.
    pub(crate) fn narrower(&mut self) -> Vec<usize> {
        let shape = self.shape.clone();
        let shape = self.fewer(&shape);
        let shape = if self.slip() { self.wrong(&shape) } else { shape };
        self.noted("shape", shape)
    }

    pub(super) fn fewer(&mut self, shape: &[usize]) -> Vec<usize> {
        let skip = if self.once_in(3) { self.below(shape.len() + 1) } else { 0 };
        shape[skip..].iter().map(|&d| if self.once_in(4) { 1 } else { d }).collect()
    }

    /// An axis of the last tensor, counted from either end, or sometimes one out of range.
    pub(crate) fn axis(&mut self) -> isize {
        self.axis_of(self.shape.len())
    }

    /// A position for a new axis.
    pub(crate) fn new_axis(&mut self) -> isize {
        self.axis_of(self.shape.len() + 1)
    }

    pub(super) fn axis_of(&mut self, rank: usize) -> isize {
        let r = rank as isize;
        self.axis = self.below(rank);
        let from_end = if self.once_in(2) { r } else { 0 };
        let axis = match self.slip() {
            true => self.pick(&[r, -r - 1, isize::MIN, isize::MAX, 1 << 32, 17]),
            false => self.axis as isize - from_end,
        };
        self.noted("axis", axis)
    }

    /// Some axes of the last tensor, sometimes repeated or out of range.
    pub(crate) fn axes(&mut self) -> Vec<isize> {
        let n = if self.once_in(4) { self.shape.len() } else { self.below(self.shape.len() + 1) };
        let mut axes = self.order();
        axes.truncate(n);
        if self.slip() {
            let extra = self.axis();
            axes.push(extra);
        }
        self.noted("axes", axes)
    }

    /// All axes of the last tensor in a random order, or sometimes not all.
    pub(crate) fn permutation(&mut self) -> Vec<isize> {
        let mut order = self.order();
        if self.slip() {
            let axis = self.axis();
            match self.below(3) {
                0 => order.push(axis),
                1 => drop(order.pop()),
                _ => order.iter_mut().for_each(|a| *a = axis),
            }
        }
        self.noted("order", order)
    }

    pub(super) fn order(&mut self) -> Vec<isize> {
        let rank = self.shape.len();
        let mut order: Vec<isize> = (0..rank as isize).collect();
        for i in (1..rank).rev() {
            order.swap(i, self.below(i + 1));
        }
        for a in &mut order {
            if self.once_in(3) {
                *a -= rank as isize;
            }
        }
        order
    }

    /// The size of the last axis drawn.
    pub(crate) fn along(&self) -> usize {
        self.shape.get(self.axis).copied().unwrap_or(1)
    }

    /// A position on the last axis, or sometimes one out of range.
    pub(crate) fn position(&mut self) -> usize {
        let n = self.along();
        self.count(0..=n.max(1) - 1)
    }

    /// A part of the last axis.
    pub(crate) fn slice(&mut self) -> Slice {
        let n = self.along() as isize;
        let mut bound = || match self.slip() {
            true => self.pick(&[isize::MIN, isize::MAX, -n - 1, n + 1, 1 << 40]),
            false => self.below(2 * n as usize + 2) as isize - n,
        };
        let (start, end) = (bound(), bound());
        let slice = match self.below(5) {
            0 => Slice::all(),
            1 => Slice::from(start..),
            2 => Slice::from(..end),
            3 if end < isize::MAX => Slice::from(start..=end),
            _ => Slice::from(start..end),
        };
        let step = match self.slip() {
            true => self.pick(&[0, isize::MIN, isize::MAX, -isize::MAX, 1 << 40]),
            false => self.pick(&[1, 1, 1, 2, -1, -2, 3]),
        };
        self.noted("slice", slice.step(step))
    }

    /// Sizes that add up to the size of the last axis, or sometimes do not.
    pub(crate) fn parts(&mut self) -> Vec<usize> {
        let (mut left, mut parts) = (self.along(), Vec::new());
        while left > 0 && parts.len() < 4 {
            parts.push(self.below(left + 1));
            left -= parts[parts.len() - 1];
        }
        parts.push(left);
        if self.slip() {
            let extra = self.count(0..=3);
            parts.push(extra);
        }
        self.noted("parts", parts)
    }

    /// One count per axis of the last tensor, or sometimes one too many or too few.
    pub(crate) fn each_axis(&mut self, range: std::ops::RangeInclusive<usize>) -> Vec<usize> {
        let extra = if self.slip() { self.below(3) } else { 1 };
        (0..(self.shape.len() + extra).saturating_sub(1)).map(|_| self.count(range.clone())).collect()
    }

    /// One pair of counts per axis of the last tensor, or sometimes one too many or too few.
    pub(crate) fn widths(&mut self) -> Vec<(usize, usize)> {
        self.each_axis(0..=2).into_iter().map(|n| (n, self.count(0..=1))).collect()
    }
}
