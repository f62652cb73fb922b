//! `bugs` and `designs`, and `--help` of everything.

use harness::catalogue::{BUGS, LEGAL};
use harness::protocol::Designs;

use crate::program::Place;

#[test]
fn every_design_point_and_variant_is_listed() {
    let place = Place::new();
    let (text, json) = (place.run(&["designs"]), place.run(&["designs", "--format", "json"]));
    assert_eq!((text.code, json.code), (0, 0));
    let listed = json.json();
    for (number, point) in Designs::POINTS.iter().enumerate() {
        assert!(text.out.contains(&format!("{} (seed {})", point.name, point.seed)), "{}", text.out);
        let listed = &listed["designs"][number];
        assert_eq!((&listed["point"], &listed["seed"]), (&point.name.into(), &point.seed.into()));
        assert_eq!(listed["default"], point.variants[0].0);
        for (number, (name, meaning)) in point.variants.iter().enumerate() {
            assert!(text.out.contains(name) && text.out.contains(meaning.trim()), "{}", text.out);
            assert_eq!(listed["variants"][number]["name"], *name);
        }
    }
}

#[test]
fn every_known_bug_is_listed_with_its_source_and_what_is_changed() {
    let place = Place::new();
    let (text, json) = (place.run(&["bugs"]), place.run(&["bugs", "--format", "json"]));
    assert_eq!((text.code, json.code), (0, 0));
    let listed = json.json()["bugs"].as_array().expect("a list").clone();
    assert_eq!(listed.len(), BUGS.len());
    for (bug, listed) in BUGS.iter().zip(listed) {
        assert_eq!((&listed["name"], &listed["source"]), (&bug.name.into(), &bug.source.into()));
        assert_eq!(listed["changes"].as_array().expect("a list").len(), bug.changes().len());
        assert!(!listed["backends"].as_array().expect("a list").is_empty(), "{listed}");
        assert!(text.out.contains(bug.name) && text.out.contains(&bug.changes()[0]), "{}", text.out);
        assert_eq!(listed["finds"], bug.finds());
        let effects: Vec<_> = bug.effects().collect();
        assert_eq!(listed["effects"], serde_json::json!(effects));
        // Long lines are broken where a terminal ends.
        let told = text.out.split("\n\n").find(|told| told.starts_with(&format!("{} (on ", bug.name)));
        let told = told.expect("a paragraph").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&format!(" finds: {}", bug.finds())), "{told}");
        assert!(effects.iter().all(|finds| told.contains(&format!(" also: {finds}"))), "{told}");
    }
}

#[test]
fn what_is_legal_is_told_after_the_bugs_and_cannot_be_planted() {
    let place = Place::new();
    let (text, json) = (place.run(&["bugs"]), place.run(&["bugs", "--format", "json"]).json());
    let (_, told) = text.out.split_once("\nLegal, and therefore no bug:\n").expect("it comes after the bugs");
    let listed = json["legal"].as_array().expect("a list");
    assert_eq!(listed.len(), LEGAL.len());
    for (legal, listed) in LEGAL.iter().zip(listed) {
        assert!(told.contains(&format!("\n{} (legal)\n", legal.name)), "{told}");
        assert_eq!((&listed["name"], &listed["why"]), (&legal.name.into(), &legal.why.into()));
        assert_eq!((&listed["about"], &listed["source"]), (&legal.about.into(), &legal.source.into()));
        place.refuses(&["run", "--stories", "1", "--bug", legal.name], &["no known bug"]);
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let place = Place::new();
    let all = place.run(&["--help"]).out;
    let commands = all.split("Commands:\n").nth(1).expect("a list").split("\n\n").next().expect("its end");
    // What goes on in a second line is indented deeper.
    let lines =
        commands.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let names: Vec<_> = lines.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 5, "{all}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let ran = place.run(&[name, "--help"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(ran.out.contains(&format!("Examples:\n  shootdown {name}")), "{}", ran.out);
    }
}
