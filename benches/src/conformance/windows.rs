//! Convolutions and pools.

use crate::{Entry, Sample};
use wengert::ops::{AvgDivisor, ConvOptions, ConvTransposeOptions, Tensor, Window};
use wengert::tape::gradcheck::Domain::Real;
use wengert::tape::gradcheck::Gen;

/// The stride, padding and dilation of each axis, and the number of groups.
struct Drawn {
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

impl Drawn {
    fn new(g: &mut Gen) -> Self {
        let mut two = |range: std::ops::RangeInclusive<usize>| [g.within(range.clone()), g.within(range)];
        let (stride, padding, dilation) = (two(1..=3), two(0..=2), two(1..=2));
        Drawn { stride, padding, dilation, groups: g.pick(&[1, 1, 2]) }
    }

    /// PyTorch's arguments, for one axis or two.
    fn torch(&self, axes: usize) -> String {
        let (s, p, d) = (&self.stride[..axes], &self.padding[..axes], &self.dilation[..axes]);
        format!("stride={s:?}, padding={p:?}, dilation={d:?}, groups={}", self.groups)
    }
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut all = vec![
        Entry::new("conv1d", |g| {
            let (o, k) = (Drawn::new(g), g.within(1..=3));
            let length = 1 + o.dilation[0] * (k - 1) + g.within(0..=4);
            let batch = g.within(0..=2);
            let x = operands(g, &[batch, 2 * o.groups, length], &[2 * o.groups, 2, k], 2 * o.groups);
            let torch = format!("F.conv1d(*x, {})", o.torch(1));
            Sample::new(torch, x, move |x| {
                let options = ConvOptions::<1>::default().stride(o.stride[0]).padding(o.padding[0]);
                let options = options.dilation(o.dilation[0]).groups(o.groups);
                x[0].conv1d(x[1], Some(x[2]), options)
            })
        }),
        Entry::new("conv2d", |g| {
            let (o, k) = (Drawn::new(g), [g.within(1..=3), g.within(1..=2)]);
            let size = [0, 1].map(|i| 1 + o.dilation[i] * (k[i] - 1) + g.within(0..=3));
            let batch = g.within(0..=2);
            let x = operands(
                g,
                &[batch, o.groups, size[0], size[1]],
                &[2 * o.groups, 1, k[0], k[1]],
                2 * o.groups,
            );
            let torch = format!("F.conv2d(*x, {})", o.torch(2));
            Sample::new(torch, x, move |x| {
                let options = ConvOptions::<2>::default().stride(o.stride).padding(o.padding);
                x[0].conv2d(x[1], Some(x[2]), options.dilation(o.dilation).groups(o.groups))
            })
        }),
        Entry::new("conv2d (same)", |g| {
            let (k, dilation) = ([g.within(1..=4), g.within(1..=3)], g.within(1..=2));
            let size = [g.within(1..=4), g.within(1..=4)];
            let x = operands(g, &[1, 2, size[0], size[1]], &[3, 2, k[0], k[1]], 3);
            let torch = format!("F.conv2d(*x, padding='same', dilation={dilation})");
            Sample::new(torch, x, move |x| {
                x[0].conv2d(x[1], Some(x[2]), ConvOptions::<2>::default().same().dilation(dilation))
            })
        }),
        Entry::new("conv_transpose1d", |g| {
            let (mut o, k) = (Drawn::new(g), g.within(1..=3));
            o.padding[0] = o.padding[0].min(o.dilation[0] * (k - 1) / 2);
            let more = g.within(0..=o.stride[0] - 1);
            let length = g.within(1..=4);
            let x = operands(g, &[2, o.groups, length], &[o.groups, 2, k], 2 * o.groups);
            let torch = format!("F.conv_transpose1d(*x, output_padding={more}, {})", o.torch(1));
            Sample::new(torch, x, move |x| {
                let options = ConvTransposeOptions::<1>::default().stride(o.stride[0]).padding(o.padding[0]);
                let options = options.output_padding(more).dilation(o.dilation[0]).groups(o.groups);
                x[0].conv_transpose1d(x[1], Some(x[2]), options)
            })
        }),
        Entry::new("conv_transpose2d", |g| {
            let (mut o, k) = (Drawn::new(g), [g.within(1..=3), g.within(1..=2)]);
            o.padding = [0, 1].map(|i| o.padding[i].min(o.dilation[i] * (k[i] - 1) / 2));
            let more = [0, 1].map(|i| g.within(0..=o.stride[i] - 1));
            let size = [g.within(1..=3), g.within(1..=3)];
            let x =
                operands(g, &[1, 2 * o.groups, size[0], size[1]], &[2 * o.groups, 1, k[0], k[1]], o.groups);
            let torch = format!("F.conv_transpose2d(*x, output_padding={more:?}, {})", o.torch(2));
            Sample::new(torch, x, move |x| {
                let options = ConvTransposeOptions::<2>::default().stride(o.stride).padding(o.padding);
                let options = options.output_padding(more).dilation(o.dilation).groups(o.groups);
                x[0].conv_transpose2d(x[1], Some(x[2]), options)
            })
        }),
    ];
    all.extend(pools());
    all
}

/// Input, weight, and a bias of the given number of channels.
fn operands(g: &mut Gen, x: &[usize], weight: &[usize], bias: usize) -> Vec<Tensor<f64>> {
    vec![g.tensor(x, Real), g.tensor(weight, Real), g.tensor(&[bias], Real)]
}

fn pools() -> Vec<Entry> {
    macro_rules! pools {
        ($axes:literal $max:ident $avg:ident $adaptive_max:ident $adaptive_avg:ident $with:ident $unpool:ident) => {
            vec![
                Entry::new(stringify!($max), |g| {
                    let (shape, window) = windowed::<$axes>(g);
                    let torch = format!(
                        "F.{}(x[0], {}, dilation={:?})",
                        stringify!($max),
                        words(&window),
                        window.dilation
                    );
                    Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].$max(window))
                }),
                Entry::new(stringify!($avg), |g| {
                    let (shape, mut window) = windowed::<$axes>(g);
                    window.dilation = [1; $axes];
                    let (divisor, word) = g.pick(&[
                        (AvgDivisor::Window, "count_include_pad=True"),
                        (AvgDivisor::Inside, "count_include_pad=False"),
                    ]);
                    let torch = format!("F.{}(x[0], {}, {word})", stringify!($avg), words(&window));
                    Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].$avg(window, divisor))
                }),
                Entry::new(stringify!($adaptive_max), |g| {
                    let (shape, sizes) = sharing::<$axes>(g);
                    let torch = format!("F.{}(x[0], {sizes:?})", stringify!($adaptive_max));
                    Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].$adaptive_max(sizes))
                }),
                Entry::new(stringify!($adaptive_avg), |g| {
                    let (shape, sizes) = sharing::<$axes>(g);
                    let torch = format!("F.{}(x[0], {sizes:?})", stringify!($adaptive_avg));
                    Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].$adaptive_avg(sizes))
                }),
                Entry::new(stringify!($unpool), |g| {
                    // Windows must not overlap: PyTorch passes the gradient to all elements that are written to a position.
                    let sizes: [usize; $axes] = std::array::from_fn(|_| 2 * g.within(1..=2));
                    let shape = [&[2, 2], &sizes[..]].concat();
                    let torch = format!(
                        "F.{}(*F.{}(x[0], 2, return_indices=True), 2)",
                        stringify!($unpool),
                        stringify!($max)
                    );
                    Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| {
                        let (y, at) = x[0].$with(2);
                        y.$unpool(&at, sizes)
                    })
                }),
            ]
        };
    }
    let mut all = pools!(1 max_pool1d avg_pool1d adaptive_max_pool1d adaptive_avg_pool1d
        max_pool1d_with_indices max_unpool1d);
    all.extend(pools!(2 max_pool2d avg_pool2d adaptive_max_pool2d adaptive_avg_pool2d
        max_pool2d_with_indices max_unpool2d));
    all
}

/// A shape of full rank, and a window that fits it.
fn windowed<const D: usize>(g: &mut Gen) -> (Vec<usize>, Window<D>) {
    let (mut shape, mut window) = (vec![g.within(1..=2), g.within(1..=2)], Window::<D>::new(1));
    for i in 0..D {
        window.size[i] = g.within(1..=3);
        window.stride[i] = g.within(1..=3);
        window.padding[i] = g.within(0..=window.size[i] / 2);
        window.dilation[i] = g.within(1..=2);
        shape.push(1 + window.dilation[i] * (window.size[i] - 1) + g.within(0..=3));
    }
    window.ceil = g.once_in(2);
    (shape, window)
}

fn words<const D: usize>(w: &Window<D>) -> String {
    let ceil = if w.ceil { "True" } else { "False" };
    format!("{:?}, stride={:?}, padding={:?}, ceil_mode={ceil}", w.size, w.stride, w.padding)
}

/// A shape, and the number of windows along each axis.
fn sharing<const D: usize>(g: &mut Gen) -> (Vec<usize>, [usize; D]) {
    let mut shape = vec![g.within(1..=2), g.within(1..=2)];
    shape.extend((0..D).map(|_| g.within(1..=5)));
    (shape, std::array::from_fn(|_| g.within(1..=4)))
}
