//! Rule 12, permissions: no page is writable and executable through any two usable translations where the kernel
//! promised not.
//!
//! The promises, by what returned last for an area that owns its pages:
//! - `vmalloc` and `set-memory-rw`: none of its pages can be executed;
//! - `set-memory-rox`: none can be written;
//! - `set-memory-ro`: neither;
//! - while a `vfree` is under way, and when it returns: no page can be written and executed too.
//!
//! A translation is one in a TLB that its CPU may use, or one that the tables under a CPU's root would make: a walker
//! may make it at any time. Whose addresses it is for does not matter, nor that its alias was unmapped: a page whose
//! permissions are restricted may have no lazy alias.
//!
//! Legal, and not seen here:
//! - Anything at all while the permissions of an area are being changed: the promise is made by the return.
//! - Translations that allow less than the tables do: x86 walks again before it faults, so that the worst is one
//!   spurious fault. A direct map that is back at its default may stay cached read-only for any length of time.
//! - What is cached under a tag that is not current.
//! - A page that was given back and has another owner: it is judged by that one's promise.

use machine::{Bus, Flags, Frame};
use oracle::Rule;
use oracle::vocabulary::{Access, AreaSlot, Operation, Outcome};

use super::Breach;
use super::watch::{Check, Flight, View};
use super::ways::{self, Way, whole};

/// What the translations of a page must not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Forbidden {
    /// The permissions are being changed.
    Nothing,
    /// Any of these.
    Any { write: bool, execute: bool },
    /// To write by one and to execute by another.
    Both,
}

/// What the kernel promised of the pages of one area.
#[derive(Clone, Debug)]
struct Promise {
    area: AreaSlot,
    frames: Vec<Frame>,
    forbidden: Forbidden,
}

/// What the kernel promised of all pages of such areas, on one backend.
#[derive(Debug, Default)]
pub struct Promises(Vec<Promise>);

/// Where a page can be written, and where it can be executed.
#[derive(Clone, Copy, Default)]
struct Allowed {
    write: Option<Way>,
    execute: Option<Way>,
}

impl Check for Promises {
    fn clear(&mut self) {
        self.0.clear();
    }

    fn begins(&mut self, _: &View<'_>, flight: &Flight) {
        let operation = &flight.call.operation;
        if let Some((area, _)) = operation.allows() {
            self.set(area, Forbidden::Nothing);
        } else if let Operation::Vfree { area } = *operation {
            self.set(area, Forbidden::Both);
        }
    }

    fn ends(&mut self, view: &View<'_>, flight: &Flight, outcome: Outcome) -> Option<Breach> {
        let operation = &flight.call.operation;
        match *operation {
            Operation::Vmalloc { area, .. } | Operation::VmallocHuge { area, .. }
                if outcome.range().is_some() =>
            {
                self.made(area, flight.frames());
            }
            _ => {}
        }
        if let Some((area, access)) = operation.allows() {
            self.changed(area, access);
        }
        let breach = self.check(view.bus);
        // It was judged for the last time.
        if let Operation::Vfree { area } = *operation {
            self.gone(area);
        }
        breach
    }
}

impl Promises {
    /// An area returned that owns these pages, readable and writable. They have no other owner any more. An area has all of a large
    /// page, however few of its pages were asked for.
    fn made(&mut self, area: AreaSlot, frames: &[Frame]) {
        for promise in &mut self.0 {
            promise.frames.retain(|old| !frames.iter().any(|new| whole(*new) == whole(*old)));
        }
        let forbidden = Forbidden::Any { write: false, execute: true };
        self.0.push(Promise { area, frames: frames.to_vec(), forbidden });
    }

    fn set(&mut self, area: AreaSlot, forbidden: Forbidden) {
        self.0
            .iter_mut()
            .filter(|promise| promise.area == area)
            .for_each(|promise| promise.forbidden = forbidden);
    }

    /// A change of the area's permissions returned.
    fn changed(&mut self, area: AreaSlot, access: Access) {
        self.set(area, Forbidden::Any { write: !access.writes(), execute: !access.executes() });
    }

    /// The area was freed, and judged for the last time.
    fn gone(&mut self, area: AreaSlot) {
        self.0.retain(|promise| promise.area != area);
    }

    /// Whether every promise is kept at this moment.
    fn check(&self, bus: &Bus) -> Option<Breach> {
        if !self.is_doubtful(bus) {
            return None;
        }
        self.0.iter().find_map(|promise| {
            promise.frames.iter().find_map(|frame| judge(promise.forbidden, *frame, allowed(bus, *frame)))
        })
    }

    /// Whether any promise may be broken, by one look at all translations, where to judge takes one for each page. Never says
    /// that none is broken when one is: a page that can be written and executed can be executed.
    fn is_doubtful(&self, bus: &Bus) -> bool {
        let forbids = |forbidden| match forbidden {
            Forbidden::Nothing => (false, false),
            Forbidden::Any { write, execute } => (write, execute),
            Forbidden::Both => (false, true),
        };
        let (write, execute) = self.0.iter().fold((false, false), |(write, execute), promise| {
            let of_this = forbids(promise.forbidden);
            (write || of_this.0, execute || of_this.1)
        });
        if !write && !execute {
            return false;
        }
        ways::any(bus, |reach| {
            let writes = write && reach.flags.contains(Flags::WRITABLE);
            let executes = execute && !reach.flags.contains(Flags::NO_EXECUTE);
            (writes || executes)
                && self.0.iter().any(|promise| {
                    let (write, execute) = forbids(promise.forbidden);
                    (writes && write || executes && execute)
                        && promise.frames.iter().any(|frame| reach.has(*frame))
                })
        })
    }
}

fn judge(forbidden: Forbidden, frame: Frame, allowed: Allowed) -> Option<Breach> {
    let (ways, what): ([Option<Way>; 2], _) = match forbidden {
        Forbidden::Nothing => return None,
        Forbidden::Both => {
            let both = allowed.write.and(allowed.execute).is_some();
            (
                [allowed.write, allowed.execute].map(|way| way.filter(|_| both)),
                "a page can be written and executed",
            )
        }
        Forbidden::Any { write, .. } if write && allowed.write.is_some() => {
            ([allowed.write, None], "a page that was made read-only can be written")
        }
        Forbidden::Any { execute, .. } => (
            [allowed.execute.filter(|_| execute), None],
            "a page can be executed that nobody made executable",
        ),
    };
    let mut ways = ways.into_iter().flatten().peekable();
    let cpu = ways.peek()?.cpu;
    let ways: Vec<_> = ways.collect();
    let detail = format!("{frame}: {}", ways.iter().map(Way::describe).collect::<Vec<_>>().join(", "));
    let breach = Breach::new(Rule::Permissions, what, detail).on(cpu);
    Some(breach.about(ways.iter().map(|way| way.va), [frame]))
}

/// What any translation of a frame allows. A way by a TLB is named before one by the tables.
fn allowed(bus: &Bus, frame: Frame) -> Allowed {
    let mut allowed = Allowed::default();
    ways::each(bus, frame, |way| {
        if way.flags.contains(Flags::WRITABLE) {
            allowed.write.get_or_insert(way);
        }
        if !way.flags.contains(Flags::NO_EXECUTE) {
            allowed.execute.get_or_insert(way);
        }
    });
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{
        LARGE, VA, machine, map_large, map_with, page, switch_pcid, touch, unmap,
    };

    const OTHER: u64 = VA + 4096;
    const W: Flags = Flags::PRESENT.union(Flags::WRITABLE).union(Flags::NO_EXECUTE);
    const R: Flags = Flags::PRESENT.union(Flags::NO_EXECUTE);
    const X: Flags = Flags::PRESENT;

    fn area() -> AreaSlot {
        AreaSlot::new(0)
    }

    fn promised(frame: Frame, access: Access) -> Promises {
        let mut promises = Promises::default();
        promises.made(area(), &[frame]);
        promises.set(area(), Forbidden::Nothing);
        promises.changed(area(), access);
        promises
    }

    fn what(promises: &Promises, bus: &Bus) -> Option<String> {
        promises.check(bus).map(|breach| {
            assert_eq!(breach.rule, Rule::Permissions);
            breach.what.into_owned()
        })
    }

    /// The area of before had two pages of it, and the one of now has one.
    #[test]
    fn a_large_page_that_was_given_back_is_judged_by_its_new_owner_as_a_whole() {
        let machine = machine(2);
        let second = Frame(LARGE.0 + 1);
        map_large(&machine, VA, W);
        map_large(&machine, VA + (1 << 21), X);
        let mut promises = Promises::default();
        promises.made(area(), &[LARGE, second]);
        promises.set(area(), Forbidden::Both);
        assert_eq!(what(&promises, machine.bus()).as_deref(), Some("a page can be written and executed"));
        promises.made(AreaSlot::new(1), &[LARGE]);
        promises.set(AreaSlot::new(1), Forbidden::Nothing);
        assert_eq!(what(&promises, machine.bus()), None, "the new owner is changing it");
    }

    #[test]
    fn an_alias_that_can_write_a_read_only_page_is_a_breach_in_tables_and_in_tlbs() {
        let mut machine = machine(2);
        let frame = page(&machine, 8);
        map_with(&machine, VA, frame, R);
        map_with(&machine, OTHER, frame, W);
        for access in [Access::ReadOnly, Access::ReadExecute] {
            let promises = promised(frame, access);
            let breach = promises.check(machine.bus()).expect("the tables let it be written");
            assert_eq!((breach.about.pages, breach.about.frames), (vec![OTHER], vec![frame]));
            assert_eq!(&*breach.what, "a page that was made read-only can be written");
        }
        assert_eq!(promised(frame, Access::ReadWrite).check(machine.bus()), None);
        touch(&mut machine, 1, OTHER);
        map_with(&machine, OTHER, frame, R);
        let promises = promised(frame, Access::ReadOnly);
        assert_eq!(promises.check(machine.bus()).expect("c1 still can").cpu, Some(1));
        switch_pcid(&machine, 1, 1);
        assert_eq!(promises.check(machine.bus()), None, "under another tag it is of no use");
    }

    #[test]
    fn a_large_alias_counts_for_each_of_its_pages_in_tables_and_in_tlbs() {
        let mut machine = machine(2);
        let third = Frame(LARGE.0 + 3);
        map_large(&machine, VA, W);
        let promises = promised(third, Access::ReadOnly);
        let breach = promises.check(machine.bus()).expect("the tables let it be written");
        assert_eq!((breach.about.pages, breach.about.frames), (vec![VA + 3 * 4096], vec![third]));
        touch(&mut machine, 1, VA + 5 * 4096);
        map_large(&machine, VA, R);
        let breach = promises.check(machine.bus()).expect("c1 still can");
        assert_eq!((breach.cpu, breach.about.pages), (Some(1), vec![VA + 3 * 4096]));
        switch_pcid(&machine, 1, 1);
        assert_eq!(promises.check(machine.bus()), None);
        assert_eq!(promised(Frame(LARGE.0 + 512), Access::ReadOnly).check(machine.bus()), None);
    }

    #[test]
    fn an_alias_that_can_execute_is_a_breach_unless_it_was_made_so() {
        let machine = machine(1);
        let frame = page(&machine, 8);
        map_with(&machine, VA, frame, X);
        assert_eq!(what(&promised(frame, Access::ReadExecute), machine.bus()), None);
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let found = what(&promised(frame, access), machine.bus());
            assert_eq!(found.as_deref(), Some("a page can be executed that nobody made executable"));
        }
        let mut fresh = Promises::default();
        fresh.made(area(), &[frame]);
        assert!(what(&fresh, machine.bus()).is_some(), "no area begins executable");
    }

    #[test]
    fn a_page_that_is_freed_may_be_writable_or_executable_and_not_both() {
        let mut machine = machine(2);
        let frame = page(&machine, 8);
        map_with(&machine, VA, frame, X);
        touch(&mut machine, 1, VA);
        unmap(&machine, VA);
        let mut promises = promised(frame, Access::ReadExecute);
        promises.set(area(), Forbidden::Both);
        assert_eq!(what(&promises, machine.bus()), None);
        map_with(&machine, OTHER, frame, W);
        assert_eq!(what(&promises, machine.bus()).as_deref(), Some("a page can be written and executed"));
        promises.gone(area());
        assert_eq!(what(&promises, machine.bus()), None);
    }

    #[test]
    fn nothing_is_promised_while_permissions_change_nor_of_a_page_with_another_owner() {
        let machine = machine(1);
        let frame = page(&machine, 8);
        map_with(&machine, VA, frame, X);
        map_with(&machine, OTHER, frame, W);
        let mut promises = promised(frame, Access::ReadOnly);
        assert!(what(&promises, machine.bus()).is_some());
        promises.set(area(), Forbidden::Nothing);
        assert_eq!(what(&promises, machine.bus()), None);
        promises.set(area(), Forbidden::Both);
        assert!(what(&promises, machine.bus()).is_some());
        promises.made(AreaSlot::new(1), &[frame]);
        let owned: Vec<_> = promises.0.iter().map(|promise| (promise.area, promise.frames.clone())).collect();
        let expected = [(area(), vec![]), (AreaSlot::new(1), vec![frame])];
        assert_eq!(owned, expected, "a page has one owner at a time");
        promises.set(AreaSlot::new(1), Forbidden::Nothing);
        assert_eq!(what(&promises, machine.bus()), None);
    }

    /// One look at everything is to spare a look for each page.
    #[test]
    fn only_a_way_that_allows_what_was_promised_not_to_be_is_looked_at_closely() {
        let machine = machine(1);
        let bus = machine.bus();
        let (frame, other) = (page(&machine, 8), page(&machine, 9));
        map_with(&machine, OTHER, other, X.union(Flags::WRITABLE));
        for (flags, doubtful) in [(W, Access::ReadOnly), (X, Access::ReadWrite)].map(|(flags, access)| {
            map_with(&machine, VA, frame, flags);
            (flags, promised(frame, access).is_doubtful(bus))
        }) {
            assert!(doubtful, "{flags:?}");
        }
        for (flags, access) in [
            (W, Access::ReadWrite),
            (R, Access::ReadOnly),
            (R, Access::ReadWrite),
            (X, Access::ReadExecute),
            (R, Access::ReadExecute),
        ] {
            map_with(&machine, VA, frame, flags);
            assert!(!promised(frame, access).is_doubtful(bus), "{flags:?} {access:?}");
        }
        // What one area must not allow, another may.
        let mut two = promised(frame, Access::ReadExecute);
        two.made(AreaSlot::new(1), &[page(&machine, 10)]);
        map_with(&machine, VA, frame, X);
        assert!(!two.is_doubtful(bus), "the first may be executed");
        two.changed(area(), Access::ReadWrite);
        two.changed(AreaSlot::new(1), Access::ReadExecute);
        map_with(&machine, VA, frame, W);
        assert!(!two.is_doubtful(bus), "now it may be written");
        map_with(&machine, VA, frame, X.union(Flags::WRITABLE));
        assert!(!Promises::default().is_doubtful(bus), "nothing is promised");
        let mut changing = promised(frame, Access::ReadOnly);
        changing.set(area(), Forbidden::Nothing);
        assert!(!changing.is_doubtful(bus));
        let mut going = promised(frame, Access::ReadOnly);
        going.set(area(), Forbidden::Both);
        assert!(going.is_doubtful(bus));
        map_with(&machine, VA, frame, W);
        assert!(!going.is_doubtful(bus), "what cannot be executed cannot be both");
    }

    #[test]
    fn what_allows_less_and_what_leads_to_other_pages_is_legal() {
        let mut machine = machine(1);
        let (frame, other) = (page(&machine, 8), page(&machine, 9));
        map_with(&machine, VA, frame, R);
        map_with(&machine, OTHER, other, Flags::PRESENT | Flags::WRITABLE);
        touch(&mut machine, 0, VA);
        touch(&mut machine, 0, OTHER);
        for access in Access::ALL {
            assert_eq!(what(&promised(frame, access), machine.bus()), None);
        }
    }
}
