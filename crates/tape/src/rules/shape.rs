//! Views: reshape, view, permute, transpose, squeeze, unsqueeze, expand, flatten, unflatten. Cotangents: the inverse view;
//! for expand, the sum over the axes that were repeated.

use super::prelude::*;
use smallvec::SmallVec;
use wengert_ops::normalize_axis;

type List = SmallVec<[isize; 4]>;

enum View {
    Reshape(List),
    /// A reshape that must not copy.
    Strict(List),
    Permute(List),
    Transpose(isize, isize),
    Squeeze(List),
    Unsqueeze(isize),
    Expand(List),
}

impl<T: Float> Op<T> for View {
    fn name(&self) -> &'static str {
        match self {
            View::Reshape(_) => "reshape",
            View::Strict(_) => "view",
            View::Permute(_) => "permute",
            View::Transpose(..) => "transpose",
            View::Squeeze(_) => "squeeze",
            View::Unsqueeze(_) => "unsqueeze",
            View::Expand(_) => "expand",
        }
    }
    fn arguments(&self) -> Option<String> {
        Some(match self {
            View::Reshape(list) | View::Strict(list) | View::Permute(list) | View::Expand(list) => {
                format!("{list:?}")
            }
            View::Transpose(a, b) => format!("axes {a}, {b}"),
            View::Squeeze(axes) => format!("axes {axes:?}"),
            View::Unsqueeze(axis) => format!("axis {axis}"),
        })
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let x = x[0];
        let y = match self {
            View::Reshape(shape) => x.reshape(&shape[..]),
            View::Strict(shape) => x.view(&shape[..]),
            View::Permute(order) => x.permute(&order[..]),
            View::Transpose(a, b) => x.transpose(*a, *b),
            View::Squeeze(axes) => x.squeeze(&axes[..]),
            View::Unsqueeze(axis) => x.unsqueeze(*axis),
            View::Expand(shape) => x.expand(&shape[..]).map_err(|e| e.in_op("expand")),
        };
        Ok(y?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (g, shape) = (r.gy(), r.x(0).raw_shape());
        cotangents([Some(match self {
            View::Reshape(_) | View::Strict(_) | View::Squeeze(_) | View::Unsqueeze(_) => g.reshape(shape),
            View::Permute(order) => g.permute(inverse(order)),
            View::Transpose(a, b) => g.transpose(*a, *b),
            View::Expand(_) => g.sum_to(shape),
        })])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let undo = || -> Result<_> {
            let (g, shape) = (r.gy()?, r.shape(0));
            let gx = match self {
                View::Reshape(_) | View::Strict(_) | View::Squeeze(_) | View::Unsqueeze(_) => {
                    g.reshape(shape)
                }
                View::Permute(order) => g.permute(inverse(order)),
                View::Transpose(a, b) => g.transpose(*a, *b),
                View::Expand(_) => g.sum_to(shape),
            };
            Ok(cotangents([Some(gx?)]))
        };
        Some(undo())
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = (inputs, outputs);
        0
    }
    fn backward_flops(&self, inputs: &[&Shape], outputs: &[&Shape], needs: &[bool]) -> u64 {
        let _ = (inputs, needs);
        // The cotangent of what was repeated is a sum.
        if matches!(self, View::Expand(_)) { outputs[0].numel() as u64 } else { 0 }
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

fn inverse(order: &[isize]) -> Vec<isize> {
    let n = order.len() as isize;
    let mut inverse = vec![0; order.len()];
    for (i, &a) in order.iter().enumerate() {
        inverse[(if a < 0 { a + n } else { a }) as usize] = i as isize;
    }
    inverse
}

struct SumTo(Shape);

impl<T: Float> Op<T> for SumTo {
    fn name(&self) -> &'static str {
        "sum_to"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].sum_to(&self.0)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        cotangents([Some(r.gy().expand(r.x(0).raw_shape()))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Var<'_, T> {
    /// The same elements with another shape; one size may be -1.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::<f32>::zeros([2, 6]));
    /// assert_eq!(x.reshape([3, -1]).shape(), [3, 4]);
    /// ```
    #[track_caller]
    pub fn reshape(self, shape: impl ToShape) -> Self {
        self.tape().apply(View::Reshape(shape.sizes()), &[self])
    }

    /// As [`reshape`](Var::reshape), but an error if the elements would have to be copied.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::<f32>::zeros([2, 6]));
    /// assert_eq!(x.view([3, -1]).shape(), [3, 4]);
    /// assert!(x.t().view([12]).is_failed());
    /// ```
    #[track_caller]
    pub fn view(self, shape: impl ToShape) -> Self {
        self.tape().apply(View::Strict(shape.sizes()), &[self])
    }

    /// The axes from `first` to `last`, both included, merged into one; for a scalar, an axis of size 1.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::<f32>::zeros([2, 3, 4, 5]));
    /// assert_eq!(x.flatten_axes(1, -2).shape(), [2, 12, 5]);
    /// ```
    #[track_caller]
    pub fn flatten_axes(self, first: isize, last: isize) -> Self {
        let _scope = self.tape().error_scope("flatten_axes");
        const OP: &str = "flatten_axes";
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        // A scalar is flattened as if it had one axis.
        let rank = shape.len().max(1);
        let ends = normalize_axis(OP, first, rank).and_then(|a| Ok((a, normalize_axis(OP, last, rank)?)));
        match ends {
            Ok((first, last)) if first <= last => {
                let end = (last + 1).min(shape.len());
                let mut sizes = shape[..first].to_vec();
                sizes.push(shape[first..end].iter().product());
                sizes.extend(&shape[end..]);
                self.reshape(sizes)
            }
            Ok((first, last)) => {
                let detail = format!("axis {first} does not come before axis {last} of shape {shape}");
                refuse(self, OP, Kind::Axis, detail)
            }
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// An axis split into several, the outermost first; one size may be -1.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::<f32>::zeros([2, 12, 5]));
    /// assert_eq!(x.unflatten(1, [3, -1]).shape(), [2, 3, 4, 5]);
    /// ```
    #[track_caller]
    pub fn unflatten(self, axis: isize, sizes: impl ToShape) -> Self {
        let _scope = self.tape().error_scope("unflatten");
        const OP: &str = "unflatten";
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let split = normalize_axis(OP, axis, shape.len())
            .and_then(|a| Ok((a, sizes.infer(OP, &Shape::from([shape[a]]))?)));
        match split {
            Ok((a, sizes)) => {
                let all: Vec<usize> =
                    shape[..a].iter().chain(sizes.iter()).chain(&shape[a + 1..]).copied().collect();
                self.reshape(all)
            }
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// All axes of size 1 removed.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::<f32>::zeros([1, 2, 1])).squeeze_all().shape(), [2]);
    /// ```
    #[doc(alias = "squeeze")]
    #[track_caller]
    pub fn squeeze_all(self) -> Self {
        let shape = self.raw_shape();
        let ones: Vec<usize> = (0..shape.len()).filter(|&a| shape[a] == 1).collect();
        self.squeeze(ones)
    }

    /// All axes from `start` on merged into one; for a scalar, an axis of size 1.
    #[track_caller]
    pub fn flatten(self, start: usize) -> Self {
        let _scope = self.tape().error_scope("flatten");
        let shape = self.raw_shape();
        if start > shape.len() && !self.is_failed() {
            let detail = format!("axis {start} is out of range for shape {shape}");
            return refuse(self, "flatten", Kind::Axis, detail);
        }
        let mut sizes: List = shape.iter().take(start).map(|&d| d as isize).collect();
        sizes.push(shape.iter().skip(start).product::<usize>() as isize);
        self.tape().apply(View::Reshape(sizes), &[self])
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]` of this value.
    #[track_caller]
    pub fn permute(self, order: impl Axes) -> Self {
        self.tape().apply(View::Permute(order.list()), &[self])
    }

    /// Two axes exchanged.
    #[doc(alias = "swapaxes")]
    #[track_caller]
    pub fn transpose(self, a: isize, b: isize) -> Self {
        self.tape().apply(View::Transpose(a, b), &[self])
    }

    /// The last two axes exchanged: the transpose of a matrix, or of each matrix of a batch.
    #[doc(alias = "adjoint")]
    #[doc(alias = "mT")]
    #[track_caller]
    pub fn t(self) -> Self {
        let _scope = self.tape().error_scope("t");
        self.transpose(-2, -1)
    }

    /// Axes of size 1 removed; another size is an error.
    #[track_caller]
    pub fn squeeze(self, axes: impl Axes) -> Self {
        self.tape().apply(View::Squeeze(axes.list()), &[self])
    }

    /// An axis of size 1 inserted before `axis`, at the end for -1.
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Self {
        self.tape().apply(View::Unsqueeze(axis), &[self])
    }

    /// The value repeated, without copying, to a shape that it broadcasts to. -1 keeps the size of an axis.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0], [2.0]]));
    /// assert_eq!(x.expand([-1, 3]).sum().backward()?.wrt(x)?.to_vec(), [3.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "broadcast_to")]
    #[track_caller]
    pub fn expand(self, shape: impl ToShape) -> Self {
        self.tape().apply(View::Expand(shape.sizes()), &[self])
    }

    /// The value summed over the axes along which `shape` broadcasts to it: the adjoint of
    /// [`expand`](Var::expand), for rules of operations that broadcast.
    #[doc(alias = "sum_to_size")]
    #[track_caller]
    pub fn sum_to(self, shape: impl ToShape) -> Self {
        match shape.to_shape("sum_to") {
            Ok(shape) if shape == self.raw_shape() => self,
            Ok(shape) => self.tape().apply(SumTo(shape), &[self]),
            Err(e) => self.tape().failed(e.into()),
        }
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let names = ["reshape", "permute", "transpose", "squeeze", "unsqueeze", "flatten", "expand"];
    Spec::family(&names, Order::Second, |g, which| {
        let mut shape = g.shape(1..=4);
        let (order, one) = (g.permutation(shape.len()), g.within(0..=shape.len() - 1));
        let (a, b) = (g.axis(shape.len()), g.axis(shape.len()));
        let mut wide: Vec<usize> = (0..g.within(0..=1)).map(|_| g.within(0..=3)).collect();
        if which == 3 {
            shape.insert(one, 1);
        }
        wide.extend(&shape);
        case!(vec![g.tensor(&shape, Domain::Real)], [order, wide], |x| match which {
            0 => x[0].reshape([-1]),
            1 => x[0].permute(&order),
            2 => x[0].transpose(a, b),
            3 => x[0].squeeze(one),
            4 => x[0].unsqueeze(a),
            5 => x[0].flatten(one),
            _ => x[0].expand(&wide),
        })
    })
}

pub(super) fn axes_spec() -> Vec<Spec> {
    let names = ["view", "flatten_axes", "unflatten", "squeeze_all"];
    Spec::family(&names, Order::Second, |g, which| {
        let shape = g.full_shape(1..=4);
        let (a, b) = (g.axis(shape.len()), g.axis(shape.len()));
        let place = |axis| normalize_axis("axes", axis, shape.len()).unwrap_or(0);
        let (first, last) = if place(a) <= place(b) { (a, b) } else { (b, a) };
        let mut sizes = vec![shape[place(a)] as isize];
        sizes.insert(g.within(0..=1), 1);
        sizes[g.within(0..=1)] = -1;
        // A memory layout that can be viewed as one axis.
        let x = g.tensor(&shape, Domain::Real);
        let x = if which == 0 { x.contiguous() } else { x };
        case!(vec![x], [sizes], |x| match which {
            0 => x[0].view([-1]),
            1 => x[0].flatten_axes(first, last),
            2 => x[0].unflatten(a, &sizes),
            _ => x[0].squeeze_all(),
        })
    })
}

pub(super) fn sum_to_spec() -> Spec {
    Spec::new("sum_to", Order::Second, |g| {
        let shape = g.shape(0..=3);
        let narrow = g.broadcastable(&shape);
        case!(vec![g.tensor(&shape, Domain::Real)], [narrow], |x| x[0].sum_to(&narrow))
    })
}

pub(super) fn t_spec() -> Spec {
    Spec::new("t", Order::Second, |g| {
        let shape = g.shape(2..=3);
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| x[0].t())
    })
}
