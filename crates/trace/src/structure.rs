//! Formulas of operations that are not elementwise: products, sums, affine maps. Other operations are written as
//! functions, and their cotangents as (∂y/∂x)ᵀ ȳ.

use crate::math::Math;
use crate::trace::Node;

fn product(a: Math, b: Math) -> Math {
    Math::Product(Box::new(a), Box::new(b))
}

fn transposed(a: Math) -> Math {
    Math::Transpose(Box::new(a))
}

fn sum(a: Math) -> Math {
    Math::Sum(Box::new(a))
}

/// The formula of an operation; `told` is its options in words.
pub(crate) fn formula(op: &str, inputs: &[usize], told: Option<&str>, nodes: &[Node]) -> Option<Math> {
    if inputs.is_empty() {
        return None;
    }
    let x = |i: usize| Math::Node(inputs[i]);
    Some(match (op, inputs.len()) {
        // A vector is a column, W h + b; the rows of a batch are x Wᵀ + b.
        ("linear", 2 | 3) => {
            let vector = nodes[inputs[0]].shape.len() == 1;
            let map = if vector { product(x(1), x(0)) } else { product(x(0), transposed(x(1))) };
            if inputs.len() == 3 { Math::Add(Box::new(map), Box::new(x(2))) } else { map }
        }
        ("matmul", 2) => product(x(0), x(1)),
        ("sum", 1) if told.is_none() => sum(x(0)),
        ("transpose" | "t", 1) if nodes[inputs[0]].shape.len() <= 2 => transposed(x(0)),
        (op, _) => {
            let inputs = inputs.iter().map(|&i| Math::Node(i));
            Math::Call(op.to_owned(), inputs.chain(told.map(|t| Math::Words(t.to_owned()))).collect())
        }
    })
}

/// The formula of what an operation adds to the cotangent of one of its inputs, if there is one here.
pub(crate) fn contribution(op: &str, from: usize, input: usize, nodes: &[Node]) -> Option<Math> {
    let g = Math::Cotangent(from);
    let inputs = &nodes[from].inputs;
    let x = |i: usize| Math::Node(inputs[i]);
    let rank = |i: usize| nodes[inputs[i]].shape.len();
    Some(match (op, inputs.len(), input) {
        ("linear", _, 0) if rank(0) == 1 => product(transposed(x(1)), g),
        ("linear", _, 1) if rank(0) == 1 => product(g, transposed(x(0))),
        ("linear", _, 2) if rank(0) == 1 => g,
        ("linear", _, 0) => product(g, x(1)),
        ("linear", _, 1) => product(transposed(g), x(0)),
        ("linear", _, 2) => sum(g),
        ("matmul", 2, 0) if rank(0) == 2 && rank(1) <= 2 => product(g, transposed(x(1))),
        ("matmul", 2, 1) if rank(0) == 2 && rank(1) <= 2 => product(transposed(x(0)), g),
        // Each element gets the cotangent of the sum that it is part of.
        ("sum", 1, 0) => Math::Call("broadcast".into(), vec![g]),
        // The same axes exchanged again, or the original shape.
        ("transpose" | "t", 1, 0) => match &nodes[from].formula {
            Some(Math::Call(f, x)) => {
                Math::Call(f.clone(), [g].into_iter().chain(x[1..].iter().cloned()).collect())
            }
            _ => transposed(g),
        },
        ("reshape" | "view" | "squeeze" | "unsqueeze", 1, 0) => {
            let shape = Math::Words(format!("{:?}", nodes[inputs[0]].shape));
            Math::Call("reshape".into(), vec![g, shape])
        }
        _ => return None,
    })
}
