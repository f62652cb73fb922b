//! Objects: pages in memory that address spaces can map, and that outlive every mapping (Linux: a file of `shmem`).

use crate::kernel::Kernel;
use crate::paravirt::{Pfn, PvMmu};
use machine::Cpu;

/// An object, with all its pages.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Object {
    pages: Vec<Pfn>,
}

impl<P: PvMmu> Kernel<P> {
    /// Makes an object of zeroed pages; none if there is no memory for all.
    pub(crate) fn new_object(&self, cpu: &Cpu<'_>, count: u8) -> Option<Object> {
        let mut pages = Vec::with_capacity(count.into());
        for _ in 0..count {
            let Some(pfn) = self.alloc_page(cpu) else {
                self.free_pages(cpu, pages);
                return None;
            };
            pages.push(pfn);
        }
        Some(Object { pages })
    }

    /// Takes the pages of an object back.
    pub(crate) fn end_object(&self, cpu: &Cpu<'_>, object: Object) {
        self.free_pages(cpu, object.pages);
    }
}
