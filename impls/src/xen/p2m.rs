//! Pseudo-physical to machine translation: the kernel numbers its frames from 0 without gaps, and the hypervisor gave
//! it whichever it had. Which frame is behind a page changes only while nobody uses the page.

use crate::paravirt::Pfn;
use machine::Frame;
use std::cell::Cell;

/// Instead of a frame: the one behind the page is being exchanged (`INVALID_P2M_ENTRY`).
const NO_FRAME: Frame = Frame(u32::MAX);

/// Instead of a page: the frame is none of the kernel's.
const NO_PAGE: Pfn = Pfn(u32::MAX);

/// Both directions (`p2m` and `m2p`).
#[derive(Debug)]
pub(super) struct P2m {
    frames: Vec<Cell<Frame>>,
    pfns: Vec<Cell<Pfn>>,
}

impl P2m {
    /// The frames that the hypervisor gave, in the order of the kernel's numbers, on a machine of so many.
    pub(super) fn new(list: impl Iterator<Item = Frame>, machine_frames: u32) -> Self {
        let pfns = vec![Cell::new(NO_PAGE); machine_frames as usize];
        let number = |(pfn, frame): (u32, Frame)| {
            pfns[frame.index()].set(Pfn(pfn));
            Cell::new(frame)
        };
        let frames = (0..).zip(list).map(number).collect();
        Self { frames, pfns }
    }

    pub(super) fn frame_of(&self, pfn: Pfn) -> Frame {
        let frame = self.frames[pfn.index()].get();
        assert!(frame != NO_FRAME, "{pfn:?} is used while it has no frame");
        frame
    }

    pub(super) fn pfn_of(&self, frame: Frame) -> Option<Pfn> {
        self.pfns.get(frame.index()).map(Cell::get).filter(|pfn| *pfn != NO_PAGE)
    }

    /// No frame is behind this page any more. Returns the one that was.
    pub(super) fn zap(&self, pfn: Pfn) -> Frame {
        let frame = self.frame_of(pfn);
        self.frames[pfn.index()].set(NO_FRAME);
        self.pfns[frame.index()].set(NO_PAGE);
        frame
    }

    /// From now on this frame is behind the page.
    pub(super) fn set(&self, pfn: Pfn, frame: Frame) {
        self.frames[pfn.index()].set(frame);
        self.pfns[frame.index()].set(pfn);
    }
}
