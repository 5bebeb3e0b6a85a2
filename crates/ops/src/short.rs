//! Short lists of sizes, strides and axes. Up to four numbers are stored in place, and copied like one number.

use smallvec::SmallVec;

/// A list of numbers, mostly of at most four.
pub(crate) type Short<T> = SmallVec<[T; 4]>;

/// A copy of a list. (`SmallVec::clone` copies element by element, and `from_slice` calls `memcpy` for a length that is not known.)
#[inline(always)]
pub(crate) fn copied<T: Copy>(list: &Short<T>) -> Short<T> {
    if list.spilled() {
        return SmallVec::from_slice(list);
    }
    // SAFETY: a list that has not spilled owns no memory. Its bytes are its length and elements that are `Copy`, so both lists may be
    // changed and dropped.
    unsafe { std::ptr::read(list) }
}

/// The list `f(0), f(1), …` of `len` numbers.
#[inline(always)]
pub(crate) fn from_fn<T: Copy + Default>(len: usize, mut f: impl FnMut(usize) -> T) -> Short<T> {
    if len > 4 {
        return (0..len).map(f).collect();
    }
    let mut all = [T::default(); 4];
    for (i, to) in all.iter_mut().enumerate().take(len) {
        *to = f(i);
    }
    SmallVec::from_buf_and_len(all, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_independent_at_every_length() {
        for len in 0..10 {
            let list = from_fn(len, |i| 10 * i);
            assert_eq!(list.to_vec(), (0..len).map(|i| 10 * i).collect::<Vec<_>>());
            let mut copy = copied(&list);
            copy.push(7);
            copy[0] = 3;
            assert_eq!(list.to_vec(), (0..len).map(|i| 10 * i).collect::<Vec<_>>());
            assert_eq!((copy.len(), copy[0]), (len + 1, 3));
        }
    }
}
