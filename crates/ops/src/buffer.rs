//! Recycled memory: the storage of tensors.
//!
//! A training step allocates and drops the same buffers as the step before. Returning them to the system would cost a
//! page fault for every 4 KiB, which on large tensors takes longer than the arithmetic. Therefore dropped buffers are
//! kept in a process-wide, bounded cache, sorted by size class, until a buffer of that size is needed again. The cache
//! is process-wide since loader threads allocate what the main thread drops. Buffers under 1 KiB are left to the
//! allocator, whose own bins do the same for them.

use crate::dtype::Element;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

const SMALLEST: usize = 1024;
const SMALL_ALIGN: usize = 16;
const ALIGN: usize = 64;
/// The number of size classes: four per doubling, from 1 KiB to 2^40 bytes.
const CLASSES: usize = 4 * 31;

struct Block(NonNull<u8>);
// SAFETY: a block is an owned allocation that nothing else points to.
unsafe impl Send for Block {}

static CACHE: [Mutex<Vec<Block>>; CLASSES] = [const { Mutex::new(Vec::new()) }; CLASSES];
static CACHED: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static FRESH: AtomicU64 = AtomicU64::new(0);
static FRESH_BYTES: AtomicU64 = AtomicU64::new(0);
static RECYCLED: AtomicU64 = AtomicU64::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(1 << 30);

/// The counters of the cache; buffers under 1 KiB are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Buffers allocated by the system.
    pub fresh: u64,
    /// The bytes of these buffers.
    pub fresh_bytes: u64,
    /// Buffers taken from the cache.
    pub recycled: u64,
    /// Bytes in use now.
    pub live_bytes: usize,
    /// The most bytes in use at once since the start or the last [`reset_peak`].
    pub peak_bytes: usize,
    /// Bytes kept in the cache.
    pub cached_bytes: usize,
}

/// The cache's counters.
///
/// ```
/// use wengert_ops::{Tensor, buffer};
/// drop(Tensor::<f32>::zeros([1000]));
/// let before = buffer::stats();
/// drop(Tensor::<f32>::zeros([1000]));              // the same size: the memory is used again
/// assert_eq!(buffer::stats().fresh, before.fresh);
/// ```
pub fn stats() -> Stats {
    Stats {
        fresh: FRESH.load(Relaxed),
        fresh_bytes: FRESH_BYTES.load(Relaxed),
        recycled: RECYCLED.load(Relaxed),
        live_bytes: LIVE.load(Relaxed),
        peak_bytes: PEAK.load(Relaxed),
        cached_bytes: CACHED.load(Relaxed),
    }
}

/// Starts a new measurement of [`Stats::peak_bytes`].
pub fn reset_peak() {
    PEAK.store(LIVE.load(Relaxed), Relaxed);
}

/// Sets the limit of bytes kept in the cache (1 GiB by default); zero turns the cache off.
pub fn set_cache_limit(bytes: usize) {
    LIMIT.store(bytes, Relaxed);
    if CACHED.load(Relaxed) > bytes {
        clear_cache();
    }
}

/// Returns every cached buffer to the system.
pub fn clear_cache() {
    for (class, blocks) in CACHE.iter().enumerate() {
        let blocks = std::mem::take(&mut *lock(blocks));
        for block in blocks {
            CACHED.fetch_sub(class_bytes(class), Relaxed);
            // SAFETY: blocks of this class were allocated with this layout.
            unsafe { dealloc(block.0.as_ptr(), class_layout(class)) };
        }
    }
}

fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The class of a size: 2^(10 + c/4) · (1 + (c % 4)/4) bytes, rounded up.
fn class_of(bytes: usize) -> usize {
    let b = bytes.max(SMALLEST) - 1;
    let top = usize::BITS as usize - 1 - b.leading_zeros() as usize; // 2^top <= b
    let quarter = (b >> (top - 2)) & 3;
    (top * 4 + quarter + 1).saturating_sub(4 * 10)
}

fn class_bytes(class: usize) -> usize {
    let (top, quarter) = (10 + class / 4, class % 4);
    (4 + quarter) << (top - 2)
}

fn class_layout(class: usize) -> Layout {
    Layout::from_size_align(class_bytes(class), ALIGN)
        .expect("class sizes are small multiples of powers of two")
}

/// An owned run of initialised elements, whose memory returns to the cache when it is dropped.
pub struct Buffer<T: Element> {
    ptr: NonNull<T>,
    len: usize,
}

// SAFETY: the buffer owns its elements, which are Send and Sync themselves.
unsafe impl<T: Element> Send for Buffer<T> {}
// SAFETY: as above; a shared buffer is only read.
unsafe impl<T: Element> Sync for Buffer<T> {}

impl<T: Element> Buffer<T> {
    /// A buffer of `len` elements with unspecified (but valid) values, to be overwritten by the caller.
    ///
    /// With debug assertions, numbers are NaN and integers -1, so that tests see what was not overwritten.
    ///
    /// # Panics
    /// If the size overflows the address space; shapes are checked before.
    pub fn unspecified(len: usize) -> Self {
        let buffer = Self::allocated(len);
        if cfg!(debug_assertions) && T::ANY_BITS {
            // SAFETY: the buffer has room for `len` elements, and any bits are a valid value.
            unsafe { buffer.ptr.write_bytes(0xff, len) };
        }
        buffer
    }

    fn allocated(len: usize) -> Self {
        let bytes =
            len.checked_mul(size_of::<T>()).filter(|&b| b < 1 << 40).expect("tensor size overflows memory");
        if bytes == 0 {
            return Buffer { ptr: NonNull::dangling(), len };
        }
        if bytes < SMALLEST {
            let layout = Self::small_layout(bytes);
            // SAFETY: the layout has a size above zero.
            let ptr = unsafe { alloc_zeroed(layout) };
            let ptr = NonNull::new(ptr.cast()).unwrap_or_else(|| handle_alloc_error(layout));
            return Buffer { ptr, len };
        }
        let class = class_of(bytes);
        let size = class_bytes(class);
        PEAK.fetch_max(LIVE.fetch_add(size, Relaxed) + size, Relaxed);
        let waiting = lock(&CACHE[class]).pop();
        let ptr = match waiting {
            Some(block) => {
                CACHED.fetch_sub(size, Relaxed);
                RECYCLED.fetch_add(1, Relaxed);
                let ptr = block.0.cast::<T>();
                if !T::ANY_BITS {
                    // SAFETY: the block has room for `len` elements, and zero bits are a valid value.
                    unsafe { ptr.write_bytes(0, len) };
                }
                ptr
            }
            None => {
                FRESH.fetch_add(1, Relaxed);
                FRESH_BYTES.fetch_add(size as u64, Relaxed);
                let layout = class_layout(class);
                // SAFETY: the layout has a size above zero.
                let ptr = unsafe { alloc_zeroed(layout) };
                NonNull::new(ptr.cast()).unwrap_or_else(|| handle_alloc_error(layout))
            }
        };
        Buffer { ptr, len }
    }

    /// A buffer of `len` copies of `value`.
    pub fn filled(len: usize, value: T) -> Self {
        let mut b = Self::unspecified(len);
        b.fill(value);
        b
    }

    /// A buffer with the elements of `values`.
    pub fn from_slice(values: &[T]) -> Self {
        let mut b = Self::unspecified(values.len());
        b.copy_from_slice(values);
        b
    }

    fn small_layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, SMALL_ALIGN).expect("small size")
    }
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        let bytes = self.len * size_of::<T>();
        if bytes == 0 {
            return;
        }
        let block = self.ptr.cast::<u8>();
        if bytes < SMALLEST {
            // SAFETY: allocated with this layout in `unspecified`.
            return unsafe { dealloc(block.as_ptr(), Self::small_layout(bytes)) };
        }
        let class = class_of(bytes);
        let size = class_bytes(class);
        LIVE.fetch_sub(size, Relaxed);
        if CACHED.fetch_add(size, Relaxed) + size <= LIMIT.load(Relaxed) {
            lock(&CACHE[class]).push(Block(block));
        } else {
            CACHED.fetch_sub(size, Relaxed);
            // SAFETY: allocated with this class's layout in `unspecified`.
            unsafe { dealloc(block.as_ptr(), class_layout(class)) };
        }
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `ptr` is valid for `len` initialised elements (dangling only when that is zero bytes).
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_its_size_and_wastes_at_most_a_quarter() {
        for bytes in (1024..5000).chain([1 << 20, (1 << 20) + 1, (1 << 30) - 1, (1 << 39) + 12345]) {
            let size = class_bytes(class_of(bytes));
            assert!(size >= bytes && size - bytes <= bytes / 4 + 1, "{bytes} in {size}");
        }
    }

    /// A kernel that reads what it has not written produces NaN in every test.
    #[test]
    fn what_is_not_written_shows_in_tests() {
        for len in [3, 5000, 5000] {
            assert!(Buffer::<f32>::unspecified(len).iter().all(|v| v.is_nan() || !cfg!(debug_assertions)));
        }
    }

    #[test]
    fn recycled_booleans_are_booleans() {
        drop(Buffer::<u8>::filled(5000, 0xff));
        assert!(Buffer::<bool>::unspecified(5000).iter().all(|&b| !b));
    }
}
