//! The matrix product. Cotangents: ga = g bᵀ, gb = aᵀ g, summed over the batch axes that were broadcast.

use super::prelude::*;

struct MatMul;

impl<T: Float> Op<T> for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].matmul(x[1])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (a, b, g) = (r.x(0), r.x(1), r.gy());
        let (sa, sb) = (a.raw_shape(), b.raw_shape());
        // Vectors are a row and a column; the product removed their axis, so its cotangent gets it back.
        let g = if sa.len() == 1 { g.unsqueeze(if sb.len() == 1 { -1 } else { -2 }) } else { g };
        let g = if sb.len() == 1 { g.unsqueeze(-1) } else { g };
        let a = if sa.len() == 1 { a.unsqueeze(0) } else { a };
        let b = if sb.len() == 1 { b.unsqueeze(1) } else { b };
        let restore = |g: Var<'s, T>, as_matrix: Shape, shape: Shape| g.sum_to(as_matrix).reshape(shape);
        cotangents([
            r.when(0, || restore(g.matmul(b.t()), a.raw_shape(), sa)),
            r.when(1, || {
                if b.rank() == 2 && a.rank() > 2 {
                    // One product over the whole batch instead of a sum of products.
                    let rows: usize = a.raw_shape().iter().rev().skip(1).product();
                    let [k, n] = b.dims();
                    return a.reshape([rows, k]).t().matmul(g.reshape([rows, n])).reshape(sb);
                }
                restore(a.t().matmul(g), b.raw_shape(), sb)
            }),
        ])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let plain = || -> Result<_> {
            let (a, b, g) = (r.x(0), r.x(1), r.gy()?);
            let ga = if r.needs(0) { Some(g.matmul(&b?.transpose(0, 1)?)?) } else { None };
            let gb = if r.needs(1) { Some(a?.transpose(0, 1)?.matmul(g)?) } else { None };
            Ok(cotangents([ga, gb]))
        };
        (r.shape(0).len() == 2 && r.shape(1).len() == 2).then(plain)
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        2 * (outputs[0].numel() * inputs[0].last().copied().unwrap_or(1)) as u64
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        saves_of_product(needs)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The matrix product `[.., m, k] · [.., k, n]` → `[.., m, n]`; leading axes broadcast, a vector is a row on the left
    /// and a column on the right, and the product over an empty inner axis is zero.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let w = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(w.matmul(Tensor::from([1.0, 1.0])).value()?.to_vec(), [3.0, 7.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "bmm")]
    #[doc(alias = "mm")]
    #[doc(alias = "mv")]
    #[track_caller]
    pub fn matmul(self, o: impl Operand<'t, T>) -> Self {
        let o = o.into_var(self.tape());
        self.tape().apply_static(&MatMul, &[self, o])
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("matmul", Order::Second, |g| {
        let (mut m, mut k, mut n) = (g.dim(1..=3), g.dim(0..=3), g.dim(1..=3));
        let mut batch = [1, 2, 2][..g.within(0..=2)].to_vec();
        if g.is_large() && g.once_in(4) {
            // Two tasks of three million multiply-adds.
            [m, k, n] = g.pick(&[[65, 65, 1537], [1537, 65, 65], [65, 1537, 65]]);
            batch.clear();
        } else if g.is_large() {
            batch.iter_mut().for_each(|d| *d = g.around(1..=2, &[7, 8, 9, 17]));
        }
        let with = |g: &mut crate::gradcheck::Gen, r: usize, c: usize| {
            let mut s = if g.once_in(2) { g.broadcastable(&batch) } else { batch.clone() };
            s.extend([r, c]);
            s
        };
        let a = if g.once_in(4) { vec![k] } else { with(g, m, k) };
        let b = if g.once_in(4) { vec![k] } else { with(g, k, n) };
        case!(vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real)], [], |x| x[0].matmul(x[1]))
    })
}
