//! Pseudo-physical to machine translation: the kernel numbers its frames from 0 without gaps, and the hypervisor gave
//! it whichever it had.

use crate::paravirt::Pfn;
use machine::Frame;

/// Both directions (`p2m` and `m2p`).
#[derive(Debug)]
pub(super) struct P2m {
    frames: Vec<Frame>,
    pfns: Vec<Option<Pfn>>,
}

impl P2m {
    /// The frames that the hypervisor gave, in the order of the kernel's numbers, on a machine of so many.
    pub(super) fn new(list: impl Iterator<Item = Frame>, machine_frames: u32) -> Self {
        let frames: Vec<_> = list.collect();
        let mut pfns = vec![None; machine_frames as usize];
        for (pfn, frame) in (0..).map(Pfn).zip(&frames) {
            pfns[frame.index()] = Some(pfn);
        }
        Self { frames, pfns }
    }

    pub(super) fn frame_of(&self, pfn: Pfn) -> Frame {
        self.frames[pfn.index()]
    }

    pub(super) fn pfn_of(&self, frame: Frame) -> Option<Pfn> {
        self.pfns.get(frame.index()).copied().flatten()
    }
}
