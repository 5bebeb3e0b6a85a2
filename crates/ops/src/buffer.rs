//! Recycled memory: the storage of tensors.
//!
//! A training step allocates and drops the same buffers as the step before. Returning them to the system would cost a
//! page fault for every 4 KiB, which on large tensors takes longer than the arithmetic. Therefore dropped buffers are
//! kept in a process-wide, bounded cache, sorted by size class, until a buffer of that size is needed again. The cache
//! is process-wide since loader threads allocate what the main thread drops. Buffers under 1 KiB are kept by the thread that dropped
//! them (`block.rs`), at most 64 of each size.
//!
//! A [`Buffer`] has one owner, who may write it. It becomes the shared buffer of tensors without being moved. The number of owners is
//! in a block of its own, the head, which the elements of a small buffer follow:
//!
//! ```text
//!  small:  [ owners, length, address ─┐ | elements … ]     large:  [ owners, length, address ]
//!                                     └──┘                                              └──→ [ elements … ]
//! ```

mod block;

use crate::dtype::Element;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, Ordering::Relaxed, fence};

/// The size of the smallest buffer in the process-wide cache.
const SMALLEST: usize = 1024;
/// The size of a head; the elements of a small buffer follow it.
const HEAD: usize = 32;
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

/// Returns every cached buffer to the system; of the buffers under 1 KiB, those that this thread keeps.
pub fn clear_cache() {
    block::clear();
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

/// What is known of a buffer, in front of its elements or apart from them.
struct Head<T> {
    owners: AtomicUsize,
    len: usize,
    elements: NonNull<T>,
}

const _: () = assert!(size_of::<Head<f64>>() <= HEAD && HEAD + SMALLEST <= block::LARGEST);

/// The bytes of the block of a head, with the elements of a small buffer.
fn head_bytes(bytes: usize) -> usize {
    HEAD + if bytes < SMALLEST { bytes } else { 0 }
}

/// Memory for this number of bytes from the cache or from the system, initialised with any values.
fn take_large(bytes: usize) -> NonNull<u8> {
    let class = class_of(bytes);
    let size = class_bytes(class);
    PEAK.fetch_max(LIVE.fetch_add(size, Relaxed) + size, Relaxed);
    let waiting = lock(&CACHE[class]).pop();
    if let Some(block) = waiting {
        CACHED.fetch_sub(size, Relaxed);
        RECYCLED.fetch_add(1, Relaxed);
        return block.0;
    }
    FRESH.fetch_add(1, Relaxed);
    FRESH_BYTES.fetch_add(size as u64, Relaxed);
    let layout = class_layout(class);
    // SAFETY: the layout has a size above zero.
    let ptr = unsafe { alloc_zeroed(layout) };
    NonNull::new(ptr).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives memory back to the cache or to the system.
///
/// # Safety
/// It comes from [`take_large`] for this number of bytes, its bytes are initialised, and nothing uses it any more.
unsafe fn give_large(block: NonNull<u8>, bytes: usize) {
    let class = class_of(bytes);
    let size = class_bytes(class);
    LIVE.fetch_sub(size, Relaxed);
    if CACHED.fetch_add(size, Relaxed) + size <= LIMIT.load(Relaxed) {
        lock(&CACHE[class]).push(Block(block));
    } else {
        CACHED.fetch_sub(size, Relaxed);
        // SAFETY: allocated with this class's layout in `take_large`.
        unsafe { dealloc(block.as_ptr(), class_layout(class)) };
    }
}

/// Frees a buffer.
///
/// # Safety
/// The head is that of a buffer that nothing uses any more.
#[inline]
unsafe fn free<T>(head: NonNull<Head<T>>) {
    // SAFETY: the head is valid until it is given back below; both blocks were taken for these numbers of bytes.
    unsafe {
        let Head { len, elements, .. } = *head.as_ref();
        let bytes = len * size_of::<T>();
        if bytes >= SMALLEST {
            give_large(elements.cast(), bytes);
        }
        block::give(head.cast(), head_bytes(bytes));
    }
}

/// An owned run of initialised elements, whose memory returns to the cache when it is dropped.
pub struct Buffer<T: Element> {
    ptr: NonNull<T>,
    len: usize,
    head: NonNull<Head<T>>,
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
        let head = block::take(head_bytes(bytes));
        let ptr: NonNull<T> = if bytes < SMALLEST {
            // SAFETY: the block has this number of bytes, and more if there are elements.
            unsafe { head.add(HEAD) }.cast()
        } else {
            take_large(bytes).cast()
        };
        if !T::ANY_BITS {
            // SAFETY: there is room for `len` elements, and zero bits are a valid value.
            unsafe { ptr.write_bytes(0, len) };
        }
        let head = head.cast::<Head<T>>();
        // SAFETY: the block is large enough and aligned for a head, and belongs to this buffer alone.
        unsafe { head.write(Head { owners: AtomicUsize::new(1), len, elements: ptr }) };
        Buffer { ptr, len, head }
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
}

impl<T: Element> Drop for Buffer<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the buffer is the only owner.
        unsafe { free(self.head) };
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `ptr` is valid for `len` initialised elements.
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

/// A buffer with any number of owners, who read it. What `Arc<Buffer<T>>` would be, without an allocation of its own.
pub(crate) struct Shared<T: Element>(NonNull<Head<T>>);

// SAFETY: elements are Send and Sync, shared buffers are only read, and the last owner frees the buffer, whichever thread that is on.
unsafe impl<T: Element> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Element> Sync for Shared<T> {}

impl<T: Element> Shared<T> {
    fn head(&self) -> &Head<T> {
        // SAFETY: the head is valid as long as it has an owner.
        unsafe { self.0.as_ref() }
    }

    /// The elements, to be changed, if there is no other owner.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "the unique borrow is what makes the elements writable"
    )]
    pub(crate) fn get_mut(&mut self) -> Option<&mut [T]> {
        // With one owner, who is borrowed uniquely, there is nobody who could add another. Acquire: what former owners read was read
        // before it is changed.
        if self.head().owners.load(Ordering::Acquire) != 1 {
            return None;
        }
        let Head { len, elements, .. } = *self.head();
        // SAFETY: the elements are valid and initialised, and belong to this owner alone.
        Some(unsafe { std::slice::from_raw_parts_mut(elements.as_ptr(), len) })
    }

    /// The number of owners.
    pub(crate) fn owners(&self) -> usize {
        self.head().owners.load(Relaxed)
    }

    /// The address of the head, which is not that of another buffer.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }
}

impl<T: Element> From<Buffer<T>> for Shared<T> {
    #[inline]
    fn from(buffer: Buffer<T>) -> Self {
        let head = buffer.head;
        // Its owner is the shared buffer now.
        std::mem::forget(buffer);
        Shared(head)
    }
}

impl<T: Element> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: the new owner comes from one that exists. There are fewer owners than bytes of memory, since each takes some.
        self.head().owners.fetch_add(1, Relaxed);
        Shared(self.0)
    }
}

impl<T: Element> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        // Release and acquire: what the other owners did happens before the buffer is freed. For a single owner there is nobody else.
        let owners = &self.head().owners;
        if owners.load(Ordering::Acquire) != 1 {
            if owners.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        // SAFETY: this was the last owner.
        unsafe { free(self.0) };
    }
}

impl<T: Element> Deref for Shared<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        let Head { len, elements, .. } = *self.head();
        // SAFETY: the elements are valid and initialised, and nobody writes them while they have owners that read.
        unsafe { std::slice::from_raw_parts(elements.as_ptr(), len) }
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
        for len in [50, 5000] {
            drop(Buffer::<u8>::filled(len, 0xff));
            assert!(Buffer::<bool>::unspecified(len).iter().all(|&b| !b));
        }
    }

    #[test]
    fn a_shared_buffer_is_written_by_its_only_owner_and_freed_by_the_last() {
        for len in [0, 1, 100, 5000] {
            let mut one = Shared::from(Buffer::filled(len, 1.5f64));
            assert!(one.owners() == 1 && one.get_mut().is_some_and(|x| x.len() == len));
            let mut two = one.clone();
            assert!(one.owners() == 2 && one.get_mut().is_none() && two.get_mut().is_none());
            assert!(one.address() == two.address() && one.as_ptr() == two.as_ptr());
            let sums: Vec<f64> = std::thread::scope(|s| {
                let threads: Vec<_> = (0..4).map(|_| (two.clone(), &two)).collect();
                let sum = |x: &[f64]| x.iter().sum::<f64>();
                let threads: Vec<_> =
                    threads.into_iter().map(|(own, seen)| s.spawn(move || sum(&own) + sum(seen))).collect();
                threads.into_iter().map(|t| t.join().unwrap()).collect()
            });
            assert_eq!(sums, [3.0 * len as f64; 4]);
            drop(one);
            two.get_mut().unwrap().fill(0.5);
            assert!(two.iter().all(|&x| x == 0.5));
        }
    }

    #[test]
    fn elements_are_aligned_for_vectors() {
        for len in [1, 7, 255, 256, 1000] {
            let buffer = Buffer::filled(len, 1f32);
            assert!(buffer.as_ptr().addr().is_multiple_of(if len < 256 { HEAD } else { ALIGN }));
        }
    }
}
