//! What a page may hold: the tokens that its word can have at this moment, and what accesses in flight may see.
//!
//! Contents belong to the page, whichever mapping shows it. This file must never drop a token that the word may still hold;
//! [`crate::reference`] argues why it does not.

use core::fmt;

use crate::vocabulary::{AreaSlot, MAX_PAGES, PageSlot, SLOTS, Token};

/// CPUs that the reference keeps apart.
pub(crate) const CPUS: usize = 8;

/// Where a word is: on a page that a caller holds, or on one that an area owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Home(u8);

impl Home {
    /// One word for each page slot, and [`MAX_PAGES`] words for each area slot.
    const ALL: usize = SLOTS as usize * (1 + MAX_PAGES);

    /// The page of an area that owns it, one of [`MAX_PAGES`].
    pub(crate) const fn owned(area: AreaSlot, page: u8) -> Self {
        Self(SLOTS + area.number() * MAX_PAGES as u8 + page)
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<PageSlot> for Home {
    fn from(page: PageSlot) -> Self {
        Self(page.number())
    }
}

/// A small set of tokens in ascending order. It keeps its memory when it is cleared.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenSet(Vec<Token>);

impl TokenSet {
    fn insert(&mut self, token: Token) {
        if let Err(at) = self.0.binary_search(&token) {
            self.0.insert(at, token);
        }
    }

    pub(crate) fn contains(&self, token: Token) -> bool {
        self.0.binary_search(&token).is_ok()
    }

    fn become_only(&mut self, token: Token) {
        self.0.clear();
        self.0.push(token);
    }

    fn become_copy_of(&mut self, other: &Self) {
        self.0.clone_from(&other.0);
    }
}

impl fmt::Display for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, token) in self.0.iter().enumerate() {
            write!(f, "{}{token}", if n == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}

/// The word of one page.
#[derive(Debug, Default)]
struct Word {
    /// Every token that it may hold now. A write in flight is always among them. Empty for a page that holds no word (not
    /// allocated, or a table).
    possible: TokenSet,
    /// Writes in flight.
    writers: u8,
    /// The story's order alone leaves one token; no observation of this backend went into that.
    forced: bool,
    /// A write was void here that the story told later than every write begun here.
    skipped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Read,
    Write(Token),
}

/// An access in flight on one CPU.
#[derive(Debug, Default)]
struct Access {
    what: Option<(Home, Kind)>,
    /// For a read: every token that was possible at some moment since it began. For a write: the tokens of all other writes
    /// that were in flight at some moment since it began.
    met: TokenSet,
    /// For a read: a write was in flight at some moment since it began.
    disturbed: bool,
}

/// The words of all pages and the accesses in flight.
#[derive(Debug)]
pub(crate) struct Contents {
    words: Box<[Word]>,
    /// How many of the words the stories since the last clearing have touched.
    touched: usize,
    accesses: [Access; CPUS],
}

impl Default for Contents {
    fn default() -> Self {
        let words = (0..Home::ALL).map(|_| Word::default()).collect();
        Self { words, touched: 0, accesses: Default::default() }
    }
}

impl Contents {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        for word in &mut self.words[..std::mem::take(&mut self.touched)] {
            word.possible.0.clear();
            (word.writers, word.forced, word.skipped) = (0, false, false);
        }
        for access in &mut self.accesses {
            access.what = None;
        }
    }

    fn touch(&mut self, page: Home) -> &mut Word {
        self.touched = self.touched.max(page.index() + 1);
        &mut self.words[page.index()]
    }

    /// The kernel zeroed the page, and no CPU accessed it meanwhile. Every word begins so.
    pub(crate) fn zero(&mut self, page: impl Into<Home>) {
        let word = self.touch(page.into());
        word.possible.become_only(Token::ZERO);
        (word.forced, word.skipped) = (true, false);
    }

    /// The kernel may have zeroed the page, or not; no CPU accesses it.
    pub(crate) fn perhaps_zero(&mut self, page: impl Into<Home>) {
        let word = self.touch(page.into());
        word.possible.insert(Token::ZERO);
        word.forced = false;
    }

    /// The page holds no word any more.
    pub(crate) fn vanish(&mut self, page: impl Into<Home>) {
        let word = self.touch(page.into());
        word.possible.0.clear();
        word.forced = false;
    }

    /// A change of the page that other backends may have made was void on this one.
    pub(crate) fn skip(&mut self, page: impl Into<Home>) {
        let word = self.touch(page.into());
        (word.forced, word.skipped) = (false, true);
    }

    /// A read begins.
    pub(crate) fn begin_read(&mut self, cpu: usize, page: Home) {
        let word = &self.words[page.index()];
        let access = &mut self.accesses[cpu];
        debug_assert!(access.what.is_none(), "one access at a time on a CPU");
        access.what = Some((page, Kind::Read));
        access.met.become_copy_of(&word.possible);
        access.disturbed = word.writers > 0;
    }

    /// A write begins: from now on its token may be found.
    pub(crate) fn begin_write(&mut self, cpu: usize, page: Home, token: Token) {
        debug_assert!(self.accesses[cpu].what.is_none(), "one access at a time on a CPU");
        self.accesses[cpu].met.0.clear();
        for other in 0..CPUS {
            match self.accesses[other].what {
                Some((there, kind)) if there == page => {
                    self.accesses[other].met.insert(token);
                    self.accesses[other].disturbed = true;
                    if let Kind::Write(theirs) = kind {
                        self.accesses[cpu].met.insert(theirs);
                    }
                }
                _ => {}
            }
        }
        self.accesses[cpu].what = Some((page, Kind::Write(token)));
        let word = &mut self.words[page.index()];
        word.possible.insert(token);
        word.writers += 1;
        (word.forced, word.skipped) = (false, false);
    }

    /// What the read in flight on this CPU may return if it ends now, and whether the story's order alone leaves no other
    /// value.
    pub(crate) fn readable(&self, cpu: usize) -> (&TokenSet, bool) {
        let access = &self.accesses[cpu];
        let (page, _) = access.what.expect("a read that ends has begun");
        let word = &self.words[page.index()];
        // Undisturbed, the word stayed the same all the time, so what another reader learned holds for this
        // one too.
        if access.disturbed { (&access.met, false) } else { (&word.possible, word.forced) }
    }

    /// The read in flight on this CPU found this token, legally, and is about to end.
    pub(crate) fn learn(&mut self, cpu: usize, found: Token) {
        let access = &self.accesses[cpu];
        if let Some((page, Kind::Read)) = access.what
            && !access.disturbed
        {
            self.words[page.index()].possible.become_only(found);
        }
    }

    /// Ends the read in flight on this CPU.
    pub(crate) fn end_read(&mut self, cpu: usize) {
        self.accesses[cpu].what = None;
    }

    /// Ends the write in flight on this CPU: its token is there, unless a write that overlapped it came later.
    pub(crate) fn end_write(&mut self, cpu: usize) {
        let access = &mut self.accesses[cpu];
        let Some((page, Kind::Write(token))) = access.what.take() else {
            panic!("a write that ends has begun");
        };
        let word = &mut self.words[page.index()];
        word.writers -= 1;
        word.possible.0.retain(|&other| other == token || access.met.contains(other));
        word.forced = word.possible.0.len() == 1 && !word.skipped;
    }

    /// Ends the write in flight on this CPU, which faulted and left nothing behind. On another backend it may have gone
    /// through, so an earlier write that ends later forces nothing.
    pub(crate) fn abandon_write(&mut self, cpu: usize) {
        let Some((page, Kind::Write(token))) = self.accesses[cpu].what.take() else {
            panic!("a write that ends has begun");
        };
        let word = &mut self.words[page.index()];
        word.writers -= 1;
        word.possible.0.retain(|&other| other != token);
        (word.forced, word.skipped) = (false, true);
    }

    /// Every token that the page may hold now, in ascending order.
    pub(crate) fn possible(&self, page: impl Into<Home>) -> &[Token] {
        &self.words[page.into().index()].possible.0
    }

    /// The one token that the story's order forces the page to hold, on every backend that performs everything the story
    /// tells.
    pub(crate) fn forced(&self, page: impl Into<Home>) -> Option<Token> {
        let word = &self.words[page.into().index()];
        if word.forced { word.possible.0.first().copied() } else { None }
    }
}
