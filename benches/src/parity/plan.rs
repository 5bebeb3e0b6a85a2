//! How a model is trained: optimiser, schedule and clipping, for wengert and in PyTorch's terms.

use serde_json::{Value, json};
use wengert::nn::UpdatesExt;
use wengert::nn::optim::{
    Adam, AdamConfig, Nadam, NadamConfig, Optimizer, Radam, RadamConfig, Rmsprop, RmspropConfig, Schedule,
    Sgd, SgdConfig,
};
use wengert::prelude::*;

/// An optimiser and its options.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Method {
    Sgd(SgdConfig),
    Adam(AdamConfig),
    Nadam(NadamConfig),
    Radam(RadamConfig),
    Rmsprop(RmspropConfig),
}

impl Method {
    pub(crate) fn build<T: Float>(self) -> Box<dyn Optimizer<T>> {
        match self {
            Method::Sgd(c) => Box::new(Sgd::with_config(c)),
            Method::Adam(c) => Box::new(Adam::with_config(c)),
            Method::Nadam(c) => Box::new(Nadam::with_config(c)),
            Method::Radam(c) => Box::new(Radam::with_config(c)),
            Method::Rmsprop(c) => Box::new(Rmsprop::with_config(c)),
        }
    }

    fn learning_rate(self) -> f64 {
        match self {
            Method::Sgd(c) => c.learning_rate,
            Method::Adam(c) => c.learning_rate,
            Method::Nadam(c) => c.learning_rate,
            Method::Radam(c) => c.learning_rate,
            Method::Rmsprop(c) => c.learning_rate,
        }
    }

    /// The optimiser as a class in `torch.optim` and its arguments.
    fn torch(self) -> Value {
        let (class, arguments) = match self {
            Method::Sgd(c) => (
                "SGD",
                json!({ "lr": c.learning_rate, "momentum": c.momentum, "dampening": c.dampening,
                        "nesterov": c.nesterov, "weight_decay": c.weight_decay }),
            ),
            Method::Adam(c) => (
                if c.decoupled { "AdamW" } else { "Adam" },
                json!({ "lr": c.learning_rate, "betas": [c.beta1, c.beta2], "eps": c.epsilon,
                        "weight_decay": c.weight_decay, "amsgrad": c.amsgrad }),
            ),
            Method::Nadam(c) => (
                "NAdam",
                json!({ "lr": c.learning_rate, "betas": [c.beta1, c.beta2], "eps": c.epsilon,
                        "weight_decay": c.weight_decay, "momentum_decay": c.momentum_decay,
                        "decoupled_weight_decay": c.decoupled }),
            ),
            Method::Radam(c) => (
                "RAdam",
                json!({ "lr": c.learning_rate, "betas": [c.beta1, c.beta2], "eps": c.epsilon,
                        "weight_decay": c.weight_decay, "decoupled_weight_decay": c.decoupled }),
            ),
            Method::Rmsprop(c) => (
                "RMSprop",
                json!({ "lr": c.learning_rate, "alpha": c.alpha, "eps": c.epsilon, "momentum": c.momentum,
                        "centered": c.centered, "weight_decay": c.weight_decay }),
            ),
        };
        json!({ "class": class, "arguments": arguments })
    }
}

/// The schedule of the learning rate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    Constant,
    /// The rate is multiplied by `factor` every `every` steps.
    Step {
        every: usize,
        factor: f64,
    },
    /// The rate is multiplied by this factor in each step.
    Exponential(f64),
    /// Half a cosine to this rate.
    Cosine(f64),
    /// A straight line to this fraction of the first rate.
    Linear(f64),
    /// Up to the optimiser's rate and down again.
    OneCycle,
}

impl Pace {
    fn schedule(self, rate: f64, steps: usize) -> Schedule {
        match self {
            Pace::Constant => Schedule::Constant(rate),
            Pace::Step { every, factor } => Schedule::Step { from: rate, every, factor },
            Pace::Exponential(factor) => Schedule::Exponential { from: rate, factor },
            Pace::Cosine(to) => Schedule::Cosine { from: rate, to, steps },
            Pace::Linear(part) => Schedule::Linear { from: rate, to: rate * part, steps },
            Pace::OneCycle => Schedule::one_cycle(rate, steps),
        }
    }

    /// The schedule as a class in `torch.optim.lr_scheduler` and its arguments.
    fn torch(self, rate: f64, steps: usize) -> Value {
        let (class, arguments) = match self {
            Pace::Constant => return Value::Null,
            Pace::Step { every, factor } => ("StepLR", json!({ "step_size": every, "gamma": factor })),
            Pace::Exponential(factor) => ("ExponentialLR", json!({ "gamma": factor })),
            Pace::Cosine(to) => ("CosineAnnealingLR", json!({ "T_max": steps, "eta_min": to })),
            Pace::Linear(part) => {
                ("LinearLR", json!({ "start_factor": 1.0, "end_factor": part, "total_iters": steps }))
            }
            Pace::OneCycle => {
                ("OneCycleLR", json!({ "max_lr": rate, "total_steps": steps, "cycle_momentum": false }))
            }
        };
        json!({ "class": class, "arguments": arguments })
    }
}

/// How a model is trained and measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) method: Method,
    pub(crate) pace: Pace,
    /// The largest norm of the gradients; `None` for no clipping.
    pub(crate) clip: Option<f64>,
    pub(crate) batch: usize,
    /// The number of epochs of the training before the metric.
    pub(crate) epochs: usize,
    /// The number of parts of the model that have their own optimiser.
    pub(crate) parts: usize,
    /// The name and unit of the metric.
    pub(crate) metric: &'static str,
}

impl Plan {
    /// The plan of a classifier: one part, without clipping.
    pub(crate) fn classifier(method: Method, pace: Pace, batch: usize, epochs: usize) -> Self {
        Plan { method, pace, clip: None, batch, epochs, parts: 1, metric: "accuracy, %" }
    }
}

impl Plan {
    /// The plan in PyTorch's terms, for a training of the given number of steps.
    pub(crate) fn torch(&self, steps: usize) -> Value {
        json!({
            "optimizer": self.method.torch(),
            "schedule": self.pace.torch(self.method.learning_rate(), steps),
            "clip": self.clip,
            "batch": self.batch,
            "steps": steps,
            "epochs": self.epochs,
            "metric": self.metric,
        })
    }

    pub(crate) fn updater<T: Float>(&self, steps: usize) -> Updater<T> {
        Updater {
            optimizers: (0..self.parts).map(|_| self.method.build()).collect(),
            schedule: self.pace.schedule(self.method.learning_rate(), steps),
            clip: self.clip,
            step: 0,
        }
    }
}

/// The optimisers of a training, and the current step.
pub(crate) struct Updater<T: Float> {
    optimizers: Vec<Box<dyn Optimizer<T>>>,
    schedule: Schedule,
    clip: Option<f64>,
    pub(crate) step: usize,
}

impl<T: Float> Updater<T> {
    /// Steps with part `part`, applies the changes that layers of it and of `beside` announced, and returns the loss.
    pub(crate) fn update(
        &mut self,
        part: usize,
        model: &mut dyn Module,
        beside: Option<&mut dyn Module>,
        loss: Var<'_, T>,
    ) -> anyhow::Result<f64> {
        let value = loss.item()?.to_f64();
        let mut grads = loss.backward()?;
        if let Some(max) = self.clip {
            optim::clip_norm(&mut grads, max)?;
        }
        let optimizer = &mut self.optimizers[part];
        optimizer.set_learning_rate(self.schedule.at(self.step));
        optimizer.step(model, &grads)?;
        if let Some(beside) = beside {
            grads.updates().apply(beside)?;
        }
        Ok(value)
    }
}
