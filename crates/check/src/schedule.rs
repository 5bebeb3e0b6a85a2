//! The order of the cases of all ops, and the part of them that belongs to a shard.

use std::time::Duration;

/// Cases are divided among shards in blocks of this number, so that each shard has cases of every kind.
const BLOCK: u64 = 10;
/// In a run with a time, every op gets this number of cases before their times are compared.
const FIRST: u64 = 10;

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 0 on.
    pub(crate) index: u64,
    pub(crate) count: u64,
}

impl Shard {
    /// The number of the `k`-th case of the `op`-th op in this shard. Block b of an op belongs to shard (op + b) mod count.
    fn case(self, op: usize, k: u64) -> Option<u64> {
        let first = (self.index + self.count - op as u64 % self.count) % self.count;
        let block = (k / BLOCK).checked_mul(self.count)?.checked_add(first)?;
        block.checked_mul(BLOCK)?.checked_add(k % BLOCK)
    }
}

/// The cases that have not begun.
#[derive(Debug)]
pub(crate) struct Schedule {
    shard: Shard,
    /// The number of cases of an op; `None` if only time limits it.
    cases: Option<u64>,
    /// Whether ops take turns, so that each gets the same share of a limited time.
    fair: bool,
    ops: Vec<Turn>,
}

/// What one op has had.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    begun: u64,
    ended: u64,
    spent: Duration,
    closed: bool,
}

impl Turn {
    /// The mean time of its cases so far.
    fn mean(&self) -> Duration {
        u32::try_from(self.ended)
            .map_or(Duration::ZERO, |n| if n == 0 { Duration::ZERO } else { self.spent / n })
    }

    /// The time that it takes with the cases that are running.
    fn expected(&self) -> Duration {
        let running = u32::try_from(self.begun - self.ended).unwrap_or(u32::MAX);
        self.spent.saturating_add(self.mean().saturating_mul(running))
    }
}

impl Schedule {
    pub(crate) fn new(ops: usize, cases: Option<u64>, shard: Option<Shard>, fair: bool) -> Self {
        let shard = shard.unwrap_or(Shard { index: 0, count: 1 });
        Schedule { shard, cases, fair, ops: vec![Turn::default(); ops] }
    }

    /// The number of cases of an op in this shard, if it is limited.
    pub(crate) fn cases(&self, op: usize) -> Option<u64> {
        let all = self.cases?;
        // Blocks before the last one are whole.
        let (mut low, mut high) = (0, all);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.shard.case(op, middle) {
                Some(case) if case < all => low = middle + 1,
                _ => high = middle,
            }
        }
        Some(low)
    }

    /// The next case: the number of the op, and that of the case.
    pub(crate) fn next(&mut self) -> Option<(usize, u64)> {
        loop {
            let open = self.ops.iter().enumerate().filter(|(_, turn)| !turn.closed);
            let (op, turn) = match self.fair {
                false => open.into_iter().next(),
                true => open.min_by_key(|(_, turn)| (turn.begun.min(FIRST), turn.expected())),
            }?;
            let (op, k) = (op, turn.begun);
            let case = self.shard.case(op, k).filter(|case| self.cases.is_none_or(|cases| *case < cases));
            match case {
                Some(case) => {
                    self.ops[op].begun += 1;
                    return Some((op, case));
                }
                None => self.ops[op].closed = true,
            }
        }
    }

    /// A case of an op has ended.
    pub(crate) fn ended(&mut self, op: usize, took: Duration) {
        let turn = &mut self.ops[op];
        turn.ended += 1;
        turn.spent += took;
    }

    /// No further case of an op begins.
    pub(crate) fn close(&mut self, op: usize) {
        self.ops[op].closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut schedule: Schedule) -> Vec<(usize, u64)> {
        std::iter::from_fn(|| schedule.next()).collect()
    }

    #[test]
    fn shards_partition_ops_and_cases() {
        for cases in [1, 9, 10, 11, 37, 100] {
            for ops in [1, 3, 8] {
                let whole = all(Schedule::new(ops, Some(cases), None, false));
                assert_eq!(whole.len() as u64, ops as u64 * cases);
                for count in [1, 2, 4, 10, 13] {
                    let parts = (0..count).map(|index| {
                        let shard = Shard { index, count };
                        let schedule = Schedule::new(ops, Some(cases), Some(shard), index % 2 == 0);
                        let sizes: u64 = (0..ops).map(|op| schedule.cases(op).unwrap()).sum();
                        let part = all(schedule);
                        assert_eq!(part.len() as u64, sizes);
                        part
                    });
                    let mut sum: Vec<_> = parts.flatten().collect();
                    sum.sort_unstable();
                    assert_eq!(sum, whole, "{cases} cases of {ops} ops in {count} shards");
                }
            }
        }
    }

    #[test]
    fn shards_are_of_similar_size() {
        let size = |index| all(Schedule::new(8, Some(100), Some(Shard { index, count: 4 }), false)).len();
        assert_eq!((0..4).map(size).collect::<Vec<_>>(), [200; 4]);
    }

    #[test]
    fn ops_get_the_same_share_of_a_time() {
        let costs = [Duration::from_millis(1), Duration::from_millis(10), Duration::from_millis(3)];
        let mut schedule = Schedule::new(3, None, None, true);
        let (mut now, mut spent, mut count) = (Duration::ZERO, [Duration::ZERO; 3], [0; 3]);
        while now < Duration::from_secs(3) {
            let (op, case) = schedule.next().unwrap();
            assert_eq!(case, count[op]);
            schedule.ended(op, costs[op]);
            (now, spent[op], count[op]) = (now + costs[op], spent[op] + costs[op], count[op] + 1);
        }
        for each in spent {
            assert!(each.abs_diff(Duration::from_secs(1)) < Duration::from_millis(100), "{spent:?}");
        }
        // Every op has had its first cases before any has more.
        let mut schedule = Schedule::new(3, None, None, true);
        let mut first: Vec<_> = (0..30)
            .map(|_| {
                let (op, case) = schedule.next().unwrap();
                schedule.ended(op, costs[op]);
                (case, op)
            })
            .collect();
        first.sort_unstable();
        assert_eq!(first.last(), Some(&(9, 2)));
    }
}
