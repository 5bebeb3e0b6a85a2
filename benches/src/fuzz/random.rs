//! `ops::random`.

use crate::function::{Function, Seen, done, table};
use wengert::ops::Tensor;
use wengert::ops::random::{Key, Purpose, Rng, bernoulli, normal, uniform};
use wengert::tape::Float;

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "ops::Tensor" {
            randn: Tensor::<T>::randn(a.new_shape(), &mut a.rng());
            rand: Tensor::<T>::rand(a.new_shape(), &mut a.rng());
        }
        "ops::random" {
            uniform: { let (low, width) = (a.number(), a.positive());
                uniform::<T>(a.new_shape(), low, low + width, a.key()) };
            normal: normal::<T>(a.new_shape(), a.number(), a.positive(), a.key());
            bernoulli: bernoulli::<T>(a.new_shape(), a.probability(), a.number(), a.key());
        }
        "ops::Rng" {
            seed: Rng::seed(a.bits());
            next_key: a.rng().next_key();
            position: a.rng().position();
            at: Rng::at(a.key());
        }
        "ops::Key" {
            of: Key::of(a.bits(), Purpose::Layers, a.bits());
            generator: done(a.key().generator());
        }
    }
}
