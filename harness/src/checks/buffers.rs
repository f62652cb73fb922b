//! Rule 1, outcome, where values alone do not tell: a buffer that `dma-alloc` returned is memory that its device reaches. The
//! device was told where each segment begins and finds the rest by itself. So what CPUs see of the buffer lies there, all of
//! it below the limit of the device.
//!
//! Judged at the return: what the driver was told against the tables. Legal, and not seen here: segments of one buffer in any
//! order; pages of a buffer that was given back, or that never came about. A page that is not there at all breaks rule 4,
//! and so does a TLB that leads elsewhere.

use machine::{Bus, Frame};
use oracle::Rule;
use oracle::vocabulary::Coherent;

use super::Breach;
use super::aliases::address;

/// A buffer was returned, mapped under this root, for a device that reaches no frame from this limit on.
pub fn check(bus: &Bus, root: Frame, told: &Coherent, limit: Option<u32>) -> Option<Breach> {
    (0..).zip(told.bus().map(Frame)).find_map(|(page, there)| {
        let va = address(told.range, page);
        let seen = bus.mapped(root, va).map(|found| found.frame_of(va));
        let detail = if limit.is_some_and(|limit| there.0 >= limit) {
            format!("its device finds page {page} at {there}, beyond its limit")
        } else {
            let seen = seen.filter(|seen| *seen != there)?;
            format!("its device finds page {page} at {there}, and the tables lead to {seen}")
        };
        let breach = Breach::new(Rule::Outcome, "a buffer that its device cannot reach", detail);
        Some(breach.about([va], [seen.unwrap_or(there)]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{VA, frame, machine, map, page, table, unmap};
    use machine::paging::LEVELS;
    use oracle::vocabulary::Range;

    /// The page of a buffer of three that is found wrong, and the frame that the tables lead to.
    fn wrong(mapped: [u32; 3], segments: [u32; 4], limit: Option<u32>) -> Option<(u64, u32)> {
        let machine = machine(1);
        for (va, behind) in (VA..).step_by(4096).zip(mapped) {
            map(&machine, va, page(&machine, behind));
        }
        let told = Coherent { range: Range { start: VA, pages: 3 }, segments };
        check(machine.bus(), table(LEVELS), &told, limit).map(|breach| {
            assert_eq!(breach.rule, Rule::Outcome);
            ((breach.about.pages[0] - VA) / 4096, breach.about.frames[0].0)
        })
    }

    #[test]
    fn a_buffer_that_lies_elsewhere_than_its_device_finds_it_is_a_breach() {
        assert_eq!(wrong([10, 11, 8], [10, 8, 0, 0], None), None, "segments may lie anywhere");
        assert_eq!(wrong([10, 12, 8], [10, 8, 0, 0], None), Some((1, 12)), "a gap in a segment");
        assert_eq!(wrong([11, 10, 8], [11, 8, 0, 0], None), Some((1, 10)), "back to front");
        assert_eq!(wrong([10, 11, 8], [10, 9, 0, 0], None), Some((2, 8)), "another segment");
    }

    #[test]
    fn a_buffer_beyond_the_limit_of_its_device_is_a_breach() {
        assert_eq!(wrong([10, 11, 8], [10, 8, 0, 0], Some(12)), None);
        assert_eq!(wrong([10, 11, 8], [10, 8, 0, 0], Some(11)), Some((1, 11)));
        assert_eq!(wrong([10, 11, 8], [10, 8, 0, 0], Some(8)), Some((0, 10)));
    }

    #[test]
    fn a_page_that_is_not_there_is_left_to_rule_4_unless_no_device_reaches_it() {
        let machine = machine(1);
        map(&machine, VA, page(&machine, 8));
        unmap(&machine, VA);
        let told = Coherent { range: Range { start: VA, pages: 1 }, segments: [8, 0, 0, 0] };
        assert_eq!(check(machine.bus(), table(LEVELS), &told, Some(9)), None);
        let breach = check(machine.bus(), table(LEVELS), &told, Some(8)).expect("beyond the limit");
        assert_eq!(breach.about.frames, [frame(8)]);
    }
}
