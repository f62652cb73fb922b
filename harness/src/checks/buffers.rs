//! Rule 1, outcome, where values alone do not tell: a buffer that `dma-alloc` returned is memory that its device reaches. The
//! device knows where each segment begins and finds the rest by itself; so its frames follow each other, all below a limit.
//!
//! Judged at the return, by the frames that the tables lead to. Legal, and not seen here: segments of one buffer in any order;
//! pages of a buffer that was given back, or that never came about.

use machine::Frame;
use oracle::Rule;

use super::Breach;
use crate::subject::DeviceReach;

/// A buffer of these frames was returned.
pub fn check(frames: &[Frame], reach: DeviceReach) -> Option<Breach> {
    frames.chunks(reach.segment).find_map(|segment| {
        let (_, wrong) =
            (segment[0].0..).zip(segment).find(|(next, frame)| frame.0 != *next || frame.0 >= reach.limit)?;
        let detail = format!(
            "{wrong} is in the segment that begins with {}, of a device that reaches frames below {}",
            segment[0], reach.limit
        );
        Some(Breach::new(Rule::Outcome, "a buffer that its device cannot reach", detail).about([], [*wrong]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_with_a_gap_in_a_segment_or_beyond_the_limit_is_a_breach() {
        let found = |frames: &[u32]| {
            let frames: Vec<_> = frames.iter().copied().map(Frame).collect();
            check(&frames, DeviceReach { segment: 2, limit: 10 }).map(|breach| breach.about.frames)
        };
        assert_eq!(found(&[4, 5]), None);
        assert_eq!(found(&[8, 9, 2, 3, 7]), None, "segments may lie anywhere");
        assert_eq!(found(&[4, 6]), Some(vec![Frame(6)]));
        assert_eq!(found(&[5, 4]), Some(vec![Frame(4)]));
        assert_eq!(found(&[4, 5, 9, 10]), Some(vec![Frame(10)]));
        assert_eq!(found(&[10]), Some(vec![Frame(10)]));
    }
}
