//! Where the tables led for watched addresses, for checks that ask what was mapped there at any moment of a call.

use crate::bus::Bus;
use crate::paging::Frame;
use std::cell::Ref;

/// A frame to which the tables led for a watched address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Led {
    /// From this root.
    pub root: Frame,
    /// For this address.
    pub va: u64,
    /// To this frame.
    pub frame: Frame,
    /// In which use of it.
    pub incarnation: u32,
}

/// What is watched, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    addresses: Vec<(Frame, u64)>,
    led: Vec<Led>,
}

impl Bus {
    /// From now on, until the next reset or [`Bus::stop_watching`], the machine remembers to which frames the tables beneath a root
    /// lead for an address: now, and after each store into a table of any level.
    pub fn watch(&self, root: Frame, va: u64) {
        let mut watched = self.watched.borrow_mut();
        if !watched.addresses.contains(&(root, va)) {
            watched.addresses.push((root, va));
        }
        self.watches.set(true);
        self.note(&mut watched, (root, va));
    }

    /// The machine watches no address any more, and forgets what it remembered.
    pub fn stop_watching(&self) {
        if self.watches.replace(false) {
            let mut watched = self.watched.borrow_mut();
            watched.addresses.clear();
            watched.led.clear();
        }
    }

    /// To which frames the tables led for watched addresses, in that order. What they led to before, and lead to still, is not told
    /// again.
    pub fn led(&self) -> Ref<'_, [Led]> {
        Ref::map(self.watched.borrow(), |watched| watched.led.as_slice())
    }

    /// A word of a table was stored.
    #[cold]
    pub(crate) fn note_stored(&self) {
        let mut watched = self.watched.borrow_mut();
        for n in 0..watched.addresses.len() {
            let address = watched.addresses[n];
            self.note(&mut watched, address);
        }
    }

    fn note(&self, watched: &mut Watched, (root, va): (Frame, u64)) {
        let Some(frame) = self.mapped(root, va).map(|found| found.frame_of(va)) else { return };
        if !self.memory.has(frame) {
            return;
        }
        let led = Led { root, va, frame, incarnation: self.memory.incarnation(frame) };
        let last = watched.led.iter().rev().find(|led| (led.root, led.va) == (root, va));
        if last != Some(&led) {
            watched.led.push(led);
        }
    }
}
