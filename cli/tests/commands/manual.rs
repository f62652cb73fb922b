//! That `docs/cli.md` is true: each command has its section, and the JSON that is shown there has the shape of what is
//! said.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::program::Place;

const MANUAL: &str = include_str!("../../../docs/cli.md");

/// The section of the manual about a command.
fn section(command: &str) -> &'static str {
    let (_, rest) = MANUAL
        .split_once(&format!("\n## {command}\n"))
        .unwrap_or_else(|| panic!("docs/cli.md has a section about {command}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The JSON document that it shows.
fn shown(command: &str) -> Value {
    let (_, rest) = section(command).split_once("```json\n").expect("it shows a document");
    let (json, _) = rest.split_once("```").expect("that ends");
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{command}: {error}"))
}

/// The path of every field.
fn fields(value: &Value, path: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = format!("{path}.{name}");
                fields(value, &path, all);
                all.insert(path);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| fields(value, &format!("{path}[]"), all)),
        _ => {}
    }
}

fn shape(value: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    fields(value, "", &mut all);
    all
}

#[test]
fn json_has_the_shape_that_the_manual_shows() {
    let place = Place::new();
    place.write(
        "a.story",
        "story 1\nunder bug canary\ncpus 1, hardware calm, sizes tiny, backends native xen\nc0  free-page p0\n",
    );
    let commands: [&[&str]; 10] = [
        &["run", "--stories", "50", "--bug", "canary"],
        &["replay", "a.story"],
        &["minimize", "a.story"],
        &["explain", "a.story"],
        &["show", "a.story"],
        &["encode", "a.story"],
        &["prove", "--part", "bugs", "--bug", "canary", "--tries", "20", "--few", "20", "--seeds", "1"],
        &["bugs"],
        &["designs"],
        &["cost", "--question", "drain", "--cpus", "2", "--backends", "native"],
    ];
    for command in commands {
        let said = place.run(&[command, &["--format", "json"]].concat()).json();
        assert_eq!(shape(&shown(command[0])), shape(&said), "{}", command[0]);
    }
}

/// What `make cost` writes into the document is what the tool says. Not all of it is asked here, as that takes some minutes.
#[test]
fn the_tables_about_cost_say_what_the_tool_says() {
    let document = include_str!("../../../docs/cost.md");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let shown: BTreeSet<_> = document.lines().map(words).collect();
    let place = Place::new();
    for asked in [
        ["--question", "drain", "--cpus", "1,8", "--backends", "native,xen"],
        ["--question", "tables", "--cpus", "2", "--backends", "xen"],
        ["--question", "scaling", "--cpus", "1", "--backends", "native"],
        ["--question", "user", "--cpus", "1,2,8", "--backends", "native,xen,kvm,hyperv"],
    ] {
        let said = place.run(&[&["cost"], &asked[..]].concat()).out;
        assert!(said.lines().count() > 4, "{said}");
        for line in said.lines() {
            assert!(
                shown.contains(&words(line)),
                "docs/cost.md does not say this; `make cost` writes it: {line}"
            );
        }
    }
}

#[test]
fn every_command_has_its_section() {
    let help = Place::new().run(&["--help"]).out;
    let commands = help.split("Commands:\n").nth(1).expect("a list").split("\n\n").next().expect("its end");
    let names: Vec<_> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 5, "{help}");
    for name in names {
        assert!(section(name).contains(&format!("$ shootdown {name}")), "{name} has an example");
    }
}

/// A line of a report without the number of the line of code, which moves as the code does.
fn without_number(line: &str) -> &str {
    line.rsplit_once(".rs:").map_or(line, |(rest, _)| rest)
}

#[test]
fn the_report_in_the_readme_is_what_the_tool_says() {
    const README: &str = include_str!("../../../README.md");
    let (_, rest) = README.split_once("```\n").expect("it shows a report");
    let (shown, _) = rest.split_once("\n```").expect("that ends");
    let story = shown.lines().skip_while(|line| *line != "    story 1").take_while(|line| !line.is_empty());
    let story: Vec<_> = story.map(|line| line[4..].trim_start()).collect();
    let place = Place::new();
    place.write("reused.story", format!("{}\n", story.join("\n")));
    let ran = place.run(&["explain", "reused.story"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let said = ran.out.lines().map(without_number).take(shown.lines().count());
    assert_eq!(said.collect::<Vec<_>>(), shown.lines().map(without_number).collect::<Vec<_>>());
}

#[test]
fn what_the_pages_about_the_seeds_say_of_cost_stands_in_the_page_about_cost() {
    const COST: &str = include_str!("../../../docs/cost.md");
    for page in [include_str!("../../../docs/seed-000.md"), include_str!("../../../docs/seed-004.md")] {
        let (_, shown) = page.split_once("\n## What it costs\n").expect("it says what it costs");
        let rows: Vec<_> = shown.lines().filter(|line| line.starts_with("  ")).collect();
        assert!(rows.len() > 10, "{shown}");
        for row in rows {
            assert!(COST.lines().any(|line| line == row), "{row}");
        }
    }
}
