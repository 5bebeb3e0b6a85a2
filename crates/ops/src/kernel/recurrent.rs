//! Recurrent cells over whole sequences: the Elman, LSTM and GRU recurrences and their adjoints.
//!
//! The part of a gate that comes from the input does not depend on the state, so the caller computes it for all steps
//! in one product. `x` here is that part, `[steps, batch, gates · hidden]`, with gates in PyTorch's order. A step is
//! then one product with the recurrent weight, which is packed once for all steps, and one pass over its result. The values
//! of a step (gates, cell, state) are stored as one record per row. Rows do not depend on each other: a thread takes some of
//! them through all steps and waits for no other.
//!
//! Rows may end early: from step `length` on, a row keeps its state unchanged and outputs zeros. In reverse, a row
//! begins at its own last step. A row that has ended takes no part in products.

mod cells;

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::kernel::matmul::{Matrix, PER_ADDITION, Packed, Start, add_product, add_product_in_blocks};
use crate::parallel::{self, Pieces};
use crate::shape::{Layout, Shape};
use crate::simd;
use crate::tensor::Tensor;
use cells::{Elman, ElmanAdjoint, GruAdjoint, GruRow, LstmAdjoint, LstmRow};

/// The number of steps from which on the recurrent weight is packed.
const REUSED: usize = 4;

/// The kind of recurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// h' = tanh(x + W h).
    Tanh,
    /// h' = max(x + W h, 0).
    Relu,
    /// Gates i, f, g, o: c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c').
    Lstm,
    /// Gates r, z, n: n = tanh(xₙ + σ(r) (W h)ₙ), h' = (1 - σ(z)) n + σ(z) h.
    Gru,
}

impl Cell {
    /// The number of gates.
    pub fn gates(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1,
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }

    /// The name in error messages.
    pub fn name(self) -> &'static str {
        match self {
            Cell::Tanh | Cell::Relu => "rnn",
            Cell::Gru => "gru",
            Cell::Lstm => "lstm",
        }
    }

    /// The number of runs of `hidden` numbers that a step stores for each row; the last run is the state.
    fn record(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1, // h
            Cell::Gru => 5,               // r, z, n, the recurrent part of n, h
            Cell::Lstm => 6,              // i, f, g, o, c, h
        }
    }
}

/// The operands of a recurrence.
pub struct Sequence<'a, T: Float> {
    /// The kind of recurrence.
    pub cell: Cell,
    /// Whether time runs backwards.
    pub reverse: bool,
    /// The number of steps of each row, `[batch]`; all steps if `None`.
    pub lengths: Option<&'a Tensor<i64>>,
    /// The inputs' part of the gates, `[steps, batch, gates · hidden]`.
    pub x: &'a Tensor<T>,
    /// The recurrent weight, `[gates · hidden, hidden]`.
    pub weight: &'a Tensor<T>,
    /// The recurrent bias, `[gates · hidden]`.
    pub bias: Option<&'a Tensor<T>>,
    /// The state before the first step, `[batch, hidden]`.
    pub h: &'a Tensor<T>,
    /// The LSTM's cell before the first step, `[batch, hidden]`.
    pub c: Option<&'a Tensor<T>>,
}

/// The outputs of a recurrence.
pub struct Run<T: Float> {
    /// The state after each step, `[steps, batch, hidden]`.
    pub y: Tensor<T>,
    /// The state after the last step, `[batch, hidden]`.
    pub h: Tensor<T>,
    /// The LSTM's cell after the last step, `[batch, hidden]`.
    pub c: Option<Tensor<T>>,
    /// The records that the adjoint reads.
    pub saved: Tensor<T>,
}

/// The cotangents of the operands of a recurrence.
pub struct Adjoint<T: Float> {
    /// The cotangent of the inputs' part of the gates.
    pub x: Tensor<T>,
    /// The cotangent of the recurrent weight.
    pub weight: Tensor<T>,
    /// The cotangent of the recurrent bias.
    pub bias: Tensor<T>,
    /// The cotangent of the first state.
    pub h: Tensor<T>,
    /// The cotangent of the LSTM's first cell.
    pub c: Tensor<T>,
}

/// The sizes, checked.
struct Sizes {
    steps: usize,
    batch: usize,
    hidden: usize,
    gates: usize,
    record: usize,
    lengths: Vec<usize>,
}

impl Sizes {
    /// Calls `f` for groups of rows, on all threads if the work is worth it. A row does not depend on others, so a group
    /// takes all its steps without waiting for another. The rows of a group are in the order of falling lengths: those that
    /// are active in a step come first. Rows that are in this order already stay adjacent.
    fn in_groups(&self, f: impl Fn(&[usize]) + Sync) {
        let mut rows: Vec<usize> = (0..self.batch).collect();
        rows.sort_by_key(|&i| std::cmp::Reverse(self.lengths[i]));
        let steps = self.lengths.iter().sum::<usize>();
        let work = steps.saturating_mul(self.hidden * self.hidden * self.gates);
        let cost = work / PER_ADDITION;
        let groups = if parallel::worth(cost) { parallel::threads().min(self.batch).max(1) } else { 1 };
        let groups: Vec<Vec<usize>> = if rows.is_sorted() {
            rows.chunks(self.batch.div_ceil(groups).max(1)).map(<[usize]>::to_vec).collect()
        } else {
            (0..groups).map(|g| rows[g..].iter().step_by(groups).copied().collect()).collect()
        };
        parallel::for_each(groups.len(), cost / groups.len().max(1), &|g| f(&groups[g]));
    }
}

/// The recurrent weight as the right operand of a product in each step.
struct Weight<'a, T: Float> {
    right: Matrix<'a, T>,
    packed: Option<Packed<T>>,
    /// Whether there is one row, so that a step is the product with a vector.
    single: bool,
}

impl<'a, T: Float> Weight<'a, T> {
    fn new(right: Matrix<'a, T>, sizes: &Sizes) -> Self {
        let single = sizes.batch == 1;
        let packed = (!single && sizes.steps >= REUSED).then(|| Packed::new(right));
        Weight { right, packed, single }
    }

    /// `dst ← start + rows · weight`
    fn multiply(&self, dst: &mut [T], rows: &[T], start: Start<'_, T>) {
        let left = Matrix::dense(rows, self.right.height());
        if let Some(packed) = &self.packed {
            return packed.multiply(dst, left, start);
        }
        if let Start::Bias(bias) = start {
            dst.chunks_exact_mut(bias.len().max(1)).for_each(|row| row.copy_from_slice(bias));
        }
        let read = !matches!(start, Start::Zero);
        if self.single {
            add_product(dst, left, self.right, read, true);
        } else {
            add_product_in_blocks(dst, left, self.right, read);
        }
    }
}

impl<T: Float> Sequence<'_, T> {
    fn sizes(&self) -> Result<Sizes> {
        let op = self.cell.name();
        let wrong = |detail: String| Err(Error::shape(op, detail));
        let &[steps, batch, width] = &self.x.shape()[..] else {
            return wrong(format!("expected x [steps, batch, gates], found {}", self.x.shape()));
        };
        let gates = self.cell.gates();
        let hidden = width / gates;
        if hidden * gates != width {
            return wrong(format!("x {} does not hold {gates} gates of equal size", self.x.shape()));
        }
        if *self.weight.shape() != [width, hidden] {
            let detail =
                format!("expected a recurrent weight [{width}, {hidden}], found {}", self.weight.shape());
            return wrong(detail);
        }
        if let Some(b) = self.bias.filter(|b| *b.shape() != [width]) {
            return wrong(format!("expected a recurrent bias [{width}], found {}", b.shape()));
        }
        for (what, state) in [("state", Some(self.h)), ("cell", self.c)] {
            if let Some(s) = state.filter(|s| *s.shape() != [batch, hidden]) {
                return wrong(format!("expected a first {what} [{batch}, {hidden}], found {}", s.shape()));
            }
        }
        if self.c.is_some() != (self.cell == Cell::Lstm) {
            return wrong("an LSTM requires a first cell, and other cells accept none".into());
        }
        let lengths = match self.lengths {
            None => vec![steps; batch],
            Some(t) if *t.shape() != [batch] => {
                return wrong(format!("expected lengths [{batch}], found {}", t.shape()));
            }
            Some(t) => {
                let lengths = t.to_vec();
                if let Some(bad) = lengths.iter().find(|&&n| n < 0 || n as u64 > steps as u64) {
                    let detail = format!("length {bad} is out of range for {steps} steps");
                    return Err(Error::new(op, ErrorKind::Index, detail));
                }
                lengths.into_iter().map(|n| n as usize).collect()
            }
        };
        Ok(Sizes { steps, batch, hidden, gates, record: self.cell.record() * hidden, lengths })
    }

    /// The order in which steps are taken.
    fn order(&self, steps: usize) -> impl DoubleEndedIterator<Item = usize> + use<'_, T> {
        (0..steps).map(move |s| if self.reverse { steps - 1 - s } else { s })
    }

    /// Runs the recurrence.
    ///
    /// # Errors
    /// If the shapes are not consistent, or a length is out of range.
    pub fn run(&self) -> Result<Run<T>> {
        let n = self.sizes()?;
        let Sizes { steps, batch, hidden, gates, record, .. } = n;
        let (x, h0) = (self.x.contiguous(), self.h.contiguous());
        let c0 = self.c.map_or_else(|| h0.clone(), Tensor::contiguous);
        let bias = self.bias.map(Tensor::contiguous);
        let (xs, h0, c0) = (slice(&x), slice(&h0), slice(&c0));
        let mut saved: Buffer<T> = Buffer::unspecified(steps * batch * record);
        let width = gates * hidden;
        let weight = Weight::new(Matrix::of(self.weight).transposed(), &n);
        let to = Pieces::new(&mut saved, record);
        n.in_groups(|rows| {
            let state = |from: &[T]| -> Buffer<T> { gathered(from, rows, hidden) };
            let (mut h, mut c) = (state(h0), state(if self.c.is_some() { c0 } else { &[] }));
            let mut g = Buffer::unspecified(rows.len() * width);
            for t in self.order(steps) {
                let active = rows.partition_point(|&i| n.lengths[i] > t);
                let start = bias.as_ref().map_or(Start::Zero, |b| Start::Bias(slice(b)));
                weight.multiply(&mut g[..active * width], &h[..active * hidden], start);
                for (k, &i) in rows.iter().enumerate() {
                    // SAFETY: each row is in one group.
                    let out = unsafe { to.piece(t * batch + i) };
                    let state = k * hidden..(k + 1) * hidden;
                    let cell = if self.c.is_some() { state.clone() } else { 0..0 };
                    if k >= active {
                        out.fill(T::ZERO);
                        out[record - hidden..].copy_from_slice(&h[state]);
                        if self.cell == Cell::Lstm {
                            out[record - 2 * hidden..record - hidden].copy_from_slice(&c[cell]);
                        }
                        continue;
                    }
                    let x = &xs[(t * batch + i) * width..][..width];
                    let g = &g[k * width..][..width];
                    match self.cell {
                        Cell::Tanh => simd::dispatch(Elman::<T, false> { x, g, out }),
                        Cell::Relu => simd::dispatch(Elman::<T, true> { x, g, out }),
                        Cell::Lstm => simd::dispatch(LstmRow { x, g, c: &c[cell.clone()], out }),
                        Cell::Gru => simd::dispatch(GruRow { x, g, h: &h[state.clone()], out }),
                    }
                    h[state].copy_from_slice(&out[record - hidden..]);
                    if self.cell == Cell::Lstm {
                        c[cell].copy_from_slice(&out[record - 2 * hidden..record - hidden]);
                    }
                }
            }
        });
        let last_step = self.order(steps).last();
        let saved = Tensor::from_buffer(saved, Shape::from([steps, batch, record]));
        let part = |from: usize| saved.slice(2, from..from + hidden);
        let all = part(record - hidden)?;
        let last = |at: usize, first: &Tensor<T>| match last_step {
            Some(t) => Ok(part(at)?.select(0, t)?.contiguous()),
            None => Ok(first.clone()),
        };
        let c = match self.c {
            Some(c) => Some(last(record - 2 * hidden, c)?),
            None => None,
        };
        let y = if self.lengths.is_some() { ended(&all, &n.lengths) } else { all };
        Ok(Run { y, h: last(record - hidden, self.h)?, c, saved })
    }

    /// The cotangents of the operands, from those cotangents of the outputs that are given and from what
    /// [`run`](Sequence::run) saved.
    ///
    /// # Errors
    /// If the shapes are not consistent.
    pub fn adjoint(
        &self,
        saved: &Tensor<T>,
        gy: Option<&Tensor<T>>,
        gh: Option<&Tensor<T>>,
        gc: Option<&Tensor<T>>,
    ) -> Result<Adjoint<T>> {
        let n = self.sizes()?;
        let Sizes { steps, batch, hidden, gates, record, .. } = n;
        let width = gates * hidden;
        let expected = [
            ("saved results", Some(saved), Shape::from([steps, batch, record])),
            ("a cotangent of the states", gy, Shape::from([steps, batch, hidden])),
            ("a cotangent of the last state", gh, Shape::from([batch, hidden])),
            ("a cotangent of the last cell", gc, Shape::from([batch, hidden])),
        ];
        for (what, found, want) in expected {
            if let Some(found) = found.filter(|f| *f.shape() != want) {
                let detail = format!("expected {what} {want}, found {}", found.shape());
                return Err(Error::shape(self.cell.name(), detail));
            }
        }
        let dense = |g: Option<&Tensor<T>>| {
            g.map_or_else(|| zeros(batch * hidden), |g| Buffer::from_slice(slice(&g.contiguous())))
        };
        let (mut dh_first, mut dc_first) = (dense(gh), dense(gc));
        let gy = gy.map(Tensor::contiguous);
        let (h0, c0) = (self.h.contiguous(), self.c.map_or_else(|| self.h.contiguous(), Tensor::contiguous));
        let saved = saved.contiguous();
        let (records, h0, c0) = (slice(&saved), slice(&h0), slice(&c0));
        // In a GRU, the recurrent part of a gate has a cotangent of its own.
        let mut dx: Buffer<T> = Buffer::unspecified(steps * batch * width);
        let gru = self.cell == Cell::Gru;
        let mut dg: Buffer<T> = Buffer::unspecified(if gru { steps * batch * width } else { 0 });
        let order: Vec<usize> = self.order(steps).collect();
        let weight = Weight::new(Matrix::of(self.weight), &n);
        {
            let (to_x, to_g) = (Pieces::new(&mut dx, width), Pieces::new(&mut dg, width));
            let (all_dh, all_dc) = (Pieces::new(&mut dh_first, hidden), Pieces::new(&mut dc_first, hidden));
            n.in_groups(|rows| {
                let gathered = |of: &Pieces<T>| -> Buffer<T> {
                    let mut to = Buffer::unspecified(rows.len() * hidden);
                    for (to, &i) in to.chunks_exact_mut(hidden.max(1)).zip(rows) {
                        // SAFETY: each row is in one group.
                        to.copy_from_slice(unsafe { of.piece(i) });
                    }
                    to
                };
                let (mut dh, mut dc) = (gathered(&all_dh), gathered(&all_dc));
                // The gates of adjacent rows are read where they are stored.
                let adjacent = rows.windows(2).all(|pair| pair[0] + 1 == pair[1]);
                let mut gates: Buffer<T> = Buffer::unspecified(if adjacent { 0 } else { rows.len() * width });
                for (s, &t) in order.iter().enumerate().rev() {
                    let before = s.checked_sub(1).map(|s| order[s]);
                    let active = rows.partition_point(|&i| n.lengths[i] > t);
                    for (k, &i) in rows.iter().enumerate() {
                        let at = t * batch + i;
                        // SAFETY: as above.
                        let dx = unsafe { to_x.piece(at) };
                        // SAFETY: as above.
                        let dg = if gru { unsafe { to_g.piece(at) } } else { &mut [] };
                        if k >= active {
                            dx.fill(T::ZERO);
                            dg.fill(T::ZERO);
                            continue;
                        }
                        let dh = &mut dh[k * hidden..(k + 1) * hidden];
                        let dc = &mut dc[k * hidden..(k + 1) * hidden];
                        if let Some(gy) = &gy {
                            let gy = &slice(gy)[at * hidden..][..hidden];
                            dh.iter_mut().zip(gy).for_each(|(d, &g)| *d += g);
                        }
                        let rec = &records[at * record..][..record];
                        let (h, c) = match before {
                            Some(b) => {
                                let row = &records[(b * batch + i) * record..][..record];
                                (&row[record - hidden..], cell_of(row, hidden))
                            }
                            None => (&h0[i * hidden..][..hidden], &c0[i * hidden..][..hidden]),
                        };
                        match self.cell {
                            Cell::Tanh => simd::dispatch(ElmanAdjoint::<T, false> { rec, dh, dx }),
                            Cell::Relu => simd::dispatch(ElmanAdjoint::<T, true> { rec, dh, dx }),
                            Cell::Lstm => simd::dispatch(LstmAdjoint { rec, c, dh, dc, dx }),
                            Cell::Gru => simd::dispatch(GruAdjoint { rec, h, dh, dx, dg }),
                        }
                        if !adjacent {
                            gates[k * width..(k + 1) * width].copy_from_slice(if gru { dg } else { dx });
                        }
                    }
                    let gates = match rows {
                        // SAFETY: as above.
                        &[first, ..] if adjacent => unsafe {
                            (if gru { &to_g } else { &to_x }).run(t * batch + first, active)
                        },
                        _ => &gates[..active * width],
                    };
                    weight.multiply(&mut dh[..active * hidden], gates, Start::Destination);
                }
                for (k, &i) in rows.iter().enumerate() {
                    // SAFETY: as above.
                    let (to_h, to_c) = unsafe { (all_dh.piece(i), all_dc.piece(i)) };
                    to_h.copy_from_slice(&dh[k * hidden..][..hidden]);
                    to_c.copy_from_slice(&dc[k * hidden..][..hidden]);
                }
            });
        }
        let dx = Tensor::from_buffer(dx, Shape::from([steps, batch, width]));
        let dg = if gru { Tensor::from_buffer(dg, dx.shape().clone()) } else { dx.clone() };
        // One product for the states between steps, and one for the first state.
        let mut dw = zeros(width * hidden);
        if steps > 0 {
            let (gates, states) = (slice(&dg), (steps - 1) * batch);
            let (later, earlier) = if self.reverse { (0, batch) } else { (batch, 0) };
            let first = if self.reverse { states } else { 0 };
            let between = Matrix::new(gates, later * width, states, width, width).transposed();
            let state = Matrix::new(records, earlier * record + record - hidden, states, hidden, record);
            add_product(&mut dw, between, state, true, true);
            let begin = Matrix::new(gates, first * width, batch, width, width).transposed();
            add_product(&mut dw, begin, Matrix::new(h0, 0, batch, hidden, hidden), true, true);
        }
        let state = |b: Buffer<T>| Tensor::from_buffer(b, Shape::from([batch, hidden]));
        Ok(Adjoint {
            bias: dg.sum_axes([0usize, 1])?,
            x: dx,
            weight: Tensor::from_buffer(dw, Shape::from([width, hidden])),
            h: state(dh_first),
            c: state(dc_first),
        })
    }
}

fn zeros<T: Float>(n: usize) -> Buffer<T> {
    Buffer::filled(n, T::ZERO)
}

fn slice<T: Float>(t: &Tensor<T>) -> &[T] {
    t.as_slice().expect("contiguous")
}

/// The cell in a record of an LSTM; for other cells, a slice of the same length that nothing reads.
fn cell_of<T>(record: &[T], hidden: usize) -> &[T] {
    &record[record.len().saturating_sub(2 * hidden)..][..hidden]
}

/// Some rows of `width` elements, one after another; nothing if there are none to be read.
fn gathered<T: Float>(from: &[T], rows: &[usize], width: usize) -> Buffer<T> {
    let mut to = Buffer::unspecified(if from.is_empty() { 0 } else { rows.len() * width });
    for (to, &i) in to.chunks_exact_mut(width.max(1)).zip(rows) {
        to.copy_from_slice(&from[i * width..][..width]);
    }
    to
}

/// The states, with zeros where a row has ended.
fn ended<T: Float>(y: &Tensor<T>, lengths: &[usize]) -> Tensor<T> {
    let mut y = y.contiguous();
    let [_, batch, hidden] = y.shape()[..] else { return y };
    for (i, h) in y.data_mut().chunks_exact_mut(hidden.max(1)).enumerate() {
        if i / batch >= lengths[i % batch] {
            h.fill(T::ZERO);
        }
    }
    y.with_layout(Layout::contiguous(y.shape().clone()))
}

#[cfg(test)]
mod tests;
