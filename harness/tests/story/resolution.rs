//! Resolution: which handles an event means, and which events are void.

use harness::story::{Resolved, ResolvedAction, Story, Told, resolve};
use oracle::vocabulary::{Call, Operation, Token};
use proptest::prelude::*;

use crate::strategy;

proptest! {
    #[test]
    fn a_resolved_story_told_again_resolves_to_the_same(story in strategy::story()) {
        resolves_to_the_same(&story);
    }

    #[test]
    fn used_memory_changes_nothing(first in strategy::story(), second in strategy::story()) {
        let mut resolved = Resolved::default();
        resolve::resolve_into(&first, &mut resolved);
        resolve::resolve_into(&second, &mut resolved);
        prop_assert_eq!(resolved, second.resolve());
    }
}

fn resolves_to_the_same(story: &Story) {
    let resolved = story.resolve();
    let told = resolved.to_story();
    let again = told.resolve();
    assert_eq!(again.void, 0);
    assert_eq!(again.to_story(), told);
    let kept: Vec<Told> = resolved.events.iter().filter(|told| !told.is_void()).copied().collect();
    assert_eq!(kept.len(), again.events.len());
    for (index, (before, after)) in kept.iter().zip(&again.events).enumerate() {
        assert_eq!(renumbered(before, index as u16), *after);
    }
    assert_eq!(Story::decode(&told.encode()), Ok(told));
}

#[test]
fn what_stands_for_a_buffer_is_not_taken_for_an_area_the_second_time() {
    let events = "c0  dma-alloc p0+1 -> b0\nc0  vunmap a0\nc0  write b14+5 irqs-off\ndevice-write b4+4\n";
    let story = format!("story 1\ncpus 1, hardware calm, sizes small, backends xen\n{events}");
    resolves_to_the_same(&story.parse().unwrap());
}

fn renumbered(told: &Told, index: u16) -> Told {
    let mut told = Told { index, ..*told };
    if let ResolvedAction::Call(Call {
        operation:
            Operation::Write { token, .. }
            | Operation::DeviceWrite { token, .. }
            | Operation::WriteDirect { token, .. }
            | Operation::Store { token, .. }
            | Operation::CopyToUser { token, .. }
            | Operation::PinWrite { token, .. },
        ..
    }) = &mut told.action
    {
        *token = Token(u32::from(index) + 1);
    }
    told
}

/// What each line means: the line with its operands bound, or `void`.
fn meaning(lines: &str) -> Vec<String> {
    let story: Story = format!("story 1\ncpus 3\n{lines}").parse().unwrap();
    let resolved = story.resolve();
    assert_eq!(resolved.void, resolved.events.iter().filter(|told| told.is_void()).count());
    let line = |told: &Told| told.to_event().map_or("void".to_owned(), |event| event.to_string());
    resolved.events.iter().map(line).collect()
}

fn means(expected: &[(&str, &str)]) {
    let lines: Vec<&str> = expected.iter().map(|(line, _)| *line).collect();
    for ((line, expected), meaning) in expected.iter().zip(meaning(&lines.join("\n"))) {
        let expected = if expected.is_empty() { line } else { expected };
        let squeezed = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(&squeezed, expected, "{line}");
    }
}

#[test]
fn a_slot_that_is_not_live_stands_for_the_next_one() {
    means(&[
        ("c0 vmap p9+2 -> a3", "c0 vmap p0+2 -> a3"),
        ("c0 vmap p3+2 -> a3", "c0 vmap p3+2 -> a4"),
        ("c1 read a5+3", "c1 read a3+1"),
        ("c1 vunmap a4", ""),
        ("c1 vunmap a4", "c1 vunmap a3"),
        ("c0 alloc-page -> p2", "c0 alloc-page -> p4"),
        ("c0 make-table p4", ""),
        ("c0 free-page p4", "c0 free-page p0"),
        ("c0 unmake-table p5", "c0 unmake-table p4"),
        ("c0 map-ram p0+8 -> r15", "c0 map-ram p1+4 -> r15"),
        ("c0 map-ram p1+1 -> r15", "c0 map-ram p1+1 -> r0"),
    ]);
}

#[test]
fn where_nothing_is_live_an_event_is_void() {
    means(&[
        ("c0 vunmap a0", "void"),
        ("c0 unmap-ram r0", "void"),
        ("c0 read r0+0", "void"),
        ("c0 write a0+0", "void"),
        ("c0 fill a0+0", "void"),
        ("c0 unmake-table p0", "void"),
        ("c0 continue", "void"),
        ("c0 free-page p0", ""),
        ("c0 free-page p0", "c0 free-page p1"),
        ("c0 free-page p0", "c0 free-page p2"),
        ("c0 free-page p0", "c0 free-page p3"),
        ("c0 free-page p0", "void"),
        ("c0 vmap p0+1 -> a0", "void"),
        ("c0 make-table p0", "void"),
    ]);
}

#[test]
fn where_no_slot_is_free_a_new_handle_is_void() {
    let mut lines = vec![("c0 map-ram p0+1 -> r7", "")];
    let slots: Vec<String> = (8..16).chain(0..7).map(|slot| format!("c0 map-ram p0+1 -> r{slot}")).collect();
    lines.extend(slots.iter().map(|slot| ("c0 map-ram p0+1 -> r7", slot.as_str())));
    lines.push(("c0 map-ram p0+1 -> r7", "void"));
    means(&lines);
}

#[test]
fn a_page_that_a_raw_hypercall_names_is_given_up_to_such_calls() {
    means(&[
        ("c0 hv-unpin p0", "void"),
        ("c0 hv-write p0+0", "void"),
        ("c0 vmap p0+1 -> a0", ""),
        ("c0 hv-pin p0 1", "c0 hv-pin p1 1"),
        ("c0 hv-update p1+3 -> p0 large", "c0 hv-update p1+3 -> p1 large"),
        ("c0 hv-update p2+0 -> foreign readable", ""),
        ("c0 vunmap a0", ""),
        ("c0 vmap p0+3 -> a0", "c0 vmap p0+2 -> a0"),
        ("c0 free-page p1", "void"),
        ("c0 hv-unpin p0", "c0 hv-unpin p1"),
        ("c0 hv-write p9+2", "c0 hv-write p1+2"),
        ("c0 hv-flush", ""),
    ]);
}

#[test]
fn a_mapped_page_is_not_given_away() {
    means(&[
        ("c0 vmap p0+1 -> a0", ""),
        ("c0 map-ram p0+1 -> r0", ""),
        ("c0 free-page p0", "void"),
        ("c0 make-table p0", "void"),
        ("c0 vunmap a0", ""),
        ("c0 free-page p0", "void"),
        ("c0 unmap-ram r0 pause at 3", ""),
        ("c1 free-page p0", "void"),
        ("c1 make-table p0", "void"),
        ("c0 continue", ""),
        ("c1 make-table p0", ""),
        ("c1 free-page p0", "c1 free-page p1"),
    ]);
}

#[test]
fn a_mapping_is_not_unmapped_under_a_read() {
    means(&[
        ("c0 vmap p0+2 -> a0", ""),
        ("c0 read a0+1 pause at 1", ""),
        ("c1 write a0+1 pause at 1", ""),
        ("c2 vunmap a0", "void"),
        ("c0 continue", ""),
        ("c2 vunmap a0", "void"),
        ("c1 continue", ""),
        ("c2 vunmap a0 pause at 5", ""),
        ("c0 read a0+1", "void"),
        ("c1 vunmap a0", "void"),
        ("c1 fill a0+1", ""),
        ("c2 continue", ""),
        ("c1 fill a0+3", "c1 fill a0+1"),
        ("c1 read a0+0", "void"),
    ]);
}

#[test]
fn a_new_handle_is_live_at_its_told_end() {
    means(&[
        ("c0 vmap p0+1 -> a0 pause at 4", ""),
        ("c1 read a0+0", "void"),
        ("c1 vunmap a0", "void"),
        ("c1 fill a0+0", "void"),
        ("c1 free-page p0", "void"),
        ("c1 vmap p1+1 -> a0", "c1 vmap p1+1 -> a1"),
        ("c0 read a0+0", ""),
        ("c0 alloc-page -> p4 pause at 4", ""),
        ("c1 free-page p4", "void"),
        ("c1 alloc-page -> p4", "c1 alloc-page -> p5"),
        ("c0 run-work", ""),
        ("c1 free-page p4", ""),
        ("c0 make-table p2 pause at 1", ""),
        ("c1 free-page p2", "void"),
        ("c1 unmake-table p2", "void"),
        ("c1 vmap p2+1 -> a3", "void"),
        ("c1 vmap p1+2 -> a3", "c1 vmap p1+2 -> a3"),
    ]);
}

#[test]
fn a_page_that_is_given_away_is_left_out_of_a_list() {
    means(&[
        ("c0 free-page p1 pause at 1", ""),
        ("c1 vmap p0+2 -> a0", ""),
        ("c0 continue", ""),
        ("c1 free-page p2", "void"),
        ("c1 free-page p0", "void"),
        ("c1 free-page p3", ""),
    ]);
}

#[test]
fn a_tree_takes_the_pages_that_nothing_holds_and_gives_them_back() {
    means(&[
        ("c0 vmap p1+1 -> a0", ""),
        ("c0 set-page-flag p2 pause at 2", ""),
        ("c1 pin-tree p1+4 -> t3 pause at 1", "c1 pin-tree p3+2 -> t3 pause at 1"),
        ("c2 unpin-tree t3", "void"),
        ("c2 pin-tree p0+1 -> t0", "void"),
        ("c2 make-table p3", "void"),
        ("c2 set-page-flag p3", "void"),
        ("c1 continue", ""),
        ("c2 make-table p3", "void"),
        ("c2 vmap p3+4 -> a1", "c2 vmap p1+2 -> a1"),
        ("c2 alloc-page -> p3", "c2 alloc-page -> p4"),
        ("c2 unpin-tree t0 pause at 1", "c2 unpin-tree t3 pause at 1"),
        ("c1 make-table p0", "void"),
        ("c2 continue", ""),
        ("c1 make-table p0", ""),
        ("c1 unpin-tree t3", "void"),
    ]);
}

#[test]
fn a_page_is_mapped_and_not_given_away_while_its_flags_are_changed() {
    means(&[
        ("c0 set-page-flag p0 pause at 2", ""),
        ("c1 set-page-flag p0 irqs-off", ""),
        ("c1 vmap p0+1 -> a0", ""),
        ("c1 vunmap a0", ""),
        ("c1 free-page p0", "void"),
        ("c1 make-table p0", "void"),
        ("c1 pin-tree p0+1 -> t0", "c1 pin-tree p1+1 -> t0"),
        ("c0 make-table p0 irqs-off", ""),
        ("c1 track-aliases", ""),
    ]);
}

#[test]
fn handlers_nest_on_a_paused_operation() {
    means(&[
        ("c0 vmap p0+1 -> a0", ""),
        ("c0 read a0+0 pause at 1", ""),
        ("c0 deliver from c1 pause at 2", ""),
        ("c0 continue", ""),
        ("c1 vunmap a0", "void"),
        ("c0 continue pause at 9", ""),
        ("c1 vunmap a0", "void"),
        ("c0 deliver", ""),
        ("c0 drain-stores 1", ""),
        ("c0 fill a0+0", ""),
        ("grace-period", ""),
        ("c1 vunmap a0", "void"),
        ("c0 continue", ""),
        ("c1 vunmap a0", ""),
    ]);
}

#[test]
fn handlers_nest_only_so_deep() {
    let mut lines = vec![("c0 deliver pause at 1", ""); 6];
    lines.push(("c0 deliver pause at 1", "void"));
    lines.push(("c0 deliver", ""));
    lines.extend([("c0 continue", ""); 6]);
    lines.push(("c0 continue", "void"));
    means(&lines);
}

#[test]
fn an_event_that_begins_something_ends_what_is_paused_on_its_cpu() {
    means(&[
        ("c0 vmap p0+1 -> a0 pause at 1", ""),
        ("c0 deliver pause at 1", ""),
        ("c0 vunmap a0", ""),
        ("c0 continue", "void"),
        ("c0 free-page p0", ""),
    ]);
}

#[test]
fn a_void_event_does_not_continue_what_is_paused() {
    means(&[
        ("c0 vmap p0+1 -> a0 pause at 1", ""),
        ("c0 free-page p0", "void"),
        ("c1 read a0+0", "void"),
        ("c0 continue", ""),
        ("c1 read a0+0", ""),
    ]);
}

#[test]
fn nest_says_how_much_is_paused_after_the_event() {
    let lines = "story 1\ncpus 2\nc0 read a0+0\nc0 vmap p0+1 -> a0 pause at 1\nc0 deliver pause at 1\nc1 deliver\n\
                 c0 free-page p0\nc0 continue pause at 1\nc0 continue\nc0 continue\n";
    let story: Story = lines.parse().unwrap();
    let nest: Vec<u8> = story.resolve().events.iter().map(|told| told.nest).collect();
    assert_eq!(nest, [0, 1, 2, 0, 2, 2, 1, 0]);
}

#[test]
fn tokens_are_named_after_their_event() {
    let story: Story = "story 1\ncpus 1\nc0 vmap p0+1 -> a0\nc0 write a0+0\nc0 write a0+0\n".parse().unwrap();
    let tokens: Vec<Token> = story
        .resolve()
        .events
        .iter()
        .filter_map(|told| match told.action {
            ResolvedAction::Call(Call { operation: Operation::Write { token, .. }, .. }) => Some(token),
            _ => None,
        })
        .collect();
    assert_eq!(tokens, [Token(2), Token(3)]);
}

#[test]
fn buffers_are_made_of_pages_that_nothing_maps_and_freed_when_nothing_else_does() {
    means(&[
        ("c0 vmap p1+1 -> a0", ""),
        ("c0 dma-alloc p0+3 -> b2", "c0 dma-alloc p0+3 -> b2"),
        ("c0 dma-alloc p0+1 -> b0", "void"),
        ("c0 vmap p2+1 -> a1", ""),
        ("c0 write b0+4", "c0 write b2+1"),
        ("device-write b5+2", "device-write b2+2"),
        ("c0 dma-free b2", "void"),
        ("c0 vunmap a1", ""),
        ("c0 dma-free b7", "c0 dma-free b2"),
        ("device-read b2+0", "void"),
        ("d1 touch", ""),
    ]);
}

#[test]
fn nobody_uses_the_pages_of_a_buffer_while_it_is_made_or_freed() {
    means(&[
        ("c0 dma-alloc p0+2 -> b0 irqs-off pause at 1", ""),
        ("c1 vmap p0+1 -> a0", "void"),
        ("c1 read b0+0", "void"),
        ("device-read b0+0", "void"),
        ("c0 continue", ""),
        ("c1 vmap p0+1 -> a0", ""),
        ("c1 vunmap a0", ""),
        ("c0 dma-free b0 pause at 1", ""),
        ("c1 vmap p0+1 -> a0", "void"),
        ("device-read b0+0", "void"),
    ]);
}

#[test]
fn a_range_ends_with_the_last_page_that_an_address_space_has() {
    means(&[
        ("c0 mmap m0:0+1 anonymous writable", "void"),
        ("c0 fill-user m0:0", "void"),
        ("c0 new-mm -> m2", ""),
        ("c0 mmap m0:14+8 anonymous writable", "c0 mmap m2:14+2 anonymous writable"),
        ("c0 munmap m2:15+2", "c0 munmap m2:15+1"),
        ("c0 mmap m2:0+2 shared o0+0 readable", "void"),
        ("c0 new-object +1 -> o4", ""),
        ("c0 mmap m2:0+2 shared o0+3 readable", "c0 mmap m2:0+2 shared o4+3 readable"),
        ("c0 store m9:3", "c0 store m2:3"),
    ]);
}

#[test]
fn an_address_space_and_an_object_stay_while_something_is_done_with_user_memory() {
    means(&[
        ("c0 new-mm -> m0", ""),
        ("c0 new-object +1 -> o0", ""),
        ("c0 mmap m0:0+1 private o0+0 writable pause at 1", ""),
        ("c1 drop-object o0", "void"),
        ("c1 drop-mm m0", "void"),
        ("c1 munmap m0:0+1", ""),
        ("c0 continue", ""),
        ("c1 drop-object o0", ""),
        ("c1 load m0:0 pause at 1", ""),
        ("c0 drop-mm m0", "void"),
        ("c1 continue", ""),
        ("c0 drop-mm m0 pause at 1", ""),
        ("c1 load m0:0", "void"),
        ("c1 fill-user m0:0", ""),
        ("c0 continue", ""),
        ("c1 fill-user m5:7", "c1 fill-user m0:7"),
    ]);
}

#[test]
fn pinned_pages_are_as_many_as_were_asked_for_and_outlive_their_address_space() {
    means(&[
        ("c0 new-mm -> m0", ""),
        (
            "c0 gup-fast m0:13+5 writable -> g3 irqs-off pause at 1",
            "c0 gup-fast m0:13+3 writable -> g3 irqs-off pause at 1",
        ),
        ("c1 pin-read g3+0", "void"),
        ("c1 unpin g3", "void"),
        ("c0 continue", ""),
        ("c0 drop-mm m0", ""),
        ("c1 pin-write g0+5", "c1 pin-write g3+2"),
        ("c1 pin-read g3+1 pause at 1", ""),
        ("c0 unpin g3", "void"),
        ("c1 continue", ""),
        ("c0 unpin g3", ""),
        ("c1 pin-read g3+1", "void"),
    ]);
}
