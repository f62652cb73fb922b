//! Callers read, write and execute, through kernel mappings and through the direct map.

use crate::kernel::Kernel;
use crate::paravirt::PvMmu;
use crate::vpn::Vpn;
use machine::{Cpu, PageFault};
use oracle::vocabulary::{Mapping, Outcome, OwnPage, Place, Token};

impl<P: PvMmu> Kernel<P> {
    pub(super) fn read(&self, cpu: &Cpu<'_>, place: Place) -> Option<Outcome> {
        Some(value(cpu.read(self.address(place)?)))
    }

    pub(super) fn write(&self, cpu: &Cpu<'_>, place: Place, token: Token) -> Option<Outcome> {
        Some(done(cpu.write(self.address(place)?, token.0.into())))
    }

    pub(super) fn exec(&self, cpu: &Cpu<'_>, place: Place) -> Option<Outcome> {
        Some(done(cpu.fetch(self.address(place)?)))
    }

    pub(super) fn read_direct(&self, cpu: &Cpu<'_>, page: OwnPage) -> Option<Outcome> {
        Some(value(cpu.read(self.direct_address(cpu, page)?)))
    }

    pub(super) fn write_direct(&self, cpu: &Cpu<'_>, page: OwnPage, token: Token) -> Option<Outcome> {
        Some(done(cpu.write(self.direct_address(cpu, page)?, token.0.into())))
    }

    /// Where a page that an area owns lies in the direct map.
    fn direct_address(&self, cpu: &Cpu<'_>, OwnPage { area, page }: OwnPage) -> Option<u64> {
        let range = self.callers.range(Mapping::Area(area))?;
        let Some(vm) = self.vm_struct(Vpn::of(range.start)) else { cpu.bug("the area owns no pages") };
        Some(self.direct.page_of(vm.pages()[usize::from(page)]).address())
    }

    fn address(&self, place: Place) -> Option<u64> {
        let first = self.callers.range(place.mapping).map(|range| Vpn::of(range.start))?;
        Some((first + place.page.into()).address())
    }
}

fn value(read: Result<u64, PageFault>) -> Outcome {
    read.map_or(Outcome::Fault, |value| Outcome::Value(Token(value as u32)))
}

fn done(accessed: Result<(), PageFault>) -> Outcome {
    accessed.map_or(Outcome::Fault, |()| Outcome::Done)
}
