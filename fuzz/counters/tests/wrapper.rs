//! `fuzz/rustc-wrapper`: for which crates, and of what, it lets the engines ask for coverage.

use std::path::Path;
use std::process::Command;

/// The words that reach rustc, as `printf` stands in for it.
fn reach(words: &[&str]) -> Vec<String> {
    let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rustc-wrapper");
    let output =
        Command::new(wrapper).args(["printf", "%s\\n"]).args(words).output().expect("the wrapper runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

/// As cargo-fuzz asks, and as cargo-afl does.
const ASKED: [&str; 12] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
    "-C",
    "passes=sancov-module",
    "-C",
    "llvm-args=-sanitizer-coverage-trace-pc-guard",
    "-C",
    "llvm-args=-sanitizer-coverage-trace-compares",
    "-C",
    "opt-level=3",
];

#[test]
fn a_crate_without_kernels_is_compiled_without_coverage() {
    for name in ["harness", "oracle", "machine", "impls_of_another", "serde"] {
        let words = [&["--crate-name", name], &ASKED[..], &["--cfg", "feature=\"a b\""]].concat();
        assert_eq!(reach(&words), ["--crate-name", name, "-C", "opt-level=3", "--cfg", "feature=\"a b\""]);
    }
}

#[test]
fn a_crate_with_kernels_is_compiled_with_coverage_of_its_edges() {
    for name in ["impls", "subjects"] {
        let edges = [&ASKED[..2], &ASKED[4..8], &ASKED[10..]].concat();
        let words = [&["--crate-name", name], &ASKED[..]].concat();
        assert_eq!(reach(&words), [&["--crate-name", name], &edges[..]].concat());
    }
}

#[test]
fn a_build_without_an_engine_passes_as_it_is() {
    let words = ["--crate-name", "harness", "-", "--test", "-C", "debuginfo=1", "-Copt-level=1", "-C"];
    assert_eq!(reach(&words), words);
}

/// Cargo builds anew what was built by another version of rustc, and knows of no other way to learn that a wrapper changed.
#[test]
fn the_version_tells_of_the_wrapper() {
    let told = reach(&["rustc", "-vV"]);
    assert_eq!(told[..2], ["rustc", "-vV"]);
    assert!(told[2].starts_with("coverage: of the kernels ("), "{told:?}");
}
