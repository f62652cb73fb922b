//! User memory, one operation at a time, on every platform: what is mapped is what is found, what is taken away is gone on every
//! CPU, and nothing is left of an address space that was dropped.

use impls::protocol::{FlushReach, MoveTables, TableFree, WalkGuard, WalkerWait};
use impls::{Designs, HyperV, Kvm, Native, PvMmu, Sizes, Xen};
use machine::{Frame, Mode, Role};
use oracle::vocabulary::{
    Backing, Count, Destination, MmSlot, ObjectPage, ObjectSlot, Operation, Outcome, PinSlot, PinnedPage,
    Token, UserAccess, UserPage, UserRange,
};

use crate::bench::Bench;

const M: MmSlot = MmSlot::new(0);
const G: PinSlot = PinSlot::new(0);
const O: ObjectSlot = ObjectSlot::new(0);

fn range(page: u8, count: u8) -> UserRange {
    UserRange { mm: M, page, count }
}

fn value(token: u32) -> Outcome {
    Outcome::Value(Token(token))
}

impl<P: PvMmu> Bench<P> {
    fn does(&mut self, cpu: u8, call: Operation) {
        assert_eq!(self.call(cpu, call), Outcome::Done, "{call}");
        assert!(!self.bus().alarmed(), "{call}: {:?}", self.bus().alarms());
    }

    fn map(&mut self, cpu: u8, at: UserRange, what: Backing, access: UserAccess) {
        self.does(cpu, Operation::Mmap { at, what, access });
    }

    fn map_anonymous(&mut self, cpu: u8, page: u8, count: u8) {
        self.map(cpu, range(page, count), Backing::Anonymous, UserAccess::Writable);
    }

    fn load(&mut self, cpu: u8, page: u8) -> Outcome {
        self.call(cpu, Operation::Load { at: UserPage { mm: M, page } })
    }

    fn store(&mut self, cpu: u8, page: u8, token: u32) -> Outcome {
        self.call(cpu, Operation::Store { at: UserPage { mm: M, page }, token: Token(token) })
    }

    fn pin(&mut self, cpu: u8, at: UserRange, access: UserAccess) -> u8 {
        match self.call(cpu, Operation::GupFast { at, access, pins: G }) {
            Outcome::Pinned(pinned) => pinned.count,
            other => panic!("{other:?}"),
        }
    }

    fn tables_now(&self) -> usize {
        let frames = (0..self.bus().memory.frames()).map(Frame);
        frames.filter(|frame| matches!(self.bus().memory.role(*frame), Role::Table(_))).count()
    }
}

/// Runs a test on every platform, at tiny and at real size, with these designs.
macro_rules! everywhere_with {
    ($designs:expr, $body:ident) => {
        for sizes in [Sizes::Tiny, Sizes::Real] {
            $body(Bench::<Native>::with(sizes, 2, $designs));
            $body(Bench::<Xen>::with(sizes, 2, $designs));
            $body(Bench::<Kvm>::with(sizes, 2, $designs));
            $body(Bench::<HyperV>::with(sizes, 2, $designs));
        }
    };
}

/// The same with the default designs.
macro_rules! everywhere {
    ($body:ident) => {
        everywhere_with!(Designs::default(), $body)
    };
}

#[test]
fn what_one_thread_stores_another_loads_and_what_is_unmapped_faults() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        assert_eq!(bench.load(0, 1), Outcome::Fault, "nothing is mapped");
        bench.map_anonymous(0, 1, 2);
        assert_eq!(bench.load(1, 1), value(0));
        assert_eq!(bench.store(0, 1, 7), Outcome::Done);
        assert_eq!(bench.store(1, 2, 8), Outcome::Done);
        assert_eq!((bench.load(1, 1), bench.load(0, 2)), (value(7), value(8)));
        assert_eq!(bench.bus().core(1).mode(), Mode::User);
        bench.does(0, Operation::Munmap { at: range(1, 1) });
        for cpu in [0, 1] {
            assert_eq!((bench.load(cpu, 1), bench.load(cpu, 2)), (Outcome::Fault, value(8)));
        }
        bench.does(0, Operation::DropMm { mm: M });
        bench.tear_down();
    }
    everywhere!(body);
}

#[test]
fn permissions_follow_mprotect_on_every_cpu() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        bench.map_anonymous(0, 4, 2);
        for cpu in [0, 1] {
            assert_eq!(bench.store(cpu, 4, 1), Outcome::Done);
        }
        bench.does(1, Operation::Mprotect { at: range(4, 1), access: UserAccess::Readable });
        for cpu in [0, 1] {
            assert_eq!((bench.store(cpu, 4, 2), bench.load(cpu, 4)), (Outcome::Fault, value(1)));
            assert_eq!(bench.store(cpu, 5, 3), Outcome::Done);
        }
        bench.does(0, Operation::Mprotect { at: range(4, 2), access: UserAccess::Writable });
        for cpu in [0, 1] {
            assert_eq!(bench.store(cpu, 4, 4), Outcome::Done);
        }
        bench.tear_down();
    }
    everywhere!(body);
}

#[test]
fn memory_that_is_not_needed_begins_as_zeroes_again() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        bench.map_anonymous(0, 9, 2);
        assert_eq!((bench.store(0, 9, 5), bench.store(1, 10, 6)), (Outcome::Done, Outcome::Done));
        bench.does(1, Operation::Dontneed { at: range(9, 1) });
        assert_eq!((bench.load(0, 9), bench.load(0, 10)), (value(0), value(6)));
        bench.tear_down();
    }
    everywhere!(body);
}

#[test]
fn an_object_is_seen_by_all_and_a_private_copy_by_one() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        bench.does(0, Operation::NewObject { count: Count(2), object: O });
        let from = |page| ObjectPage { object: O, page };
        bench.map(0, range(0, 3), Backing::Shared(from(0)), UserAccess::Writable);
        bench.map(0, range(12, 2), Backing::Private(from(0)), UserAccess::Writable);
        assert_eq!(bench.store(0, 0, 1), Outcome::Done);
        assert_eq!(bench.load(1, 12), value(1));
        assert_eq!(bench.store(1, 12, 2), Outcome::Done);
        assert_eq!((bench.load(0, 12), bench.load(0, 0)), (value(2), value(1)), "a copy");
        assert_eq!(bench.load(0, 2), Outcome::Fault, "the object has two pages");
        bench.does(0, Operation::DropObject { object: O });
        assert_eq!((bench.store(0, 0, 3), bench.load(1, 0)), (Outcome::Done, value(3)), "mapped still");
        bench.does(0, Operation::Dontneed { at: range(12, 1) });
        assert_eq!(bench.load(1, 12), value(3));
        bench.does(1, Operation::DropMm { mm: M });
        bench.tear_down();
    }
    everywhere!(body);
}

#[test]
fn a_pinned_page_outlives_its_mapping() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        bench.map_anonymous(0, 1, 2);
        assert_eq!(bench.store(0, 1, 1), Outcome::Done);
        assert_eq!(bench.pin(1, range(1, 3), UserAccess::Writable), 2, "page 3 is not mapped");
        let at = |page| PinnedPage { pins: G, page };
        bench.does(1, Operation::PinWrite { at: at(1), token: Token(4) });
        assert_eq!(bench.load(0, 2), value(4));
        bench.does(0, Operation::Munmap { at: range(0, 4) });
        assert_eq!(bench.call(0, Operation::PinRead { at: at(0) }), value(1));
        assert_eq!(bench.call(0, Operation::PinRead { at: at(2) }), Outcome::Fault);
        bench.does(0, Operation::Unpin { pins: G });
        bench.tear_down();
    }
    for guard in [WalkGuard::IrqsOff, WalkGuard::SlowOnly] {
        everywhere_with!(Designs { walk_guard: guard, ..Designs::default() }, body);
    }
}

#[test]
fn tables_of_every_level_come_with_two_pages_and_go_with_them() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        let before = bench.tables_now();
        for (first, level) in [(1, 1), (5, 2), (9, 3)] {
            bench.map_anonymous(0, first, 2);
            let [one, two] = [first, first + 1].map(|page| {
                assert_eq!(bench.store(1, page, 9), Outcome::Done);
                bench.tables_now()
            });
            assert_eq!(two - one, level, "tables that page {} alone needs", first + 1);
        }
        bench.does(0, Operation::Munmap { at: range(0, 8) });
        bench.does(0, Operation::Munmap { at: range(8, 8) });
        assert_eq!(bench.tables_now(), before);
        bench.tear_down();
    }
    let frees = [
        TableFree::RcuBatch,
        TableFree::WithPages,
        TableFree::Hook,
        TableFree::OneDeferred,
        TableFree::SyncThenFree,
    ];
    for table_free in frees {
        everywhere_with!(Designs { table_free, ..Designs::default() }, body);
    }
    let by_interrupt = Designs {
        table_free: TableFree::SyncThenFree,
        walker_wait: WalkerWait::SyncIpi,
        flush_reach: FlushReach::Ipi,
        ..Designs::default()
    };
    everywhere_with!(by_interrupt, body);
    everywhere_with!(Designs { flush_reach: FlushReach::Broadcast, ..Designs::default() }, body);
}

#[test]
fn an_empty_table_goes_while_its_addresses_stay_mapped() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        bench.map_anonymous(0, 0, 4);
        assert_eq!((bench.store(0, 1, 1), bench.store(1, 2, 2)), (Outcome::Done, Outcome::Done));
        let tables = bench.tables_now();
        bench.does(1, Operation::FreeTables { at: range(0, 4) });
        assert_eq!(bench.tables_now(), tables, "both hold an entry");
        bench.does(1, Operation::Dontneed { at: range(2, 2) });
        bench.does(1, Operation::FreeTables { at: range(0, 4) });
        assert_eq!(bench.tables_now(), tables - 1);
        assert_eq!((bench.load(0, 1), bench.load(0, 2)), (value(1), value(0)));
        bench.tear_down();
    }
    everywhere!(body);
}

fn moves<P: PvMmu>(bench: &mut Bench<P>, cpu: u8, from: UserRange, to: u8) {
    bench.does(cpu, Operation::Mremap { at: from, to: Destination(to) });
}

#[test]
fn pages_move_with_what_they_hold_one_by_one_or_with_their_table_and_no_cpu_finds_them_where_they_were() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        bench.map_anonymous(0, 0, 4);
        for page in 0..4 {
            for cpu in [0, 1] {
                assert_eq!(bench.store(cpu, page, 10 + u32::from(page)), Outcome::Done);
            }
        }
        // To another place in a table; the whole of a table; back over the edge of two.
        moves(&mut bench, 0, range(1, 1), 4);
        moves(&mut bench, 1, range(2, 2), 6);
        for cpu in [0, 1] {
            assert_eq!([1, 2, 3].map(|page| bench.load(cpu, page)), [Outcome::Fault; 3]);
            assert_eq!([0, 4, 6, 7].map(|page| bench.load(cpu, page)), [10, 11, 12, 13].map(value));
        }
        bench.map_anonymous(0, 5, 1);
        assert_eq!(bench.store(0, 5, 15), Outcome::Done);
        moves(&mut bench, 0, range(4, 4), 8);
        for cpu in [0, 1] {
            assert_eq!([8, 9, 10, 11].map(|page| bench.load(cpu, page)), [11, 15, 12, 13].map(value));
        }
        assert_eq!(
            bench.call(0, Operation::Mremap { at: range(8, 2), to: Destination(9) }),
            Outcome::Fault,
            "they overlap"
        );
        bench.does(0, Operation::DropMm { mm: M });
        bench.tear_down();
    }
    everywhere!(body);
    let entries = Designs { move_tables: MoveTables::Entries, ..Designs::default() };
    everywhere_with!(entries, body);
}

#[test]
fn tables_that_pages_left_are_freed_and_none_is_made_where_nothing_moves() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        bench.map_anonymous(0, 0, 1);
        assert_eq!(bench.store(0, 0, 1), Outcome::Done);
        let before = bench.tables_now();
        moves(&mut bench, 0, range(0, 1), 4);
        bench.let_a_grace_period_pass();
        assert_eq!(bench.tables_now(), before, "as many as at the old address");
        moves(&mut bench, 0, range(8, 1), 12);
        bench.let_a_grace_period_pass();
        assert_eq!(bench.tables_now(), before);
        bench.tear_down();
    }
    everywhere!(body);
}

#[test]
fn pages_of_an_object_leave_memory_and_come_back_with_what_they_held_and_a_pinned_one_stays() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        let page = |page| ObjectPage { object: O, page };
        bench.does(0, Operation::NewMm { mm: M });
        bench.does(0, Operation::NewObject { count: Count(2), object: O });
        bench.map(0, range(0, 2), Backing::Shared(page(0)), UserAccess::Writable);
        bench.map(0, range(4, 2), Backing::Private(page(0)), UserAccess::Writable);
        let pages = |bench: &Bench<P>| {
            let frames = (0..bench.bus().memory.frames()).map(Frame);
            frames.filter(|frame| bench.bus().memory.role(*frame) == Role::Data).count()
        };
        assert_eq!((bench.store(0, 0, 5), bench.store(1, 1, 6)), (Outcome::Done, Outcome::Done));
        assert_eq!((bench.store(0, 4, 7), bench.load(1, 5)), (Outcome::Done, value(6)));
        let before = pages(&bench);
        bench.does(1, Operation::Reclaim { object: O });
        assert_eq!(pages(&bench), before - 2);
        for cpu in [0, 1] {
            assert_eq!([0, 1, 4, 5].map(|page| bench.load(cpu, page)), [5, 6, 7, 6].map(value));
        }
        assert_eq!(pages(&bench), before);
        assert_eq!(bench.pin(0, range(1, 1), UserAccess::Writable), 1);
        bench.does(1, Operation::Reclaim { object: O });
        assert_eq!(pages(&bench), before - 1, "the pinned one stays");
        bench.does(0, Operation::PinWrite { at: PinnedPage { pins: G, page: 0 }, token: Token(8) });
        assert_eq!((bench.load(0, 1), bench.load(1, 5), bench.load(0, 0)), (value(8), value(8), value(5)));
        bench.does(0, Operation::Unpin { pins: G });
        // A mapping that moved is found by its new address.
        moves(&mut bench, 0, range(0, 2), 8);
        bench.does(1, Operation::Reclaim { object: O });
        assert_eq!(pages(&bench), before - 2);
        assert_eq!((bench.load(1, 8), bench.load(1, 9)), (value(5), value(8)));
        bench.does(0, Operation::DropMm { mm: M });
        bench.does(0, Operation::Reclaim { object: O });
        bench.does(0, Operation::DropObject { object: O });
        bench.tear_down();
    }
    everywhere!(body);
}

#[test]
fn the_kernel_copies_what_user_code_could_access_and_with_interrupts_off_takes_no_fault() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        let at = |page| UserPage { mm: M, page };
        let read = |page| Operation::CopyFromUser { at: at(page) };
        let write = |page, token| Operation::CopyToUser { at: at(page), token: Token(token) };
        bench.does(0, Operation::NewMm { mm: M });
        bench.map_anonymous(0, 0, 2);
        assert_eq!(bench.call_irqs_off(0, read(0)), Outcome::Fault, "it is not there yet");
        assert_eq!(bench.call(0, read(0)), value(0));
        assert_eq!(bench.call_irqs_off(0, read(0)), value(0));
        bench.does(1, write(1, 5));
        assert_eq!((bench.load(0, 1), bench.bus().core(1).mode()), (value(5), Mode::User));
        bench.does(0, Operation::Mprotect { at: range(1, 1), access: UserAccess::Readable });
        for cpu in [0, 1] {
            assert_eq!(bench.call(cpu, write(1, 6)), Outcome::Fault);
            assert_eq!(bench.call_irqs_off(cpu, write(1, 6)), Outcome::Fault);
            assert_eq!((bench.call(cpu, read(1)), bench.call(cpu, read(4))), (value(5), Outcome::Fault));
        }
        bench.tear_down();
    }
    everywhere!(body);
}

#[test]
fn pages_are_pinned_by_faults_as_far_as_they_are_mapped() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        bench.does(0, Operation::NewMm { mm: M });
        bench.map_anonymous(0, 1, 2);
        let gup = Operation::Gup { at: range(1, 4), access: UserAccess::Writable, pins: G };
        let Outcome::Pinned(pinned) = bench.call(1, gup) else { panic!("pins") };
        assert_eq!(pinned.count, 2);
        bench.does(0, Operation::PinWrite { at: PinnedPage { pins: G, page: 1 }, token: Token(9) });
        assert_eq!(bench.load(0, 2), value(9));
        bench.does(0, Operation::Unpin { pins: G });
        bench.tear_down();
    }
    everywhere!(body);
}

#[test]
fn a_forced_pin_writes_a_copy_of_what_may_only_be_read_and_never_what_is_shared() {
    fn body<P: PvMmu>(mut bench: Bench<P>) {
        let page = ObjectPage { object: O, page: 0 };
        bench.does(0, Operation::NewMm { mm: M });
        bench.does(0, Operation::NewObject { count: Count(1), object: O });
        bench.map(0, range(0, 1), Backing::Private(page), UserAccess::Readable);
        bench.map(0, range(1, 1), Backing::Shared(page), UserAccess::Readable);
        bench.map(0, range(4, 1), Backing::Anonymous, UserAccess::Readable);
        let gup = |page| Operation::GupForced { at: range(page, 2), pins: G };
        for (first, read) in [(0, [5, 0]), (4, [5, 0])] {
            let Outcome::Pinned(pinned) = bench.call(1, gup(first)) else { panic!("pins") };
            assert_eq!(pinned.count, 1, "the next is shared, or nothing");
            bench.does(0, Operation::PinWrite { at: PinnedPage { pins: G, page: 0 }, token: Token(5) });
            for cpu in [0, 1] {
                assert_eq!([first, 1].map(|page| bench.load(cpu, page)), read.map(value));
                assert_eq!(bench.store(cpu, first, 6), Outcome::Fault, "it may only be read still");
            }
            bench.does(0, Operation::Unpin { pins: G });
        }
        bench.does(0, Operation::DropMm { mm: M });
        bench.tear_down();
    }
    everywhere!(body);
}
