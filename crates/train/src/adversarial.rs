//! [`Adversarial`]: a generator and a discriminator that are trained against each other.

use crate::error::{Error, Result};
use crate::learner::{Context, Learner, ModelAndOptimizer, ModelAndOptimizerMut};
use crate::measures::Measures;
use wengert_data::Batch;
use wengert_nn::optim::Optimizer;
use wengert_nn::zoo::{GanLoss, gradient_penalty, noise};
use wengert_nn::{Layer, Module, UpdatesExt, for_each_param_mut};
use wengert_tape::{Tape, Var};

/// Measures a generator. It is called once per evaluation.
type Judge<'m, G> = Box<dyn Fn(&G) -> Result<Measures> + 'm>;

/// A generator `[n, latent]` → samples and a discriminator of samples → logits `[n, 1]`, each with its optimiser. In each step,
/// the discriminator first learns to distinguish a batch from the same number of generated samples; then the generator learns to
/// make the discriminator judge its samples real (Goodfellow et al. 2014, algorithm 1).
///
/// Running statistics, such as those of batch norm, change as in PyTorch: with every forward pass of the player that learns from
/// it or makes samples for it. Those of the generator change in each step, also in steps in which only the discriminator learns;
/// those of the discriminator change with the real and with the generated samples. While the generator learns, the discriminator
/// is frozen and its statistics do not change.
///
/// `loss` is the loss of the discriminator, `generator_loss` that of the generator, and `told_apart` the share of samples that
/// the discriminator classifies correctly.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{optim::Adam, zoo::{GanLoss, GanConfig, dense_gan}};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Adversarial, FitConfig, fit};
///
/// let config = GanConfig { latent: 8, hidden: vec![32], outputs: 64, ..GanConfig::default() };
/// let (mut generator, mut discriminator) = dense_gan(&config, &mut Rng::seed(0));
/// let (mut g, mut d) = (Adam::new(2e-3), Adam::new(2e-3));
/// let mut gan = Adversarial::new((&mut generator, &mut g), (&mut discriminator, &mut d), GanLoss::NonSaturating, 8);
/// let (train, test) = digits()?.stratified_split(0.5, 0)?;
/// let config = FitConfig { epochs: 2, ..FitConfig::default() };
/// let fitted = fit(&mut gan, &Loader::new(&train, 64, 0)?, &test, &config, &mut ())?;
/// assert!(fitted.epochs[1].test.get("generator_loss").is_some());
/// # Ok::<(), wengert_train::Error>(())
/// ```
pub struct Adversarial<'m, G, D> {
    generator: (&'m mut G, &'m mut dyn Optimizer<f32>),
    discriminator: (&'m mut D, &'m mut dyn Optimizer<f32>),
    game: GanLoss,
    latent: usize,
    every: usize,
    judge: Option<Judge<'m, G>>,
    judged: Measures,
    /// The tapes that the two players are recorded on. The tape of the generated samples serves both players.
    tapes: [Tape<f32>; 2],
}

const GENERATOR: &str = "generator";
const DISCRIMINATOR: &str = "discriminator";

impl<'m, G: Layer<f32>, D: Layer<f32>> Adversarial<'m, G, D> {
    /// A generator and a discriminator with their optimisers, the loss, and the number of dimensions of the noise. See
    /// [`Adversarial`] for an example.
    pub fn new(
        generator: (&'m mut G, &'m mut dyn Optimizer<f32>),
        discriminator: (&'m mut D, &'m mut dyn Optimizer<f32>),
        game: GanLoss,
        latent: usize,
    ) -> Self {
        let (judged, tapes) = (Measures::default(), [Tape::train(0), Tape::train(0)]);
        Adversarial { generator, discriminator, game, latent, every: 1, judge: None, judged, tapes }
    }

    /// The same, but the generator learns only in every `steps`-th step, as is usual with a Wasserstein critic (5 in Gulrajani et
    /// al. 2017).
    #[must_use]
    pub fn critic_steps(mut self, steps: usize) -> Self {
        self.every = steps.max(1);
        self
    }

    /// The same, with the measures that `judge` returns for the generator added to each evaluation, such as a Fréchet distance.
    ///
    /// ```
    /// # use wengert_data::{Loader, digits};
    /// # use wengert_nn::{Layer, optim::Adam, zoo::{GanLoss, GanConfig, dense_gan, noise}};
    /// # use wengert_ops::random::{Key, Rng};
    /// # use wengert_tape::Tape;
    /// # use wengert_train::{Adversarial, FitConfig, Measures, fit};
    /// # let config = GanConfig { latent: 8, hidden: vec![32], outputs: 64, ..GanConfig::default() };
    /// # let (mut generator, mut discriminator) = dense_gan(&config, &mut Rng::seed(0));
    /// # let (mut g, mut d) = (Adam::new(2e-3), Adam::new(2e-3));
    /// let players = ((&mut generator, &mut g as _), (&mut discriminator, &mut d as _));
    /// let mut gan = Adversarial::new(players.0, players.1, GanLoss::Minimax, 8).judge(|generator| {
    ///     let z = noise(100, 8, Key { seed: 1, stream: 0 })?;
    ///     let brightness = generator.forward(Tape::eval().constant(z)).mean().item()?;
    ///     Ok(Measures::default().mean("brightness", brightness.into(), 1.0))
    /// });
    /// # let (train, test) = digits()?.stratified_split(0.5, 0)?;
    /// # let config = FitConfig { epochs: 1, ..FitConfig::default() };
    /// let fitted = fit(&mut gan, &Loader::new(&train, 64, 0)?, &test, &config, &mut ())?;
    /// assert!(fitted.epochs[0].test.get("brightness").unwrap().abs() < 1.0);
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    #[must_use]
    pub fn judge(mut self, judge: impl Fn(&G) -> Result<Measures> + 'm) -> Self {
        self.judge = Some(Box::new(judge));
        self
    }

    /// The discriminator's loss, and the number of samples that it classifies correctly, real and generated.
    fn told<'t>(&self, real: Var<'t, f32>, fake: Var<'t, f32>) -> Result<(Var<'t, f32>, usize)> {
        let tape = real.tape();
        let judge = |x: Var<'t, f32>| self.discriminator.0.forward(x);
        let (of_real, of_fake) = (judge(real), judge(fake));
        let mut loss = self.game.discriminator_loss(of_real, of_fake);
        if let GanLoss::Wasserstein(weight) = self.game
            && tape.is_training()
        {
            let mut rng = tape.rng();
            loss += gradient_penalty(judge, real, fake, &mut rng)? * weight;
            tape.set_rng(rng);
        }
        let right = |logits: Var<'t, f32>, real: bool| -> Result<usize> {
            Ok(logits.value()?.to_vec().iter().filter(|v| (**v > 0.0) == real).count())
        };
        Ok((loss, right(of_real, true)? + right(of_fake, false)?))
    }

    fn step(
        &mut self,
        batch: &Batch,
        context: &mut Context<'_>,
        tapes: &mut [Tape<f32>; 2],
    ) -> Result<Measures> {
        let n = batch.len();
        let z = noise(n, self.latent, context.tape.next_key())?;
        let [generating, judging] = tapes;
        generating.reset();
        judging.reset();
        generating.set_rng(context.tape.rng());
        let fake = self.generator.0.forward(generating.constant(z));

        judging.set_rng(generating.rng());
        let (loss, right) = self.told(judging.constant(&batch.inputs), judging.constant(fake.value()?))?;
        let d = f64::from(loss.item()?);
        context.check(d)?;
        let grads = loss.backward()?;
        generating.set_rng(judging.rng());
        let (model, optimizer) = &mut self.discriminator;
        context.step(
            ModelAndOptimizerMut { name: DISCRIMINATOR, model: &mut **model, optimizer: &mut **optimizer },
            &grads,
        )?;
        let measures = Measures::new(n).mean("loss", d, n as f64).share("told_apart", right, 2 * n);

        let number = (context.epoch - 1) * context.steps + context.step;
        if !number.is_multiple_of(self.every) {
            // Nothing differentiates the generator's pass, so no step of its optimiser carries out the updates that its layers
            // announced.
            generating.updates().apply(&mut *self.generator.0)?;
            context.tape.set_rng(generating.rng());
            return Ok(measures);
        }
        // The same generated samples for the updated discriminator, which does not learn from them.
        let trained = frozen(self.discriminator.0);
        let loss = self.game.generator_loss(self.discriminator.0.forward(fake));
        let outcome = loss.item().map_err(Error::from).and_then(|g| {
            context.check(f64::from(g))?;
            Ok((f64::from(g), loss.backward()?))
        });
        context.tape.set_rng(generating.rng());
        thawed(self.discriminator.0, &trained);
        let (g, grads) = outcome?;
        let (model, optimizer) = &mut self.generator;
        context.step(
            ModelAndOptimizerMut { name: GENERATOR, model: &mut **model, optimizer: &mut **optimizer },
            &grads,
        )?;
        Ok(measures.mean("generator_loss", g, n as f64))
    }
}

/// Freezes a model, and returns for each parameter whether it was trained before.
fn frozen(model: &mut impl Module) -> Vec<bool> {
    let mut trained = Vec::new();
    for_each_param_mut::<f32>(model, &mut |_, p| {
        trained.push(p.is_trainable());
        p.set_trainable(false);
    });
    trained
}

/// Undoes [`frozen`].
fn thawed(model: &mut impl Module, trained: &[bool]) {
    let mut trained = trained.iter();
    for_each_param_mut::<f32>(model, &mut |_, p| p.set_trainable(trained.next() == Some(&true)));
}

impl<G: Layer<f32>, D: Layer<f32>> Learner<Batch> for Adversarial<'_, G, D> {
    fn parts(&self) -> Vec<ModelAndOptimizer<'_>> {
        let (generator, discriminator) = (&self.generator, &self.discriminator);
        vec![
            ModelAndOptimizer { name: GENERATOR, model: &*generator.0, optimizer: &*generator.1 },
            ModelAndOptimizer { name: DISCRIMINATOR, model: &*discriminator.0, optimizer: &*discriminator.1 },
        ]
    }

    fn parts_mut(&mut self) -> Vec<ModelAndOptimizerMut<'_>> {
        let (generator, discriminator) = (&mut self.generator, &mut self.discriminator);
        vec![
            ModelAndOptimizerMut { name: GENERATOR, model: &mut *generator.0, optimizer: &mut *generator.1 },
            ModelAndOptimizerMut {
                name: DISCRIMINATOR,
                model: &mut *discriminator.0,
                optimizer: &mut *discriminator.1,
            },
        ]
    }

    /// One step per batch: the gradients of several batches are not accumulated, since the players take turns in each step.
    fn learn(&mut self, batches: &[Batch], context: &mut Context<'_>) -> Result<Measures> {
        let mut measures = Measures::default();
        let mut tapes = std::mem::replace(&mut self.tapes, [Tape::train(0), Tape::train(0)]);
        let played = batches.iter().try_for_each(|batch| {
            measures.add(&self.step(batch, context, &mut tapes)?);
            Ok(())
        });
        self.tapes = tapes;
        played.map(|()| measures)
    }

    fn measure(&self, batch: &Batch, tape: &Tape<f32>) -> Result<Measures> {
        let n = batch.len();
        let fake = self.generator.0.forward(tape.constant(noise(n, self.latent, tape.next_key())?));
        let (loss, right) = self.told(tape.constant(&batch.inputs), fake)?;
        let g = self.game.generator_loss(self.discriminator.0.forward(fake)).item()?;
        let mut measures = Measures::new(n)
            .mean("loss", loss.item()?.into(), n as f64)
            .share("told_apart", right, 2 * n)
            .mean("generator_loss", g.into(), n as f64);
        for m in self.judged.iter() {
            // The value is the same for each batch, so it is its own mean.
            measures = measures.with(m.name().to_owned(), m.form(), m.sum() / m.weight(), n as f64);
        }
        Ok(measures)
    }

    fn begin_evaluation(&mut self) -> Result<()> {
        if let Some(judge) = &self.judge {
            self.judged = judge(self.generator.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FitConfig, FitReport, fit};
    use wengert_data::{Loader, digits};
    use wengert_nn::optim::Adam;
    use wengert_nn::zoo::{GanConfig, dense_gan};
    use wengert_nn::{Sequential, for_each_param, state};
    use wengert_ops::random::Rng;

    fn play(game: GanLoss, every: usize, epochs: usize) -> (FitReport, [Sequential<f32>; 2]) {
        let config = GanConfig { latent: 8, hidden: vec![32], outputs: 64, ..GanConfig::default() };
        let (mut generator, mut discriminator) = dense_gan(&config, &mut Rng::seed(0));
        let (mut g, mut d) = (Adam::new(2e-3), Adam::new(2e-3));
        let players = ((&mut generator, &mut g as _), (&mut discriminator, &mut d as _));
        let mut gan = Adversarial::new(players.0, players.1, game, 8).critic_steps(every);
        let (train, test) = digits().unwrap().stratified_split(0.5, 0).unwrap();
        let loader = Loader::new(&train, 128, 0).unwrap();
        let config = FitConfig { epochs, ..FitConfig::default() };
        let fitted = fit(&mut gan, &loader, &test, &config, &mut ()).unwrap();
        drop(gan);
        (fitted, [generator, discriminator])
    }

    #[test]
    fn both_learn_and_nothing_stays_frozen() {
        for game in [GanLoss::Minimax, GanLoss::NonSaturating, GanLoss::Wasserstein(10.0)] {
            let every = if matches!(game, GanLoss::Wasserstein(_)) { 5 } else { 1 };
            let (_, [g0, d0]) = play(game, every, 0);
            let (fitted, [g, d]) = play(game, every, 6);
            let changed = |a: &Sequential<f32>, b: &Sequential<f32>| state::dict(a) != state::dict(b);
            assert!(changed(&g0, &g) && changed(&d0, &d), "{game:?}");
            let mut trainable = true;
            for_each_param::<f32>(&d, &mut |_, p| trainable &= p.is_trainable());
            assert!(trainable);
            // The discriminator is better than a random one, whose loss is 2 ln 2, or 0 for a critic.
            let losses: Vec<f64> = fitted.epochs.iter().map(|e| e.test.loss()).collect();
            let nothing = if matches!(game, GanLoss::Wasserstein(_)) { 0.0 } else { 4f64.ln() };
            assert!(losses.iter().all(|loss| *loss < nothing), "{game:?}: {losses:?}");
        }
    }

    /// The identity, with a gradient of NaN.
    #[derive(Debug, Clone, Copy)]
    struct Rooted;

    impl Module for Rooted {
        fn visit(&self, _: &mut wengert_nn::ModulePath, _: &mut dyn wengert_nn::Visitor) {}
        fn visit_mut(&mut self, _: &mut wengert_nn::ModulePath, _: &mut dyn wengert_nn::VisitorMut) {}
    }

    impl Layer<f32> for Rooted {
        fn forward<'t>(&self, x: Var<'t, f32>) -> Var<'t, f32> {
            let same = x;
            if x.tape().is_training() { x + (x - same).sqrt() * x } else { x }
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_ends_the_game_before_the_step() {
        let config = GanConfig { latent: 8, hidden: vec![32], outputs: 64, ..GanConfig::default() };
        let (train, test) = digits().unwrap().stratified_split(0.5, 0).unwrap();
        for broken in [GENERATOR, DISCRIMINATOR] {
            let (mut generator, mut discriminator) = dense_gan(&config, &mut Rng::seed(0));
            match broken {
                GENERATOR => generator = generator.push(Rooted),
                _ => discriminator = discriminator.push(Rooted),
            }
            let before = [state::dict(&generator), state::dict(&discriminator)];
            let (mut g, mut d) = (Adam::new(2e-3), Adam::new(2e-3));
            let players = ((&mut generator, &mut g as _), (&mut discriminator, &mut d as _));
            let mut gan = Adversarial::new(players.0, players.1, GanLoss::NonSaturating, 8);
            let loader = Loader::new(&train, 128, 0).unwrap();
            let config = FitConfig { epochs: 1, ..FitConfig::default() };
            let e = fit(&mut gan, &loader, &test, &config, &mut ()).unwrap_err();
            drop(gan);
            assert!(
                matches!(&e, Error::Gradient { parameter, epoch: 1, step: 1, .. } if parameter.starts_with(broken)),
                "{e}"
            );
            assert_eq!(state::dict(&generator), before[0], "{broken}");
            // The discriminator's own step comes first.
            assert_eq!(state::dict(&discriminator) == before[1], broken == DISCRIMINATOR);
        }
    }

    #[test]
    fn running_statistics_move_in_every_step_also_where_only_the_critic_learns() {
        use wengert_nn::{BatchNorm, Linear};
        let (train, _) = digits().unwrap().stratified_split(0.5, 0).unwrap();
        let loader = Loader::new(&train, 128, 0).unwrap();
        for every in [1, 3, 5, 100] {
            let mut rng = Rng::seed(0);
            let mut generator = Sequential::new()
                .push(Linear::new(8, 16, &mut rng))
                .push(BatchNorm::new(16))
                .push(Linear::new(16, 64, &mut rng));
            let mut discriminator =
                Sequential::new().push(BatchNorm::new(64)).push(Linear::new(64, 1, &mut rng));
            let (mut g, mut d) = (Adam::new(2e-3), Adam::new(2e-3));
            let players = ((&mut generator, &mut g as _), (&mut discriminator, &mut d as _));
            let mut gan =
                Adversarial::new(players.0, players.1, GanLoss::NonSaturating, 8).critic_steps(every);
            let config = FitConfig { epochs: 1, ..FitConfig::default() };
            fit(&mut gan, &loader, &crate::NoValidation, &config, &mut ()).unwrap();
            drop(gan);
            let counted = |model: &Sequential<f32>, name: &str| match &state::dict(model)[name] {
                state::AnyTensor::I64(n) => n.item().unwrap(),
                other => panic!("{other:?}"),
            };
            assert_eq!(counted(&generator, "1.num_batches_tracked"), 8, "{every}");
            assert_eq!(counted(&discriminator, "0.num_batches_tracked"), 16, "{every}");
        }
    }

    #[test]
    fn a_critic_may_learn_more_often() {
        let (every, _) = play(GanLoss::Wasserstein(10.0), 3, 1);
        let of = |name: &str| every.epochs[0].train.measure(name).unwrap().weight();
        // In 8 steps, the generator learns in the third and the sixth.
        assert_eq!((of("loss"), of("generator_loss")), (898.0, 256.0));
    }
}
