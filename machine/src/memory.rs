//! The state that all CPUs share: kernel variables and physical frames. Plain state without points: code that calls in here
//! has passed a point already, or is the hardware.

use crate::paging::{Entry, Flags, Frame, LARGE_MEMORY, WORDS};
use crate::point::Family;
pub use crate::role::Role;
use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::ops::Range;

/// A kernel variable: 64 bits that all CPUs see, and the family that names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Var {
    pub(crate) index: u32,
    /// The family by which stories name it.
    pub family: Family,
}

/// A run of kernel variables of one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VarArray {
    first: u32,
    len: u32,
    family: Family,
}

impl VarArray {
    /// The variable at an index below [`VarArray::len`].
    #[inline]
    pub fn at(&self, index: usize) -> Var {
        assert!(index < self.len as usize, "index {index} of {} variables", self.len);
        Var { index: self.first + index as u32, family: self.family }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// One word of physical memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Word {
    /// The frame.
    pub frame: Frame,
    /// The word within it, below [`WORDS`].
    pub index: u16,
}

impl Word {
    /// A word of a frame; the index wraps at [`WORDS`].
    #[inline]
    pub const fn new(frame: Frame, index: usize) -> Self {
        Self { frame, index: (index & (WORDS - 1)) as u16 }
    }
}

/// Where a store goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A kernel variable.
    Var(Var),
    /// A word of a frame.
    Word(Word),
}

type Contents = Box<[Cell<u64>; WORDS]>;

#[derive(Debug)]
struct FrameState {
    role: Cell<Role>,
    owner: Cell<u8>,
    references: Cell<u32>,
    incarnation: Cell<u32>,
    /// Which words were written since the last reset or clearing.
    written: [Cell<u64>; WORDS / 64],
    /// Which groups of 64 words hold a written one.
    groups: Cell<u8>,
    touched: Cell<bool>,
    /// The entry, packed as (frame, index), through which a walk to this table may come: the first one linked that still
    /// leads here.
    linked_from: Cell<Option<(Frame, u16)>>,
    contents: OnceCell<Contents>,
}

/// The numbers of the set bits, the lowest first.
#[inline]
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as usize);
        set &= set.wrapping_sub(1);
        lowest
    })
}

/// All variables and frames.
#[derive(Debug)]
pub struct Memory {
    vars: Box<[Cell<u64>]>,
    next_var: Cell<u32>,
    /// How many variables this story may have.
    vars_allowed: Cell<u32>,
    frames: Box<[FrameState]>,
    /// How many of the frames this story has.
    in_use: Cell<u32>,
    /// Pages of 2 MiB. Each has one state, with one word for each of its 512 frames.
    large: Box<[FrameState]>,
    /// How many of them this story has.
    large_in_use: Cell<u32>,
    touched: RefCell<Vec<Frame>>,
    /// How many frames and pages of large memory are in use.
    used: Cell<u32>,
}

impl Memory {
    pub(crate) fn new(frames: u32, large: u32, vars: u32) -> Self {
        let frame = |_: u32| FrameState {
            role: Cell::new(Role::Free),
            owner: Cell::new(0),
            references: Cell::new(0),
            incarnation: Cell::new(0),
            written: Default::default(),
            groups: Cell::new(0),
            touched: Cell::new(false),
            linked_from: Cell::new(None),
            contents: OnceCell::new(),
        };
        Self {
            vars: vec![Cell::new(0); vars as usize].into_boxed_slice(),
            next_var: Cell::new(0),
            vars_allowed: Cell::new(vars),
            frames: (0..frames).map(frame).collect(),
            in_use: Cell::new(frames),
            large: (0..large).map(frame).collect(),
            large_in_use: Cell::new(large),
            touched: RefCell::default(),
            used: Cell::new(0),
        }
    }

    /// Takes every variable back and frees every frame; all are 0. Costs what the last story touched.
    pub(crate) fn reset(&self, frames: u32, large: u32, vars: u32) {
        for var in &self.vars[..self.next_var.replace(0) as usize] {
            var.set(0);
        }
        for frame in self.touched.borrow_mut().drain(..) {
            self.clear(frame);
            let state = self.state(frame);
            state.touched.set(false);
            state.role.set(Role::Free);
            state.owner.set(0);
            state.references.set(0);
            state.incarnation.set(0);
            state.linked_from.set(None);
        }
        self.used.set(0);
        self.in_use.set(frames);
        self.large_in_use.set(large);
        self.vars_allowed.set(vars);
    }

    /// A frame beyond those of the story does not exist, even if an earlier story had it.
    #[inline]
    fn state(&self, frame: Frame) -> &FrameState {
        if frame.0 < self.in_use.get() { &self.frames[frame.index()] } else { self.large_state(frame) }
    }

    #[cold]
    fn large_state(&self, frame: Frame) -> &FrameState {
        assert!(self.is_large(frame), "{frame} of {} frames", self.in_use.get());
        &self.large[Self::large_number(frame) as usize]
    }

    /// Which page of large memory a frame belongs to.
    const fn large_number(frame: Frame) -> u32 {
        (frame.0 - LARGE_MEMORY) / WORDS as u32
    }

    /// The state of a word's frame, and the cell that holds the word. In large memory each frame has one.
    #[inline]
    fn cell(&self, word: Word) -> (&FrameState, usize) {
        if word.frame.0 < self.in_use.get() {
            (&self.frames[word.frame.index()], usize::from(word.index))
        } else {
            (self.large_state(word.frame), word.frame.index() % WORDS)
        }
    }

    /// How many frames there are, large memory apart.
    #[inline]
    pub fn frames(&self) -> u32 {
        self.in_use.get()
    }

    /// Whether the frame is part of large memory.
    #[inline]
    pub fn is_large(&self, frame: Frame) -> bool {
        frame.0 >= LARGE_MEMORY && Self::large_number(frame) < self.large_in_use.get()
    }

    /// Whether this frame exists.
    #[inline]
    pub fn has(&self, frame: Frame) -> bool {
        frame.0 < self.in_use.get() || self.is_large(frame)
    }

    /// The first frame of every page of large memory.
    pub fn large_pages(&self) -> impl Iterator<Item = Frame> + use<> {
        (0..self.large_in_use.get()).map(|number| Frame(LARGE_MEMORY + number * WORDS as u32))
    }

    /// How many pages of large memory there is room for.
    pub(crate) fn large_capacity(&self) -> u32 {
        self.large.len() as u32
    }

    /// How many frames there is room for.
    pub fn frames_capacity(&self) -> u32 {
        self.frames.len() as u32
    }

    /// How many variables are in use.
    pub fn vars_in_use(&self) -> u32 {
        self.next_var.get()
    }

    /// How many variables there is room for.
    pub fn vars_capacity(&self) -> u32 {
        self.vars.len() as u32
    }

    /// A fresh variable, 0.
    pub fn var(&self, family: Family) -> Var {
        Var { index: self.vars(family, 1).first, family }
    }

    /// A run of fresh variables, all 0.
    pub fn vars(&self, family: Family, len: usize) -> VarArray {
        let first = self.next_var.get();
        let end = first as usize + len;
        let allowed = self.vars_allowed.get();
        assert!(end <= allowed as usize, "room for {allowed} variables, {end} asked for");
        self.next_var.set(end as u32);
        VarArray { first, len: len as u32, family }
    }

    /// The value of a variable in memory; stores still buffered do not count.
    #[inline]
    pub fn value(&self, var: Var) -> u64 {
        self.vars[var.index as usize].get()
    }

    /// Sets a variable at once, for booting code.
    #[inline]
    pub fn set_value(&self, var: Var, value: u64) {
        self.vars[var.index as usize].set(value);
    }

    /// The values in memory of the variables of a run that have these indices.
    #[inline]
    pub fn values(&self, vars: VarArray, indices: Range<usize>) -> impl Iterator<Item = u64> {
        self.part(vars, indices).iter().map(Cell::get)
    }

    /// Sets the variables of a run that have these indices to one value at once, for booting code.
    pub fn set_values(&self, vars: VarArray, indices: Range<usize>, value: u64) {
        self.part(vars, indices).iter().for_each(|var| var.set(value));
    }

    fn part(&self, vars: VarArray, indices: Range<usize>) -> &[Cell<u64>] {
        &self.vars[vars.first as usize..][..vars.len as usize][indices]
    }

    /// The value of a word in memory; stores still buffered do not count.
    #[inline]
    pub fn peek(&self, word: Word) -> u64 {
        let (state, index) = self.cell(word);
        match state.contents.get() {
            Some(contents) => contents[index].get(),
            None => 0,
        }
    }

    /// Sets a word at once, for the hardware and for booting code.
    #[inline]
    pub fn poke(&self, word: Word, value: u64) {
        let (state, index) = self.cell(word);
        let contents = state.contents.get_or_init(|| Box::new([const { Cell::new(0) }; WORDS]));
        contents[index].set(value);
        let (group, bit) = (index / 64, index % 64);
        state.groups.set(state.groups.get() | 1 << group);
        state.written[group].set(state.written[group].get() | 1 << bit);
        self.touch(word.frame, state);
    }

    /// Sets the words of a frame at once, from the first on. The frame must not be large memory.
    pub(crate) fn fill(&self, frame: Frame, words: impl Iterator<Item = u64>) {
        let state = self.state(frame);
        let contents = state.contents.get_or_init(|| Box::new([const { Cell::new(0) }; WORDS]));
        let mut filled = 0;
        for (cell, word) in contents.iter().zip(words) {
            cell.set(word);
            filled += 1;
        }
        for (group, written) in state.written[..usize::div_ceil(filled, 64)].iter().enumerate() {
            let in_group = (filled - group * 64).min(64);
            written.set(written.get() | u64::MAX >> (64 - in_group));
            state.groups.set(state.groups.get() | 1 << group);
        }
        self.touch(frame, state);
    }

    /// All words of a frame, from the first on. The frame must not be large memory.
    pub fn words(&self, frame: Frame) -> impl Iterator<Item = u64> {
        let contents = self.state(frame).contents.get();
        (0..WORDS).map(move |index| contents.map_or(0, |contents| contents[index].get()))
    }

    #[inline]
    fn touch(&self, frame: Frame, state: &FrameState) {
        if !state.touched.replace(true) {
            self.touched.borrow_mut().push(frame);
        }
    }

    /// The frames touched since the last reset, in no meaningful order. All others are free, belong to owner 0, and hold
    /// nothing but 0.
    pub fn touched(&self) -> Ref<'_, [Frame]> {
        Ref::map(self.touched.borrow(), Vec::as_slice)
    }

    /// All words of a frame become 0.
    pub fn clear(&self, frame: Frame) {
        let state = self.state(frame);
        let Some(contents) = state.contents.get() else { return };
        for group in bits(state.groups.replace(0).into()) {
            for bit in bits(state.written[group].replace(0)) {
                contents[group * 64 + bit].set(0);
            }
        }
    }

    /// The first word from an index on that is not 0.
    pub fn next_non_zero(&self, frame: Frame, from: usize) -> Option<usize> {
        let state = self.state(frame);
        let contents = state.contents.get()?;
        let mut group = from / 64;
        let mut bits = state.written.get(group)?.get() & (u64::MAX << (from % 64));
        loop {
            while bits != 0 {
                let index = group * 64 + bits.trailing_zeros() as usize;
                if contents[index].get() != 0 {
                    return Some(index);
                }
                bits &= bits - 1;
            }
            group += 1;
            bits = state.written.get(group)?.get();
        }
    }

    /// All words of a frame that are not 0, with their indices. A word that is set meanwhile may be left out.
    #[inline]
    pub fn non_zero(&self, frame: Frame) -> impl Iterator<Item = (usize, u64)> {
        let state = self.state(frame);
        let contents = state.contents.get();
        let mut groups = bits(contents.map_or(0, |_| state.groups.get().into()));
        let (mut group, mut left) = (0, 0_u64);
        core::iter::from_fn(move || {
            let contents = contents?;
            loop {
                while left == 0 {
                    group = groups.next()?;
                    left = state.written[group].get();
                }
                let index = group * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let value = contents[index].get();
                if value != 0 {
                    return Some((index, value));
                }
            }
        })
    }

    /// What a frame is used for.
    #[inline]
    pub fn role(&self, frame: Frame) -> Role {
        self.state(frame).role.get()
    }

    /// Whether a walk may take a frame for a table of this level: it is one, or was one and waits to be freed.
    #[inline]
    pub fn is_table(&self, frame: Frame, level: u8) -> bool {
        let role = self.role(frame);
        role == Role::Table(level) || role == Role::Queued(level)
    }

    /// Gives a frame another use. Every new use is a new incarnation, unless the frame becomes free or a table is queued.
    pub fn set_role(&self, frame: Frame, role: Role) {
        let state = self.state(frame);
        let before = state.role.replace(role);
        if before == role {
            return;
        }
        self.used.set(self.used.get() + u32::from(role != Role::Free) - u32::from(before != Role::Free));
        self.touch(frame, state);
        if role != Role::Free && !matches!((before, role), (Role::Table(_), Role::Queued(_))) {
            state.incarnation.set(state.incarnation.get() + 1);
        }
        if let Role::Table(level) = role
            && level > 1
        {
            self.link_all(frame);
        }
    }

    /// How many frames have a role other than [`Role::Free`]; a page of large memory counts as one.
    pub fn frames_used(&self) -> u32 {
        self.used.get()
    }

    /// How often the frame has been put to a new use.
    #[inline]
    pub fn incarnation(&self, frame: Frame) -> u32 {
        self.state(frame).incarnation.get()
    }

    /// The owner of the frame; 0 is the kernel under test, or the hypervisor's first guest.
    pub fn owner(&self, frame: Frame) -> u8 {
        self.state(frame).owner.get()
    }

    /// Hands a frame to another owner.
    pub fn set_owner(&self, frame: Frame, owner: u8) {
        let state = self.state(frame);
        state.owner.set(owner);
        self.touch(frame, state);
    }

    /// How many references to the frame are held.
    pub fn references(&self, frame: Frame) -> u32 {
        self.state(frame).references.get()
    }

    /// Sets the number of references to the frame.
    pub fn set_references(&self, frame: Frame, references: u32) {
        let state = self.state(frame);
        state.references.set(references);
        self.touch(frame, state);
    }

    /// A frame that was filled before it became a table leads to tables from now on: links each of them.
    #[inline(never)]
    fn link_all(&self, frame: Frame) {
        let mut from = 0;
        while let Some(index) = self.next_non_zero(frame, from) {
            let word = Word::new(frame, index);
            let entry = Entry(self.peek(word));
            if entry.present() && !entry.has(Flags::HUGE_PAGE) {
                self.set_linked_from(entry.frame(), word);
            }
            from = index + 1;
        }
    }

    pub(crate) fn linked_from(&self, frame: Frame) -> Option<(Frame, u16)> {
        self.state(frame).linked_from.get()
    }

    /// An entry leads to a table from now on. Where several do, memory remembers the first for as long as it does. Tables
    /// that several roots share lie at the same addresses under all of them, and one root may go before another.
    pub(crate) fn set_linked_from(&self, frame: Frame, from: Word) {
        if frame.0 < self.frames() {
            let state = self.state(frame);
            let still_leads = |(parent, index): (Frame, u16)| {
                let entry = Entry(self.peek(Word::new(parent, index.into())));
                entry.present() && entry.frame() == frame && matches!(self.role(parent), Role::Table(_))
            };
            if state.linked_from.get().is_some_and(still_leads) {
                return;
            }
            state.linked_from.set(Some((from.frame, from.index)));
            self.touch(frame, state);
        }
    }
}
