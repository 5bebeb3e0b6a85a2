//! The handles of the scalar tape, and jets, as numbers of the programs.

use crate::programs::{ErrorFunction, Num};
use wengert::tape::Elementary;
use wengert::tape::scalar::{Jet, Number, Var};

macro_rules! num {
    ($(($($generics:tt)*) $type:ty;)*) => {$(
        impl<$($generics)*> Num for $type {
            #[inline(always)]
            fn sin(self) -> Self {
                Elementary::sin(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                Elementary::exp(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                Elementary::log(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Elementary::sqrt(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                Elementary::tanh(self)
            }
            #[inline(always)]
            fn positive(self) -> Self {
                Elementary::relu(self)
            }
        }

        impl<$($generics)*> ErrorFunction for $type {
            #[inline(always)]
            fn erf(self) -> Self {
                Elementary::erf(self)
            }
        }
    )*};
}
num! {
    ('t, T: Number) Var<'t, T>;
    (const N: usize, T: Number) Jet<N, T>;
}

#[cfg(test)]
mod tests {
    use crate::programs::{black_scholes, oscillate};
    use wengert::tape::scalar::Tape;

    #[test]
    fn the_tape_computes_what_plain_numbers_do() {
        let tape = Tape::new();
        let x = [100.0, 95.0, 0.03, 0.2, 0.7];
        let y = black_scholes(x.map(|v| tape.var(v)));
        assert!((y.value() - black_scholes(x)).abs() < 1e-12);
        assert!((oscillate(tape.var(0.3), tape.var(0.2)).value() - oscillate(0.3, 0.2)).abs() < 1e-15);
    }
}
