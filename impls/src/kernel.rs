//! The kernel: everything that stands between a caller and a platform, put together, and its entry points.

use crate::base::Base;
use crate::callers::{Callers, pinned};
use crate::direct_map::DirectMap;
use crate::family;
use crate::kernel_tables::KernelTables;
use crate::mm::Objects;
use crate::mm::{LEAVE_MM_VECTOR, Mms, USER_FLUSH_VECTOR};
use crate::page_alloc::PageAllocator;
use crate::page_ref::PageCounts;
use crate::paravirt::PvMmu;
use crate::process::Process;
use crate::protocol::Protocol;
use crate::sizes::Sizes;
use crate::sync::{Lockdep, Rcu, Work, Workqueue};
use crate::table_pages::TablePages;
use crate::tlbflush::{FLUSH_VECTOR, TlbFlush};
use crate::user_layout;
use crate::vmalloc::Vmalloc;
use crate::vmalloc::block::RcuCallback;
use machine::paging::LEVELS;
use machine::{
    Background, Bus, Config, Cpu, Interrupt, Level, PageFault, Resolution, Role, Software, Standing,
    Temperament, Wait,
};
use oracle::vocabulary::{Call, Outcome};
use std::ops::Deref;
use std::rc::Rc;

/// What a CPU of the kernel is given to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Task {
    /// A caller asks for an operation.
    Call(Call),
    /// The worker carries out what is queued. Ends as [`Outcome::Void`] if nothing is.
    RunWork,
    /// Another page table for the process under construction (`pte_alloc`).
    AddProcessTable,
    /// The process under construction is about to run: its tables are pinned (`xen_pgd_pin`).
    PinProcess,
    /// Every caller gives everything back, and the kernel all it keeps. Nothing else runs.
    Teardown,
}

/// A kernel on a platform.
#[derive(Debug)]
pub struct Kernel<P: PvMmu> {
    base: Base<P>,
    pub(crate) table_pages: TablePages,
    pub(crate) tables: KernelTables,
    pub(crate) mms: Mms,
    pub(crate) counts: PageCounts,
    pub(crate) objects: Objects,
    pub(crate) direct: DirectMap,
    pub(crate) tlb: TlbFlush,
    pub(crate) rcu: Rcu<RcuCallback>,
    pub(crate) work: Workqueue,
    pub(crate) vmalloc: Vmalloc,
    pub(crate) callers: Callers,
    pub(crate) process: Process,
    pages_at_boot: usize,
}

/// A kernel stands on its base.
impl<P> Deref for Kernel<P>
where
    P: PvMmu,
{
    type Target = Base<P>;

    fn deref(&self) -> &Base<P> {
        &self.base
    }
}

impl<P: PvMmu> Kernel<P> {
    /// The machine that a kernel of this size needs.
    pub fn config(sizes: Sizes, cpus: u8, temperament: Temperament) -> Config {
        /// The locks of the three zones, the count of grace periods, the work item.
        const OTHERS: u32 = 5;
        let own = OTHERS
            + TablePages::vars(sizes.frames())
            + KernelTables::VARS
            + Mms::vars(cpus, P::machine_frames(sizes))
            + PageCounts::vars(sizes.frames())
            + Objects::VARS
            + TlbFlush::vars(cpus)
            + Vmalloc::vars(cpus, sizes);
        Config {
            cpus,
            frames: P::machine_frames(sizes),
            large_pages: if P::LARGE_LEAVES { Sizes::LARGE_PAGES } else { 0 },
            vars: own + P::machine_vars(sizes),
            temperament,
            ..Config::default()
        }
    }

    /// Boots: builds the kernel's tables and gives the callers their first pages.
    pub fn boot(bus: &Rc<Bus>, sizes: Sizes, protocol: Rc<Protocol>) -> Self {
        let lockdep = Lockdep::new();
        let pv = P::boot(bus, sizes, &protocol, &lockdep);
        let mut pages = PageAllocator::new(bus, &lockdep, 0..sizes.first_low_frame());
        let root = pages.alloc_at_boot(&pv, bus);
        bus.memory.set_role(pv.frame_of(root), Role::Table(LEVELS));
        let (direct, direct_tables) = DirectMap::boot(bus, &lockdep, &pv, sizes, root);
        let pages_at_boot = pages.count_free();
        let callers = Callers::new((0..Sizes::INITIAL_PAGES).map(|_| pages.alloc_at_boot(&pv, bus)));
        Self {
            tables: KernelTables::boot(bus, &lockdep, &pv, root, &direct_tables),
            mms: Mms::new(bus, &lockdep, root),
            counts: PageCounts::new(bus, sizes.frames()),
            objects: Objects::new(bus, &lockdep),
            direct,
            tlb: TlbFlush::new(bus),
            rcu: Rcu::new(bus),
            work: Workqueue::new(bus),
            vmalloc: Vmalloc::new(bus, &lockdep, sizes),
            table_pages: TablePages::new(bus, &lockdep, sizes.frames(), protocol.designs.table_drain),
            callers,
            process: Process::default(),
            base: Base { pv, protocol, sizes, pages },
            pages_at_boot,
        }
    }

    /// Lets a grace period pass, if no reader and no CPU with interrupts off holds it up.
    pub fn grace_period(&self, standing: &Standing<'_>) -> Background {
        self.rcu.grace_period(standing, |callback| match callback {
            RcuCallback::VmapBlock(block) => self.vmalloc.blocks.give_back(block),
            RcuCallback::Tables(tables) => {
                let give_back = |table| self.pages.free_from_outside(&self.pv, standing.bus, table);
                tables.into_iter().for_each(give_back);
            }
        })
    }

    /// The handler by which a host beneath takes a CPU away, or gives it back; none where no host does.
    pub fn host(&self, takes_away: bool) -> Option<Interrupt> {
        if takes_away { self.pv.take_away() } else { self.pv.give_back() }
    }

    /// How many grace periods have passed.
    pub fn grace_periods(&self, bus: &Bus) -> u64 {
        self.rcu.passed(bus)
    }

    /// Whether callbacks wait for a grace period.
    pub fn grace_period_wanted(&self) -> bool {
        self.rcu.queued() != 0
    }

    /// Whether the worker has something to do.
    pub fn work_pending(&self, bus: &Bus) -> bool {
        self.work.pending(bus)
    }

    /// Another domain takes what the kernel gave away, if there is one.
    pub fn other_domain_takes(&self, bus: &Bus) {
        self.pv.other_domain_takes(bus);
    }

    /// What its callers hold.
    pub fn callers(&self) -> &Callers {
        &self.callers
    }

    /// After [`Task::Teardown`] and a grace period: what is left although everything was given back. Empty if nothing.
    pub fn leftovers(&self, bus: &Bus) -> Vec<String> {
        let mut left = self.vmalloc.leftovers(bus);
        let free = self.pages.count_free();
        if free != self.pages_at_boot {
            left.push(format!("{} pages were not given back", self.pages_at_boot.abs_diff(free)));
        }
        if self.direct.free.count_free() != Sizes::LOW_PAGES as usize {
            left.push("pages of low memory were not given back".to_owned());
        }
        if self.direct.free_large.count_free() != bus.memory.large_pages().count() {
            left.push("large pages were not given back".to_owned());
        }
        if !self.tables.have_no_copies() {
            left.push("address spaces were not dropped".to_owned());
        }
        left.extend(self.counts.leftovers(bus));
        if self.rcu.queued() != 0 {
            left.push("callbacks still wait for a grace period".to_owned());
        }
        for cpu in 0..bus.cpus() {
            if !bus.core(cpu).pending().is_empty() {
                left.push("interrupts were never taken".to_owned());
            }
        }
        left.extend(self.pv.leftovers(bus));
        left
    }

    fn run_work(&self, cpu: &Cpu<'_>) -> Outcome {
        if !self.work.take(cpu, Work::PurgeAreas) {
            return Outcome::Void;
        }
        self.purge_work(cpu);
        Outcome::Done
    }

    fn teardown(&self, cpu: &Cpu<'_>) -> Outcome {
        self.give_everything_back(cpu);
        self.purge_everything(cpu);
        self.free_all_tables(cpu);
        self.table_pages.free_all(self, cpu);
        self.give_up_frames(cpu);
        Outcome::Done
    }
}

impl<P: PvMmu> Software for Kernel<P> {
    type Operation = Task;
    type Outcome = Outcome;

    fn run(&self, cpu: &Cpu<'_>, task: Task) -> Outcome {
        self.end_thread(cpu);
        match task {
            Task::Call(call) => self.call(cpu, &call),
            Task::RunWork => self.run_work(cpu),
            Task::AddProcessTable => match self.add_process_table(cpu) {
                Some(added) => pinned(added),
                None => Outcome::NoMemory,
            },
            Task::PinProcess => pinned(self.pin_process(cpu)),
            Task::Teardown => self.teardown(cpu),
        }
    }

    fn interrupt(&self, cpu: &Cpu<'_>, interrupt: Interrupt) {
        match (interrupt.level, interrupt.vector) {
            (Level::Hypervisor, _) => self.pv.interrupt(cpu, interrupt),
            (Level::Guest, FLUSH_VECTOR) => self.tlb.handle(self, cpu, interrupt),
            (Level::Guest, LEAVE_MM_VECTOR) => self.leave_mm_handler(cpu, interrupt),
            (Level::Guest, USER_FLUSH_VECTOR) => self.user_flush_handler(cpu, interrupt),
            (Level::Guest, _) => cpu.bug("an interrupt that no CPU sends"),
        }
    }

    fn page_fault(&self, cpu: &Cpu<'_>, fault: PageFault, again: bool) -> Resolution {
        if user_layout::is_user(fault.va) {
            return self.user_fault(cpu, fault);
        }
        self.handle_page_fault(cpu, fault, again)
    }

    fn give_back(&self) -> Option<Interrupt> {
        self.pv.give_back()
    }

    fn background(&self, standing: &Standing<'_>, wait: &Wait) -> Background {
        if wait.var.family == family::GRACE_PERIODS {
            self.grace_period(standing)
        } else {
            Background::Nothing
        }
    }
}
