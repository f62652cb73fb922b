//! Callers that break their side of the contract: each is a defect of the harness, and no verdict.

use oracle::Reference;
use oracle::vocabulary::{BufferSlot, Call, MmSlot, Operation, Outcome, Root, TreeSlot};

use crate::told::{Told, coherent, dma_alloc, mapped, page, pages, read, value, vmap, vunmap, with_aliases};

#[test]
#[should_panic(expected = "takes away m0")]
fn an_address_space_is_not_dropped_while_a_cpu_enters_it() {
    let (mut reference, mm) = (Reference::new(1), MmSlot::new(0));
    reference.legal(Operation::NewMm { mm }, Outcome::Done);
    let _entering = reference.start(1, Operation::SwitchMm { to: Root::Mm(mm) });
    let _ = reference.start(0, Operation::DropMm { mm });
}

#[test]
#[should_panic(expected = "takes away p0")]
fn a_page_is_not_given_away_while_its_owner_changes_its_flags() {
    let mut reference = Reference::new(1);
    let call = |operation| Call { operation, irqs_off: false };
    let _flags = reference.begin(0, &call(Operation::SetPageFlag { page: page(0) }));
    let _ = reference.begin(1, &call(Operation::MakeTable { page: page(0) }));
}

#[test]
#[should_panic(expected = "uses p1, Present as Member")]
fn a_page_of_a_tree_is_not_mapped() {
    let mut reference = Reference::new(2);
    let pin = Operation::PinTree { pages: pages(&[0, 1]), tree: TreeSlot::new(0) };
    reference.legal(pin, Outcome::Done);
    reference.legal(vmap(&[1], 0), mapped(0, 1));
}

#[test]
#[should_panic(expected = "takes away p0, Present as Plain with 2 users")]
fn freeing_a_mapped_page_is_a_defect_of_the_harness() {
    let _freeing = with_aliases().start(0, Operation::FreePage { page: page(0) });
}

#[test]
#[should_panic(expected = "takes away a0")]
fn unmapping_under_a_read_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let _reading = reference.start(1, read(0));
    let _unmapping = reference.start(0, vunmap(0));
}

#[test]
#[should_panic(expected = "within another operation")]
fn two_operations_on_a_cpu_are_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let _reading = reference.start(1, read(0));
    let _other = reference.start(1, read(1));
}

#[test]
#[should_panic(expected = "names no pages")]
fn mapping_no_pages_is_a_defect_of_the_harness() {
    let _mapping = with_aliases().start(0, vmap(&[], 5));
}

#[test]
#[should_panic(expected = "not in flight")]
fn ending_twice_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let ticket = reference.start(1, read(0));
    reference.end(ticket, &value(0)).unwrap();
    let _again = reference.end(ticket, &value(0));
}

#[test]
#[should_panic(expected = "not in flight")]
fn ending_with_the_ticket_of_an_earlier_operation_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let ticket = reference.start(1, read(0));
    reference.end(ticket, &value(0)).unwrap();
    let _later = reference.start(1, read(0));
    let _again = reference.end(ticket, &value(0));
}

#[test]
#[should_panic(expected = "uses a5, Absent")]
fn reading_what_is_not_mapped_is_a_defect_of_the_harness() {
    let _reading = with_aliases().start(1, read(5));
}

#[test]
#[should_panic(expected = "uses a0, Going")]
fn reading_during_an_unmap_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let _unmapping = reference.start(0, vunmap(0));
    let _reading = reference.start(1, read(0));
}

#[test]
#[should_panic(expected = "uses p2, Present as Table")]
fn freeing_a_table_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    reference.legal(Operation::MakeTable { page: page(2) }, Outcome::Done);
    let _freeing = reference.start(0, Operation::FreePage { page: page(2) });
}

#[test]
#[should_panic(expected = "uses p2, Turning")]
fn mapping_a_table_to_be_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    let _making = reference.start(1, Operation::MakeTable { page: page(2) });
    let _mapping = reference.start(0, vmap(&[2], 5));
}

#[test]
#[should_panic(expected = "mapped elsewhere")]
fn freeing_a_buffer_that_is_mapped_elsewhere_is_a_defect_of_the_harness() {
    let mut reference = with_aliases();
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    reference.legal(dma_alloc(&[0], 0), coherent(40, 1));
    reference.legal(vmap(&[0], 5), mapped(50, 1));
    let _freeing = reference.start(0, Operation::DmaFree { buffer: BufferSlot::new(0) });
}
