//! The errors of a step: gradients of another model, and announced changes that were not applied.

use crate::module::{Module, buffers_of, for_each_param};
use wengert_tape::{BufferId, Change, Error, ErrorKind, Float, Grads, Result, Updates};

/// Checks that a step with these gradients changes something in the model.
pub(super) fn concerns<T: Float>(op: &'static str, model: &dyn Module, grads: &Grads<T>) -> Result<()> {
    let mut hit = false;
    for_each_param::<T>(model, &mut |_, p| {
        hit = hit || p.is_trainable() && grads.get(p.id()).is_some();
    });
    if hit {
        return Ok(());
    }
    let (mut own, mut trainable) = (Vec::new(), 0);
    for_each_param::<T>(model, &mut |path, p| {
        trainable += usize::from(p.is_trainable());
        own.push(described(path.as_str(), p.shape()));
    });
    let buffers = buffers_of(model);
    if trainable == 0 && grads.updates().iter().any(|u| buffers.contains(&u.id())) {
        return Ok(());
    }
    let model_has = listed(own.iter().map(String::as_str), own.len());
    let detail = match (own.len(), trainable, grads.len()) {
        (0, ..) => format!("the model has no parameter of {}, so there is nothing to step", T::DTYPE),
        (_, 0, _) => {
            format!("every parameter of the model is frozen ({model_has}); unfreeze() lets them move")
        }
        (_, _, 0) => format!(
            "there is no gradient of any parameter: the loss depends on none (was it detached, or made of values?); the \
             model has {model_has}"
        ),
        (_, _, n) => {
            let of =
                grads.iter().map(|(_, name, g)| described(name.unwrap_or("an unnamed parameter"), g.shape()));
            let of: Vec<String> = of.take(LISTED).collect();
            format!(
                "the gradients are of {}, none of which is a trainable parameter of this model; it has {model_has} (a \
                 clone's parameters are its own: differentiate the model that is to be stepped)",
                listed(of.iter().map(String::as_str), n)
            )
        }
    };
    Err(Error::new(ErrorKind::Unreached, op, detail))
}

/// The largest number of names in a message.
const LISTED: usize = 8;

fn described(name: &str, shape: &[usize]) -> String {
    let name = if name.is_empty() { "a parameter" } else { name };
    format!("{name} {shape:?}")
}

/// The first few of `n` names.
fn listed<'n>(names: impl Iterator<Item = &'n str>, n: usize) -> String {
    let first: Vec<&str> = names.take(LISTED).collect();
    let more = if n > LISTED { format!(", … ({n} in all)") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// A description of the announced changes that have not been applied, except those for which `own` holds; `None` if there are
/// none.
pub(super) fn owed<T: Float>(updates: &Updates<T>, own: impl Fn(BufferId) -> bool) -> Option<String> {
    let owed = updates.iter().filter(|u| u.is_owed() && !own(u.id()));
    let owed = owed.map(|u| match u.change() {
        Change::Towards { value, .. } => format!("{} {}", T::DTYPE, value.shape()),
        Change::Count(_) => "a count".to_owned(),
    });
    let owed: Vec<String> = owed.collect();
    let changes = if owed.len() == 1 { "change" } else { "changes" };
    let which = listed(owed.iter().map(String::as_str), owed.len());
    (!owed.is_empty()).then(|| {
        format!("{} announced {changes} of buffers that are not of this model ({which})", owed.len())
    })
}

/// The first few names.
pub(super) fn some(names: &[&str]) -> String {
    match names.len() {
        0 => "the model has none of this element type".to_owned(),
        n if n > 8 => format!("the model has {}, … ({n} in all)", names[..8].join(", ")),
        _ => format!("the model has {}", names.join(", ")),
    }
}
