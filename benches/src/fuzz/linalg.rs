//! `tape`: linear algebra, and products with named axes.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, table};
use wengert::ops::{Tensor, Triangle};
use wengert::tape::{Float, Var};

/// Square matrices, sometimes of full rank, symmetric or definite.
fn square<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    let [b, n] = a.sizes().map(|n: usize| n.min(4));
    let x = if a.once_in(3) { a.of(&[b, n, n]) } else { a.of(&[n, n]) };
    if a.once_in(2) && x.rank() >= 2 { x.matmul(x.t()) + Tensor::eye(n) } else { x }
}

fn right_side<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    let mut shape = a.shape.clone();
    if let Some(last) = shape.last_mut() {
        *last = a.size().min(3);
    }
    a.more(&shape)
}

fn triangle<T: Float>(a: &mut Arguments<'_, T>) -> Triangle {
    Triangle { upper: a.flag(), transposed: a.flag(), unit: a.flag() }
}

/// The product for an equation and its operands, or sometimes for letters in any order.
fn einsum<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    let [n, k, m] = a.sizes().map(|n: usize| n.min(4));
    let known: [(&str, Vec<Vec<usize>>); 8] = [
        ("ij,jk->ik", vec![vec![n, k], vec![k, m]]),
        ("ij->ji", vec![vec![n, k]]),
        ("ii->i", vec![vec![n, n]]),
        ("i,i", vec![vec![n], vec![n]]),
        ("...ij,...jk->...ik", vec![vec![2, n, k], vec![k, m]]),
        ("ij,kj,k->i", vec![vec![n, k], vec![m, k], vec![m]]),
        ("ij->", vec![vec![n, k]]),
        (" i , j -> i j ", vec![vec![n], vec![m]]),
    ];
    let (equation, shapes) = a.pick(&known);
    let operands: Vec<_> = shapes.iter().map(|s| a.more(s)).collect();
    let mut equation = equation.to_owned();
    if a.once_in(4) {
        let alphabet = ["i", "j", "k", "...", ",", "->", "I", "é", ".", "-", ">", " ", "1"];
        equation = (0..a.below(9)).map(|_| a.pick(&alphabet)).collect();
    }
    a.tape.einsum(&equation, &operands)
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::Var" {
            det: square(a).det();
            slogdet: square(a).slogdet();
            logdet: square(a).logdet();
            eigh: square(a).eigh();
            eigvalsh: square(a).eigvalsh();
            solve: { let x = square(a); x.solve(right_side(a)) };
            solve_triangular: { let x = square(a); x.solve_triangular(right_side(a), triangle(a)) };
            inverse: square(a).inverse();
            cholesky: square(a).cholesky();
            outer: a.var_ranked(1..=1).outer(a.ranked(1..=1));
            dot: a.var_ranked(1..=1).dot(a.same());
            cross: { let mut shape = a.dims(1..=3); let i = a.below(shape.len()); shape[i] = 3;
                let x = a.of(&shape);
                let y = a.same(); if a.once_in(3) { x.cross(y, a.axis()) } else { x.cross(y, i as isize) } };
            bilinear: { let [n, i, j, o] = a.sizes().map(|n: usize| n.min(4));
                let (x, y) = (a.of(&[n, i]), a.operand(&[n, j]));
                let w = a.operand(&[o, i, j]); let b = a.once_in(2).then(|| a.more(&[o]));
                    x.bilinear(y, w, b) };
            cdist: { let [n, m, d] = a.sizes().map(|n: usize| n.min(4)); let x = a.of(&[n, d]);
                let y = a.operand(&[m, d]);
                x.cdist(y, if a.once_in(2) { 2.0 } else { a.number() }) };
        }
        "tape::Tape" {
            einsum: einsum(a);
        }
    }
}
