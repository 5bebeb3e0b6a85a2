//! Elements by position, as composites of index_select, index_add and index_copy on merged axes: scatter, take, put,
//! index_get, index_put, masked_select, masked_scatter. Where positions repeat, the last element is kept (or all are
//! added).

use super::IntoMask;
use super::prelude::*;
use wengert_ops::broadcast_shapes;
use wengert_ops::kernel::find::{gather_positions, positions};

impl<'t, T: Float> Var<'t, T> {
    /// Every element of `src` put at the position that [`gather`](Var::gather) would read with the same index; a single
    /// number is put at all of them. Where positions repeat, the last element in row-major order is kept, and only it gets
    /// the gradient of `src`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (x, s) = (tape.var(Tensor::from([[1.0, 2.0, 3.0]])), tape.var(Tensor::from([[7.0, 8.0]])));
    /// let y = x.scatter(1, &Tensor::from([[2, 2]]), s);
    /// assert_eq!(y.value()?.to_vec(), [1.0, 2.0, 8.0]);
    /// assert_eq!(y.sum().backward()?.wrt(s)?.to_vec(), [0.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn scatter(self, axis: isize, index: &Tensor<i64>, src: impl Operand<'t, T>) -> Self {
        let _scope = self.tape().error_scope("scatter");
        let src = src.into_var(self.tape());
        if self.is_failed() {
            return self;
        }
        match gather_positions("scatter", &self.raw_shape(), axis, index) {
            Ok(at) => self.put_at("scatter", &at, index.shape(), src, false),
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// The elements at the given positions in row-major order, in the shape of `index`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.take(&Tensor::from([3, 0, 3])).value()?.to_vec(), [4.0, 1.0, 4.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn take(self, index: &Tensor<i64>) -> Self {
        let _scope = self.tape().error_scope("take");
        if self.is_failed() {
            return self;
        }
        match positions("take", &Shape::from([self.numel()]), std::slice::from_ref(index)) {
            Ok((at, shape)) => self.select_merged("take", (0, self.rank()), at, shape),
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// This value with the elements at the given positions, in row-major order, replaced by `src` (with `accumulate`, `src`
    /// is added). `src` broadcasts to the shape of `index`. Where positions repeat, all are added, or the last one is kept.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let y = x.put(&Tensor::from([3, 3]), Tensor::from([10.0, 20.0]), true);
    /// assert_eq!(y.value()?, Tensor::from([[1.0, 2.0], [3.0, 34.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn put(self, index: &Tensor<i64>, src: impl Operand<'t, T>, accumulate: bool) -> Self {
        let _scope = self.tape().error_scope("put");
        let src = src.into_var(self.tape());
        if self.is_failed() {
            return self;
        }
        match positions("put", &Shape::from([self.numel()]), std::slice::from_ref(index)) {
            Ok((at, shape)) => self.put_at("put", &at, &shape, src, accumulate),
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// The elements, or slices, at (indices₀(i), indices₁(i), ..): k index tensors that broadcast to a shape S index the
    /// first k axes, and the result has shape `[S.., other axes..]`, as in NumPy's and PyTorch's `x[i, j]`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let y = x.index_get(&[Tensor::from([[0], [1]]), Tensor::from([1, 0])]);
    /// assert_eq!(y.value()?, Tensor::from([[2.0, 1.0], [4.0, 3.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn index_get(self, indices: &[Tensor<i64>]) -> Self {
        let _scope = self.tape().error_scope("index_get");
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        match positions("index_get", &shape, indices) {
            Ok((at, common)) => {
                let rest = &shape[indices.len()..];
                let taken: Vec<usize> = common.iter().chain(rest).copied().collect();
                if let Err(e) = taken.to_shape("index_get") {
                    return self.tape().failed(e.into());
                }
                self.select_merged("index_get", (0, indices.len()), at, common)
            }
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// This value with `src` put where [`index_get`](Var::index_get) with the same indices would read; with `accumulate`,
    /// `src` is added there. `src` broadcasts to the shape that `index_get` returns. Where positions repeat, all are added,
    /// or only the last one is kept and gets the gradient.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let at = [Tensor::from([0, 0]), Tensor::from([1, 1])];
    /// assert_eq!(x.index_put(&at, 9.0, false).value()?, Tensor::from([[1.0, 9.0], [3.0, 4.0]]));
    /// assert_eq!(x.index_put(&at, 9.0, true).value()?, Tensor::from([[1.0, 20.0], [3.0, 4.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn index_put(self, indices: &[Tensor<i64>], src: impl Operand<'t, T>, accumulate: bool) -> Self {
        let _scope = self.tape().error_scope("index_put");
        let src = src.into_var(self.tape());
        if self.is_failed() {
            return self;
        }
        match positions("index_put", &self.raw_shape(), indices) {
            Ok((at, common)) => {
                let shape = self.raw_shape();
                let rest = &shape[indices.len()..];
                let taken: Shape = common.iter().chain(rest).copied().collect();
                self.put_merged("index_put", indices.len(), &at, &taken, src, accumulate)
            }
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// The elements where the mask is true, in row-major order, as one axis; value and mask broadcast together. Their
    /// gradient goes back to their positions.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, -2.0, 3.0]));
    /// let y = x.masked_select(x.gt(0.0));
    /// assert_eq!(y.value()?.to_vec(), [1.0, 3.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [1.0, 0.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn masked_select(self, mask: impl IntoMask) -> Self {
        let _scope = self.tape().error_scope("masked_select");
        if self.is_failed() {
            return self;
        }
        match self.chosen("masked_select", mask.into_mask()) {
            Ok((at, shape)) => {
                let wide = if shape == self.raw_shape() { self } else { self.expand(&shape) };
                let count = Shape::from([at.numel()]);
                wide.select_merged("masked_select", (0, shape.len()), at, count)
            }
            Err(e) => self.tape().failed(e),
        }
    }

    /// This value with the elements of `src`, one after another in row-major order, where the mask is true; value and mask
    /// broadcast together. `src` may have more elements than are needed.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.masked_scatter(Tensor::from([true, false, true]), Tensor::from([7.0, 8.0, 9.0]));
    /// assert_eq!(y.value()?.to_vec(), [7.0, 2.0, 8.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn masked_scatter(self, mask: impl IntoMask, src: impl Operand<'t, T>) -> Self {
        let _scope = self.tape().error_scope("masked_scatter");
        let src = src.into_var(self.tape());
        for x in [self, src] {
            if x.is_failed() {
                return x;
            }
        }
        let (at, shape) = match self.chosen("masked_scatter", mask.into_mask()) {
            Ok(chosen) => chosen,
            Err(e) => return self.tape().failed(e),
        };
        if at.numel() > src.numel() {
            let detail =
                format!("expected a source of at least {} elements, found {}", at.numel(), src.shape());
            return refuse(self, "masked_scatter", Kind::Shape, detail);
        }
        let src = src.flatten(0).slice(0, 0..at.numel());
        self.expand(&shape).flatten(0).index_copy(0, &at, src).reshape(shape)
    }

    /// The positions where the mask is true, in the shape that mask and this value broadcast to, and that shape.
    #[track_caller]
    fn chosen(self, op: &'static str, mask: Result<Tensor<bool>>) -> Result<(Tensor<i64>, Shape)> {
        let mask = mask?;
        let shape = broadcast_shapes(op, &self.raw_shape(), mask.shape())?;
        let at: Vec<i64> = mask.expand(&shape)?.flat_nonzero().into_iter().map(|i| i as i64).collect();
        Ok((Tensor::from(at), shape))
    }

    #[track_caller]
    fn put_at(self, op: &'static str, at: &Tensor<i64>, shape: &Shape, src: Self, accumulate: bool) -> Self {
        let flat = self.flatten(0).put_merged(op, 1, at, shape, src, accumulate);
        if flat.is_failed() { flat } else { flat.reshape(self.raw_shape()) }
    }

    /// `src`, which broadcasts to `taken`, put at the given positions of the first `axes` axes.
    #[track_caller]
    fn put_merged(
        self,
        op: &'static str,
        axes: usize,
        at: &Tensor<i64>,
        taken: &Shape,
        src: Self,
        accumulate: bool,
    ) -> Self {
        for x in [self, src] {
            if x.is_failed() {
                return x;
            }
        }
        if let Err(e) = taken.to_shape(op) {
            return self.tape().failed(e.into());
        }
        let found = src.raw_shape();
        if !matches!(broadcast_shapes(op, taken, &found), Ok(wide) if wide == *taken) {
            let detail = format!("expected a source that broadcasts to {taken}, found {found}");
            return refuse(self, op, Kind::Shape, detail);
        }
        let shape = self.raw_shape();
        let mut rows = merged(&shape, axes);
        let whole = self.reshape(&rows);
        rows[0] = at.numel();
        let src = src.expand(taken).reshape(rows);
        let put = if accumulate { whole.index_add(0, at, src) } else { whole.index_copy(0, at, src) };
        put.reshape(shape)
    }
}

/// The shape with its first `axes` axes merged into one.
fn merged(shape: &Shape, axes: usize) -> Vec<usize> {
    let mut sizes = vec![shape[..axes].iter().product()];
    sizes.extend(&shape[axes..]);
    sizes
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["take", "put", "index_get", "index_put"], Order::Second, |g, which| {
        let shape = g.shape(1..=3);
        // An empty value has no valid positions.
        let nothing = shape.contains(&0);
        let by_axis = which > 1;
        let axes = if by_axis { g.within(1..=shape.len()) } else { 1 };
        let rest = if by_axis { shape[axes..].iter().product() } else { 1 };
        let common = match g.is_large() {
            _ if nothing => vec![0],
            true => vec![g.beside(1..=3, rest)],
            false => g.shape(0..=2),
        };
        let accumulate = g.once_in(2);
        let mut indices = Vec::new();
        for &n in &shape[..axes] {
            let narrow = if by_axis && !nothing { g.broadcastable(&common) } else { common.clone() };
            indices.push(g.indices(&narrow, if by_axis { n } else { shape.iter().product() }));
        }
        let mut taken = indices[0].shape().clone();
        for index in &indices {
            taken = broadcast_shapes("index_put", &taken, index.shape()).unwrap_or_default();
        }
        let mut taken = taken.to_vec();
        if by_axis {
            taken.extend(&shape[axes..]);
        }
        let mut x = vec![g.tensor(&shape, Domain::Real)];
        if which % 2 == 1 {
            let source = g.broadcastable(&taken);
            x.push(g.tensor(&source, Domain::Real));
        }
        case!(x, [indices], |x| match which {
            0 => x[0].take(&indices[0]),
            1 => x[0].put(&indices[0], x[1], accumulate),
            2 => x[0].index_get(&indices),
            _ => x[0].index_put(&indices, x[1], accumulate),
        })
    })
}

pub(super) fn scatter_spec() -> Spec {
    Spec::new("scatter", Order::Second, |g| {
        let shape = g.full_shape(1..=3);
        let axis = g.axis(shape.len());
        let along = wengert_ops::normalize_axis("scatter", axis, shape.len()).unwrap_or(0);
        let mut places: Vec<usize> = shape.iter().map(|&d| g.within(1..=d)).collect();
        places[along] = g.beside(0..=3, places.iter().product::<usize>() / places[along]);
        let index = g.indices(&places, shape[along]);
        let source = if g.once_in(4) { vec![] } else { places };
        let x = vec![g.tensor(&shape, Domain::Real), g.tensor(&source, Domain::Real)];
        case!(x, [index], |x| x[0].scatter(axis, &index, x[1]))
    })
}

pub(super) fn masked_spec() -> Vec<Spec> {
    Spec::family(&["masked_select", "masked_scatter"], Order::Second, |g, which| {
        let (a, b) = g.pair();
        let wide = if a.len() > b.len() { a.clone() } else { b.clone() };
        let (mask, n) = (g.mask(&b), wide.iter().product::<usize>().max(a.iter().product()));
        let x = vec![g.tensor(&a, Domain::Real), g.tensor(&[n, 2], Domain::Real)];
        case!(x, [mask], |x| match which {
            0 => x[0].masked_select(&mask),
            _ => x[0].masked_scatter(&mask, x[1]),
        })
    })
}
