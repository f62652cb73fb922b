//! Fewer pauses, and earlier ones; a pause that is moved may make another event needless. In the end pauses are written
//! by name.

use machine::Pause;

use super::Shrink;

/// Pauses beyond this number are not tried: operations have fewer points, but for the largest.
const FARTHEST: u16 = 120;

/// Up to so many events, a pause is moved while another event is left out.
const MOVES: usize = 12;

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    for index in (0..shrink.story.events.len()).rev() {
        if index < shrink.story.events.len() && shrink.story.events[index].pause.is_some() {
            shrink.attempt_with(|story| story.events[index].pause = None);
        }
    }
    move_for_an_event(shrink);
}

/// Moves a pause to every point in turn while one other event is left out.
fn move_for_an_event(shrink: &mut Shrink<'_>) {
    'again: loop {
        let count = shrink.story.events.len();
        if count > MOVES || shrink.stopped {
            return;
        }
        for paused in 0..count {
            if shrink.story.events[paused].pause.is_none() {
                continue;
            }
            for left_out in (0..count).filter(|left_out| *left_out != paused) {
                for number in 1..=FARTHEST {
                    if shrink.attempt_with(|story| {
                        story.events[paused].pause = Some(Pause::At(number));
                        story.events.remove(left_out);
                    }) {
                        continue 'again;
                    }
                }
            }
        }
        return;
    }
}

/// Pauses by number become pauses by name: the first occurrence by which the story finds the same.
pub(super) fn by_name(shrink: &mut Shrink<'_>) {
    for index in 0..shrink.story.events.len() {
        let Some(Pause::At(_)) = shrink.story.events[index].pause else { continue };
        let story = shrink.story.clone();
        if !shrink.recurs(&story) {
            return;
        }
        let at = shrink.runner.pauses().iter().rev().find(|(event, _)| usize::from(*event) == index);
        let Some(&(_, point)) = at else { continue };
        for occurrence in 1..=u8::MAX {
            let mut named = story.clone();
            named.events[index].pause = Some(Pause::Before { point, occurrence });
            if shrink.recurs(&named) {
                shrink.story = named;
                break;
            }
        }
    }
}
