//! Room for one more area. What a kernel freed lazily it must purge before it says that no room is left (Linux: `alloc_vmap_area`),
//! so that the mappings that stand are all that can be in the way.

use core::ops::Range as Numbers;

use crate::vocabulary::{Mapping, Range};

/// Unmapped pages beside an area: one on each side, since the reference does not know on which side a kernel leaves it.
const APART: u64 = 2;

/// The page numbers of a range.
const fn numbers(range: Range) -> Numbers<u64> {
    let first = range.start >> 12;
    first..first + range.pages as u64
}

/// Whether this many pages must fit among the mappings into these page numbers, from which the kernel takes areas.
///
/// It says no where it cannot know: a small mapping lies in a block, of which the kernel may keep the rest, and an area that lies
/// elsewhere, as a large page does, may hold more than it maps.
pub(crate) fn is_left(
    pages: u64,
    within: &Numbers<u64>,
    standing: impl Iterator<Item = (Mapping, Range)>,
) -> bool {
    let mut taken = Vec::new();
    for (mapping, range) in standing {
        let its = numbers(range);
        if matches!(mapping, Mapping::Ram(_)) || its.start < within.start || its.end > within.end {
            return false;
        }
        taken.push(its);
    }
    taken.sort_unstable_by_key(|its| its.start);
    let ends = [within.start].into_iter().chain(taken.iter().map(|its| its.end));
    let starts = taken.iter().map(|its| its.start).chain([within.end]);
    ends.zip(starts).any(|(end, start)| start.saturating_sub(end) >= pages + APART)
}
