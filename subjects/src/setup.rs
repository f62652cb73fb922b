//! How a kernel is built and what it runs on.

use std::rc::Rc;

use impls::{Designs, Protocol, Sizes};
use machine::Temperament;

/// What each story chooses anew: a machine, and the size of the kernel on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Build {
    /// How many CPUs.
    pub cpus: u8,
    /// How wild the hardware is.
    pub temperament: Temperament,
    /// How large the kernel is built.
    pub sizes: Sizes,
}

impl Default for Build {
    fn default() -> Self {
        Self { cpus: 2, temperament: Temperament::empty(), sizes: Sizes::Tiny }
    }
}

/// What is to be done how, on every backend.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The designs chosen and the safety steps left out.
    pub protocol: Rc<Protocol>,
    /// The designs that were asked for by name, the later before the earlier: a story's own yield to them.
    pub insists_on: Rc<[(String, String)]>,
    /// A quirk of the hardware: INVLPG spares global entries while process-context identifiers are in use.
    pub invlpg_spares_globals: bool,
}

impl Setup {
    /// What a story with these designs of its own is played by.
    ///
    /// # Panics
    /// If a design that was asked for does not exist.
    #[must_use]
    pub fn with_designs(&self, mut designs: Designs) -> Self {
        for (point, variant) in &*self.insists_on {
            designs.choose(point, variant).expect("designs that were looked up before");
        }
        Self { protocol: Rc::new(self.protocol.with_designs(designs)), ..self.clone() }
    }
}
