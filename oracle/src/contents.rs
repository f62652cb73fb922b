//! What a page may hold: the tokens that its word can have at this moment, and what accesses in flight may see.
//!
//! Contents belong to the page, whichever mapping shows it. This file must never drop a token that the word may still hold;
//! [`crate::reference`] argues why it does not.
//!
//! An access in user mode that overlaps a change of mappings may reach one of several words. A write then leaves its token
//! possible in each of them and removes nothing; a read may find what any of them held, and teaches nothing. An access reaches a
//! word from the moment on at which it joins the word, so all that the head of `reference` says of an interval holds of the rest
//! of the interval.

mod copies;

use core::fmt;

use crate::vocabulary::{AreaSlot, MAX_PAGES, PageSlot, SLOTS, Token};

/// CPUs that the reference keeps apart.
pub(crate) const CPUS: usize = 8;

/// Where a word is: on a page that a caller holds, on one that an area owns, or on one that the kernel gave to user memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Home(u16);

impl Home {
    /// One word for each page slot, and [`MAX_PAGES`] words for each area slot. Those of user memory follow.
    const FIXED: usize = SLOTS as usize * (1 + MAX_PAGES);

    /// The page of an area that owns it, one of [`MAX_PAGES`].
    pub(crate) const fn owned(area: AreaSlot, page: u8) -> Self {
        Self((SLOTS + area.number() * MAX_PAGES as u8 + page) as u16)
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<PageSlot> for Home {
    fn from(page: PageSlot) -> Self {
        Self(page.number().into())
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

    fn insert_all(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
        } else {
            other.0.iter().for_each(|token| self.insert(*token));
        }
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
    what: Option<Kind>,
    /// The words that it may reach; one, but for an access in user mode.
    homes: Vec<Home>,
    /// For a read: every token that was possible at some moment since it began. For a write: the tokens of all other writes
    /// that were in flight at some moment since it began.
    met: TokenSet,
    /// For a read: it may reach several words, or a write was in flight at some moment since it began.
    disturbed: bool,
}

impl Access {
    fn reaches(&self, page: Home) -> bool {
        self.what.is_some() && self.homes.contains(&page)
    }
}

/// The words of all pages and the accesses in flight.
#[derive(Debug)]
pub(crate) struct Contents {
    words: Vec<Word>,
    /// How many of the words that are always there the stories since the last clearing have touched.
    touched: usize,
    /// How many words user memory took since the last clearing.
    taken: usize,
    accesses: [Access; CPUS],
    copies: Vec<copies::Copying>,
}

impl Default for Contents {
    fn default() -> Self {
        let words = (0..Home::FIXED).map(|_| Word::default()).collect();
        Self { words, touched: 0, taken: 0, accesses: Default::default(), copies: Vec::new() }
    }
}

impl Contents {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        let (fixed, taken) = self.words.split_at_mut(Home::FIXED);
        let fixed = &mut fixed[..std::mem::take(&mut self.touched)];
        let taken = &mut taken[..std::mem::take(&mut self.taken)];
        for word in fixed.iter_mut().chain(taken) {
            word.possible.0.clear();
            (word.writers, word.forced, word.skipped) = (0, false, false);
        }
        for access in &mut self.accesses {
            access.what = None;
        }
        self.copies.clear();
    }

    fn touch(&mut self, page: Home) -> &mut Word {
        if page.index() < Home::FIXED {
            self.touched = self.touched.max(page.index() + 1);
        }
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
        let page = page.into();
        let word = self.touch(page);
        (word.forced, word.skipped) = (false, true);
        self.skip_copies(page);
    }

    /// A read of this word begins.
    pub(crate) fn begin_read(&mut self, cpu: usize, page: Home) {
        self.open_read(cpu);
        self.join(cpu, page);
    }

    /// A write to this word begins: from now on its token may be found.
    pub(crate) fn begin_write(&mut self, cpu: usize, page: Home, token: Token) {
        self.open_write(cpu, token);
        self.join(cpu, page);
    }

    /// A read begins that reaches no word yet.
    pub(crate) fn open_read(&mut self, cpu: usize) {
        self.open(cpu, Kind::Read);
    }

    /// A write begins that reaches no word yet.
    pub(crate) fn open_write(&mut self, cpu: usize, token: Token) {
        self.open(cpu, Kind::Write(token));
    }

    fn open(&mut self, cpu: usize, kind: Kind) {
        let access = &mut self.accesses[cpu];
        debug_assert!(access.what.is_none(), "one access at a time on a CPU");
        (access.what, access.disturbed) = (Some(kind), false);
        access.homes.clear();
        access.met.0.clear();
    }

    /// The access in flight on this CPU may reach this word from now on.
    pub(crate) fn join(&mut self, cpu: usize, page: Home) {
        let access = &mut self.accesses[cpu];
        if access.homes.contains(&page) {
            return;
        }
        match access.what.expect("an access that joins a word has begun") {
            Kind::Read => {
                let word = &self.words[page.index()];
                access.disturbed |= word.writers > 0 || !access.homes.is_empty();
                access.met.insert_all(&word.possible);
            }
            Kind::Write(token) => self.join_write(cpu, page, token),
        }
        self.accesses[cpu].homes.push(page);
    }

    fn join_write(&mut self, cpu: usize, page: Home, token: Token) {
        for other in 0..CPUS {
            if self.accesses[other].reaches(page) {
                self.accesses[other].met.insert(token);
                self.accesses[other].disturbed = true;
                if let Some(Kind::Write(theirs)) = self.accesses[other].what {
                    self.accesses[cpu].met.insert(theirs);
                }
            }
        }
        let word = &mut self.words[page.index()];
        word.possible.insert(token);
        word.writers += 1;
        (word.forced, word.skipped) = (false, false);
        self.copy_on(page, token);
    }

    /// What the read in flight on this CPU may return if it ends now, and whether the story's order alone leaves no other
    /// value.
    pub(crate) fn readable(&self, cpu: usize) -> (&TokenSet, bool) {
        let access = &self.accesses[cpu];
        // Undisturbed, the word stayed the same all the time, so what another reader learned holds for this
        // one too.
        match access.homes[..] {
            [page] if !access.disturbed => {
                let word = &self.words[page.index()];
                (&word.possible, word.forced)
            }
            _ => (&access.met, false),
        }
    }

    /// The read in flight on this CPU found this token, legally, and is about to end.
    pub(crate) fn learn(&mut self, cpu: usize, found: Token) {
        let access = &self.accesses[cpu];
        if let (Some(Kind::Read), [page], false) = (access.what, &access.homes[..], access.disturbed) {
            self.words[page.index()].possible.become_only(found);
        }
    }

    /// Ends the read in flight on this CPU.
    pub(crate) fn end_read(&mut self, cpu: usize) {
        self.accesses[cpu].what = None;
    }

    /// Ends the write in flight on this CPU: its token is there, unless a write that overlapped it came later. It forces its word
    /// only if the story's order alone made it reach that word.
    pub(crate) fn end_write(&mut self, cpu: usize, certain: bool) {
        let (token, access) = self.take_write(cpu);
        let alone = access.homes.len() == 1;
        for page in &access.homes {
            let word = &mut self.words[page.index()];
            word.writers -= 1;
            if alone {
                word.possible.0.retain(|&other| other == token || access.met.contains(other));
            }
            word.skipped |= !(alone && certain);
            word.forced = word.possible.0.len() == 1 && !word.skipped;
        }
        self.accesses[cpu] = access;
    }

    /// Ends the write in flight on this CPU, which left nothing behind. On another backend it may have gone through, so an
    /// earlier write that ends later forces nothing.
    pub(crate) fn abandon_write(&mut self, cpu: usize) {
        let (token, access) = self.take_write(cpu);
        for page in &access.homes {
            let word = &mut self.words[page.index()];
            word.writers -= 1;
            word.possible.0.retain(|&other| other != token);
            (word.forced, word.skipped) = (false, true);
            self.skip_copies(*page);
        }
        self.accesses[cpu] = access;
    }

    /// The write in flight on this CPU, which is over; the caller puts its memory back.
    fn take_write(&mut self, cpu: usize) -> (Token, Access) {
        let mut access = std::mem::take(&mut self.accesses[cpu]);
        let Some(Kind::Write(token)) = access.what.take() else { panic!("a write that ends has begun") };
        (token, access)
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
