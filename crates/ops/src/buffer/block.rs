//! Blocks of up to some kilobyte: the heads of all buffers, and the elements of small ones. Each thread keeps what it frees in a list
//! for each size, so that a small tensor costs a few instructions.

use super::LIMIT;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

/// Sizes are multiples of this, and blocks are aligned to it.
pub(super) const STEP: usize = 64;
/// The number of sizes.
const SIZES: usize = 17;
/// The size of the largest block.
pub(super) const LARGEST: usize = SIZES * STEP;
/// The largest number of blocks of each size that a thread keeps.
const KEPT: usize = 64;

/// Free blocks, by size.
struct Free([Vec<NonNull<u8>>; SIZES]);

impl Drop for Free {
    fn drop(&mut self) {
        for (size, list) in self.0.iter_mut().enumerate() {
            for block in list.drain(..) {
                // SAFETY: blocks of this list were allocated with this layout, and nothing points to them.
                unsafe { dealloc(block.as_ptr(), layout(size)) };
            }
        }
    }
}

thread_local! {
    static FREE: RefCell<Free> = const { RefCell::new(Free([const { Vec::new() }; SIZES])) };
}

/// The index of the size that holds this number of bytes.
fn size_of_block(bytes: usize) -> usize {
    debug_assert!((1..=LARGEST).contains(&bytes));
    (bytes - 1) / STEP
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align((size + 1) * STEP, STEP).expect("a small multiple of a power of two")
}

/// A block of at least this number of bytes, 1 to [`LARGEST`]. Its bytes are initialised, with any values.
#[inline]
pub(super) fn take(bytes: usize) -> NonNull<u8> {
    let size = size_of_block(bytes);
    // After the thread's lists were destroyed, blocks come from the system.
    let free = FREE.try_with(|free| free.borrow_mut().0[size].pop()).ok().flatten();
    free.unwrap_or_else(|| fresh(size))
}

#[cold]
fn fresh(size: usize) -> NonNull<u8> {
    let layout = layout(size);
    // SAFETY: the layout has a size above zero.
    let block = unsafe { alloc_zeroed(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives a block back.
///
/// # Safety
/// It comes from [`take`] for this number of bytes, perhaps on another thread, its bytes are initialised, and nothing uses it any more.
#[inline]
pub(super) unsafe fn give(block: NonNull<u8>, bytes: usize) {
    let size = size_of_block(bytes);
    let kept = FREE.try_with(|free| {
        let list = &mut free.borrow_mut().0[size];
        let keeps = list.len() < KEPT && LIMIT.load(Relaxed) > 0;
        if keeps {
            list.push(block);
        }
        keeps
    });
    if !kept.unwrap_or(false) {
        // SAFETY: it was allocated with this layout, and the caller guarantees that it is not used any more.
        unsafe { dealloc(block.as_ptr(), layout(size)) };
    }
}

/// Returns the free blocks of this thread to the system.
pub(super) fn clear() {
    // Without lists there is nothing to clear.
    let _ = FREE.try_with(|free| *free.borrow_mut() = Free([const { Vec::new() }; SIZES]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_by_the_thread_that_freed_it() {
        for bytes in [1, 64, 65, 1000, LARGEST] {
            let first = take(bytes);
            assert!(first.as_ptr().addr().is_multiple_of(STEP));
            // SAFETY: it was taken above.
            unsafe { give(first, bytes) };
            let second = take(bytes);
            assert!(first == second || LIMIT.load(Relaxed) == 0);
            let at = second.as_ptr() as usize;
            let elsewhere = move || {
                let block = NonNull::new(at as *mut u8).unwrap();
                // SAFETY: it was taken above, and this thread frees it at its end.
                unsafe { give(block, bytes) };
            };
            std::thread::spawn(elsewhere).join().unwrap();
        }
    }

    #[test]
    fn a_thread_keeps_a_limited_number() {
        let many: Vec<_> = (0..3 * KEPT).map(|_| take(100)).collect();
        for block in many {
            // SAFETY: it was taken above.
            unsafe { give(block, 100) };
        }
        FREE.with(|free| assert!(free.borrow().0[1].len() <= KEPT));
        clear();
        FREE.with(|free| assert!(free.borrow().0.iter().all(Vec::is_empty)));
    }
}
