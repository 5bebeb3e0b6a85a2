//! [`Differences`]: a derivative computed from values alone, with its uncertainty.
//!
//! A difference quotient has two errors that depend on the step in opposite ways: truncation, which shrinks with the
//! step, and the rounding of the function, which grows as the step shrinks. No single step suits 1/x at 10⁻³, sin(10⁴
//! x) and 10⁸ + x. Therefore the derivative is estimated with several steps, each estimate has an uncertainty, and an
//! estimate that is certain enough decides.

use crate::error::Result;

/// The condition for equality: |tape - differences| ≤ `rtol` |differences| + `atol` min(1, scale), plus the uncertainty
/// of the differences. The scale is that of the derivatives of the same output, so that a function of size 10⁻⁸ needs
/// as many correct digits as one of size 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// The relative tolerance. Default: `1e-6`.
    pub rtol: f64,
    /// The absolute tolerance, for functions whose derivatives have a size of one or more. Default: `1e-6`.
    pub atol: f64,
}

impl Default for Tolerance {
    /// 10⁻⁶ for both.
    fn default() -> Self {
        Tolerance { rtol: 1e-6, atol: 1e-6 }
    }
}

/// Numbers below this have fewer digits than others.
const SUBNORMAL: f64 = f64::MIN_POSITIVE / f64::EPSILON;

/// A tolerance for one derivative.
#[derive(Clone, Copy)]
struct Allowed {
    rtol: f64,
    absolute: f64,
}

impl Allowed {
    fn beside(self, expected: f64) -> f64 {
        self.rtol * expected.abs() + self.absolute
    }
}

impl Tolerance {
    fn absolute(self, scale: f64) -> f64 {
        self.atol * scale.min(1.0)
    }
}

/// The result of comparing a derivative with its differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Equal, with the remaining relative error.
    Equal(f64),
    /// The function has a kink here, and the derivative is between those from the left and from the right.
    Kink,
    /// Different, with the derivatives by differences from the left and from the right, which are equal away from
    /// kinks.
    Different(f64, f64),
    /// The comparison is not possible.
    Unknown(Unknown),
}

/// The reason why differences say nothing about a derivative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The function is NaN or infinite at the point.
    Value,
    /// The function is finite at the point, but on neither side of it.
    Neighbourhood,
    /// The differences are too rough to tell a right derivative from a wrong one.
    Rough,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unknown::Value => "the function is not finite there",
            Unknown::Neighbourhood => "the function is not finite on either side",
            Unknown::Rough => "the function is too rough for differences: no step gives two equal digits",
        })
    }
}

type Values = Vec<f64>;

/// The precision in which a function is computed; its values are handed over as `f64` in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Double,
    Single,
}

impl Precision {
    /// The distance from 1 to the next larger number.
    pub(crate) fn epsilon(self) -> f64 {
        match self {
            Precision::Double => f64::EPSILON,
            Precision::Single => f64::from(f32::EPSILON),
        }
    }

    /// The relative uncertainty of an estimate that decides without the others.
    fn certain(self) -> f64 {
        match self {
            Precision::Double => 1e-6,
            Precision::Single => 1e-3,
        }
    }

    /// The uncertainty of a derivative of zero that is small enough, relative to the value and to the steepest slope nearby.
    fn flat(self) -> (f64, f64) {
        match self {
            Precision::Double => (1e-9, 1e-6),
            Precision::Single => (1e-3, 1e-2),
        }
    }

    /// The relative uncertainty of an estimate that decides if there is no better one.
    fn sufficient(self) -> f64 {
        match self {
            Precision::Double => 1e-3,
            Precision::Single => 1e-2,
        }
    }
}

/// The values of a function along a line, f(t) for small t, computed on demand.
pub struct Differences<'f> {
    f: Box<dyn FnMut(f64) -> Result<Values> + 'f>,
    /// f(0).
    y: Values,
    /// The default step for a coordinate of size one.
    step: f64,
    /// The largest step at which the fourth differences of a function are only noise.
    fine: f64,
    /// The coordinate at t = 0: steps are rounded so that they can be added to it exactly.
    at: f64,
    /// The size of the numbers that are rounded on the way to a value, if they are larger than the value.
    rounded: f64,
    /// The size of coordinates that are rounded when they are moved along a direction; zero for a coordinate that is moved exactly.
    moved: f64,
    /// The precision in which the values are computed.
    precision: Precision,
    stencils: Vec<(f64, Option<Stencil>)>,
}

/// f at ± h/2, ± h, ± 2h.
struct Stencil {
    h: f64,
    at: [(Values, Values); 3],
}

/// A number and its uncertainty.
#[derive(Clone, Copy)]
struct Estimate {
    value: f64,
    error: f64,
    /// Whether smaller steps change it little: with a step as large as the scale of the function it says nothing about
    /// the point.
    settled: bool,
}

impl Estimate {
    const NONE: Estimate = Estimate { value: f64::NAN, error: f64::INFINITY, settled: false };

    /// An estimate with the given errors of truncation and of rounding.
    fn new(value: f64, truncation: f64, rounding: f64) -> Estimate {
        let settled = truncation <= (0.1 * value.abs()).max(rounding);
        Estimate { value, error: truncation + rounding, settled }
    }

    fn is_known(self) -> bool {
        self.value.is_finite() && self.error.is_finite()
    }

    fn contradicts(self, o: Estimate) -> bool {
        self.is_known() && o.is_known() && (self.value - o.value).abs() > 2.0 * (self.error + o.error)
    }

    fn or_better(self, o: Estimate) -> Estimate {
        if o.is_known() && (o.error < self.error || !self.is_known()) { o } else { self }
    }
}

/// A derivative from both sides together, from the left and from the right.
#[derive(Clone, Copy)]
struct Sides {
    central: Estimate,
    left: Estimate,
    right: Estimate,
}

impl Sides {
    const NONE: Sides = Sides { central: Estimate::NONE, left: Estimate::NONE, right: Estimate::NONE };

    /// Whether the two sides differ by more than their uncertainty: a kink, or something that looks like one at this
    /// step.
    fn are_apart(&self, absolute: f64) -> bool {
        let Sides { left, right, .. } = self;
        let size = left.value.abs().max(right.value.abs());
        let known = left.is_known() && right.is_known();
        known && (left.value - right.value).abs() > 10.0 * (left.error + right.error) + 1e-6 * size + absolute
    }
}

impl<'f> Differences<'f> {
    /// The differences of `f` around 0, where its values are `y`. `at` is the coordinate that is moved (0 for a
    /// direction), `step` the default step for a coordinate of size one.
    pub fn new(f: impl FnMut(f64) -> Result<Values> + 'f, y: Values, at: f64, step: f64) -> Self {
        let base = 1.0 + at.abs();
        // The default step, smaller steps for functions that vary fast, steps relative to a small coordinate, and
        // larger steps for derivatives that are lost in the rounding of a large value.
        let mut steps: Vec<f64> = [1.0, 1e-2, 1e-4, 1e-6].map(|s| s * step * base).to_vec();
        if at != 0.0 && at.abs() < 0.1 {
            steps.extend([1.0, 1e-2].map(|s| s * step * at.abs()));
        }
        steps.extend([1e2, 1e4].map(|s| s * step * base));
        // At a large coordinate, a function that varies on the scale of one needs a step for that scale that can still
        // be resolved.
        if at.abs() > 1e5 {
            steps.push(1e3 * step);
        }
        let fine = steps.iter().copied().fold(f64::INFINITY, f64::min);
        Differences {
            f: Box::new(f),
            y,
            step,
            fine,
            at,
            rounded: 0.0,
            moved: 0.0,
            precision: Precision::Double,
            stencils: steps.into_iter().map(|h| (h, None)).collect(),
        }
    }

    /// The same differences for a coordinate among others that have a large common offset and differ by `spread`: a
    /// function of their differences varies on the scale of `spread`, so a step on the scale of the offset would
    /// measure something else.
    #[must_use]
    pub(crate) fn among(mut self, spread: f64) -> Self {
        if self.precision == Precision::Double
            && spread.is_finite()
            && spread > 0.0
            && spread <= 1e-5 * self.at.abs()
        {
            let steps = [1.0, 1e-2, 1e1, 1e2].map(|s| s * self.step * spread);
            let resolved = 1e3 * f64::EPSILON * self.at.abs();
            let steps: Vec<f64> = steps.into_iter().filter(|h| *h > resolved).collect();
            if !steps.is_empty() {
                self.fine = 1e2 * self.step * spread;
                self.stencils = steps.into_iter().map(|h| (h, None)).collect();
            }
        }
        self
    }

    /// The same differences of a function that is computed in the given precision. In single precision the steps are larger, and
    /// powers of two, so that a coordinate can be moved by them without rounding.
    #[must_use]
    pub(crate) fn in_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        if precision == Precision::Single {
            let power = |v: f64| v.log2().round().exp2();
            let base = power(1.0 + self.at.abs());
            let mut steps: Vec<f64> = [-6, -4, -8, -10, -2].map(|e| base * f64::from(e).exp2()).to_vec();
            if self.at != 0.0 && self.at.abs() < 0.1 {
                steps.extend([-4, -6].map(|e| power(self.at.abs()) * f64::from(e).exp2()));
            }
            self.fine = base * (-10f64).exp2();
            self.stencils = steps.into_iter().map(|h| (h, None)).collect();
        }
        self
    }

    /// The same differences of values that are sums of numbers of the given size: the values have the rounding errors
    /// of these terms.
    #[must_use]
    pub fn of_terms(mut self, size: f64) -> Self {
        self.rounded = if size.is_finite() { size } else { 0.0 };
        self
    }

    /// The same differences along a direction through coordinates of the given size. A coordinate is rounded when it is moved, and where
    /// the derivative is zero, the second derivative times this rounding is all that differences show.
    #[must_use]
    pub(crate) fn along(mut self, size: f64) -> Self {
        self.moved = if size.is_finite() { size } else { 0.0 };
        self
    }

    /// Compares the derivative of value `j` with the tape's `got`. `scale` is the largest derivative of that value in
    /// any direction; `rounding` is the possible error of `got` from terms that cancel.
    ///
    /// # Errors
    /// If the function fails.
    pub fn judge(
        &mut self,
        j: usize,
        got: f64,
        scale: f64,
        rounding: f64,
        tolerance: Tolerance,
    ) -> Result<Verdict> {
        let y = self.y[j];
        if !(y.is_finite() && self.at.is_finite()) {
            return Ok(Verdict::Unknown(Unknown::Value));
        }
        let scale = if scale.is_finite() { scale } else { 1.0 };
        let absolute =
            tolerance.absolute(scale) + if rounding.is_finite() { rounding } else { 0.0 } + SUBNORMAL;
        let allowed = Allowed { rtol: tolerance.rtol, absolute };
        let near = |e: Estimate, certain: f64| {
            let off = (e.value - got).abs();
            let certain = e.error <= (certain * e.value.abs().max(got.abs())).max(absolute);
            e.is_known() && certain && off <= allowed.beside(e.value) + 2.0 * e.error
        };
        let digit = self.precision.epsilon() * y.abs().max(self.rounded);
        let certain = self.precision.certain();
        // The derivative with the default step.
        let mut usual: Option<(bool, f64)> = None;
        for s in 0..self.stencils.len() {
            let sides = self.sides(s, j)?;
            // A constant value is evidence only if its digits could show a change, and, at a small step, only if the
            // default step gave nothing certain, or a derivative so large that it would be seen here as well.
            let h = self.stencils[s].0;
            let open = usual.is_none_or(|(known, slope)| !known || slope * h >= 100.0 * digit);
            let flat = open && digit <= 1e-6 * h && sides.central.value == 0.0 && self.constant(s, j);
            if flat && got == 0.0 || (near(sides.central, certain) && !sides.are_apart(absolute)) {
                return Ok(Verdict::Equal(relative(sides.central.value, got, scale.max(absolute))));
            }
            usual.get_or_insert_with(|| {
                let Estimate { value, error, .. } = sides.central;
                let known =
                    sides.central.is_known() && !sides.are_apart(absolute) && value.abs() > 10.0 * error;
                (known, value.abs())
            });
            // Where only the second derivative jumps, each one-sided derivative is exact and the central one is not.
            if near(sides.left, certain) && near(sides.right, certain) {
                let error = relative(sides.left.value, got, scale.max(absolute));
                return Ok(Verdict::Equal(error.max(relative(sides.right.value, got, scale.max(absolute)))));
            }
        }
        self.decide(j, got, scale, allowed)
    }

    /// The verdict if no step confirms the derivative beyond doubt.
    fn decide(&mut self, j: usize, got: f64, scale: f64, allowed: Allowed) -> Result<Verdict> {
        let mut all = Vec::new();
        for s in 0..self.stencils.len() {
            self.sides(s, j)?;
        }
        let noise = self.noise(j);
        for (h, stencil) in &self.stencils {
            let rounded = self.rounded.max(noise);
            let sides = stencil
                .as_ref()
                .map(|s| s.sides(j, self.y[j], (self.at, self.moved), rounded, self.precision));
            all.push((*h, sides.unwrap_or(Sides::NONE)));
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        if got.is_infinite() && diverges(&all, got) {
            return Ok(Verdict::Equal(0.0));
        }
        let usual = self.stencils[0].0;
        let central = best_of(&all, usual, |s| s.central);
        // A one-sided derivative is only as good as the function is straight: at a large distance the function may be
        // flat.
        all.retain(|(h, _)| *h <= 100.0 * usual);
        let (left, right) = (best_of(&all, usual, |s| s.left), best_of(&all, usual, |s| s.right));
        // There is a kink if a difference between the sides remains at the smallest steps that resolve them. A
        // difference proportional to the step is only a jump of the second derivative.
        let resolved = |s: &&Sides| {
            let size = s.left.value.abs().max(s.right.value.abs());
            let blur = s.left.error + s.right.error;
            let clear = blur <= 1e-3 * size || (blur <= 3e-2 * size && s.are_apart(allowed.absolute));
            s.left.is_known() && s.right.is_known() && clear
        };
        let gap = |s: &Sides| (s.left.value - s.right.value).abs();
        let mut smallest = all.iter().map(|(_, s)| s).filter(resolved);
        if let Some(sides) = smallest.next() {
            let Sides { left, right, .. } = sides;
            let blur = left.error + right.error;
            let (low, high) = (left.value.min(right.value), left.value.max(right.value));
            let stays = smallest.next().is_none_or(|next| gap(sides) > 0.3 * gap(next));
            let closer = all.iter().map(|(_, s)| s).take_while(|s| !resolved(s));
            let closed = closer.filter(|s| s.left.is_known() && s.right.is_known());
            let stays =
                stays && !{ closed }.any(|s| gap(s) + s.left.error + s.right.error < 0.1 * gap(sides));
            if stays && sides.are_apart(allowed.absolute) {
                let slack = 4.0 * blur + allowed.beside(high.abs().max(low.abs()));
                let between = low - slack <= got && got <= high + slack;
                return Ok(if between { Verdict::Kink } else { Verdict::Different(left.value, right.value) });
            }
        }
        // The point is so close to a jump of the second derivative that no step fits in between: the sides differ by at
        // most a millionth of the steepest slope nearby.
        let (low, high) = (left.value.min(right.value), left.value.max(right.value));
        let slack = allowed.beside(high.abs().max(low.abs()));
        let between = low - slack <= got && got <= high + slack;
        if left.contradicts(right) && between && high - low <= 1e-6 * self.steepest(j) {
            return Ok(Verdict::Kink);
        }
        let expected = match (left.is_known(), right.is_known()) {
            // The point is on the edge of the domain.
            (true, false) if !central.is_known() => left,
            (false, true) if !central.is_known() => right,
            (false, false) if !central.is_known() => {
                return Ok(Verdict::Unknown(Unknown::Neighbourhood));
            }
            _ => [left, right]
                .into_iter()
                .fold(central, |best, side| if best.contradicts(side) { best } else { best.or_better(side) }),
        };
        let off = (expected.value - got).abs();
        if off.is_nan() || off > allowed.beside(expected.value) + 4.0 * expected.error {
            return Ok(Verdict::Different(expected.value, expected.value));
        }
        let certain = self.precision.sufficient() * expected.value.abs().max(got.abs());
        // Differences cannot be more accurate than the rounding of the value allows. Where the derivative is zero, a
        // small part of the steepest slope nearby is accurate enough.
        let (of_value, of_slope) = self.precision.flat();
        let flat = expected.error * (1.0 + self.at.abs()) <= of_value * self.y[j].abs().max(self.rounded)
            || expected.error <= of_slope * self.steepest(j);
        if expected.error <= certain.max(allowed.absolute) || flat {
            Ok(Verdict::Equal(relative(expected.value, got, scale.max(allowed.absolute).max(expected.error))))
        } else {
            Ok(Verdict::Unknown(Unknown::Rough))
        }
    }

    /// The size of a number whose rounding errors are as large as the noise of value `j`: the noise is measured as what
    /// remains at small steps when a parabola is subtracted. A value can be much less exact than its size suggests if
    /// large terms cancel in its computation.
    fn noise(&self, j: usize) -> f64 {
        let fine = self.stencils.iter().filter(|(h, _)| *h <= self.fine).filter_map(|(_, s)| s.as_ref());
        let noise = fine.flat_map(|stencil| {
            let [half, one, two] = stencil.at.each_ref().map(|(l, r)| (l[j], r[j]));
            // Fourth differences of noise of size 1 have a size of √70.
            [(half, one), (one, two)].map(|(near, far)| {
                (far.0 - 4.0 * near.0 + 6.0 * self.y[j] - 4.0 * near.1 + far.1).abs() / 70f64.sqrt()
            })
        });
        // The noise is measured, so it needs fewer units of margin than an estimated one.
        noise.filter(|n| n.is_finite()).fold(0.0, f64::max) / (8.0 * self.precision.epsilon())
    }

    /// The steepest slope from the point to any evaluated point at the distance of the default step or more.
    fn steepest(&self, j: usize) -> f64 {
        let usual = self.stencils[0].0;
        let far = self.stencils.iter().filter(|(h, _)| *h >= usual);
        let ways = far.filter_map(|(_, s)| s.as_ref()).flat_map(|s| {
            let all = s.at.iter().zip([0.5, 1.0, 2.0]);
            all.flat_map(|((l, r), d)| [l[j], r[j]].map(|f| (f - self.y[j]).abs() / (d * s.h)))
        });
        ways.filter(|w| w.is_finite()).fold(0.0, f64::max)
    }

    /// Whether value `j` is the same number at all points of a stencil.
    fn constant(&self, s: usize, j: usize) -> bool {
        let stencil = self.stencils[s].1.as_ref();
        stencil.is_some_and(|s| s.at.iter().all(|(l, r)| l[j] == self.y[j] && r[j] == self.y[j]))
    }

    fn sides(&mut self, s: usize, j: usize) -> Result<Sides> {
        let (step, stencil) = &mut self.stencils[s];
        if stencil.is_none() {
            // A step by which the coordinate can be moved exactly.
            let h = (self.at + *step) - self.at;
            let h = if h > 0.0 { h } else { *step };
            let mut pair = |d: f64| Ok::<_, crate::Error>(((self.f)(-d)?, (self.f)(d)?));
            *stencil = Some(Stencil { h, at: [pair(h / 2.0)?, pair(h)?, pair(2.0 * h)?] });
        }
        Ok(match stencil {
            Some(stencil) => stencil.sides(j, self.y[j], (self.at, self.moved), self.rounded, self.precision),
            None => Sides::NONE,
        })
    }
}

impl Stencil {
    fn sides(&self, j: usize, y: f64, (at, moved): (f64, f64), rounded: f64, precision: Precision) -> Sides {
        let (h, epsilon) = (self.h, precision.epsilon());
        let [half, one, two] = [0, 1, 2].map(|i| (self.at[i].0[j], self.at[i].1[j]));
        let largest =
            [half, one, two].iter().fold(y.abs().max(rounded), |m, (l, r)| m.max(l.abs()).max(r.abs()));
        // The rounding error of the function, a few units in its last place, is divided by the step; the rounding error
        // of the moved coordinate is a relative error of the step.
        let bent = [(half, 0.5 * h), (one, h), (two, 2.0 * h)]
            .map(|((l, r), h)| ((l - y) + (r - y)).abs() / (h * h));
        let curvature = bent.into_iter().filter(|b| b.is_finite()).fold(0.0, f64::max);
        let rounding = |value: f64, ulps: f64| {
            ulps * epsilon * largest / h
                + 4.0 * epsilon * (at.abs() / h) * value.abs()
                + 4.0 * epsilon * moved * curvature
        };
        // When the step is halved, truncation errors shrink to 1/4 for the central quotient and to 1/2 for one-sided
        // ones. Quotients that do not come closer at this rate differ by noise.
        let stray = |a: f64, b: f64, c: f64, most: f64| {
            if (a - b).abs() > most * (b - c).abs() { 2.0 * (a - b).abs() } else { 0.0 }
        };
        let central = |(l, r): (f64, f64), h: f64| (r - l) / (2.0 * h);
        let (a, b, c) = (central(half, h / 2.0), central(one, h), central(two, 2.0 * h));
        // Richardson extrapolation: errors in h² and h⁴ cancel.
        let (ab, bc) = (a + (a - b) / 3.0, b + (b - c) / 3.0);
        let value = ab + (ab - bc) / 15.0;
        let truncation = 4.0 * (value - ab).abs() + (ab - bc).abs() / 4.0 + stray(a, b, c, 0.35);
        let central = Estimate::new(value, truncation, rounding(value, 32.0));
        // Here, errors in h and h² cancel.
        let side = |f: [f64; 3]| {
            let (a, b, c) = ((f[0] - y) / (0.5 * h), (f[1] - y) / h, (f[2] - y) / (2.0 * h));
            let (ab, bc) = (a + (a - b), b + (b - c));
            let value = ab + (ab - bc) / 3.0;
            Estimate::new(value, 2.0 * (value - ab).abs() + stray(a, b, c, 0.65), rounding(value, 128.0))
        };
        let flipped = side([half.0, one.0, two.0]);
        Sides {
            central,
            left: Estimate { value: -flipped.value, ..flipped },
            right: side([half.1, one.1, two.1]),
        }
    }
}

/// The most certain estimate with which another estimate of similar certainty agrees. If a step is so large that the
/// function behaves differently there, or so small that its value does not change, the estimate claims a certainty that
/// it does not have, and no other agrees with it. If no two agree, the estimate with the step nearest to the default is
/// returned.
fn best_of(by_step: &[(f64, Sides)], usual: f64, of: fn(&Sides) -> Estimate) -> Estimate {
    let mut known: Vec<(f64, Estimate)> =
        by_step.iter().map(|(h, s)| (*h, of(s))).filter(|(_, e)| e.is_known()).collect();
    if known.iter().any(|(_, e)| e.value != 0.0) {
        known.retain(|(h, e)| e.value != 0.0 || *h >= usual);
    }
    if known.iter().any(|(_, e)| e.settled) {
        known.retain(|(_, e)| e.settled);
    }
    // An estimate with a larger step says nothing about this point if a smaller step gives accurate digits that differ
    // from it.
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sharp = |e: &Estimate| e.error <= 0.1 * e.value.abs();
    let nearest = known.iter().position(|(_, e)| sharp(e));
    if let Some((at, (_, near))) = nearest.map(|i| (i, known[i])) {
        let mut i = 0;
        known.retain(|(_, e)| {
            i += 1;
            i - 1 <= at || !e.contradicts(near)
        });
    }
    let seconded = |i: usize| {
        let e = known[i].1;
        // Rounding errors grow by the factor by which a step shrinks, a hundredfold.
        let as_certain = 300.0 * e.error.max(1e-9 * e.value.abs());
        known.iter().enumerate().any(|(j, (_, o))| j != i && o.error <= as_certain && !e.contradicts(*o))
    };
    let best = (0..known.len())
        .filter(|i| seconded(*i))
        .map(|i| known[i].1)
        .fold(Estimate::NONE, Estimate::or_better);
    if best.is_known() {
        return best;
    }
    known.sort_by(|a, b| (a.0 / usual).ln().abs().total_cmp(&(b.0 / usual).ln().abs()));
    known.first().map_or(Estimate::NONE, |(_, e)| *e)
}

/// |a - b| relative to the larger of |a| and min(1, scale).
pub(crate) fn relative(a: f64, b: f64, scale: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(scale.min(1.0)).max(f64::MIN_POSITIVE) }
}

/// Whether the slope grows towards `got` without limit as the step shrinks.
fn diverges(by_step: &[(f64, Sides)], got: f64) -> bool {
    let grows = |of: fn(&Sides) -> Estimate| {
        let slopes: Vec<f64> = by_step.iter().map(|(_, s)| of(s).value * got.signum()).collect();
        let known: Vec<f64> = slopes.into_iter().filter(|s| s.is_finite()).collect();
        known.len() >= 4 && known.windows(2).take(3).all(|w| w[0] > 0.0 && w[0] > 1.2 * w[1])
    };
    grows(|s| s.right) || grows(|s| s.left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(f: impl Fn(f64) -> f64, at: f64, got: f64) -> Verdict {
        let y = vec![f(at)];
        let mut d = Differences::new(|t| Ok(vec![f(at + t)]), y, at, 1e-4);
        d.judge(0, got, got.abs(), 0.0, Tolerance::default()).unwrap()
    }

    #[track_caller]
    fn right(f: impl Fn(f64) -> f64 + Copy, at: f64, slope: f64) {
        let verdict = judge(f, at, slope);
        assert!(matches!(verdict, Verdict::Equal(e) if e < 1e-5), "{verdict:?}");
        for factor in [1.0 + 1e-3, 2.0, -1.0, 0.0, f64::NAN, f64::INFINITY] {
            let verdict = judge(f, at, slope * factor);
            assert!(matches!(verdict, Verdict::Different(..)), "× {factor}: {verdict:?}");
        }
    }

    /// At a minimum, the derivative is zero, and so is its scale.
    #[test]
    fn a_rounded_coordinate_is_no_slope() {
        for (x, v) in [(-1.0, 0.7312), (3.25, -0.1893), (1e3, 0.0371), (0.75, 1.6180339887)] {
            let square = move |t: f64| {
                let d = (x + t * v) - x;
                0.5 * d * d
            };
            let judge = |got: f64| {
                let mut d =
                    Differences::new(|t| Ok(vec![square(t)]), vec![0.0], 0.0, 1e-4).along(f64::abs(x));
                d.judge(0, got, got.abs(), 0.0, Tolerance::default()).unwrap()
            };
            assert!(matches!(judge(0.0), Verdict::Equal(_)), "{x} {v}: {:?}", judge(0.0));
            for wrong in [1e-9, -1e-9, v, 1e3] {
                assert!(
                    matches!(judge(wrong), Verdict::Different(..)),
                    "{x} {v} {wrong}: {:?}",
                    judge(wrong)
                );
            }
        }
    }

    #[test]
    fn functions_of_every_speed_and_size_are_judged_on_their_own_scale() {
        right(f64::sin, 1e8, 1e8f64.cos());
        right(|x| x.sin() / x, 1e8, 1e8f64.cos() / 1e8 - 1e8f64.sin() / 1e16);
        right(f64::exp, 0.3, 0.3f64.exp());
        right(|x| 1.0 / x, 1e-3, -1e6);
        right(|x| 1.0 / x, 1e-9, -1e18);
        right(|x| (1e4 * x).sin(), 0.0, 1e4);
        right(|x| (1e4 * x).sin(), 1.0, 1e4 * 1e4f64.cos());
        right(|x| 1e8 + x, 0.5, 1.0);
        // Only the largest step changes the value here.
        let far = judge(|x| 1e13 + x, 0.5, 0.0);
        assert!(matches!(far, Verdict::Different(..)), "{far:?}");
        right(|x| 1e8 + x.sin(), 0.5, 0.5f64.cos());
        right(|x| 1e-8 * x.sin(), 0.5, 1e-8 * 0.5f64.cos());
        right(|x| 1e-200 * x * x, 0.5, 1e-200);
        right(|x| x * x, 1e8, 2e8);
        right(f64::exp, 709.7, 709.7f64.exp());
        right(|x| if x > 1e-4 { f64::INFINITY } else { x }, 0.0, 1.0);
        right(f64::sqrt, 1e-310, 0.5 / 1e-310f64.sqrt());
    }

    #[test]
    fn noise_far_beyond_the_rounding_of_the_value_is_measured() {
        // 10⁸ times a standardised number, with the mean and the deviation of two numbers: large terms cancel in the
        // computation.
        let f = |x: f64| {
            let other = -99999997.98196755;
            let mean = (x + other) / 2.0;
            let variance = ((x - mean).powi(2) + (other - mean).powi(2)) / 2.0;
            1e8 * (x - mean) / (variance + 0.1).sqrt()
        };
        let at = -99999990.45762692;
        let half: f64 = (at + 99999997.98196755) / 2.0;
        // d/dx of w h / √(h² + ε), with h half the distance: w ε / 2 (h² + ε)^(3/2).
        let slope = 1e8 * 0.1 / 2.0 / (half * half + 0.1).powf(1.5);
        let judge = |factor: f64| {
            let moved = |t: f64| Ok(vec![f(at + t)]);
            let mut d = Differences::new(moved, vec![f(at)], at, 1e-4).among(2.0 * half.abs());
            d.judge(0, slope * factor, 1.0, 0.0, Tolerance::default())
        };
        assert!(matches!(judge(1.0), Ok(Verdict::Equal(_))));
        for factor in [1.01, 2.0, -1.0, 0.0, f64::NAN] {
            assert!(matches!(judge(factor), Ok(Verdict::Different(..))), "{factor}");
        }
    }

    #[test]
    fn a_jump_of_the_second_derivative_is_no_kink_and_hides_none() {
        right(|x| x / (1.0 + x.abs()), 0.0, 1.0);
        for at in [1e-3, 1e-4, 2e-5, -1e-6, 1e-9] {
            right(|x: f64| x / (1.0 + x.abs()), at, 1.0 / (1.0 + at.abs()).powi(2));
            right(|x: f64| x.signum() * x.abs().ln_1p(), at, 1.0 / (1.0 + at.abs()));
            right(|x: f64| x * x.abs() + x, at, 2.0 * at.abs() + 1.0);
        }
    }

    #[test]
    fn at_a_kink_and_only_there_the_sides_are_the_bounds() {
        for (got, verdict) in [
            (-1.0, Verdict::Kink),
            (0.3, Verdict::Kink),
            (1.0, Verdict::Kink),
            (1.01, Verdict::Different(-1.0, 1.0)),
        ] {
            assert_eq!(judge(f64::abs, 0.0, got), verdict, "{got}");
        }
        for near in [1e-3, 5e-5, -1e-6, 1e-8] {
            right(f64::abs, near, near.signum());
        }
    }

    #[test]
    fn edges_poles_and_what_is_not_finite() {
        right(|x: f64| if x < 0.0 { f64::NAN } else { x * x + x }, 0.0, 1.0);
        assert_eq!(judge(f64::sqrt, 0.0, f64::INFINITY), Verdict::Equal(0.0));
        assert_eq!(judge(f64::cbrt, 0.0, f64::INFINITY), Verdict::Equal(0.0));
        assert!(!matches!(judge(f64::cbrt, 0.0, f64::NEG_INFINITY), Verdict::Equal(_)));
        assert!(!matches!(judge(f64::sqrt, 0.0, 0.0), Verdict::Equal(_)));
        assert_eq!(judge(f64::ln, 0.0, f64::INFINITY), Verdict::Unknown(Unknown::Value));
        assert_eq!(
            judge(|x| if x == 0.0 { 0.0 } else { f64::NAN }, 0.0, 1.0),
            Verdict::Unknown(Unknown::Neighbourhood)
        );
        // White noise has no derivative.
        let noise = |x: f64| ((x * 1e17).sin() * 1e5).fract();
        assert!(!matches!(judge(noise, 0.3, 0.7), Verdict::Equal(_)));
    }
}
