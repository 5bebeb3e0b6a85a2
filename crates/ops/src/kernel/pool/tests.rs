use super::*;
use crate::Window;
use crate::random::{Key, uniform};

fn values(shape: &[usize]) -> Tensor<f64> {
    // Few different values, so that ties are frequent.
    uniform(shape, -2.0, 2.0, Key { seed: 5, stream: 0 }).unwrap().map(|v: f64| v.round())
}

#[test]
fn the_largest_and_the_average_agree_with_loops() {
    let w = Window::<2>::new;
    let windows = [
        w(2),
        Window::new([3, 2]).stride([1, 2]),
        w(3).stride(2).padding(1),
        w(3).stride(1).padding(1),
        w(2).dilation(2).stride(1),
        w(3).stride(2).ceil(),
        w(2).stride(3).ceil().padding(1),
        w(1).stride(4),
        w(4).stride(5),
    ];
    for shape in [[2, 3, 7, 9], [1, 1, 4, 4], [2, 1, 5, 22], [1, 2, 18, 37], [0, 2, 6, 6]] {
        let x = values(&shape);
        let turned = x.transpose(2, 3).unwrap().contiguous().transpose(2, 3).unwrap();
        for window in windows {
            let op = "max_pool2d";
            let Ok((y, at)) = turned.max_pool(op, &Places::Moving(window)) else { continue };
            let (h, v) = (shape[2] as isize, shape[3] as isize);
            let mut k = 0;
            for plane in x.to_vec().chunks_exact((h * v) as usize) {
                for i in 0..y.shape()[2] {
                    for j in 0..y.shape()[3] {
                        let (mut best, mut place, mut sum, mut inside) = (f64::NEG_INFINITY, -1, 0.0, 0.0);
                        for a in 0..window.size[0] {
                            for b in 0..window.size[1] {
                                let r = (i * window.stride[0] + a * window.dilation[0]) as isize
                                    - window.padding[0] as isize;
                                let c = (j * window.stride[1] + b * window.dilation[1]) as isize
                                    - window.padding[1] as isize;
                                if r >= 0 && c >= 0 && r < h && c < v {
                                    let value = plane[(r * v + c) as usize];
                                    sum += value;
                                    inside += 1.0;
                                    if value > best {
                                        (best, place) = (value, r * v + c);
                                    }
                                }
                            }
                        }
                        assert_eq!(
                            (y.to_vec()[k], at.to_vec()[k]),
                            (best, place as f64),
                            "{shape:?} {window:?}"
                        );
                        let average =
                            turned.avg_pool(op, &Places::Moving(window), AvgDivisor::Inside).unwrap();
                        assert!((average.to_vec()[k] - sum / inside).abs() < 1e-12);
                        k += 1;
                    }
                }
            }
            // <avg x, g> = <x, avgᵀ g>, and the same for the largest elements at their positions.
            let g = values(y.shape());
            for divisor in [AvgDivisor::Window, AvgDivisor::Inside, AvgDivisor::Of(3)] {
                let places = Places::Moving(window);
                let left = x.avg_pool(op, &places, divisor).unwrap().mul(&g).unwrap().sum();
                let back = g.avg_pool_adjoint(op, &places, divisor, x.shape()).unwrap();
                let right = x.mul(&back).unwrap().sum();
                assert!((left.item().unwrap() - right.item().unwrap()).abs() < 1e-9);
            }
            let back = g.max_pool_adjoint(op, &at, x.shape(), 2).unwrap();
            let (left, right) = (y.mul(&g).unwrap().sum(), x.mul(&back).unwrap().sum());
            assert!((left.item().unwrap() - right.item().unwrap()).abs() < 1e-9);
        }
    }
}

#[test]
fn nothing_but_minus_infinity_is_found_inside() {
    let x = Tensor::<f32>::try_full([1, 1, 2, 2], f32::NEG_INFINITY).unwrap();
    let (_, at) = x.max_pool("max_pool2d", &Places::Moving(Window::<2>::new(2).padding(1))).unwrap();
    assert_eq!(at.to_vec(), [0.0, 1.0, 2.0, 3.0]);
    let (y, at) = Tensor::from([[1.0, f64::NAN, f64::NAN, 2.0]])
        .max_pool("max_pool1d", &Places::Moving(Window::<1>::new(4)))
        .unwrap();
    assert!(y.to_vec()[0].is_nan() && at.to_vec() == [1.0]);
}
