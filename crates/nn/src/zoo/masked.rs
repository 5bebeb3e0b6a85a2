//! Masked autoencoders, which learn representations of images by predicting hidden patches.

use super::Vit;
use super::vit::{blocks, patches};
use crate::Module;
use crate::dist::Keys;
use crate::init::Scheme;
use crate::layers::{Dropout, Layer, LearnedPositions, Linear, SinusoidalPositions, TransformerEncoder};
use crate::loss;
use wengert_ops::Tensor;
use wengert_ops::random::{Rng, uniform};
use wengert_tape::{Error, ErrorKind, Float, Param, Result, Tape, Var};

const OP: &str = "masked_autoencoder";

/// The shape of a [`MaskedAutoencoder`].
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedConfig {
    /// The number of channels of the images. Default: `1`.
    pub channels: usize,
    /// The height and width of the images. Default: `28`.
    pub size: usize,
    /// The height and width of a patch, a divisor of the size. Default: `4`.
    pub patch: usize,
    /// The number of features of each patch in the encoder. Default: `64`.
    pub width: usize,
    /// The number of heads, which divides both widths. Default: `4`.
    pub heads: usize,
    /// The number of blocks of the encoder. Default: `4`.
    pub layers: usize,
    /// The number of features of each patch in the decoder, which can be smaller. Default: `32`.
    pub decoder_width: usize,
    /// The number of blocks of the decoder. Default: `1`.
    pub decoder_layers: usize,
    /// The share of patches that are hidden. Default: `0.75`.
    pub hidden: f64,
}

impl Default for MaskedConfig {
    /// A model for images of 28 × 28 pixels, of which three quarters are hidden, as in the paper.
    fn default() -> Self {
        MaskedConfig {
            channels: 1,
            size: 28,
            patch: 4,
            width: 64,
            heads: 4,
            layers: 4,
            decoder_width: 32,
            decoder_layers: 1,
            hidden: 0.75,
        }
    }
}

/// A masked autoencoder: patches of an image are hidden at random, an encoder reads the others, and a smaller decoder predicts
/// the pixels of the hidden ones from the encoder's output and their positions. The loss is computed on the hidden patches
/// only. (He et al. 2022.)
///
/// The encoder is that of a [`Vit`], with the same names: [`classifier`](MaskedAutoencoder::classifier) makes a classifier from
/// it, and [`state::transfer`](crate::state::transfer) loads it into a `Vit` from a file. For inputs other than images and for
/// your own models, use the loss [`masked_mse`](loss::masked_mse).
///
/// ```
/// use wengert_nn::zoo::{MaskedAutoencoder, MaskedConfig};
/// use wengert_ops::{Tensor, random::Rng};
/// let config = MaskedConfig { size: 8, patch: 2, width: 16, layers: 1, decoder_width: 8, ..Default::default() };
/// let model = MaskedAutoencoder::<f32>::with_config(&config, &mut Rng::seed(0));
/// let x = Tensor::rand([3, 1, 8, 8], &mut Rng::seed(1))?;
/// let tape = wengert_tape::Tape::train(0);
/// let guess = model.guess(tape.constant(&x), &tape)?;
/// assert_eq!(guess.patches.shape(), [3, 16, 4]);
/// assert_eq!(guess.hidden.to_vec().iter().filter(|h| **h).count(), 3 * 12);      // of 3 × 16
/// assert_eq!(model.classifier(10, &mut Rng::seed(2)).head.weight.shape(), &[10, 16]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct MaskedAutoencoder<T: Float> {
    /// The linear map from a patch's elements to features, channels · patch² → width.
    pub embed: Linear<T>,
    /// The class vector, which a classifier will read, `[1, 1, width]`.
    pub class: Param<T>,
    /// The position vectors of the class vector and of each patch in the encoder, `[1 + patches, width]`.
    pub positions: LearnedPositions<T>,
    /// The blocks that read the visible patches, `[n, 1 + seen, width]` into the same shape.
    pub encoder: TransformerEncoder<T>,
    /// The linear map from the encoder's features to the decoder's, width → decoder width.
    pub bridge: Linear<T>,
    /// The vector that replaces a hidden patch, `[1, 1, decoder_width]`.
    pub mask: Param<T>,
    /// The position vectors of the class vector and of each patch in the decoder, `[1 + patches, decoder_width]`.
    pub decoder_positions: LearnedPositions<T>,
    /// The blocks that predict hidden patches, `[n, 1 + patches, decoder_width]` into the same shape.
    pub decoder: TransformerEncoder<T>,
    /// The linear map from features to a patch's elements, decoder width → channels · patch².
    pub pixels: Linear<T>,
    /// The height and width of a patch.
    pub patch: usize,
    /// The share of patches that are hidden.
    pub hidden: f64,
}

/// The patches that a [`MaskedAutoencoder`] predicts for images.
#[derive(Debug, Clone)]
pub struct Reconstruction<'t, T: Float> {
    /// The decoder's output for all patches, `[n, patches, channels · patch²]`.
    pub patches: Var<'t, T>,
    /// Which patches were hidden, `[n, patches]`.
    pub hidden: Tensor<bool>,
}

/// Which patches are seen, and how to restore the order of all patches.
struct Choice {
    /// The positions of the seen patches, `[n, seen]`.
    seen: Tensor<i64>,
    /// The position of each patch in the list of seen patches followed by hidden ones, `[n, patches]`.
    back: Tensor<i64>,
    /// Which patches are hidden, `[n, patches]`.
    hidden: Tensor<bool>,
}

impl<T: Float> MaskedAutoencoder<T> {
    /// A model with PyTorch's default weights; class vector and mask have a standard deviation of 0.02. Position vectors are
    /// initially sinusoids, since only they distinguish hidden patches from each other.
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn with_config(config: &MaskedConfig, rng: &mut Rng) -> Self {
        let MaskedConfig { channels, patch, width, heads, decoder_width, .. } = *config;
        let steps = (config.size / patch.max(1)).saturating_pow(2).saturating_add(1);
        let numbers = channels.saturating_mul(patch).saturating_mul(patch);
        let small = Scheme::Normal(0.02);
        MaskedAutoencoder {
            embed: Linear::new(numbers, width, rng),
            class: Param::new(small.sample(&[1, 1, width].into(), rng)),
            positions: sinusoids(steps, width),
            encoder: TransformerEncoder::with_config(&blocks(width, heads, config.layers, 0.0), rng),
            bridge: Linear::new(width, decoder_width, rng),
            mask: Param::new(small.sample(&[1, 1, decoder_width].into(), rng)),
            decoder_positions: sinusoids(steps, decoder_width),
            decoder: TransformerEncoder::with_config(
                &blocks(decoder_width, heads, config.decoder_layers, 0.0),
                rng,
            ),
            pixels: Linear::new(decoder_width, numbers, rng),
            patch,
            hidden: config.hidden,
        }
    }

    /// A classifier of images with this model's encoder and a new head, to train as a whole, or with all but the head
    /// [frozen](Module::freeze_matching).
    pub fn classifier(&self, classes: usize, rng: &mut Rng) -> Vit<T> {
        let width = self.embed.weight.shape().first().copied().unwrap_or(0);
        Vit {
            embed: self.embed.clone(),
            class: self.class.clone(),
            positions: self.positions.clone(),
            dropout: Dropout::new(0.0),
            encoder: self.encoder.clone(),
            head: Linear::new(width, classes, rng),
            patch: self.patch,
        }
    }

    /// The encoder's features of whole images, averaged over the patches: `[n, channels, h, w]` → `[n, width]`.
    #[track_caller]
    pub fn features<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let h = self.see(self.placed(patches(x, self.patch)));
        scope.close(h.slice(1, 1..).mean_axes(1))
    }

    /// All patches of images `[n, channels, h, w]`, predicted from a random choice of visible ones.
    ///
    /// # Errors
    /// If the images do not fit the model, or if none or all of the patches would be hidden.
    #[track_caller]
    pub fn guess<'t>(&self, x: Var<'t, T>, keys: impl Keys) -> Result<Reconstruction<'t, T>> {
        let tape = x.tape();
        let scope = tape.open_scope();
        let all = self.placed(patches(x, self.patch)); // [n, patches, width]
        all.value()?;
        let [n, steps, width] = all.dims();
        let choice = self.choose(n, steps, keys)?;
        let h = self.bridge.forward(self.see(pick(all, &choice.seen, width))); // [n, 1 + seen, decoder_width]
        let decoder_width = h.dim(2);
        let seen = h.dim(1).saturating_sub(1);
        let masks = tape.param(&self.mask).expand([n, steps - seen, decoder_width]);
        let parts = tape.concat(&[h.slice(1, 1..), masks], 1);
        let full = tape.concat(&[h.slice(1, ..1), pick(parts, &choice.back, decoder_width)], 1);
        let decoded = self.decoder.forward(self.decoder_positions.forward(full));
        let patches = scope.close(self.pixels.forward(decoded.slice(1, 1..)));
        Ok(Reconstruction { patches, hidden: choice.hidden })
    }

    /// The mean of (x - x̂)² over the pixels of patches that are hidden at random, with the tape's random stream.
    #[track_caller]
    pub fn loss<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        let scope = tape.open_scope();
        match self.guess(x, tape) {
            Ok(guess) => {
                let hidden = guess.hidden.unsqueeze(2).map_err(Error::from);
                scope.close(loss::masked_mse(guess.patches, patches(x, self.patch), hidden))
            }
            Err(e) => tape.failed(e),
        }
    }

    /// Images `[n, channels, h, w]` in which patches chosen at random are replaced by their predictions, and which patches these
    /// are, `[n, patches]`, row by row.
    ///
    /// ```
    /// use wengert_nn::zoo::{MaskedAutoencoder, MaskedConfig};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let config = MaskedConfig { size: 4, patch: 2, width: 8, layers: 1, decoder_width: 8, ..Default::default() };
    /// let model = MaskedAutoencoder::<f32>::with_config(&config, &mut Rng::seed(0));
    /// let x = Tensor::rand([1, 1, 4, 4], &mut Rng::seed(1))?;
    /// let (filled, hidden) = model.fill(&x, &mut Rng::seed(2))?;
    /// let same = filled.to_vec().iter().zip(x.to_vec()).filter(|(a, b)| **a == *b).count();
    /// assert_eq!((same, hidden.to_vec().iter().filter(|h| !**h).count()), (4, 1));   // one patch was seen
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the images do not fit the model.
    #[track_caller]
    pub fn fill(&self, x: &Tensor<T>, keys: impl Keys) -> Result<(Tensor<T>, Tensor<bool>)> {
        let tape = Tape::eval();
        let images = tape.constant(x);
        let Reconstruction { patches: guessed, hidden } = self.guess(images, keys)?;
        let filled = guessed.where_cond(hidden.unsqueeze(2)?, patches(images, self.patch));
        let [n, channels, height, width] = images.dims();
        let p = self.patch.max(1);
        let filled = filled
            .reshape([n, height / p, width / p, channels, p, p])
            .permute([0, 3, 1, 4, 2, 5]) // [n, channels, rows, p, columns, p]
            .reshape([n, channels, height, width]);
        Ok((filled.value()?, hidden))
    }

    /// The encoder's input for patches: their features, each with its position vector added.
    #[track_caller]
    fn placed<'t>(&self, patches: Var<'t, T>) -> Var<'t, T> {
        self.positions.forward_at(self.embed.forward(patches), 1)
    }

    /// The encoder's output for patches, after that for the class vector.
    #[track_caller]
    fn see<'t>(&self, patches: Var<'t, T>) -> Var<'t, T> {
        if patches.is_failed() {
            return patches;
        }
        let tape = patches.tape();
        let [n, _, width] = patches.dims();
        let class = self.positions.forward(tape.param(&self.class)).expand([n, 1, width]);
        self.encoder.forward(tape.concat(&[class, patches], 1))
    }

    /// A random choice of hidden patches: the same number for each image.
    #[track_caller]
    fn choose(&self, n: usize, steps: usize, mut keys: impl Keys) -> Result<Choice> {
        let hidden = (self.hidden * steps as f64).round();
        if !(hidden >= 1.0 && hidden < steps as f64) {
            let share = self.hidden;
            let detail = format!(
                "expected a share that hides some but not all of {steps} patches, found {share}: {hidden} of them"
            );
            return Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), OP, detail));
        }
        let seen = steps - hidden as usize;
        let order = uniform::<f64>([n, steps], 0.0, 1.0, keys.next_key())?.argsort(1, false)?;
        let back = order.map(|place| place as f64).argsort(1, false)?;
        let hidden = back.map(|place| place >= seen as i64);
        Ok(Choice { seen: order.slice(1, ..seen)?, back, hidden })
    }
}

/// Position vectors that are initially sinusoids.
fn sinusoids<T: Float>(steps: usize, width: usize) -> LearnedPositions<T> {
    match SinusoidalPositions::table(0, steps, width) {
        Ok(table) => LearnedPositions { weight: Param::new(table) },
        Err(e) => panic!("{e}"),
    }
}

/// The steps of `x`, `[n, steps, width]`, at `places`, `[n, k]` → `[n, k, width]`.
#[track_caller]
fn pick<'t, T: Float>(x: Var<'t, T>, places: &Tensor<i64>, width: usize) -> Var<'t, T> {
    let [n, k] = places.shape()[..] else { unreachable!("choose() made it") };
    match places.reshape([n, k, 1]).and_then(|places| places.expand([n, k, width])) {
        Ok(places) => x.gather(1, &places),
        Err(e) => x.tape().failed(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Adam, Optimizer};
    use crate::{gradcheck, state};

    fn small<T: Float>(width: usize) -> MaskedAutoencoder<T> {
        let config = MaskedConfig {
            size: 8,
            patch: 2,
            width,
            heads: 2,
            layers: 1,
            decoder_width: width,
            hidden: 0.5,
            ..MaskedConfig::default()
        };
        MaskedAutoencoder::with_config(&config, &mut Rng::seed(1))
    }

    fn images(n: usize, seed: u64) -> Tensor<f64> {
        Tensor::rand([n, 1, 8, 8], &mut Rng::seed(seed)).unwrap()
    }

    #[test]
    fn gradients_are_right() {
        let mut model = small::<f64>(4);
        let x = images(2, 0);
        let report = gradcheck::check(&mut model, |m, tape| m.loss(tape.constant(&x)), 3).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    /// The predictions depend on the visible patches only, and the loss on the pixels of the hidden ones only.
    #[test]
    fn what_is_hidden_is_not_seen() {
        let model = small::<f64>(4);
        let x = images(2, 0);
        let tape = Tape::new();
        let var = tape.var(&x);
        let Reconstruction { patches: guessed, hidden } = model.guess(var, &mut Rng::seed(7)).unwrap();
        assert_eq!(hidden.to_vec().iter().filter(|h| **h).count(), 16);
        let slope = guessed.square().sum().grad(var).unwrap();
        let slope = patches(slope, 2).abs().sum_axes(-1).value().unwrap();
        for (slope, hidden) in slope.to_vec().into_iter().zip(hidden.to_vec()) {
            assert_eq!(slope == 0.0, hidden);
        }
        let (filled, again) = model.fill(&x, &mut Rng::seed(7)).unwrap();
        assert_eq!(again, hidden);
        let changed = patches(tape.constant(filled.sub(&x).unwrap()), 2).abs().sum_axes(-1).value().unwrap();
        for (changed, hidden) in changed.to_vec().into_iter().zip(hidden.to_vec()) {
            assert_eq!(changed != 0.0, hidden);
        }
    }

    #[test]
    fn each_patch_goes_back_to_its_place() {
        let model = small::<f64>(4);
        let choice = model.choose(3, 16, &mut Rng::seed(3)).unwrap();
        let (seen, back) = (choice.seen.to_vec(), choice.back.to_vec());
        for (i, hidden) in choice.hidden.to_vec().into_iter().enumerate() {
            let (row, place) = (i / 16, back[i] as usize);
            assert_eq!(hidden, place >= 8);
            if !hidden {
                assert_eq!(seen[row * 8 + place], i as i64 % 16);
            }
        }
    }

    /// In images of one brightness each, the hidden patches are as bright as the visible ones.
    #[test]
    fn it_learns_to_guess_and_its_encoder_says_what_it_saw() {
        let mut model = small::<f64>(16);
        let mut rng = Rng::seed(5);
        let mut draw = || Tensor::<f64>::rand([16, 1, 1, 1], &mut rng).unwrap().expand([16, 1, 8, 8]);
        let (mut adam, mut tape) = (Adam::new(3e-3), Tape::train(0));
        let mut loss = f64::MAX;
        for _ in 0..150 {
            tape.reset();
            let l = model.loss(tape.constant(draw()));
            loss = l.item().unwrap();
            adam.step(&mut model, &l.backward().unwrap()).unwrap();
        }
        // The variance of a brightness drawn uniformly from [0, 1] is 1/12.
        assert!(loss < 0.1 / 12.0, "{loss}");
        let tape = Tape::eval();
        let x = tape.constant(draw());
        let features = model.features(x);
        assert_eq!(features.shape(), [16, 16]);
        assert!(features.value().unwrap() != model.features(x * 0.5).value().unwrap());
    }

    #[test]
    fn a_classifier_goes_on_from_the_encoder() {
        let model = small::<f64>(4);
        let vit = model.classifier(3, &mut Rng::seed(2));
        let mut other = small::<f64>(4).classifier(3, &mut Rng::seed(3));
        let matched = state::transfer(&mut other, &state::dict(&model));
        assert_eq!(matched.missing, ["head.weight", "head.bias"]);
        assert!(matched.different.is_empty(), "{matched}");
        let tape = Tape::eval();
        let x = tape.constant(images(2, 0));
        other.head = vit.head.clone();
        assert_eq!(vit.forward(x).value().unwrap(), other.forward(x).value().unwrap());
        // The class vector's output is that of the autoencoder's encoder for the whole image.
        let seen = model.see(model.placed(patches(x, 2))).select(1, 0);
        let apart = (vit.head.forward(seen) - vit.forward(x)).abs().sum().item().unwrap();
        assert!(apart < 1e-12, "{apart}");
    }

    #[test]
    fn what_does_not_fit_is_refused_where_the_caller_stands() {
        let mut model = small::<f64>(4);
        let tape = Tape::new();
        let (x, odd) = (tape.constant(images(2, 0)), tape.constant(Tensor::ones([2, 1, 7, 8])));
        let two = tape.constant(Tensor::ones([2, 2, 8, 8]));
        let mut all = vec![model.loss(odd), model.loss(two), model.features(odd)];
        for share in [0.0, 1.0, f64::NAN, -1.0] {
            model.hidden = share;
            all.push(model.loss(x));
            assert!(model.fill(&images(1, 0), &tape).is_err());
        }
        model.patch = 0;
        all.push(model.loss(x));
        for y in all {
            let e = y.value().unwrap_err();
            assert_eq!(e.location().map(|at| at.file()), Some(file!()), "{e}");
        }
        let e = model.fill(&images(1, 0), &tape).unwrap_err();
        assert_eq!(e.location().map(|at| at.file()), Some(file!()), "{e}");
    }
}
