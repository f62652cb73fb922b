//! Families of kernel variables: the names by which stories pause before an access to them.
//!
//! Tags are written in stories: never renumbered, never reused.

use machine::Family;

macro_rules! families {
    ($($(#[$doc:meta])* $name:ident = $tag:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Family = Family($tag);)*

        /// Every family of the kernels and hypervisors, with its name.
        pub const ALL: &[(Family, &str)] = &[$(($name, $text)),*];
    };
}

families! {
    /// Pages unmapped lazily and not yet flushed (`vmap_lazy_nr`).
    LAZY_PAGES = 16, "lazy_pages";
}

/// The name of a family, the machine's own included.
pub fn name(family: Family) -> Option<&'static str> {
    Family::OWN.iter().chain(ALL).find(|(known, _)| *known == family).map(|(_, name)| *name)
}

/// The family of this name, the machine's own included.
pub fn by_name(name: &str) -> Option<Family> {
    Family::OWN.iter().chain(ALL).find(|(_, known)| *known == name).map(|(family, _)| *family)
}
