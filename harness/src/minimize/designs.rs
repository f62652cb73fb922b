//! Fewer designs: those of the header, and those that were asked for by name. All of them at once, then one, then two,
//! which may be correct together only.
//!
//! A design that stays is one that the finding needs. So none may go if those that stay are broken for a reason of their
//! own: the same headline would tell of that reason then.

use crate::combinations;

use super::Shrink;

/// A design that was chosen, by its point.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Choice {
    /// The story, in its header.
    OfStory(&'static str),
    /// The caller or the file, by name.
    AskedFor(String),
}

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    if leave_out(shrink, &choices(shrink)) {
        return;
    }
    for choice in choices(shrink) {
        leave_out(shrink, &[choice]);
    }
    let left = choices(shrink);
    for (index, first) in left.iter().enumerate() {
        for second in &left[index + 1..] {
            let there = choices(shrink);
            if there.contains(first) && there.contains(second) {
                leave_out(shrink, &[first.clone(), second.clone()]);
            }
        }
    }
}

/// What is chosen and might go.
fn choices(shrink: &Shrink<'_>) -> Vec<Choice> {
    let of_story = shrink.story.header.designs.changed().map(|(point, _)| Choice::OfStory(point));
    let asked_for = shrink.runner.setup().asked_for.iter();
    of_story.chain(asked_for.map(|(point, _)| Choice::AskedFor(point.clone()))).collect()
}

/// Leaves choices out, if the same recurs without them.
fn leave_out(shrink: &mut Shrink<'_>, choices: &[Choice]) -> bool {
    let before = shrink.runner.setup().clone();
    let (mut story, mut asked_for) = (shrink.story.clone(), before.asked_for.to_vec());
    for choice in choices {
        match choice {
            Choice::OfStory(point) => combinations::take_back(&mut story.header.designs, point),
            Choice::AskedFor(left_out) => asked_for.retain(|(point, _)| point != left_out),
        }
    }
    let after = before.asking_for(asked_for.into());
    let on = story.header.backends;
    let with = before.designs_over(shrink.story.header.designs);
    let without = after.designs_over(story.header.designs);
    if combinations::breaks_otherwise((without, on), (with, on)) {
        return false;
    }
    shrink.runner.change_setup(after);
    let kept = shrink.attempt(&story);
    if !kept {
        shrink.runner.change_setup(before);
    }
    kept
}
