//! One step of a row: the gates and the state from the input's part `x` and the recurrent part `g`, and the adjoints.

use crate::float::Float;

pub(super) struct Elman<'a, T, const RELU: bool> {
    pub(super) x: &'a [T],
    pub(super) g: &'a [T],
    pub(super) out: &'a mut [T],
}

impl<T: Float, const RELU: bool> pulp::NullaryFnOnce for Elman<'_, T, RELU> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        for ((h, &x), &g) in self.out.iter_mut().zip(self.x).zip(self.g) {
            let a = x + g;
            *h = if RELU { a.maximum(T::ZERO) } else { a.tanh() };
        }
    }
}

pub(super) struct ElmanAdjoint<'a, T, const RELU: bool> {
    pub(super) rec: &'a [T],
    pub(super) dh: &'a mut [T],
    pub(super) dx: &'a mut [T],
}

impl<T: Float, const RELU: bool> pulp::NullaryFnOnce for ElmanAdjoint<'_, T, RELU> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        for ((dx, dh), &h) in self.dx.iter_mut().zip(self.dh).zip(self.rec) {
            let slope =
                if RELU { if h > T::ZERO || h.is_nan() { T::ONE } else { T::ZERO } } else { T::ONE - h * h };
            *dx = *dh * slope;
            *dh = T::ZERO;
        }
    }
}

/// `n` runs of equal length.
#[inline(always)]
fn runs<const N: usize, T>(x: &[T], n: usize) -> [&[T]; N] {
    std::array::from_fn(|k| &x[k * n..(k + 1) * n])
}

#[inline(always)]
fn runs_mut<const N: usize, T>(mut x: &mut [T], n: usize) -> [&mut [T]; N] {
    std::array::from_fn(|_| {
        let (run, rest) = std::mem::take(&mut x).split_at_mut(n);
        x = rest;
        run
    })
}

pub(super) struct LstmRow<'a, T> {
    pub(super) x: &'a [T],
    pub(super) g: &'a [T],
    pub(super) c: &'a [T],
    pub(super) out: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for LstmRow<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let n = self.c.len();
        let (x, g, before) = (runs::<4, T>(self.x, n), runs::<4, T>(self.g, n), &self.c[..n]);
        let [i, f, z, o, c, h] = runs_mut::<6, T>(self.out, n);
        for k in 0..n {
            i[k] = (x[0][k] + g[0][k]).sigmoid();
            f[k] = (x[1][k] + g[1][k]).sigmoid();
            z[k] = (x[2][k] + g[2][k]).tanh();
            o[k] = (x[3][k] + g[3][k]).sigmoid();
            c[k] = f[k] * before[k] + i[k] * z[k];
            h[k] = o[k] * c[k].tanh();
        }
    }
}

pub(super) struct LstmAdjoint<'a, T> {
    pub(super) rec: &'a [T],
    pub(super) c: &'a [T],
    pub(super) dh: &'a mut [T],
    pub(super) dc: &'a mut [T],
    pub(super) dx: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for LstmAdjoint<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let n = self.c.len();
        let [i, f, z, o, c, _] = runs::<6, T>(self.rec, n);
        let [di, df, dz, d_o] = runs_mut::<4, T>(self.dx, n);
        let (before, dh, dc) = (&self.c[..n], &mut self.dh[..n], &mut self.dc[..n]);
        for k in 0..n {
            let t = c[k].tanh();
            let d = dc[k] + dh[k] * o[k] * (T::ONE - t * t);
            di[k] = d * z[k] * i[k] * (T::ONE - i[k]);
            df[k] = d * before[k] * f[k] * (T::ONE - f[k]);
            dz[k] = d * i[k] * (T::ONE - z[k] * z[k]);
            d_o[k] = dh[k] * t * o[k] * (T::ONE - o[k]);
            dc[k] = d * f[k];
            dh[k] = T::ZERO;
        }
    }
}

pub(super) struct GruRow<'a, T> {
    pub(super) x: &'a [T],
    pub(super) g: &'a [T],
    pub(super) h: &'a [T],
    pub(super) out: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for GruRow<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let n = self.h.len();
        let (x, g, before) = (runs::<3, T>(self.x, n), runs::<3, T>(self.g, n), &self.h[..n]);
        let [r, z, m, part, h] = runs_mut::<5, T>(self.out, n);
        for k in 0..n {
            r[k] = (x[0][k] + g[0][k]).sigmoid();
            z[k] = (x[1][k] + g[1][k]).sigmoid();
            part[k] = g[2][k];
            m[k] = (x[2][k] + r[k] * g[2][k]).tanh();
            h[k] = (T::ONE - z[k]) * m[k] + z[k] * before[k];
        }
    }
}

pub(super) struct GruAdjoint<'a, T> {
    pub(super) rec: &'a [T],
    pub(super) h: &'a [T],
    pub(super) dh: &'a mut [T],
    pub(super) dx: &'a mut [T],
    pub(super) dg: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for GruAdjoint<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let n = self.h.len();
        let [r, z, m, part, _] = runs::<5, T>(self.rec, n);
        let [dxr, dxz, dxm] = runs_mut::<3, T>(self.dx, n);
        let [dgr, dgz, dgm] = runs_mut::<3, T>(self.dg, n);
        let (before, dh) = (&self.h[..n], &mut self.dh[..n]);
        for k in 0..n {
            let dm = dh[k] * (T::ONE - z[k]) * (T::ONE - m[k] * m[k]);
            dxm[k] = dm;
            dgm[k] = dm * r[k];
            dxr[k] = dm * part[k] * r[k] * (T::ONE - r[k]);
            dgr[k] = dxr[k];
            dxz[k] = dh[k] * (before[k] - m[k]) * z[k] * (T::ONE - z[k]);
            dgz[k] = dxz[k];
            dh[k] *= z[k];
        }
    }
}
