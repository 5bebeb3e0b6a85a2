//! The checks of options that optimisers share.

use wengert_tape::{Error, ErrorKind};

/// The methods that an [`UpdateRule`](super::UpdateRule) derives from its options: access to the field `learning_rate`, and the
/// check that each option is in its range.
macro_rules! options {
    ($($range:ident: $($option:ident),+);+) => {
        fn learning_rate(&self) -> f64 {
            self.learning_rate
        }

        fn set_learning_rate(&mut self, rate: f64) {
            self.learning_rate = rate;
        }

        fn check(&self) -> wengert_ops::Result<()> {
            $($($crate::optim::options::$range(Self::NAME, stringify!($option), self.$option)?;)+)+
            Ok(())
        }
    };
}
pub(super) use options;

/// `Ok` if `value` is in [0, 1).
pub(super) fn fraction(op: &'static str, name: &str, value: f64) -> wengert_ops::Result<()> {
    check(op, (0.0..1.0).contains(&value), || format!("expected {name} in [0, 1), found {value}"))
}

/// `Ok` if `value` is in [0, 1].
pub(super) fn share(op: &'static str, name: &str, value: f64) -> wengert_ops::Result<()> {
    check(op, (0.0..=1.0).contains(&value), || format!("expected {name} in [0, 1], found {value}"))
}

/// `Ok` if `value` is at least 0 and finite.
pub(super) fn not_negative(op: &'static str, name: &str, value: f64) -> wengert_ops::Result<()> {
    check(op, value >= 0.0 && value.is_finite(), || format!("expected {name} of at least 0, found {value}"))
}

/// `Ok` if the condition on an option holds.
pub(super) fn check(op: &'static str, holds: bool, detail: impl Fn() -> String) -> wengert_ops::Result<()> {
    if holds { Ok(()) } else { Err(wengert_ops::Error::new(op, wengert_ops::ErrorKind::Argument, detail())) }
}

/// The error of an option, without a position in the program.
pub(super) fn refused(e: wengert_ops::Error) -> Error {
    Error::new(ErrorKind::Op(e.kind()), e.op(), e.detail())
}

pub(super) fn argument(op: &'static str, detail: String) -> Error {
    Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), op, detail)
}
