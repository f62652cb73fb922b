//! Panics while a story is played: those of a kernel are findings, and printing them would drown the report.

use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

/// What panicked, and where.
#[derive(Clone, Debug)]
pub(super) struct Panic {
    pub(super) message: String,
    pub(super) file: String,
    pub(super) line: u32,
}

impl Panic {
    fn new(info: &PanicHookInfo<'_>) -> Self {
        let message = info.payload_as_str().unwrap_or("no words").to_owned();
        let (file, line) = info.location().map_or((String::new(), 0), |at| (at.file().to_owned(), at.line()));
        Self { message, file, line }
    }

    /// Whether it comes from what is tested, and not from what tests it: the reference and the harness panic only
    /// where they are wrong themselves.
    pub(super) fn is_of_the_kernel(&self) -> bool {
        !["harness/src/", "oracle/src/"].iter().any(|ours| self.file.contains(ours))
    }
}

thread_local! {
    static PLAYING: Cell<bool> = const { Cell::new(false) };
    static FIRST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// From now on a panic of this thread is kept and not printed.
pub(super) fn begin_playing() {
    PLAYING.set(true);
}

/// From now on panics are printed again. Gives what panicked since [`begin_playing`].
pub(super) fn end_playing() -> Option<Panic> {
    PLAYING.set(false);
    FIRST.take()
}

/// Puts a hook before the one that there is.
pub(super) fn hush_while_playing() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !PLAYING.get() {
                return before(info);
            }
            let panic = Panic::new(info);
            // One of our own is printed, as it ends the program.
            if !panic.is_of_the_kernel() {
                before(info);
            }
            FIRST.with_borrow_mut(|first| {
                first.get_or_insert(panic);
            });
        }));
    });
}
