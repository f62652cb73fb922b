//! The hypervisor, as stories of guests gone astray tell of it: what a rule says that no shortest witness shows.

use std::rc::Rc;

use harness::catalogue::Selection;
use harness::checks::Checks;
use harness::headline::Finding;
use harness::runner::Runner;
use harness::story::{Backends, Story, Under};
use harness::subject::Setup;
use impls::protocol::TableFree;
use impls::{Designs, Protocol, Step};

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

/// A table of an address space that goes to a grace period before the flush, and a CPU whose walk cache leads to it.
const TABLE_BEFORE_FLUSH: &str = "cpus 2, backends xen\n\
    c0  new-mm -> m0\n\
    c0  mmap m0:10+2 anonymous writable\n\
    c0  load m0:10\n\
    c1  munmap m0:10+2          pause before load mm_cpumask\n\
    grace-period\n\
    c0  fill-user m0:11\n";

/// The guest makes the page of a table that goes writable again, and the hypervisor has every CPU forget what it was.
#[test]
fn a_table_that_is_freed_before_the_flush_is_hidden_by_the_flush_on_a_change_of_type() {
    let find = |designs: Designs, omitted: &[Step]| {
        let protocol = Rc::new(Protocol::new(designs, omitted));
        let story: Story = format!("story 1\n{TABLE_BEFORE_FLUSH}").parse().expect("a story");
        let mut runner = Runner::new(Setup { protocol, ..Setup::default() }, Checks::default());
        runner.play(&story, Backends::all()).map(|finding| finding.headline.breach())
    };
    let walked = Some("rule 6 (frames): a walk went through a freed table".to_owned());
    let no_invalidate = Designs { table_free: TableFree::RcuNoInvalidate, ..Designs::default() };
    let (full, change) = (Step::InvalidateBeforeFullBatch, Step::FlushOnTypeChange);
    assert_eq!(find(no_invalidate, &[]), None);
    assert_eq!(find(no_invalidate, &[change]), walked);
    assert_eq!(find(Designs::default(), &[full]), None);
    assert_eq!(find(Designs::default(), &[full, change]), walked);
    assert_eq!(find(Designs::default(), &[change]), None);
}
