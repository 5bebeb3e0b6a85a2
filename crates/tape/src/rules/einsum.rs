//! Einstein summation: products of any number of operands, summed over the indices that the result does not contain.
//!
//! A composite. Repeated indices become diagonals, indices that occur nowhere else are summed first, and operands are
//! contracted in pairs from the left, each pair as one matrix product (or one elementwise product if there is no index to
//! contract). So arithmetic and gradient are those of `matmul`, `permute` and `reshape`.

use super::prelude::*;
use crate::error::{Error, ErrorKind};

/// An index: a letter, or an axis that an ellipsis represents, counted from the last such axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(std::cmp::Reverse<usize>),
    Letter(char),
}

/// One term between commas, as written: letters with their positions, and the position of an ellipsis among them.
#[derive(Default)]
struct Term {
    letters: Vec<(char, usize)>,
    ellipsis: Option<usize>,
}

struct Equation {
    inputs: Vec<Term>,
    output: Option<Term>,
}

/// An error at a position of the equation, counted in characters from 0.
fn wrong(equation: &str, at: usize, what: &str) -> Error {
    let detail = format!("{what} at position {at} of \"{equation}\"");
    Error::new(ErrorKind::Op(Kind::Argument), "einsum", detail)
}

fn parse(equation: &str) -> Result<Equation> {
    let text: Vec<char> = equation.chars().collect();
    let (mut inputs, mut output) = (vec![Term::default()], None::<Term>);
    let mut at = 0;
    while let Some(&c) = text.get(at) {
        let count = inputs.len();
        let term = match &mut output {
            Some(term) => term,
            None => &mut inputs[count - 1],
        };
        match c {
            ' ' => {}
            c if c.is_ascii_alphabetic() => term.letters.push((c, at)),
            '.' if text[at..].starts_with(&['.', '.', '.']) => {
                if term.ellipsis.is_some() {
                    return Err(wrong(equation, at, "expected one ellipsis per term, found a second"));
                }
                term.ellipsis = Some(term.letters.len());
                at += 2;
            }
            '-' if text.get(at + 1) == Some(&'>') && output.is_none() => {
                output = Some(Term::default());
                at += 1;
            }
            ',' if output.is_none() => inputs.push(Term::default()),
            ',' => return Err(wrong(equation, at, "expected one result after the arrow, found a comma")),
            '-' if output.is_some() => return Err(wrong(equation, at, "expected one arrow, found a second")),
            c => {
                let what = format!("expected a letter, a comma, \"...\" or \"->\", found {c:?}");
                return Err(wrong(equation, at, &what));
            }
        }
        at += 1;
    }
    Ok(Equation { inputs, output })
}

impl Term {
    /// The indices of a tensor whose ellipsis represents the given number of axes.
    fn labels(&self, hidden: usize) -> Vec<Label> {
        let mut labels: Vec<Label> = self.letters.iter().map(|&(c, _)| Label::Letter(c)).collect();
        if let Some(at) = self.ellipsis {
            labels.splice(at..at, (0..hidden).rev().map(|i| Label::Ellipsis(std::cmp::Reverse(i))));
        }
        labels
    }
}

/// The indices of every operand and of the result.
struct Plan {
    inputs: Vec<Vec<Label>>,
    output: Vec<Label>,
    /// The size of every index.
    sizes: Vec<(Label, usize)>,
}

impl Plan {
    fn new(text: &str, shapes: &[Shape]) -> Result<Plan> {
        let equation = parse(text)?;
        let refuse = |kind: Kind, detail: String| Error::new(ErrorKind::Op(kind), "einsum", detail);
        if equation.inputs.len() != shapes.len() {
            let (n, m) = (equation.inputs.len(), shapes.len());
            return Err(refuse(Kind::Argument, format!("\"{text}\" has {n} operands, found {m}")));
        }
        let mut inputs = Vec::new();
        let mut sizes: Vec<(Label, usize)> = Vec::new();
        let mut most = 0;
        for (i, (term, shape)) in equation.inputs.iter().zip(shapes).enumerate() {
            let (named, rank) = (term.letters.len(), shape.len());
            if rank < named || (rank > named && term.ellipsis.is_none()) {
                let detail =
                    format!("operand {i} of \"{text}\" names {named} axes, its shape {shape} has {rank}");
                return Err(refuse(Kind::Shape, detail));
            }
            most = most.max(rank - named);
            let labels = term.labels(rank - named);
            for (k, (&label, &size)) in labels.iter().zip(shape.iter()).enumerate() {
                let twice = labels[..k].iter().zip(shape.iter()).find(|(l, _)| **l == label);
                let known = sizes.iter_mut().find(|(l, _)| *l == label);
                match (known, twice) {
                    (_, Some((_, &other))) if other != size => {
                        let detail = format!(
                            "index {label} of \"{text}\" stands for sizes {other} and {size} \
                             in operand {i} of shape {shape}"
                        );
                        return Err(refuse(Kind::Shape, detail));
                    }
                    (Some((_, known)), _) if *known == 1 => *known = size,
                    (Some((_, known)), _) if *known == size || size == 1 => {}
                    (Some((_, known)), _) => {
                        let detail = format!(
                            "index {label} of \"{text}\" has size {known}, \
                             but {size} in operand {i} of shape {shape}"
                        );
                        return Err(refuse(Kind::Shape, detail));
                    }
                    (None, _) => sizes.push((label, size)),
                }
            }
            inputs.push(labels);
        }
        let output = match &equation.output {
            Some(term) => {
                for (k, &(c, at)) in term.letters.iter().enumerate() {
                    if term.letters[..k].iter().any(|&(o, _)| o == c) {
                        return Err(wrong(text, at, &format!("the result names index {c} twice, again")));
                    }
                    if !sizes.iter().any(|(l, _)| *l == Label::Letter(c)) {
                        return Err(wrong(
                            text,
                            at,
                            &format!("the result names index {c}, which no operand has,"),
                        ));
                    }
                }
                term.labels(most)
            }
            None => {
                // As in NumPy: the ellipsis, then the letters that occur once, in alphabetical order.
                let mut once: Vec<Label> = sizes.iter().map(|&(l, _)| l).collect();
                once.retain(|l| {
                    matches!(l, Label::Ellipsis(_))
                        || inputs.iter().flatten().filter(|o| *o == l).count() == 1
                });
                once.sort_unstable();
                once
            }
        };
        let plan = Plan { inputs, output, sizes };
        plan.shape(&plan.output).to_shape("einsum")?;
        Ok(plan)
    }

    fn size(&self, label: Label) -> usize {
        self.sizes.iter().find(|(l, _)| *l == label).map_or(1, |&(_, n)| n)
    }

    fn shape(&self, labels: &[Label]) -> Vec<usize> {
        labels.iter().map(|&l| self.size(l)).collect()
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Label::Letter(c) => write!(f, "{c}"),
            Label::Ellipsis(i) => write!(f, "-{} of the ellipsis", i.0 + 1),
        }
    }
}

/// An intermediate operand: `labels` are the indices of its axes, all different.
struct Part<'t, T: Float> {
    x: Var<'t, T>,
    labels: Vec<Label>,
}

impl<'t, T: Float> Part<'t, T> {
    /// An operand whose repeated indices are replaced by diagonals, with every axis expanded to the full size of its index.
    #[track_caller]
    fn new(mut x: Var<'t, T>, mut labels: Vec<Label>, plan: &Plan) -> Self {
        let mut i = 0;
        while i < labels.len() {
            let Some(j) = labels[i + 1..].iter().position(|l| *l == labels[i]).map(|j| i + 1 + j) else {
                i += 1;
                continue;
            };
            let order: Vec<usize> = (0..labels.len()).filter(|&k| k != i && k != j).chain([i, j]).collect();
            x = x.permute(&order).diagonal(0);
            labels = order[..order.len() - 1].iter().map(|&k| labels[k]).collect();
        }
        let shape = plan.shape(&labels);
        Part { x: if x.raw_shape()[..] == shape[..] { x } else { x.expand(shape) }, labels }
    }

    /// The axes in the given order, which contains all of them.
    #[track_caller]
    fn ordered(&self, labels: &[Label]) -> Var<'t, T> {
        if self.labels == labels {
            return self.x;
        }
        let place = |l: &Label| self.labels.iter().position(|o| o == l).unwrap_or(0);
        self.x.permute(labels.iter().map(place).collect::<Vec<_>>())
    }

    /// The sum over the indices for which `keep` is false.
    #[track_caller]
    fn summed(self, keep: impl Fn(Label) -> bool) -> Self {
        let axes: Vec<usize> = (0..self.labels.len()).filter(|&k| !keep(self.labels[k])).collect();
        if axes.is_empty() {
            return self;
        }
        let labels = self.labels.iter().copied().filter(|&l| keep(l)).collect();
        Part { x: self.x.sum_axes(axes), labels }
    }

    /// The product with another operand, summed over the common indices that are no longer needed.
    #[track_caller]
    fn times(self, o: Self, plan: &Plan, needed: impl Fn(Label) -> bool) -> Self {
        let a = self.summed(|l| needed(l) || o.labels.contains(&l));
        let b = o.summed(|l| needed(l) || a.labels.contains(&l));
        let common: Vec<Label> = a.labels.iter().copied().filter(|l| b.labels.contains(l)).collect();
        let (batch, inner): (Vec<Label>, Vec<Label>) = common.iter().partition(|&&l| needed(l));
        let left: Vec<Label> = a.labels.iter().copied().filter(|l| !common.contains(l)).collect();
        let right: Vec<Label> = b.labels.iter().copied().filter(|l| !common.contains(l)).collect();
        let labels = [&batch[..], &left, &right].concat();
        let sizes = |labels: &[Label]| plan.shape(labels);
        if inner.is_empty() || (left.is_empty() && right.is_empty()) {
            let a = a.ordered(&[&batch[..], &left, &inner].concat());
            let b = b.ordered(&[&batch[..], &right, &inner].concat());
            let a = a.reshape([sizes(&batch), sizes(&left), vec![1; right.len()], sizes(&inner)].concat());
            let b = b.reshape([sizes(&batch), vec![1; left.len()], sizes(&right), sizes(&inner)].concat());
            let axes: Vec<usize> = (labels.len()..labels.len() + inner.len()).collect();
            let product = a * b;
            return Part { x: if axes.is_empty() { product } else { product.sum_axes(axes) }, labels };
        }
        let flat = |labels: &[Label]| plan.shape(labels).iter().product::<usize>();
        let (m, k, n) = (flat(&left), flat(&inner), flat(&right));
        let a =
            a.ordered(&[&batch[..], &left, &inner].concat()).reshape([sizes(&batch), vec![m, k]].concat());
        let b =
            b.ordered(&[&batch[..], &inner, &right].concat()).reshape([sizes(&batch), vec![k, n]].concat());
        Part { x: a.matmul(b).reshape(sizes(&labels)), labels }
    }
}

impl<T: Float> Tape<T> {
    /// A sum of products in Einstein's notation: `"bij,bjk->bik"` is the batched matrix product. Indices are letters, one
    /// per axis; the product is summed over the indices that the result, after the arrow, does not contain.
    ///
    /// - An index that occurs twice in one operand is its diagonal: `"ii->i"`; `"ii->"` is the trace.
    /// - `...` represents any axes before, between or after the letters; they broadcast, and so do axes of size 1.
    /// - Without an arrow the result has the axes of the ellipsis, then the letters that occur once, in alphabetical order,
    ///   as in NumPy. Spaces are ignored.
    ///
    /// Operands are contracted in pairs from the left, so put first the operands that keep intermediate results small.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let a = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let b = tape.var(Tensor::from([10.0, 1.0]));
    /// assert_eq!(tape.einsum("ij,j->i", &[a, b]).value()?.to_vec(), [12.0, 34.0]);
    /// assert_eq!(tape.einsum("ij->ji", &[a]).value()?, Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
    /// assert_eq!(tape.einsum("ii->", &[a]).item()?, 5.0);
    /// assert_eq!(tape.einsum("i,i", &[b, b]).item()?, 101.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn einsum<'t>(&'t self, equation: &str, operands: &[Var<'t, T>]) -> Var<'t, T> {
        let mut shapes = Vec::with_capacity(operands.len());
        for &x in operands {
            let x = x.into_var(self);
            if x.is_failed() {
                return x;
            }
            shapes.push(x.raw_shape());
        }
        let plan = match Plan::new(equation, &shapes) {
            Ok(plan) => plan,
            Err(e) => return self.failed(e.relocated(std::panic::Location::caller())),
        };
        let mut parts = Vec::with_capacity(operands.len());
        for (&x, labels) in operands.iter().zip(&plan.inputs) {
            parts.push(Part::new(x, labels.clone(), &plan));
        }
        let mut parts = parts.into_iter();
        let Some(mut product) = parts.next() else {
            return self.failed(wrong(equation, 0, "expected an operand"));
        };
        for (i, part) in parts.enumerate() {
            let later = &plan.inputs[i + 2..];
            product = product
                .times(part, &plan, |l| plan.output.contains(&l) || later.iter().any(|t| t.contains(&l)));
        }
        product.summed(|l| plan.output.contains(&l)).ordered(&plan.output)
    }
}

pub(super) fn spec() -> Spec {
    const EQUATIONS: &[&str] = &[
        "bij,bjk->bik",
        "ij,jk",
        "ij,kj->ik",
        "i,i->",
        "i,j->ij",
        "ij->ji",
        "ii->i",
        "ii->",
        "ij->",
        "ijk->j",
        "iij->ij",
        "iji,j->i",
        "iii->i",
        "ij,ij->ij",
        "ij,ij->i",
        "ij,kl->ik",
        "ijk,jil->kl",
        "...ij,...jk->...ik",
        "...i,...i",
        "i...->...",
        "i...j->j...",
        "ij,jk,kl->il",
        "bi,bj,b->ij",
        "i,i,i->i",
        "ab,bc,ca->",
        "b a -> a b",
        "->",
        ",ij->ij",
    ];
    Spec::new("einsum", Order::Second, |g| {
        // Axes of an ellipsis broadcast; the other equations do not broadcast.
        let hiding = ["...ij,...jk->...ik", "...i,...i"];
        let equation = if g.once_in(3) { g.pick(&hiding) } else { g.pick(EQUATIONS) };
        let empty = g.is_empty() || g.once_in(12);
        let terms = equation.split("->").next().unwrap_or_default();
        let mut sizes = [0; 26];
        for c in terms.chars().filter(char::is_ascii_alphabetic) {
            let size = &mut sizes[(c as u8 - b'a') as usize];
            if *size == 0 && !empty {
                *size = g.dim(1..=2);
            } else if empty {
                *size = g.within(0..=2);
            }
        }
        let hidden: Vec<usize> = if g.is_large() {
            (0..g.within(0..=2)).map(|_| g.around(1..=2, &[7, 8, 9, 17])).collect()
        } else {
            g.shape(0..=2).iter().map(|&d| d.min(2)).collect()
        };
        let mut x = Vec::new();
        for term in terms.split(',') {
            let mut shape = Vec::new();
            for c in term.chars().filter(|c| c.is_ascii_alphabetic()) {
                shape.push(sizes[(c as u8 - b'a') as usize]);
            }
            if let Some(at) = term.trim().find("...") {
                shape.splice(at..at, g.broadcastable(&hidden));
            }
            x.push(g.tensor(&shape, Domain::Real));
        }
        case!(x, [], |x| x[0].tape().einsum(equation, x))
    })
}
