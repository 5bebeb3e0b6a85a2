//! Methods that a tensor and a value have in common return the same bits.

#![allow(clippy::vec_init_then_push, reason = "a vector's element type determines the closures' arguments")]

use wengert_ops::random::{Key, uniform};
use wengert_ops::{Result, Tensor};
use wengert_tape::{Tape, Var};

type OfTensor = fn(&Tensor<f64>) -> Result<Tensor<f64>>;
type OfVar = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;

/// The name of a method, with its call on a tensor: one that returns a `Result`, one that does not, or one that returns a
/// pair.
macro_rules! both {
    ($($name:ident($($argument:expr),*) $kind:tt;)*) => {{
        let mut all: Vec<(&str, OfTensor, OfVar)> = Vec::new();
        $(all.push((stringify!($name), both!(@tensor $kind $name $($argument),*), both!(@var $kind $name $($argument),*)));)*
        all
    }};
    (@tensor result $name:ident $($argument:expr),*) => { |x| x.$name($($argument),*) };
    (@tensor value $name:ident $($argument:expr),*) => { |x| Ok(x.$name($($argument),*)) };
    (@tensor pair $name:ident $($argument:expr),*) => { |x| Ok(x.$name($($argument),*)?.0) };
    (@tensor parts $name:ident $($argument:expr),*) => { |x| Ok(x.$name($($argument),*)?.remove(1)) };
    (@var pair $name:ident $($argument:expr),*) => { |x| x.$name($($argument),*).0 };
    (@var parts $name:ident $($argument:expr),*) => { |x| x.$name($($argument),*)[1] };
    (@var $kind:tt $name:ident $($argument:expr),*) => { |x| x.$name($($argument),*) };
}

#[test]
fn what_both_have_gives_the_same_bits() {
    let functions = both! {
        mean() value; mean_axes(1) result; mean_keepdim([0, 2]) result;
        variance(1.0) value; variance_axes([0, 1], 0.0) result; variance_keepdim(-1, 1.0) result;
        std(1.0) value; std_axes(2, 0.0) result; std_keepdim([0, 2], 1.0) result;
        norm() value; norm_axes(0) result; norm_keepdim(1) result;
        norm_p(3.0, 1) result; norm_p(0.5, [0, 1]) result; norm_p(-2.0, 2) result; norm_p_keepdim(0.0, 1) result;
        median() result; median_along(1) pair; median_along_keepdim(2) pair;
        quantile(0.3, 1) result; quantile_keepdim(0.7, -1) result;
        max_along(1) pair; max_along_keepdim(0) pair; min_along(2) pair; min_along_keepdim(1) pair;
        cumsum(1) result; cumsum_reversed(2) result; cumprod(0) result; cumprod_reversed(1) result;
        cummax(1) pair; cummin(-1) pair; sort(2, true) pair; topk(1, 2, false) pair;
        flip([0, 2]) result; roll([0, 1], [1, -2]) result; movedim([0, 1], [2, 0]) result; t() result;
        flatten(1) result; flatten_axes(0, 1) result; unflatten(2, [5, -1]) result; squeeze_all() value;
        narrow(1, 1, 2) result; split(1, &[1, 2]) parts; split_every(1, 2) parts; chunk(2, 3) parts; unbind(0) parts;
        repeat(&[2, 1, 1, 2]) result; tile(&[2]) result; repeat_interleave(1, 3) result; rot90(3, [0, 2]) result;
        diagonal(1) result; trace() result; tril(-1) result; triu(2) result;
        clamp(-0.5, 0.25) value; clamp_min(0.1) value; clamp_max(0.1) value; clamp_between(-0.5, 0.5) result;
        square() value; pow(3.0) result; pow(0.5) result; recip() value; relu() value; log2() value; log10() value; maximum(0.25) result; minimum(0.25) result;
        masked_fill(Tensor::from([true, false, true, false, true]), 7.0) result;
        masked_select(Tensor::from([true, false, true, false, true])) result;
        where_cond(Tensor::from([true, false, true, false, true]), -1.0) result;
        cdist(&Tensor::from([[0.5, 0.0, 0.25, 1.0, -1.0]]), 1.5) result;
    };
    let x: Tensor<f64> = uniform([4, 3, 5], -1.0, 1.0, Key { seed: 3, stream: 0 }).unwrap();
    for x in [x.clone(), x.flip(1).unwrap(), x.transpose(0, 2).unwrap().contiguous().transpose(0, 2).unwrap()]
    {
        for (name, of_tensor, of_var) in &functions {
            let tape = Tape::new();
            let (tensor, value) = (of_tensor(&x).unwrap(), of_var(tape.var(&x)).value().unwrap());
            assert_eq!(tensor.shape(), value.shape(), "{name}");
            let bits = |t: &Tensor<f64>| t.to_vec().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            // The sign of NaN, for example from the logarithm of a negative number, is not specified.
            let number = |t: &Tensor<f64>| t.map(|v| if v.is_nan() { f64::NAN } else { v });
            assert_eq!(bits(&number(&tensor)), bits(&number(&value)), "{name}");
        }
    }
}

#[test]
fn both_refuse_what_they_refuse_under_the_same_name() {
    let functions = both! {
        mean_axes(3) result; variance_keepdim(3, 0.0) result; std_axes([0, 0], 0.0) result;
        norm_p(f64::NAN, 0) result; quantile(1.5, 0) result; quantile_keepdim(0.5, 2) result;
        max_along(2) pair; min_along_keepdim(2) pair; median_along(-3) pair; median_along_keepdim(2) pair;
        cumsum(2) result; cumsum_reversed(2) result; cumprod_reversed(-3) result; sort(2, false) pair; topk(0, 3, true) pair;
        flip(2) result; roll([0, 1], 1) result; roll(2, 1) result; movedim([0, 1], 0) result; movedim(0, 2) result;
        flatten(3) result; flatten_axes(1, 0) result; unflatten(0, [3, -1]) result; narrow(0, 1, 2) result;
        split(0, &[1, 2]) parts; split_every(0, 0) parts; chunk(0, 0) parts; unbind(2) parts;
        repeat(&[2]) result; tile(&[usize::MAX, 2]) result; repeat_interleave(2, 1) result; rot90(1, [0, 2]) result;
        maximum(Tensor::zeros([7])) result; masked_fill(Tensor::from([true; 7]), 0.0) result;
        cdist(&Tensor::zeros([2, 4]), 2.0) result; cdist(&Tensor::zeros([2, 3]), -1.0) result;
    };
    let x = Tensor::<f64>::zeros([2, 3]);
    for (name, of_tensor, of_var) in &functions {
        let tape = Tape::new();
        let refused = of_tensor(&x).unwrap_err();
        let y = if ["split", "split_every", "chunk", "unbind"].contains(name) {
            continue;
        } else {
            of_var(tape.var(&x))
        };
        let e = y.value().unwrap_err();
        assert_eq!((refused.op(), refused.detail()), (*name, e.detail()), "{name}: {refused}, and {e}");
    }
}
