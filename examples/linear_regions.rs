//! The linear regions of a ReLU network with one input, counted exactly from its kinks: at most D + 1 with one hidden
//! layer of D units, at most (D + 1)ᴷ with K hidden layers, and a network that reaches this bound.
//!
//! `cargo run --release --example linear_regions`

use wengert::nn::init::Scheme;
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::prelude::*;
use wengert_examples::{BLACK, BLUE, Corner, Failure, GRAY, GREEN, ORANGE, Plot, Run, linspace, quantile};

/// y = slope · x + offset on an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Affine {
    slope: f64,
    offset: f64,
}

/// The output of the network from `start` to the start of the next piece.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    start: f64,
    units: Vec<Affine>,
}

/// The output of a ReLU network of one input as a list of affine pieces, from left to right; neighbours differ.
///
/// The kinks are found layer by layer, without a grid. On a piece, every unit of a layer is affine in x, so every unit
/// of the next layer has at most one zero there, which can be computed: the piece is cut at these zeros, and on each
/// part the ReLU is 0 or the identity. Nothing is approximated except by rounding.
fn pieces(net: &Mlp<f64>) -> Vec<Piece> {
    let identity = Affine { slope: 1.0, offset: 0.0 };
    let mut all = vec![Piece { start: f64::NEG_INFINITY, units: vec![identity] }];
    for (l, layer) in net.layers.iter().enumerate() {
        let is_output = l + 1 == net.layers.len();
        let mut next = Vec::new();
        for (i, piece) in all.iter().enumerate() {
            let end = all.get(i + 1).map_or(f64::INFINITY, |p| p.start);
            let z = apply(layer, &piece.units);
            let mut cuts = vec![piece.start];
            if !is_output {
                let zeros = z.iter().map(|u| -u.offset / u.slope);
                cuts.extend(zeros.filter(|&t| t.is_finite() && piece.start < t && t < end));
                cuts.sort_by(f64::total_cmp);
                cuts.dedup();
            }
            for (j, &start) in cuts.iter().enumerate() {
                let middle = inside(start, cuts.get(j + 1).copied().unwrap_or(end), 0.5);
                let relu = |u: &Affine| {
                    if is_output || u.slope * middle + u.offset > 0.0 {
                        *u
                    } else {
                        Affine { slope: 0.0, offset: 0.0 }
                    }
                };
                next.push(Piece { start, units: z.iter().map(relu).collect() });
            }
        }
        all = next;
    }
    // A kink of a unit is not a kink of the output if all units that read it are off.
    all.dedup_by(|b, a| a.units == b.units);
    all
}

/// W h + b.
fn apply(layer: &Linear<f64>, h: &[Affine]) -> Vec<Affine> {
    let (w, b) = (layer.weight.value().to_vec(), layer.bias.as_ref().map(|b| b.value().to_vec()));
    let row = |(j, row): (usize, &[f64])| Affine {
        slope: row.iter().zip(h).map(|(w, h)| w * h.slope).sum(),
        offset: b.as_ref().map_or(0.0, |b| b[j]) + row.iter().zip(h).map(|(w, h)| w * h.offset).sum::<f64>(),
    };
    w.chunks(h.len()).enumerate().map(row).collect()
}

/// A number between two others, of which either may be infinite: in the middle for t = 1/2, close to one end for t near
/// 0 or 1.
fn inside(a: f64, b: f64, t: f64) -> f64 {
    let away = |from: f64, t: f64| t / (1.0 - t) * from.abs().max(1.0);
    match (a.is_finite(), b.is_finite()) {
        (true, true) => a + t * (b - a),
        (true, false) => a + away(a, t),
        (false, true) => b - away(b, 1.0 - t),
        (false, false) => 2.0 * t - 1.0,
    }
}

fn network(width: usize, depth: usize, rng: &mut Rng) -> Mlp<f64> {
    let widths = [vec![1], vec![width; depth], vec![1]].concat();
    let mut net = Mlp::with_config(&MlpConfig { widths, activation: Activation::Relu, dropout: 0.0 }, rng);
    for layer in &mut net.layers {
        layer.bias = Some(Param::new(Scheme::Uniform(1.0).sample(&[layer.weight.shape()[0]].into(), rng)));
    }
    net
}

/// A network with (D + 1)ᴷ linear regions. Every layer computes a zigzag u(x) = Σ cⱼ hⱼ + c₀ whose D + 1 pieces each
/// cover [0, 1], which contains all D kinks: therefore each piece of the previous layer is cut into D + 1 pieces.
///
/// If all units opened to the right, hⱼ = max(0, x - tⱼ), the leftmost piece would be constant and cover nothing.
/// Therefore the second and the third open to the left, hⱼ = max(0, tⱼ - x); this needs at least three units to still
/// turn at each kink. Weights and kinks are sums of few powers of two: nothing is rounded.
fn zigzag(width: usize, depth: usize) -> Result<Mlp<f64>, Error> {
    assert!(width >= 3, "two units cannot turn three times");
    let m = (width + 1).next_power_of_two() as f64;
    // The slopes of the pieces: alternately m and -m, each over a width of 1/m; the fourth is twice as steep, so that
    // Σ_left -Δ gives the first.
    let slope = |i: usize| if i == 3 { -2.0 * m } else { m * if i.is_multiple_of(2) { 1.0 } else { -1.0 } };
    let mut kinks = vec![1.0 / m];
    for i in 1..width {
        kinks.push(kinks[i - 1] + 1.0 / slope(i).abs());
    }
    let looks_left = |j: usize| j == 1 || j == 2;
    let sign = |j: usize| if looks_left(j) { -1.0 } else { 1.0 };
    let c: Vec<f64> = (0..width).map(|j| slope(j + 1) - slope(j)).collect();
    // u is 1 at the first kink.
    let there: f64 = (0..width).filter(|&j| looks_left(j)).map(|j| c[j] * (kinks[j] - kinks[0])).sum();
    let rest = 1.0 - there;

    let mut net = network(width, depth, &mut Rng::seed(0));
    for (l, layer) in net.layers.iter_mut().enumerate() {
        let is_output = l == depth;
        let (from, offset) = if l == 0 { (vec![1.0], 0.0) } else { (c.clone(), rest) };
        // The sign and the kink of each row.
        let hidden = || (0..width).map(|j| (sign(j), kinks[j])).collect();
        let rows: Vec<(f64, f64)> = if is_output { vec![(1.0, 0.0)] } else { hidden() };
        let weight: Vec<f64> = rows.iter().flat_map(|(s, _)| from.iter().map(move |w| s * w)).collect();
        let bias: Vec<f64> = rows.iter().map(|(s, t)| s * (offset - t)).collect();
        layer.weight.set(Tensor::from_vec(weight, [rows.len(), from.len()])?)?;
        layer.bias = Some(Param::new(bias.into()));
    }
    Ok(net)
}

/// The pieces equal the network: near both ends of each piece, and in its middle, they agree with values and gradients
/// of the tape, so that no kink is missing.
fn agrees(net: &Mlp<f64>, pieces: &[Piece]) -> Result<(), Error> {
    let end = |i: usize| pieces.get(i + 1).map_or(f64::INFINITY, |p| p.start);
    let points =
        |(i, p): (usize, &Piece)| [0.01, 0.5, 0.99].map(|t| (inside(p.start, end(i), t), p.units[0]));
    let points: Vec<(f64, Affine)> = pieces.iter().enumerate().flat_map(points).collect();
    let x: Vec<f64> = points.iter().map(|(x, _)| *x).collect();
    let tape = Tape::new();
    let input = tape.var(Tensor::from(x).unsqueeze(1)?);
    let y = net.forward(input).keep();
    let (values, slopes) = (y.value()?.to_vec(), y.sum().backward()?.wrt(input)?.to_vec());
    for (((x, u), y), slope) in points.into_iter().zip(values).zip(slopes) {
        let near = |a: f64, b: f64, scale: f64| (a - b).abs() <= 1e-9 * scale.max(1.0);
        let scale = u.slope.abs() * x.abs() + u.offset.abs();
        assert!(near(y, u.slope * x + u.offset, scale), "{u:?} at {x}: {y}");
        assert!(near(slope, u.slope, u.slope.abs()), "{u:?} at {x}: {slope}");
    }
    Ok(())
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let mut rng = Rng::seed(0);
    let nets = run.pick(1000, 200);
    for width in 1..=12 {
        for _ in 0..nets / 10 {
            let net = network(width, 1, &mut rng);
            let found = pieces(&net);
            assert!(found.len() <= width + 1, "{} regions of {width} units", found.len());
            agrees(&net, &found)?;
        }
    }
    println!("one hidden layer of D units, random: never more than D + 1 regions");

    let (width, depths) = (3usize, [1, 2, 3, 4, 5]);
    let (mut bound, mut attained, mut middle, mut range) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for depth in depths {
        let most = (width + 1).pow(depth as u32);
        let built = zigzag(width, depth)?;
        let found = pieces(&built);
        assert_eq!(found.len(), most, "{width} units, {depth} layers");
        agrees(&built, &found)?;
        let mut counts = Vec::new();
        for _ in 0..nets {
            let net = network(width, depth, &mut rng);
            let found = pieces(&net);
            assert!(found.len() <= most);
            agrees(&net, &found)?;
            counts.push(found.len() as f64);
        }
        println!(
            "{depth} layers of {width}: (D + 1)^K = {most} regions at most, {} built, {} of the median random network, {} of the best of {nets}",
            found.len(),
            quantile(&counts, 0.5),
            quantile(&counts, 1.0)
        );
        let k = depth as f64;
        bound.push((k, most as f64));
        attained.push((k, found.len() as f64));
        middle.push((k, quantile(&counts, 0.5)));
        range.push((k, quantile(&counts, 0.0), quantile(&counts, 1.0)));
    }
    for (width, depth) in [(3, 6), (4, 4), (5, 3), (8, 2), (16, 2), (40, 1)] {
        assert_eq!(
            pieces(&zigzag(width, depth)?).len(),
            (width + 1usize).pow(depth as u32),
            "{width}, {depth}"
        );
    }

    let picture = |title: String, net: &Mlp<f64>, (low, high): (f64, f64), (bottom, top): (f64, f64)| {
        let found = pieces(net);
        let mut plot = Plot::new(title).x("x").y("y").x_range(low, high).y_range(bottom, top);
        for (i, piece) in found.iter().enumerate() {
            let end = found.get(i + 1).map_or(high, |p| p.start);
            let Affine { slope, offset } = piece.units[0];
            let at = |x: f64| (x, slope * x + offset);
            // The part that is within the picture.
            let (one, other) = ((bottom - offset) / slope, (top - offset) / slope);
            let (from, to) = (piece.start.max(low).max(one.min(other)), end.min(high).min(one.max(other)));
            if from < to {
                plot = plot.line(if i.is_multiple_of(2) { BLUE } else { ORANGE }, "", [at(from), at(to)]);
            }
        }
        plot
    };
    let random = network(16, 3, &mut Rng::seed(4));
    let regions = pieces(&random).len();
    let against_depth = Plot::new("Layers of 3 units").x("hidden layers K").y("linear regions").log_y();
    let against_depth = against_depth
        .x_ticks(depths.map(|k| (k as f64, k)))
        .dashed(BLACK, "(D + 1)ᴷ", bound)
        .dots(ORANGE, "built", attained)
        .band(BLUE, range)
        .line(BLUE, "random, median and range", middle)
        .legend(Corner::UpperLeft);
    let mut widths =
        Plot::new("One hidden layer").x("hidden units D").y("linear regions").legend(Corner::UpperLeft);
    let mut counts = Vec::new();
    for width in 1..=12 {
        counts.extend((0..12).map(|_| (width as f64, pieces(&network(width, 1, &mut rng)).len() as f64)));
    }
    widths = widths.dots(GREEN, "random", counts).dashed(
        BLACK,
        "D + 1",
        linspace(1.0, 12.0, 12).into_iter().map(|d| (d, d + 1.0)),
    );
    let built =
        picture("Built: 3 layers of 3 units, 64 regions".into(), &zigzag(3, 3)?, (-0.05, 1.0), (-1.3, 1.4));
    let built = built.thin(GRAY, "", [(-0.05, 0.0), (1.0, 0.0)]).thin(GRAY, "", [(-0.05, 1.0), (1.0, 1.0)]);
    let random = picture(
        format!("Random: 3 layers of 16 units, {regions} regions"),
        &random,
        (-4.0, 4.0),
        (-3.2, -0.6),
    );
    run.draw("linear-regions.svg", &[&[widths, against_depth], &[built, random]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
