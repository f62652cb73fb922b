//! Callers make areas that own their pages, and change what those allow.

use crate::callers::failed;
use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::table_pages::MapError;
use crate::vpn::Vpn;
use machine::Cpu;
use oracle::vocabulary::{Access, AreaSlot, Count, Mapping, MemoryType, Outcome, Range};

impl<P: PvMmu> Kernel<P> {
    /// Holds an area, if it was made: its first page says where it lies.
    #[expect(clippy::unnecessary_wraps, reason = "an answer like those that may be missing")]
    pub(super) fn own(
        &self,
        area: AreaSlot,
        Count(pages): Count,
        made: Result<Vpn, MapError>,
    ) -> Option<Outcome> {
        Some(match made {
            Ok(first) => {
                let range = Range { start: first.address(), pages };
                self.callers.hold(Mapping::Area(area), range);
                Outcome::Mapped(range)
            }
            Err(error) => failed(error),
        })
    }

    pub(super) fn allow(&self, cpu: &Cpu<'_>, area: AreaSlot, access: Access) -> Option<Outcome> {
        let range = self.callers.range(Mapping::Area(area))?;
        self.set_memory(cpu, Vpn::of(range.start), access);
        Some(Outcome::Done)
    }

    pub(super) fn cache(&self, cpu: &Cpu<'_>, area: AreaSlot, memory_type: MemoryType) -> Option<Outcome> {
        let range = self.callers.range(Mapping::Area(area))?;
        self.set_memory_type(cpu, Vpn::of(range.start), memory_type);
        Some(Outcome::Done)
    }
}
