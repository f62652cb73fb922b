//! The last resort, when no change that was thought of beforehand helps any more: walks by chance over stories that are
//! about as long and find the same. From each of them one event less is tried. The walks are always the same for the same
//! story.

use crate::story::Story;
use crate::story::mutate::Variation;

use super::Shrink;

/// Up to this many events it is worth it.
const EVENTS: usize = 16;

/// This many walks for each event are taken before it is given up.
const WALKS: usize = 2;

/// This many steps are one walk; the next begins anew, since what is far from the story leads nowhere.
const STEPS: usize = 5_000;

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    while shrink.story.events.len() <= EVENTS && !shrink.stopped && finds_shorter(shrink) {}
}

/// Whether a walk came by a story with fewer events, which is taken over then.
fn finds_shorter(shrink: &mut Shrink<'_>) -> bool {
    let least = shrink.story.events.len();
    let mut variation = Variation::new(least as u64);
    (0..WALKS * least).any(|_| walk(shrink, &mut variation))
}

fn walk(shrink: &mut Shrink<'_>, variation: &mut Variation) -> bool {
    let mut here = shrink.story.clone();
    let least = here.events.len();
    for _ in 0..STEPS {
        if shrink.stopped {
            return false;
        }
        let next = variation.of(&here).resolve().to_story();
        if next.events.len() < least {
            if shrink.attempt(&next) {
                return true;
            }
            continue;
        }
        if next.events.len() > least + 1 || next == here || !shrink.finds_the_same(&next) {
            continue;
        }
        if (0..next.events.len()).any(|index| leaves_out(shrink, &next, index, least)) {
            return true;
        }
        here = next;
    }
    false
}

/// Whether a story does without this event, and is shorter than the shortest then.
fn leaves_out(shrink: &mut Shrink<'_>, story: &Story, index: usize, least: usize) -> bool {
    let mut without = story.clone();
    without.events.remove(index);
    without.events.len() < least && shrink.attempt(&without)
}
