//! The floors of the kernel, as the documentation of the crate lists them: a module uses only what stands on floors below its
//! own. So no module calls one that calls it, be it in a circle of many.
//!
//! Uses are read off the tokens of the sources: paths from `crate` or `super`; methods of the kernel, which each belong to
//! the module that defines them; and its fields, which belong to the modules of their types.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The types that stand where a kernel has statics: every module may name them, and what is reached through them counts.
const STATICS: [(&str, &str); 2] = [("kernel", "Kernel"), ("vmalloc", "Vmalloc")];

/// A module by its path, `["vmalloc", "block"]`.
type Module = Vec<String>;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The modules of each floor, the lowest first.
fn floors() -> Vec<Vec<String>> {
    let listed = |line: &str| {
        let (number, rest) = line.strip_prefix("//! ")?.split_once(". ")?;
        number.parse::<usize>().ok()?;
        let modules = rest.split(':').next_back().map_or(rest, |_| rest.split(": ").next().unwrap_or(rest));
        Some(modules.split('`').skip(1).step_by(2).map(str::to_owned).collect())
    };
    read(&sources().join("lib.rs")).lines().filter_map(listed).collect()
}

/// Every file of the crate but its root, as the module that it is.
fn files(folder: &Path, module: &[String], found: &mut Vec<(Module, TokenStream)>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("a folder can be read to its end").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut inner = module.to_vec();
        if path.is_dir() {
            inner.push(name);
            files(&path, &inner, found);
        } else if name != "lib" {
            if name != "mod" {
                inner.push(name);
            }
            let tokens = TokenStream::from_str(&read(&path));
            found.push((inner, tokens.unwrap_or_else(|error| panic!("{}: {error}", path.display()))));
        }
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn braces(token: Option<&TokenTree>) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    }
}

fn trees(tokens: &TokenStream) -> Vec<TokenTree> {
    tokens.clone().into_iter().collect()
}

/// The tokens of a file without its tests: `#[cfg(test)] mod tests { .. }`.
fn without_tests(tokens: &TokenStream) -> Vec<TokenTree> {
    let tokens = trees(tokens);
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let attribute = is_punct(tokens.get(at), '#')
            && matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.stream().to_string() == "cfg (test)");
        if attribute && ident(tokens.get(at + 2)).as_deref() == Some("mod") {
            at += 5;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Whether two colons stand here.
fn separates(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}

/// The paths that begin with what `path` holds and go on here: one, or in a `use` with braces several.
fn follow(tokens: &[TokenTree], mut at: usize, mut path: Module, found: &mut Vec<Module>) {
    while separates(tokens, at) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(segment)) if segment == "super" => drop(path.pop()),
            Some(TokenTree::Ident(segment)) => path.push(segment.to_string()),
            Some(TokenTree::Group(group)) => {
                let inner = trees(&group.stream());
                let starts =
                    inner.iter().enumerate().filter(|(at, _)| *at == 0 || is_punct(inner.get(at - 1), ','));
                for (start, first) in starts {
                    let mut below = path.clone();
                    if let TokenTree::Ident(name) = first
                        && name != "self"
                    {
                        below.push(name.to_string());
                    }
                    follow(&inner, start + 1, below, found);
                }
                return;
            }
            _ => break,
        }
        at += 3;
    }
    // The name of a macro is no path of a module.
    if !is_punct(tokens.get(at), '!') {
        found.push(path);
    }
}

/// Every path of a module from `crate` or `super` on, at any depth of the tokens.
fn paths(tokens: &[TokenTree], module: &[String], found: &mut Vec<Module>) {
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "crate" && separates(tokens, at + 1) => {
                follow(tokens, at + 1, Vec::new(), found);
            }
            TokenTree::Ident(word)
                if word == "super" && separates(tokens, at + 1) && !(at > 1 && separates(tokens, at - 2)) =>
            {
                let above = module.split_last().map_or(&[][..], |(_, above)| above);
                follow(tokens, at + 1, above.to_vec(), found);
            }
            TokenTree::Group(group) => paths(&trees(&group.stream()), module, found),
            _ => {}
        }
    }
}

/// The blocks of `impl .. TYPE<..> { .. }`; those of a trait too, if asked for.
fn impls_of<'t>(tokens: &'t [TokenTree], wanted: &str, of_traits: bool) -> Vec<&'t Group> {
    let starts = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| matches!(token, TokenTree::Ident(word) if word == "impl"));
    let blocks = starts.filter_map(|(start, _)| {
        let length = tokens[start..].iter().position(|token| braces(Some(token)).is_some())?;
        let head = &tokens[start..start + length];
        let of = head.iter().position(|token| matches!(token, TokenTree::Ident(word) if word == "for"));
        let names = head[of.unwrap_or(0)..]
            .iter()
            .any(|token| matches!(token, TokenTree::Ident(word) if word == wanted));
        (names && (of_traits || of.is_none())).then(|| braces(tokens.get(start + length))).flatten()
    });
    blocks.collect()
}

/// The names of the functions of a block.
fn functions(block: &Group) -> Vec<String> {
    let tokens = trees(&block.stream());
    let after = |at| ident(tokens.get(at + 1));
    let all = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| matches!(token, TokenTree::Ident(word) if word == "fn"));
    all.filter_map(|(at, _)| after(at)).collect()
}

/// The fields of a struct, each with the words of its type.
fn fields(tokens: &[TokenTree], name: &str) -> BTreeMap<String, Vec<String>> {
    let at = tokens.windows(2).position(|pair| {
        ident(Some(&pair[0])).as_deref() == Some("struct") && ident(Some(&pair[1])).as_deref() == Some(name)
    });
    let at = at.unwrap_or_else(|| panic!("a struct {name}"));
    let block = tokens[at..].iter().find_map(|token| braces(Some(token))).expect("its fields");
    let inner = trees(&block.stream());
    let mut found = BTreeMap::new();
    let mut field = None;
    for (at, token) in inner.iter().enumerate() {
        let names_field = is_punct(inner.get(at + 1), ':')
            && !separates(&inner, at + 1)
            && !is_punct(inner.get(at.wrapping_sub(1)), ':');
        match token {
            TokenTree::Ident(word) if names_field => {
                field = Some(word.to_string());
                found.insert(word.to_string(), Vec::new());
            }
            TokenTree::Ident(word) => {
                if let Some(words) = field.as_ref().and_then(|field| found.get_mut(field)) {
                    words.push(word.to_string());
                }
            }
            _ => {}
        }
    }
    found
}

/// What stands in the house.
struct House {
    /// Each module that the floors list, and its floor.
    floor: BTreeMap<Module, usize>,
    files: Vec<(Module, Vec<TokenTree>)>,
    /// The methods of the kernel, and the modules that define them.
    methods: BTreeMap<String, Module>,
    /// The fields of the statics, and the modules of their types.
    fields: BTreeMap<&'static str, BTreeMap<String, BTreeSet<Module>>>,
}

impl House {
    fn new() -> Self {
        let mut found = Vec::new();
        files(&sources(), &[], &mut found);
        let files = found.iter().map(|(module, tokens)| (module.clone(), without_tests(tokens))).collect();
        Self::of(&floors(), files)
    }

    fn of(floors: &[Vec<String>], files: Vec<(Module, Vec<TokenTree>)>) -> Self {
        let path = |name: &String| name.split("::").map(str::to_owned).collect();
        let numbered =
            (1..).zip(floors).flat_map(|(floor, names)| names.iter().map(move |name| (path(name), floor)));
        let mut house =
            Self { floor: numbered.collect(), files, methods: BTreeMap::new(), fields: BTreeMap::new() };
        for (module, tokens) in &house.files {
            for method in impls_of(tokens, "Kernel", false).into_iter().flat_map(functions) {
                let other = house.methods.insert(method.clone(), house.unit(module));
                assert!(other.is_none_or(|other| other == house.unit(module)), "{method} is defined twice");
            }
        }
        house.fields = STATICS.map(|(module, name)| (name, house.fields_of(module, name))).into();
        house
    }

    /// The module on a floor that a path leads into.
    fn unit(&self, path: &[String]) -> Module {
        let known = (1..=path.len())
            .rev()
            .map(|length| path[..length].to_vec())
            .find(|unit| self.floor.contains_key(unit));
        known.unwrap_or_else(|| panic!("{} stands on no floor", path.join("::")))
    }

    fn fields_of(&self, module: &str, name: &str) -> BTreeMap<String, BTreeSet<Module>> {
        let (_, tokens) =
            self.files.iter().find(|(file, _)| file == &[module]).expect("the module of a static");
        // What the words of types mean in this module.
        let mut imported = Vec::new();
        paths(tokens, &[module.to_owned()], &mut imported);
        let modules = self.floor.keys().filter(|unit| unit.len() == 2 && unit[0] == module);
        let own: Vec<_> = modules.map(|unit| unit[1].clone()).collect();
        for (at, token) in tokens.iter().enumerate() {
            if let TokenTree::Ident(word) = token
                && own.contains(&word.to_string())
                && separates(tokens, at + 1)
            {
                follow(tokens, at + 1, vec![module.to_owned(), word.to_string()], &mut imported);
            }
        }
        let means = |word: &String| {
            imported.iter().find(|path| path.last() == Some(word)).map(|path| self.unit(path))
        };
        fields(tokens, name)
            .into_iter()
            .map(|(field, words)| {
                let in_module = words
                    .iter()
                    .filter(|word| own.contains(word))
                    .map(|word| vec![module.to_owned(), word.clone()]);
                (field, words.iter().filter_map(means).chain(in_module).collect())
            })
            .collect()
    }

    /// What the code of a block reaches through `self`, which is the kernel.
    fn reached(&self, tokens: &[TokenTree], found: &mut Vec<(String, Module)>) {
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word == "self" && is_punct(tokens.get(at + 1), '.') => {
                    let Some(name) = ident(tokens.get(at + 2)) else { continue };
                    let called = matches!(tokens.get(at + 3), Some(TokenTree::Group(group))
                        if group.delimiter() == Delimiter::Parenthesis);
                    let (of, field) = match (called, ident(tokens.get(at + 4))) {
                        (true, _) => {
                            found
                                .extend(self.methods.get(&name).map(|module| (name.clone(), module.clone())));
                            continue;
                        }
                        (false, Some(field)) if name == "vmalloc" => ("Vmalloc", field),
                        (false, _) => ("Kernel", name),
                    };
                    let modules = self.fields[of].get(&field).into_iter().flatten();
                    found.extend(modules.map(|module| (field.clone(), module.clone())));
                }
                TokenTree::Group(group) => self.reached(&trees(&group.stream()), found),
                _ => {}
            }
        }
    }

    /// Every use of one module by another, and by what.
    fn uses(&self) -> Vec<(Module, Module, String)> {
        let mut uses = Vec::new();
        for (module, tokens) in &self.files {
            let of = self.unit(module);
            let mut found = Vec::new();
            paths(tokens, module, &mut found);
            let names_static = |path: &Module| STATICS.iter().any(|(module, name)| path == &[*module, *name]);
            for path in found.into_iter().filter(|path| !path.is_empty() && !names_static(path)) {
                uses.push((of.clone(), self.unit(&path), path.join("::")));
            }
            let mut reached = Vec::new();
            for block in impls_of(tokens, "Kernel", true) {
                self.reached(&trees(&block.stream()), &mut reached);
            }
            uses.extend(reached.into_iter().map(|(name, used)| (of.clone(), used, format!("self.{name}"))));
        }
        uses.retain(|(user, used, _)| user != used);
        uses
    }

    /// What breaks the rule.
    fn upward(&self) -> Vec<String> {
        let upward = |(user, used, by): (Module, Module, String)| {
            let (here, there) = (self.floor[&user], self.floor[&used]);
            (there >= here).then(|| {
                format!("{} on floor {here} uses {} on floor {there}: {by}", user.join("::"), used.join("::"))
            })
        };
        self.uses().into_iter().filter_map(upward).collect()
    }
}

#[test]
fn a_module_uses_only_what_stands_on_floors_below_its_own() {
    let house = House::new();
    assert_eq!(house.upward(), Vec::<String>::new());
}

#[test]
fn every_module_of_the_floors_exists_and_the_rule_is_held_to_all_kinds_of_uses() {
    let house = House::new();
    for unit in house.floor.keys() {
        assert!(
            house.files.iter().any(|(file, _)| house.unit(file) == *unit),
            "{} is no module",
            unit.join("::")
        );
    }
    let uses: BTreeSet<_> = house
        .uses()
        .into_iter()
        .map(|(user, used, by)| {
            (user.join("::"), used.join("::"), by.split_once('.').map_or("a path", |_| "the kernel"))
        })
        .collect();
    for (user, used, by) in [
        ("vmalloc::purge", "vmalloc::lazy", "the kernel"),
        ("vmalloc::purge", "vmalloc::block", "a path"),
        ("vmalloc::area", "vmalloc::purge", "the kernel"),
        ("vmalloc::area", "vmalloc::space", "the kernel"),
        ("kernel_tables", "tlbflush", "the kernel"),
        ("callers", "dma", "the kernel"),
        ("kernel", "callers", "the kernel"),
        ("hypervisor", "smp", "a path"),
    ] {
        let found = uses.contains(&(user.to_owned(), used.to_owned(), by));
        assert!(found, "{user} uses {used} through {by}, and the sources seem not to say so");
    }
}

/// A house of three modules with this code in the lowest.
fn upward_of(lowest: &str) -> Vec<String> {
    let kernel = "use crate::upper::Upper; pub struct Kernel<P> { pv: P, upper: Upper }";
    let upper = "pub struct Upper; impl<P> Kernel<P> { fn purge(&self) {} }";
    let vmalloc = "pub struct Vmalloc {}";
    let files = [("lower", lowest), ("upper", upper), ("kernel", kernel), ("vmalloc", vmalloc)];
    let tokens = |source| without_tests(&TokenStream::from_str(source).expect("tokens"));
    let files = files.map(|(name, source)| (vec![name.to_owned()], tokens(source)));
    let floors = ["lower", "upper", "vmalloc", "kernel"].map(|name| vec![name.to_owned()]);
    House::of(&floors, files.into()).upward()
}

#[test]
fn a_use_of_a_higher_floor_is_found_however_it_is_written_and_the_kernel_itself_may_be_named() {
    for upward in [
        "use crate::upper::Upper;",
        "use super::upper::{self, Upper};",
        "fn f() { crate::upper::call() }",
        "impl<P> Kernel<P> { fn f(&self) { if true { self.purge() } } }",
        "impl<P> Kernel<P> { fn f(&self) { g(&self.upper) } }",
        "impl<P> Software for Kernel<P> { fn f(&self) { self.upper.g() } }",
    ] {
        assert_eq!(upward_of(upward).len(), if upward.contains("self, ") { 2 } else { 1 }, "{upward}");
    }
    for allowed in [
        "use crate::kernel::Kernel;",
        "impl<P> Kernel<P> { fn f(&self) { self.pv.purge(); other.purge() } }",
        "struct Other; impl Other { fn f(&self) { self.purge() } }",
        "#[cfg(test)] mod tests { use crate::upper::Upper; }",
        "/// See [`crate::upper`].\nfn f() {}",
    ] {
        assert_eq!(upward_of(allowed), Vec::<String>::new(), "{allowed}");
    }
}
