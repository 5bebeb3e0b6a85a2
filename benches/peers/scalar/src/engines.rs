//! The engines, and their variables as numbers of the programs. Each keeps what memory its interface lets it keep.

use crate::programs::{ErrorFunction, Num};
use smallvec::SmallVec;

/// The number of variables that need no allocation.
const FEW: usize = 8;

pub(crate) trait Variable: Num {
    /// A constant, on this variable's tape if constants are on one.
    fn constant(self, c: f64) -> Self;
}

pub(crate) trait Engine: 'static {
    const NAME: &'static str;
    type Var<'t>: Variable;

    /// With memory for so many nodes, where that can be said.
    fn with_capacity(nodes: usize) -> Self;

    /// Records, sweeps, and writes the derivatives by `x`. Returns the bytes of tape, 0 if the engine does not tell.
    fn gradient<F>(&mut self, x: &[f64], grads: &mut [f64], f: F) -> usize
    where
        F: for<'t> FnOnce(&'t [Self::Var<'t>]) -> Self::Var<'t>;
}

/// The derivative of the error function.
fn erf_slope(x: f64) -> f64 {
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp()
}

/// A variable as a number of the programs: sine, exponential, logarithm, root, hyperbolic tangent, value.
macro_rules! num {
    ($type:ty: |$x:ident| $sin:expr, $exp:expr, $ln:expr, $sqrt:expr, $tanh:expr, $value:expr) => {
        impl Num for $type {
            #[inline(always)]
            fn sin(self) -> Self {
                let $x = self;
                $sin
            }
            #[inline(always)]
            fn exp(self) -> Self {
                let $x = self;
                $exp
            }
            #[inline(always)]
            fn ln(self) -> Self {
                let $x = self;
                $ln
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                let $x = self;
                $sqrt
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                let $x = self;
                $tanh
            }
            #[inline(always)]
            fn positive(self) -> Self {
                let $x = self;
                // As a program has it that branches on the value.
                if $value > 0.0 { self } else { self * 0.0 }
            }
        }
    };
}

pub(crate) struct Reverse(reverse::Tape);

mod of_reverse {
    use super::*;
    type Var<'t> = reverse::Var<'t>;

    num!(Var<'_>: |x|
        Var::sin(&x), Var::exp(&x), Var::ln(&x), Var::sqrt(&x), Var::tanh(&x), x.val);

    impl Variable for Var<'_> {
        fn constant(self, c: f64) -> Self {
            self.tape.add_var(c)
        }
    }

    impl Engine for Reverse {
        const NAME: &'static str = "reverse";
        type Var<'t> = Var<'t>;

        fn with_capacity(_: usize) -> Self {
            Self(reverse::Tape::new())
        }

        fn gradient<F>(&mut self, x: &[f64], grads: &mut [f64], f: F) -> usize
        where
            F: for<'t> FnOnce(&'t [Var<'t>]) -> Var<'t>,
        {
            self.0.clear();
            let v: SmallVec<[Var<'_>; FEW]> = x.iter().map(|&x| self.0.add_var(x)).collect();
            // The variables are the first nodes.
            grads.copy_from_slice(&f(&v).grad()[..x.len()]);
            // Two derivatives and two indices, and a cotangent.
            self.0.len() * 40
        }
    }
}

/// The capacity of its tapes: it cannot clear one, so each run has a new one.
pub(crate) struct Aad(usize);

mod of_aad {
    use super::*;
    type Var<'t> = aad::Variable<'t, f64>;

    num!(Var<'_>: |x|
        Var::sin(x), Var::exp(x), Var::ln(x), Var::sqrt(x), Var::tanh(x), x.value());

    impl ErrorFunction for Var<'_> {
        #[inline(always)]
        fn erf(self) -> Self {
            self.apply_unary_function(ErrorFunction::erf, erf_slope)
        }
    }

    impl Variable for Var<'_> {
        fn constant(self, c: f64) -> Self {
            Var::constant(c)
        }
    }

    impl Engine for Aad {
        const NAME: &'static str = "aad";
        type Var<'t> = Var<'t>;

        fn with_capacity(nodes: usize) -> Self {
            Self(nodes)
        }

        fn gradient<F>(&mut self, x: &[f64], grads: &mut [f64], f: F) -> usize
        where
            F: for<'t> FnOnce(&'t [Var<'t>]) -> Var<'t>,
        {
            let tape = aad::Tape::with_capacity(self.0);
            let v: SmallVec<[Var<'_>; FEW]> = tape.create_variables_iter(x).collect();
            let g = f(&v).compute_gradients().expect("a variable");
            for (to, v) in grads.iter_mut().zip(&v) {
                *to = g.get_gradient(v).expect("a variable");
            }
            0
        }
    }
}

/// Its tape is its own business: a pool a thread.
pub(crate) struct Echidna;

mod of_echidna {
    use super::*;
    use echidna::Scalar as _;
    use echidna::tape::with_active_tape;
    use num_traits::Float;
    type Var = echidna::Reverse<f64>;

    impl ErrorFunction for Var {
        #[inline(always)]
        fn erf(self) -> Self {
            let at = with_active_tape(|tape| tape.push_unary(self.index(), erf_slope(self.value())));
            Var::from_tape(ErrorFunction::erf(self.value()), at)
        }
    }

    num!(Var: |x|
        Float::sin(x), Float::exp(x), Float::ln(x), Float::sqrt(x), Float::tanh(x), x.value());

    impl Variable for Var {
        fn constant(self, c: f64) -> Self {
            Var::constant(c)
        }
    }

    impl Engine for Echidna {
        const NAME: &'static str = "echidna";
        type Var<'t> = Var;

        fn with_capacity(_: usize) -> Self {
            Self
        }

        fn gradient<F>(&mut self, x: &[f64], grads: &mut [f64], f: F) -> usize
        where
            F: for<'t> FnOnce(&[Var]) -> Var,
        {
            grads.copy_from_slice(&echidna::grad(f, x));
            0
        }
    }
}

#[cfg(feature = "xad")]
pub(crate) struct Xad(xad_rs::Tape<f64>);

#[cfg(feature = "xad")]
mod of_xad {
    use super::*;
    use xad_rs::math::ad;
    type Var = xad_rs::AReal<f64>;

    num!(Var: |x|
        ad::sin(&x), ad::exp(&x), ad::ln(&x), ad::sqrt(&x), ad::tanh(&x), x.value());

    impl ErrorFunction for Var {
        #[inline(always)]
        fn erf(self) -> Self {
            ad::erf(&self)
        }
    }

    impl Variable for Var {
        fn constant(self, c: f64) -> Self {
            Var::new(c)
        }
    }

    impl Engine for Xad {
        const NAME: &'static str = "xad-rs";
        type Var<'t> = Var;

        fn with_capacity(nodes: usize) -> Self {
            Self(xad_rs::Tape::with_capacity(nodes, 2 * nodes))
        }

        fn gradient<F>(&mut self, x: &[f64], grads: &mut [f64], f: F) -> usize
        where
            F: for<'t> FnOnce(&[Var]) -> Var,
        {
            let tape = &mut self.0;
            tape.new_recording();
            let v: SmallVec<[Var; FEW]> = x.iter().map(|&x| Var::input(x, tape)).collect();
            tape.activate();
            let y = f(&v);
            tape.deactivate();
            y.set_adjoint(tape, 1.0);
            tape.compute_adjoints();
            for (to, v) in grads.iter_mut().zip(&v) {
                *to = v.adjoint(tape);
            }
            4 * tape.num_statements() + 16 * tape.num_operations() + 8 * tape.num_variables() as usize
        }
    }
}
