//! [`Arena`]: a list that only grows and never moves. A `push` costs only one comparison and the stores.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// The number of entries of the first chunk; each further chunk has twice as many.
const FIRST: usize = 256;
/// The number of chunks for which positions stay within 31 bits.
const CHUNKS: usize = 23;

/// A growing list of plain records, written through a shared reference.
///
/// Memory comes in chunks, each twice as large as the one before, so that growing copies nothing and a short list needs
/// little memory. Truncating keeps the memory and takes constant time. A list has room for 2³¹ - 256 records.
///
/// ```
/// let mut list = wengert_ops::arena::Arena::new();
/// assert_eq!((list.push(3.0), list.push(4.0)), (0, 1));
/// assert_eq!(list.slice_ending(2), (0, &[3.0, 4.0][..]));
/// list.truncate(1);
/// assert_eq!(list.len(), 1);
/// ```
pub struct Arena<R: Copy> {
    len: Cell<u32>,
    /// The end of the current chunk, as a position in the whole list.
    limit: Cell<u32>,
    /// The address that record 0 would have, counted back from the current chunk.
    base: Cell<*mut R>,
    /// The chunks from the first to the last one that was ever needed, then null.
    chunks: [Cell<*mut R>; CHUNKS],
    owns: PhantomData<R>,
}

// SAFETY: the pointers are to memory that the arena alone owns; nothing is shared with another arena or thread.
unsafe impl<R: Copy + Send> Send for Arena<R> {}

/// The first position of chunk `k`, and the number of its records.
const fn extent(k: usize) -> (usize, usize) {
    (FIRST * ((1 << k) - 1), FIRST << k)
}

/// The number of records that chunk `k` has memory for. The last chunk has one spare place: a full list writes the
/// records for which it has no room there, so that [`push`](Arena::push) cannot fail. Nothing reads it.
const fn places(k: usize) -> usize {
    extent(k).1 + (k + 1 == CHUNKS) as usize
}

/// The length of a full list, and the position of the spare place.
const END: u32 = extent(CHUNKS).0 as u32;

/// The chunk of a position.
const fn chunk_of(position: usize) -> usize {
    (position / FIRST + 1).ilog2() as usize
}

impl<R: Copy> Default for Arena<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Copy> Arena<R> {
    /// An empty list, without memory.
    pub const fn new() -> Self {
        Arena {
            len: Cell::new(0),
            limit: Cell::new(0),
            base: Cell::new(std::ptr::null_mut()),
            chunks: [const { Cell::new(std::ptr::null_mut()) }; CHUNKS],
            owns: PhantomData,
        }
    }

    /// The number of records.
    #[inline(always)]
    pub fn len(&self) -> u32 {
        self.len.get()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a record and returns its position. A record for which a full list has no room is lost;
    /// [`overflowed`](Arena::overflowed) reports it.
    #[inline(always)]
    pub fn push(&self, record: R) -> u32 {
        let mut at = self.len.get();
        if at == self.limit.get() {
            at = self.make_room();
        }
        // SAFETY: `at` is below `limit`, so it lies in the current chunk, whose memory starts at `base + start of the
        // chunk` (see `enter`). Shared slices reach no further than `len`, and not to the spare place, so none of them
        // covers this record.
        unsafe { self.base.get().wrapping_add(at as usize).write(record) };
        self.len.set(at + 1);
        at
    }

    /// Appends records and returns the position of the last, or `None` if the current chunk has no room for them: it
    /// never grows the list.
    #[inline(always)]
    pub fn push_all(&self, records: &[R]) -> Option<u32> {
        let at = self.len.get();
        if records.len() > (self.limit.get() - at) as usize {
            return None;
        }
        for (i, &record) in records.iter().enumerate() {
            // SAFETY: as in `push`, since `at + i` is below `limit`.
            unsafe { self.base.get().wrapping_add(at as usize + i).write(record) };
        }
        let end = at + records.len() as u32;
        self.len.set(end);
        end.checked_sub(1)
    }

    /// Whether records have been lost because the list was full. Truncating the list makes room and resets this.
    pub fn overflowed(&self) -> bool {
        self.len() > END
    }

    /// The records of one chunk that end at position `end`: the position of the first, and a slice.
    ///
    /// # Panics
    /// If `end` is 0 or more than the length, or among lost records.
    pub fn slice_ending(&self, end: u32) -> (u32, &[R]) {
        assert!(0 < end && end <= self.len().min(END), "records up to {end} of {}", self.len());
        let k = chunk_of(end as usize - 1);
        let start = extent(k).0;
        // SAFETY: chunk `k` has been entered, and its records from `start` to `end`, at most the length, are written.
        // They do not change while this list is borrowed: `push` writes only beyond the length, or in the spare place,
        // which is beyond `END`; and methods that shorten the list take it by `&mut`.
        let records = unsafe { std::slice::from_raw_parts(self.chunks[k].get(), end as usize - start) };
        (start as u32, records)
    }

    /// Shortens the list to `len` records and keeps the memory; does nothing if the list is not longer than that.
    pub fn truncate(&mut self, len: u32) {
        if len < self.len() {
            self.len.set(len);
            // A full list ends with its last chunk: there is none after it.
            self.enter(chunk_of(len as usize).min(CHUNKS - 1));
        }
    }

    /// The memory of all chunks, in bytes.
    pub fn capacity_bytes(&self) -> usize {
        let chunks = self.chunks.iter().take_while(|c| !c.get().is_null()).count();
        extent(chunks).0 * size_of::<R>()
    }

    /// Makes room for a record below `limit` and returns its position.
    ///
    /// In the System V convention no vector register survives a call, so that a loop that contains a call keeps its
    /// numbers in memory even if the call never happens. In the Windows convention ten of them survive.
    #[cfg(target_arch = "x86_64")]
    #[cold]
    #[inline(never)]
    extern "win64" fn make_room(&self) -> u32 {
        self.next_chunk()
    }

    /// Makes room for a record below `limit` and returns its position.
    #[cfg(not(target_arch = "x86_64"))]
    #[cold]
    #[inline(never)]
    fn make_room(&self) -> u32 {
        self.next_chunk()
    }

    /// Continues in the chunk after the current one, which is full; after the last, in the spare place.
    fn next_chunk(&self) -> u32 {
        let at = self.len();
        let k = chunk_of(at as usize);
        if k >= CHUNKS {
            self.limit.set(END + 1);
            return END;
        }
        if self.chunks[k].get().is_null() {
            let memory: Box<[MaybeUninit<R>]> = Box::new_uninit_slice(places(k));
            self.chunks[k].set(Box::into_raw(memory).cast());
        }
        self.enter(k);
        at
    }

    /// Makes chunk `k`, which has memory, the current one.
    fn enter(&self, k: usize) {
        let (start, count) = extent(k);
        self.base.set(self.chunks[k].get().wrapping_sub(start));
        self.limit.set((start + count) as u32);
    }
}

impl<R: Copy> Drop for Arena<R> {
    fn drop(&mut self) {
        for (k, chunk) in self.chunks.iter().enumerate() {
            if !chunk.get().is_null() {
                let all = std::ptr::slice_from_raw_parts_mut(chunk.get().cast::<MaybeUninit<R>>(), places(k));
                // SAFETY: the memory came from a box of this type and length, in `next_chunk`.
                drop(unsafe { Box::from_raw(all) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_next_to_each_other() {
        for k in 0..CHUNKS {
            let (start, count) = extent(k);
            assert_eq!((chunk_of(start), chunk_of(start + count - 1)), (k, k));
        }
        assert!(extent(CHUNKS).0 < 1 << 31);
    }

    #[test]
    fn it_holds_what_was_pushed_also_after_truncating() {
        let mut list = Arena::new();
        for round in 0..3 {
            for i in 0..5000 {
                assert_eq!(list.push((i, round)), i);
            }
            for end in [5000, 4097, 769, 768, 257, 256, 1] {
                let (start, records) = list.slice_ending(end);
                assert_eq!(start as usize + records.len(), end as usize);
                assert!(records.iter().zip(start..).all(|(r, i)| *r == (i, round)));
            }
            let bytes = list.capacity_bytes();
            list.truncate(9999);
            assert_eq!(list.len(), 5000);
            list.truncate(300);
            assert_eq!(list.push((7, 7)), 300);
            assert_eq!(list.slice_ending(301).1.last(), Some(&(7, 7)));
            list.truncate(0);
            assert!(list.is_empty() && list.capacity_bytes() == bytes);
        }
    }

    #[test]
    fn several_records_are_appended_only_where_they_have_room() {
        let list = Arena::new();
        assert_eq!(list.push_all(&[7]), None);
        list.push(0);
        assert_eq!((list.push_all(&[1, 2]), list.slice_ending(3)), (Some(2), (0, &[0, 1, 2][..])));
        while list.len() < FIRST as u32 - 1 {
            list.push(0);
        }
        assert_eq!((list.push_all(&[3, 4]), list.len()), (None, FIRST as u32 - 1));
        assert_eq!((list.push_all(&[3]), list.push_all(&[4]), list.push(5)), (Some(255), None, 256));
    }

    #[test]
    fn what_a_full_list_has_no_room_for_is_noted() {
        let mut list = Arena::new();
        for _ in 0..CHUNKS {
            list.push(());
            list.len.set(list.limit.get());
        }
        assert_eq!((list.len(), list.overflowed()), (END, false));
        for _ in 0..2 {
            assert_eq!((list.push(()), list.overflowed(), list.push_all(&[()])), (END, true, None));
        }
        list.truncate(END);
        assert_eq!((list.len(), list.overflowed(), list.push_all(&[()])), (END, false, None));
        assert_eq!((list.push(()), list.overflowed()), (END, true));
        list.truncate(END - 1);
        assert_eq!((list.push(()), list.len(), list.overflowed()), (END - 1, END, false));
        assert_eq!(list.slice_ending(END).1.len(), extent(CHUNKS - 1).1);
    }

    #[test]
    #[should_panic(expected = "records up to 2 of 1")]
    fn there_is_no_slice_past_the_end() {
        let list = Arena::new();
        list.push(1);
        list.slice_ending(2);
    }
}
