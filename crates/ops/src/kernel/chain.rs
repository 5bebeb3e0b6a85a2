//! Chains of pointwise functions in one pass.
//!
//! A [`Chain`] is a list of steps, each a loop over slices, whose operands are inputs or results of earlier steps. It runs block by
//! block: all steps on one block of elements, then all on the next, so that intermediate results stay in the first-level cache. Its
//! outputs are values of steps, written to memory, and sums of them. Every element gets the operations that it would get if the
//! steps ran one after another over whole tensors, and sums have the order of [`fold`]: the bits are the same.

use super::copy::{Strided, gather, is_transposed};
use super::fold::{self, Innermost, LaneSums};
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::{Shape, broadcast_shapes};
use crate::simd;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::mem;
use std::ops::Range;

/// The number of bytes in a block.
const BLOCK_BYTES: usize = 4096;
/// A sum over columns with fewer pieces than this is not taken in the pass, which could not be cut for threads.
const PIECES: usize = 4;

/// A step of more operands than this costs an allocation for each block.
const FEW: usize = 8;

/// One function of a chain: a loop over slices of its operands, which are as long as the output.
pub trait Step<T>: Sync {
    /// The cost of one element, in additions.
    fn cost(&self) -> usize;

    /// Computes the outputs.
    fn run(&self, x: &[&[T]], out: &mut [T]);
}

/// An input of a chain, which broadcasts to the chain's shape.
#[derive(Clone, Copy)]
pub enum Input<'a, T: Float> {
    /// Numbers.
    Tensor(&'a Tensor<T>),
    /// A mask, which steps read as ones and zeros.
    Mask(&'a Tensor<bool>),
}

/// Where an operand comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// An input of the chain.
    Input(usize),
    /// The result of an earlier step.
    Step(usize),
}

/// A step and its operands.
pub struct Line<'a, T> {
    /// The function.
    pub step: &'a dyn Step<T>,
    /// Its operands.
    pub x: SmallVec<[Operand; 4]>,
}

/// A result of a chain.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// All values of an operand, in the chain's shape.
    Values(Operand),
    /// Their sum over axes (sorted, in range, not empty), which are kept with size 1.
    Sum(Operand, SmallVec<[usize; 4]>),
}

/// Steps over elements of one shape, and what is to be known of them.
pub struct Chain<'a, T: Float> {
    /// The shape to which the inputs broadcast.
    pub shape: Shape,
    /// The inputs.
    pub inputs: Vec<Input<'a, T>>,
    /// The steps, in order.
    pub lines: Vec<Line<'a, T>>,
    /// The results.
    pub outputs: Vec<Output>,
}

/// How the elements of a pass are cut. Blocks do not cross the end of a row, unless they consist of whole rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    /// The length of a row.
    row: usize,
    /// Pieces of work are multiples of this.
    granule: usize,
    /// The number of partial sums of a granule.
    parts: usize,
    kind: Innermost,
}

impl Cut {
    const VALUES: Cut = Cut { row: usize::MAX, granule: 1, parts: 0, kind: Innermost::Narrow };

    /// A cut that suits both, if there is one.
    fn with(self, other: Cut) -> Option<Cut> {
        if self == Cut::VALUES || other == Cut::VALUES {
            return Some(if self == Cut::VALUES { other } else { self });
        }
        let (large, small) = if self.granule < other.granule { (other, self) } else { (self, other) };
        (large.row == small.row && large.granule.is_multiple_of(small.granule)).then_some(large)
    }

    /// How a pass has to be cut to take this sum; `None` if it cannot.
    fn of(shape: &Shape, axes: &[usize]) -> Option<Cut> {
        let total = shape.numel();
        let (kind, _) = fold::innermost(shape, axes);
        match kind {
            Innermost::Whole => Some(Cut { row: fold::BLOCK, granule: fold::BLOCK, parts: 1, kind }),
            Innermost::Rows(n) => {
                Some(Cut { row: n, granule: n, parts: n.div_ceil(fold::BLOCK), kind }).filter(|_| n > 0)
            }
            Innermost::Columns { n, inner } => {
                let (rows, outer) = (n.min(fold::ROWS), total / (n * inner).max(1));
                let whole = outer == 1 || n <= fold::ROWS;
                let pieces = outer * n.div_ceil(fold::ROWS);
                let cut = Cut { row: inner, granule: rows * inner, parts: inner, kind };
                (whole && (pieces >= PIECES || !parallel::worth(total))).then_some(cut)
            }
            Innermost::Narrow => None,
        }
    }
}

impl<T: Float> Chain<'_, T> {
    /// Computes the outputs, in order.
    ///
    /// ```
    /// use wengert_ops::kernel::chain::{Chain, Input, Line, Operand, Output, Step};
    /// use wengert_ops::{Shape, Tensor};
    /// struct Square;
    /// impl Step<f64> for Square {
    ///     fn cost(&self) -> usize {
    ///         1
    ///     }
    ///     fn run(&self, x: &[&[f64]], out: &mut [f64]) {
    ///         out.iter_mut().zip(x[0]).for_each(|(o, x)| *o = x * x);
    ///     }
    /// }
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// let chain = Chain {
    ///     shape: Shape::from([3]),
    ///     inputs: vec![Input::Tensor(&x)],
    ///     lines: vec![Line { step: &Square, x: [Operand::Input(0)].into_iter().collect() }],
    ///     outputs: vec![Output::Sum(Operand::Step(0), [0].into_iter().collect())],
    /// };
    /// assert_eq!(chain.run()?[0].to_vec(), [14.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shape has no elements, an input does not broadcast to it, an operand does not exist or is not computed before it is read,
    /// or the axes of a sum are not in order, out of range, or none.
    pub fn run(&self) -> Result<Vec<Tensor<T>>> {
        self.check()?;
        let mut results: Vec<Option<Tensor<T>>> = vec![None; self.outputs.len()];
        let cut_of = |output: &Output| match output {
            Output::Values(_) => Some(Cut::VALUES),
            Output::Sum(_, axes) => Cut::of(&self.shape, axes),
        };
        let cuts: Vec<Option<Cut>> = self.outputs.iter().map(cut_of).collect();
        while let Some(first) = results.iter().position(Option::is_none) {
            // One pass takes all values, and the sums that can be cut alike.
            let mut taken: Vec<usize> = Vec::new();
            let mut together = Cut::VALUES;
            for i in (0..results.len()).filter(|&i| results[i].is_none()) {
                if let Some(both) = cuts[i].and_then(|cut| cut.with(together)) {
                    together = both;
                    taken.push(i);
                }
            }
            if taken.is_empty() {
                // A sum that no pass can take.
                if let Output::Sum(x, axes) = &self.outputs[first] {
                    let input = if let Operand::Input(i) = x { self.inputs.get(*i) } else { None };
                    let values = match input {
                        Some(Input::Tensor(t)) => Some(t.with_layout(t.layout.broadcast(&self.shape))),
                        _ => self.pass(&[(&Output::Values(*x), Cut::VALUES)], Cut::VALUES).pop(),
                    };
                    results[first] = values.map(|v| fold::fold_axes(&fold::Sum, &v, axes, true));
                }
                continue;
            }
            let outputs: Vec<(&Output, Cut)> =
                taken.iter().map(|&i| (&self.outputs[i], cuts[i].unwrap_or(Cut::VALUES))).collect();
            for (i, y) in taken.iter().zip(self.pass(&outputs, together)) {
                results[*i] = Some(y);
            }
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// Checks what the passes take for granted.
    fn check(&self) -> Result<()> {
        let shape = &self.shape;
        if shape.checked_numel().is_none_or(|n| n == 0) {
            return Err(Error::argument("chain", format!("expected a shape with elements, found {shape}")));
        }
        for input in &self.inputs {
            let given = match input {
                Input::Tensor(t) => t.shape(),
                Input::Mask(t) => t.shape(),
            };
            if given != shape && broadcast_shapes("chain", given, shape)? != *shape {
                return Err(Error::shape(
                    "chain",
                    format!("an input of shape {given} does not broadcast to {shape}"),
                ));
            }
        }
        let exists = |x: &Operand, before: usize| match x {
            Operand::Input(i) if *i < self.inputs.len() => Ok(()),
            Operand::Step(s) if *s < before => Ok(()),
            _ => Err(Error::argument("chain", format!("{x:?} is not there when it is read"))),
        };
        for (i, line) in self.lines.iter().enumerate() {
            line.x.iter().try_for_each(|x| exists(x, i))?;
        }
        for output in &self.outputs {
            let (Output::Values(x) | Output::Sum(x, _)) = output;
            exists(x, self.lines.len())?;
            if let Output::Sum(_, axes) = output
                && (axes.is_empty()
                    || !axes.is_sorted_by(|a, b| a < b)
                    || axes.iter().any(|&a| a >= shape.len()))
            {
                let detail = format!("expected axes of {shape} in order, found {axes:?}");
                return Err(Error::argument("chain", detail));
            }
        }
        Ok(())
    }

    /// Computes outputs in one pass; `together` is a cut that suits those of all sums.
    fn pass(&self, outputs: &[(&Output, Cut)], together: Cut) -> Vec<Tensor<T>> {
        let n = self.shape.numel();
        let program = Program::of(self, outputs);
        let mut values: Vec<Buffer<T>> = (0..program.values.len()).map(|_| Buffer::unspecified(n)).collect();
        let parts = |cut: Cut| n.div_ceil(cut.granule) * cut.parts;
        let mut sums: Vec<Buffer<T>> =
            program.sums.iter().map(|(_, cut)| Buffer::unspecified(parts(*cut))).collect();
        let piece = (parallel::grain() / together.granule).max(1) * together.granule;
        let mut pieces: Vec<Piece<'_, T>> = (0..n.div_ceil(piece))
            .map(|i| Piece { start: i * piece, len: piece.min(n - i * piece), ..Piece::default() })
            .collect();
        for v in &mut values {
            pieces.iter_mut().zip(v.chunks_mut(piece)).for_each(|(p, v)| p.values.push(v));
        }
        for (s, (_, cut)) in sums.iter_mut().zip(&program.sums) {
            let part = piece / cut.granule * cut.parts;
            pieces.iter_mut().zip(s.chunks_mut(part)).for_each(|(p, s)| p.sums.push(s));
        }
        let cost = n.saturating_mul(program.cost);
        parallel::each_if_worth(pieces, cost, |piece| program.run(piece, together.row));
        let made: Vec<Tensor<T>> =
            values.into_iter().map(|v| Tensor::from_buffer(v, self.shape.clone())).collect();
        let mut sums = sums.into_iter();
        outputs
            .iter()
            .map(|(output, cut)| match output {
                Output::Values(x) => {
                    let at = program.values.iter().position(|(y, _)| y == x).unwrap_or_default();
                    made[at].clone()
                }
                Output::Sum(_, axes) => {
                    let parts = sums.next().unwrap_or_else(|| Buffer::unspecified(0));
                    finish(&self.shape, axes, *cut, parts)
                }
            })
            .collect()
    }
}

/// A sum from its partial sums.
fn finish<T: Float>(shape: &Shape, axes: &[usize], cut: Cut, mut parts: Buffer<T>) -> Tensor<T> {
    let (_, left) = fold::innermost(shape, axes);
    let folded = match cut.kind {
        Innermost::Whole => Buffer::filled(1, fold::sum_parts(&mut parts)),
        Innermost::Rows(_) if cut.parts > 1 => {
            let mut out = Buffer::unspecified(parts.len() / cut.parts);
            for (o, parts) in out.iter_mut().zip(parts.chunks_mut(cut.parts)) {
                *o = fold::sum_parts(parts);
            }
            out
        }
        Innermost::Columns { n, inner } if n > fold::ROWS => {
            fold::sum_part_rows(&mut parts, inner);
            Buffer::from_slice(&parts[..inner])
        }
        _ => parts,
    };
    let first = Tensor::from_buffer(folded, shape.reduced(&axes[left..], true));
    if left == 0 { first } else { fold::fold_axes(&fold::Sum, &first, &axes[..left], true) }
}

/// A part of the elements, with what is computed of them.
struct Piece<'p, T> {
    start: usize,
    len: usize,
    values: SmallVec<[&'p mut [T]; 4]>,
    sums: SmallVec<[&'p mut [T]; 2]>,
}

impl<T> Default for Piece<'_, T> {
    fn default() -> Self {
        Piece { start: 0, len: 0, values: SmallVec::new(), sums: SmallVec::new() }
    }
}

/// Where the blocks of an operand are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Input(usize),
    Register(usize),
    /// Elements of a result, which are computed where they are needed.
    Value(usize),
}

/// The source of an input's blocks: a slice, or elements that are copied into a block.
enum Source<'a, T: Float> {
    Slice(&'a [T]),
    /// Elements that were copied as a whole.
    Copied(Buffer<T>),
    /// One element, repeated.
    Same(T, usize),
    Strided(Strided<'a, T>, usize),
    Mask(Strided<'a, bool>, usize),
}

/// A step with the places of its operands and of its result.
struct Call<'a, T> {
    step: &'a dyn Step<T>,
    x: SmallVec<[Place; 4]>,
    to: Place,
}

/// The steps that some outputs need, with a place for each result.
struct Program<'a, T: Float> {
    sources: Vec<Source<'a, T>>,
    lines: Vec<Call<'a, T>>,
    /// Results that are written, and whether a step writes them; if not, they are copied from an input.
    values: Vec<(Operand, Option<Place>)>,
    sums: Vec<(Place, Cut)>,
    registers: usize,
    copies: usize,
    cost: usize,
}

impl<'a, T: Float> Program<'a, T> {
    fn of(chain: &'a Chain<'_, T>, outputs: &[(&Output, Cut)]) -> Self {
        let mut values: Vec<(Operand, Option<Place>)> = Vec::new();
        for (output, _) in outputs {
            if let Output::Values(x) = output
                && !values.iter().any(|(y, _)| y == x)
            {
                values.push((*x, None));
            }
        }
        // The last line that reads each step; lines that nothing reads are left out.
        let mut last = vec![None; chain.lines.len()];
        for (output, _) in outputs {
            let (Output::Values(x) | Output::Sum(x, _)) = output;
            if let Operand::Step(s) = x {
                last[*s] = Some(usize::MAX);
            }
        }
        for (i, line) in chain.lines.iter().enumerate().rev() {
            if last[i].is_some() {
                for x in &line.x {
                    if let Operand::Step(s) = x {
                        last[*s].get_or_insert(i);
                    }
                }
            }
        }
        let mut sources = Vec::new();
        let mut source_of = vec![None; chain.inputs.len()];
        let mut copies = 0;
        let mut source = |i: usize, sources: &mut Vec<Source<'a, T>>| {
            *source_of[i].get_or_insert_with(|| {
                sources.push(source(&chain.shape, &chain.inputs[i], &mut copies));
                sources.len() - 1
            })
        };
        let mut places = vec![Place::Register(0); chain.lines.len()];
        let (mut lines, mut free, mut registers, mut cost) = (Vec::new(), Vec::new(), 0, 1);
        for (i, line) in chain.lines.iter().enumerate() {
            if last[i].is_none() {
                continue;
            }
            let x: SmallVec<[Place; 4]> = line
                .x
                .iter()
                .map(|x| match x {
                    Operand::Input(i) => Place::Input(source(*i, &mut sources)),
                    Operand::Step(s) => places[*s],
                })
                .collect();
            let written = values.iter().position(|(y, _)| *y == Operand::Step(i));
            places[i] = match written {
                Some(k) => Place::Value(k),
                None => Place::Register(free.pop().unwrap_or_else(|| {
                    registers += 1;
                    registers - 1
                })),
            };
            if let Some(k) = written {
                values[k].1 = Some(places[i]);
            }
            cost += line.step.cost();
            lines.push(Call { step: line.step, x, to: places[i] });
            for x in &line.x {
                if let Operand::Step(s) = x
                    && last[*s] == Some(i)
                    && let Place::Register(r) = places[*s]
                    && !free.contains(&r)
                {
                    free.push(r);
                }
            }
        }
        let mut place = |x: &Operand| match x {
            Operand::Input(i) => Place::Input(source(*i, &mut sources)),
            Operand::Step(s) => places[*s],
        };
        let sums = outputs
            .iter()
            .filter_map(
                |(output, cut)| if let Output::Sum(x, _) = output { Some((place(x), *cut)) } else { None },
            )
            .collect();
        for (x, from) in &mut values {
            if from.is_none() {
                *from = Some(place(x));
            }
        }
        Program { sources, lines, values, sums, registers, copies, cost }
    }

    /// Computes a piece, block by block.
    fn run(&self, piece: Piece<'_, T>, row: usize) {
        let Piece { start, len, mut values, mut sums } = piece;
        if let ([Call { step, x, to: Place::Value(0) }], [value], [], 0) =
            (&self.lines[..], &mut values[..], &self.sums[..], self.copies)
        {
            // A single function needs no blocks.
            let input =
                |x: &Place| if let Place::Input(i) = *x { self.input(i, start, len, &[]) } else { &[] };
            step.run(&x.iter().map(input).collect::<SmallVec<[&[T]; FEW]>>(), value);
            return;
        }
        let block = BLOCK_BYTES / size_of::<T>();
        let mut file: Vec<Vec<T>> = vec![vec![T::ZERO; block.min(len)]; self.registers];
        let mut copies: Vec<Vec<T>> = vec![vec![T::ZERO; block.min(len)]; self.copies];
        let mut mask = vec![false; block.min(len)];
        let mut running: SmallVec<[LaneSums<T>; 2]> = self.sums.iter().map(|_| LaneSums::new()).collect();
        for (sum, (_, cut)) in sums.iter_mut().zip(&self.sums) {
            if let Innermost::Columns { .. } = cut.kind {
                sum.fill(T::ZERO);
            }
        }
        for source in &self.sources {
            if let Source::Same(v, copy) = source {
                copies[*copy].fill(*v);
            }
        }
        let mut done = 0;
        while done < len {
            let at = start + done;
            let rest = len - done;
            let n = if row <= block {
                (block / row * row).min(rest)
            } else {
                block.min(rest).min(row - at % row)
            };
            for source in &self.sources {
                match source {
                    Source::Slice(_) | Source::Copied(_) | Source::Same(..) => {}
                    Source::Strided(t, copy) => t.read(at, &mut copies[*copy][..n]),
                    Source::Mask(t, copy) => {
                        t.read(at, &mut mask[..n]);
                        for (o, &m) in copies[*copy][..n].iter_mut().zip(&mask) {
                            *o = if m { T::ONE } else { T::ZERO };
                        }
                    }
                }
            }
            let inputs: SmallVec<[&[T]; FEW]> =
                (0..self.sources.len()).map(|i| self.input(i, at, n, &copies)).collect();
            for (j, Call { step, x, to }) in self.lines.iter().enumerate() {
                // A part of what the next block reads and writes.
                let next = n * j / self.lines.len()..n * (j + 1) / self.lines.len();
                for source in &self.sources {
                    match source {
                        Source::Slice(x) => fetch(x, at + n, &next),
                        Source::Copied(x) => fetch(x, at + n, &next),
                        _ => {}
                    }
                }
                values.iter().for_each(|v| fetch(v, done + n, &next));
                let mut register = Vec::new();
                let mut value: &mut [T] = &mut [];
                let out = match *to {
                    Place::Register(r) => {
                        register = mem::take(&mut file[r]);
                        &mut register[..n]
                    }
                    Place::Value(k) => {
                        value = mem::take(&mut values[k]);
                        &mut value[done..done + n]
                    }
                    Place::Input(_) => continue,
                };
                let slice = |x: &Place| match *x {
                    Place::Input(i) => inputs[i],
                    Place::Register(r) => &file[r][..n],
                    Place::Value(k) => &values[k][done..done + n],
                };
                if x.len() <= FEW {
                    let mut operands: [&[T]; FEW] = [&[]; FEW];
                    operands.iter_mut().zip(x).for_each(|(o, x)| *o = slice(x));
                    step.run(&operands[..x.len()], out);
                } else {
                    step.run(&x.iter().map(slice).collect::<Vec<_>>(), out);
                }
                match *to {
                    Place::Register(r) => file[r] = register,
                    Place::Value(k) => values[k] = value,
                    Place::Input(_) => {}
                }
            }
            for k in 0..values.len() {
                if let (_, Some(Place::Input(i))) = self.values[k] {
                    values[k][done..done + n].copy_from_slice(inputs[i]);
                }
            }
            for (((from, cut), sum), lanes) in self.sums.iter().zip(&mut sums).zip(&mut running) {
                let x = match *from {
                    Place::Input(i) => inputs[i],
                    Place::Register(r) => &file[r][..n],
                    Place::Value(k) => &values[k][done..done + n],
                };
                add(*cut, (start, done, n), rest == n, x, sum, lanes);
            }
            done += n;
        }
    }

    /// `n` elements of an input, from position `at` on.
    #[inline]
    fn input<'s>(&'s self, i: usize, at: usize, n: usize, copies: &'s [Vec<T>]) -> &'s [T] {
        match &self.sources[i] {
            Source::Slice(x) => &x[at..at + n],
            Source::Copied(x) => &x[at..at + n],
            Source::Strided(_, copy) | Source::Mask(_, copy) | Source::Same(_, copy) => &copies[*copy][..n],
        }
    }
}

/// Fetches elements into the cache, from `start` on: the processor does so by itself only within a page, and a block is about one.
#[inline]
fn fetch<T>(x: &[T], start: usize, part: &Range<usize>) {
    let line = 64 / size_of::<T>();
    let (from, to) = ((start + part.start).min(x.len()), (start + part.end).min(x.len()));
    x[from..to].iter().step_by(line).for_each(|v| simd::prefetch(v));
}

/// Adds a block to partial sums.
fn add<T: Float>(
    cut: Cut,
    (start, done, n): (usize, usize, usize),
    last: bool,
    x: &[T],
    sums: &mut [T],
    lanes: &mut LaneSums<T>,
) {
    let (at, granule) = (start + done, done / cut.granule);
    match cut.kind {
        Innermost::Narrow => {}
        Innermost::Columns { inner, .. } => {
            // A block of whole rows may belong to several granules.
            let (mut x, mut done) = (x, done);
            while !x.is_empty() {
                let left = cut.granule - done % cut.granule;
                let (now, later) = x.split_at(left.min(x.len()));
                let sums = &mut sums[done / cut.granule * inner..][..inner];
                let column = (start + done) % inner;
                if now.len() < inner {
                    fold::add_rows(&mut sums[column..column + now.len()], now);
                } else {
                    fold::add_rows(sums, now);
                }
                done += now.len();
                x = later;
            }
        }
        Innermost::Rows(row) if row <= BLOCK_BYTES / size_of::<T>() => {
            fold::sum_runs(x, row, &mut sums[granule..granule + n / row]);
        }
        Innermost::Whole | Innermost::Rows(_) => {
            lanes.add(x);
            let column = at % cut.row;
            let end = column + n;
            if end == cut.row || last || end.is_multiple_of(fold::BLOCK) {
                sums[granule * cut.parts + column / fold::BLOCK] = lanes.take();
            }
        }
    }
}

/// The source of an input; `copies` counts the blocks that are copied.
fn source<'a, T: Float>(shape: &Shape, input: &Input<'a, T>, copies: &mut usize) -> Source<'a, T> {
    let mut copy = || {
        *copies += 1;
        *copies - 1
    };
    match input {
        Input::Tensor(t) => {
            let view =
                if t.shape() == shape { (*t).clone() } else { t.with_layout(t.layout.broadcast(shape)) };
            match t.as_slice() {
                Some(x) if t.shape() == shape => Source::Slice(x),
                _ if view.layout.collapsed().iter().all(|(_, stride)| *stride == 0) => {
                    Source::Same(t.buf[view.layout.offset], copy())
                }
                // By rows, each of its cache lines would be read many times.
                _ if is_transposed(&view) => Source::Copied(gather(&view)),
                _ => Source::Strided(Strided::with_layout(t, &view.layout), copy()),
            }
        }
        Input::Mask(t) => Source::Mask(Strided::with_layout(t, &t.layout.broadcast(shape)), copy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    struct Closure<F>(F);
    impl<T, F: Fn(&[&[T]], usize) -> T + Sync> Step<T> for Closure<F> {
        fn cost(&self) -> usize {
            1
        }
        fn run(&self, x: &[&[T]], out: &mut [T]) {
            for (i, o) in out.iter_mut().enumerate() {
                *o = (self.0)(x, i);
            }
        }
    }

    /// A shape with inputs of all layouts that broadcast to it.
    fn inputs(shape: &[usize]) -> Vec<Tensor<f32>> {
        let n = shape.iter().product();
        let values = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
        let whole = Tensor::from_vec(values, shape).unwrap();
        let axes: Vec<usize> = (0..shape.len()).rev().collect();
        let reversed: Vec<usize> = axes.iter().map(|&a| shape[a]).collect();
        let turned = whole.reshape(&reversed[..]).unwrap().permute(&axes[..]).unwrap();
        let mut row = vec![1; shape.len()];
        row[shape.len() - 1] = shape[shape.len() - 1];
        let first = Tensor::steps(0.5, 0.01, shape[shape.len() - 1]).reshape(&row[..]).unwrap();
        let mut column = shape.to_vec();
        column[shape.len() - 1] = 1;
        let second = whole.slice(-1, Slice::from(0..1)).unwrap();
        vec![whole, turned, first, second, Tensor::scalar(1.25)]
    }

    #[test]
    fn a_pass_has_the_bits_of_its_steps_one_after_another() {
        let fma = Closure(|x: &[&[f32]], i: usize| x[0][i] * x[1][i] + x[2][i]);
        let root = Closure(|x: &[&[f32]], i: usize| (x[0][i].abs() + 1.0).sqrt());
        let choose = Closure(|x: &[&[f32]], i: usize| if x[1][i] == 0.0 { -1.0 } else { x[0][i] });
        let shapes: [&[usize]; 12] = [
            &[1],
            &[31],
            &[4097],
            &[9000],
            &[3, 5],
            &[300, 64],
            &[70, 1030],
            &[5, 4100],
            &[600, 8],
            &[2, 3, 40],
            &[7, 300, 9],
            &[40, 6, 3],
        ];
        for shape in shapes {
            let x = inputs(shape);
            for (a, b, c) in [(0, 2, 3), (1, 3, 0), (4, 0, 2), (0, 0, 1), (2, 3, 4)] {
                let given = [&x[a], &x[b], &x[c]];
                let mask = given[2].expand(shape).unwrap().gt(0.1).unwrap();
                let v: Vec<Tensor<f32>> = given.iter().map(|t| t.expand(shape).unwrap()).collect();
                let first = v[0].mul(&v[1]).unwrap().add(&v[2]).unwrap();
                let second = first.map(|v| (v.abs() + 1.0).sqrt());
                let third = second.where_cond(&mask, -1.0).unwrap();
                let mut outputs = vec![
                    Output::Values(Operand::Step(2)),
                    Output::Values(Operand::Input(0)),
                    Output::Values(Operand::Step(0)),
                ];
                let mut expected = vec![third.clone(), v[0].contiguous(), first.clone()];
                let rank = shape.len();
                for bits in 1..1usize << rank {
                    let axes: SmallVec<[usize; 4]> = (0..rank).filter(|a| bits >> a & 1 == 1).collect();
                    for (step, of) in
                        [(Operand::Step(2), &third), (Operand::Step(1), &second), (Operand::Input(1), &v[1])]
                    {
                        outputs.push(Output::Sum(step, axes.clone()));
                        expected.push(fold::fold_axes(&fold::Sum, of, &axes, true));
                    }
                }
                let run = |of: Vec<Output>| {
                    let line = |step, x: &[Operand]| Line { step, x: x.iter().copied().collect() };
                    let lines = vec![
                        line(
                            &fma as &dyn Step<f32>,
                            &[Operand::Input(0), Operand::Input(1), Operand::Input(2)],
                        ),
                        line(&root, &[Operand::Step(0)]),
                        line(&choose, &[Operand::Step(1), Operand::Input(3)]),
                    ];
                    let inputs = given.iter().map(|t| Input::Tensor(t)).chain([Input::Mask(&mask)]).collect();
                    Chain { shape: Shape::from(shape), inputs, lines, outputs: of }.run().unwrap()
                };
                let same = |y: &Tensor<f32>, e: &Tensor<f32>, what: &str| {
                    assert_eq!(y.shape(), e.shape(), "{what}");
                    let bits = |t: &Tensor<f32>| t.to_vec().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(y), bits(e), "{shape:?} {what}");
                };
                for (y, e) in run(outputs.clone()).iter().zip(&expected) {
                    same(y, e, "all at once");
                }
                for threads in [1, 3] {
                    let all = parallel::in_small_pieces(threads, || run(outputs.clone()));
                    for (y, e) in all.iter().zip(&expected) {
                        same(y, e, "in small pieces");
                    }
                }
                for (output, e) in outputs.iter().zip(&expected) {
                    same(&run(vec![output.clone()])[0], e, "alone");
                }
            }
        }
    }

    #[test]
    fn registers_are_used_again_and_lines_that_nothing_reads_are_left_out() {
        let add = Closure(|x: &[&[f64]], i: usize| x[0][i] + x[1][i]);
        let x = Tensor::<f64>::ones([4]);
        let mut lines =
            vec![Line { step: &add as &dyn Step<f64>, x: [Operand::Input(0); 2].into_iter().collect() }];
        for i in 0..20 {
            lines.push(Line { step: &add, x: [Operand::Step(i), Operand::Input(0)].into_iter().collect() });
        }
        let outputs = vec![Output::Values(Operand::Step(15))];
        let chain = Chain { shape: Shape::from([4]), inputs: vec![Input::Tensor(&x)], lines, outputs };
        let program = Program::of(&chain, &[(&chain.outputs[0], Cut::VALUES)]);
        assert_eq!((program.lines.len(), program.registers), (16, 2));
        assert_eq!(chain.run().unwrap()[0].to_vec(), [17.0; 4]);
    }
}
