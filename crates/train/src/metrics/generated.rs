//! Scores of generated samples: how they are distributed over classes, and how far their features are from those of real samples.

use super::{argument, matrix};
use crate::error::Result;
use crate::metrics::Moments;
use wengert_ops::math::portable::{exp, ln};
use wengert_ops::{Float, Tensor};

/// The inception score exp E_x KL\[p(y|x) ‖ p(y)\] (Salimans et al. 2016, section 4) of the class probabilities, `[n, classes]`,
/// of generated samples: mean and standard deviation over `splits` consecutive parts. It is 1 if all samples have the same
/// probabilities, and the number of classes if each sample clearly belongs to one class and all classes are equally frequent.
///
/// Each row is the output of a classifier's softmax. Published scores use the Inception network and 10 splits; scores of another
/// network can only be compared with each other.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_train::metrics::inception_score;
/// let sure = Tensor::from([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]);
/// let (mean, std) = inception_score(&sure, 2)?;
/// assert!((mean - 2.0).abs() < 1e-12 && std == 0.0);
/// let unsure = Tensor::from([[0.5, 0.5], [0.5, 0.5]]);
/// assert_eq!(inception_score(&unsure, 1)?.0, 1.0);
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// If there are not two axes, there are fewer samples than splits, `splits` is 0, or a row is not a distribution to within 10⁻³.
pub fn inception_score<T: Float>(probabilities: &Tensor<T>, splits: usize) -> Result<(f64, f64)> {
    const CALL: &str = "inception_score";
    let (p, n, classes) = matrix(CALL, probabilities)?;
    if splits == 0 || n < splits {
        return Err(argument(CALL, "at least one sample a split", format!("{n} samples in {splits} splits")));
    }
    if classes == 0 {
        return Err(argument(CALL, "at least one class", classes));
    }
    for (i, row) in p.chunks(classes).enumerate() {
        let sum: f64 = row.iter().sum();
        // The comparison is also false for NaN.
        if !((sum - 1.0).abs() < 1e-3 && row.iter().all(|v| *v >= 0.0)) {
            return Err(argument(CALL, "rows of probabilities", format!("a sum of {sum} in row {i}")));
        }
    }
    let mut scores = Moments::new();
    for split in 0..splits {
        // Parts whose sizes differ by at most 1.
        let rows = &p[split * n / splits * classes..(split + 1) * n / splits * classes];
        let count = (rows.len() / classes) as f64;
        let mut marginal = vec![0.0; classes];
        for row in rows.chunks(classes) {
            marginal.iter_mut().zip(row).for_each(|(m, v)| *m += v / count);
        }
        let divergence = |row: &[f64]| -> f64 {
            // 0 log 0 is 0; where p(y) is 0, every p(y|x) is 0.
            let each = row.iter().zip(&marginal).filter(|(v, _)| **v > 0.0);
            each.map(|(v, m)| v * ln(v / m)).sum()
        };
        scores.add(exp(rows.chunks(classes).map(divergence).sum::<f64>() / count));
    }
    Ok((scores.mean(), scores.std()))
}

/// Mean and covariance of features: everything that a [`frechet_distance`] depends on.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_train::metrics::FeatureStats;
/// let stats = FeatureStats::of(&Tensor::from([[0.0, 0.0], [2.0, 2.0]]))?;
/// assert_eq!(stats.mean, [1.0, 1.0]);
/// assert_eq!(stats.covariance, Tensor::from([[2.0, 2.0], [2.0, 2.0]]));
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureStats {
    /// μ, one number per feature.
    pub mean: Vec<f64>,
    /// Σ, `[features, features]`, divided by n - 1 as in NumPy's `cov`.
    pub covariance: Tensor<f64>,
}

impl FeatureStats {
    /// The mean and covariance of the features of samples, `[n, features]`. See [`FeatureStats`] for an example.
    ///
    /// # Errors
    /// If there are not two axes, fewer than two samples, or a feature is not finite.
    pub fn of<T: Float>(features: &Tensor<T>) -> Result<Self> {
        const CALL: &str = "feature statistics";
        let (x, n, d) = matrix(CALL, features)?;
        if n < 2 || d == 0 {
            return Err(argument(
                CALL,
                "two samples of one feature or more",
                format!("shape {}", features.shape()),
            ));
        }
        if x.iter().any(|v| !v.is_finite()) {
            return Err(argument(CALL, "finite features", "NaN or an infinity"));
        }
        let mut mean = vec![0.0; d];
        for row in x.chunks(d) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n as f64);
        }
        // Centred first, so that a large mean costs no accuracy.
        let centred: Vec<f64> =
            x.chunks(d).flat_map(|row| row.iter().zip(&mean).map(|(v, m)| v - m)).collect();
        let centred = Tensor::from_vec(centred, [n, d]).map_err(wengert_tape::Error::from)?;
        let squares =
            centred.transpose(0, 1).and_then(|t| t.matmul(&centred)).map_err(wengert_tape::Error::from)?;
        Ok(FeatureStats { mean, covariance: squares.scale(1.0 / (n - 1) as f64) })
    }
}

/// The Fréchet distance ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½) between the normal distributions of two sets of features (Dowson
/// and Landau 1982; as a score of generated images, FID: Heusel et al. 2017, equation 6). Less is better, and 0 means that the
/// distributions are equal.
///
/// tr (Σ₁ Σ₂)^½ is computed as the trace of the root of Σ₁^½ Σ₂ Σ₁^½, which is symmetric and has the same eigenvalues.
/// Covariances of fewer samples than features, which are singular, need no correction.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_train::metrics::{FeatureStats, frechet_distance};
/// let a = FeatureStats::of(&Tensor::from([[0.0], [2.0]]))?;          // N(1, 2)
/// let b = FeatureStats::of(&Tensor::from([[4.0], [8.0]]))?;          // N(6, 8)
/// let distance = frechet_distance(&a, &b)?;                          // 5² + (√2 - √8)²
/// assert!((distance - 27.0).abs() < 1e-12);
/// assert!(frechet_distance(&a, &a)?.abs() < 1e-12);
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// If the numbers of features differ.
#[doc(alias = "FrechetInceptionDistance")]
pub fn frechet_distance(a: &FeatureStats, b: &FeatureStats) -> Result<f64> {
    const CALL: &str = "frechet_distance";
    let d = a.mean.len();
    for stats in [a, b] {
        if stats.mean.len() != d || stats.covariance.shape()[..] != [d, d] {
            let found =
                format!("{} with covariances of shape {}", stats.mean.len(), stats.covariance.shape());
            return Err(argument(CALL, "two sets of the same features", found));
        }
    }
    let apart: f64 = a.mean.iter().zip(&b.mean).map(|(a, b)| (a - b).powi(2)).sum();
    let trace = |t: &Tensor<f64>| -> f64 { t.to_vec().iter().step_by(d + 1).sum() };
    let root = root(&a.covariance)?;
    let product =
        root.matmul(&b.covariance).and_then(|t| t.matmul(&root)).map_err(wengert_tape::Error::from)?;
    let (eigenvalues, _) = product.eigh().map_err(wengert_tape::Error::from)?;
    // Rounding may make a zero eigenvalue slightly negative.
    let cross: f64 = eigenvalues.to_vec().iter().map(|v| v.max(0.0).sqrt()).sum();
    Ok(apart + trace(&a.covariance) + trace(&b.covariance) - 2.0 * cross)
}

/// The symmetric root of a symmetric matrix without negative eigenvalues.
fn root(m: &Tensor<f64>) -> Result<Tensor<f64>> {
    let root = || -> wengert_ops::Result<Tensor<f64>> {
        let (eigenvalues, v) = m.eigh()?;
        let roots = eigenvalues.map(|x: f64| x.max(0.0).sqrt());
        v.mul(&roots)?.matmul(&v.transpose(0, 1)?)
    };
    Ok(root().map_err(wengert_tape::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::random::Rng;

    #[test]
    fn inception_scores_by_hand() {
        let p = Tensor::from([
            [0.7, 0.2, 0.1],
            [0.1, 0.8, 0.1],
            [0.3, 0.3, 0.4],
            [0.0, 0.0, 1.0],
            [0.25, 0.5, 0.25],
        ]);
        // numpy: exp(mean(sum(p * log(p / p.mean(0)), 1))) over rows 0..2 and 2..5.
        let kl = |rows: &[[f64; 3]]| {
            let n = rows.len() as f64;
            let m: Vec<f64> = (0..3).map(|j| rows.iter().map(|r| r[j]).sum::<f64>() / n).collect();
            let each = |r: &[f64; 3]| -> f64 {
                r.iter().zip(&m).map(|(v, m)| if *v > 0.0 { v * (v / m).ln() } else { 0.0 }).sum()
            };
            (rows.iter().map(each).sum::<f64>() / n).exp()
        };
        let a = kl(&[[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]);
        let b = kl(&[[0.3, 0.3, 0.4], [0.0, 0.0, 1.0], [0.25, 0.5, 0.25]]);
        let (mean, std) = inception_score(&p, 2).unwrap();
        assert!((mean - (a + b) / 2.0).abs() < 1e-12 && (std - (a - b).abs() / 2.0).abs() < 1e-12);
        let one_hot = Tensor::<f32>::eye(7).unwrap();
        assert!((inception_score(&one_hot, 1).unwrap().0 - 7.0).abs() < 1e-6);
        for (bad, splits) in [
            (Tensor::from([[0.5, 0.6]]), 1),
            (Tensor::from([[1.5, -0.5]]), 1),
            (Tensor::from([[f64::NAN, 1.0]]), 1),
            (Tensor::from([[0.5, 0.5]]), 2),
            (Tensor::from([[0.5, 0.5]]), 0),
            (Tensor::zeros([3, 0]), 1),
        ] {
            assert!(inception_score(&bad, splits).is_err(), "{bad}");
        }
        assert!(inception_score(&Tensor::from([1.0]), 1).is_err());
    }

    /// Covariances that commute: Σ (√λᵢ - √κᵢ)², in any basis that both share.
    #[test]
    fn distances_agree_with_closed_forms() {
        let diagonal = |v: [f64; 3]| Tensor::from([[v[0], 0.0, 0.0], [0.0, v[1], 0.0], [0.0, 0.0, v[2]]]);
        let noise: Tensor<f64> = Tensor::randn([3, 3], &mut Rng::seed(3)).unwrap();
        let (_, basis) = noise.add(noise.transpose(0, 1).unwrap()).unwrap().eigh().unwrap();
        let turn =
            |m: Tensor<f64>| basis.matmul(&m).unwrap().matmul(&basis.transpose(0, 1).unwrap()).unwrap();
        for (l, k) in [
            ([1.0, 4.0, 9.0], [4.0, 4.0, 1.0]),
            ([0.0, 1.0, 2.0], [3.0, 0.0, 2.0]),
            ([0.0; 3], [1.0, 2.0, 3.0]),
        ] {
            let a = FeatureStats { mean: vec![1.0, 0.0, 2.0], covariance: turn(diagonal(l)) };
            let b = FeatureStats { mean: vec![0.0, 0.0, 4.0], covariance: turn(diagonal(k)) };
            let expected = 5.0 + l.iter().zip(k).map(|(l, k)| (l.sqrt() - f64::sqrt(k)).powi(2)).sum::<f64>();
            let found = frechet_distance(&a, &b).unwrap();
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
            assert!((frechet_distance(&b, &a).unwrap() - expected).abs() < 1e-6);
        }
    }

    /// With fewer samples than features, the covariances are singular, and the result is still a distance.
    #[test]
    fn singular_covariances_give_finite_distances() {
        let mut rng = Rng::seed(1);
        let x: Tensor<f64> = Tensor::randn([5, 12], &mut rng).unwrap();
        let y: Tensor<f64> = Tensor::randn([4, 12], &mut rng).unwrap();
        let (a, b) = (FeatureStats::of(&x).unwrap(), FeatureStats::of(&y).unwrap());
        assert!(frechet_distance(&a, &a).unwrap().abs() < 1e-6);
        let there = frechet_distance(&a, &b).unwrap();
        assert!(there > 0.0 && (there - frechet_distance(&b, &a).unwrap()).abs() < 1e-6, "{there}");
        assert!(FeatureStats::of(&Tensor::<f64>::zeros([1, 3])).is_err());
        assert!(FeatureStats::of(&Tensor::from([[1.0, f64::NAN], [0.0, 0.0]])).is_err());
        let other = FeatureStats::of(&Tensor::<f64>::zeros([2, 3])).unwrap();
        assert!(frechet_distance(&a, &other).is_err());
    }

    #[test]
    fn distances_are_those_of_numpy() {
        let fill = |f: &dyn Fn(f64) -> f64| {
            Tensor::from_vec((0..24).map(|i| f(f64::from(i))).collect(), [8, 3]).unwrap()
        };
        let x = fill(&|i| (i * 1.3).sin() + 0.2 * (i * 0.7).cos());
        let y = fill(&|i| 1.5 * (i * 0.9 + 0.05 * i * i).cos() + 0.3);
        let y = FeatureStats::of(&y).unwrap();
        let distance = |x: &Tensor<f64>| frechet_distance(&FeatureStats::of(x).unwrap(), &y).unwrap();
        // Computed with np.linalg.eigvals of the product of the covariances.
        assert!((distance(&x) - 2.649_621_323_798_653_4).abs() < 1e-9, "{}", distance(&x));
        let few = x.slice(0, 0..3).unwrap();
        assert!((distance(&few) - 2.788_745_703_568_237).abs() < 1e-6, "{}", distance(&few));
    }
}
