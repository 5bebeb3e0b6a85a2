//! Convolution y = x * w + b, its adjoint with respect to the input (transposed convolution), and its adjoint with respect
//! to the weight. All three come from one trilinear form Σ y(x, w) g, so the cotangents of each are the other two.

use super::prelude::*;
use wengert_ops::{ConvOptions, ConvTransposeOptions, Padding};

const fn named<const D: usize>(names: [&'static str; 2]) -> &'static str {
    if D == 1 { names[0] } else { names[1] }
}

/// The last `D` sizes of a value.
fn sizes<T: Float, const D: usize>(x: Var<'_, T>) -> [usize; D] {
    let shape = x.raw_shape();
    let mut sizes = [1; D];
    for (s, &n) in sizes.iter_mut().rev().zip(shape.iter().rev()) {
        *s = n;
    }
    sizes
}

/// The cotangent of a bias: the sum over all axes except the channels.
#[track_caller]
fn bias<'s, T: Float, const D: usize>(g: Var<'s, T>) -> Var<'s, T> {
    if D == 1 { g.sum_axes([0, 2]) } else { g.sum_axes([0, 2, 3]) }
}

/// The FLOP of the trilinear form: a multiplication and an addition for each element of the weight that an element of y, before the
/// bias, is made of.
fn trilinear(y: &Shape, weight: &Shape) -> u64 {
    let each = weight.numel() / weight.first().copied().unwrap_or(1).max(1);
    2 * (y.numel() * each) as u64
}

/// The number of products that compute cotangents; a bias takes none.
fn products(needs: &[bool]) -> u64 {
    needs.iter().take(2).filter(|needed| **needed).count() as u64
}

struct Conv<const D: usize>(ConvOptions<D>);

/// The options that differ from the defaults, as text.
fn told<const D: usize>(o: &ConvOptions<D>) -> Option<String> {
    let usual = ConvOptions::default();
    let mut all = Vec::new();
    if o.stride != usual.stride {
        all.push(format!("stride {:?}", o.stride));
    }
    if o.padding != usual.padding {
        all.push(match o.padding {
            Padding::Each(each) => format!("padding {each:?}"),
            _ => "padding as input".into(),
        });
    }
    if o.dilation != usual.dilation {
        all.push(format!("dilation {:?}", o.dilation));
    }
    if o.groups != usual.groups {
        all.push(format!("{} groups", o.groups));
    }
    (!all.is_empty()).then(|| all.join(", "))
}

impl<T: Float, const D: usize> Op<T> for Conv<D> {
    fn name(&self) -> &'static str {
        named::<D>(["conv1d", "conv2d"])
    }
    fn arguments(&self) -> Option<String> {
        told(&self.0)
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].conv(x[1], x.get(2).copied(), &self.0)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, w, g, options) = (r.x(0), r.x(1), r.gy(), self.0);
        let tape = g.tape();
        let mut out = cotangents([
            r.when(0, || tape.apply(Adjoint { options, sizes: sizes::<T, D>(x) }, &[g, w])),
            r.when(1, || tape.apply(Weight { options, kernel: sizes::<T, D>(w) }, &[x, g])),
        ]);
        if r.inputs().len() == 3 {
            out.push(r.when(2, || bias::<T, D>(g)));
        }
        out
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        trilinear(outputs[0], inputs[1])
    }
    fn backward_flops(&self, inputs: &[&Shape], outputs: &[&Shape], needs: &[bool]) -> u64 {
        products(needs) * Op::<T>::flops(self, inputs, outputs)
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        saves_of_product(needs)
    }
}

struct Adjoint<const D: usize> {
    options: ConvOptions<D>,
    sizes: [usize; D],
}

impl<T: Float, const D: usize> Op<T> for Adjoint<D> {
    fn name(&self) -> &'static str {
        named::<D>(["conv_transpose1d", "conv_transpose2d"])
    }
    fn arguments(&self) -> Option<String> {
        told(&self.options)
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].conv_adjoint(x[1], x.get(2).copied(), &self.options, self.sizes)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (y, w, g, options) = (r.x(0), r.x(1), r.gy(), self.options);
        let tape = g.tape();
        let mut out = cotangents([
            r.when(0, || tape.apply(Conv(options), &[g, w])),
            r.when(1, || tape.apply(Weight { options, kernel: sizes::<T, D>(w) }, &[g, y])),
        ]);
        if r.inputs().len() == 3 {
            out.push(r.when(2, || bias::<T, D>(g)));
        }
        out
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = outputs;
        trilinear(inputs[0], inputs[1])
    }
    fn backward_flops(&self, inputs: &[&Shape], outputs: &[&Shape], needs: &[bool]) -> u64 {
        products(needs) * Op::<T>::flops(self, inputs, outputs)
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        saves_of_product(needs)
    }
}

struct Weight<const D: usize> {
    options: ConvOptions<D>,
    kernel: [usize; D],
}

impl<T: Float, const D: usize> Op<T> for Weight<D> {
    fn name(&self) -> &'static str {
        named::<D>(["conv1d_weight", "conv2d_weight"])
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].conv_weight(x[1], &self.options, self.kernel)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (x, y, g, options) = (r.x(0), r.x(1), r.gy(), self.options);
        let tape = g.tape();
        cotangents([
            r.when(0, || tape.apply(Adjoint { options, sizes: sizes::<T, D>(x) }, &[y, g])),
            r.when(1, || tape.apply(Conv(options), &[x, g])),
        ])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        trilinear(inputs[1], outputs[0])
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        saves_of_product(needs)
    }
}

/// Whether the input of a convolution over `D` axes has no batch axis; and the input with a batch axis.
#[track_caller]
fn batched<'t, T: Float, const D: usize>(op: &'static str, x: Var<'t, T>) -> (bool, Var<'t, T>) {
    let _scope = x.tape().error_scope(op);
    let single = !x.is_failed() && x.rank() == D + 1;
    (single, if single { x.unsqueeze(0) } else { x })
}

/// The op applied to a [`batched`] input; if the input had no batch axis, neither has the result.
#[track_caller]
fn apply<'t, T: Float>(
    op: impl Op<T>,
    (single, x): (bool, Var<'t, T>),
    weight: Var<'t, T>,
    bias: Option<Var<'t, T>>,
) -> Var<'t, T> {
    let y = match bias {
        Some(b) => x.tape().apply(op, &[x, weight, b]),
        None => x.tape().apply(op, &[x, weight]),
    };
    if single { y.squeeze(0) } else { y }
}

/// The transposed convolution, whose sizes are computed before it is recorded.
#[track_caller]
fn transposed<'t, T: Float, const D: usize>(
    x: Var<'t, T>,
    weight: Var<'t, T>,
    bias: Option<Var<'t, T>>,
    options: ConvTransposeOptions<D>,
) -> Var<'t, T> {
    for operand in [Some(x), Some(weight), bias].into_iter().flatten() {
        if operand.is_failed() {
            return operand;
        }
    }
    let (single, x) = batched::<T, D>(named::<D>(["conv_transpose1d", "conv_transpose2d"]), x);
    let sizes = match options.sizes(&x.raw_shape(), &weight.raw_shape()) {
        Ok(sizes) => sizes,
        Err(e) => return x.tape().failed(e.into()),
    };
    apply(Adjoint { options: options.conv(), sizes }, (single, x), weight, bias)
}

#[track_caller]
fn plain<'t, T: Float, const D: usize>(
    x: Var<'t, T>,
    weight: Var<'t, T>,
    bias: Option<Var<'t, T>>,
    options: ConvOptions<D>,
) -> Var<'t, T> {
    apply(Conv(options), batched::<T, D>(named::<D>(["conv1d", "conv2d"]), x), weight, bias)
}

impl<'t, T: Float> Var<'t, T> {
    /// Convolution over one axis: `[batch, in, length]` with a weight `[out, in / groups, kernel]` and a bias `[out]`, as
    /// `[batch, out, positions]`; an input without a batch axis has a result without one. See [`conv2d`](Var::conv2d).
    ///
    /// ```
    /// # use wengert_ops::{ConvOptions, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0, 2.0, 4.0, 8.0]]]));
    /// let y = x.conv1d(Tensor::from([[[1.0, 10.0]]]), None, ConvOptions::default().stride(2));
    /// assert_eq!(y.value()?, Tensor::from([[[21.0, 84.0]]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn conv1d(
        self,
        weight: impl Operand<'t, T>,
        bias: Option<Var<'t, T>>,
        options: ConvOptions<1>,
    ) -> Self {
        let weight = weight.into_var(self.tape());
        plain(self, weight, bias, options)
    }

    /// Convolution over two axes (a cross-correlation: the kernel is not flipped, as usual in deep learning):
    /// `[batch, in, height, width]` with a weight `[out, in / groups, kernel height, kernel width]` and a bias `[out]`, as
    /// `[batch, out, ..]`. An axis of size n becomes ⌊(n + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1. For
    /// `[in, height, width]`, without a batch axis, the result is `[out, ..]`. The cotangents of input and weight are
    /// [`conv_transpose2d`](Var::conv_transpose2d) and [`conv2d_weight`](Var::conv2d_weight).
    ///
    /// ```
    /// # use wengert_ops::{ConvOptions, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::<f64>::ones([1, 1, 3, 3]));
    /// let w = tape.var(Tensor::<f64>::ones([1, 1, 2, 2]));
    /// let y = x.conv2d(w, None, ConvOptions::default().stride(2).padding(1));
    /// assert_eq!(y.value()?.to_vec(), [1.0, 2.0, 2.0, 4.0]);
    /// let grads = y.sum().backward()?;
    /// assert_eq!(grads.wrt(w)?.to_vec(), [1.0, 2.0, 2.0, 4.0]);
    /// assert_eq!(x.select(0, 0).conv2d(w, None, ConvOptions::default()).shape(), [1, 2, 2]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn conv2d(
        self,
        weight: impl Operand<'t, T>,
        bias: Option<Var<'t, T>>,
        options: ConvOptions<2>,
    ) -> Self {
        let weight = weight.into_var(self.tape());
        plain(self, weight, bias, options)
    }

    /// Transposed convolution over one axis: `[batch, in, length]` with a weight `[in, out / groups, kernel]` and a bias
    /// `[out]`; the batch axis is optional. See [`conv_transpose2d`](Var::conv_transpose2d).
    ///
    /// ```
    /// # use wengert_ops::{ConvTransposeOptions, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0, 2.0]]]));
    /// let y = x.conv_transpose1d(Tensor::from([[[1.0, 10.0]]]), None, ConvTransposeOptions::default());
    /// assert_eq!(y.value()?, Tensor::from([[[1.0, 12.0, 20.0]]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn conv_transpose1d(
        self,
        weight: impl Operand<'t, T>,
        bias: Option<Var<'t, T>>,
        options: ConvTransposeOptions<1>,
    ) -> Self {
        let weight = weight.into_var(self.tape());
        transposed(self, weight, bias, options)
    }

    /// Transposed convolution over two axes, the adjoint of [`conv2d`](Var::conv2d) with respect to its input: every
    /// element of `[batch, in, height, width]` adds the kernel of the weight
    /// `[in, out / groups, kernel height, kernel width]`, scaled by the element, to the result `[batch, out, ..]`. An axis
    /// of size n becomes (n - 1) stride - 2 padding + dilation (kernel - 1) + output padding + 1. The output padding must
    /// be below the stride. The batch axis is optional.
    ///
    /// ```
    /// # use wengert_ops::{ConvTransposeOptions, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0, 2.0]]]).unsqueeze(0)?);
    /// let w = Tensor::<f64>::ones([1, 1, 2, 2]);
    /// let y = x.conv_transpose2d(w, None, ConvTransposeOptions::default().stride(2));
    /// assert_eq!(y.value()?.to_vec(), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn conv_transpose2d(
        self,
        weight: impl Operand<'t, T>,
        bias: Option<Var<'t, T>>,
        options: ConvTransposeOptions<2>,
    ) -> Self {
        let weight = weight.into_var(self.tape());
        transposed(self, weight, bias, options)
    }

    /// The adjoint of [`conv1d`](Var::conv1d) with respect to its weight. See [`conv2d_weight`](Var::conv2d_weight).
    ///
    /// ```
    /// # use wengert_ops::{ConvOptions, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0, 2.0, 4.0]]]));
    /// let g = Tensor::from([[[1.0, 10.0]]]);
    /// let w = x.conv1d_weight(g, [2], ConvOptions::default());
    /// assert_eq!(w.value()?, Tensor::from([[[21.0, 42.0]]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn conv1d_weight(self, g: impl Operand<'t, T>, kernel: [usize; 1], options: ConvOptions<1>) -> Self {
        let g = g.into_var(self.tape());
        self.tape().apply(Weight { options, kernel }, &[self, g])
    }

    /// The adjoint of [`conv2d`](Var::conv2d) with respect to its weight, which has kernels of the given sizes: maps the
    /// convolution's input (this value) and a cotangent of its output to `[out, in / groups, kernel height, kernel width]`.
    ///
    /// ```
    /// # use wengert_ops::{ConvOptions, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0, 2.0], [3.0, 4.0]]]).unsqueeze(0)?);
    /// let w = x.conv2d_weight(Tensor::<f64>::ones([1, 1, 1, 2]), [2, 1], ConvOptions::default());
    /// assert_eq!(w.value()?.to_vec(), [3.0, 7.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn conv2d_weight(self, g: impl Operand<'t, T>, kernel: [usize; 2], options: ConvOptions<2>) -> Self {
        let g = g.into_var(self.tape());
        self.tape().apply(Weight { options, kernel }, &[self, g])
    }
}

/// A small convolution: shapes of input, weight and output.
struct Small<const D: usize> {
    options: ConvOptions<D>,
    x: Vec<usize>,
    w: Vec<usize>,
    y: Vec<usize>,
}

/// Sizes around the widths of vectors and panels; with many channels and a large kernel, the adjoint with respect to the
/// weight takes another code path.
const CHANNELS: &[usize] = &[3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64, 65];
/// Sizes around the widths of vectors and vector tiles, and around bands of 1536 positions.
const LENGTHS: &[usize] = &[15, 16, 17, 31, 33, 47, 48, 49, 1535, 1536, 1537];
const SIDES: &[usize] = &[8, 15, 16, 17, 33, 47, 65];

fn small<const D: usize>(g: &mut crate::gradcheck::Gen) -> Small<D> {
    let large = g.is_large();
    // More multiply-adds than one task does, with all sizes large at once.
    let whole = large && g.once_in(4);
    let groups = if whole { 1 } else { g.pick(&[1, 1, 1, 2]) };
    let (inputs, outputs) = if whole {
        (if D == 1 { 33 } else { 17 }, if D == 1 { 65 } else { 33 })
    } else {
        (
            g.around(1..=if D == 1 { 2 } else { 1 }, CHANNELS),
            g.around(1..=if D == 1 { 2 } else { 1 }, CHANNELS),
        )
    };
    let (ci, co) = (groups * inputs, groups * outputs);
    let batch = if whole { 1 } else { g.pick(&[0, 1, 1, 1, 2]) };
    let batch = if large && !whole { g.around(1..=2, &[15, 16, 17]) } else { batch };
    let mut options = ConvOptions::<D>::default().groups(groups);
    let (mut x, mut w, mut y) = (vec![batch, ci], vec![co, inputs], vec![batch, co]);
    let same = g.once_in(4);
    for i in 0..D {
        let kernel = if whole { 3 } else { g.within(1..=if D == 1 || large { 3 } else { 2 }) };
        let (stride, dilation, padding) = (g.pick(&[1, 1, 2, 3]), g.pick(&[1, 1, 2]), g.within(0..=1));
        let (stride, padding) = if same { (1, 0) } else { (stride, padding) };
        let reach = (kernel - 1) * dilation + 1;
        let least = reach.saturating_sub(2 * padding).max(1);
        let size = match D {
            1 if whole => 257,
            1 => g.around(least..=least + 3, LENGTHS),
            _ if whole => 17,
            _ => g.around(least..=least + 1, SIDES),
        };
        options.stride[i] = stride;
        options.dilation[i] = dilation;
        if let wengert_ops::Padding::Each(p) = &mut options.padding {
            p[i] = padding;
        }
        x.push(size);
        w.push(kernel);
        y.push(if same { size } else { (size + 2 * padding - reach) / stride + 1 });
    }
    let options = if same { options.same() } else { options };
    Small { options, x, w, y }
}

/// An input, sometimes without its batch axis, a weight, and sometimes a bias for `outputs` channels.
fn operands(g: &mut crate::gradcheck::Gen, x: &[usize], w: &[usize], outputs: usize) -> Vec<Tensor<f64>> {
    let x = if g.once_in(4) { &x[1..] } else { x };
    let mut operands = vec![g.tensor(x, Domain::Real), g.tensor(w, Domain::Real)];
    if g.once_in(2) {
        operands.push(g.tensor(&[outputs], Domain::Real));
    }
    operands
}

pub(super) fn spec() -> Vec<Spec> {
    let mut all = Spec::family(&["conv1d", "conv1d_weight"], Order::Second, |g, which| {
        let Small { options, x, w, y } = small::<1>(g);
        let kernel = [w[2]];
        if which == 1 {
            let inputs = vec![g.tensor(&x, Domain::Real), g.tensor(&y, Domain::Real)];
            return case!(inputs, [], |x| x[0].conv1d_weight(x[1], kernel, options));
        }
        let inputs = operands(g, &x, &w, w[0]);
        case!(inputs, [], |x| x[0].conv1d(x[1], x.get(2).copied(), options))
    });
    all.extend(Spec::family(&["conv2d", "conv2d_weight"], Order::Second, |g, which| {
        let Small { options, x, w, y } = small::<2>(g);
        let kernel = [w[2], w[3]];
        if which == 1 {
            let inputs = vec![g.tensor(&x, Domain::Real), g.tensor(&y, Domain::Real)];
            return case!(inputs, [], |x| x[0].conv2d_weight(x[1], kernel, options));
        }
        let inputs = operands(g, &x, &w, w[0]);
        case!(inputs, [], |x| x[0].conv2d(x[1], x.get(2).copied(), options))
    }));
    all
}

/// The options of the transposed convolution that inverts the shapes of a convolution.
fn undoing<const D: usize>(s: &Small<D>) -> ConvTransposeOptions<D> {
    let o = s.options;
    let mut undoing = ConvTransposeOptions::default().stride(o.stride).dilation(o.dilation).groups(o.groups);
    if let wengert_ops::Padding::Each(p) = o.padding {
        undoing.padding = p;
        for (i, extra) in undoing.output_padding.iter_mut().enumerate() {
            let reach = (s.w[i + 2] - 1) * o.dilation[i] + 1;
            *extra = (s.x[i + 2] + 2 * p[i] - reach) % o.stride[i];
        }
    }
    undoing
}

pub(super) fn transpose_spec() -> Vec<Spec> {
    let one = Spec::new("conv_transpose1d", Order::Second, move |g| {
        let s = small::<1>(g);
        let options = undoing(&s);
        let x = operands(g, &s.y, &s.w, options.groups * s.w[1]);
        case!(x, [], |x| x[0].conv_transpose1d(x[1], x.get(2).copied(), options))
    });
    let two = Spec::new("conv_transpose2d", Order::Second, move |g| {
        let s = small::<2>(g);
        let options = undoing(&s);
        let x = operands(g, &s.y, &s.w, options.groups * s.w[1]);
        case!(x, [], |x| x[0].conv_transpose2d(x[1], x.get(2).copied(), options))
    });
    vec![one, two]
}
