//! Buffers that devices reach, and devices.
use oracle::vocabulary::{BufferPage, BufferSlot, Call, Mapping, Operation, Outcome, Place, Token};
use oracle::{Kind, Reference};

use crate::told::{Told, area, at, coherent, dma_alloc, mapped, page, pages, value, vunmap, with_aliases};

/// CPUs that a story may have.
const MAX_CPUS: u8 = 4;

fn in_buffer(buffer: u8) -> Place {
    Place { mapping: Mapping::Buffer(BufferSlot::new(buffer)), page: 0 }
}

#[test]
fn a_buffer_begins_with_zero_and_cpus_and_devices_see_each_other() {
    let mut reference = with_aliases();
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    reference.legal(dma_alloc(&[0], 0), coherent(40, 1));
    let buffer = BufferSlot::new(0);
    reference.legal(Operation::DeviceRead { at: BufferPage { buffer, page: 0 } }, value(0));
    reference.legal(Operation::Write { place: in_buffer(0), token: Token(5) }, Outcome::Done);
    reference.legal(Operation::DeviceRead { at: BufferPage { buffer, page: 0 } }, value(5));
    reference
        .legal(Operation::DeviceWrite { at: BufferPage { buffer, page: 0 }, token: Token(6) }, Outcome::Done);
    reference.legal(Operation::Read { place: in_buffer(0) }, value(6));
    assert_eq!(reference.forced(page(0)), Some(Token(6)));
    assert_eq!(
        reference.kind(Operation::DeviceRead { at: BufferPage { buffer, page: 0 } }, value(5)),
        Kind::NeverPossible
    );
}

#[test]
fn a_device_is_kept_apart_from_every_cpu() {
    let mut reference = with_aliases();
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    reference.legal(dma_alloc(&[0], 0), coherent(40, 1));
    let (buffer, place) = (BufferSlot::new(0), in_buffer(0));
    let reading: Vec<_> = (0..MAX_CPUS).map(|cpu| reference.start(cpu, Operation::Read { place })).collect();
    let writing = Operation::DeviceWrite { at: BufferPage { buffer, page: 0 }, token: Token(6) };
    let ticket = reference.start(Reference::DEVICE, writing);
    assert!(reference.end(ticket, &Outcome::Done).is_ok());
    for (ticket, seen) in reading.into_iter().zip([0, 6, 0, 6]) {
        assert!(!reference.end(ticket, &value(seen)).expect("either side of the write").sole);
    }
}

#[test]
fn a_buffer_that_could_not_be_made_may_have_been_zeroed_and_its_pages_are_there() {
    let mut reference = with_aliases();
    reference.legal(Operation::Write { place: at(0, 0), token: Token(5) }, Outcome::Done);
    reference.legal(vunmap(0), Outcome::Done);
    reference.legal(vunmap(1), Outcome::Done);
    let verdict = reference.legal(dma_alloc(&[0], 0), Outcome::NoMemory);
    assert!(!verdict.sole, "another backend may have had frames");
    assert_eq!((reference.possible(page(0)), reference.forced(page(0))), (&[Token(0), Token(5)][..], None));
    reference.legal(Operation::DmaFree { buffer: BufferSlot::new(0) }, Outcome::Void);
    reference.legal(Operation::FreePage { page: page(0) }, Outcome::Done);
}

/// A slot that another backend may have got its page for.
#[test]
fn a_buffer_that_is_void_here_leaves_its_pages_out_of_the_comparison() {
    let mut reference = Reference::new(1);
    reference.legal(Operation::AllocPage { page: page(5) }, Outcome::NoMemory);
    assert_eq!(reference.forced(page(0)), Some(Token::ZERO));
    reference.legal(dma_alloc(&[0, 5], 0), Outcome::Void);
    assert_eq!((reference.possible(page(0)), reference.forced(page(0))), (&[Token::ZERO][..], None));
    // And so when it is given back: elsewhere that zeroed them.
    let (writing, to) = (Operation::Vmap { pages: pages(&[0]), area: area(3) }, at(3, 0));
    reference.legal(Operation::DmaFree { buffer: BufferSlot::new(0) }, Outcome::Void);
    reference.legal(writing, mapped(40, 1));
    reference.legal(Operation::Write { place: to, token: Token(7) }, Outcome::Done);
    assert_eq!(reference.forced(page(0)), Some(Token(7)));
    reference.legal(vunmap(3), Outcome::Done);
    reference.legal(dma_alloc(&[0, 5], 0), Outcome::Void);
    assert_eq!((reference.possible(page(0)), reference.forced(page(0))), (&[Token(7)][..], None));
}

#[test]
fn only_with_interrupts_off_a_buffer_may_not_be_made_because_somebody_would_have_to_sleep() {
    for irqs_off in [false, true] {
        let mut reference = with_aliases();
        reference.legal(vunmap(0), Outcome::Done);
        reference.legal(vunmap(1), Outcome::Done);
        let ticket = reference.begin(0, &Call { operation: dma_alloc(&[0], 0), irqs_off });
        let judged = reference.end(ticket, &Outcome::WouldSleep).map_err(|illegal| illegal.kind);
        assert_eq!(judged.is_ok(), irqs_off, "{judged:?}");
    }
}
