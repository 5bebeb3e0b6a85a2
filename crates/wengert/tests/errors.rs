//! Which errors `?` turns into which: whatever a part stands on converts into the part's error, all into `Box<dyn Error>`, and an error
//! of a computation can be one of a dataset.
#![cfg(all(feature = "data", feature = "train", feature = "trace"))]

use wengert::nn::state;
use wengert::{data, ops, tape, trace, train};

type Any = Box<dyn std::error::Error + Send + Sync>;

fn converts<A: Into<B>, B>() {}

#[test]
fn a_question_mark_serves_for_everything_below() {
    macro_rules! table {
        ($($to:ty: $($from:ty),*;)*) => { $($(converts::<$from, $to>();)*)* };
    }
    table! {
        tape::Error: ops::Error, state::Error, wengert::Error;
        state::Error: ops::Error, tape::Error;
        data::Error: ops::Error;
        trace::Error: ops::Error, tape::Error, trace::expression::Mistake;
        train::Error: ops::Error, tape::Error, state::Error, data::Error;
        Any: ops::Error, tape::Error, state::Error, data::Error, trace::Error, trace::expression::Mistake, train::Error;
    }
}

/// A dataset that computes on a tape, as whatever has a model in it does.
struct Computed;

impl data::Dataset for Computed {
    type Batch = f64;
    fn len(&self) -> usize {
        2
    }
    fn fetch(&self, indices: &[usize]) -> data::Result<f64> {
        let tape = wengert::Tape::new();
        let x = tape.var(ops::Tensor::<f64>::ones([indices.len(), 3]));
        x.matmul(x).sum().item().map_err(data::Error::other)
    }
}

#[test]
fn an_error_of_a_computation_ends_an_epoch_with_its_message() {
    let loader = data::Loader::new(std::sync::Arc::new(Computed), 2, 0).unwrap();
    let e = loader.epoch(0).next().unwrap().unwrap_err();
    assert!(matches!(e, data::Error::Other(_)) && e.to_string().contains("matmul"), "{e}");
    let e = train::Error::from(e);
    assert!(e.to_string().contains("[2, 3]"), "{e}");
    assert!(std::error::Error::source(&e).is_some());
}
