//! Objects: pages that address spaces can map, and that outlive every mapping (Linux: a file of `shmem`). Its caller and each
//! mapping hold an object.
//!
//! What a page holds stays when its memory goes: `reclaim.rs` takes pages out of memory, and they come back when they are
//! touched next. A page that is in memory has one reference of the object's own.
//!
//! An object knows where it is mapped (`i_mmap`), so that its pages can be unmapped everywhere.

use super::{Mm, fault::Failed};
use crate::family;
use crate::kernel::Kernel;

use crate::paravirt::{Pfn, PvMmu};
use crate::sync::{LockClass, Lockdep, RwSemaphore, SpinLock};
use crate::vpn::{PageRange, Vpn};
use machine::{Bus, Cpu, Family, VarArray, Word};
use std::cell::Cell;
use std::rc::{Rc, Weak};

const I_PAGES: LockClass = LockClass { family: family::I_PAGES, name: "i_pages" };
const I_MMAP: LockClass = LockClass { family: family::I_MMAP, name: "i_mmap_rwsem" };

/// So many objects may there be at a time.
const MOST: usize = 32;

/// A page of an object.
#[derive(Clone, Copy, Debug)]
struct Cached {
    /// Where it is in memory, if it is.
    page: Option<Pfn>,
    /// What it holds while it is not.
    stored: u64,
}

/// Addresses at which an object is mapped.
#[derive(Clone, Debug)]
pub(crate) struct Mapped {
    pub(crate) mm: Weak<Mm>,
    pub(crate) range: PageRange,
    /// The page of the object behind the first.
    pub(crate) from: u64,
}

impl Mapped {
    /// The same of some of its pages, or none if they are none of its own.
    fn part(&self, start: Vpn, end: Vpn) -> Option<Self> {
        let start = start.max(self.range.first);
        let end = end.min(self.range.first + self.range.pages);
        let part = || Self {
            mm: Weak::clone(&self.mm),
            range: PageRange { first: start, pages: end - start },
            from: self.from + (start - self.range.first),
        };
        (start < end).then(part)
    }
}

/// An object.
#[derive(Debug)]
pub(crate) struct Object {
    /// Which words of [`Objects`] are its own.
    words: u8,
    /// How many pages it has.
    pub(crate) count: u64,
    pages: SpinLock<Vec<Cached>>,
    /// Where it is mapped.
    pub(crate) mappings: RwSemaphore<Vec<Mapped>>,
}

/// The words of objects.
#[derive(Debug)]
pub(crate) struct Objects {
    /// What each object has a word of: `i_pages`, `i_mmap`.
    words: [VarArray; 2],
    /// Which of them are in use, a bit each.
    in_use: Cell<u32>,
    lockdep: Rc<Lockdep>,
}

impl Objects {
    /// Variables needed.
    pub(crate) const VARS: u32 = 2 * MOST as u32;

    /// There is none yet.
    pub(crate) fn new(bus: &Bus, lockdep: &Rc<Lockdep>) -> Self {
        let words = [family::I_PAGES, family::I_MMAP].map(|family| bus.memory.vars(family, MOST));
        Self { words, in_use: Cell::new(0), lockdep: Rc::clone(lockdep) }
    }

    /// An object of these pages; none if there are as many as there can be.
    pub(crate) fn make(&self, pages: &[Pfn]) -> Option<Object> {
        let words = self.in_use.get().trailing_ones() as u8;
        if usize::from(words) == MOST {
            return None;
        }
        self.in_use.set(self.in_use.get() | 1 << words);
        let [i_pages, i_mmap] = self.words.map(|array| array.at(words.into()));
        let cached = pages.iter().map(|pfn| Cached { page: Some(*pfn), stored: 0 }).collect();
        Some(Object {
            words,
            count: pages.len() as u64,
            pages: SpinLock::over(i_pages, &self.lockdep, I_PAGES, cached),
            mappings: RwSemaphore::over(i_mmap, &self.lockdep, I_MMAP, Vec::new()),
        })
    }
}

impl Object {
    /// Whether a page is its page of this number. The caller holds the lock of a table in which an entry leads to it.
    pub(crate) fn holds(&self, cpu: &Cpu<'_>, number: u64, pfn: Pfn) -> bool {
        let pages = self.pages.lock(cpu);
        pages.get(number as usize).is_some_and(|cached| cached.page == Some(pfn))
    }

    /// It is mapped there from now on (`vma_link_file`).
    pub(crate) fn link(&self, cpu: &Cpu<'_>, mapped: Mapped) {
        self.mappings.write(cpu).push(mapped);
    }

    /// It is mapped no more in this range of an address space (`unlink_file_vma`).
    pub(crate) fn unlink(&self, cpu: &Cpu<'_>, mm: &Mm, range: PageRange) {
        let mut mappings = self.mappings.write(cpu);
        let end = range.first + range.pages;
        let all = std::mem::take(&mut *mappings);
        for mapped in all {
            if !std::ptr::eq(mapped.mm.as_ptr(), mm) {
                mappings.push(mapped);
                continue;
            }
            let last = mapped.range.first + mapped.range.pages;
            mappings.extend(mapped.part(Vpn(0), range.first));
            mappings.extend(mapped.part(end, last));
        }
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Makes an object of zeroed pages; none if there is no memory for all.
    pub(crate) fn new_object(&self, cpu: &Cpu<'_>, count: u8) -> Option<Rc<Object>> {
        let mut pages = Vec::with_capacity(count.into());
        for _ in 0..count {
            let Some(pfn) = self.alloc_user_page(cpu) else { break };
            pages.push(pfn);
        }
        let made = if pages.len() == usize::from(count) { self.objects.make(&pages) } else { None };
        if made.is_none() {
            for pfn in pages {
                self.counts.put(self, cpu, pfn);
            }
        }
        made.map(Rc::new)
    }

    /// Lets go of an object (`fput`). The last holder drops the references to its pages.
    pub(crate) fn put_object(&self, cpu: &Cpu<'_>, object: Rc<Object>) {
        if let Some(mut object) = Rc::into_inner(object) {
            for cached in std::mem::take(object.pages.get_mut()) {
                cached.page.into_iter().for_each(|pfn| self.counts.put(self, cpu, pfn));
            }
            self.objects.in_use.set(self.objects.in_use.get() & !(1 << object.words));
        }
    }

    /// The page of this number, with a reference for the caller (`filemap_fault`). If it is not in memory it comes there.
    ///
    /// What it holds is read under the lock under which the page becomes the object's. Otherwise a write would be lost:
    ///
    /// ```text
    ///   c0 reads the page in                  c1
    ///   reads what is stored
    ///                                         reads the page in too, writes to it
    ///                                         reclaim: stores that, frees the page
    ///   it is not in memory: its own page becomes the object's
    /// ```
    pub(crate) fn object_page(&self, cpu: &Cpu<'_>, object: &Object, number: u64) -> Result<Pfn, Failed> {
        loop {
            let found = object
                .pages
                .lock(cpu)
                .get(number as usize)
                .copied()
                .map(|cached| cached.page.inspect(|pfn| self.counts.get(cpu, *pfn)));
            if let Some(pfn) = found.ok_or(Failed::Fault)? {
                return Ok(pfn);
            }
            let pfn = self.alloc_user_page(cpu).ok_or(Failed::NoMemory)?;
            let mut pages = object.pages.lock(cpu);
            let cached = &mut pages[number as usize];
            if cached.page.is_none() {
                cpu.store_word(Word::new(self.pv.frame_of(pfn), 0), Family::DATA, cached.stored);
                self.counts.get(cpu, pfn);
                cached.page = Some(pfn);
                return Ok(pfn);
            }
            drop(pages);
            self.counts.put(self, cpu, pfn);
        }
    }

    /// The page of this number, with a reference for the caller, if it is in memory.
    pub(crate) fn object_page_in_memory(&self, cpu: &Cpu<'_>, object: &Object, number: u64) -> Option<Pfn> {
        let pages = object.pages.lock(cpu);
        let pfn = pages.get(number as usize)?.page?;
        self.counts.get(cpu, pfn);
        Some(pfn)
    }

    /// A page that no entry leads to, and to which the caller has a reference, leaves memory unless another caller or CPU has one as well
    /// (`__remove_mapping`). What it holds is stored. Returns whether the page is the caller's to free.
    pub(crate) fn store_away(&self, cpu: &Cpu<'_>, object: &Object, number: u64, pfn: Pfn) -> bool {
        let mut pages = object.pages.lock(cpu);
        let cached = &mut pages[number as usize];
        if cached.page != Some(pfn) || !self.counts.freeze(cpu, pfn, 2) {
            return false;
        }
        cached.stored = cpu.load_word(Word::new(self.pv.frame_of(pfn), 0), Family::DATA);
        cached.page = None;
        true
    }
}
