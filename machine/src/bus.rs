//! Everything that the CPUs share, and the hardware that acts by itself: walkers, store buffers, interrupt wires.
//!
//! Nothing here is a point. Checks read the machine through this type; only the hardware and booting change it.

use crate::alarm::{Alarm, AlarmKind};
use crate::core::{Core, Cr3, Interrupt, Level};
use crate::memory::{Memory, Role, Target, Var, Word};
use crate::paging::{Entry, Flags, LEVELS, canonical, index, span};
use crate::point::Temperament;
use crate::tlb::{TlbEntry, WalkCacheEntry, memory_type};
use crate::trace::{TraceEvent, TraceLine};
use crate::wait::Wait;
use std::cell::{Cell, RefCell};
use std::panic::Location;

/// At most so many CPUs.
pub const MAX_CPUS: u8 = 8;

/// What a machine is like for the length of one story.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// CPUs, 1 to [`MAX_CPUS`].
    pub cpus: u8,
    /// Physical frames.
    pub frames: u32,
    /// Room for so many kernel variables.
    pub vars: u32,
    /// How wild the hardware is.
    pub temperament: Temperament,
    /// Points that a whole story may pass before it counts as a livelock.
    pub steps: u32,
    /// A quirk of real parts: INVLPG spares global entries while process-context identifiers are in use.
    pub invlpg_spares_globals: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cpus: 2,
            frames: 64,
            vars: 1024,
            temperament: Temperament::empty(),
            steps: 1_000_000,
            invlpg_spares_globals: false,
        }
    }
}

/// Why an access faulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageFault {
    /// The address.
    pub va: u64,
    /// A translation exists but does not allow it; otherwise there is none.
    pub protection: bool,
}

/// What an access through the MMU asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intent {
    Read,
    Write,
    Fetch,
    Speculate,
}

/// Where the tables lead for an address, read without disturbing anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapped {
    /// The leaf.
    pub entry: Entry,
    /// Its level: 1, or 2 for a large one.
    pub level: u8,
    /// Where it stands.
    pub word: Word,
    /// Writable, user and no-execute, combined over the levels.
    pub flags: Flags,
}

/// The machine, as all CPUs share it.
#[derive(Debug)]
pub struct Bus {
    config: Cell<Config>,
    /// Variables and frames.
    pub memory: Memory,
    cores: [Core; MAX_CPUS as usize],
    alarms: RefCell<Vec<Alarm>>,
    pub(crate) steps_left: Cell<u32>,
    /// While a CPU is helped along: whose wait it is, for what, and who helps.
    pub(crate) watch: Cell<Option<(u8, Wait, u8)>>,
    pub(crate) abandoned: Cell<bool>,
    tracing: Cell<bool>,
    trace: RefCell<Vec<TraceLine>>,
}

impl Bus {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config: Cell::new(config),
            memory: Memory::new(config.frames, config.vars),
            cores: std::array::from_fn(|_| Core::new()),
            alarms: RefCell::default(),
            steps_left: Cell::new(config.steps),
            watch: Cell::new(None),
            abandoned: Cell::new(false),
            tracing: Cell::new(false),
            trace: RefCell::default(),
        }
    }

    /// Whether a story of this shape fits without more room.
    pub(crate) fn has_room(&self, config: &Config) -> bool {
        self.memory.frames() == config.frames && self.memory.vars_capacity() >= config.vars
    }

    pub(crate) fn reset(&self, config: Config) {
        self.memory.reset();
        self.cores.iter().for_each(Core::reset);
        self.config.set(config);
        self.alarms.borrow_mut().clear();
        self.steps_left.set(config.steps);
        self.watch.set(None);
        self.abandoned.set(false);
        self.tracing.set(false);
        self.trace.borrow_mut().clear();
    }

    /// What the machine is like.
    #[inline]
    pub fn config(&self) -> Config {
        self.config.get()
    }

    /// How many CPUs there are.
    #[inline]
    pub fn cpus(&self) -> u8 {
        self.config.get().cpus
    }

    /// How wild the hardware is.
    #[inline]
    pub fn temperament(&self) -> Temperament {
        self.config.get().temperament
    }

    /// One CPU's own state.
    #[inline]
    pub fn core(&self, cpu: u8) -> &Core {
        &self.cores[usize::from(cpu)]
    }

    /// Puts a root into a CPU's CR3 while booting.
    pub fn boot_cr3(&self, cpu: u8, cr3: Cr3) {
        self.core(cpu).cr3.set(cr3);
    }

    /// Sets an entry or a word at once, while booting.
    pub fn boot_word(&self, word: Word, value: u64) {
        self.put(word, value);
    }

    // --- alarms and trace ---

    /// What went wrong so far, first things first.
    pub fn alarms(&self) -> std::cell::Ref<'_, Vec<Alarm>> {
        self.alarms.borrow()
    }

    /// Whether anything went wrong.
    pub fn alarmed(&self) -> bool {
        !self.alarms.borrow().is_empty()
    }

    /// Raises an alarm. One kind at one place is raised once.
    #[cold]
    pub fn alarm(&self, cpu: u8, kind: AlarmKind, at: Option<&'static Location<'static>>) {
        let mut alarms = self.alarms.borrow_mut();
        if !alarms.iter().any(|alarm| alarm.cpu == cpu && alarm.kind == kind) {
            alarms.push(Alarm { cpu, kind, at });
        }
    }

    /// From now on keeps a trace of everything; until the next reset.
    pub fn start_tracing(&self) {
        self.tracing.set(true);
    }

    /// Whether a trace is kept.
    #[inline]
    pub fn tracing(&self) -> bool {
        self.tracing.get()
    }

    /// What happened since tracing began.
    pub fn trace(&self) -> std::cell::Ref<'_, Vec<TraceLine>> {
        self.trace.borrow()
    }

    #[cold]
    pub(crate) fn record(&self, cpu: u8, event: TraceEvent, at: Option<&'static Location<'static>>) {
        self.trace.borrow_mut().push(TraceLine { cpu, event, at });
    }

    // --- memory as one CPU sees it ---

    /// What a CPU would load from here: its own newest buffered store, else memory.
    #[inline]
    pub fn seen_by(&self, cpu: u8, target: Target) -> u64 {
        let core = self.core(cpu);
        if core.buffered.get() != 0
            && let Some(store) = core.buffer.borrow().iter().rev().find(|store| store.target == target)
        {
            return store.value;
        }
        self.in_memory(target)
    }

    /// What memory holds here.
    #[inline]
    pub fn in_memory(&self, target: Target) -> u64 {
        match target {
            Target::Var(var) => self.memory.value(var),
            Target::Word(word) => self.memory.peek(word),
        }
    }

    /// Whether a wait of this CPU is over.
    #[inline]
    pub fn holds(&self, cpu: u8, wait: &Wait) -> bool {
        wait.until.holds(self.seen_by(cpu, Target::Var(wait.var)))
    }

    /// A store becomes visible to everybody.
    #[inline]
    pub(crate) fn commit(&self, target: Target, value: u64) {
        match target {
            Target::Var(var) => self.memory.set_value(var, value),
            Target::Word(word) => {
                if let Role::Table(level) = self.memory.role(word.frame) {
                    if self.temperament().contains(Temperament::EAGER_WALKERS) {
                        self.walk_eagerly(word, level);
                    }
                    self.put(word, value);
                } else {
                    self.memory.poke(word, value);
                }
            }
        }
    }

    fn put(&self, word: Word, value: u64) {
        self.memory.poke(word, value);
        let entry = Entry(value);
        if let Role::Table(level) = self.memory.role(word.frame)
            && level > 1
            && entry.present()
            && !entry.has(Flags::HUGE_PAGE)
        {
            self.memory.set_linked_from(entry.frame(), word);
        }
    }

    /// The oldest stores of a CPU reach memory. Returns how many did.
    pub(crate) fn drain(&self, cpu: u8, most: usize) -> usize {
        let core = self.core(cpu);
        let mut drained = 0;
        while drained < most && core.buffered.get() != 0 {
            let store = core.buffer.borrow_mut().remove(0);
            core.buffered.set(core.buffered.get() - 1);
            drained += 1;
            if let Target::Word(word) = store.target
                && self.memory.incarnation(word.frame) != store.incarnation
            {
                self.alarm(cpu, AlarmKind::StoreToReusedFrame { frame: word.frame }, None);
            }
            if self.tracing() {
                let old = self.in_memory(store.target);
                let event = TraceEvent::Drained { target: store.target, old, value: store.value };
                self.record(cpu, event, None);
            }
            self.commit(store.target, store.value);
        }
        drained
    }

    /// Whether a CPU holds a buffered store to this variable.
    pub(crate) fn buffers(&self, cpu: u8, var: Var) -> bool {
        let core = self.core(cpu);
        core.buffered.get() != 0 && core.buffer.borrow().iter().any(|store| store.target == Target::Var(var))
    }

    // --- interrupts ---

    pub(crate) fn post(&self, to: u8, interrupt: Interrupt) {
        self.core(to).pending.borrow_mut().push(interrupt);
    }

    /// The interrupt that a CPU takes next, if it takes any now: the hypervisor's before the guest's.
    pub(crate) fn next_interrupt(&self, cpu: u8, from: Option<u8>) -> Option<Interrupt> {
        let core = self.core(cpu);
        let mut pending = core.pending.borrow_mut();
        if pending.is_empty() {
            return None;
        }
        let newest_first = self.temperament().contains(Temperament::REORDERED_INTERRUPTS);
        for level in [Level::Hypervisor, Level::Guest] {
            if !core.takes(level) {
                continue;
            }
            let wanted = |one: &Interrupt| one.level == level && from.is_none_or(|from| from == one.from);
            let found =
                if newest_first { pending.iter().rposition(wanted) } else { pending.iter().position(wanted) };
            if let Some(found) = found {
                return Some(pending.remove(found));
            }
        }
        None
    }

    // --- translation ---

    /// Where the tables lead for an address from this root, changing nothing.
    pub fn mapped(&self, root: crate::paging::Frame, va: u64) -> Option<Mapped> {
        let mut table = root;
        let mut flags = Flags::WRITABLE | Flags::USER_ACCESSIBLE;
        let mut level = LEVELS;
        loop {
            let word = Word::new(table, index(va, level));
            let entry = Entry(self.memory.peek(word));
            if !entry.present() {
                return None;
            }
            flags = combine(flags, entry.flags());
            if level == 1 || entry.has(Flags::HUGE_PAGE) {
                return Some(Mapped { entry, level, word, flags });
            }
            table = entry.frame();
            if table.0 >= self.memory.frames() {
                return None;
            }
            level -= 1;
        }
    }

    /// A walk by the hardware of one CPU, as the SDM describes it (volume 3A, 4.5, 4.8 and 4.10.3): from the lowest
    /// cached upper entry or from the root, setting accessed bits, caching the path and the leaf.
    pub(crate) fn walk(
        &self,
        cpu: u8,
        va: u64,
        intent: Intent,
        at: Option<&'static Location<'static>>,
    ) -> Result<TlbEntry, PageFault> {
        let core = self.core(cpu);
        let Cr3 { root, pcid } = core.cr3.get();
        let mut level = LEVELS;
        let mut table = root;
        let mut incarnation = self.memory.incarnation(root);
        let mut flags = Flags::WRITABLE | Flags::USER_ACCESSIBLE;
        if let Some(path) = core.tlb.borrow().path(va, pcid) {
            (level, table, incarnation, flags) = (path.level - 1, path.table, path.incarnation, path.flags);
        }
        loop {
            if table.0 >= self.memory.frames()
                || self.memory.role(table) != Role::Table(level)
                || self.memory.incarnation(table) != incarnation
            {
                self.alarm(cpu, AlarmKind::FreedTableWalked { frame: table, level, va }, at);
                return Err(PageFault { va, protection: false });
            }
            let word = Word::new(table, index(va, level));
            let entry = Entry(self.memory.peek(word));
            if !entry.present() {
                return Err(PageFault { va, protection: false });
            }
            flags = combine(flags, entry.flags());
            if level == 1 || (level == 2 && entry.has(Flags::HUGE_PAGE)) {
                return self.cache_leaf(cpu, va, intent, word, level, flags);
            }
            if !entry.has(Flags::ACCESSED) {
                self.memory.poke(word, entry.0 | Flags::ACCESSED.bits());
            }
            table = entry.frame();
            incarnation = if table.0 < self.memory.frames() { self.memory.incarnation(table) } else { 0 };
            let va = va & !(span(level) - 1);
            core.tlb.borrow_mut().insert_path(WalkCacheEntry { va, level, pcid, table, incarnation, flags });
            level -= 1;
        }
    }

    fn cache_leaf(
        &self,
        cpu: u8,
        va: u64,
        intent: Intent,
        word: Word,
        level: u8,
        flags: Flags,
    ) -> Result<TlbEntry, PageFault> {
        let core = self.core(cpu);
        let mut entry = Entry(self.memory.peek(word));
        if !permits(flags, intent, core) {
            return Err(PageFault { va, protection: true });
        }
        let mut set = Flags::ACCESSED;
        if intent == Intent::Write {
            set |= Flags::DIRTY;
        }
        if !entry.has(set) {
            entry.0 |= set.bits();
            self.memory.poke(word, entry.0);
        }
        // Bit 12 of a large leaf selects the memory type and is no part of the address.
        let frame = crate::paging::Frame(entry.frame().0 & if level == 1 { !0 } else { !511 });
        let leaf = TlbEntry {
            va: va & !(span(level) - 1),
            level,
            pcid: core.cr3.get().pcid,
            frame,
            incarnation: if frame.0 < self.memory.frames() { self.memory.incarnation(frame) } else { 0 },
            flags: flags | (entry.flags() & (Flags::DIRTY | Flags::GLOBAL)),
            memory_type: memory_type(entry, level),
        };
        core.tlb.borrow_mut().insert_leaf(leaf);
        if self.tracing() {
            let speculative = intent == Intent::Speculate;
            self.record(cpu, TraceEvent::Filled { va, frame: leaf.frame_of(va), speculative }, None);
        }
        Ok(leaf)
    }

    /// A speculative walk by one CPU: caches what an ordinary walk would, sets accessed bits, never dirty ones, and
    /// faults silently. Returns whether a leaf was cached.
    pub fn fill(&self, cpu: u8, va: u64) -> bool {
        let pcid = self.core(cpu).cr3.get().pcid;
        canonical(va)
            && self.core(cpu).tlb.borrow().leaf(va, pcid).is_none()
            && self.walk(cpu, va, Intent::Speculate, None).is_ok()
    }

    /// Every CPU whose root reaches this entry walks it, while it still says what it says.
    #[cold]
    fn walk_eagerly(&self, word: Word, level: u8) {
        if !Entry(self.memory.peek(word)).present() {
            return;
        }
        let Some(va) = self.address_of(word, level) else { return };
        for cpu in 0..self.cpus() {
            let root = self.core(cpu).cr3.get().root;
            if self.reaches(root, va, word) {
                self.fill(cpu, va);
            }
        }
    }

    /// The first address whose translation goes through an entry, by the way the table was last linked.
    fn address_of(&self, word: Word, level: u8) -> Option<u64> {
        let mut va = u64::from(word.index) * span(level);
        let mut frame = word.frame;
        for above in level + 1..=LEVELS {
            let (parent, index) = self.memory.linked_from(frame)?;
            va += u64::from(index) * span(above);
            frame = parent;
        }
        Some(if va & (1 << 47) != 0 { va | 0xffff << 48 } else { va })
    }

    fn reaches(&self, root: crate::paging::Frame, va: u64, wanted: Word) -> bool {
        let mut table = root;
        for level in (1..=LEVELS).rev() {
            let word = Word::new(table, index(va, level));
            if word == wanted {
                return true;
            }
            let entry = Entry(self.memory.peek(word));
            if !entry.present() || entry.has(Flags::HUGE_PAGE) || entry.frame().0 >= self.memory.frames() {
                return false;
            }
            table = entry.frame();
        }
        false
    }
}

/// Whether a leaf with these flags lets a CPU do this. Supervisor writes obey the writable bit (CR0.WP is set).
pub(crate) fn permits(flags: Flags, intent: Intent, core: &Core) -> bool {
    use crate::core::Mode;
    (core.mode.get() == Mode::Kernel || flags.contains(Flags::USER_ACCESSIBLE))
        && match intent {
            Intent::Read | Intent::Speculate => true,
            Intent::Write => flags.contains(Flags::WRITABLE),
            Intent::Fetch => !flags.contains(Flags::NO_EXECUTE),
        }
}

fn combine(above: Flags, entry: Flags) -> Flags {
    let both = Flags::WRITABLE | Flags::USER_ACCESSIBLE;
    (above & entry & both) | ((above | entry) & Flags::NO_EXECUTE)
}
