//! Rule 7, hypervisor: it never lets a guest keep a usable translation to a page given to another owner. The other domain
//! is played here: it leaves words of its own in whatever it has, and finds them again.
//!
//! Judged whenever it touches its memory, which is also when it gets what was given away, and at the end: from then on no CPU
//! of the guest has a translation to it, no entry of the guest's leads there ([`super::hypervisor::foreign_entries`]), and no
//! word of it changes but by the domain itself.
//!
//! Legal, and not seen here: stale translations to frames that are on the heap, and that no domain has yet; a frame
//! that the domain gave back, whose words are no longer its own.

use impls::hypervisor::xen::{GUEST, HEAP, OTHER_GUEST};
use machine::{Bus, Frame, Word};
use oracle::Rule;

use super::Breach;
use super::translations::frames_behind;

/// The first of the words that the other domain writes: no token of a story's.
const FIRST_WORD: u64 = 0xd100_0000;

/// What the other domain left where.
#[derive(Debug, Default)]
pub struct OtherDomain {
    left: Vec<Left>,
    next: u64,
}

/// A word that it left in a frame, while that was put to this use.
#[derive(Clone, Copy, Debug)]
struct Left {
    frame: Frame,
    incarnation: u32,
    word: u64,
}

impl OtherDomain {
    /// It has touched nothing yet.
    pub fn clear(&mut self) {
        self.left.clear();
        self.next = FIRST_WORD;
    }

    /// It looks at what it left in memory that is its own still.
    pub fn look(&self, bus: &Bus) -> Option<Breach> {
        let still_its_own = |left: &&Left| {
            bus.memory.owner(left.frame) == OTHER_GUEST
                && bus.memory.incarnation(left.frame) == left.incarnation
        };
        self.left.iter().filter(still_its_own).find_map(|left| {
            let found = bus.device_read(Word::new(left.frame, 0));
            (found != left.word).then(|| {
                let detail = format!("{} holds {found}, and d1 left {} there", left.frame, left.word);
                let what = "memory of another domain was written";
                Breach::new(Rule::Hypervisor, what, detail).about([], [left.frame])
            })
        })
    }

    /// It leaves a new word in every frame that it has.
    pub fn write(&mut self, bus: &Bus) {
        self.left.clear();
        // Who has another owner than at first was touched.
        let touched = bus.memory.touched();
        let its_own = touched.iter().copied().filter(|frame| bus.memory.owner(*frame) == OTHER_GUEST);
        let mut frames: Vec<_> = its_own.collect();
        drop(touched);
        frames.sort_unstable();
        for frame in frames {
            let (incarnation, word) = (bus.memory.incarnation(frame), self.next);
            self.next += 1;
            bus.device_write(Word::new(frame, 0), word);
            self.left.push(Left { frame, incarnation, word });
        }
    }
}

/// No CPU of the guest has a translation to memory of another owner.
pub fn translations(bus: &Bus) -> Option<Breach> {
    (0..bus.cpus()).find_map(|cpu| {
        let tlb = bus.core(cpu).tlb();
        tlb.leaves().iter().find_map(|leaf| {
            let frame = frames_behind(bus, leaf.frame, leaf.level).find(|frame| is_foreign(bus, *frame))?;
            let detail = format!("the TLB of c{cpu} leads from {:#x} to {frame}", leaf.va);
            let breach = Breach::new(Rule::Hypervisor, "a CPU can reach memory of another domain", detail);
            Some(breach.on(cpu).about([leaf.va], [frame]))
        })
    })
}

/// Whether a frame has another owner than the guest. What is on the heap has none.
fn is_foreign(bus: &Bus, frame: Frame) -> bool {
    bus.memory.has(frame) && !matches!(bus.memory.owner(frame), GUEST | HEAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::workbench::{VA, machine, map, page, touch, unmap};
    use machine::Role;

    fn give_away(bus: &Bus, frame: Frame, owner: u8) {
        bus.memory.set_role(frame, Role::Foreign);
        bus.memory.set_owner(frame, owner);
    }

    #[test]
    fn a_translation_to_another_domains_memory_is_a_breach_and_one_to_the_heap_is_not() {
        let mut machine = machine(2);
        let frame = page(&machine, 8);
        map(&machine, VA, frame);
        touch(&mut machine, 1, VA);
        unmap(&machine, VA);
        assert_eq!(translations(machine.bus()), None);
        give_away(machine.bus(), frame, HEAP);
        assert_eq!(translations(machine.bus()), None, "nobody has it yet");
        give_away(machine.bus(), frame, OTHER_GUEST);
        let breach = translations(machine.bus()).expect("c1 can write it");
        assert_eq!((breach.rule, breach.cpu), (Rule::Hypervisor, Some(1)));
        assert_eq!((breach.about.pages, breach.about.frames), (vec![VA], vec![frame]));
    }

    #[test]
    fn a_word_that_changed_is_a_breach_unless_the_frame_was_given_back() {
        let machine = machine(1);
        let bus = machine.bus();
        let frame = page(&machine, 8);
        let mut domain = OtherDomain::default();
        domain.clear();
        give_away(bus, frame, OTHER_GUEST);
        domain.write(bus);
        assert_eq!(domain.look(bus), None);
        bus.memory.poke(Word::new(frame, 0), 77);
        let breach = domain.look(bus).expect("somebody wrote 77");
        assert_eq!((breach.rule, breach.about.frames), (Rule::Hypervisor, vec![frame]));
        bus.memory.set_owner(frame, GUEST);
        assert_eq!(domain.look(bus), None, "it is the guest's");
        bus.memory.set_role(frame, Role::Data);
        give_away(bus, frame, OTHER_GUEST);
        assert_eq!(domain.look(bus), None, "it came back, and was cleared on the way");
        domain.write(bus);
        assert_eq!(bus.memory.peek(Word::new(frame, 0)), FIRST_WORD + 1, "never the same word twice");
    }

    #[test]
    fn a_large_translation_is_judged_by_each_of_its_pages() {
        let mut machine = machine(1);
        crate::checks::workbench::map_large(&machine, VA, machine::Flags::empty());
        touch(&mut machine, 0, VA);
        assert_eq!(translations(machine.bus()), None);
        give_away(machine.bus(), crate::checks::workbench::LARGE, OTHER_GUEST);
        assert!(translations(machine.bus()).is_some());
    }
}
