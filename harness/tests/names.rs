//! An operation is named in its row, where it is called, judged, weighed and priced, and nowhere else: another operation must not
//! take a change of every file that could name one.

use oracle::vocabulary::ROWS;
use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders that are about single operations.
const ABOUT_OPERATIONS: [&str; 9] = [
    "oracle/src/vocabulary/",
    "oracle/src/reference/",
    "impls/src/callers",
    "harness/src/tactics",
    "harness/src/checks/",
    "harness/src/cost/",
    "harness/src/catalogue",
    "cli/src/cost",
    // The rules, in words.
    "oracle/src/contract.rs",
];

/// Words of operations that are words of their own right too.
const PLAIN: [&str; 5] = ["read", "write", "exec", "load", "store"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("a folder can be read to its end").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The files of these crates, each by its path from the root, and its code without comments and tests.
fn code(crates: &[&str]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for name in crates {
        sources(&root().join(name).join("src"), &mut files);
    }
    files.sort();
    let without_comments = |text: &str| {
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
        lines.collect::<Vec<_>>().join("\n")
    };
    let read = |path: PathBuf| {
        let from_root = path.strip_prefix(root()).expect("it lies beneath").display().to_string();
        (from_root, without_comments(&fs::read_to_string(&path).expect("a text")))
    };
    files.into_iter().map(read).collect()
}

/// `set-memory-ro` as the compiler names it.
fn variant(word: &str) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    word.split('-').map(capital).collect()
}

/// Whether a text has a word, and not as a part of another.
fn has(code: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (code[..at].chars().next_back(), code[at + word.len()..].chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// The ways to name an operation in this code.
fn named(code: &str, is_kernel: bool) -> Vec<String> {
    let mut named = Vec::new();
    for word in ROWS.map(|row| row.word) {
        let variant = variant(word);
        let mut spellings = vec![format!("Operation::{variant}"), format!("Tag::{variant}")];
        // A kernel has functions of such names.
        if !is_kernel && !PLAIN.contains(&word) {
            spellings.extend([word.to_owned(), word.replace('-', "_")]);
        }
        named.extend(spellings.into_iter().filter(|spelling| has(code, spelling)));
    }
    named
}

#[test]
fn no_file_names_an_operation_but_those_that_are_about_operations() {
    let mut complaints = Vec::new();
    for (file, code) in code(&["oracle", "impls", "subjects", "harness", "cli"]) {
        if !ABOUT_OPERATIONS.iter().any(|about| file.starts_with(about)) {
            let named = named(&code, file.starts_with("impls/"));
            complaints.extend((!named.is_empty()).then(|| format!("{file}: {}", named.join(", "))));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_name_is_seen_in_every_spelling() {
    assert_eq!(named("if tag == Tag::SetMemoryRo {", false), ["Tag::SetMemoryRo"]);
    assert_eq!(named("Operation::Read { place } =>", true), ["Operation::Read"]);
    assert_eq!(named("\"c0  map-ram p0\"", false), ["map-ram"]);
    assert_eq!(named("fn hv_update_va()", false), ["hv_update_va"]);
    assert!(named("pages_vmapped, self.read(), unvmap, hv-updates", false).is_empty());
    assert!(named("self.vmap(cpu, pages)", true).is_empty(), "a kernel does it");
}

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    let mut files = Vec::new();
    for name in ["machine", "oracle", "impls", "subjects", "harness", "cli"] {
        sources(&root().join(name).join("src"), &mut files);
    }
    for file in files {
        let lines = fs::read_to_string(&file).expect("a text").lines().count();
        assert!(lines <= 500, "{} has {lines} lines", file.display());
    }
}
