//! Windows, views and grids: overlaps add up, leftover elements get no gradient, empty axes and memory layouts do no harm.

use super::*;

#[test]
fn overlapping_windows_accumulate_and_leftovers_get_nothing() {
    type G = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    let cases: [(G, &[f64], &[f64]); 5] = [
        (|x| x.unfold(0, 3, 1), &[0., 1., 2., 1., 2., 3., 2., 3., 4.], &[1., 2., 3., 2., 1.]),
        (|x| x.unfold(0, 2, 2), &[0., 1., 2., 3.], &[1., 1., 1., 1., 0.]),
        (|x| x.unfold(-1, 1, 3), &[0., 3.], &[1., 0., 0., 1., 0.]),
        (|x| x.unfold(0, 5, usize::MAX), &[0., 1., 2., 3., 4.], &[1.; 5]),
        (|x| x.unfold(0, 0, 1), &[], &[0.; 5]),
    ];
    for (i, (f, values, gradient)) in cases.into_iter().enumerate() {
        let [y, g, r] = run::<f64>(f, &Tensor::steps(0.0, 1.0, 5));
        assert_eq!((&y[..], &g[..], &r[..]), (values, gradient, gradient), "case {i}");
    }
    // Windows of windows.
    let x = Tensor::<f64>::steps(0.0, 1.0, 12).reshape([3, 4]).unwrap();
    let [y, g, _] = run::<f64>(|x| x.unfold(0, 2, 1).unfold(1, 3, 1).sum_axes([2, 3]), &x);
    assert_eq!(y.len(), 4);
    assert_eq!(g, [1.0, 2.0, 2.0, 1.0, 2.0, 4.0, 4.0, 2.0, 1.0, 2.0, 2.0, 1.0]);
}

#[test]
fn diagonals_off_the_main_one_are_put_and_read_back() {
    for offset in -3..=3 {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([[1.0, 2.0], [INF, 4.0]]));
        let y = x.diag_embed(offset);
        let n = 2 + offset.unsigned_abs();
        assert_eq!(y.shape(), [2, n, n]);
        assert_eq!(y.diagonal(offset).value().unwrap(), x.value().unwrap());
        let zeros = y.value().unwrap().to_vec().iter().filter(|v| **v == 0.0).count();
        assert_eq!(zeros, 2 * n * n - 4, "nothing else, not even next to an infinity");
        let g = (y * 2.0).sum().backward().unwrap().wrt(x).unwrap();
        assert_eq!(g.to_vec(), [2.0; 4]);
    }
    assert_eq!(Tape::<f64>::new().var(Tensor::zeros([2, 0])).diag_embed(0).shape(), [2, 0, 0]);
}

#[test]
fn quarter_turns_make_a_whole_one() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::steps(0.0, 1.0, 12).reshape([2, 3, 2]));
    let mut y = x;
    for k in 0..4isize {
        assert_eq!(y.value().unwrap(), x.rot90(k, [0, 1]).value().unwrap());
        assert_eq!(y.value().unwrap(), x.rot90(k - 8, [-3, -2]).value().unwrap());
        y = y.rot90(1, [0, 1]);
    }
    assert_eq!(y.value().unwrap(), x.value().unwrap());
    assert_eq!(x.rot90(1, [0, 2]).value().unwrap(), x.rot90(-1, [2, 0]).value().unwrap());
}

#[test]
fn grids_and_blocks_with_nothing_in_them() {
    let tape = Tape::<f64>::new();
    let (a, none, one) = (tape.var(vector(&[1.0, 2.0])), tape.var(vector(&[])), tape.var(5.0));
    for y in tape.meshgrid(&[a, none, one]) {
        assert_eq!(y.shape(), [2, 0, 1]);
    }
    assert_eq!(tape.meshgrid_xy(&[a, one])[1].shape(), [1, 2]);
    assert_eq!(tape.meshgrid_xy(&[a])[0].shape(), [2]);
    assert!(tape.meshgrid(&[]).is_empty());
    // A vector without elements is a row without columns.
    let y = tape.block_diag(&[one, none, a]);
    assert_eq!(y.value().unwrap(), Tensor::from([[5.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 2.0]]));
    // Used twice, it adds up twice.
    let y = tape.block_diag(&[a, a]);
    assert_eq!(y.sum().backward().unwrap().wrt(a).unwrap().to_vec(), [2.0, 2.0]);
    let grid = tape.meshgrid(&[a, a]);
    let g = (grid[0] * grid[1]).sum().backward().unwrap().wrt(a).unwrap();
    assert_eq!(g.to_vec(), [6.0, 6.0]);
}

#[test]
fn views_of_reversed_and_repeated_values() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::steps(0.0, 1.0, 6));
    let backwards = x.flip(0).view([2, 3]);
    assert_eq!(backwards.value().unwrap().to_vec(), [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    let g = backwards.backward_from(Tensor::<f64>::steps(0.0, 1.0, 6).reshape([2, 3])).unwrap();
    assert_eq!(g.wrt(x).unwrap().to_vec(), [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    assert!(x.unsqueeze(0).expand([2, 6]).view([12]).is_failed(), "repeated rows do not merge");
    assert_eq!(x.slice(0, 0..0).view([0, 7]).shape(), [0, 7]);
    assert_eq!(x.slice(0, 0..0).split_every(0, 4).len(), 1);
    assert_eq!(x.tile(&[]).shape(), [6]);
    assert_eq!(x.tile(&[2, 0]).shape(), [2, 0]);
    assert_eq!(tape.var(1.0).flatten_axes(0, -1).shape(), [1]);
}
