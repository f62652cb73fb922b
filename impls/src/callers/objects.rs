//! Callers make objects, and let go of them.

use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use machine::Cpu;
use oracle::vocabulary::{Count, ObjectSlot, Outcome};

impl<P: PvMmu> Kernel<P> {
    #[expect(clippy::unnecessary_wraps, reason = "an answer like those that may be missing")]
    pub(super) fn make_object(
        &self,
        cpu: &Cpu<'_>,
        Count(pages): Count,
        object: ObjectSlot,
    ) -> Option<Outcome> {
        Some(match self.new_object(cpu, pages) {
            Some(made) => {
                self.callers.objects[object.index()].replace(Some(made));
                Outcome::Done
            }
            None => Outcome::NoMemory,
        })
    }

    pub(super) fn take_out_of_memory(&self, cpu: &Cpu<'_>, object: ObjectSlot) -> Option<Outcome> {
        let object = self.callers.objects[object.index()].borrow().clone()?;
        self.reclaim(cpu, &object);
        self.put_object(cpu, object);
        Some(Outcome::Done)
    }

    pub(super) fn let_go_of(&self, cpu: &Cpu<'_>, object: ObjectSlot) -> Option<Outcome> {
        let object = self.callers.objects[object.index()].take()?;
        self.put_object(cpu, object);
        Some(Outcome::Done)
    }
}
