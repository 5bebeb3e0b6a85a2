//! Convolution over one or two axes, its adjoint in the input (transposed convolution), and its adjoint in the weight.
//!
//! No matrix of patches is made. The input is copied, one sample and one band of rows at a time, into a grid whose rows
//! include the padding (`grid.rs`). The grid's row length is also the stride of the output, so that an output position
//! and a kernel element meet at *position + offset*. The product of weights and patches therefore runs over plain
//! slices of the grid, at one offset for each channel and kernel element; the positions between two rows are computed
//! and discarded. A stride larger than one splits the grid into phases, each of which is such a grid. Where it costs less,
//! every kernel column has a phase of its own, which holds the input shifted by that column: then there are no positions
//! between rows, and the results are written to the output as they are.
//!
//! The adjoint in the input is the same product (`product.rs`), once for each phase of its output. The adjoint in the
//! weight is a product over positions, either with positions in the lanes of vectors (`weight.rs`) or, where there are
//! many channels, with output channels in the lanes (`outer.rs`).
//!
//! Work is cut by whole samples, and for small batches by output channels too, always by sizes alone. A sum over
//! channels and kernel elements runs in one fixed order for each output, so results do not depend on the cuts; sums
//! over samples (weights only) follow fixed pieces.

mod grid;
mod outer;
mod product;
mod weight;

use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::window::{ConvOptions, ConvTransposeOptions, Padding};
use product::Operands;

/// One spatial axis.
#[derive(Debug, Clone, Copy)]
struct Axis {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
}

/// The geometry of a convolution from `[batch, groups · inputs, ..]` to `[batch, groups · outputs, ..]`.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    batch: usize,
    groups: usize,
    /// The number of input channels per group.
    inputs: usize,
    /// The number of output channels per group.
    outputs: usize,
    axes: [Axis; 2],
}

impl Geometry {
    fn taps(&self) -> usize {
        self.axes[0].kernel * self.axes[1].kernel
    }

    /// Whether the kernel covers the input and meets it once, so that the convolution is a product of two matrices,
    /// `[batch, inputs · taps]` and `[inputs · taps, outputs]`.
    fn is_product(&self) -> bool {
        let covers = |a: &Axis| {
            (a.output, a.before, a.kernel) == (1, 0, a.input) && (a.dilation == 1 || a.kernel == 1)
        };
        self.groups == 1 && self.axes.iter().all(covers)
    }

    /// Whether the grids of one sample can be addressed; whether memory suffices is for the system to decide.
    fn fits(&self) -> bool {
        let span = |a: &Axis| {
            let reach = (a.kernel - 1).checked_mul(a.dilation)?.checked_add(a.output)?;
            reach.checked_add(a.before)?.checked_add(a.input)?.checked_mul(a.stride.min(a.kernel))
        };
        let cells = span(&self.axes[0]).and_then(|n| n.checked_mul(span(&self.axes[1])?));
        cells.and_then(|n| n.checked_mul(self.inputs.max(self.outputs).max(1))).is_some_and(|n| n < 1 << 36)
    }
}

/// A checked call: channels and distances, without the sizes of the input or the output.
struct Call<const D: usize> {
    op: &'static str,
    groups: usize,
    inputs: usize,
    outputs: usize,
    kernel: [usize; D],
    stride: [usize; D],
    dilation: [usize; D],
    before: [usize; D],
    after: [usize; D],
}

impl<const D: usize> Call<D> {
    /// Checks the weight `[outputs, inputs of a group, kernel..]` against the options.
    fn new(op: &'static str, weight: &Shape, options: &ConvOptions<D>) -> Result<Self> {
        if D == 0 || D > 2 {
            return Err(Error::argument(op, format!("expected one or two spatial axes, found {D}")));
        }
        let wrong = |detail: String| Err(Error::argument(op, detail));
        if weight.len() != D + 2 {
            let detail = format!(
                "expected a weight of rank {} ([out, in / groups, {}]), found {weight}",
                D + 2,
                if D == 1 { "length" } else { "height, width" }
            );
            return Err(Error::shape(op, detail));
        }
        let groups = options.groups;
        if groups == 0 || !weight[0].is_multiple_of(groups) {
            return wrong(format!(
                "expected a number of groups that divides the {} output channels of weight {weight}, \
                 found {groups}",
                weight[0]
            ));
        }
        let mut kernel = [0; D];
        kernel.copy_from_slice(&weight[2..]);
        let (stride, dilation) = (options.stride, options.dilation);
        if kernel.contains(&0) {
            return Err(Error::shape(op, format!("the kernel of weight {weight} is empty")));
        }
        if stride.contains(&0) || dilation.contains(&0) {
            return wrong(format!(
                "stride and dilation must be at least 1, found {stride:?} and {dilation:?}"
            ));
        }
        let (mut before, mut after) = ([0; D], [0; D]);
        match options.padding {
            Padding::Each(p) => (before, after) = (p, p),
            Padding::Same if stride != [1; D] => {
                return wrong(format!("padding \"same\" needs stride 1, found {stride:?}"));
            }
            Padding::Same => {
                for i in 0..D {
                    let total = (kernel[i] - 1).saturating_mul(dilation[i]);
                    (before[i], after[i]) = (total / 2, total - total / 2);
                }
            }
        }
        let (outputs, inputs) = (weight[0] / groups, weight[1]);
        Ok(Call { op, groups, inputs, outputs, kernel, stride, dilation, before, after })
    }

    /// Checks `[batch, channels, sizes..]` and returns the sizes.
    fn sizes(&self, what: &str, shape: &Shape, channels: usize, weight: &Shape) -> Result<[usize; D]> {
        let Call { op, groups, .. } = self;
        if shape.len() != D + 2 {
            let axes = if D == 1 { "length" } else { "height, width" };
            return Err(Error::shape(
                op,
                format!("expected {what} [batch, channels, {axes}], found {shape}"),
            ));
        }
        if channels.checked_mul(*groups) != Some(shape[1]) {
            return Err(Error::shape(
                op,
                format!(
                    "{what} {shape} has {} channels, weight {weight} in {groups} groups expects {}",
                    shape[1],
                    channels.saturating_mul(*groups)
                ),
            ));
        }
        let mut sizes = [0; D];
        sizes.copy_from_slice(&shape[2..]);
        Ok(sizes)
    }

    /// The number of positions of the kernel along an axis of the given size.
    fn places(&self, i: usize, size: usize) -> Result<usize> {
        let reach = self.reach(i)?;
        let padded = size.checked_add(self.before[i]).and_then(|n| n.checked_add(self.after[i]));
        let Some(padded) = padded.filter(|&n| n <= isize::MAX as usize) else {
            return Err(self.overflow("the padded input"));
        };
        if padded < reach {
            return Err(Error::shape(
                self.op,
                format!(
                    "a kernel of size {} with dilation {} reaches over {reach} places, axis {} of the \
                     padded input has {padded} \
                     ({size} and {} before, {} after)",
                    self.kernel[i],
                    self.dilation[i],
                    i + 2,
                    self.before[i],
                    self.after[i]
                ),
            ));
        }
        Ok((padded - reach) / self.stride[i] + 1)
    }

    /// The extent of the dilated kernel along an axis.
    fn reach(&self, i: usize) -> Result<usize> {
        let reach = (self.kernel[i] - 1).checked_mul(self.dilation[i]).and_then(|n| n.checked_add(1));
        reach.filter(|&n| n <= isize::MAX as usize / 2).ok_or_else(|| self.overflow("the dilated kernel"))
    }

    fn overflow(&self, what: &str) -> Error {
        Error::new(self.op, ErrorKind::Overflow, format!("{what} is too large"))
    }

    fn geometry(&self, batch: usize, input: [usize; D], output: [usize; D]) -> Result<Geometry> {
        let axis = |i: usize| Axis {
            input: input[i],
            output: output[i],
            kernel: self.kernel[i],
            stride: self.stride[i],
            dilation: self.dilation[i],
            before: self.before[i],
        };
        let single = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, before: 0 };
        let axes = [if D == 1 { single } else { axis(0) }, axis(D - 1)];
        let Call { groups, inputs, outputs, .. } = *self;
        let geometry = Geometry { batch, groups, inputs, outputs, axes };
        if geometry.fits() { Ok(geometry) } else { Err(self.overflow("the padded input")) }
    }
}

fn bias_fits<T: Float>(op: &'static str, bias: Option<&Tensor<T>>, channels: usize) -> Result<()> {
    match bias.filter(|b| *b.shape() != [channels]) {
        Some(b) => Err(Error::shape(
            op,
            format!("bias {} does not fit {channels} output channels, expected [{channels}]", b.shape()),
        )),
        None => Ok(()),
    }
}

fn shaped<const D: usize>(
    op: &'static str,
    batch: usize,
    channels: usize,
    sizes: [usize; D],
) -> Result<Shape> {
    let shape: Shape = [batch, channels].into_iter().chain(sizes).collect();
    match shape.checked_numel() {
        Some(_) => Ok(shape),
        None => Err(Error::new(op, ErrorKind::Overflow, format!("the result {shape} has too many elements"))),
    }
}

const fn named<const D: usize>(names: [&'static str; 2]) -> &'static str {
    if D == 1 { names[0] } else { names[1] }
}

impl<T: Float> Tensor<T> {
    /// The convolution (cross-correlation, as usual in machine learning) of `[batch, in, sizes..]` with a weight
    /// `[out, in / groups, kernel..]` and a bias `[out]`, for `D` of 1 or 2. An input `[in, sizes..]`, without a batch
    /// axis, gives `[out, ..]`.
    ///
    /// ```
    /// use wengert_ops::{ConvOptions, Tensor};
    /// let x = Tensor::from([[[1.0, 2.0, 4.0, 8.0]]]);
    /// let w = Tensor::from([[[1.0, 10.0]]]);
    /// let y = x.conv(&w, None, &ConvOptions::<1>::default())?;
    /// assert_eq!(y, Tensor::from([[[21.0, 42.0, 84.0]]]));
    /// assert_eq!(x.select(0, 0)?.conv(&w, None, &ConvOptions::<1>::default())?, Tensor::from([[21.0, 42.0, 84.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes or the groups are not consistent, a stride or dilation is 0, or the kernel is larger than the
    /// padded input.
    pub fn conv<const D: usize>(
        &self,
        weight: &Tensor<T>,
        bias: Option<&Tensor<T>>,
        options: &ConvOptions<D>,
    ) -> Result<Tensor<T>> {
        if self.rank() == D + 1 {
            return self.unsqueeze(0)?.conv(weight, bias, options)?.squeeze(0);
        }
        let op = named::<D>(["conv1d", "conv2d"]);
        let call = Call::new(op, weight.shape(), options)?;
        let input = call.sizes("input", self.shape(), call.inputs, weight.shape())?;
        bias_fits(op, bias, weight.shape()[0])?;
        let mut output = [0; D];
        for i in 0..D {
            output[i] = call.places(i, input[i])?;
        }
        let shape = shaped(op, self.shape()[0], weight.shape()[0], output)?;
        let geometry = call.geometry(self.shape()[0], input, output)?;
        if geometry.is_product() {
            let (m, k, n) = (geometry.batch, geometry.inputs * geometry.taps(), geometry.outputs);
            return self.reshape([m, k])?.linear(&weight.reshape([n, k])?, bias)?.reshape(&shape);
        }
        Ok(product::forward(Operands { source: self, weight, bias, geometry, shape }))
    }

    /// The adjoint of [`conv`](Tensor::conv) in its input, for an input of the given sizes: from `[batch, out, ..]` and
    /// the convolution's weight `[out, in / groups, kernel..]` to `[batch, in, sizes..]`, plus a bias `[in]`.
    ///
    /// # Errors
    /// If the convolution of an input of these sizes does not have this tensor's shape.
    pub fn conv_adjoint<const D: usize>(
        &self,
        weight: &Tensor<T>,
        bias: Option<&Tensor<T>>,
        options: &ConvOptions<D>,
        sizes: [usize; D],
    ) -> Result<Tensor<T>> {
        self.adjoint_in(named::<D>(["conv_transpose1d", "conv_transpose2d"]), weight, bias, options, sizes)
    }

    fn adjoint_in<const D: usize>(
        &self,
        op: &'static str,
        weight: &Tensor<T>,
        bias: Option<&Tensor<T>>,
        options: &ConvOptions<D>,
        sizes: [usize; D],
    ) -> Result<Tensor<T>> {
        let call = Call::new(op, weight.shape(), options)?;
        let output = call.sizes("input", self.shape(), call.outputs, weight.shape())?;
        let channels = call.inputs.saturating_mul(call.groups);
        bias_fits(op, bias, channels)?;
        for i in 0..D {
            let places = call.places(i, sizes[i])?;
            if places != output[i] {
                return Err(Error::shape(
                    op,
                    format!(
                        "a convolution of sizes {sizes:?} gives {places} places along axis {}, found {}",
                        i + 2,
                        output[i]
                    ),
                ));
            }
        }
        let shape = shaped(op, self.shape()[0], channels, sizes)?;
        let geometry = call.geometry(self.shape()[0], sizes, output)?;
        if geometry.is_product() {
            let (m, k, n) = (geometry.batch, geometry.inputs * geometry.taps(), geometry.outputs);
            let weight = weight.reshape([n, k])?.transpose(0, 1)?;
            let each = |b: &Tensor<T>| b.unsqueeze(1)?.expand([channels, geometry.taps()])?.reshape([k]);
            let bias = bias.map(each).transpose()?;
            return self.reshape([m, n])?.linear(&weight, bias.as_ref())?.reshape(&shape);
        }
        Ok(product::adjoint(Operands { source: self, weight, bias, geometry, shape }))
    }

    /// The transposed convolution of `[batch, in, sizes..]` with a weight `[in, out / groups, kernel..]` and a bias
    /// `[out]`: every input element adds the kernel, times the element, to the output. An axis of size n becomes
    /// (n - 1) stride - 2 padding + dilation (kernel - 1) + output padding + 1. The batch axis may be missing.
    ///
    /// # Errors
    /// If the shapes or the groups are not consistent, the output padding is not below the stride, or the result would
    /// be empty.
    pub fn conv_transpose<const D: usize>(
        &self,
        weight: &Tensor<T>,
        bias: Option<&Tensor<T>>,
        options: &ConvTransposeOptions<D>,
    ) -> Result<Tensor<T>> {
        if self.rank() == D + 1 {
            return self.unsqueeze(0)?.conv_transpose(weight, bias, options)?.squeeze(0);
        }
        let op = named::<D>(["conv_transpose1d", "conv_transpose2d"]);
        let sizes = options.sizes(self.shape(), weight.shape())?;
        self.adjoint_in(op, weight, bias, &options.conv(), sizes)
    }

    /// The adjoint of [`conv`](Tensor::conv) in its weight: from the convolution's input (this tensor)
    /// `[batch, in, ..]` and the cotangent of its output `[batch, out, ..]` to `[out, in / groups, kernel..]`.
    ///
    /// # Errors
    /// If the convolution of this input with a kernel of these sizes does not have the cotangent's shape.
    pub fn conv_weight<const D: usize>(
        &self,
        g: &Tensor<T>,
        options: &ConvOptions<D>,
        kernel: [usize; D],
    ) -> Result<Tensor<T>> {
        let op = named::<D>(["conv1d_weight", "conv2d_weight"]);
        if self.rank() != D + 2 || g.rank() != D + 2 || self.shape()[0] != g.shape()[0] {
            let detail = format!(
                "expected [batch, in, ..] and [batch, out, ..], found {} and {}",
                self.shape(),
                g.shape()
            );
            return Err(Error::shape(op, detail));
        }
        let (channels, groups) = (self.shape()[1], options.groups);
        if groups == 0 || !channels.is_multiple_of(groups) {
            let detail = format!(
                "expected a number of groups that divides the {channels} input channels of {}, \
                 found {groups}",
                self.shape()
            );
            return Err(Error::argument(op, detail));
        }
        let shape = shaped(op, g.shape()[1], channels / groups, kernel)?;
        let call = Call::new(op, &shape, options)?;
        let input = call.sizes("input", self.shape(), call.inputs, &shape)?;
        let output = call.sizes("cotangent", g.shape(), call.outputs, &shape)?;
        for i in 0..D {
            let places = call.places(i, input[i])?;
            if places != output[i] {
                return Err(Error::shape(
                    op,
                    format!(
                        "the convolution has {places} places along axis {}, cotangent {} has {}",
                        i + 2,
                        g.shape(),
                        output[i]
                    ),
                ));
            }
        }
        let geometry = call.geometry(self.shape()[0], input, output)?;
        if geometry.is_product() {
            let (m, k, n) = (geometry.batch, geometry.inputs * geometry.taps(), geometry.outputs);
            return g.reshape([m, n])?.transpose(0, 1)?.matmul(&self.reshape([m, k])?)?.reshape(&shape);
        }
        Ok(weight::weight(self, g, &geometry, shape))
    }
}

impl<const D: usize> ConvTransposeOptions<D> {
    /// The options of the convolution of which this is the adjoint.
    pub fn conv(&self) -> ConvOptions<D> {
        ConvOptions {
            stride: self.stride,
            padding: Padding::Each(self.padding),
            dilation: self.dilation,
            groups: self.groups,
        }
    }

    /// The sizes of the result for an input `[batch, in, sizes..]` and a weight `[in, out / groups, kernel..]`.
    ///
    /// # Errors
    /// If the ranks are not consistent, an output padding is not below its stride, or the result would be empty.
    pub fn sizes(&self, input: &Shape, weight: &Shape) -> Result<[usize; D]> {
        let op = named::<D>(["conv_transpose1d", "conv_transpose2d"]);
        let call = Call::new(op, weight, &self.conv())?;
        let from = call.sizes("input", input, call.outputs, weight)?;
        let mut sizes = [0; D];
        for i in 0..D {
            let (extra, stride) = (self.output_padding[i], self.stride[i]);
            if extra >= stride {
                return Err(Error::argument(
                    op,
                    format!("output padding {extra} must be below stride {stride}"),
                ));
            }
            let reach = call.reach(i)?;
            let whole = from[i].checked_sub(1).map(|n| n.checked_mul(stride));
            let Some(whole) = whole else {
                return Err(Error::shape(op, format!("axis {} of input {input} is empty", i + 2)));
            };
            let whole = whole.and_then(|n| n.checked_add(reach)).and_then(|n| n.checked_add(extra));
            let cut = self.padding[i].checked_mul(2);
            let (Some(whole), Some(cut)) = (whole.filter(|&n| n <= isize::MAX as usize), cut) else {
                return Err(call.overflow("the result"));
            };
            if whole <= cut {
                return Err(Error::shape(
                    op,
                    format!(
                        "a padding of {} leaves nothing of {whole} places along axis {}",
                        self.padding[i],
                        i + 2
                    ),
                ));
            }
            sizes[i] = whole - cut;
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests;
