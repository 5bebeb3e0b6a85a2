//! Functions of one element.

use super::*;

#[test]
fn parameters_outside_their_domain() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 3]));
    refused(x.polygamma(101), "polygamma", &["at most 100", "101"]);
    refused(x.polygamma(usize::MAX), "polygamma", &[]);
    for bad in [-0.1, f64::NAN] {
        refused(x.hardshrink(bad), "hardshrink", &["at least 0", &bad.to_string()]);
        refused(x.softshrink(bad), "softshrink", &["at least 0", &bad.to_string()]);
        refused(x.logit_within(bad), "logit_within", &["between 0 and 1/2", &bad.to_string()]);
    }
    refused(x.logit_within(0.6), "logit_within", &["0.6"]);
    let y = tape.var(Tensor::<f64>::zeros([4]));
    refused(x.remainder(y), "remainder", &["[2, 3]", "[4]"]);
    refused(x.fmod(y), "fmod", &["[2, 3]", "[4]"]);
    refused(x.clamp_between(y, 1.0), "clamp_between", &["[2, 3]", "[4]"]);
    refused(x.clamp_between(0.0, y), "clamp_between", &["[2, 3]", "[4]"]);
    assert!(x.value().is_ok());
}
