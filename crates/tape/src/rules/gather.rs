//! index_select, gather, and their adjoints index_add and scatter_add, which add up duplicates; index_copy, which keeps the
//! last of them. An index out of range is an error that names it.

use super::prelude::*;

/// Slices of some neighbouring axes, merged into one, at positions of any shape.
struct IndexSelect {
    name: &'static str,
    /// The first of the axes; `merged` is their number.
    axis: isize,
    merged: usize,
    /// The positions, and their shape in the result.
    index: Tensor<i64>,
    shape: Shape,
}

impl IndexSelect {
    /// A shape in which the axes are merged into one of the given size.
    fn with_axis(&self, shape: &Shape, size: Option<usize>) -> wengert_ops::Result<(isize, Shape)> {
        let lead = match self.merged {
            0 => 0,
            _ => wengert_ops::normalize_axis(self.name, self.axis, shape.len())?,
        };
        let (before, rest) = shape.split_at(lead);
        let (these, after) = rest.split_at(self.merged);
        let size = size.unwrap_or(these.iter().product());
        Ok((lead as isize, before.iter().chain([&size]).chain(after).copied().collect()))
    }
}

impl<T: Float> Op<T> for IndexSelect {
    fn name(&self) -> &'static str {
        self.name
    }
    fn arguments(&self) -> Option<String> {
        let at = listed(&self.index);
        Some(if self.merged == 1 { format!("axis {}, at {at}", self.axis) } else { format!("at {at}") })
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (axis, rows) = self.with_axis(x[0].shape(), None)?;
        let y = x[0].reshape(&rows)?.index_select(axis, &self.index).map_err(|e| e.in_op(self.name))?;
        let mut shape: Vec<usize> = rows.to_vec();
        shape.splice(axis as usize..axis as usize + 1, self.shape.iter().copied());
        Ok(y.reshape(&shape[..])?.into())
    }
    fn selection(&self) -> Option<&dyn Selection<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Selection<T> for IndexSelect {
    fn scatter_add(&self, gy: &Tensor<T>, into: Tensor<T>) -> wengert_ops::Result<Tensor<T>> {
        let shape = into.shape().clone();
        let (axis, rows) = self.with_axis(&shape, None)?;
        let (_, taken) = self.with_axis(&shape, Some(self.index.numel()))?;
        // In row-major order a reshape does not copy, and then the buffer is not shared.
        let mut into = into;
        into.data_mut();
        let table = into.reshape(&rows)?;
        drop(into);
        table.into_index_add(axis, &self.index, &gy.reshape(&taken)?)?.reshape(&shape)
    }
}

struct IndexAdd {
    axis: isize,
    index: Tensor<i64>,
}

impl<T: Float> Op<T> for IndexAdd {
    fn name(&self) -> &'static str {
        "index_add"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].index_add(self.axis, &self.index, x[1])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let g = r.gy();
        cotangents([Some(g), r.when(1, || g.index_select(self.axis, &self.index))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

struct IndexCopy {
    axis: isize,
    index: Tensor<i64>,
}

impl IndexCopy {
    /// The slices of the second operand that later ones replaced, if there are any, as a mask of the given rank.
    fn lost(&self, shape: &Shape) -> wengert_ops::Result<Option<Tensor<bool>>> {
        let axis = wengert_ops::normalize_axis("index_copy", self.axis, shape.len())?;
        let index = self.index.to_vec();
        // Counted from 1: memory of zeros that is not touched costs nothing.
        let mut last = vec![0; shape[axis]];
        for (k, &i) in index.iter().enumerate() {
            last[i as usize] = k + 1;
        }
        let lost: Vec<bool> = index.iter().enumerate().map(|(k, &i)| last[i as usize] != k + 1).collect();
        let mut sizes = vec![1; shape.len()];
        sizes[axis] = index.len();
        if lost.contains(&true) { Tensor::from_vec(lost, &sizes).map(Some) } else { Ok(None) }
    }
}

impl<T: Float> Op<T> for IndexCopy {
    fn name(&self) -> &'static str {
        "index_copy"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].index_copy(self.axis, &self.index, x[1])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let g = r.gy();
        let lost = match self.lost(&r.x(0).raw_shape()) {
            Ok(lost) => lost,
            Err(e) => {
                let failed = g.tape().failed(e.into());
                return cotangents([Some(failed), Some(failed)]);
            }
        };
        cotangents([
            r.when(0, || g.index_copy(self.axis, &self.index, r.x(1).zeros_like())),
            r.when(1, || {
                let part = g.index_select(self.axis, &self.index);
                lost.map_or(part, |lost| part.masked_fill(lost, 0.0))
            }),
        ])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

struct Gather {
    axis: isize,
    index: Tensor<i64>,
}

impl<T: Float> Op<T> for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("axis {}, at {}", self.axis, listed(&self.index)))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].gather(self.axis, &self.index)?.into())
    }
    fn selection(&self) -> Option<&dyn Selection<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Selection<T> for Gather {
    fn scatter_add(&self, gy: &Tensor<T>, into: Tensor<T>) -> wengert_ops::Result<Tensor<T>> {
        into.into_scatter_add(self.axis, &self.index, gy)
    }
}

struct ScatterAdd {
    axis: isize,
    index: Tensor<i64>,
}

impl<T: Float> Op<T> for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].scatter_add(self.axis, &self.index, x[1])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let g = r.gy();
        cotangents([Some(g), r.when(1, || g.gather(self.axis, &self.index))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The slices of one axis at the given positions, which may repeat.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.index_select(0, &Tensor::from([2, 2]));
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [0.0, 0.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn index_select(self, axis: isize, index: &Tensor<i64>) -> Self {
        let (index, shape) = (index.clone(), index.shape().clone());
        self.tape().apply(IndexSelect { name: "index_select", axis, merged: 1, index, shape }, &[self])
    }

    /// Slices of the axes `axis..axis + merged`, merged into one, at the given positions, which have shape `shape` in the
    /// result.
    #[track_caller]
    pub(super) fn select_merged(
        self,
        name: &'static str,
        (axis, merged): (usize, usize),
        index: Tensor<i64>,
        shape: Shape,
    ) -> Self {
        self.tape().apply(IndexSelect { name, axis: axis as isize, merged, index, shape }, &[self])
    }

    /// This value with the slices of `src` added along `axis` at the given positions.
    #[track_caller]
    pub fn index_add(self, axis: isize, index: &Tensor<i64>, src: impl Operand<'t, T>) -> Self {
        let src = src.into_var(self.tape());
        self.tape().apply(IndexAdd { axis, index: index.clone() }, &[self, src])
    }

    /// This value with its slices along `axis` at the given positions replaced by those of `src`. Where a position repeats,
    /// the last slice is kept, and only it gets the gradient of `src`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (x, s) = (tape.var(Tensor::from([1.0, 2.0, 3.0])), tape.var(Tensor::from([7.0, 8.0])));
    /// let y = x.index_copy(0, &Tensor::from([2, 2]), s);
    /// assert_eq!(y.value()?.to_vec(), [1.0, 2.0, 8.0]);
    /// assert_eq!(y.sum().backward()?.wrt(s)?.to_vec(), [0.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn index_copy(self, axis: isize, index: &Tensor<i64>, src: impl Operand<'t, T>) -> Self {
        let src = src.into_var(self.tape());
        self.tape().apply(IndexCopy { axis, index: index.clone() }, &[self, src])
    }

    /// For every position of `index`, this value's element at that position with its coordinate along `axis` replaced by
    /// the index.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let y = x.gather(1, &Tensor::from([[1], [0]]));
    /// assert_eq!(y.value()?.to_vec(), [2.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "take_along_dim")]
    #[track_caller]
    pub fn gather(self, axis: isize, index: &Tensor<i64>) -> Self {
        self.tape().apply(Gather { axis, index: index.clone() }, &[self])
    }

    /// This value with every element of `src` added at the position that [`gather`](Var::gather) would read.
    #[track_caller]
    pub fn scatter_add(self, axis: isize, index: &Tensor<i64>, src: impl Operand<'t, T>) -> Self {
        let src = src.into_var(self.tape());
        self.tape().apply(ScatterAdd { axis, index: index.clone() }, &[self, src])
    }
}

fn axis_of(shape: &[usize], axis: isize) -> usize {
    wengert_ops::normalize_axis("index", axis, shape.len()).unwrap_or(0)
}

pub(super) fn select_spec() -> Vec<Spec> {
    Spec::family(&["index_select", "index_add", "index_copy"], Order::Second, |g, which| {
        let shape = g.full_shape(1..=3);
        let axis = g.axis(shape.len());
        let rest = shape.iter().product::<usize>() / shape[axis_of(&shape, axis)];
        let n = g.beside(0..=4, rest);
        let index = g.indices(&[n], shape[axis_of(&shape, axis)]);
        let mut x = vec![g.tensor(&shape, Domain::Real)];
        if which > 0 {
            let mut s = shape.clone();
            s[axis_of(&shape, axis)] = n;
            x.push(g.tensor(&s, Domain::Real));
        }
        case!(x, [index], |x| match x.get(1) {
            Some(&src) if which == 1 => x[0].index_add(axis, &index, src),
            Some(&src) => x[0].index_copy(axis, &index, src),
            None => x[0].index_select(axis, &index),
        })
    })
}

pub(super) fn gather_spec() -> Vec<Spec> {
    Spec::family(&["gather", "scatter_add"], Order::Second, |g, which| {
        let shape = g.full_shape(1..=3);
        let axis = g.axis(shape.len());
        let along = axis_of(&shape, axis);
        let mut places: Vec<usize> = shape.iter().map(|&d| g.within(1..=d)).collect();
        places[along] = g.beside(0..=3, places.iter().product::<usize>() / places[along]);
        let index = g.indices(&places, shape[along]);
        let mut x = vec![g.tensor(&shape, Domain::Real)];
        if which == 1 {
            x.push(g.tensor(&places, Domain::Real));
        }
        case!(x, [index], |x| match x.get(1) {
            Some(&src) => x[0].scatter_add(axis, &index, src),
            None => x[0].gather(axis, &index),
        })
    })
}
