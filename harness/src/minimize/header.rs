//! A plainer header: fewer backends, fewer designs, calmer hardware, smaller sizes, fewer CPUs.

use impls::Sizes;
use machine::Temperament;

use crate::story::{Backends, Story};

use super::{Shrink, designs};

pub(super) fn shrink(shrink: &mut Shrink<'_>) {
    for backend in Backends::all() {
        shrink.attempt_with(|story| {
            if story.header.backends != backend {
                story.header.backends.remove(backend);
            }
        });
    }
    designs::shrink(shrink);
    for flag in Temperament::all() {
        shrink.attempt_with(|story| story.header.temperament.remove(flag));
    }
    for sizes in Sizes::ALL {
        shrink.attempt_with(|story| story.header.sizes = sizes);
    }
    cpus(shrink);
}

/// One CPU takes over what was told to another; those that are told nothing are left out.
fn cpus(shrink: &mut Shrink<'_>) {
    for from in (1..shrink.story.header.cpus).rev() {
        for to in 0..from {
            shrink.attempt_with(|story| {
                for event in &mut story.events {
                    if event.cpu == from {
                        event.cpu = to;
                    }
                }
                close_ranks(story);
            });
        }
    }
    shrink.attempt_with(close_ranks);
    // A finding may need CPUs that are told nothing.
    shrink.attempt_with(|story| {
        let told = story.events.iter().map(|event| event.cpu).max().unwrap_or(0);
        story.header.cpus = (story.header.cpus - 1).max(told + 1);
    });
}

/// CPUs are numbered by their first appearance, and there are no more of them than that.
fn close_ranks(story: &mut Story) {
    let mut names: Vec<u8> = Vec::new();
    for event in story.events.iter_mut().filter(|event| event.action.has_cpu()) {
        let known = names.iter().position(|name| *name == event.cpu).unwrap_or_else(|| {
            names.push(event.cpu);
            names.len() - 1
        });
        event.cpu = known as u8;
        if let crate::story::Action::Deliver { from: Some(from) } = &mut event.action {
            *from = names.iter().position(|name| name == from).map_or(*from, |known| known as u8);
        }
    }
    story.header.cpus = (names.len() as u8).max(1);
}
