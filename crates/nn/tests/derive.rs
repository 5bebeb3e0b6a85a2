//! `#[derive(Module)]` on a user's structs: nested, generic, tuple, enum, optional, skipped.

// The derive refers to the facade, on which users depend.

use wengert_nn::{
    Activation, Buffer, GradsExt, Layer, Leaf, Linear, Module, ModulePath, Visitor, for_each_param,
};
use wengert_ops::{Tensor, random::Rng};
use wengert_tape::{Float, Param, Tape, Var};

#[derive(Module)]
struct Block<T: Float, L> {
    inner: L,
    scale: Param<T>,
    #[module(skip)]
    history: std::cell::RefCell<Vec<f64>>,
}

#[derive(Module)]
struct Pair<A, B>(A, B);

#[derive(Module)]
enum Head {
    Small(Linear<f64>),
    Named { big: Linear<f64>, r#type: Param<f64> },
    Nothing,
}

#[derive(Module)]
struct Net {
    blocks: Vec<Block<f64, Linear<f64>>>,
    pair: Pair<Linear<f64>, Option<Param<f64>>>,
    head: Head,
    boxed: Box<dyn Layer<f64>>,
    statistics: Buffer<f64>,
    steps: Buffer<i64>,
    activation: Activation,
    width: usize,
    name: String,
}

fn net(head: Head) -> Net {
    let mut rng = Rng::seed(0);
    let block = |rng: &mut Rng| Block {
        inner: Linear::new(2, 2, rng),
        scale: Param::new(Tensor::scalar(1.0)),
        history: Default::default(),
    };
    Net {
        blocks: vec![block(&mut rng), block(&mut rng)],
        pair: Pair(Linear::new(2, 2, &mut rng).without_bias(), Some(Param::new(Tensor::from([0.0, 0.0])))),
        head,
        boxed: Box::new(Linear::<f64>::new(2, 1, &mut rng)),
        statistics: Buffer::new(Tensor::from([1.0])),
        steps: Buffer::new(Tensor::scalar(0i64)),
        activation: Activation::Tanh,
        width: 2,
        name: "net".to_owned(),
    }
}

#[test]
fn parts_are_named_by_fields_positions_and_variants() {
    let mut rng = Rng::seed(0);
    let named = Head::Named {
        big: Linear::new(2, 2, &mut rng).without_bias(),
        r#type: Param::new(Tensor::scalar(1.0)),
    };
    let names = net(named).param_names();
    let want = [
        "blocks.0.inner.weight",
        "blocks.0.inner.bias",
        "blocks.0.scale",
        "blocks.1.inner.weight",
        "blocks.1.inner.bias",
        "blocks.1.scale",
        "pair.0.weight",
        "pair.1",
        "head.big.weight",
        "head.type",
        "boxed.weight",
        "boxed.bias",
    ];
    assert_eq!(names, want);
    assert!(net(Head::Small(Linear::new(2, 2, &mut rng))).param_names().contains(&"head.0.bias".to_owned()));
    assert!(!net(Head::Nothing).param_names().iter().any(|n| n.starts_with("head")));
}

#[test]
fn buffers_are_seen_and_counted_apart() {
    struct Names(Vec<String>);
    impl Visitor for Names {
        fn leaf(&mut self, path: &ModulePath, leaf: Leaf<'_>) {
            if !leaf.is_param() {
                self.0.push(path.as_str().to_owned());
            }
        }
    }
    let mut names = Names(Vec::new());
    let net = net(Head::Nothing);
    net.visit(&mut ModulePath::root(), &mut names);
    assert_eq!(names.0, ["statistics", "steps"]);
    assert_eq!(net.num_params(), 2 * (4 + 2 + 1) + 4 + 2 + 2 + 1);
    assert_eq!((net.width, net.name.as_str(), net.activation), (2, "net", Activation::Tanh));
    assert!(net.blocks[0].history.borrow().is_empty());
}

#[test]
fn freezing_stops_gradients_and_is_reported() {
    let mut net = net(Head::Nothing).named();
    net.blocks[0].freeze();
    assert_eq!(net.num_params() - net.num_trainable(), 7);
    let tape = Tape::new();
    let forward = |x: Var<'_, f64>| -> Option<()> {
        let mut h = x;
        for b in &net.blocks {
            h = b.inner.forward(h) * x.tape().param(&b.scale);
        }
        let grads = net.boxed.forward(h).sum().backward().ok()?;
        // Frozen parameters are not reported as unused; trainable ones without a gradient are.
        assert_eq!(grads.unused(&net), ["pair.0.weight", "pair.1"]);
        for_each_param::<f64>(&net, &mut |path, p| {
            assert_eq!(
                grads.get(p.id()).is_some(),
                path.as_str().starts_with("blocks.1") || path.as_str().starts_with("boxed")
            );
        });
        Some(())
    };
    forward(tape.constant(Tensor::from([[1.0, 2.0]]))).unwrap();
    net.unfreeze();
    assert_eq!(net.num_params(), net.num_trainable());
}

#[test]
fn a_copy_of_a_model_is_another_model() {
    let a = Linear::<f64>::new(2, 1, &mut Rng::seed(0));
    let b = a.clone();
    let tape = Tape::new();
    let x = tape.constant(Tensor::from([[1.0, 2.0]]));
    let grads = (a.forward(x) * 2.0 + b.forward(x)).sum().backward().unwrap();
    assert_eq!(grads.of(&a.weight).unwrap().to_vec(), [2.0, 4.0]);
    assert_eq!(grads.of(&b.weight).unwrap().to_vec(), [1.0, 2.0]);
}
