//! Objects: pages in memory that address spaces can map, and that outlive every mapping (Linux: a file of `shmem`).
//!
//! Its caller and each mapping hold an object, and the object holds its pages. The last holder gives them back.

use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use machine::Cpu;
use std::rc::Rc;

/// An object, with all its pages. Each has one reference of the object's own.
#[derive(PartialEq, Eq, Default, Debug)]
pub(crate) struct Object {
    pages: Vec<Pfn>,
}

impl Object {
    /// The page of this number, unless it is beyond the end.
    pub(crate) fn page(&self, number: u64) -> Option<Pfn> {
        self.pages.get(number as usize).copied()
    }
}

impl<P: PvMmu> Kernel<P> {
    /// Makes an object of zeroed pages; none if there is no memory for all.
    pub(crate) fn new_object(&self, cpu: &Cpu<'_>, count: u8) -> Option<Rc<Object>> {
        let mut pages = Vec::with_capacity(count.into());
        for _ in 0..count {
            let Some(pfn) = self.alloc_page(cpu) else {
                self.put_pages(cpu, pages);
                return None;
            };
            self.counts.begin(cpu, pfn);
            pages.push(pfn);
        }
        Some(Rc::new(Object { pages }))
    }

    /// Lets go of an object (`fput`). The last holder drops the references to its pages.
    pub(crate) fn put_object(&self, cpu: &Cpu<'_>, object: Rc<Object>) {
        if let Ok(Object { pages }) = Rc::try_unwrap(object) {
            self.put_pages(cpu, pages);
        }
    }

    fn put_pages(&self, cpu: &Cpu<'_>, pages: Vec<Pfn>) {
        for pfn in pages {
            self.counts.put(self, cpu, pfn);
        }
    }
}
