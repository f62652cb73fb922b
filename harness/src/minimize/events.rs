//! Fewer events: whatever comes after the finding, long stretches first, then single events, then two and three at once,
//! which belong together (a mapping and its unmapping, a page freed and allocated again).

use super::Shrink;

/// Up to this many events, every two of them are left out at once.
const PAIRS: usize = 40;
/// Up to this many events, every three.
const TRIPLES: usize = 14;

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    cut_the_end(shrink);
    stretches(shrink);
    together(shrink);
}

/// What is told after the event that finds something.
fn cut_the_end(shrink: &mut Shrink<'_>) {
    if let Some(event) = shrink.finding.event {
        let length = usize::from(event) + 1;
        if length < shrink.story.events.len() {
            shrink.attempt_with(|story| story.events.truncate(length));
        }
    }
}

/// Delta debugging: stretches of half the story, then of a quarter, down to one.
fn stretches(shrink: &mut Shrink<'_>) {
    let mut length = shrink.story.events.len() / 2;
    while length > 0 {
        // From the end on, so that what was kept stays where it is.
        let mut from = shrink.story.events.len();
        while from > 0 {
            from = from.saturating_sub(length).min(shrink.story.events.len());
            let to = (from + length).min(shrink.story.events.len());
            if from < to {
                shrink.attempt_with(|story| drop(story.events.drain(from..to)));
            }
        }
        length /= 2;
    }
}

fn together(shrink: &mut Shrink<'_>) {
    'again: loop {
        let count = shrink.story.events.len();
        for first in 0..count {
            for second in first + 1..count {
                if count <= PAIRS && leave_out(shrink, &[second, first]) {
                    continue 'again;
                }
                for third in second + 1..count {
                    if count <= TRIPLES && leave_out(shrink, &[third, second, first]) {
                        continue 'again;
                    }
                }
            }
        }
        return;
    }
}

/// Leaves events out, the last first.
fn leave_out(shrink: &mut Shrink<'_>, indices: &[usize]) -> bool {
    shrink.attempt_with(|story| {
        for index in indices {
            story.events.remove(*index);
        }
    })
}
