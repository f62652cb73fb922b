//! The life of a handle, as the story tells it, and whether this backend really gave what it names.
//!
//! A story goes on as if every operation had succeeded. Where a backend had no memory, the handle lives on in the
//! story and stands for nothing here: whatever needs it is void. A handle used out of turn is never the kernel's
//! fault but the harness's own, and panics.

use core::fmt;

/// Where in its life a handle is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Life {
    #[default]
    Absent,
    Coming,
    Present,
    Going,
}

/// A handle of a page, a table or a mapping.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handle {
    life: Life,
    obtained: bool,
}

impl Handle {
    /// A handle of nothing.
    pub(crate) const ABSENT: Self = Self { life: Life::Absent, obtained: false };

    /// A handle that the caller already holds when the story begins.
    pub(crate) const fn held() -> Self {
        Self { life: Life::Present, obtained: true }
    }

    /// The operation that obtains it begins.
    pub(crate) fn come(&mut self, what: impl fmt::Display) {
        assert!(self.life == Life::Absent, "the story asks for {what}, which it already has");
        *self = Self { life: Life::Coming, obtained: false };
    }

    /// The operation that obtains it ended: with it or without.
    pub(crate) fn arrive(&mut self, obtained: bool) {
        debug_assert!(self.life == Life::Coming, "only what was coming arrives");
        *self = Self { life: Life::Present, obtained };
    }

    /// The operation that gives it up begins.
    pub(crate) fn go(&mut self, what: impl fmt::Display) {
        self.must_be_present(what);
        self.life = Life::Going;
    }

    /// An operation that needs it begins.
    pub(crate) fn must_be_present(self, what: impl fmt::Display) {
        assert!(self.life == Life::Present, "the story uses {what}, which is {:?}", self.life);
    }

    /// Whether this backend gave what it names.
    pub(crate) const fn is_obtained(self) -> bool {
        self.obtained
    }

    /// Whether it stands for something on this backend and nobody began to give it up.
    pub(crate) fn is_live(self) -> bool {
        self.obtained && self.life == Life::Present
    }

    /// Whether it stands for something on this backend, or may soon, or did until a moment ago.
    pub(crate) fn is_held(self) -> bool {
        self.obtained || self.life == Life::Coming
    }
}
