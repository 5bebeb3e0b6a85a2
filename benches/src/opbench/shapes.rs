//! Shapes, the order of elements, parts, and concatenation.

use crate::{Row, real};
use wengert::ops::Slice;
use wengert::tape::Var;

type Call = for<'t> fn(Var<'t, f32>) -> Var<'t, f32>;
type Parts = for<'t> fn(Var<'t, f32>) -> Vec<Var<'t, f32>>;

/// One line each: name, PyTorch's expression, shape, wengert's function.
macro_rules! each {
    ($($op:literal $torch:literal $shape:expr; $call:expr;)*) => {
        vec![$({
            let call: Call = $call;
            Row::new($op, $torch, vec![real(&$shape)], move |x, _| call(x[0])).note(short($torch))
        }),*]
    };
}

/// The same for functions that return several values.
macro_rules! parts {
    ($($op:literal $torch:literal $shape:expr; $call:expr;)*) => {
        vec![$({
            let call: Parts = $call;
            Row::many($op, $torch, vec![real(&$shape)], move |x, _| call(x[0])).note(short($torch))
        }),*]
    };
}

/// The arguments of PyTorch's call, which say what the shapes do not.
fn short(torch: &str) -> String {
    torch.replace("x[0].", "").replace("x[0]", "x").replace("torch.", "").replace("F.", "")
}

pub(crate) fn rows() -> Vec<Row> {
    let mut all = each! {
        // Views. Most take no time; what counts is what a cotangent costs that lies in memory differently.
        "reshape" "x[0].reshape(-1)" [1024, 1024]; |x| x.reshape([-1]);
        "reshape" "x[0].reshape(64, -1)" [64, 64]; |x| x.reshape([64, -1]);
        "reshape" "x[0].mT.reshape(-1)" [1024, 1024]; |x| x.t().reshape([-1]);
        "reshape" "x[0].mT.reshape(-1)" [4096, 7]; |x| x.t().reshape([-1]);
        "view" "x[0].view(-1, 1)" [1024, 1024]; |x| x.view([-1, 1]);
        "view" "x[0].view(-1, 1)" [64, 64]; |x| x.view([-1, 1]);
        "view" "x[0].view(7, 4096)" [4096, 7]; |x| x.view([7, 4096]);
        "flatten" "x[0].flatten(1)" [64, 128, 7, 7]; |x| x.flatten(1);
        "flatten" "x[0].flatten(1)" [8, 8, 8]; |x| x.flatten(1);
        "flatten" "x[0].mT.flatten(0)" [4096, 7]; |x| x.t().flatten(0);
        "flatten_axes" "x[0].flatten(0, 1)" [64, 128, 49]; |x| x.flatten_axes(0, 1);
        "flatten_axes" "x[0].flatten(1, 2)" [8, 8, 8]; |x| x.flatten_axes(1, 2);
        "flatten_axes" "x[0].transpose(1, 2).flatten(-2, -1)" [32, 128, 8, 32]; |x| x.transpose(1, 2).flatten_axes(-2, -1);
        "unflatten" "x[0].unflatten(-1, [-1, 64])" [1024, 1024]; |x| x.unflatten(-1, [-1, 64]);
        "unflatten" "x[0].unflatten(-1, [-1, 8])" [64, 64]; |x| x.unflatten(-1, [-1, 8]);
        "unflatten" "x[0].unflatten(0, [-1, 2])" [4096, 7]; |x| x.unflatten(0, [-1, 2]);
        "permute" "x[0].permute(0, 2, 3, 1)" [32, 64, 28, 28]; |x| x.permute([0, 2, 3, 1]);
        "permute" "x[0].permute(2, 0, 1)" [16, 16, 16]; |x| x.permute([2, 0, 1]);
        "permute" "x[0].permute(0, 2, 1, 3).contiguous()" [32, 8, 128, 64];
            |x| x.permute([0, 2, 1, 3]).reshape([32, 128, 8 * 64]).reshape([32, 128, 8, 64]);
        "transpose" "x[0].transpose(0, 1)" [1024, 1024]; |x| x.transpose(0, 1);
        "transpose" "x[0].transpose(0, 1)" [64, 64]; |x| x.transpose(0, 1);
        "transpose" "x[0].transpose(0, 1) * 1.0" [4096, 7]; |x| x.transpose(0, 1) * 1.0;
        "transpose" "x[0].transpose(0, 1) * x[0]" [1024, 1024]; |x| x.transpose(0, 1) * x;
        "t" "x[0].mT" [1024, 1024]; |x| x.t();
        "t" "x[0].mT" [64, 64]; |x| x.t();
        "t" "x[0].mT" [512, 3, 3]; |x| x.t();
        "movedim" "x[0].movedim(1, -1)" [32, 64, 28, 28]; |x| x.movedim(1, -1);
        "movedim" "x[0].movedim(0, 1)" [64, 64]; |x| x.movedim(0, 1);
        "movedim" "x[0].movedim(0, -1)" [3, 224, 224]; |x| x.movedim(0, -1);
        "squeeze" "x[0].squeeze((1, -1))" [1024, 1, 1024, 1]; |x| x.squeeze([1, -1]);
        "squeeze" "x[0].squeeze((1, -1))" [64, 1, 64, 1]; |x| x.squeeze([1, -1]);
        "squeeze" "x[0].squeeze((0,))" [1, 4096, 7]; |x| x.squeeze([0]);
        "squeeze_all" "x[0].squeeze()" [1024, 1, 1024, 1]; |x| x.squeeze_all();
        "squeeze_all" "x[0].squeeze()" [64, 1, 64, 1]; |x| x.squeeze_all();
        "squeeze_all" "x[0].squeeze()" [1, 4096, 7]; |x| x.squeeze_all();
        "unsqueeze" "x[0].unsqueeze(1)" [1024, 1024]; |x| x.unsqueeze(1);
        "unsqueeze" "x[0].unsqueeze(-1)" [64, 64]; |x| x.unsqueeze(-1);
        "unsqueeze" "x[0].unsqueeze(0)" [4096, 7]; |x| x.unsqueeze(0);
        "expand" "x[0].expand(1024, 1024)" [1024]; |x| x.expand([1024, 1024]);
        "expand" "x[0].expand(64, 64)" [64, 1]; |x| x.expand([64, 64]);
        "expand" "x[0].expand(1024, 1024)" [1024, 1]; |x| x.expand([1024, 1024]);
        "expand" "x[0].expand(32, 64, 14, 14)" [64, 1, 1]; |x| x.expand([32, 64, 14, 14]);
        "expand" "x[0].expand(65536, 7)" [7]; |x| x.expand([65536, 7]);
        "sum_to" "x[0].sum_to_size(1024)" [1024, 1024]; |x| x.sum_to([1024]);
        "sum_to" "x[0].sum_to_size(64, 1)" [64, 64]; |x| x.sum_to([64, 1]);
        "sum_to" "x[0].sum_to_size(64, 1, 1)" [32, 64, 14, 14]; |x| x.sum_to([64, 1, 1]);
        "sum_to" "x[0].sum_to_size(7)" [65536, 7]; |x| x.sum_to([7]);
        // Copies in another order.
        "flip" "x[0].flip(-1)" [1024, 1024]; |x| x.flip(-1);
        "flip" "x[0].flip(0)" [64, 64]; |x| x.flip(0);
        "flip" "x[0].flip(0, 1)" [4096, 7]; |x| x.flip([0, 1]);
        "roll" "x[0].roll(3, 1)" [1024, 1024]; |x| x.roll(1, 3);
        "roll" "x[0].roll(3, 0)" [64, 64]; |x| x.roll(0, 3);
        "roll" "x[0].roll(3, 1)" [4096, 7]; |x| x.roll(1, 3);
        "rot90" "x[0].rot90(1, (0, 1))" [1024, 1024]; |x| x.rot90(1, [0, 1]);
        "rot90" "x[0].rot90(2, (0, 1))" [64, 64]; |x| x.rot90(2, [0, 1]);
        "rot90" "x[0].rot90(-1, (0, 1))" [4096, 7]; |x| x.rot90(-1, [0, 1]);
        "repeat" "x[0].repeat(4, 1)" [256, 1024]; |x| x.repeat(&[4, 1]);
        "repeat" "x[0].repeat(2, 2)" [64, 64]; |x| x.repeat(&[2, 2]);
        "repeat" "x[0].repeat(1, 100)" [4096, 7]; |x| x.repeat(&[1, 100]);
        "repeat" "x[0].repeat(1, 1000)" [1000, 1]; |x| x.repeat(&[1, 1000]);
        "tile" "x[0].tile(4, 1)" [256, 1024]; |x| x.tile(&[4, 1]);
        "tile" "x[0].tile(2, 2)" [64, 64]; |x| x.tile(&[2, 2]);
        "tile" "x[0].tile(100)" [4096, 7]; |x| x.tile(&[100]);
        "repeat_interleave" "x[0].repeat_interleave(4, dim=0)" [256, 1024]; |x| x.repeat_interleave(0, 4);
        "repeat_interleave" "x[0].repeat_interleave(4, dim=1)" [64, 64]; |x| x.repeat_interleave(1, 4);
        "repeat_interleave" "x[0].repeat_interleave(8, dim=1)" [4096, 7]; |x| x.repeat_interleave(1, 8);
        "tril" "x[0].tril()" [1024, 1024]; |x| x.tril(0);
        "tril" "x[0].tril(-1)" [64, 64]; |x| x.tril(-1);
        "tril" "x[0].tril()" [4096, 7, 7]; |x| x.tril(0);
        "triu" "x[0].triu()" [1024, 1024]; |x| x.triu(0);
        "triu" "x[0].triu(1)" [64, 64]; |x| x.triu(1);
        "triu" "x[0].triu()" [4096, 7, 7]; |x| x.triu(0);
        "diagonal" "x[0].diagonal(0, -2, -1)" [1024, 1024]; |x| x.diagonal(0);
        "diagonal" "x[0].diagonal(1, -2, -1)" [64, 64]; |x| x.diagonal(1);
        "diagonal" "x[0].diagonal(0, -2, -1)" [4096, 7, 7]; |x| x.diagonal(0);
        "trace" "x[0].trace()" [1024, 1024]; |x| x.trace();
        "trace" "x[0].trace()" [64, 64]; |x| x.trace();
        "trace" "x[0].trace()" [4096, 7]; |x| x.trace();
        "diag_embed" "torch.diag_embed(x[0])" [1024]; |x| x.diag_embed(0);
        "diag_embed" "torch.diag_embed(x[0], 1)" [64]; |x| x.diag_embed(1);
        "diag_embed" "torch.diag_embed(x[0])" [4096, 7]; |x| x.diag_embed(0);
        "unfold" "x[0].unfold(-1, 8, 4)" [1024, 1024]; |x| x.unfold(-1, 8, 4);
        "unfold" "x[0].unfold(-1, 3, 1)" [64, 64]; |x| x.unfold(-1, 3, 1);
        "unfold" "x[0].unfold(0, 400, 160)" [160_000]; |x| x.unfold(0, 400, 160);
        "unfold" "x[0].unfold(0, 2, 2)" [4096, 7]; |x| x.unfold(0, 2, 2);
        // Parts.
        "slice" "x[0][:, 256:768]" [1024, 1024]; |x| x.slice(1, 256..768);
        "slice" "x[0][1:-1]" [64, 64]; |x| x.slice(0, 1..63);
        "slice" "x[0][:, ::2]" [1024, 1024]; |x| x.slice(1, Slice::from(0..1024).step(2));
        "slice" "x[0][:, 1:3]" [65536, 7]; |x| x.slice(1, 1..3);
        "narrow" "x[0].narrow(0, 10, 1000)" [1024, 1024]; |x| x.narrow(0, 10, 1000);
        "narrow" "x[0].narrow(1, 1, 1)" [64, 64]; |x| x.narrow(1, 1, 1);
        "narrow" "x[0].narrow(1, 2, 3)" [65536, 7]; |x| x.narrow(1, 2, 3);
        "select" "x[0].select(1, 3)" [1024, 1024]; |x| x.select(1, 3);
        "select" "x[0].select(0, 3)" [64, 64]; |x| x.select(0, 3);
        "select" "x[0].select(-1, 3)" [65536, 7]; |x| x.select(-1, 3);
        "select" "x[0].select(1, 0)" [64, 197, 384]; |x| x.select(1, 0);
        "pad" "F.pad(x[0], [1, 1, 1, 1])" [32, 64, 28, 28]; |x| x.pad(&[(0, 0), (0, 0), (1, 1), (1, 1)], 0.0);
        "pad" "F.pad(x[0], [2, 2], value=1.5)" [64, 64]; |x| x.pad(&[(0, 0), (2, 2)], 1.5);
        "pad" "F.pad(x[0], [0, 1])" [65536, 7]; |x| x.pad(&[(0, 0), (0, 1)], 0.0);
        // All parts, joined again.
        "unbind" "torch.stack(x[0].unbind(0))" [1000, 64]; |x| x.tape().stack(&x.unbind(0), 0);
        "unbind" "torch.stack(x[0].unbind(1), 1)" [1000, 64]; |x| x.tape().stack(&x.unbind(1), 1);
        "unbind" "torch.stack(x[0].unbind(0))" [4000, 4]; |x| x.tape().stack(&x.unbind(0), 0);
        "chunk" "torch.cat(x[0].chunk(1000))" [4000, 16]; |x| x.tape().concat(&x.chunk(0, 1000), 0);
        "split_every" "torch.cat(x[0].split(1, 1), 1)" [64, 1000]; |x| x.tape().concat(&x.split_every(1, 1), 1);
        "select" "torch.stack([x[0].select(1, k) for k in range(1000)])" [64, 1000];
            |x| x.tape().stack(&(0..1000).map(|k| x.select(1, k)).collect::<Vec<_>>(), 0);
        "slice" "torch.cat([x[0][k:k + 1] for k in range(1000)])" [1000, 64];
            |x| x.tape().concat(&(0..1000).map(|k| x.slice(0, k..k + 1)).collect::<Vec<_>>(), 0);
    };
    all.extend(parts! {
        "chunk" "x[0].chunk(3, dim=1)" [1024, 1536]; |x| x.chunk(1, 3);
        "chunk" "x[0].chunk(2, dim=0)" [64, 64]; |x| x.chunk(0, 2);
        "chunk" "x[0].chunk(7, dim=1)" [65536, 7]; |x| x.chunk(1, 7);
        "unbind" "x[0].unbind(0)" [16, 64, 1024]; |x| x.unbind(0);
        "unbind" "x[0].unbind(1)" [64, 64]; |x| x.unbind(1);
        "unbind" "x[0].unbind(1)" [65536, 7]; |x| x.unbind(1);
        "unbind" "x[0].unbind(0)" [1000, 1000]; |x| x.unbind(0);
        "split" "x[0].split([512, 256, 256], 1)" [1024, 1024]; |x| x.split(1, &[512, 256, 256]);
        "split" "x[0].split([10, 54], 0)" [64, 64]; |x| x.split(0, &[10, 54]);
        "split" "x[0].split([3, 4], 1)" [65536, 7]; |x| x.split(1, &[3, 4]);
        "split_every" "x[0].split(256, 1)" [1024, 1024]; |x| x.split_every(1, 256);
        "split_every" "x[0].split(8, 0)" [64, 64]; |x| x.split_every(0, 8);
        "split_every" "x[0].split(2, 1)" [65536, 7]; |x| x.split_every(1, 2);
    });
    all.extend(joined());
    all
}

fn joined() -> Vec<Row> {
    let mut all = Vec::new();
    let shapes: [(&[usize], usize, isize); 6] = [
        (&[1024, 512], 2, 1),
        (&[1024, 512], 2, 0),
        (&[64, 16], 4, 1),
        (&[65536, 3], 2, 1),
        (&[16, 64, 28, 28], 4, 1),
        (&[64], 1000, 0),
    ];
    for (shape, n, axis) in shapes {
        let x = vec![real(shape); n];
        let note = format!("axis {axis}");
        let torch = format!("torch.cat(x, {axis})");
        all.push(Row::new("concat", torch, x.clone(), move |x, _| x[0].tape().concat(x, axis)).note(&note));
        let torch = format!("torch.stack(x, {axis})");
        all.push(Row::new("stack", torch, x, move |x, _| x[0].tape().stack(x, axis)).note(&note));
    }
    for sizes in [&[1024usize, 1024][..], &[64, 64], &[4096, 7], &[16, 16, 16]] {
        let x: Vec<_> = sizes.iter().map(|n| real(&[*n])).collect();
        let torch = "torch.meshgrid(*x, indexing='ij')";
        all.push(Row::many("meshgrid", torch, x.clone(), |x, _| x[0].tape().meshgrid(x)));
        let torch = "torch.meshgrid(*x, indexing='xy')";
        all.push(Row::many("meshgrid_xy", torch, x, |x, _| x[0].tape().meshgrid_xy(x)));
    }
    for (shape, n) in [([256, 256], 4), ([16, 16], 4), ([4, 3], 100)] {
        let x = vec![real(&shape); n];
        all.push(Row::new("block_diag", "torch.block_diag(*x)", x, |x, _| x[0].tape().block_diag(x)));
    }
    all
}
