//! The same seed gives the same weights, bit for bit, on any number of threads.

use wengert_nn::optim::{Adam, Optimizer, Sgd, SgdConfig, clip_norm};
use wengert_nn::zoo::{Mlp, MlpConfig};
use wengert_nn::{Activation, Layer, for_each_param, loss};
use wengert_ops::{Tensor, parallel, random::Rng};
use wengert_tape::Tape;

/// The bits of all weights after some steps on a pool of the given size, and whether work was sent to the pool.
fn train(threads: usize, adam: bool) -> (Vec<u32>, bool) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let before = parallel::sections();
        let mut rng = Rng::seed(11);
        let config =
            MlpConfig { widths: vec![96, 1024, 1024, 10], activation: Activation::Gelu, dropout: 0.2 };
        let mut net = Mlp::<f32>::with_config(&config, &mut rng);
        let x = Tensor::randn([512, 96], &mut rng).unwrap();
        let labels = Tensor::from((0..512).map(|i| i * 7 % 10).collect::<Vec<i64>>());
        let momentum = SgdConfig {
            learning_rate: 0.05,
            momentum: 0.9,
            nesterov: true,
            weight_decay: 1e-4,
            ..SgdConfig::default()
        };
        let mut optimizer: Box<dyn Optimizer<f32>> =
            if adam { Box::new(Adam::new(1e-3)) } else { Box::new(Sgd::with_config(momentum)) };
        let mut tape = Tape::train(3);
        for _ in 0..3 {
            tape.reset();
            let loss = loss::cross_entropy(net.forward(tape.constant(&x)), &labels);
            let mut grads = loss.backward().unwrap();
            clip_norm(&mut grads, 1.0).unwrap();
            optimizer.step(&mut net, &grads).unwrap();
        }
        let mut bits = Vec::new();
        for_each_param::<f32>(&net, &mut |_, p| {
            bits.extend(p.value().to_vec().into_iter().map(f32::to_bits));
        });
        (bits, parallel::sections() > before)
    })
}

#[test]
fn weights_have_the_same_bits_on_1_2_3_and_7_threads() {
    for adam in [true, false] {
        let (want, _) = train(1, adam);
        assert!(want.iter().all(|b| f32::from_bits(*b).is_finite()));
        for threads in [1, 2, 3, 7] {
            let (bits, used) = train(threads, adam);
            assert!(used || threads == 1, "the work was too small to be shared");
            assert!(bits == want, "{threads} threads, adam: {adam}");
        }
    }
}
