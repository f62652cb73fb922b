//! The crate stands alone, and a kernel that leaves the reference off sees the vocabulary and nothing else.

/// The names in a section of the manifest.
fn section(name: &str) -> Vec<&'static str> {
    include_str!("../Cargo.toml")
        .lines()
        .skip_while(|line| *line != name)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .filter(|word| !word.is_empty() && !word.starts_with('#'))
        .collect()
}

#[test]
fn the_crate_depends_on_nothing_and_its_tests_on_nothing_of_ours() {
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.lines().any(|line| line == "[dependencies]"));
    assert_eq!(section("[dependencies]"), [""; 0]);
    assert_eq!(section("[dev-dependencies]"), ["proptest"]);
    let sections: Vec<_> = manifest.lines().filter(|line| line.contains("dependencies")).collect();
    assert_eq!(sections, ["[dependencies]", "[dev-dependencies]"], "no dependency stands anywhere else");
    assert_eq!(section("[features]"), ["default", "reference"]);
}

#[test]
fn everything_but_the_vocabulary_is_behind_the_feature() {
    let lines: Vec<_> =
        include_str!("../src/lib.rs").lines().filter(|line| !line.starts_with("//")).collect();
    let mut vocabulary = 0;
    for (n, line) in lines.iter().enumerate() {
        match *line {
            "pub mod vocabulary;" => {
                vocabulary += 1;
                assert!(n == 0 || !lines[n - 1].starts_with("#["), "the vocabulary is always there");
            }
            "" | "#[cfg(feature = \"reference\")]" => {}
            _ => assert_eq!(lines[n - 1], "#[cfg(feature = \"reference\")]", "{line}"),
        }
    }
    assert_eq!(vocabulary, 1);
}

#[test]
fn the_vocabulary_uses_nothing_but_the_core_library() {
    let src = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
    let folder = std::fs::read_dir(format!("{src}vocabulary")).expect("the folder of the vocabulary");
    let mut files: Vec<_> = folder.map(|file| file.expect("a file").path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    files.push(format!("{src}vocabulary.rs").into());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file of the vocabulary");
        let uses = text.lines().map(str::trim_start).filter(|line| line.starts_with("use "));
        for line in uses {
            assert!(line.starts_with("use core::") || line.starts_with("use super::"), "{line}");
        }
        assert!(!text.contains("crate::") && !text.contains("std::"));
    }
}
