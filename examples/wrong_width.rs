//! An error message: a layer that is too narrow, and the one error that tells where.
//!
//! `cargo run --example wrong_width`

use wengert::prelude::*;

#[derive(Module)]
struct Net {
    encoder: Sequential<f32>,
    head: Linear<f32>,
}

impl Net {
    fn forward<'t>(&self, x: Var<'t, f32>) -> Var<'t, f32> {
        self.head.forward(self.encoder.forward(x))
    }
}

fn main() -> Result<(), Error> {
    let mut rng = Rng::seed(0);
    let encoder = Sequential::new()
        .push(Linear::new(64, 128, &mut rng))
        .push(Activation::Relu)
        .push(Linear::new(100, 32, &mut rng)); // should take 128 features
    let net = Net { encoder, head: Linear::new(32, 10, &mut rng) }.named();

    let tape = Tape::new();
    let images = tape.constant(Tensor::zeros([16, 64]));
    let error = net.forward(images).mean().backward().unwrap_err();
    println!("{error}");

    let text = error.to_string();
    assert!(text.lines().count() <= 3, "{text}");
    for part in ["[16, 128]", "[32, 100]", "wrong_width.rs:", "encoder.2"] {
        assert!(text.contains(part), "{part} is missing from {text}");
    }
    Ok(())
}

#[test]
fn runs() {
    main().unwrap();
}
