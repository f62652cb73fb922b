//! Pseudo-physical to machine translation: the kernel numbers its frames from 0 without gaps, and the hypervisor gave
//! it whichever it had. Which frame is behind a page changes only while nobody uses the page.

use crate::paravirt::Pfn;
use machine::Frame;
use std::cell::{Cell, RefCell};

/// Both directions (`p2m` and `m2p`).
#[derive(Debug)]
pub(super) struct P2m {
    /// None while the frame behind a page is being exchanged.
    frames: Vec<Cell<Option<Frame>>>,
    pfns: RefCell<Vec<Option<Pfn>>>,
}

impl P2m {
    /// The frames that the hypervisor gave, in the order of the kernel's numbers, on a machine of so many.
    pub(super) fn new(list: impl Iterator<Item = Frame>, machine_frames: u32) -> Self {
        let mut pfns = vec![None; machine_frames as usize];
        let number = |(pfn, frame): (u32, Frame)| {
            pfns[frame.index()] = Some(Pfn(pfn));
            Cell::new(Some(frame))
        };
        let frames = (0..).zip(list).map(number).collect();
        Self { frames, pfns: RefCell::new(pfns) }
    }

    pub(super) fn frame_of(&self, pfn: Pfn) -> Frame {
        self.frames[pfn.index()].get().unwrap_or_else(|| panic!("{pfn:?} is used while it has no frame"))
    }

    pub(super) fn pfn_of(&self, frame: Frame) -> Option<Pfn> {
        self.pfns.borrow().get(frame.index()).copied().flatten()
    }

    /// No frame is behind this page any more. Returns the one that was.
    pub(super) fn zap(&self, pfn: Pfn) -> Frame {
        let frame = self.frame_of(pfn);
        self.frames[pfn.index()].set(None);
        self.pfns.borrow_mut()[frame.index()] = None;
        frame
    }

    /// From now on this frame is behind the page.
    pub(super) fn set(&self, pfn: Pfn, frame: Frame) {
        self.frames[pfn.index()].set(Some(frame));
        self.pfns.borrow_mut()[frame.index()] = Some(pfn);
    }
}
