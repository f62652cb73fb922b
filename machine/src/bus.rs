//! Everything that the CPUs share, and the hardware that acts by itself: store buffers and interrupt wires. The page
//! walkers stand in `walker.rs`.
//!
//! Nothing here is a point. Checks read the machine through this type; only the hardware and booting code change it.

use crate::alarm::{Alarm, AlarmKind};
use crate::core::{Core, Cr3, Interrupt, Level};
use crate::leaves::Watched;
use crate::memory::{Memory, Role, Target, Var, Word};
use crate::meter::{Meter, Prices};
use crate::paging::{Entry, Flags, Frame, LEVELS};
use crate::point::{Family, Point, PointKind, Temperament};
use crate::store_buffer::BufferedStore;
use crate::trace::{TraceEvent, TraceLine};
use crate::wait::Wait;
use std::cell::{Cell, RefCell};
use std::panic::Location;

/// The most CPUs that a machine has.
pub const MAX_CPUS: u8 = 8;

/// What a machine is like for the length of one story.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// CPUs, 1 to [`MAX_CPUS`].
    pub cpus: u8,
    /// Physical frames.
    pub frames: u32,
    /// Pages of 2 MiB beside the frames.
    pub large_pages: u32,
    /// How many kernel variables there is room for.
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
            large_pages: 0,
            vars: 1024,
            temperament: Temperament::empty(),
            steps: 1_000_000,
            invlpg_spares_globals: false,
        }
    }
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
    /// While one CPU helps another: the waiter, its wait, and the helper.
    pub(crate) watch: Cell<Option<(u8, Wait, u8)>>,
    pub(crate) abandoned: Cell<bool>,
    /// A bit for each family, for each kind of point: which points took the slow path, as each does while a pause by name
    /// stands.
    known_points: Box<[[Cell<u64>; 4]; PointKind::ALL.len()]>,
    /// A trace or a meter listens.
    tracing: Cell<bool>,
    keeps_trace: Cell<bool>,
    trace: RefCell<Vec<TraceLine>>,
    meter: RefCell<Option<Box<Meter>>>,
    recursive: Cell<Option<u16>>,
    /// Whether entries that are stored in lowest-level tables are remembered, and those that were.
    pub(crate) watches: Cell<bool>,
    pub(crate) watched: RefCell<Watched>,
}

impl Bus {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config: Cell::new(config),
            memory: Memory::new(config.frames, config.large_pages, config.vars),
            cores: std::array::from_fn(|_| Core::new()),
            alarms: RefCell::default(),
            steps_left: Cell::new(config.steps),
            watch: Cell::new(None),
            abandoned: Cell::new(false),
            known_points: Box::default(),
            tracing: Cell::new(false),
            keeps_trace: Cell::new(false),
            trace: RefCell::default(),
            meter: RefCell::default(),
            recursive: Cell::new(None),
            watches: Cell::new(false),
            watched: RefCell::default(),
        }
    }

    /// Whether a story of this shape fits without more room.
    pub(crate) fn has_room(&self, config: &Config) -> bool {
        self.memory.frames_capacity() >= config.frames
            && self.memory.large_capacity() >= config.large_pages
            && self.memory.vars_capacity() >= config.vars
    }

    pub(crate) fn reset(&self, config: Config) {
        self.memory.reset(config.frames, config.large_pages, config.vars);
        // The story touched no other CPU.
        self.cores[..usize::from(self.cpus())].iter().for_each(Core::reset);
        self.config.set(config);
        self.alarms.borrow_mut().clear();
        self.steps_left.set(config.steps);
        self.watch.set(None);
        self.abandoned.set(false);
        self.tracing.set(false);
        self.keeps_trace.set(false);
        self.trace.borrow_mut().clear();
        *self.meter.borrow_mut() = None;
        self.recursive.set(None);
        self.stop_watching();
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

    /// Notes a point that took the slow path.
    pub(crate) fn know(&self, point: Point) {
        let word = &self.known_points[point.kind as usize][usize::from(point.family.0 >> 6)];
        word.set(word.get() | 1 << (point.family.0 & 63));
    }

    /// The points that took the slow path since this was asked last. A CPU takes it while it runs to a pause by name or
    /// helps another CPU. A reset forgets none of them.
    pub fn take_known_points(&self) -> impl Iterator<Item = Point> {
        PointKind::ALL.into_iter().flat_map(move |kind| {
            (0..4_u8).flat_map(move |group| {
                let bits = self.known_points[kind as usize][usize::from(group)].take();
                let set = (0..64_u8).filter(move |bit| bits & 1 << bit != 0);
                set.map(move |bit| Point { kind, family: Family(group << 6 | bit) })
            })
        })
    }

    /// Puts a root into a CPU's CR3 while booting. The root must have its role already: a change of role makes it another
    /// use.
    pub fn boot_cr3(&self, cpu: u8, cr3: Cr3) {
        self.set_cr3(cpu, cr3);
    }

    /// From now on, until the next reset, this entry of every loaded root leads to that root itself. A hypervisor that sets
    /// up a part of every root reaches the tables under it this way. The guest neither sees the entry nor may change it, so
    /// memory does not hold it.
    pub fn set_recursive_entry(&self, index: u16) {
        self.recursive.set(Some(index));
    }

    /// Whether walks for this address go through the root twice.
    #[inline]
    pub(crate) fn is_recursive(&self, va: u64) -> bool {
        self.recursive.get().is_some_and(|index| usize::from(index) == crate::paging::index(va, LEVELS))
    }

    /// CR3 remembers which use of the frame it names, so a root that was freed is caught even if the frame is a root again.
    pub(crate) fn set_cr3(&self, cpu: u8, cr3: Cr3) {
        let core = self.core(cpu);
        core.cr3.set(cr3);
        core.root_incarnation.set(self.incarnation(cr3.root));
    }

    /// The incarnation of a frame; 0 where there is no such memory.
    pub(crate) fn incarnation(&self, frame: Frame) -> u32 {
        if self.memory.has(frame) { self.memory.incarnation(frame) } else { 0 }
    }

    /// Sets an entry or a word at once, while booting.
    pub fn boot_word(&self, word: Word, value: u64) {
        self.put(word, value);
    }

    // --- steps ---

    /// From now on, until the next reset, a story that passes so many points counts as a livelock, if it did not before: for
    /// callers who play many stories that are about as long as one whose length they know. To be said before the first
    /// point.
    pub fn limit_steps(&self, most: u32) {
        let config = self.config.get();
        let steps = config.steps.min(most);
        self.config.set(Config { steps, ..config });
        self.steps_left.set(steps);
    }

    /// How many points the story passed, but for the last of each operation that is under way.
    pub fn steps_passed(&self) -> u32 {
        self.config.get().steps - self.steps_left.get()
    }

    // --- alarms and trace ---

    /// The alarms so far, in the order in which they were raised.
    pub fn alarms(&self) -> std::cell::Ref<'_, Vec<Alarm>> {
        self.alarms.borrow()
    }

    /// Whether there was any alarm.
    pub fn alarmed(&self) -> bool {
        !self.alarms.borrow().is_empty()
    }

    /// Raises an alarm. The same kind at the same line is raised once.
    #[cold]
    pub fn alarm(&self, cpu: u8, kind: AlarmKind, at: Option<&'static Location<'static>>) {
        let mut alarms = self.alarms.borrow_mut();
        if !alarms.iter().any(|alarm| alarm.cpu == cpu && alarm.kind == kind) {
            alarms.push(Alarm { cpu, kind, at });
        }
    }

    /// The story has used up its steps: says which CPU waited for what last.
    #[cold]
    pub(crate) fn livelock(&self, cpu: u8, at: Option<&'static Location<'static>>) {
        let last_wait = |cpu: u8| self.core(cpu).last_wait.get().map(|wait| (cpu, wait));
        let waits = (0..self.cpus()).filter_map(last_wait).collect();
        self.alarm(cpu, AlarmKind::Livelock { waits }, at);
    }

    /// Keeps a trace of everything from now on, until the next reset.
    pub fn start_tracing(&self) {
        self.keeps_trace.set(true);
        self.tracing.set(true);
    }

    /// Counts from now on what costs time, at these prices, until the next reset. The meter listens to what the trace would
    /// say, so it costs nothing while it is off.
    pub fn start_metering(&self, prices: Prices) {
        let meter = Meter::new(prices, self.cpus(), self.memory.vars_capacity());
        *self.meter.borrow_mut() = Some(Box::new(meter));
        self.tracing.set(true);
    }

    /// The meter, with what it counted since it was started; `None` if it was not.
    pub fn meter(&self) -> Option<std::cell::RefMut<'_, Meter>> {
        std::cell::RefMut::filter_map(self.meter.borrow_mut(), Option::as_deref_mut).ok()
    }

    /// Whether a trace is kept or a meter runs.
    #[inline]
    pub fn tracing(&self) -> bool {
        self.tracing.get()
    }

    /// The trace since it was started.
    pub fn trace(&self) -> std::cell::Ref<'_, Vec<TraceLine>> {
        self.trace.borrow()
    }

    #[cold]
    pub(crate) fn record(&self, cpu: u8, event: TraceEvent, at: Option<&'static Location<'static>>) {
        if let Some(meter) = self.meter.borrow_mut().as_mut() {
            meter.hear(cpu, &event);
        }
        if self.keeps_trace.get() {
            self.trace.borrow_mut().push(TraceLine { cpu, event, at });
        }
    }

    // --- memory as one CPU sees it ---

    /// What a CPU would load from here: its own newest buffered store, else memory.
    #[inline]
    pub fn seen_by(&self, cpu: u8, target: Target) -> u64 {
        if !self.core(cpu).buffer.is_empty()
            && let Some(value) = self.core(cpu).buffer.newest(target)
        {
            return value;
        }
        self.in_memory(target)
    }

    /// What memory holds here.
    #[inline(always)]
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

    /// A store becomes visible to every CPU.
    #[inline]
    pub(crate) fn commit(&self, target: Target, value: u64) {
        match target {
            Target::Var(var) => self.memory.set_value(var, value),
            Target::Word(word) => self.commit_word(word, value),
        }
    }

    fn commit_word(&self, word: Word, value: u64) {
        if let Role::Table(level) = self.memory.role(word.frame) {
            if self.temperament().contains(Temperament::EAGER_WALKERS) {
                self.walk_eagerly(word, level);
            }
            self.put(word, value);
        } else {
            self.memory.poke(word, value);
        }
    }

    /// Lets the eager walkers run before a locked operation reads this word. Its read and its write are one access, so no
    /// walker may set an accessed bit between them (SDM volume 3A, 8.1.2.2).
    pub(crate) fn before_locked(&self, target: Target) {
        if let Target::Word(word) = target
            && self.temperament().contains(Temperament::EAGER_WALKERS)
            && let Role::Table(level) = self.memory.role(word.frame)
        {
            self.walk_eagerly(word, level);
        }
    }

    /// The second half of a locked operation.
    #[inline]
    pub(crate) fn commit_locked(&self, target: Target, value: u64) {
        match target {
            Target::Var(var) => self.memory.set_value(var, value),
            Target::Word(word) => self.put(word, value),
        }
    }

    fn put(&self, word: Word, value: u64) {
        self.memory.poke(word, value);
        let entry = Entry(value);
        let Role::Table(level) = self.memory.role(word.frame) else { return };
        if level > 1 && entry.present() && !entry.has(Flags::HUGE_PAGE) {
            self.memory.set_linked_from(entry.frame(), word);
        }
        if self.watches.get() {
            self.note_stored();
        }
    }

    /// All words of a frame become 0 at once. Walkers see a table that is torn down as they see single stores.
    pub(crate) fn clear(&self, frame: Frame) {
        if let Role::Table(level) = self.memory.role(frame)
            && self.temperament().contains(Temperament::EAGER_WALKERS)
        {
            let mut from = 0;
            while let Some(index) = self.memory.next_non_zero(frame, from) {
                self.walk_eagerly(Word::new(frame, index), level);
                from = index + 1;
            }
        }
        self.memory.clear(frame);
    }

    /// The oldest stores of a CPU reach memory. Returns how many did.
    pub(crate) fn drain(&self, cpu: u8, most: usize) -> usize {
        let buffer = &self.core(cpu).buffer;
        let mut drained = 0;
        while drained < most
            && let Some(store) = buffer.pop()
        {
            drained += 1;
            self.land(cpu, store);
        }
        drained
    }

    /// A store that has left its buffer reaches memory.
    #[inline]
    fn land(&self, cpu: u8, store: BufferedStore) {
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

    /// A store enters a CPU's buffer; if the buffer is full, the oldest store leaves it.
    #[inline(never)]
    pub(crate) fn buffer(&self, cpu: u8, target: Target, value: u64) {
        let incarnation = match target {
            Target::Var(_) => 0,
            Target::Word(word) => self.memory.incarnation(word.frame),
        };
        if let Some(oldest) = self.core(cpu).buffer.push(BufferedStore { target, value, incarnation }) {
            self.land(cpu, oldest);
        }
    }

    /// How many of a CPU's oldest stores must reach memory until one to this variable does; 0 if the buffer holds none to
    /// it.
    pub(crate) fn buffered_before(&self, cpu: u8, var: Var) -> usize {
        let target = Target::Var(var);
        let mut oldest_first = self.core(cpu).buffer.iter();
        oldest_first.position(|store| store.target == target).map_or(0, |found| found + 1)
    }

    /// Whether a CPU's buffer holds a store that will end a wait once it reaches memory.
    pub(crate) fn buffers_release(&self, cpu: u8, wait: &Wait) -> bool {
        let target = Target::Var(wait.var);
        let mut stores = self.core(cpu).buffer.iter();
        stores.any(|store| store.target == target && wait.until.holds(store.value))
    }

    // --- interrupts ---

    /// Whether a CPU would take an interrupt now.
    pub(crate) fn interruptible(&self, cpu: u8) -> bool {
        let core = self.core(cpu);
        core.pending.borrow().iter().any(|one| core.takes(one.level))
    }

    /// Posts an interrupt. One for a CPU that does not exist is lost.
    pub(crate) fn post(&self, to: u8, interrupt: Interrupt) {
        if to >= self.cpus() {
            return;
        }
        self.core(to).pending.borrow_mut().push(interrupt);
    }

    /// The interrupt that a CPU takes next, if it takes any now: the hypervisor's before the guest's.
    pub(crate) fn next_interrupt(&self, cpu: u8, from: Option<u8>) -> Option<Interrupt> {
        let core = self.core(cpu);
        let mut pending = core.pending.borrow_mut();
        if pending.is_empty() {
            return None;
        }
        let reordered = self.temperament().contains(Temperament::REORDERED_INTERRUPTS);
        for level in [Level::Hypervisor, Level::Guest] {
            if !core.takes(level) {
                continue;
            }
            let wanted = |one: &Interrupt| one.level == level && from.is_none_or(|from| from == one.from);
            let sender =
                if reordered { pending.iter().rfind(|one| wanted(one)).map(|one| one.from) } else { from };
            // Any order between senders is legal; the interrupts of one sender arrive in the order in which
            // it sent them.
            let oldest = |one: &Interrupt| wanted(one) && sender.is_none_or(|from| from == one.from);
            if let Some(found) = pending.iter().position(oldest) {
                return Some(pending.remove(found));
            }
        }
        None
    }
}
