//! The things that callers hold: as the story tells it, and as this backend really gave them. This file knows what the
//! modes of operations do to them. It must never know an operation.
//!
//! A story goes on as if every operation had succeeded. Where a backend had no memory, the handle lives on in the story and
//! stands for nothing here; an operation that needs it is void. The harness uses a handle out of turn only by a defect of
//! its own, never by the kernel's fault; then this file panics.

use crate::vocabulary::{Mode, Named, Operation, PageList, Role, SLOTS, Sort, Use};

/// Where in its life a thing is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Life {
    #[default]
    Absent,
    Coming,
    Present,
    /// Between two roles, or being lent.
    Turning,
    Going,
}

/// A thing that a caller holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thing {
    life: Life,
    role: Role,
    /// This backend gave the thing that the handle names.
    obtained: bool,
    /// This backend holds it in the role that it has in the story.
    in_role: bool,
    users: u8,
    /// How many things it is a part of; each counts as a user too.
    wholes: u8,
    changing: bool,
    /// Its pages, and the mode by which its maker took them.
    pages: PageList,
    taken: Mode,
    own_pages: u8,
}

impl Thing {
    const ABSENT: Self = Self {
        life: Life::Absent,
        role: Role::Plain,
        obtained: false,
        in_role: true,
        users: 0,
        wholes: 0,
        changing: false,
        pages: PageList::EMPTY,
        taken: Mode::Maps,
        own_pages: 0,
    };

    /// The pages that it is made of.
    pub(crate) const fn pages(&self) -> &PageList {
        &self.pages
    }

    /// How many pages of its own it has.
    pub(crate) const fn own_pages(&self) -> u8 {
        self.own_pages
    }

    /// Whether this backend gave the thing, in the role that it has in the story.
    pub(crate) const fn is_obtained(&self) -> bool {
        self.obtained && self.in_role
    }

    /// Whether it stands for something on this backend, and no operation has begun to end it or to turn it.
    pub(crate) fn is_live(&self) -> bool {
        self.obtained && self.life == Life::Present
    }

    /// Whether it is a page table on this backend.
    pub(crate) fn is_table(&self) -> bool {
        self.is_live() && self.in_role && matches!(self.role, Role::Table | Role::Member)
    }
}

/// All things, by their sorts and slots.
#[derive(Debug)]
pub(crate) struct Things([[Thing; SLOTS as usize]; Sort::ALL.len()]);

impl Things {
    /// The first page slots hold pages that this backend gave; nothing else is held.
    pub(crate) fn with_pages(count: u8) -> Self {
        let mut things = Self([[Thing::ABSENT; SLOTS as usize]; Sort::ALL.len()]);
        for page in &mut things.0[Sort::Page as usize][..usize::from(count)] {
            *page = Thing { life: Life::Present, obtained: true, ..Thing::ABSENT };
        }
        things
    }

    pub(crate) const fn get(&self, sort: Sort, slot: u8) -> &Thing {
        &self.0[sort as usize][slot as usize]
    }

    /// All of a sort, by their slots.
    pub(crate) fn all(&self, sort: Sort) -> impl Iterator<Item = (u8, &Thing)> {
        (0..SLOTS).zip(&self.0[sort as usize])
    }

    /// Whether a caller holds a thing of this sort, or may.
    pub(crate) fn are_held(&self, sort: Sort) -> bool {
        self.all(sort).any(|(_, thing)| thing.life != Life::Absent)
    }

    /// Whether this backend never gave something that the operation needs.
    pub(crate) fn lack(&self, operation: &Operation) -> bool {
        let mut lack = false;
        each(operation, |sort, slot, mode| {
            lack |= !matches!(mode, Mode::New(_)) && !self.get(sort, slot).is_obtained();
        });
        lack
    }

    /// An operation begins.
    ///
    /// # Panics
    /// If it breaks the caller's side of the contract.
    pub(crate) fn begin(&mut self, operation: &Operation) {
        let mut made = None;
        each(operation, |sort, slot, mode| {
            self.begin_one(sort, slot, mode);
            if matches!(mode, Mode::New(_)) {
                made = Some((sort, slot));
            }
        });
        let Some((sort, slot)) = made else { return };
        let made = &mut self.0[sort as usize][usize::from(slot)];
        operation.each_use(|Use { named, mode }| match named {
            Named::Pages(pages) => (made.pages, made.taken) = (pages, mode),
            Named::Length(count) => made.own_pages = count,
            Named::Thing(..) | Named::Nothing => {}
        });
    }

    fn begin_one(&mut self, sort: Sort, slot: u8, mode: Mode) {
        let thing = &mut self.0[sort as usize][usize::from(slot)];
        let (life, role, users) = (thing.life, thing.role, thing.users);
        let says = |must: bool, what: &str| {
            assert!(
                must,
                "the story {what} {}{slot}, {life:?} as {role:?} with {users} users",
                sort.letter()
            );
        };
        let present = |wanted: Role| says(life == Life::Present && role == wanted, "uses");
        let unused = |wanted: Role| {
            present(wanted);
            says(users == 0, "takes away");
        };
        match mode {
            Mode::New(role) => {
                says(life == Life::Absent, "asks again for");
                *thing = Thing { life: Life::Coming, role, ..Thing::ABSENT };
            }
            Mode::Uses(wanted) => {
                present(wanted.unwrap_or(role));
                thing.users += 1;
            }
            Mode::Maps => {
                present(Role::Plain);
                (thing.users, thing.wholes) = (users + 1, thing.wholes + 1);
            }
            Mode::Changes(wanted) => {
                present(wanted);
                says(!thing.changing, "changes twice at once");
                (thing.changing, thing.users) = (true, users + 1);
            }
            Mode::Ends(wanted) => {
                unused(wanted);
                thing.life = Life::Going;
                let (pages, taken) = (thing.pages, thing.taken);
                pages.as_slice().iter().for_each(|page| self.begin_release(page.number(), taken));
            }
            Mode::Becomes(wanted, _) => {
                unused(wanted);
                thing.life = Life::Turning;
            }
            Mode::Lends => {
                unused(Role::Plain);
                (thing.life, thing.users, thing.wholes) = (Life::Turning, 1, 1);
            }
            Mode::GivesUp if role == Role::Astray => {}
            Mode::GivesUp => {
                unused(Role::Plain);
                thing.role = Role::Astray;
            }
            Mode::Sizes => says(false, "counts pages by"),
        }
    }

    /// The thing that the page is part of begins to end.
    fn begin_release(&mut self, page: u8, taken: Mode) {
        let page = &mut self.0[Sort::Page as usize][usize::from(page)];
        if taken != Mode::Maps {
            assert!(page.wholes <= 1, "the story frees what is mapped elsewhere: {page:?}");
            page.life = Life::Turning;
        }
    }

    /// An operation ended. It gave what its caller asked for, or did not.
    pub(crate) fn end(&mut self, operation: &Operation, gave: bool) {
        each(operation, |sort, slot, mode| {
            let thing = &mut self.0[sort as usize][usize::from(slot)];
            match mode {
                Mode::New(_) => (thing.life, thing.obtained) = (Life::Present, gave),
                Mode::Uses(_) => thing.users -= 1,
                Mode::Changes(_) => (thing.changing, thing.users) = (false, thing.users - 1),
                Mode::Ends(_) => {
                    let Thing { pages, taken, .. } = core::mem::replace(thing, Thing::ABSENT);
                    pages.as_slice().iter().for_each(|page| self.end_release(page.number(), taken));
                }
                // It has the other role from now on, in the story if not here. A plain page is plain on every
                // backend.
                Mode::Becomes(_, to) => {
                    (thing.life, thing.role, thing.in_role) = (Life::Present, to, gave || to == Role::Plain);
                }
                Mode::Lends => thing.life = Life::Present,
                // The thing made of the pages uses them for as long as it exists; a page given up stays so
                // for ever.
                Mode::Maps | Mode::GivesUp | Mode::Sizes => {}
            }
        });
    }

    /// The thing that the page was part of has ended.
    fn end_release(&mut self, page: u8, taken: Mode) {
        let page = &mut self.0[Sort::Page as usize][usize::from(page)];
        page.life = Life::Present;
        if let Mode::Becomes(from, _) = taken {
            (page.role, page.in_role) = (from, true);
        } else {
            (page.users, page.wholes) = (page.users - 1, page.wholes - 1);
        }
    }
}

/// Tells of each thing that an operation names, and of each page of a list.
fn each(operation: &Operation, mut see: impl FnMut(Sort, u8, Mode)) {
    operation.each_use(|Use { named, mode }| match named {
        Named::Thing(sort, slot) => see(sort, slot, mode),
        Named::Pages(pages) => {
            assert!(!pages.is_empty(), "the story names no pages: {operation}");
            pages.as_slice().iter().for_each(|page| see(Sort::Page, page.number(), mode));
        }
        Named::Length(count) => assert!(count > 0, "the story asks for no pages: {operation}"),
        Named::Nothing => {}
    });
}
