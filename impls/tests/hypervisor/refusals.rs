//! Each refusal is real: nothing changed.

use crate::guest::{Answer, Ask, Bench, TABLE, page, read_only, writable};
use impls::hypervisor::xen::{HYPERVISOR_FRAMES, PageType, Refusal, UpdateFlush};
use machine::{Entry, Flags, Frame, Role, Temperament, Word};

fn bench() -> Bench {
    Bench::new(2, Temperament::empty())
}

/// Asks for what is to be refused, and that nothing changed.
fn refused(bench: &mut Bench, ask: Ask) -> Refusal {
    let books = |bench: &Bench| -> Vec<_> {
        let frames = (0..bench.bus().memory.frames()).map(Frame);
        frames
            .map(|frame| {
                let info = bench.hypervisor().type_info(bench.bus(), frame);
                let held = if info.count() == 0 { PageType::None } else { info.page_type() };
                (info.count(), info.pinned(), held, bench.hypervisor().count_info(bench.bus(), frame))
            })
            .collect()
    };
    let before = books(bench);
    let answer = bench.ask(0, ask);
    assert_eq!(books(bench), before, "{ask:?} changed the books");
    bench.assert_sound();
    let Answer::Refused(refusal) = answer else { panic!("{ask:?}: {answer:?}") };
    refusal
}

#[test]
fn a_page_that_is_mapped_writable_does_not_become_a_table() {
    let mut bench = bench();
    let frame = bench.pages[0];
    assert_eq!(bench.ask(0, Ask::Set(bench.tables[1], 0, writable(frame))), Answer::Done);
    let wanted = PageType::Table(1);
    let conflict = Refusal::TypeConflict { frame, found: PageType::Writable, wanted };
    assert_eq!(refused(&mut bench, Ask::Pin(frame, 1)), conflict);
    assert_eq!(conflict.reason(), "refused: the frame is mapped writable");
    assert_eq!(bench.ask(1, Ask::Set(bench.tables[1], 0, Entry::EMPTY)), Answer::Done);
    assert_eq!(bench.ask(0, Ask::Pin(frame, 1)), Answer::Done);
    assert_eq!(bench.bus().memory.role(frame), Role::Table(1));
}

#[test]
fn a_table_is_not_mapped_writable_and_may_be_mapped_for_reading() {
    let mut bench = bench();
    let (lowest, frame) = (bench.tables[1], bench.pages[0]);
    assert_eq!(bench.ask(0, Ask::Pin(frame, 1)), Answer::Done);
    for table in [frame, lowest] {
        let refusal = refused(&mut bench, Ask::Set(lowest, 0, writable(table)));
        let (found, wanted) = (PageType::Table(1), PageType::Writable);
        assert_eq!(refusal, Refusal::TypeConflict { frame: table, found, wanted });
        let ask = Ask::SetVa(page(1), writable(table), UpdateFlush::None);
        assert!(matches!(refused(&mut bench, ask), Refusal::TypeConflict { .. }));
    }
    assert_eq!(bench.ask(0, Ask::Set(lowest, 0, read_only(frame))), Answer::Done);
    assert_eq!(bench.ask(0, Ask::Write(page(0), 7)), Answer::Faulted);
    let widened = refused(&mut bench, Ask::Set(lowest, 0, writable(frame)));
    assert!(matches!(widened, Refusal::TypeConflict { .. }), "{widened}");
}

#[test]
fn a_page_with_an_entry_to_a_foreign_frame_does_not_become_a_table() {
    let mut bench = bench();
    let frame = bench.pages[0];
    let (own, lowest) = (bench.pages[1], bench.tables[1]);
    for (foreign, refusal) in [
        (Frame(HYPERVISOR_FRAMES), Refusal::ForeignFrame(Frame(HYPERVISOR_FRAMES))),
        (Frame(0), Refusal::ForeignFrame(Frame(0))),
        (Frame(9999), Refusal::NoSuchFrame(Frame(9999))),
    ] {
        assert_eq!(bench.ask(0, Ask::Set(frame, 3, writable(own))), Answer::Done, "as data");
        assert_eq!(bench.ask(0, Ask::Set(frame, 9, read_only(foreign))), Answer::Done, "as data");
        assert_eq!(refused(&mut bench, Ask::Pin(frame, 1)), refusal);
        assert_eq!(bench.bus().memory.role(frame), Role::Data);
        assert_eq!(refused(&mut bench, Ask::Set(lowest, 0, read_only(foreign))), refusal);
    }
}

#[test]
fn an_upper_table_leads_to_tables_of_the_level_below_and_to_nothing_large() {
    let mut bench = bench();
    let [_, lowest, second, ..] = bench.tables;
    let large = Entry::new(bench.pages[0], TABLE | Flags::HUGE_PAGE);
    let frame = bench.pages[0];
    assert_eq!(refused(&mut bench, Ask::Set(second, 5, large)), Refusal::LargeLeaf { frame });
    let mut forged = Entry::new(lowest, TABLE);
    assert_eq!(bench.ask(0, Ask::Set(second, 0, forged)), Answer::Done, "as it was");
    forged = Entry::new(lowest, TABLE | Flags::HUGE_PAGE);
    assert_eq!(refused(&mut bench, Ask::Set(second, 0, forged)), Refusal::LargeLeaf { frame: lowest });
    let refusal = refused(&mut bench, Ask::Set(second, 5, Entry::new(second, TABLE)));
    let (found, wanted) = (PageType::Table(2), PageType::Table(1));
    assert_eq!(refusal, Refusal::TypeConflict { frame: second, found, wanted });
}

#[test]
fn an_address_without_a_lowest_table_is_not_updated() {
    let mut bench = bench();
    for va in [1 << 21, 1 << 30, 1 << 39, 0xffff_8000_0000_0000] {
        let ask = Ask::SetVa(va, writable(bench.pages[0]), UpdateFlush::None);
        assert_eq!(refused(&mut bench, ask), Refusal::NoLowestTable { va });
    }
}

#[test]
fn a_pin_is_taken_once_and_given_back_once() {
    let mut bench = bench();
    let frame = bench.pages[0];
    assert_eq!(refused(&mut bench, Ask::Unpin(frame)), Refusal::NotPinned(frame));
    assert_eq!(bench.ask(0, Ask::Pin(frame, 1)), Answer::Done);
    assert_eq!(refused(&mut bench, Ask::Pin(frame, 1)), Refusal::AlreadyPinned(frame));
    assert_eq!(bench.ask(0, Ask::Unpin(frame)), Answer::Done);
    assert_eq!(refused(&mut bench, Ask::Unpin(frame)), Refusal::NotPinned(frame));
    for level in [0, 5] {
        assert_eq!(refused(&mut bench, Ask::Pin(frame, level)), Refusal::NoSuchLevel(level));
    }
    let foreign = Frame(HYPERVISOR_FRAMES);
    assert_eq!(refused(&mut bench, Ask::Pin(foreign, 1)), Refusal::ForeignFrame(foreign));
    assert_eq!(refused(&mut bench, Ask::Unpin(foreign)), Refusal::ForeignFrame(foreign));
}

#[test]
fn only_a_root_becomes_the_base_pointer() {
    let mut bench = bench();
    let [_, lowest, .., root] = bench.tables;
    let (found, wanted) = (PageType::Table(1), PageType::Table(4));
    let conflict = Refusal::TypeConflict { frame: lowest, found, wanted };
    assert_eq!(refused(&mut bench, Ask::Base(lowest)), conflict);
    assert_eq!(bench.bus().core(0).cr3().root, root);
    let other = bench.pages[0];
    assert_eq!(bench.ask(0, Ask::Base(other)), Answer::Done);
    assert_eq!(bench.page_type(other), (PageType::Table(4), 1));
    assert_eq!(bench.ask(0, Ask::Base(root)), Answer::Done);
    assert_eq!(bench.page_type(other), (PageType::Table(4), 0));
    bench.assert_sound();
}

#[test]
fn a_page_of_data_is_written_by_hypercall_and_a_page_that_is_given_back_becomes_data() {
    let mut bench = bench();
    let frame = bench.pages[0];
    assert_eq!(bench.ask(0, Ask::Pin(frame, 1)), Answer::Done);
    assert_eq!(bench.ask(0, Ask::Unpin(frame)), Answer::Done);
    assert_eq!(bench.bus().memory.role(frame), Role::Table(1), "some CPU may remember a way to it");
    assert_eq!(bench.ask(0, Ask::Set(frame, 2, Entry(77))), Answer::Done);
    assert_eq!(bench.bus().memory.role(frame), Role::Data, "flushed before it was written to");
    assert_eq!(bench.bus().memory.peek(Word::new(frame, 2)), 77);
    assert_eq!(bench.page_type(frame), (PageType::Writable, 0));
    bench.assert_sound();
}

#[test]
fn bits_that_the_hardware_set_are_kept_when_asked_for() {
    let mut bench = bench();
    let (lowest, frame) = (bench.tables[1], bench.pages[0]);
    let used = Flags::ACCESSED | Flags::DIRTY;
    let entry = |bench: &Bench| Entry(bench.bus().memory.peek(Word::new(lowest, 0)));
    assert_eq!(bench.ask(0, Ask::Set(lowest, 0, writable(frame))), Answer::Done);
    assert_eq!(bench.ask(1, Ask::Write(page(0), 1)), Answer::Done);
    assert!(entry(&bench).has(used));
    assert_eq!(bench.ask(0, Ask::SetPreserving(lowest, 0, read_only(frame))), Answer::Done);
    assert!(entry(&bench).has(used) && !entry(&bench).has(Flags::WRITABLE));
    assert_eq!(bench.ask(0, Ask::Set(lowest, 0, writable(frame))), Answer::Done);
    assert!(!entry(&bench).has(Flags::ACCESSED) && !entry(&bench).has(Flags::DIRTY));
    bench.assert_sound();
}
