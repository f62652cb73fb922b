//! What libFuzzer's target counts, read from the binary that `make targets` built.
//!
//! The compiler puts a counter at the edges of the code that it compiles with coverage, and the address of each into a table,
//! `__sancov_pcs` (Clang's "SanitizerCoverage", the flag `pc-table`). The symbols say whose code an address is in.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};
use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

/// A function and how many counters it has.
struct Function {
    name: String,
    size: u64,
    counters: u64,
}

/// Where `make` says the target is.
fn binary() -> PathBuf {
    let named = std::env::var_os("SHOOTDOWN_TARGET");
    let named = named.expect("SHOOTDOWN_TARGET names a target of libFuzzer, as `make targets` sets it");
    // Cargo runs a test in the folder of its package, and `make` names the binary from the root.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(named)
}

fn functions() -> Vec<Function> {
    let path = binary();
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: ElfFile64<'_, Endianness> = ElfFile64::parse(&*bytes).expect("an ELF file");
    let mut functions: BTreeMap<u64, Function> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().expect("a name")));
            (symbol.address(), Function { name, size: symbol.size(), counters: 0 })
        })
        .collect();
    for address in counted(&file) {
        let function = functions.range_mut((Unbounded, Included(address))).next_back();
        let (start, function) = function.expect("a counter stands in a function");
        assert!(address < start + function.size, "a counter at {address:#x} stands in no function");
        function.counters += 1;
    }
    functions.into_values().collect()
}

/// The addresses in the table. The table has two words a counter, an address and what is there; in a file that can be loaded
/// anywhere the addresses are relocations.
fn counted<Elf: FileHeader<Endian = Endianness>>(file: &object::read::elf::ElfFile<'_, Elf>) -> Vec<u64> {
    let table = file.section_by_name("__sancov_pcs").expect("the target is built with coverage");
    let table = table.address()..table.address() + table.size();
    let relocations = file.dynamic_relocations().expect("a file that can be loaded anywhere");
    relocations
        .filter(|(at, relocation)| {
            table.contains(at)
                && (at - table.start).is_multiple_of(16)
                && relocation.target() == RelocationTarget::Absolute
        })
        .map(|(_, relocation)| relocation.addend().cast_unsigned())
        .collect()
}

fn is_of_a_kernel(function: &&Function) -> bool {
    function.name.contains("impls::")
}

/// Were the kernels instantiated elsewhere, their code would stand in the binary without counters: cargo builds only the
/// crates `impls` and `subjects` with coverage.
#[test]
fn the_engines_see_nine_tenths_of_the_kernels() {
    let functions = functions();
    let kernels = || functions.iter().filter(is_of_a_kernel);
    let counters: u64 = kernels().map(|function| function.counters).sum();
    let seen: u64 = kernels().filter(|function| function.counters > 0).map(|function| function.size).sum();
    let blind: Vec<&Function> = kernels().filter(|function| function.counters == 0).collect();
    let unseen: u64 = blind.iter().map(|function| function.size).sum();
    // In a build with coverage of everything, code that has none here would have as many counters as the rest has.
    let percent = 100 * seen / (seen + unseen);
    println!(
        "{counters} counters in the kernels, {percent}% of those in a build with coverage of everything"
    );
    assert!(counters > 1_000, "{counters} counters in the kernels");
    assert!(
        percent >= 90,
        "{percent}% of the kernels' code has counters; without are {:?}",
        blind.iter().map(|function| &function.name).collect::<Vec<_>>()
    );
}

#[test]
fn the_engines_look_at_nothing_of_the_harness_or_the_oracle() {
    let functions = functions();
    let of_ours = |function: &&Function| {
        ["harness::", "oracle::reference"].iter().any(|path| function.name.contains(path))
    };
    assert!(functions.iter().any(|function| of_ours(&function)), "the harness is in the target");
    let counted: Vec<_> = functions
        .iter()
        .filter(of_ours)
        .filter(|function| function.counters > 0)
        .map(|function| &function.name)
        .collect();
    assert!(counted.is_empty(), "{counted:?}");
}
