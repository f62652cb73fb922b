//! Fewer pauses. In the end those that are left are written by name.

use machine::Pause;

use super::Shrink;

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    for index in (0..shrink.story.events.len()).rev() {
        if index < shrink.story.events.len() && shrink.story.events[index].pause.is_some() {
            shrink.attempt_with(|story| story.events[index].pause = None);
        }
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
                shrink.smallest = shrink.measure(&named);
                shrink.story = named;
                break;
            }
        }
    }
}
