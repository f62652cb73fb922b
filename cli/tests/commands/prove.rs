//! `prove`.

use crate::program::Place;

/// Little of it: a debug build is slow.
const LITTLE: [&str; 7] = ["prove", "--tries", "2000", "--few", "50", "--seeds", "1"];

fn proves(place: &Place, flags: &[&str]) -> (i32, String) {
    let ran = place.run(&[&LITTLE[..], flags].concat());
    (ran.code, ran.out)
}

#[test]
fn a_bug_that_is_found_and_minimized_has_a_line_and_code_0() {
    let place = Place::new();
    let (code, said) = proves(&place, &["--bug", "canary", "--bug", "exchange-alias.c"]);
    assert!(!said.contains("raise no alarm"), "a bug alone is asked for: {said}");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("| `canary` | native, xen, kvm, hyperv | 1 | 1 |"), "{said}");
    assert!(said.contains("| `exchange-alias.c` | xen | 1 | 1 |"), "{said}");
    assert!(said.ends_with("all of this holds\n"), "{said}");
    assert_eq!(place.names(""), [""; 0], "nothing is to be shown");
}

#[test]
fn a_bug_that_is_not_found_is_named_with_code_1() {
    let place = Place::new();
    let one = ["--tries", "1", "--few", "1", "--seeds", "1"];
    let ran = place.run(&[&["prove", "--part", "bugs", "--bug", "kernel-table-sync.a"], &one[..]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("DOES NOT HOLD: kernel-table-sync.a: not found with seed 1\n"), "{}", ran.out);
    assert!(ran.out.ends_with("1 claim does not hold\n"), "{}", ran.out);
}

#[test]
fn correct_kernels_raise_no_alarm_by_default_nor_by_sample() {
    let place = Place::new();
    let few =
        ["--part", "default", "--part", "sampled", "--stories", "300", "--sampled", "500", "--jobs", "2"];
    let (code, said) = proves(&place, &few);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the default designs raise no alarm: 300 stories"), "{said}");
    assert_eq!(
        said.matches("too few stories to say whether they reach everything 100 times").count(),
        2,
        "{said}"
    );
    for (on, stories) in [("native, xen, kvm and hyperv", 300), ("native", 100), ("xen", 100)] {
        let line = format!("that is held to be correct raises an alarm on {on}: {stories} stories");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn what_is_no_bug_or_no_part_is_bad_input() {
    let place = Place::new();
    place.refuses(&["prove", "--bug", "canari"], &["no known bug \"canari\"; expected one of canary"]);
    place.refuses(&["prove", "--part", "all"], &["default, sampled, bugs"]);
    place
        .refuses(&["prove", "--part", "default", "--bug", "canary"], &["expected --part bugs, or no --part"]);
    place.refuses(&["prove", "--seeds", "0"], &["expected a number from 1 on"]);
}
