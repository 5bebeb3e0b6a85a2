//! `ops`: tensors, shapes, errors, buffers, threads, and the kernels on tensors without a tape.

use crate::function::{Function, Seen, done, table};
use wengert::ops::buffer::{self, Buffer};
use wengert::ops::kernel::chain::{Chain, Input, Line, Operand, Output, Step};
use wengert::ops::kernel::find::{gather_positions, positions};
use wengert::ops::kernel::pointwise::{Elementwise, FnKernel, SliceKernel, loops, pointwise};
use wengert::ops::kernel::recurrent::{Adjoint, Cell, Run, Sequence};
use wengert::ops::kernel::rows::{RowKernel, rows};
use wengert::ops::kernel::update::{Update, update};
use wengert::ops::{
    Error, ErrorKind, Layout, Result, Shape, Slice, Tensor, broadcast_shapes, math, moved_order,
    normalize_axis, parallel,
};
use wengert::tape::Float;

use crate::arguments::Arguments;

struct Halve;
impl<T: Float> Update<2, T> for Halve {
    #[inline(always)]
    fn call(&self, [p, m]: [T; 2], g: T) -> [T; 2] {
        [p - g, m + g]
    }
}

struct Plus;
impl<T: Float> Step<T> for Plus {
    fn cost(&self) -> usize {
        1
    }
    fn run(&self, x: &[&[T]], out: &mut [T]) {
        for (i, o) in out.iter_mut().enumerate() {
            *o = x[0][i] + x[1][i];
        }
    }
}

/// A chain of a few steps, whose operands may not exist.
fn chain<'a, T: Float>(a: &mut Arguments<'_, T>, x: &'a Tensor<T>, y: &'a Tensor<T>) -> Chain<'a, T> {
    let operand = |a: &mut Arguments<'_, T>, made: usize| match a.below(9) {
        0 => Operand::Step(a.below(4)),
        i if i > 4 && made > 0 => Operand::Step(a.below(made)),
        i => Operand::Input(i % 2),
    };
    let mut lines = Vec::new();
    for i in 0..a.below(4) {
        lines.push(Line {
            step: &Plus as &dyn Step<T>,
            x: [operand(a, i), operand(a, i)].into_iter().collect(),
        });
    }
    let mut outputs = Vec::new();
    for _ in 0..a.below(3) {
        let (of, sum) = (operand(a, lines.len()), a.once_in(2));
        let axes = (0..a.below(x.rank() + 2).max(1)).collect();
        outputs.push(if sum { Output::Sum(of, axes) } else { Output::Values(of) });
    }
    Chain { shape: x.shape().clone(), inputs: vec![Input::Tensor(x), Input::Tensor(y)], lines, outputs }
}

struct First;
impl<T: Float> RowKernel<T, T> for First {
    #[inline(always)]
    fn call(&self, x: &[T], y: &mut [T]) {
        y.fill(x.first().copied().unwrap_or(T::ZERO));
    }
}

/// A recurrence with all its tensors.
struct Recurrent<T: Float> {
    cell: Cell,
    reverse: bool,
    lengths: Option<Tensor<i64>>,
    x: Tensor<T>,
    weight: Tensor<T>,
    bias: Option<Tensor<T>>,
    h: Tensor<T>,
    c: Option<Tensor<T>>,
}

impl<T: Float> Recurrent<T> {
    fn drawn(a: &mut Arguments<'_, T>) -> Self {
        let cell = a.pick(&[Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru]);
        let [steps, batch, hidden] = a.sizes::<3>().map(|n| n.min(4));
        let width = cell.gates() * hidden;
        let state = [batch, hidden];
        Recurrent {
            cell,
            reverse: a.flag(),
            lengths: a.once_in(3).then(|| a.index_of(&[batch], steps + 1)),
            x: a.like(&[steps, batch, width]),
            weight: a.like(&[width, hidden]),
            bias: a.once_in(2).then(|| a.like(&[width])),
            h: a.like(&state),
            c: (cell == Cell::Lstm).then(|| a.like(&state)),
        }
    }

    fn sequence(&self) -> Sequence<'_, T> {
        Sequence {
            cell: self.cell,
            reverse: self.reverse,
            lengths: self.lengths.as_ref(),
            x: &self.x,
            weight: &self.weight,
            bias: self.bias.as_ref(),
            h: &self.h,
            c: self.c.as_ref(),
        }
    }
}

fn adjoint<T: Float>(a: &mut Arguments<'_, T>) -> Result<Vec<Tensor<T>>> {
    let r = Recurrent::drawn(a);
    let Run { y, h, c, saved } = r.sequence().run()?;
    let mut cotangent = |t: &Tensor<T>| a.once_in(2).then(|| a.like(t.shape()));
    let (gy, gh, gc) = (cotangent(&y), cotangent(&h), c.as_ref().and_then(&mut cotangent));
    let saved = if a.once_in(8) { a.like(saved.shape()) } else { saved };
    let Adjoint { x, weight, bias, h, c } =
        r.sequence().adjoint(&saved, gy.as_ref(), gh.as_ref(), gc.as_ref())?;
    Ok(vec![x, weight, bias, h, c])
}

fn error<T: Float>(a: &mut Arguments<'_, T>) -> Error {
    Error::new("fuzz", a.pick(&[ErrorKind::Shape, ErrorKind::Axis, ErrorKind::Index]), "x".repeat(a.below(9)))
}

/// Sizes that need not be those of a tensor.
fn any_shape<T: Float>(a: &mut Arguments<'_, T>) -> Shape {
    let mut shape = a.dims(0..=5);
    while a.once_in(4) {
        shape.push(a.count(0..=3));
    }
    Shape::from(shape)
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "ops::Tensor" {
            from_vec: { let n = a.below(9); Tensor::from_vec(vec![T::ONE; n], [a.count(n..=n)]) };
            from_slice: { let n = a.below(9); Tensor::from_slice(&vec![T::ONE; n], &[a.count(n..=n)][..]) };
            scalar: Tensor::scalar(T::from_f64(a.number()));
            try_full: Tensor::try_full(a.new_shape(), T::ONE);
            full_like: Tensor::full_like(&a.tensor(), T::ONE);
            shape: a.tensor().shape().clone();
            rank: a.tensor().rank();
            numel: a.tensor().numel();
            dtype: a.tensor().dtype();
            layout: a.tensor().layout().clone();
            strides: done(a.tensor().strides());
            is_contiguous: a.tensor().is_contiguous();
            as_slice: done(a.tensor().as_slice());
            contiguous: a.tensor().contiguous();
            to_vec: done(a.tensor().to_vec());
            data_mut: { let mut t = a.tensor(); t.data_mut().iter_mut().for_each(|v| *v = T::ONE); t };
            shares_buffer: a.tensor().shares_buffer(&a.tensor());
            buffer_address: a.tensor().buffer_address();
            buffer_len: a.tensor().buffer_len();
            buffer_owners: a.tensor().buffer_owners();
            item: { let t = if a.once_in(2) { a.tensor_of(&[1, 1]) } else { a.tensor() };
                t.item().map(done) };
            get: { let t = a.tensor(); let at: Vec<_> = a.shape.clone().into_iter().map(|d| a.count(0..=d.max(1) - 1))
                .collect(); t.get(&at).map(done) };
            map: a.tensor().map(|v| v.to_f64() > 0.0);
            zeros: Tensor::<T>::zeros(a.tame().new_shape());
            ones: Tensor::<T>::ones(a.tame().new_shape());
            full: Tensor::<T>::full(a.tame().new_shape(), a.number());
            arange: { let start = a.number(); Tensor::<T>::arange(start, start + a.within(-9.0, 9.0), a.within(-2.0, 2.0)) };
            linspace: { let n = a.tame().count(0..=9); Tensor::<T>::linspace(a.number(), a.number(), n) };
            steps: { let n = a.tame().count(0..=9); Tensor::<T>::steps(a.number(), a.number(), n) };
            eye: Tensor::<T>::eye(a.count(0..=9));
            cast: (a.tensor().cast::<f32>(), a.tensor().cast::<f64>());
            has_non_finite: a.tensor().has_non_finite();
            permute: a.tensor().permute(a.permutation());
            transpose: a.tensor().transpose(a.axis(), a.axis());
            slice: a.ranked(1..=5).slice(a.axis(), a.slice());
            select: a.ranked(1..=5).select(a.axis(), a.position());
            expand: a.tensor().expand(a.wider());
            reshape: a.tensor().reshape(a.reshaped());
            view: a.tensor().view(a.reshaped());
            unfold: { let t = a.ranked(1..=4); let axis = a.axis(); let n = a.along();
                t.unfold(axis, a.count(0..=n), a.count(1..=3)) };
            unsqueeze: a.tensor().unsqueeze(a.new_axis());
            squeeze: { let t = a.tensor(); let ones: Vec<_> = (0..t.rank()).filter(|&i| t.shape()[i] == 1).collect();
                if a.once_in(3) { t.squeeze(a.axes()) } else { t.squeeze(ones) } };
            t: a.ranked(1..=4).t();
            flatten: { let t = a.tensor(); t.flatten(a.count(0..=t.rank())) };
            flatten_axes: { let t = a.ranked(1..=5); let i = a.axis();
                let j = if a.once_in(2) { -1 } else { a.axis() };
                t.flatten_axes(i, j) };
            unflatten: { let [m, n] = a.sizes(); let t = a.tensor_of(&[2, m * n]);
                if a.once_in(3) { t.unflatten(a.axis(), a.reshaped()) } else { t.unflatten(1, [m, n]) } };
            squeeze_all: a.tensor().squeeze_all();
            flip: a.tensor().flip(a.axes());
            roll: { let t = a.ranked(1..=4); let axes = a.axes();
                let shifts: Vec<_> = axes.iter().map(|_| a.offset()).collect(); t.roll(axes, shifts) };
            movedim: { let t = a.ranked(1..=5); let from = a.axes();
                let to: Vec<_> = a.permutation().into_iter().take(from.len()).collect(); t.movedim(from, to) };
            narrow: { let t = a.ranked(1..=4); let axis = a.axis(); let n = a.along();
                t.narrow(axis, a.count(0..=n), a.count(0..=n)) };
            split: { let t = a.ranked(1..=4); let axis = a.axis(); t.split(axis, &a.parts()) };
            split_every: a.ranked(1..=4).split_every(a.axis(), a.count(1..=4));
            chunk: a.ranked(1..=4).chunk(a.axis(), a.count(1..=4));
            unbind: a.ranked(1..=4).unbind(a.axis());
            repeat: a.ranked(0..=3).repeat(&a.each_axis(0..=2));
            tile: a.ranked(0..=3).tile(&a.each_axis(0..=2));
            repeat_interleave: a.ranked(1..=4).repeat_interleave(a.axis(), a.count(0..=3));
            rot90: { let t = a.ranked(2..=4); let order = a.permutation();
                t.rot90(a.offset(), [order.first().copied().unwrap_or(0), order.get(1).copied().unwrap_or(1)]) };
            diagonal: a.ranked(2..=4).diagonal(a.offset());
            trace: a.ranked(2..=4).trace();
            tril: a.ranked(2..=4).tril(a.offset());
            triu: a.ranked(2..=4).triu(a.offset());
            masked_select: a.beside_tensor().masked_select(a.booleans());
            index_select: a.ranked(1..=4).index_select(a.axis(), &a.along_axis());
            gather: a.ranked(1..=4).gather(a.axis(), &a.gathered());
            index_add: { let t = a.ranked(1..=4); let (axis, at, src) = sources(a);
                t.index_add(axis, &at, &src) };
            into_slice_add: { let t = a.ranked(1..=4); let (axis, range) = (a.axis(), a.slice());
                let src = t.slice(axis, range).unwrap_or_else(|_| a.tensor()); t.into_slice_add(axis, range, &src) };
            into_embedding_add: { let [n, width] = a.sizes(); let ids = a.index(n); let table = a.like(&[n, width]);
                let rows: Vec<usize> = ids.shape().iter().copied().chain([width]).collect();
                table.into_embedding_add(&ids, &a.like(&rows), None) };
            into_index_add: { let t = a.ranked(1..=4); let (axis, at, src) = sources(a);
                t.into_index_add(axis, &at, &src) };
            index_copy: { let t = a.ranked(1..=4); let (axis, at, src) = sources(a);
                t.index_copy(axis, &at, &src) };
            scatter_add: { let t = a.ranked(1..=4); let axis = a.axis(); let at = a.gathered();
                t.scatter_add(axis, &at, &a.like(at.shape())) };
            into_scatter_add: { let t = a.ranked(1..=4); let axis = a.axis(); let at = a.gathered();
                t.into_scatter_add(axis, &at, &a.like(at.shape())) };
            one_hot: { let n = a.count(0..=5); Tensor::<T>::one_hot(&a.index(n.min(6)), n) };
            embedding_adjoint: { let [n, width] = a.sizes(); let ids = a.index(n);
                let g: Vec<_> = ids.shape().iter().copied().chain([width]).collect();
                let skip = a.once_in(2).then(|| a.count(0..=n));
                a.like(&g).embedding_adjoint(&ids, a.count(n..=n), skip) };
            nonzero: a.booleans().nonzero();
            flat_nonzero: done(a.booleans().flat_nonzero());
            bincount: a.index(5).bincount(a.count(0..=9));
            concat: Tensor::concat(&a.tensors(), a.axis());
            stack: Tensor::stack(&a.tensors(), a.new_axis());
            pad: a.tensor().pad(&a.widths(), T::from_f64(a.number()));
            sum_axes: a.tensor().sum_axes(a.axes());
            sum_keepdim: a.tensor().sum_keepdim(a.axes());
            sum: a.tensor().sum();
            sum_to: a.tensor().sum_to(Shape::from(a.narrower()));
            max: a.tensor().max();
            max_axes: a.tensor().max_axes(a.axes());
            max_keepdim: a.tensor().max_keepdim(a.axes());
            min: a.tensor().min();
            min_axes: a.tensor().min_axes(a.axes());
            min_keepdim: a.tensor().min_keepdim(a.axes());
            argmax: a.ranked(1..=4).argmax(a.axis());
            argmin: a.ranked(1..=4).argmin(a.axis());
            argsort: a.ranked(1..=4).argsort(a.axis(), a.flag());
            argtopk: { let t = a.ranked(1..=4); let axis = a.axis(); let n = a.along();
                t.argtopk(axis, a.count(0..=n), a.flag()) };
            matmul: { let (x, y) = products(a); x.matmul(&y) };
            linear: { let [n, i, o] = a.sizes(); let (x, w) = (a.like(&[n, i]), a.like(&[o, i]));
                let b = a.like(&[o]); x.linear(&w, a.once_in(2).then_some(&b)) };
            softmax: a.ranked(1..=4).softmax(a.axis());
            log_softmax: a.ranked(1..=4).log_softmax(a.axis());
            softmax_adjoint: { let y = a.ranked(1..=4); let g = a.like(y.shape());
                y.softmax_adjoint(&g, a.axis()) };
            log_softmax_adjoint: { let y = a.ranked(1..=4); let g = a.like(y.shape());
                y.log_softmax_adjoint(&g, a.axis()) };
            cross_entropy: { let [n, k] = a.sizes::<2>(); let n = if k == 0 { 0 } else { n };
                a.like(&[n, k]).cross_entropy(&a.index_of(&[n], k)) };
            cross_entropy_adjoint: { let [n, k] = a.sizes::<2>(); let n = if k == 0 { 0 } else { n };
                a.like(&[n, k]).cross_entropy_adjoint(&a.index_of(&[n], k), &a.like(&[n])) };
            logsumexp: a.tensor().logsumexp(a.axes());
            logsumexp_keepdim: a.tensor().logsumexp_keepdim(a.axes());
            add: a.tensor().add(a.beside_tensor());
            sub: a.tensor().sub(a.beside_tensor());
            mul: a.tensor().mul(a.beside_tensor());
            div: a.tensor().div(a.beside_tensor());
            maximum: { let t = a.tensor(); if a.once_in(3) { t.maximum(a.number()) } else { t.maximum(a.beside_tensor()) } };
            minimum: { let t = a.tensor(); if a.once_in(3) { t.minimum(a.number()) } else { t.minimum(a.beside_tensor()) } };
            eq: a.tensor().eq(a.beside_tensor());
            ne: a.tensor().ne(a.beside_tensor());
            lt: a.tensor().lt(a.beside_tensor());
            le: a.tensor().le(a.beside_tensor());
            gt: { let t = a.tensor(); if a.once_in(3) { t.gt(a.number()) } else { t.gt(a.beside_tensor()) } };
            ge: a.tensor().ge(a.beside_tensor());
            scale: a.tensor().scale(a.number());
            abs: a.tensor().abs();
            sqrt: a.tensor().sqrt();
            exp: a.tensor().exp();
            expm1: a.tensor().expm1();
            log: a.tensor().log();
            log1p: a.tensor().log1p();
            log2: a.tensor().log2();
            log10: a.tensor().log10();
            tanh: a.tensor().tanh();
            square: a.tensor().square();
            pow: { let t = a.tensor(); if a.once_in(2) { t.pow(a.number()) } else { t.pow(a.beside_tensor()) } };
            recip: a.tensor().recip();
            relu: a.tensor().relu();
            clamp: a.tensor().clamp(a.number(), a.number());
            clamp_min: a.tensor().clamp_min(a.number());
            clamp_max: a.tensor().clamp_max(a.number());
            clamp_between: a.tensor().clamp_between(a.number(), a.beside_tensor());
            sigmoid: a.tensor().sigmoid();
            erf: a.tensor().erf();
            sin: a.tensor().sin();
            cos: a.tensor().cos();
            zip_map: a.tensor().zip_map(&a.beside_tensor(), |x, y| x * y);
            floor: a.tensor().floor();
            ceil: a.tensor().ceil();
            round: a.tensor().round();
            trunc: a.tensor().trunc();
            sign: a.tensor().sign();
            logical_not: a.booleans().logical_not();
            logical_and: { let m = a.booleans(); m.logical_and(&a.mask_of(m.shape())) };
            logical_or: { let m = a.booleans(); m.logical_or(&a.mask_of(m.shape())) };
            to_float: a.booleans().to_float::<T>();
            masked_fill: { let t = a.beside_tensor(); t.masked_fill(a.booleans(), a.number()) };
            where_cond: a.beside_tensor().where_cond(a.booleans(), a.beside_tensor());
        }
        "ops::Slice" {
            all: a.ranked(1..=3).slice(0, Slice::all());
            step: a.ranked(1..=3).slice(0, Slice::all().step(a.offset()));
        }
        "ops::Shape" {
            scalar: Shape::scalar();
            numel: any_shape(a).numel();
            checked_numel: any_shape(a).checked_numel();
            reduced: { let axes: Vec<_> = (0..a.below(4)).map(|_| a.count(0..=4)).collect();
                any_shape(a).reduced(&axes, a.flag()) };
        }
        "ops::Layout" {
            contiguous: Layout::contiguous(any_shape(a));
            is_contiguous: Layout::contiguous(any_shape(a)).is_contiguous();
        }
        "ops::shape" {
            normalize_axis: { a.tensor(); normalize_axis("fuzz", a.axis(), a.shape.len()) };
            broadcast_shapes: { a.tensor();
                broadcast_shapes("fuzz", &Shape::from(&a.shape[..]), &Shape::from(a.narrower())) };
        }
        "ops::rearrange" {
            moved_order: { a.tensor(); moved_order(a.shape.len(), a.axes(), a.axes()).map(done) };
        }
        "ops::find" {
            positions: { a.ranked(1..=4); positions("fuzz", &Shape::from(&a.shape[..]), &a.indices()) };
            gather_positions: { a.ranked(1..=4);
                gather_positions("fuzz", &Shape::from(&a.shape[..]), a.axis(), &a.gathered()) };
        }
        "ops::Elementwise" {
            of: { let x = a.tensor().to_vec(); let mut y = vec![T::ZERO; x.len()];
                Elementwise::of(&FnKernel(|x: T| x + x)).run([&x[..]], &mut y); y.len() };
        }
        "ops::Chain" {
            run: { let (x, y) = (a.tensor(), a.beside_tensor()); chain(a, &x, &y).run().map(done) };
        }
        "ops::pointwise" {
            pointwise: pointwise("fuzz", [&a.tensor(), &a.beside_tensor()], &FnKernel(|x: T, y: T| x + y));
            loops: loops("fuzz", [&a.tensor(), &a.beside_tensor()], &Elementwise(FnKernel(|x: T, y: T| x < y)));
        }
        "ops::rows" {
            rows: rows("fuzz", &a.tensor(), a.size(), &First);
        }
        "ops::update" {
            update: { let (mut p, mut m) = (a.tensor(), a.beside_tensor());
                update("fuzz", [&mut p, &mut m], &a.beside_tensor(), &Halve) };
        }
        "ops::Sequence" {
            run: Recurrent::drawn(a).sequence().run().map(|run| vec![run.y, run.h, run.saved]);
            adjoint: adjoint(a);
        }
        "ops::Cell" {
            gates: a.pick(&[Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru]).gates();
            name: a.pick(&[Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru]).name();
        }
        "ops::Error" {
            new: done(error(a));
            op: error(a).op();
            kind: done(error(a).kind());
            detail: done(error(a).detail());
            in_op: error(a).in_op("other").to_string();
        }
        "ops::Buffer" {
            unspecified: done(Buffer::<T>::unspecified(a.tame().count(0..=2000)).len());
            filled: done(Buffer::filled(a.tame().count(0..=2000), T::ONE).len());
            from_slice: done(Buffer::from_slice(&vec![T::ONE; a.below(300)]).len());
        }
        "ops::buffer" {
            stats: done(buffer::stats());
            reset_peak: buffer::reset_peak();
            set_cache_limit: { buffer::set_cache_limit(a.count(0..=1 << 20));
                buffer::set_cache_limit(1 << 30); };
            clear_cache: buffer::clear_cache();
        }
        "ops::parallel" {
            in_small_pieces: { let t = a.tensor(); let n = a.tame().count(0..=3);
                parallel::in_small_pieces(n, || t.sum_axes([0isize; 0]).map(|_| t.softmax(0)).is_ok()) };
            sections: parallel::sections();
            threads: parallel::threads();
            collect: done(parallel::collect(a.below(9), |i| i * i));
        }
        "ops::single" {
            exp: math::single::exp(a.number() as f32);
            exp2: math::single::exp2(a.number() as f32);
            expm1: math::single::expm1(a.number() as f32);
            ln: math::single::ln(a.number() as f32);
            ln_1p: math::single::ln_1p(a.number() as f32);
            tanh: math::single::tanh(a.number() as f32);
            sigmoid: math::single::sigmoid(a.number() as f32);
            erf: math::single::erf(a.number() as f32);
            erfc: math::single::erfc(a.number() as f32);
            trig_is_large: math::single::trig_is_large(a.number() as f32);
            sin: math::single::sin(a.number() as f32);
            cos: math::single::cos(a.number() as f32);
            tan: math::single::tan(a.number() as f32);
            atan: math::single::atan(a.number() as f32);
            asin: math::single::asin(a.number() as f32);
            acos: math::single::acos(a.number() as f32);
            sinh: math::single::sinh(a.number() as f32);
            cosh: math::single::cosh(a.number() as f32);
            asinh: math::single::asinh(a.number() as f32);
            acosh: math::single::acosh(a.number() as f32);
            atanh: math::single::atanh(a.number() as f32);
            log2: math::single::log2(a.number() as f32);
            log10: math::single::log10(a.number() as f32);
            erf_inv: math::single::erf_inv(a.number() as f32);
            log_gamma: math::single::log_gamma(a.number() as f32);
            atan2: math::single::atan2(a.number() as f32, a.number() as f32);
            hypot: math::single::hypot(a.number() as f32, a.number() as f32);
            powf: math::single::powf(a.number() as f32, a.number() as f32);
            fmod: math::single::fmod(a.number() as f32, a.number() as f32);
            fmod_is_large: math::single::fmod_is_large(a.number() as f32, a.number() as f32);
        }
        "ops::double" {
            exp: math::double::exp(a.number());
            exp2: math::double::exp2(a.number());
            expm1: math::double::expm1(a.number());
            ln: math::double::ln(a.number());
            ln_1p: math::double::ln_1p(a.number());
            tanh: math::double::tanh(a.number());
            sigmoid: math::double::sigmoid(a.number());
            erf: math::double::erf(a.number());
            erfc: math::double::erfc(a.number());
            trig_is_large: math::double::trig_is_large(a.number());
            sin: math::double::sin(a.number());
            cos: math::double::cos(a.number());
            powf: math::double::powf(a.number(), a.number());
            tan: math::double::tan(a.number());
            atan: math::double::atan(a.number());
            asin: math::double::asin(a.number());
            acos: math::double::acos(a.number());
            sinh: math::double::sinh(a.number());
            cosh: math::double::cosh(a.number());
            asinh: math::double::asinh(a.number());
            acosh: math::double::acosh(a.number());
            atanh: math::double::atanh(a.number());
            log2: math::double::log2(a.number());
            log10: math::double::log10(a.number());
            atan2: math::double::atan2(a.number(), a.number());
            hypot: math::double::hypot(a.number(), a.number());
            fmod: math::double::fmod(a.number(), a.number());
            fmod_is_large: math::double::fmod_is_large(a.number(), a.number());
        }
        "ops::portable" {
            exp: math::portable::exp(a.number());
            ln: math::portable::ln(a.number());
            powf: math::portable::powf(a.number(), a.number());
            sin: math::portable::sin(a.number());
            cos: math::portable::cos(a.number());
            tan: math::portable::tan(a.number());
            sin_cos: math::portable::sin_cos(a.number()).0;
            hypot: math::portable::hypot(a.number(), a.number());
        }
        "ops::special" {
            log_gamma: math::special::log_gamma(a.number());
            digamma: math::special::digamma(a.number());
            trigamma: math::special::trigamma(a.number());
            polygamma: math::special::polygamma(a.count(0..=9) as u32, a.number());
            erf_inv: math::special::erf_inv(a.number());
            log_ndtr: math::special::log_ndtr(a.number());
            inverse_mills: math::special::inverse_mills(a.number());
            mills_tail: math::special::mills_tail(a.count(0..=9) as u32, a.number());
        }
    }
}

fn sources<T: Float>(a: &mut Arguments<'_, T>) -> (isize, Tensor<i64>, Tensor<T>) {
    let axis = a.axis();
    let at = a.along_axis();
    let mut shape = a.shape.clone();
    let i = normalize_axis("fuzz", axis, shape.len()).unwrap_or(0);
    if let Some(d) = shape.get_mut(i) {
        *d = at.numel();
    }
    (axis, at, a.like(&shape))
}

fn products<T: Float>(a: &mut Arguments<'_, T>) -> (Tensor<T>, Tensor<T>) {
    let [b, n, k, m] = a.sizes().map(|n: usize| n.min(4));
    match a.below(4) {
        0 => (a.like(&[k]), a.like(&[k])),
        1 => (a.like(&[n, k]), a.like(&[k, m])),
        2 => (a.like(&[b, n, k]), a.like(&[k, m])),
        _ => (a.like(&[b, n, k]), a.like(&[1, k, m])),
    }
}
