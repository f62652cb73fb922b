//! The hypervisor, as stories of guests gone astray tell of it: what a rule says that no shortest witness shows.

use harness::catalogue::Selection;
use harness::checks::Checks;
use harness::headline::Finding;
use harness::runner::Runner;
use harness::story::{Backends, Story, Under};

fn find(bug: Option<&str>, text: &str) -> Option<Finding> {
    let under = Under { bug: bug.map(str::to_owned), designs: Vec::new() };
    let setup = Selection::all(&under).expect("a known bug")[0].setup();
    let story: Story = format!("story 1\n{text}").parse().expect("a story");
    Runner::new(setup, Checks::default()).play(&story, Backends::all())
}

/// The table that was there before is a table still: nothing is walked that was freed, and no data overwritten.
#[test]
fn an_update_that_goes_to_the_table_of_before_is_not_what_was_acknowledged() {
    let lines = |second: &str| {
        format!(
            "cpus 1, backends native xen\n\
            c0  hv-pin p1 1\n\
            c0  hv-pin p2 1\n\
            c0  hv-pin p0 2\n\
            c0  hv-update p0+0 -> p1 writable\n\
            c0  hv-update-va p0+0 -> p3 writable\n\
            {second}\
            c0  hv-update-va p0+0 -> p3 writable\n"
        )
    };
    let replaced = "c0  hv-update p0+0 -> p2 writable\n";
    let found = find(Some("linear-table-stale.a"), &lines(replaced)).expect("p1 is written to");
    let headline = "rule 7 (hypervisor): hv-update-va on xen, c0: \
                    an acknowledged update changed nothing that the tables reach";
    assert_eq!(found.headline.to_string(), headline);
    assert_eq!(
        find(None, &lines(replaced)),
        None,
        "by default every change of an upper entry is flushed for"
    );
    assert_eq!(find(Some("linear-table-stale.a"), &lines("")), None, "the table is the same");
    let flushed = format!("{replaced}c0  hv-flush\n");
    assert_eq!(
        find(Some("linear-table-stale.a"), &lines(&flushed)),
        None,
        "a flush of everything is one of it"
    );
}

/// What is seen is that a CPU can write the table, and not that the flush came early.
#[test]
fn a_type_that_is_taken_after_the_flush_is_seen_where_the_page_was_writable_in_between() {
    let lines = |paused: &str, between: &str| {
        format!(
            "cpus 2, hardware eager-walkers, backends native xen\n\
            c0  hv-update p0+0 empty\n\
            c0  hv-pin p1 1\n\
            c0  hv-pin p0 1  {paused}\n\
            {between}"
        )
    };
    let before = "pause before locked type_info";
    let writable = "c1  hv-update p1+0 -> p0 writable\nc1  hv-update p1+0 empty\n";
    let found = find(Some("type-after-flush"), &lines(before, writable)).expect("c1 can write p0");
    let headline = "rule 7 (hypervisor): hv-pin on xen, c0: a CPU can write a page table";
    assert_eq!(found.headline.to_string(), headline);
    assert_eq!(find(None, &lines(before, writable)), None, "the flush comes after all of that");
    let readable = writable.replace("writable", "readable");
    assert_eq!(find(Some("type-after-flush"), &lines(before, &readable)), None);
    assert_eq!(find(Some("type-after-flush"), &lines("", "")), None, "no other CPU came by");
    let kept = "c1  hv-update p1+0 -> p0 writable\n";
    assert_eq!(find(Some("type-after-flush"), &lines(before, kept)), None, "the type is another: refused");
}
