//! Planes resampled to other sizes, one axis after another: nearest neighbour, linear and bilinear interpolation, and the
//! rearrangement of channels as pixels and back, as a composite. An interpolation is linear: the cotangent is its adjoint.

use super::prelude::*;
use std::sync::Arc;
use wengert_ops::{AlignCorners, Resize};

/// The new size of an axis of n elements, and the distance in the input between neighbouring elements of the output.
fn resized<const D: usize>(
    resize: Resize<D>,
    i: usize,
    n: usize,
) -> std::result::Result<(usize, f64), String> {
    let size = match resize {
        Resize::To(sizes) => (sizes[i], n as f64 / sizes[i] as f64),
        Resize::By(factors) if factors[i] > 0.0 && factors[i].is_finite() => {
            ((n as f64 * factors[i]).floor() as usize, 1.0 / factors[i])
        }
        Resize::By(factors) => {
            return Err(format!("a factor must be positive and finite, found {}", factors[i]));
        }
    };
    match size {
        (0, _) => Err(format!("nothing would be left of {n} elements")),
        _ if n == 0 => Err("there is nothing to resample".to_owned()),
        (m, _) if m > u32::MAX as usize => Err(format!("{m} elements are too many")),
        _ => Ok(size),
    }
}

/// For each position of an axis, its lower neighbour and the weight of the upper one, which with weight 0 is not read.
fn neighbours(n: usize, m: usize, scale: f64, corners: Option<AlignCorners>) -> (Vec<usize>, Vec<f64>) {
    let mut all = (Vec::with_capacity(m), Vec::with_capacity(m));
    for i in 0..m {
        let at = match corners {
            None => (i as f64 * scale).floor(),
            Some(AlignCorners::Edges) => ((i as f64 + 0.5) * scale - 0.5).max(0.0),
            Some(AlignCorners::Centres) if m == 1 => 0.0,
            // With a single division, so that the last position is exactly the last element.
            Some(AlignCorners::Centres) => (i * (n - 1)) as f64 / (m - 1) as f64,
        };
        let at = at.min((n - 1) as f64);
        all.0.push(at.floor() as usize);
        all.1.push(at - at.floor());
    }
    all
}

/// The lower neighbours along an axis and the weights of the upper ones.
struct Neighbours {
    axis: isize,
    low: Vec<usize>,
    weights: Vec<f64>,
}

/// Linear interpolation along an axis.
struct Interpolate(Arc<Neighbours>);

/// Its adjoint, for an input of the given size.
struct Spread(Arc<Neighbours>, usize);

impl<T: Float> Op<T> for Interpolate {
    fn name(&self) -> &'static str {
        "interpolate"
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("axis {} to {}", self.0.axis, self.0.low.len()))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let Neighbours { axis, low, weights } = &*self.0;
        Ok(x[0].interpolate(*axis, low, weights)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let n = r.x(0).raw_shape()[self.0.axis as usize];
        cotangents([Some(r.gy().tape().apply(Spread(self.0.clone(), n), &[r.gy()]))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Op<T> for Spread {
    fn name(&self) -> &'static str {
        "interpolate_adjoint"
    }
    fn forward(&self, g: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let Neighbours { axis, low, weights } = &*self.0;
        Ok(g[0].interpolate_adjoint(*axis, low, weights, self.1)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        cotangents([Some(r.gy().tape().apply(Interpolate(self.0.clone()), &[r.gy()]))])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

/// Resamples the last `D` axes.
#[track_caller]
fn resample<'t, T: Float, const D: usize>(
    x: Var<'t, T>,
    op: &'static str,
    resize: Resize<D>,
    corners: Option<AlignCorners>,
) -> Var<'t, T> {
    if x.is_failed() {
        return x;
    }
    let shape = x.raw_shape();
    if shape.len() <= D {
        let detail = format!("expected [.., channels, {D} sizes], found {shape}");
        return refuse(x, op, Kind::Shape, detail);
    }
    let first = shape.len() - D;
    let mut plans = Vec::with_capacity(D);
    for i in 0..D {
        let n = shape[first + i];
        match resized(resize, i, n) {
            // With given sizes, an integer division, so that no rounding changes the nearest element.
            Ok((m, _)) if corners.is_none() && matches!(resize, Resize::To(_)) => {
                let at = (0..m).map(|i| (i as u128 * n as u128 / m as u128) as usize).collect();
                plans.push((at, vec![0.0; m]));
            }
            Ok((m, scale)) => plans.push(neighbours(n, m, scale, corners)),
            Err(detail) => {
                let detail = format!("axis {} of shape {shape}: {detail}", first + i);
                return refuse(x, op, Kind::Argument, detail);
            }
        }
    }
    let mut x = x;
    for (i, (low, weights)) in plans.into_iter().enumerate() {
        let axis = (first + i) as isize;
        x = if weights.iter().all(|&w| w == 0.0) {
            x.index_select(axis, &Tensor::from(low.into_iter().map(|i| i as i64).collect::<Vec<_>>()))
        } else {
            x.tape().apply(Interpolate(Arc::new(Neighbours { axis, low, weights })), &[x])
        };
    }
    x
}

/// Rearranges squares of channels as squares of pixels, or back.
#[track_caller]
fn shuffle<'t, T: Float>(x: Var<'t, T>, op: &'static str, factor: usize, back: bool) -> Var<'t, T> {
    if x.is_failed() {
        return x;
    }
    let shape = x.raw_shape();
    let squared = factor.checked_mul(factor).filter(|&f| f > 0);
    let (&[.., channels, h, w], Some(squared)) = (&shape[..], squared) else {
        let detail = format!(
            "expected [.., channels, height, width] and a factor of at least 1, found {shape} and {factor}"
        );
        return refuse(x, op, Kind::Argument, detail);
    };
    let fits = if back {
        // If one axis is empty, any factor divides the number of pixels.
        h % factor == 0 && w % factor == 0 && channels.checked_mul(squared).is_some()
    } else {
        channels % squared == 0
    };
    if !fits {
        let detail = match back {
            true if h % factor == 0 && w % factor == 0 => {
                format!("factor {factor} is too large for shape {shape}")
            }
            true => format!("factor {factor} does not divide height and width of shape {shape}"),
            false => format!("the square of factor {factor} does not divide the channels of shape {shape}"),
        };
        return refuse(x, op, Kind::Shape, detail);
    }
    let lead = &shape[..shape.len() - 3];
    let planes: usize = lead.iter().product();
    let (last, parts, order) = if back {
        let last = [channels * squared, h / factor, w / factor];
        (last, [planes, channels, h / factor, factor, w / factor, factor], [0, 1, 3, 5, 2, 4])
    } else {
        let last = [channels / squared, h.saturating_mul(factor), w.saturating_mul(factor)];
        (last, [planes, channels / squared, factor, factor, h, w], [0, 1, 4, 2, 5, 3])
    };
    let result: Shape = lead.iter().copied().chain(last).collect();
    x.reshape(parts).permute(order).reshape(result)
}

impl<T: Float> Var<'_, T> {
    /// The last axis of `[.., channels, length]` resampled to another size: position i takes the element at ⌊i · length /
    /// size⌋. See [`upsample_nearest2d`](Var::upsample_nearest2d).
    #[doc(alias = "interpolate")]
    #[doc(alias = "upsample_nearest")]
    #[track_caller]
    pub fn upsample_nearest1d(self, resize: impl Into<Resize<1>>) -> Self {
        let _scope = self.tape().error_scope("upsample_nearest1d");
        resample(self, "upsample_nearest1d", resize.into(), None)
    }

    /// The planes of `[.., channels, height, width]` resampled to another size: along each axis, position i takes the
    /// element at ⌊i · length / size⌋ (or ⌊i / factor⌋).
    ///
    /// ```
    /// # use wengert_ops::{Resize, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0, 2.0]]]));
    /// let y = x.upsample_nearest2d(Resize::by(2.0));
    /// assert_eq!(y.value()?.to_vec(), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    /// assert_eq!(x.upsample_nearest2d([1, 3]).value()?.to_vec(), [1.0, 1.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "interpolate")]
    #[doc(alias = "upsample_nearest")]
    #[track_caller]
    pub fn upsample_nearest2d(self, resize: impl Into<Resize<2>>) -> Self {
        let _scope = self.tape().error_scope("upsample_nearest2d");
        resample(self, "upsample_nearest2d", resize.into(), None)
    }

    /// The last axis of `[.., channels, length]` resampled to another size, with linear interpolation between neighbours.
    /// See [`upsample_bilinear2d`](Var::upsample_bilinear2d).
    ///
    /// ```
    /// # use wengert_ops::{AlignCorners, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[0.0, 4.0]]));
    /// assert_eq!(x.upsample_linear1d([4], AlignCorners::Edges).value()?.to_vec(), [0.0, 1.0, 3.0, 4.0]);
    /// assert_eq!(x.upsample_linear1d([5], AlignCorners::Centres).value()?.to_vec(), [0.0, 1.0, 2.0, 3.0, 4.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "interpolate")]
    #[track_caller]
    pub fn upsample_linear1d(self, resize: impl Into<Resize<1>>, corners: AlignCorners) -> Self {
        let _scope = self.tape().error_scope("upsample_linear1d");
        resample(self, "upsample_linear1d", resize.into(), Some(corners))
    }

    /// The planes of `[.., channels, height, width]` resampled to another size, with linear interpolation between
    /// neighbours along each axis.
    ///
    /// ```
    /// # use wengert_ops::{AlignCorners, Tensor};
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[0.0, 2.0], [4.0, 6.0]]]));
    /// let y = x.upsample_bilinear2d([3, 3], AlignCorners::Centres);
    /// assert_eq!(y.value()?.to_vec(), [0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 6.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "interpolate")]
    #[doc(alias = "upsample_bilinear")]
    #[track_caller]
    pub fn upsample_bilinear2d(self, resize: impl Into<Resize<2>>, corners: AlignCorners) -> Self {
        let _scope = self.tape().error_scope("upsample_bilinear2d");
        resample(self, "upsample_bilinear2d", resize.into(), Some(corners))
    }

    /// `[.., channels · factor², height, width]` as `[.., channels, height · factor, width · factor]`: each group of
    /// factor² channels becomes the pixels of a square.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]));
    /// let y = x.pixel_shuffle(2);
    /// assert_eq!(y.value()?, Tensor::from([[[1.0, 2.0], [3.0, 4.0]]]));
    /// assert_eq!(y.pixel_unshuffle(2).value()?, x.value()?);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn pixel_shuffle(self, factor: usize) -> Self {
        let _scope = self.tape().error_scope("pixel_shuffle");
        shuffle(self, "pixel_shuffle", factor, false)
    }

    /// The inverse of [`pixel_shuffle`](Var::pixel_shuffle): squares of pixels become channels.
    #[track_caller]
    pub fn pixel_unshuffle(self, factor: usize) -> Self {
        let _scope = self.tape().error_scope("pixel_unshuffle");
        shuffle(self, "pixel_unshuffle", factor, true)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let names = ["upsample_nearest1d", "upsample_nearest2d", "upsample_linear1d", "upsample_bilinear2d"];
    Spec::family(&names, Order::Second, |g, which| {
        let axes = if which % 2 == 0 { 1 } else { 2 };
        let mut shape = vec![g.pick(&[0, 1, 2])];
        for _ in 0..axes {
            shape.push(g.dim(1..=if axes == 1 { 4 } else { 3 }));
        }
        let corners = g.pick(&[AlignCorners::Edges, AlignCorners::Centres]);
        let (line, plane) = if g.once_in(3) {
            let factor = g.pick(&[1.0, 1.5, 2.0]);
            (Resize::by(factor), Resize::by(factor))
        } else {
            let (a, b) = (g.dim(1..=if axes == 1 { 5 } else { 4 }), g.dim(1..=4));
            (Resize::To([a]), Resize::To([a, b]))
        };
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| match which {
            0 => x[0].upsample_nearest1d(line),
            1 => x[0].upsample_nearest2d(plane),
            2 => x[0].upsample_linear1d(line, corners),
            _ => x[0].upsample_bilinear2d(plane, corners),
        })
    })
}

pub(super) fn shuffle_spec() -> Vec<Spec> {
    Spec::family(&["pixel_shuffle", "pixel_unshuffle"], Order::Second, |g, which| {
        let (r, a, b, c) = (g.within(1..=3), g.dim(1..=2), g.dim(0..=2), g.dim(1..=2));
        let mut shape = if which == 0 { vec![c * r * r, a, b] } else { vec![c, a * r, b * r] };
        if g.once_in(3) {
            shape.insert(0, 1);
        }
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| match which {
            0 => x[0].pixel_shuffle(r),
            _ => x[0].pixel_unshuffle(r),
        })
    })
}
