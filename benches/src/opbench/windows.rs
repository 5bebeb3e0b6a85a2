//! Convolutions, pools, padding, resampling and patches.

use crate::{Row, Values, between, real};
use wengert::ops::{AlignCorners, AvgDivisor, ConvOptions, ConvTransposeOptions, Window};
use wengert::tape::Var;

/// Input, channels out, kernel, stride, padding, dilation, groups.
type Conv<'a> = (&'a [usize], usize, &'a [usize], usize, usize, usize, usize);

/// Layers of networks, and shapes that are easy to forget: planes of one element, kernels that cover their input, few channels, many
/// groups, one image.
const PLANES: [Conv<'_>; 16] = [
    (&[8, 64, 56, 56], 64, &[3, 3], 1, 1, 1, 1),
    (&[16, 128, 14, 14], 128, &[3, 3], 1, 1, 1, 1),
    (&[4, 3, 112, 112], 64, &[7, 7], 2, 3, 1, 1),
    (&[64, 1, 28, 28], 32, &[5, 5], 1, 2, 1, 1),
    (&[8, 32, 28, 28], 64, &[5, 5], 2, 2, 1, 1),
    (&[8, 64, 28, 28], 64, &[3, 3], 1, 1, 1, 64),
    (&[8, 64, 28, 28], 64, &[3, 3], 2, 1, 1, 64),
    (&[8, 64, 28, 28], 64, &[3, 3], 1, 1, 1, 8),
    (&[8, 64, 28, 28], 128, &[1, 1], 1, 0, 1, 1),
    (&[8, 64, 28, 28], 128, &[1, 1], 2, 0, 1, 1),
    (&[128, 64, 1, 1], 64, &[1, 1], 1, 0, 1, 1),
    (&[32, 64, 7, 7], 128, &[7, 7], 1, 0, 1, 1),
    (&[8, 32, 28, 28], 32, &[3, 3], 1, 2, 2, 1),
    (&[4, 16, 8, 8], 16, &[3, 3], 1, 1, 1, 1),
    (&[1, 3, 32, 32], 8, &[3, 3], 1, 1, 1, 1),
    (&[512, 16, 4, 4], 16, &[3, 3], 1, 1, 1, 1),
];

const LINES: [Conv<'_>; 7] = [
    (&[16, 64, 1000], 64, &[3], 1, 1, 1, 1),
    (&[8, 1, 16_000], 64, &[400], 160, 0, 1, 1),
    (&[16, 64, 500], 64, &[3], 1, 8, 8, 1),
    (&[16, 64, 500], 64, &[31], 1, 15, 1, 64),
    (&[128, 64, 1], 64, &[1], 1, 0, 1, 1),
    (&[4, 16, 64], 16, &[3], 1, 1, 1, 1),
    (&[32, 64, 50], 128, &[1], 1, 0, 1, 1),
];

/// The same for transposed convolutions.
const UP: [Conv<'_>; 7] = [
    (&[8, 64, 14, 14], 32, &[4, 4], 2, 1, 1, 1),
    (&[8, 64, 28, 28], 64, &[3, 3], 1, 1, 1, 1),
    (&[64, 128, 1, 1], 64, &[4, 4], 1, 0, 1, 1),
    (&[8, 64, 14, 14], 32, &[2, 2], 2, 0, 1, 1),
    (&[4, 16, 8, 8], 16, &[3, 3], 2, 1, 1, 1),
    (&[128, 64, 1, 1], 64, &[1, 1], 1, 0, 1, 1),
    (&[8, 32, 14, 14], 32, &[4, 4], 2, 1, 1, 32),
];

const UP_LINES: [Conv<'_>; 4] = [
    (&[8, 64, 250], 64, &[4], 2, 1, 1, 1),
    (&[4, 16, 64], 16, &[3], 1, 1, 1, 1),
    (&[8, 64, 50], 1, &[16], 8, 4, 1, 1),
    (&[128, 64, 1], 64, &[1], 1, 0, 1, 1),
];

fn words((_, _, k, s, p, d, g): Conv<'_>) -> String {
    let groups = if g > 1 { format!(", {g} groups") } else { String::new() };
    let dilation = if d > 1 { format!(", dilation {d}") } else { String::new() };
    format!("kernel {k:?}, stride {s}, padding {p}{dilation}{groups}")
}

macro_rules! convolutions {
    ($axes:literal $conv:ident $weight:ident $transposed:ident $shapes:ident $up:ident) => {{
        let mut all = Vec::new();
        for (n, of) in $shapes.into_iter().enumerate() {
            let (x, out, kernel, s, p, d, groups) = of;
            let size: [usize; $axes] = std::array::from_fn(|i| kernel[i]);
            let w = [&[out, x[1] / groups][..], kernel].concat();
            let options = ConvOptions::<$axes>::default().stride(s).padding(p).dilation(d).groups(groups);
            let named = format!("stride={s}, padding={p}, dilation={d}, groups={groups}");
            let torch = format!("F.{}(*x, {named})", stringify!($conv));
            let row = |values, x: &[usize]| {
                let x = vec![real(x), real(&w), real(&[out])];
                let row =
                    Row::new(stringify!($conv), &torch, x, move |x, _| x[0].$conv(x[1], Some(x[2]), options));
                row.note(words(of)).values(values)
            };
            all.push(row(Values::Ordinary, x));
            if n == $shapes.len() - 4 {
                all.push(row(Values::Denormal, x));
            }
            if n % 3 == 0 {
                let size_of = |i: usize| (x[2 + i] + 2 * p - d * (kernel[i] - 1) - 1) / s + 1;
                let y: [usize; $axes] = std::array::from_fn(size_of);
                let y = [&[x[0], out][..], &y].concat();
                let torch = format!("torch.nn.grad.{}_weight(x[0], {w:?}, x[1], {named})", stringify!($conv));
                let x = vec![real(x), real(&y)];
                let row =
                    Row::new(stringify!($weight), torch, x, move |x, _| x[0].$weight(x[1], size, options));
                all.push(row.note(words(of)));
            }
        }
        for of in $up {
            let (x, out, kernel, s, p, d, groups) = of;
            let w = [&[x[1], out / groups][..], kernel].concat();
            let options =
                ConvTransposeOptions::<$axes>::default().stride(s).padding(p).dilation(d).groups(groups);
            let torch = format!(
                "F.{}(*x, stride={s}, padding={p}, dilation={d}, groups={groups})",
                stringify!($transposed)
            );
            let x = vec![real(x), real(&w), real(&[out])];
            let row = Row::new(stringify!($transposed), torch, x, move |x, _| {
                x[0].$transposed(x[1], Some(x[2]), options)
            });
            all.push(row.note(words(of)));
        }
        all
    }};
}

type Plane = for<'t> fn(Var<'t, f32>) -> Var<'t, f32>;

macro_rules! each {
    ($($op:literal $torch:literal $shape:expr; $call:expr;)*) => {
        vec![$({
            let call: Plane = $call;
            let note = $torch.split_once("x[0]").map_or("", |(_, arguments)| arguments.trim_start_matches(", ").trim_end_matches(')'));
            Row::new($op, $torch, vec![between(&$shape, -3.0, 3.0)], move |x, _| call(x[0])).note(note)
        }),*]
    };
}

pub(crate) fn rows() -> Vec<Row> {
    let mut all = convolutions!(2 conv2d conv2d_weight conv_transpose2d PLANES UP);
    all.extend(convolutions!(1 conv1d conv1d_weight conv_transpose1d LINES UP_LINES));
    all.extend(each! {
        "max_pool1d" "F.max_pool1d(x[0], 2)" [32, 64, 1000]; |x| x.max_pool1d(2);
        "max_pool1d" "F.max_pool1d(x[0], 3, 1, 1)" [4, 16, 64]; |x| x.max_pool1d(Window::new(3).stride(1).padding(1));
        "max_pool1d" "F.max_pool1d(x[0], 4)" [4096, 7, 4]; |x| x.max_pool1d(4);
        "avg_pool1d" "F.avg_pool1d(x[0], 2)" [32, 64, 1000]; |x| x.avg_pool1d(2, AvgDivisor::Window);
        "avg_pool1d" "F.avg_pool1d(x[0], 3, 1, 1)" [4, 16, 64];
            |x| x.avg_pool1d(Window::new(3).stride(1).padding(1), AvgDivisor::Window);
        "avg_pool1d" "F.avg_pool1d(x[0], 4)" [4096, 7, 4]; |x| x.avg_pool1d(4, AvgDivisor::Window);
        "adaptive_max_pool1d" "F.adaptive_max_pool1d(x[0], 1)" [32, 64, 1000]; |x| x.adaptive_max_pool1d([1]);
        "adaptive_max_pool1d" "F.adaptive_max_pool1d(x[0], 4)" [4, 16, 64]; |x| x.adaptive_max_pool1d([4]);
        "adaptive_max_pool1d" "F.adaptive_max_pool1d(x[0], 3)" [4096, 7, 4]; |x| x.adaptive_max_pool1d([3]);
        "adaptive_avg_pool1d" "F.adaptive_avg_pool1d(x[0], 1)" [32, 64, 1000]; |x| x.adaptive_avg_pool1d([1]);
        "adaptive_avg_pool1d" "F.adaptive_avg_pool1d(x[0], 4)" [4, 16, 64]; |x| x.adaptive_avg_pool1d([4]);
        "adaptive_avg_pool1d" "F.adaptive_avg_pool1d(x[0], 3)" [4096, 7, 4]; |x| x.adaptive_avg_pool1d([3]);
        "max_pool2d" "F.max_pool2d(x[0], 2)" [32, 64, 28, 28]; |x| x.max_pool2d(2);
        "max_pool2d" "F.max_pool2d(x[0], 3, 2, 1)" [8, 64, 56, 56]; |x| x.max_pool2d(Window::new(3).stride(2).padding(1));
        "max_pool2d" "F.max_pool2d(x[0], 2)" [4, 16, 8, 8]; |x| x.max_pool2d(2);
        "max_pool2d" "F.max_pool2d(x[0], 2)" [256, 256, 2, 2]; |x| x.max_pool2d(2);
        "max_pool2d" "F.max_pool2d(x[0], 7)" [64, 128, 7, 7]; |x| x.max_pool2d(7);
        "max_pool2d" "F.max_pool2d(x[0], 5, 1, 2)" [8, 64, 28, 28]; |x| x.max_pool2d(Window::new(5).stride(1).padding(2));
        "avg_pool2d" "F.avg_pool2d(x[0], 2)" [32, 64, 28, 28]; |x| x.avg_pool2d(2, AvgDivisor::Window);
        "avg_pool2d" "F.avg_pool2d(x[0], 3, 2, 1)" [8, 64, 56, 56];
            |x| x.avg_pool2d(Window::new(3).stride(2).padding(1), AvgDivisor::Window);
        "avg_pool2d" "F.avg_pool2d(x[0], 2)" [4, 16, 8, 8]; |x| x.avg_pool2d(2, AvgDivisor::Window);
        "avg_pool2d" "F.avg_pool2d(x[0], 2)" [256, 256, 2, 2]; |x| x.avg_pool2d(2, AvgDivisor::Window);
        "avg_pool2d" "F.avg_pool2d(x[0], 7)" [64, 128, 7, 7]; |x| x.avg_pool2d(7, AvgDivisor::Window);
        "adaptive_max_pool2d" "F.adaptive_max_pool2d(x[0], 1)" [64, 128, 14, 14]; |x| x.adaptive_max_pool2d([1, 1]);
        "adaptive_max_pool2d" "F.adaptive_max_pool2d(x[0], 3)" [4, 16, 8, 8]; |x| x.adaptive_max_pool2d([3, 3]);
        "adaptive_max_pool2d" "F.adaptive_max_pool2d(x[0], 7)" [16, 64, 15, 15]; |x| x.adaptive_max_pool2d([7, 7]);
        "adaptive_avg_pool2d" "F.adaptive_avg_pool2d(x[0], 1)" [64, 128, 14, 14]; |x| x.adaptive_avg_pool2d([1, 1]);
        "adaptive_avg_pool2d" "F.adaptive_avg_pool2d(x[0], 3)" [4, 16, 8, 8]; |x| x.adaptive_avg_pool2d([3, 3]);
        "adaptive_avg_pool2d" "F.adaptive_avg_pool2d(x[0], 7)" [16, 64, 15, 15]; |x| x.adaptive_avg_pool2d([7, 7]);
        "adaptive_avg_pool2d" "F.adaptive_avg_pool2d(x[0], 1)" [256, 256, 1, 1]; |x| x.adaptive_avg_pool2d([1, 1]);
        "pad_reflect" "F.pad(x[0], [1, 1, 1, 1], 'reflect')" [32, 64, 28, 28]; |x| x.pad_reflect(&[(0, 0), (0, 0), (1, 1), (1, 1)]);
        "pad_reflect" "F.pad(x[0], [2, 2], 'reflect')" [4, 16, 64]; |x| x.pad_reflect(&[(0, 0), (0, 0), (2, 2)]);
        "pad_reflect" "F.pad(x[0], [2, 2], 'reflect')" [4096, 7, 4]; |x| x.pad_reflect(&[(0, 0), (0, 0), (2, 2)]);
        "pad_replicate" "F.pad(x[0], [1, 1, 1, 1], 'replicate')" [32, 64, 28, 28];
            |x| x.pad_replicate(&[(0, 0), (0, 0), (1, 1), (1, 1)]);
        "pad_replicate" "F.pad(x[0], [2, 2], 'replicate')" [4, 16, 64]; |x| x.pad_replicate(&[(0, 0), (0, 0), (2, 2)]);
        "pad_replicate" "F.pad(x[0], [2, 2], 'replicate')" [4096, 7, 4]; |x| x.pad_replicate(&[(0, 0), (0, 0), (2, 2)]);
        "pad_circular" "F.pad(x[0], [1, 1, 1, 1], 'circular')" [32, 64, 28, 28];
            |x| x.pad_circular(&[(0, 0), (0, 0), (1, 1), (1, 1)]);
        "pad_circular" "F.pad(x[0], [2, 2], 'circular')" [4, 16, 64]; |x| x.pad_circular(&[(0, 0), (0, 0), (2, 2)]);
        "pad_circular" "F.pad(x[0], [2, 2], 'circular')" [4096, 7, 4]; |x| x.pad_circular(&[(0, 0), (0, 0), (2, 2)]);
        "upsample_nearest1d" "F.interpolate(x[0], scale_factor=2, mode='nearest')" [32, 64, 500]; |x| x.upsample_nearest1d([1000]);
        "upsample_nearest1d" "F.interpolate(x[0], size=128, mode='nearest')" [4, 16, 64]; |x| x.upsample_nearest1d([128]);
        "upsample_nearest1d" "F.interpolate(x[0], size=7, mode='nearest')" [4096, 7, 4]; |x| x.upsample_nearest1d([7]);
        "upsample_nearest2d" "F.interpolate(x[0], scale_factor=2, mode='nearest')" [16, 64, 28, 28]; |x| x.upsample_nearest2d([56, 56]);
        "upsample_nearest2d" "F.interpolate(x[0], size=16, mode='nearest')" [4, 16, 8, 8]; |x| x.upsample_nearest2d([16, 16]);
        "upsample_nearest2d" "F.interpolate(x[0], size=14, mode='nearest')" [64, 128, 1, 1]; |x| x.upsample_nearest2d([14, 14]);
        "upsample_nearest2d" "F.interpolate(x[0], size=13, mode='nearest')" [16, 64, 28, 28]; |x| x.upsample_nearest2d([13, 13]);
        "upsample_linear1d" "F.interpolate(x[0], size=1000, mode='linear')" [32, 64, 500];
            |x| x.upsample_linear1d([1000], AlignCorners::Edges);
        "upsample_linear1d" "F.interpolate(x[0], size=128, mode='linear')" [4, 16, 64];
            |x| x.upsample_linear1d([128], AlignCorners::Edges);
        "upsample_linear1d" "F.interpolate(x[0], size=7, mode='linear')" [4096, 7, 4];
            |x| x.upsample_linear1d([7], AlignCorners::Edges);
        "upsample_bilinear2d" "F.interpolate(x[0], size=56, mode='bilinear')" [16, 64, 28, 28];
            |x| x.upsample_bilinear2d([56, 56], AlignCorners::Edges);
        "upsample_bilinear2d" "F.interpolate(x[0], size=16, mode='bilinear')" [4, 16, 8, 8];
            |x| x.upsample_bilinear2d([16, 16], AlignCorners::Edges);
        "upsample_bilinear2d" "F.interpolate(x[0], size=14, mode='bilinear')" [64, 128, 1, 1];
            |x| x.upsample_bilinear2d([14, 14], AlignCorners::Edges);
        "pixel_shuffle" "F.pixel_shuffle(x[0], 2)" [16, 64, 28, 28]; |x| x.pixel_shuffle(2);
        "pixel_shuffle" "F.pixel_shuffle(x[0], 2)" [4, 16, 8, 8]; |x| x.pixel_shuffle(2);
        "pixel_shuffle" "F.pixel_shuffle(x[0], 4)" [64, 128, 1, 1]; |x| x.pixel_shuffle(4);
        "pixel_unshuffle" "F.pixel_unshuffle(x[0], 2)" [16, 64, 28, 28]; |x| x.pixel_unshuffle(2);
        "pixel_unshuffle" "F.pixel_unshuffle(x[0], 2)" [4, 16, 8, 8]; |x| x.pixel_unshuffle(2);
        "pixel_unshuffle" "F.pixel_unshuffle(x[0], 4)" [64, 128, 4, 4]; |x| x.pixel_unshuffle(4);
        "im2col" "F.unfold(x[0], 3, padding=1)" [8, 64, 28, 28]; |x| x.im2col(Window::new(3).stride(1).padding(1));
        "im2col" "F.unfold(x[0], 3)" [4, 16, 8, 8]; |x| x.im2col(Window::new(3).stride(1));
        "im2col" "F.unfold(x[0], 7)" [64, 128, 7, 7]; |x| x.im2col(Window::new(7).stride(1));
        "im2col" "F.unfold(x[0], 16, stride=16)" [4, 3, 224, 224]; |x| x.im2col(Window::new(16).stride(16));
        "col2im" "F.fold(x[0], 28, 3, padding=1)" [8, 576, 784]; |x| x.col2im([28, 28], Window::new(3).stride(1).padding(1));
        "col2im" "F.fold(x[0], 8, 3)" [4, 144, 36]; |x| x.col2im([8, 8], Window::new(3).stride(1));
        "col2im" "F.fold(x[0], 7, 7)" [64, 6272, 1]; |x| x.col2im([7, 7], Window::new(7).stride(1));
    });
    all.extend(with_positions());
    all
}

fn with_positions() -> Vec<Row> {
    let mut all = Vec::new();
    for shape in [[32, 64, 1000], [4, 16, 64], [4096, 7, 4]] {
        let (x, n) = (|| vec![between(&shape, -3.0, 3.0)], shape[2]);
        let torch = "F.max_pool1d(x[0], 2, return_indices=True)[0]";
        all.push(Row::new("max_pool1d_with_indices", torch, x(), |x, _| x[0].max_pool1d_with_indices(2).0));
        let torch = "F.max_unpool1d(*F.max_pool1d(x[0], 2, return_indices=True), 2)";
        all.push(Row::new("max_unpool1d", torch, x(), move |x, _| {
            let (y, at) = x[0].max_pool1d_with_indices(2);
            y.max_unpool1d(&at, [n])
        }));
    }
    for shape in [[32, 64, 28, 28], [4, 16, 8, 8], [256, 256, 2, 2]] {
        let (x, sizes) = (|| vec![between(&shape, -3.0, 3.0)], [shape[2], shape[3]]);
        let torch = "F.max_pool2d(x[0], 2, return_indices=True)[0]";
        all.push(Row::new("max_pool2d_with_indices", torch, x(), |x, _| x[0].max_pool2d_with_indices(2).0));
        let torch = "F.max_unpool2d(*F.max_pool2d(x[0], 2, return_indices=True), 2)";
        all.push(Row::new("max_unpool2d", torch, x(), move |x, _| {
            let (y, at) = x[0].max_pool2d_with_indices(2);
            y.max_unpool2d(&at, sizes)
        }));
    }
    all
}
