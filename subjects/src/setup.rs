//! How a kernel is built, and on which hardware it runs.

use std::rc::Rc;

use impls::{Designs, Protocol, Sizes};
use machine::Temperament;

/// What each story chooses for itself: a machine, and the size of the kernel on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Build {
    /// How many CPUs.
    pub cpus: u8,
    /// How wild the hardware is.
    pub temperament: Temperament,
    /// The sizes by which the kernel is built.
    pub sizes: Sizes,
}

impl Default for Build {
    fn default() -> Self {
        Self { cpus: 2, temperament: Temperament::empty(), sizes: Sizes::Tiny }
    }
}

/// How the kernel does what, on every backend.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The designs chosen and the safety steps left out.
    pub protocol: Rc<Protocol>,
    /// The designs of the bug that is planted. Those of a story yield to them.
    pub of_bug: &'static [(&'static str, &'static str)],
    /// The designs that were asked for by name, the later before the earlier. Those of the bug and of a story yield to them.
    pub asked_for: Rc<[(String, String)]>,
    /// A quirk of the hardware: INVLPG spares global entries while process-context identifiers are in use.
    pub invlpg_spares_globals: bool,
}

impl Setup {
    /// The setup for a story with these designs of its own.
    ///
    /// # Panics
    /// If the user named a design that does not exist.
    #[must_use]
    pub fn with_designs(&self, designs: Designs) -> Self {
        Self { protocol: Rc::new(self.protocol.with_designs(self.designs_over(designs))), ..self.clone() }
    }

    /// The same bug, with other designs asked for.
    ///
    /// # Panics
    /// If one of them does not exist.
    #[must_use]
    pub fn asking_for(&self, asked_for: Rc<[(String, String)]>) -> Self {
        Self { asked_for, ..self.clone() }.with_designs(Designs::default())
    }

    /// The designs that a story with these designs of its own is played by.
    ///
    /// # Panics
    /// If a design that was asked for does not exist.
    pub fn designs_over(&self, mut designs: Designs) -> Designs {
        let asked_for = self.asked_for.iter().map(|(point, variant)| (&**point, &**variant));
        for (point, variant) in self.of_bug.iter().copied().chain(asked_for) {
            designs.choose(point, variant).expect("designs that were looked up before");
        }
        designs
    }
}
