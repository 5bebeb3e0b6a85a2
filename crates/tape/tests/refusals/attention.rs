//! Attention.

use super::*;
use wengert_tape::rules::Attention;

#[test]
fn attention_refuses_what_does_not_fit() {
    const OP: &str = "scaled_dot_product_attention";
    let tape = Tape::<f64>::new();
    let of = |shape: &[usize]| tape.var(Tensor::<f64>::zeros(shape));
    let (q, k, v) = (of(&[2, 3, 4]), of(&[2, 5, 4]), of(&[2, 5, 6]));
    let with = |options| q.scaled_dot_product_attention(k, v, options);
    let plain = Attention::new;
    refused(q.scaled_dot_product_attention(v, v, plain()), OP, &["[2, 3, 4]", "[2, 5, 6]"]);
    refused(q.scaled_dot_product_attention(k, q, plain()), OP, &["[.., s, e]"]);
    refused(of(&[4]).scaled_dot_product_attention(k, v, plain()), OP, &["[4]"]);
    refused(q.scaled_dot_product_attention(of(&[3, 5, 4]), v, plain()), OP, &[]);
    refused(with(plain().mask(Tensor::from([true, false]))), OP, &[]);
    refused(with(plain().bias(of(&[4, 5]))), OP, &[]);
    refused(with(plain().bias(of(&[1, 3, 5, 5, 5]))), OP, &[]);
    refused(with(plain().scale(f64::NAN)), OP, &["finite scale", "NaN"]);
    refused(with(plain().dropout(1.5)), OP, &["probability", "1.5"]);
    // Unusual but valid calls work.
    assert_eq!(with(plain().bias(of(&[7, 1, 1, 1]))).shape(), [7, 2, 3, 6]);
    assert_eq!(with(plain().mask(Tensor::from([true]))).shape(), [2, 3, 6]);
    assert_eq!(of(&[3, 0]).scaled_dot_product_attention(of(&[5, 0]), of(&[5, 2]), plain()).shape(), [3, 2]);
    assert!(!q.is_failed() && !with(plain()).is_failed());
}
