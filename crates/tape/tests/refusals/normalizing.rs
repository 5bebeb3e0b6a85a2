//! Normalisation.

use super::*;

#[test]
fn norms_refuse_what_does_not_fit() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 6, 3]));
    let (six, three) = (tape.var(Tensor::<f64>::zeros([6])), tape.var(Tensor::<f64>::zeros([3])));
    let flat = tape.var(Tensor::<f64>::zeros([6]));
    refused(x.layer_norm([4], None, None, 1e-5), "layer_norm", &["[.., [4]]", "[2, 6, 3]"]);
    refused(x.layer_norm(Vec::<usize>::new(), None, None, 1e-5), "layer_norm", &["axes to normalize"]);
    refused(x.layer_norm([-3], None, None, 1e-5), "layer_norm", &[]);
    refused(x.layer_norm([usize::MAX, 3], None, None, 1e-5), "layer_norm", &[]);
    refused(x.layer_norm([3], Some(six), None, 1e-5), "layer_norm", &["[3]", "[6]"]);
    refused(x.layer_norm([3], None, Some(x), 1e-5), "layer_norm", &["[3]", "[2, 6, 3]"]);
    refused(x.layer_norm([3], None, None, -1.0), "layer_norm", &["eps", "-1"]);
    refused(x.rms_norm([6], None, 1e-5), "rms_norm", &["[6]"]);
    refused(x.rms_norm([3], None, f64::NAN), "rms_norm", &["eps", "NaN"]);
    refused(x.group_norm(0, None, None, 1e-5), "group_norm", &["6 channels", "0 groups"]);
    refused(x.group_norm(4, None, None, 1e-5), "group_norm", &["6 channels", "4 groups"]);
    refused(x.group_norm(2, Some(three), None, 1e-5), "group_norm", &["[6]", "[3]"]);
    refused(flat.group_norm(2, None, None, 1e-5), "group_norm", &["[samples, channels, ..]", "[6]"]);
    refused(x.slice(2, 0..1).instance_norm(None, None, 1e-5), "instance_norm", &["more than one element"]);
    refused(x.instance_norm(None, None, f64::INFINITY), "instance_norm", &["eps"]);
    refused(x.batch_norm(Some(three), None, 1e-5), "batch_norm", &["[6]", "[3]"]);
    refused(flat.batch_norm(None, None, 1e-5), "batch_norm", &["[samples, channels, ..]"]);
    refused(
        x.slice(0, 0..0).batch_norm(None, None, 1e-5),
        "batch_norm",
        &["more than one value per channel"],
    );
    let one = x.slice(0, 0..1).slice(2, 0..1);
    refused(
        one.batch_norm(None, None, 1e-5),
        "batch_norm",
        &["more than one value per channel", "[1, 6, 1]"],
    );
    refused(one.batch_norm_with_moments(None, None, 1e-5)[2], "batch_norm", &[]);
    refused(x.batch_norm_eval(three, six, None, None, 1e-5), "batch_norm_eval", &["[6]", "[3]"]);
    refused(x.batch_norm_eval(six, six, None, None, -1.0), "batch_norm_eval", &["eps"]);
    refused(flat.local_response_norm(3, 1.0, 1.0, 1.0), "local_response_norm", &["[6]"]);
    refused(x.local_response_norm(0, 1.0, 1.0, 1.0), "local_response_norm", &["found 0"]);
    // Unusual but valid calls work: no elements, one group, a neighbourhood wider than the channels.
    assert_eq!(x.slice(0, 0..0).layer_norm([3], None, None, 1e-5).shape(), [0, 6, 3]);
    assert_eq!(x.slice(2, 0..0).group_norm(2, Some(six), None, 1e-5).shape(), [2, 6, 0]);
    assert_eq!(x.slice(0, 0..0).batch_norm_eval(six, six, None, None, 1.0).shape(), [0, 6, 3]);
    assert_eq!(x.local_response_norm(usize::MAX, 1.0, 1.0, 1.0).shape(), [2, 6, 3]);
}
