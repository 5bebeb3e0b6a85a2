//! Shapes, and the order of elements.

use super::*;

/// Rearrangements are composites: whatever is wrong with the arguments is refused under their own name, and the operand
/// stays usable.
#[test]
fn rearrangements_refuse_impossible_arguments() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 3]));
    let scalar = tape.var(1.0);
    refused(x.flip(2), "flip", &["axis 2", "rank 2"]);
    refused(x.flip([0, 0]), "flip", &["twice"]);
    refused(x.roll(-3, 1), "roll", &["axis -3", "rank 2"]);
    refused(x.movedim(0, 2), "movedim", &["axis 2", "rank 2"]);
    refused(x.movedim(isize::MIN, 0), "movedim", &[]);
    refused(x.chunk(5, 1)[0], "chunk", &[]);
    refused(x.chunk(0, 0)[0], "chunk", &[]);
    refused(x.unbind(2)[0], "unbind", &[]);
    refused(x.repeat(&[2]), "repeat", &["at least 2", "[2, 3]", "found 1"]);
    refused(x.repeat(&[usize::MAX, 2]), "repeat", &[]);
    refused(x.repeat_interleave(2, 1), "repeat_interleave", &[]);
    refused(x.repeat_interleave(0, usize::MAX), "repeat_interleave", &[]);
    refused(scalar.tril(0), "tril", &["matrix", "[]"]);
    refused(scalar.triu(0), "triu", &[]);
    refused(x.get(0, 0).diagonal(0), "diagonal", &[]);
    refused(scalar.diag_embed(), "diag_embed", &[]);
    refused(x.glu(1), "glu", &[]);
    refused(x.glu(7), "glu", &[]);
    // What is merely unusual works.
    assert_eq!(x.roll(0, isize::MIN).shape(), [2, 3]);
    assert_eq!(x.tril(isize::MAX).value().unwrap(), x.triu(isize::MIN).value().unwrap());
    assert_eq!(x.diagonal(isize::MIN).shape(), [0]);
    assert_eq!(x.repeat(&[0, 1, 2]).shape(), [0, 2, 6]);
    assert_eq!(x.chunk(0, 9).len(), 2);
    assert!(x.slice(0, 0..0).unbind(0).is_empty());
}
