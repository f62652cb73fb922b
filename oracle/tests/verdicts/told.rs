//! What the tests say to a reference, and in which words. It judges nothing itself.
use oracle::vocabulary::{
    AreaSlot, BufferSlot, Call, Coherent, Mapping, Operation, Outcome, PageList, PageSlot, Place, Range,
    Token,
};
use oracle::{Illegal, Kind, Reference, Ticket, Verdict};

pub(crate) const START: u64 = 0xffff_c900_0000_0000;
pub(crate) const PAGE: u64 = 4096;

pub(crate) fn page(number: u8) -> PageSlot {
    PageSlot::new(number)
}

pub(crate) fn pages(numbers: &[u8]) -> PageList {
    PageList::new(numbers.iter().map(|&number| page(number)))
}

pub(crate) fn area(number: u8) -> AreaSlot {
    AreaSlot::new(number)
}

pub(crate) fn at(area_number: u8, offset: u8) -> Place {
    Place { mapping: Mapping::Area(area(area_number)), page: offset }
}

pub(crate) fn vmap(numbers: &[u8], number: u8) -> Operation {
    Operation::Vmap { pages: pages(numbers), area: area(number) }
}

pub(crate) fn vunmap(number: u8) -> Operation {
    Operation::Vunmap { area: area(number) }
}

pub(crate) fn read(number: u8) -> Operation {
    Operation::Read { place: at(number, 0) }
}

pub(crate) fn write(number: u8, token: u32) -> Operation {
    Operation::Write { place: at(number, 0), token: Token(token) }
}

pub(crate) fn mapped(offset: u64, pages: u8) -> Outcome {
    Outcome::Mapped(Range { start: START + offset * PAGE, pages })
}

/// A buffer there, of which its device finds the first segment at 7.
pub(crate) fn coherent(offset: u64, pages: u8) -> Outcome {
    let range = Range { start: START + offset * PAGE, pages };
    Outcome::Buffer(Coherent { range, segments: [7, 0, 0, 0] })
}

pub(crate) fn value(token: u32) -> Outcome {
    Outcome::Value(Token(token))
}

/// What the tests say to a reference.
pub(crate) trait Told {
    fn start(&mut self, cpu: u8, operation: Operation) -> Ticket;
    fn play(&mut self, operation: Operation, outcome: Outcome) -> Result<Verdict, Illegal>;
    fn legal(&mut self, operation: Operation, outcome: Outcome) -> Verdict;
    fn kind(&mut self, operation: Operation, outcome: Outcome) -> Kind;
}

impl Told for Reference {
    fn start(&mut self, cpu: u8, operation: Operation) -> Ticket {
        self.begin(cpu, &Call { operation, irqs_off: false })
    }

    fn play(&mut self, operation: Operation, outcome: Outcome) -> Result<Verdict, Illegal> {
        let ticket = self.start(0, operation);
        self.end(ticket, &outcome)
    }

    fn legal(&mut self, operation: Operation, outcome: Outcome) -> Verdict {
        self.play(operation, outcome).unwrap_or_else(|illegal| panic!("{illegal}"))
    }

    fn kind(&mut self, operation: Operation, outcome: Outcome) -> Kind {
        self.play(operation, outcome).expect_err("an illegal outcome").kind
    }
}

/// A reference with two mappings of page 0 (`a0`, `a1`) and one of page 1 (`a2`).
pub(crate) fn with_aliases() -> Reference {
    let mut reference = Reference::new(4);
    reference.legal(vmap(&[0], 0), mapped(0, 1));
    reference.legal(vmap(&[0], 1), mapped(2, 1));
    reference.legal(vmap(&[1], 2), mapped(4, 1));
    reference
}

pub(crate) fn dma_alloc(pages: &[u8], buffer: u8) -> Operation {
    let (pages, buffer) = (self::pages(pages), BufferSlot::new(buffer));
    Operation::DmaAlloc { pages, buffer }
}
