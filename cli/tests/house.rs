//! The house rules that no compiler keeps: who may use whom, what the kernels may see, and which lints hold where.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;

/// The crates from the bottom up, and which of ours each may use.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("machine", &[]),
    ("oracle", &[]),
    ("impls", &["machine", "oracle"]),
    ("subjects", &["machine", "oracle", "impls"]),
    ("harness", &["machine", "oracle", "impls", "subjects"]),
    ("shootdown", &["harness"]),
    ("shootdown-fuzz", &["harness"]),
    ("shootdown-afl", &["harness"]),
    ("shootdown-mutator", &["harness"]),
    ("shootdown-counters", &[]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// Every package of ours: the members of the workspace, and those of the fuzzers' own.
fn packages() -> Vec<Value> {
    ["Cargo.toml", "fuzz/Cargo.toml"]
        .into_iter()
        .flat_map(|manifest| packages_of(&root().join(manifest)))
        .collect()
}

fn packages_of(manifest: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo speaks JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a package has a name")
}

fn folder(package: &Value) -> &Path {
    let manifest = package["manifest_path"].as_str().expect("a package has a manifest");
    Path::new(manifest).parent().expect("a manifest lies in a folder")
}

/// The dependencies of every kind: a crate that is needed only by the tests of another is used by it too.
fn dependencies(package: &Value) -> &[Value] {
    package["dependencies"].as_array().expect("a package has dependencies")
}

fn is_ours(package: &str) -> bool {
    MAY_USE.iter().any(|(ours, _)| *ours == package)
}

#[test]
fn every_crate_has_a_place_in_the_house() {
    let packages = packages();
    let mut found: Vec<&str> = packages.iter().map(name).collect();
    let mut known: Vec<&str> = MAY_USE.iter().map(|(ours, _)| *ours).collect();
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known);
}

#[test]
fn nothing_uses_what_stands_below_it() {
    for package in packages() {
        let crate_name = name(&package);
        let (_, allowed) =
            MAY_USE.iter().find(|(ours, _)| *ours == crate_name).expect("a place in the house");
        for dependency in dependencies(&package) {
            let used = name(dependency);
            assert!(!is_ours(used) || allowed.contains(&used), "{crate_name} must not use {used}");
        }
    }
}

#[test]
fn kernels_see_only_the_vocabulary_of_the_oracle() {
    let packages = packages();
    for kernels in packages.iter().filter(|package| ["impls", "subjects"].contains(&name(package))) {
        let mut uses =
            dependencies(kernels).iter().filter(|dependency| name(dependency) == "oracle").peekable();
        assert!(uses.peek().is_some(), "{} speaks the vocabulary of the oracle", name(kernels));
        for oracle in uses {
            assert_eq!(oracle["uses_default_features"], false, "the reference is a default feature");
            assert_eq!(
                oracle["features"],
                Value::Array(Vec::new()),
                "no feature of the oracle is for kernels"
            );
        }
    }

    let oracle = packages.iter().find(|package| name(package) == "oracle").expect("oracle is there");
    assert_eq!(oracle["features"]["reference"], Value::Array(Vec::new()), "the reference is a feature");
}

/// The lines of one table of a manifest, without comments.
fn table<'a>(manifest: &'a str, header: &str) -> Vec<&'a str> {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_crate_inherits_the_lints_of_the_workspace() {
    for package in packages() {
        let manifest = read(&folder(&package).join("Cargo.toml"));
        assert_eq!(table(&manifest, "[lints]"), ["workspace = true"], "{}", name(&package));
    }
}

#[test]
fn both_workspaces_forbid_unsafe_code_and_demand_documentation() {
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let manifest = read(&root().join(manifest));
        let lints = table(&manifest, "[workspace.lints.rust]");
        assert!(lints.contains(&r#"unsafe_code = "forbid""#), "{lints:?}");
        assert!(lints.contains(&r#"missing_docs = "deny""#), "{lints:?}");
    }
}

/// Whether the keyword stands in the code: comments, strings and the names of lints do not count.
fn says_unsafe(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "unsafe",
        TokenTree::Group(group) => says_unsafe(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder can be read to its end").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_keyword_unsafe_is_told_from_the_word() {
    let tokens = |source| TokenStream::from_str(source).expect("tokens");
    assert!(says_unsafe(tokens("fn f() { if true { unsafe { g() } } }")));
    assert!(says_unsafe(tokens("#[unsafe(no_mangle)] fn f() {}")));
    assert!(!says_unsafe(tokens(
        "/// unsafe\n#[deny(unsafe_code)] fn f() { /* unsafe */ g(\"unsafe\", 'u') }"
    )));
}

#[test]
fn no_crate_says_unsafe() {
    for package in packages() {
        let mut files = Vec::new();
        rust_files(folder(&package), &mut files);
        assert!(!files.is_empty(), "{} has no code", name(&package));
        for file in files {
            let tokens = TokenStream::from_str(&read(&file))
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(!says_unsafe(tokens), "{} says unsafe", file.display());
        }
    }
}
