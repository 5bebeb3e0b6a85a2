//! Shapes, and the order of elements.

use super::*;

/// Rearrangements are composites: invalid arguments are reported under the name of the function called, and the operand
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
    refused(x.select(0, 0).diagonal(0), "diagonal", &[]);
    refused(scalar.diag_embed(0), "diag_embed", &[]);
    refused(x.glu(1), "glu", &[]);
    refused(x.glu(7), "glu", &[]);
    // A failed value represents every part, but the number of parts returned is limited.
    assert_eq!(x.glu(7).chunk(0, 2).len(), 2);
    assert!(x.glu(7).chunk(0, usize::MAX).len() <= 1024 && x.chunk(5, usize::MAX).len() <= 1024);
    // Unusual but valid calls work.
    assert_eq!(x.roll(0, isize::MIN).shape(), [2, 3]);
    assert_eq!(x.tril(isize::MAX).value().unwrap(), x.triu(isize::MIN).value().unwrap());
    assert_eq!(x.diagonal(isize::MIN).shape(), [0]);
    assert_eq!(x.repeat(&[0, 1, 2]).shape(), [0, 2, 6]);
    assert_eq!(x.chunk(0, 9).len(), 2);
    assert!(x.slice(0, 0..0).unbind(0).is_empty());
}

#[test]
fn views_windows_and_grids_refuse_impossible_arguments() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 6]));
    let scalar = tape.var(1.0);
    refused(x.view([5]), "view", &["[2, 6]", "[5]"]);
    refused(x.t().view([12]), "view", &["[6, 2]", "[1, 6]", "reshape()"]);
    refused(x.flatten_axes(1, 0), "flatten_axes", &["axis 1", "axis 0"]);
    refused(x.flatten_axes(0, 2), "flatten_axes", &["axis 2", "rank 2"]);
    refused(x.unflatten(1, [4, -1]), "unflatten", &["[6]", "[4, -1]"]);
    refused(x.unflatten(2, [1]), "unflatten", &["axis 2"]);
    refused(x.unflatten(0, [usize::MAX, 2]), "unflatten", &[]);
    refused(x.narrow(1, 5, 2), "narrow", &["2 positions from 5", "[2, 6]"]);
    refused(x.narrow(1, usize::MAX, usize::MAX), "narrow", &[]);
    refused(x.narrow(-3, 0, 1), "narrow", &["axis -3"]);
    refused(x.split_every(0, 0)[0], "split_every", &["at least one", "found 0"]);
    refused(x.split_every(2, 1)[0], "split_every", &["axis 2"]);
    refused(x.tile(&[usize::MAX, 2]), "tile", &[]);
    refused(x.tile(&[1 << 30, 1, 1 << 30]), "tile", &["too many elements"]);
    refused(x.rot90(1, [0, 0]), "rot90", &["twice"]);
    refused(x.rot90(0, [0, 2]), "rot90", &["axis 2"]);
    refused(x.unfold(1, 7, 1), "unfold", &["window of 7", "axis 1", "[2, 6]"]);
    refused(x.unfold(1, 2, 0), "unfold", &["at least 1", "found 0"]);
    refused(x.unfold(isize::MIN, 1, 1), "unfold", &[]);
    refused(scalar.unfold(0, 1, 1), "unfold", &["rank 0"]);
    refused(x.diag_embed(isize::MIN), "diag_embed", &["too many elements"]);
    refused(x.diag_embed(isize::MAX), "diag_embed", &[]);
    refused(tape.meshgrid(&[scalar, x])[0], "meshgrid", &["vectors", "[2, 6]"]);
    refused(tape.meshgrid_xy(&[x])[0], "meshgrid_xy", &[]);
    refused(tape.block_diag(&[x.unsqueeze(0)]), "block_diag", &["matrices", "[1, 2, 6]"]);
    refused(tape.block_diag(&[]), "block_diag", &["at least one"]);
    let wide = scalar.expand([1usize << 20]);
    refused(tape.meshgrid(&[wide, wide])[1], "meshgrid", &["too many elements"]);
    // A grid of failed values has failed, and so has one with a value of another tape.
    refused(tape.meshgrid(&[scalar, x.reshape([7])])[0], "reshape", &[]);
    refused(tape.block_diag(&[x, x.reshape([7])]), "reshape", &[]);
    let other = Tape::<f64>::new();
    assert!(other.meshgrid(&[other.var(1.0), x.select(0, 0)])[0].is_failed());
    assert!(x.value().is_ok() && scalar.value().is_ok());
}
