//! Correct user memory: frames, pages that lead to them, objects and pins. Of a range each page takes effect at a moment of its own,
//! and a page that is mapped anew is unmapped for a while.
use oracle::vocabulary::{
    Backing, MAX_PAGES, MAX_RANGE, MmSlot, ObjectSlot, Operation, Outcome, PinSlot, Pinned, PinnedPage,
    SLOTS, Token, USER_PAGES, UserAccess, UserPage, UserRange,
};

use super::Choices;

/// What lies behind a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anonymous,
    Shared,
    /// The frame of the object behind it.
    Private(usize),
}

/// A page that is mapped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// None beyond the end of an object.
    pub(crate) frame: Option<usize>,
    kind: Kind,
    pub(crate) writable: bool,
}

#[derive(Clone)]
struct Pinning {
    frames: Vec<usize>,
    access: UserAccess,
}

/// What an operation in flight has done so far.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    steps: u8,
    /// It took something away that CPUs may have translated.
    revoked: bool,
    pinned: Vec<usize>,
}

/// What a CPU remembers of a page: its frame, and whether it may write there.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Translation {
    at: UserPage,
    frame: usize,
    writable: bool,
}

/// All user memory.
#[derive(Default)]
pub(crate) struct Memory {
    frames: Vec<Token>,
    translations: Vec<Translation>,
    /// How many accesses went through by an old translation.
    pub(crate) stale: usize,
    pub(crate) mms: [Option<[Option<Mapped>; USER_PAGES as usize]>; SLOTS as usize],
    objects: [Option<Vec<usize>>; SLOTS as usize],
    pins: [Option<Pinning>; SLOTS as usize],
}

impl Memory {
    pub(crate) fn has_mm(&self, slot: u8) -> bool {
        self.mms[usize::from(slot)].is_some()
    }

    pub(crate) fn has_object(&self, slot: u8) -> bool {
        self.objects[usize::from(slot)].is_some()
    }

    pub(crate) fn has_pins(&self, slot: u8) -> bool {
        self.pins[usize::from(slot)].is_some()
    }

    fn frame(&mut self, holds: Token) -> usize {
        self.frames.push(holds);
        self.frames.len() - 1
    }

    fn page(&mut self, mm: MmSlot, page: u8) -> &mut Option<Mapped> {
        &mut self.mms[mm.index()].as_mut().expect("an address space that is there")[usize::from(page)]
    }

    pub(crate) fn new_mm(&mut self, mm: MmSlot) {
        self.mms[mm.index()] = Some([None; USER_PAGES as usize]);
    }

    pub(crate) fn drop_mm(&mut self, mm: MmSlot) {
        self.mms[mm.index()] = None;
        self.translations.retain(|translation| translation.at.mm != mm);
    }

    pub(crate) fn new_object(&mut self, object: ObjectSlot, count: u8) {
        self.objects[object.index()] = Some((0..count).map(|_| self.frame(Token::ZERO)).collect());
    }

    pub(crate) fn drop_object(&mut self, object: ObjectSlot) {
        self.objects[object.index()] = None;
    }

    /// The next step of an operation on user memory; what it answers if that was the last.
    pub(crate) fn step(
        &mut self,
        (operation, irqs_off): (Operation, bool),
        progress: &mut Progress,
        choices: &mut Choices,
    ) -> Option<Outcome> {
        let (step, no_memory) = (progress.steps, choices.one_in(40));
        progress.steps += 1;
        match operation {
            Operation::Mmap { at, .. } | Operation::Munmap { at } | Operation::Mprotect { at, .. }
                if no_memory =>
            {
                self.flush(at, progress);
                Some(Outcome::NoMemory)
            }
            Operation::Mmap { at, .. } if step == 0 => {
                for page in at.pages() {
                    progress.revoked |= self.page(at.mm, page).take().is_some();
                }
                None
            }
            Operation::Mmap { at, what, access } => {
                self.each(at, step - 1, progress, |memory, n, _| Some(memory.map(what, n, access.writes())))
            }
            Operation::Munmap { at } => self.each(at, step, progress, |_, _, _| None),
            Operation::Mprotect { at, access } => self.each(at, step, progress, |_, _, was| {
                was.map(|mapped| Mapped { writable: access.writes(), ..mapped })
            }),
            Operation::Dontneed { at } => {
                self.each(at, step, progress, |memory, _, was| was.map(|mapped| memory.renewed(mapped)))
            }
            Operation::Mremap { at, to } => match at.moved(to) {
                Some((from, onto)) => self.move_pages(from, onto, no_memory, progress),
                None => Some(Outcome::Fault),
            },
            Operation::FreeTables { .. } | Operation::Reclaim { .. } => Some(Outcome::Done),
            Operation::Load { .. }
            | Operation::Store { .. }
            | Operation::CopyFromUser { .. }
            | Operation::CopyToUser { .. }
                if no_memory =>
            {
                Some(Outcome::NoMemory)
            }
            Operation::CopyFromUser { .. } | Operation::CopyToUser { .. }
                if irqs_off && choices.one_in(3) =>
            {
                Some(Outcome::Fault)
            }
            Operation::Load { at } | Operation::CopyFromUser { at } => Some(self.load(at, choices)),
            Operation::Store { at, token } | Operation::CopyToUser { at, token } => {
                self.store(at, token, choices)
            }
            Operation::GupFast { at, access, pins } | Operation::Gup { at, access, pins } => {
                self.pin((at, access, false), pins, progress, choices)
            }
            Operation::GupForced { at, pins } => {
                self.pin((at, UserAccess::Writable, true), pins, progress, choices)
            }
            Operation::PinRead { at } => {
                Some(self.pinned(at).map_or(Outcome::Fault, |(frame, _)| Outcome::Value(self.frames[frame])))
            }
            Operation::PinWrite { at, token } => Some(match self.pinned(at) {
                Some((frame, access)) if access.writes() => {
                    self.frames[frame] = token;
                    Outcome::Done
                }
                _ => Outcome::Fault,
            }),
            Operation::Unpin { pins } => {
                self.pins[pins.index()] = None;
                Some(Outcome::Done)
            }
            _ => unreachable!("it concerns no user memory: {operation}"),
        }
    }

    /// Changes one page of a range.
    fn each(
        &mut self,
        at: UserRange,
        n: u8,
        progress: &mut Progress,
        change: impl FnOnce(&mut Self, u8, Option<Mapped>) -> Option<Mapped>,
    ) -> Option<Outcome> {
        let was = *self.page(at.mm, at.page + n);
        let now = change(self, n, was);
        *self.page(at.mm, at.page + n) = now;
        progress.revoked |= was.is_some() && was != now;
        if n + 1 < at.count {
            return None;
        }
        self.flush(at, progress);
        Some(Outcome::Done)
    }

    /// First the pages are unmapped that others move to, then one moves after the other.
    fn move_pages(
        &mut self,
        from: UserRange,
        onto: UserRange,
        no_memory: bool,
        progress: &mut Progress,
    ) -> Option<Outcome> {
        let moved = progress.steps.saturating_sub(2);
        if !no_memory && progress.steps == 1 {
            for page in onto.pages() {
                progress.revoked |= self.page(onto.mm, page).take().is_some();
            }
            return None;
        }
        if !no_memory {
            let was = self.page(from.mm, from.page + moved).take();
            let replaced = std::mem::replace(self.page(onto.mm, onto.page + moved), was);
            progress.revoked |= was.is_some() || replaced.is_some();
            if moved + 1 < from.count {
                return None;
            }
        }
        self.flush(from, progress);
        self.flush(onto, progress);
        Some(if no_memory { Outcome::NoMemory } else { Outcome::Done })
    }

    /// No CPU uses an old translation of the range any more, if there was anything to revoke.
    fn flush(&mut self, at: UserRange, progress: &Progress) {
        if progress.revoked {
            self.translations.retain(|translation| !at.covers(translation.at));
        }
    }

    /// A translation that a CPU remembers, if it may be used for this access.
    fn remembered(&mut self, at: UserPage, writes: bool, choices: &mut Choices) -> Option<usize> {
        let fits = |translation: &&Translation| translation.at == at && (!writes || translation.writable);
        let frames: Vec<_> = self.translations.iter().filter(fits).map(|it| it.frame).collect();
        if frames.is_empty() || choices.one_in(2) {
            return None;
        }
        let frame = frames[choices.below(frames.len() as u64) as usize];
        self.stale += usize::from(self.page(at.mm, at.page).and_then(|mapped| mapped.frame) != Some(frame));
        Some(frame)
    }

    fn load(&mut self, at: UserPage, choices: &mut Choices) -> Outcome {
        if let Some(frame) = self.remembered(at, false, choices) {
            return Outcome::Value(self.frames[frame]);
        }
        let Some(mapped @ Mapped { frame: Some(frame), .. }) = *self.page(at.mm, at.page) else {
            return Outcome::Fault;
        };
        let writable = mapped.writable && mapped.kind != Kind::Private(frame);
        self.translations.push(Translation { at, frame, writable });
        Outcome::Value(self.frames[frame])
    }

    fn map(&mut self, what: Backing, n: u8, writable: bool) -> Mapped {
        let Some(from) = what.object() else {
            let frame = Some(self.frame(Token::ZERO));
            return Mapped { frame, kind: Kind::Anonymous, writable };
        };
        let frames = self.objects[from.object.index()].as_ref().expect("an object that is there");
        let frame = frames.get(usize::from(from.page + n)).copied();
        let kind = match (what, frame) {
            (Backing::Private(_), Some(frame)) => Kind::Private(frame),
            _ => Kind::Shared,
        };
        Mapped { frame, kind, writable }
    }

    fn renewed(&mut self, mapped: Mapped) -> Mapped {
        let frame = match mapped.kind {
            Kind::Anonymous => Some(self.frame(Token::ZERO)),
            Kind::Shared => mapped.frame,
            Kind::Private(object) => Some(object),
        };
        Mapped { frame, ..mapped }
    }

    /// The frame to write to, and whether it had to be copied for that; none where the page allows no write.
    fn frame_to_write(&mut self, mm: MmSlot, page: u8, forced: bool) -> Option<(usize, bool)> {
        let may = |mapped: &Mapped| mapped.writable || forced && mapped.kind != Kind::Shared;
        let mapped = (*self.page(mm, page)).filter(may)?;
        let frame = mapped.frame?;
        if mapped.kind != Kind::Private(frame) {
            return Some((frame, false));
        }
        let copy = self.frame(self.frames[frame]);
        *self.page(mm, page) = Some(Mapped { frame: Some(copy), ..mapped });
        self.translations.retain(|translation| translation.at != UserPage { mm, page });
        Some((copy, true))
    }

    /// The copy and the write are two steps: meanwhile the page may become anything.
    fn store(&mut self, at: UserPage, token: Token, choices: &mut Choices) -> Option<Outcome> {
        let frame = match self.remembered(at, true, choices) {
            Some(frame) => frame,
            None => match self.frame_to_write(at.mm, at.page, false) {
                None => return Some(Outcome::Fault),
                Some((_, true)) => return None,
                Some((frame, false)) => frame,
            },
        };
        self.frames[frame] = token;
        self.translations.push(Translation { at, frame, writable: true });
        Some(Outcome::Done)
    }

    fn pin(
        &mut self,
        (at, access, forced): (UserRange, UserAccess, bool),
        pins: PinSlot,
        progress: &mut Progress,
        choices: &mut Choices,
    ) -> Option<Outcome> {
        let page = at.page + progress.pinned.len() as u8;
        let frame = if access.writes() {
            self.frame_to_write(at.mm, page, forced).map(|(frame, _)| frame)
        } else {
            self.page(at.mm, page).and_then(|mapped| mapped.frame)
        };
        // It may have copied the page, and pin no more all the same.
        let frame = frame.filter(|_| !choices.one_in(12));
        progress.pinned.extend(frame);
        if frame.is_some() && progress.pinned.len() < usize::from(at.count) {
            return None;
        }
        let count = progress.pinned.len() as u8;
        assert!(count <= MAX_RANGE);
        self.pins[pins.index()] = Some(Pinning { frames: progress.pinned.clone(), access });
        Some(Outcome::Pinned(Pinned { count, frames: [0; MAX_PAGES] }))
    }

    fn pinned(&self, at: PinnedPage) -> Option<(usize, UserAccess)> {
        let pins = self.pins[at.pins.index()].as_ref().expect("pins that are there");
        pins.frames.get(usize::from(at.page)).map(|frame| (*frame, pins.access))
    }
}
