//! [`ChannelDropout`]: dropout of whole channels.

use crate::Module;
use crate::layers::Layer;
use crate::layers::dropout::drop_whole;
use wengert_tape::{Float, Var};

/// On a training tape, drops each channel of each sample of `[batch, channels, ..]` with probability `p` and divides the
/// others by 1 - p; on any other, the identity. (Tompson et al. 2015; PyTorch's `Dropout1d`, `Dropout2d` and `Dropout3d`.)
///
/// Neighbouring elements of a feature map are strongly correlated, so dropping single elements removes little information.
///
/// ```
/// use wengert_nn::{ChannelDropout, Layer};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::train(3);
/// let y = ChannelDropout::new(0.5).forward(tape.constant(Tensor::<f32>::ones([4, 8, 2, 2]))).value()?;
/// let channels = y.reshape([32, 4])?.sum_axes(1)?.to_vec();
/// assert!(channels.iter().all(|&s| s == 0.0 || s == 8.0) && channels.contains(&0.0) && channels.contains(&8.0));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "Dropout1d")]
#[doc(alias = "Dropout2d")]
#[doc(alias = "Dropout3d")]
#[derive(Debug, Clone, Copy, PartialEq, Module)]
pub struct ChannelDropout {
    /// The probability of dropping a channel.
    pub p: f64,
}

impl ChannelDropout {
    /// Dropout of channels with probability `p`, which is checked when the layer is used.
    pub fn new(p: f64) -> Self {
        ChannelDropout { p }
    }
}

impl<T: Float> Layer<T> for ChannelDropout {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        drop_whole(x, 2, self.p, "channel_dropout", "[batch, channels, ..]")
    }
}
