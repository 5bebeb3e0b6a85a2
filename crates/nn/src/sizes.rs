//! The sizes of the outputs of convolutions and pools, computed without any tensor.

use wengert_ops::{ConvOptions, ConvTransposeOptions, Padding, Window};

/// dilation (kernel - 1) + 1: the number of elements that a dilated kernel spans.
fn reach(kernel: usize, dilation: usize) -> Option<usize> {
    kernel.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)
}

/// The sizes of a convolution's output: ⌊(n + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1 along each axis, or n with
/// [`Padding::Same`]. `None` if the kernel does not fit or the options are invalid.
///
/// ```
/// use wengert_nn::sizes;
/// use wengert_ops::ConvOptions;
/// let options = ConvOptions::default().stride(2).padding(1);
/// assert_eq!(sizes::conv([32, 31], [3, 3], &options), Some([16, 16]));
/// assert_eq!(sizes::conv([2], [3], &ConvOptions::default()), None);
/// ```
pub fn conv<const D: usize>(
    input: [usize; D],
    kernel: [usize; D],
    options: &ConvOptions<D>,
) -> Option<[usize; D]> {
    let mut sizes = input;
    for i in 0..D {
        let reach = reach(kernel[i], options.dilation[i])?;
        if options.dilation[i] == 0 || options.stride[i] == 0 {
            return None;
        }
        let padding = match options.padding {
            Padding::Each(padding) => padding[i],
            Padding::Same if options.stride[i] == 1 => continue,
            _ => return None,
        };
        let whole = input[i].checked_add(padding.checked_mul(2)?)?;
        sizes[i] = whole.checked_sub(reach)? / options.stride[i] + 1;
    }
    Some(sizes)
}

/// The sizes of a transposed convolution's output: (n - 1) stride - 2 padding + dilation (kernel - 1) + output padding + 1
/// along each axis. `None` if the output would be empty or the options are invalid.
///
/// ```
/// use wengert_nn::sizes;
/// use wengert_ops::ConvTransposeOptions;
/// let options = ConvTransposeOptions::default().stride(2).padding(1);
/// assert_eq!(sizes::conv_transpose([7, 5], [4, 4], &options), Some([14, 10]));
/// ```
pub fn conv_transpose<const D: usize>(
    input: [usize; D],
    kernel: [usize; D],
    options: &ConvTransposeOptions<D>,
) -> Option<[usize; D]> {
    let mut sizes = input;
    for i in 0..D {
        let (stride, extra) = (options.stride[i], options.output_padding[i]);
        if stride == 0 || options.dilation[i] == 0 || extra >= stride {
            return None;
        }
        let last = input[i].checked_sub(1)?.checked_mul(stride)?;
        let whole = last.checked_add(reach(kernel[i], options.dilation[i])?)?.checked_add(extra)?;
        sizes[i] = whole.checked_sub(options.padding[i].checked_mul(2)?).filter(|&n| n > 0)?;
    }
    Some(sizes)
}

/// The sizes of a pool's output: as for [`conv`], but rounded up if the window asks for it, as long as the last window begins
/// inside the input or the padding before it. `None` if the window does not fit or is invalid. (A pool also refuses a window
/// that covers only padding.)
///
/// ```
/// use wengert_nn::sizes;
/// use wengert_ops::Window;
/// assert_eq!(sizes::pool([7], &Window::from(2)), Some([3]));
/// assert_eq!(sizes::pool([7], &Window::new(2).ceil()), Some([4]));
/// ```
pub fn pool<const D: usize>(input: [usize; D], window: &Window<D>) -> Option<[usize; D]> {
    let mut sizes = input;
    for i in 0..D {
        let (stride, padding) = (window.stride[i], window.padding[i]);
        if stride == 0 || window.dilation[i] == 0 {
            return None;
        }
        let left = input[i].checked_add(padding.checked_mul(2)?)?;
        let left = left.checked_sub(reach(window.size[i], window.dilation[i])?)?;
        let mut n = left / stride;
        if window.ceil && n.checked_add(1)?.checked_mul(stride)? < input[i].checked_add(padding)? {
            n += usize::from(!left.is_multiple_of(stride));
        }
        sizes[i] = n + 1;
    }
    Some(sizes)
}

/// The number of inputs along an axis on which one output of a stack of layers depends. Each layer is given by kernel, stride
/// and dilation, from the input on: 1 + Σₗ dilationₗ (kernelₗ - 1) Πᵢ₍ᵢ﹤ₗ₎ strideᵢ.
///
/// ```
/// use wengert_nn::sizes::receptive_field;
/// assert_eq!(receptive_field(&[(3, 1, 1); 2]), 5);                     // two 3 × 3 cover one 5 × 5
/// assert_eq!(receptive_field(&[(7, 2, 1), (3, 2, 1), (3, 1, 1)]), 19);
/// assert_eq!(receptive_field(&[(2, 1, 1), (2, 1, 2), (2, 1, 4)]), 8);  // dilations double the field
/// ```
pub fn receptive_field(layers: &[(usize, usize, usize)]) -> usize {
    let (mut field, mut jump) = (1usize, 1usize);
    for &(kernel, stride, dilation) in layers {
        let more = kernel.saturating_sub(1).saturating_mul(dilation).saturating_mul(jump);
        field = field.saturating_add(more);
        jump = jump.saturating_mul(stride);
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::{Tape, Var};

    fn length(y: Var<'_, f64>) -> Option<[usize; 1]> {
        y.value().ok().map(|y| [y.shape()[2]])
    }

    #[test]
    fn sizes_are_those_of_the_operations() {
        for n in 1..=7 {
            for kernel in 1..=3 {
                for stride in 1..=3 {
                    for padding in 0..=1 {
                        for dilation in 1..=2 {
                            let tape = Tape::<f64>::eval();
                            let x = tape.constant(Tensor::ones([1, 1, n]));
                            let w = tape.constant(Tensor::ones([1, 1, kernel]));
                            let options =
                                ConvOptions::default().stride(stride).padding(padding).dilation(dilation);
                            assert_eq!(conv([n], [kernel], &options), length(x.conv1d(w, None, options)));
                            for extra in 0..=stride {
                                let options = ConvTransposeOptions::default()
                                    .stride(stride)
                                    .padding(padding)
                                    .dilation(dilation)
                                    .output_padding(extra);
                                let y = x.conv_transpose1d(w, None, options);
                                assert_eq!(conv_transpose([n], [kernel], &options), length(y), "{options:?}");
                            }
                            let window = Window::new(kernel).stride(stride).dilation(dilation);
                            let window = if kernel > 1 { window.padding(padding) } else { window };
                            for window in [window, window.ceil()] {
                                let y = x.max_pool1d(window);
                                let alone = y.value().is_err_and(|e| e.to_string().contains("no element"));
                                assert!(alone || pool([n], &window) == length(y), "{n} {window:?}");
                            }
                        }
                    }
                }
            }
        }
        let same = ConvOptions::default().same();
        assert_eq!(conv([4, 5], [3, 2], &same), Some([4, 5]));
        assert_eq!(conv([4, 5], [3, 2], &same.stride(2)), None);
    }

    #[test]
    fn nothing_overflows() {
        let m = usize::MAX;
        assert_eq!(conv([m], [3], &ConvOptions::default().padding(1)), None);
        assert_eq!(conv([1], [m], &ConvOptions::default().dilation(m)), None);
        assert_eq!(conv([1], [0], &ConvOptions::default()), None);
        assert_eq!(conv_transpose([m], [3], &ConvTransposeOptions::default().stride(2)), None);
        assert_eq!(pool([m], &Window::new(3).padding(1)), None);
        assert_eq!(receptive_field(&[(m, m, m), (m, m, m)]), m);
    }
}
