//! Panics in the user's code are failures with their place, and nothing is printed when they occur.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Arc;

thread_local! {
    /// The places of panics since this thread began a case; `None` if it runs none.
    static PLACES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Calls `f`; panics of threads that run a case are noted and not printed.
pub(crate) fn noted<R>(f: impl FnOnce() -> R) -> R {
    let before: Arc<dyn Fn(&PanicHookInfo<'_>) + Sync + Send> = Arc::from(panic::take_hook());
    let other = Arc::clone(&before);
    panic::set_hook(Box::new(move |info| {
        let running = PLACES.with_borrow_mut(|places| match places {
            Some(places) => {
                places.push(place(info));
                true
            }
            None => false,
        });
        if !running {
            other(info);
        }
    }));
    let result = f();
    panic::set_hook(Box::new(move |info| before(info)));
    result
}

/// Calls `f`, and returns the places of panics in it.
pub(crate) fn watched<R>(f: impl FnOnce() -> R) -> (R, Vec<String>) {
    PLACES.set(Some(Vec::new()));
    let result = f();
    (result, PLACES.take().unwrap_or_default())
}

/// The result of `f`, or its panic.
pub(crate) fn caught<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    panic::catch_unwind(AssertUnwindSafe(f))
}

fn place(info: &PanicHookInfo<'_>) -> String {
    match info.location() {
        Some(at) => format!("panicked at {}:{}:{}", at.file(), at.line(), at.column()),
        None => "panicked".to_owned(),
    }
}
