//! Attention, softmax(scale q kᵀ + mask) v, block by block (Dao et al. 2022, FlashAttention): the scores of 64 queries
//! and 256 keys at a time, never the whole matrix. The adjoint recomputes the probabilities from two numbers kept per
//! row: its largest score, and Σ exp relative to it. (Combined into one number, log Σ exp, they would lose the digits
//! that large scores need.)
//!
//! Conventions: a query that may see no key has the result 0 and passes no gradient on; a masked score is -∞.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::copy::Strided;
use crate::kernel::fold::{Max, Sum, lanes};
use crate::kernel::matmul::{Matrix, add_product, batch_offset, matrix};
use crate::parallel;
use crate::shape::Shape;
use crate::simd;
use crate::tensor::Tensor;
use std::ops::Range;

/// The number of queries in a block.
const QUERIES: usize = 64;
/// The number of keys in a block.
const KEYS: usize = 256;
/// The largest number of tasks that a call is cut into; each has memory for a block of scores.
const TASKS: usize = 64;
/// With fewer heads than this, the adjoint is cut along queries, then along keys, which costs two more products.
const FEW_HEADS: usize = 8;

/// Which keys a query sees, and how scores are scaled.
#[derive(Clone, Default)]
pub struct Scores<T: Float> {
    /// The factor of q kᵀ.
    pub scale: f64,
    /// Query i sees keys up to position i + this; all keys if `None`.
    pub diagonal: Option<isize>,
    /// Which keys each query may see: broadcasts to `[.., t, s]`.
    pub seen: Option<Tensor<bool>>,
    /// The term added to the scores: broadcasts to `[.., t, s]`.
    pub added: Option<Tensor<T>>,
}

/// Sizes: heads (all leading axes), queries, keys, and the widths of keys and of values.
#[derive(Clone, Copy)]
struct Sizes {
    heads: usize,
    t: usize,
    s: usize,
    d: usize,
    e: usize,
}

impl Sizes {
    fn of<T: Float>(q: &Tensor<T>, k: &Tensor<T>, v: &Tensor<T>, scores: &Scores<T>) -> Result<Self> {
        const OP: &str = "scaled_dot_product_attention";
        let wrong = || {
            let detail = format!(
                "expected q [.., t, d], k [.., s, d] and v [.., s, e], found {}, {} and {}",
                q.shape(),
                k.shape(),
                v.shape()
            );
            Err(Error::shape(OP, detail))
        };
        let (Some((lead, &[t, d])), Some((lead_k, &[s, dk])), Some((lead_v, &[sv, e]))) =
            (q.shape().split_last_chunk(), k.shape().split_last_chunk(), v.shape().split_last_chunk())
        else {
            return wrong();
        };
        if lead != lead_k || lead != lead_v || d != dk || s != sv {
            return wrong();
        }
        let full: Vec<usize> = lead.iter().copied().chain([t, s]).collect();
        let seen = scores.seen.as_ref().map(Tensor::shape);
        if let Some(bad) =
            seen.into_iter().chain(scores.added.as_ref().map(Tensor::shape)).find(|m| m[..] != full)
        {
            return Err(Error::shape(OP, format!("expected a mask of shape {full:?}, found {bad}")));
        }
        Ok(Sizes { heads: lead.iter().product(), t, s, d, e })
    }

    /// The work, in additions.
    fn cost(&self) -> usize {
        let pairs = self.heads.saturating_mul(self.t).saturating_mul(self.s);
        pairs.saturating_mul((self.d + self.e) / 8 + 8)
    }

    /// The number of elements that a task needs in addition to its results: scaled queries and two blocks of scores.
    fn scratch(&self) -> usize {
        QUERIES * (self.d + 2 * KEYS.min(self.s.max(1)))
    }
}

/// The operands, as the blocks read them.
struct Parts<'a, T: Float> {
    of: Sizes,
    q: &'a Tensor<T>,
    k: &'a Tensor<T>,
    v: &'a Tensor<T>,
    scores: &'a Scores<T>,
    seen: Option<Strided<'a, bool>>,
    added: Option<Strided<'a, T>>,
}

impl<'a, T: Float> Parts<'a, T> {
    fn new(q: &'a Tensor<T>, k: &'a Tensor<T>, v: &'a Tensor<T>, scores: &'a Scores<T>) -> Result<Self> {
        let of = Sizes::of(q, k, v, scores)?;
        let (seen, added) = (scores.seen.as_ref().map(Strided::new), scores.added.as_ref().map(Strided::new));
        Ok(Parts { of, q, k, v, scores, seen, added })
    }

    /// The keys or values of a head, at a range of positions.
    fn rows(t: &'a Tensor<T>, head: usize, range: &Range<usize>) -> Matrix<'a, T> {
        matrix(t, batch_offset(t, head)).rows(range.start, range.len())
    }

    /// Queries times the scale, contiguous.
    fn scaled_queries(&self, head: usize, queries: &Range<usize>, to: &mut [T]) {
        let reader = Strided::new(self.q);
        reader.read((head * self.of.t + queries.start) * self.of.d, to);
        let scale = T::from_f64(self.scores.scale);
        to.iter_mut().for_each(|v| *v *= scale);
    }

    /// The number of keys that some query of the range may see, as far as the diagonal determines it.
    fn horizon(&self, queries: &Range<usize>) -> usize {
        match self.scores.diagonal {
            Some(d) => (queries.end as isize).saturating_add(d).clamp(0, self.of.s as isize) as usize,
            None => self.of.s,
        }
    }

    /// The masked scores of a block, contiguous; `scaled` are the queries.
    fn block(&self, head: usize, queries: &Range<usize>, keys: &Range<usize>, scaled: &[T], out: &mut [T]) {
        let k = Self::rows(self.k, head, keys);
        add_product(out, Matrix::dense(scaled, self.of.d).sized(queries.len()), k.transposed(), false, false);
        let n = keys.len();
        let (mut seen, mut added) = ([false; KEYS], [T::ZERO; KEYS]);
        for (row, i) in out.chunks_exact_mut(n).zip(queries.clone()) {
            let at = (head * self.of.t + i) * self.of.s + keys.start;
            if let Some(m) = &self.added {
                m.read(at, &mut added[..n]);
                row.iter_mut().zip(&added).for_each(|(v, &a)| *v += a);
            }
            if let Some(m) = &self.seen {
                m.read(at, &mut seen[..n]);
                row.iter_mut().zip(&seen).for_each(|(v, &s)| *v = if s { *v } else { T::NEG_INFINITY });
            }
            if self.scores.diagonal.is_some() {
                let visible = self.horizon(&(i..i + 1)).saturating_sub(keys.start).min(n);
                row[visible..].fill(T::NEG_INFINITY);
            }
        }
    }

    /// Results and statistics of a block of queries.
    fn forward(
        &self,
        head: usize,
        queries: Range<usize>,
        y: &mut [T],
        stats: &mut [[T; 2]],
        scratch: &mut [T],
    ) {
        let Sizes { d, e, .. } = self.of;
        let (scaled, scores) = scratch.split_at_mut(QUERIES * d);
        let scaled = &mut scaled[..queries.len() * d];
        self.scaled_queries(head, &queries, scaled);
        let (mut top, mut total) = ([T::NEG_INFINITY; QUERIES], [T::ZERO; QUERIES]);
        y.fill(T::ZERO);
        let end = self.horizon(&queries);
        for first in (0..end).step_by(KEYS) {
            let keys = first..(first + KEYS).min(end);
            let scores = &mut scores[..queries.len() * keys.len()];
            self.block(head, &queries, &keys, scaled, scores);
            simd::dispatch(Absorb {
                scores: &mut *scores,
                width: keys.len(),
                y: if first > 0 { &mut *y } else { &mut [] },
                e,
                top: &mut top[..queries.len()],
                total: &mut total,
            });
            add_product(y, Matrix::dense(scores, keys.len()), Self::rows(self.v, head, &keys), true, false);
        }
        for (i, stats) in stats.iter_mut().enumerate() {
            // A query that sees nothing has zeros.
            let share = if total[i] == T::ZERO { T::ZERO } else { T::ONE / total[i] };
            *stats = [shift(top[i]), share];
            y[i * e..(i + 1) * e].iter_mut().for_each(|v| *v *= share);
        }
    }
}

impl<T> Matrix<'_, T> {
    /// The matrix with its number of rows set, which a width of zero leaves undetermined.
    fn sized(self, n: usize) -> Self {
        self.rows(0, n)
    }
}

/// Takes a block of scores into the running softmax: the scores become exponentials, and the sums so far are rescaled
/// to the new largest score.
struct Absorb<'a, T> {
    scores: &'a mut [T],
    width: usize,
    y: &'a mut [T],
    e: usize,
    top: &'a mut [T],
    total: &'a mut [T],
}

/// The shift of a row: its largest score, unless that is -∞.
#[inline(always)]
fn shift<T: Float>(top: T) -> T {
    if top == T::NEG_INFINITY { T::ZERO } else { top }
}

impl<T: Float> pulp::NullaryFnOnce for Absorb<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Absorb { scores, width, y, e, top, total } = self;
        for (i, row) in scores.chunks_exact_mut(width).enumerate() {
            let most = Float::maximum(top[i], lanes(&Max, row));
            let by = shift(most);
            let keep = (top[i] - by).exp();
            for v in row.iter_mut() {
                *v = (*v - by).exp();
            }
            total[i] = total[i] * keep + lanes(&Sum, row);
            top[i] = most;
            if !y.is_empty() {
                for v in &mut y[i * e..(i + 1) * e] {
                    *v *= keep;
                }
            }
        }
    }
}

/// Scores and cotangents of probabilities become probabilities and cotangents of scores: p = exp(s - top)/total,
/// gs = p (gp - ⟨g, y⟩).
struct Adjoint<'a, T> {
    scores: &'a mut [T],
    probabilities: &'a mut [T],
    width: usize,
    stats: &'a [[T; 2]],
    along: &'a [T],
}

impl<T: Float> pulp::NullaryFnOnce for Adjoint<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let rows =
            self.scores.chunks_exact_mut(self.width).zip(self.probabilities.chunks_exact_mut(self.width));
        for (i, (s, g)) in rows.enumerate() {
            let ([by, share], along) = (self.stats[i], self.along[i]);
            for (s, g) in s.iter_mut().zip(g) {
                let p = (*s - by).exp() * share;
                *s = p;
                // A key that is not seen has no effect, whatever it holds.
                *g = if p == T::ZERO { T::ZERO } else { p * (*g - along) };
            }
        }
    }
}

/// What a task of the adjoint writes: cotangents of a range of queries, of a range of keys, or of both.
struct Task<'a, T> {
    head: usize,
    queries: Range<usize>,
    keys: Range<usize>,
    gq: &'a mut [T],
    gk: &'a mut [T],
    gv: &'a mut [T],
    /// Rows of the added mask's cotangent, for the range of queries.
    added: &'a mut [T],
}

/// What the adjoint reads of the forward pass.
struct Past<'a, T> {
    g: &'a [T],
    /// The largest score of each row, and 1/Σ exp of the scores relative to it.
    stats: &'a [[T; 2]],
    along: &'a [T],
}

impl<T: Float> Parts<'_, T> {
    fn backward(&self, task: &mut Task<'_, T>, past: &Past<'_, T>, scratch: &mut [T]) {
        let Sizes { t, s, d, e, .. } = self.of;
        let (scaled, blocks) = scratch.split_at_mut(QUERIES * d);
        let (scores, probabilities) = blocks.split_at_mut(blocks.len() / 2);
        let head = task.head;
        for part in [&mut task.gq, &mut task.gk, &mut task.gv, &mut task.added] {
            part.fill(T::ZERO);
        }
        for i in task.queries.clone().step_by(QUERIES) {
            let queries = i..(i + QUERIES).min(task.queries.end);
            let (rows, scaled) = (queries.len(), &mut scaled[..queries.len() * d]);
            self.scaled_queries(head, &queries, scaled);
            let at = head * t + i;
            let g = Matrix::dense(&past.g[at * e..(at + rows) * e], e).sized(rows);
            let end = self.horizon(&queries).min(task.keys.end);
            for j in (task.keys.start..end).step_by(KEYS) {
                let keys = j..(j + KEYS).min(end);
                let n = keys.len();
                let (p, gs) = (&mut scores[..rows * n], &mut probabilities[..rows * n]);
                self.block(head, &queries, &keys, scaled, p);
                add_product(gs, g, Self::rows(self.v, head, &keys).transposed(), false, false);
                let (stats, along) = (&past.stats[at..at + rows], &past.along[at..at + rows]);
                simd::dispatch(Adjoint { scores: &mut *p, probabilities: &mut *gs, width: n, stats, along });
                let rows_of_scores: &[T] = gs;
                let (p, gs) = (Matrix::dense(p, n), Matrix::dense(rows_of_scores, n));
                if !task.gv.is_empty() {
                    let first = j - task.keys.start;
                    add_product(&mut task.gv[first * e..(first + n) * e], p.transposed(), g, true, false);
                }
                if !task.gk.is_empty() {
                    let first = j - task.keys.start;
                    let scaled = Matrix::dense(scaled, d).sized(rows);
                    add_product(
                        &mut task.gk[first * d..(first + n) * d],
                        gs.transposed(),
                        scaled,
                        true,
                        false,
                    );
                }
                if !task.gq.is_empty() {
                    let first = i - task.queries.start;
                    let k = Self::rows(self.k, head, &keys);
                    add_product(&mut task.gq[first * d..(first + rows) * d], gs, k, true, false);
                }
                if !task.added.is_empty() {
                    let first = i - task.queries.start;
                    for (r, row) in rows_of_scores.chunks_exact(n).enumerate() {
                        task.added[(first + r) * s + j..][..n].copy_from_slice(row);
                    }
                }
            }
        }
        let scale = T::from_f64(self.scores.scale);
        task.gq.iter_mut().for_each(|v| *v *= scale);
    }

    /// Runs the tasks, each group of them with its own scratch memory.
    fn run(&self, tasks: Vec<Task<'_, T>>, past: &Past<'_, T>) {
        let each = tasks.len().div_ceil(TASKS).max(1);
        let size = self.of.scratch();
        let mut scratch = Buffer::unspecified(tasks.len().div_ceil(each) * size);
        let mut groups = Vec::new();
        let mut tasks = tasks.into_iter();
        for scratch in scratch.chunks_mut(size.max(1)) {
            groups.push((tasks.by_ref().take(each).collect::<Vec<_>>(), scratch));
        }
        parallel::each_if_worth(groups, self.of.cost(), |(tasks, scratch)| {
            for mut task in tasks {
                self.backward(&mut task, past, scratch);
            }
        });
    }
}

/// Cuts a slice of rows of `width` elements into pieces for consecutive ranges of the given lengths.
fn cut<'a, T>(mut of: &'a mut [T], lengths: &[usize], width: usize) -> Vec<&'a mut [T]> {
    let mut pieces = Vec::with_capacity(lengths.len());
    for &n in lengths {
        let end = (n * width).min(of.len());
        let (piece, rest) = std::mem::take(&mut of).split_at_mut(end);
        pieces.push(piece);
        of = rest;
    }
    pieces
}

/// Ranges of at most `size` that make up `0..n`.
fn blocks(n: usize, size: usize) -> Vec<Range<usize>> {
    (0..n).step_by(size).map(|i| i..(i + size).min(n)).collect()
}

impl<T: Float> Tensor<T> {
    /// softmax(scale q kᵀ + mask) v for q (this tensor) `[.., t, d]`, k `[.., s, d]` and v `[.., s, e]`, all with the
    /// same leading axes. The second result is for the adjoint: two numbers per row of scores, `[.., t, 2]`, the
    /// largest score and 1/Σ exp(score - largest).
    ///
    /// # Errors
    /// If the shapes are not consistent.
    pub fn attention(
        &self,
        k: &Tensor<T>,
        v: &Tensor<T>,
        scores: &Scores<T>,
    ) -> Result<(Tensor<T>, Tensor<T>)> {
        let parts = Parts::new(self, k, v, scores)?;
        let of = parts.of;
        let mut shape = self.shape().clone();
        let rank = shape.len();
        shape.dims_mut()[rank - 1] = of.e;
        let rows = of.heads * of.t;
        let (mut y, mut stats) = (Buffer::unspecified(rows * of.e), Buffer::unspecified(rows * 2));
        let per_head = blocks(of.t, QUERIES);
        let items = of.heads * per_head.len();
        let each = items.div_ceil(TASKS).max(1);
        let lengths: Vec<usize> = (0..items)
            .step_by(each)
            .map(|a| (a..(a + each).min(items)).map(|i| per_head[i % per_head.len()].len()).sum())
            .collect();
        let size = of.scratch();
        let mut scratch = Buffer::unspecified(lengths.len() * size);
        let pieces: Vec<_> = cut(&mut y, &lengths, of.e)
            .into_iter()
            .zip(cut(stats.as_chunks_mut().0, &lengths, 1))
            .zip(scratch.chunks_mut(size.max(1)))
            .enumerate()
            .collect();
        parallel::each_if_worth(pieces, of.cost(), |(p, ((mut y, mut stats), scratch))| {
            for item in p * each..((p + 1) * each).min(items) {
                let queries = per_head[item % per_head.len()].clone();
                let (y_here, y_rest) = std::mem::take(&mut y).split_at_mut(queries.len() * of.e);
                let (stats_here, stats_rest) = std::mem::take(&mut stats).split_at_mut(queries.len());
                parts.forward(item / per_head.len(), queries, y_here, stats_here, scratch);
                (y, stats) = (y_rest, stats_rest);
            }
        });
        let mut rows = self.shape().clone();
        rows.dims_mut()[rank - 1] = 2;
        Ok((Tensor::from_buffer(y, shape), Tensor::from_buffer(stats, rows)))
    }

    /// The cotangents of q (this tensor), k, v, and of the term added to the scores if `added` is true, from the
    /// results of [`attention`](Tensor::attention) and the cotangent of the first result.
    ///
    /// # Errors
    /// Those of `attention`; also if the cotangent does not have the result's shape.
    pub fn attention_adjoint(
        &self,
        k: &Tensor<T>,
        v: &Tensor<T>,
        scores: &Scores<T>,
        (y, stats): (&Tensor<T>, &Tensor<T>),
        g: &Tensor<T>,
        added: bool,
    ) -> Result<[Option<Tensor<T>>; 4]> {
        let parts = Parts::new(self, k, v, scores)?;
        let Sizes { heads, t, s, d, e } = parts.of;
        let mut result = self.shape().clone();
        let last = result.len() - 1;
        result.dims_mut()[last] = e;
        if *y.shape() != result || *g.shape() != result || stats.numel() != heads * t * 2 {
            let (y, g) = (y.shape(), g.shape());
            let detail = format!("expected a result and a cotangent of shape {result}, found {y} and {g}");
            return Err(Error::shape("scaled_dot_product_attention", detail));
        }
        let along = g.mul(y)?.sum_axes(-1isize)?;
        let (g, stats, along) = (g.contiguous(), stats.contiguous(), along.contiguous());
        let past = Past {
            g: g.as_slice().expect("contiguous"),
            stats: stats.as_slice().expect("contiguous").as_chunks().0,
            along: along.as_slice().expect("contiguous"),
        };
        let (mut gq, mut gk) = (Buffer::unspecified(heads * t * d), Buffer::unspecified(heads * s * d));
        let mut gv = Buffer::unspecified(heads * s * e);
        let mut ga = Buffer::unspecified(if added { heads * t * s } else { 0 });
        // By heads where there are enough of them; otherwise by blocks of queries, then by blocks of keys.
        let few = heads < FEW_HEADS && t.max(s) > 2 * KEYS;
        let whole = |n: usize| std::iter::once(0..n).collect();
        let by_query: Vec<Range<usize>> = if few { blocks(t, QUERIES) } else { whole(t) };
        let by_key: Vec<Range<usize>> = if few { blocks(s, KEYS) } else { whole(s) };
        let repeated = |ranges: &[Range<usize>]| -> Vec<usize> {
            (0..heads).flat_map(|_| ranges.iter().map(ExactSizeIterator::len)).collect()
        };
        let (nq, nk) = (repeated(&by_query), repeated(&by_key));
        let of_queries = cut(&mut gq, &nq, d).into_iter().zip(cut(&mut ga, &nq, s));
        let of_keys = cut(&mut gk, &nk, d).into_iter().zip(cut(&mut gv, &nk, e));
        if few {
            let mut tasks = Vec::new();
            for (i, (gq, added)) in of_queries.enumerate() {
                let (head, queries) = (i / by_query.len(), by_query[i % by_query.len()].clone());
                tasks.push(Task { head, queries, keys: 0..s, gq, gk: &mut [], gv: &mut [], added });
            }
            parts.run(tasks, &past);
            let mut tasks = Vec::new();
            for (i, (gk, gv)) in of_keys.enumerate() {
                let (head, keys) = (i / by_key.len(), by_key[i % by_key.len()].clone());
                tasks.push(Task { head, queries: 0..t, keys, gq: &mut [], gk, gv, added: &mut [] });
            }
            parts.run(tasks, &past);
        } else {
            let mut tasks = Vec::new();
            for (head, ((gq, added), (gk, gv))) in of_queries.zip(of_keys).enumerate() {
                tasks.push(Task { head, queries: 0..t, keys: 0..s, gq, gk, gv, added });
            }
            parts.run(tasks, &past);
        }
        let mut full = self.shape().to_vec();
        full.truncate(full.len() - 1);
        full.push(s);
        let full_of = |b: Buffer<T>, shape: &Shape| Some(Tensor::from_buffer(b, shape.clone()));
        let ga = if added { full_of(ga, &Shape::from(full)) } else { None };
        Ok([full_of(gq, self.shape()), full_of(gk, k.shape()), full_of(gv, v.shape()), ga])
    }
}

#[cfg(test)]
mod tests;
