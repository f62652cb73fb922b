//! Every story of the corpus, one test for each file.
//!
//! By default each is clean. A witness, played under its bug, finds what the catalogue says on every backend where the
//! bug shows, and nothing on the others. What else a bug does, and only a longer story shows, has witnesses too. When a
//! seed story fails, a kernel or a check is wrong; when a witness no longer finds its bug, the harness has become
//! blind, or a pause must be named anew.

use harness::catalogue::{self, BUGS, Selection};
use harness::checks::Checks;
use harness::runner::Runner;
use harness::story::{Backends, Document, Tag};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for file in ["seeds", "witnesses", "effects"].into_iter().flat_map(stories) {
        let name = name_of(&file);
        trials.push(Trial::test(format!("clean::{name}"), move || clean(&file)));
    }
    for bug in BUGS {
        trials.push(Trial::test(format!("witness::{}", bug.name), move || {
            // Whichever it names: the bug shows where the catalogue says.
            let mut witness = bug.witness();
            witness.story.header.backends = Backends::all();
            shows(&witness, bug.shows_on)
        }));
    }
    for file in stories("effects") {
        trials.push(Trial::test(format!("effect::{}", name_of(&file)), move || {
            let document = read(&file)?;
            shows(&document, document.story.header.backends)
        }));
    }
    trials.push(Trial::test("bugs_and_witnesses_belong_together", bugs_and_witnesses_belong_together));
    trials.push(Trial::test(
        "an_effect_breaks_a_rule_that_no_other_story_of_its_bug_does",
        an_effect_breaks_a_rule_that_no_other_story_of_its_bug_does,
    ));
    trials.push(Trial::test("the_seeds_tell_every_kind_of_event", the_seeds_tell_every_kind_of_event));
    trials.push(Trial::test(
        "the_pages_on_the_seeds_name_their_stories",
        the_pages_on_the_seeds_name_their_stories,
    ));
    libtest_mimic::run(&arguments, trials).exit();
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(name)
}

/// The file's name in its folder of the corpus; with that of the bug, if there is a folder for each.
fn name_of(file: &Path) -> String {
    let name = file.with_extension("");
    let of_a_bug = BUGS.iter().any(|bug| name.parent().is_some_and(|folder| folder.ends_with(bug.name)));
    let parts: Vec<_> =
        name.iter().rev().take(1 + usize::from(of_a_bug)).map(|part| part.to_string_lossy()).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

/// All beneath a folder of the corpus.
fn stories(name: &str) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder(name)]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder of the corpus") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> Result<Document, Failed> {
    Ok(Document::read(&std::fs::read(file)?)?)
}

fn runner(selection: &Selection) -> Runner {
    Runner::new(selection.setup(), Checks::default())
}

fn clean(file: &Path) -> Result<(), Failed> {
    let story = read(file)?.story;
    let resolved = story.resolve();
    if resolved.void > 0 {
        return Err(format!("{} events are void:\n{story}", resolved.void).into());
    }
    if let Some(finding) = runner(&Selection::default()).play(&story, Backends::all()) {
        return Err(finding.to_string().into());
    }
    // A pause that nothing reaches is a line without meaning: the code has moved on, and the story must follow.
    let mut reached = BTreeSet::new();
    for selection in Selection::all(&read(file)?.under)?.iter().chain([&Selection::default()]) {
        for backend in Backends::all() {
            let mut runner = runner(selection);
            runner.play(&story, backend);
            reached.extend(runner.pauses().iter().map(|(event, _)| usize::from(*event)));
        }
    }
    let paused = story.events.iter().enumerate().filter(|(_, event)| event.pause.is_some());
    match paused.map(|(index, event)| (index, *event)).find(|(index, _)| !reached.contains(index)) {
        None => Ok(()),
        Some((_, event)) => Err(format!("no backend reaches the pause of: {event}").into()),
    }
}

/// A story that finds what it says on these backends, under what it says, and nothing on the others.
fn shows(document: &Document, on: Backends) -> Result<(), Failed> {
    let finds = document.finds.as_deref().ok_or("it does not say what it finds")?;
    let selection = &Selection::all(&document.under)?[0];
    for backend in Backends::all() {
        let found = runner(selection).play(&document.story, backend);
        let expected = Some(finds).filter(|_| on.contains(backend));
        if found.as_ref().map(|finding| finding.headline.breach()).as_deref() != expected {
            return Err(format!("on {backend:?} it finds {found:#?}").into());
        }
    }
    Ok(())
}

fn bugs_and_witnesses_belong_together() -> Result<(), Failed> {
    let files = |name| stories(name).iter().map(|file| name_of(file)).collect::<BTreeSet<_>>();
    let (witnesses, bugs) = (files("witnesses"), BUGS.iter().map(|bug| bug.name.to_owned()).collect());
    if witnesses != bugs {
        return Err(format!("{:?}", witnesses.symmetric_difference(&bugs)).into());
    }
    for bug in BUGS {
        let of_bug = |file: &&PathBuf| file.parent().is_some_and(|folder| folder.ends_with(bug.name));
        let files: Vec<_> =
            stories("effects").iter().filter(of_bug).map(|file| read(file)).collect::<Result<_, _>>()?;
        let (told, kept): (BTreeSet<_>, _) =
            (bug.effects().collect(), files.iter().filter_map(|file| file.finds.clone()).collect());
        if told != kept || files.iter().any(|file| file.under.bug.as_deref() != Some(bug.name)) {
            return Err(format!("{}: the catalogue tells {told:?}, the corpus has {kept:?}", bug.name).into());
        }
    }
    if catalogue::named("no such bug").is_ok() {
        return Err("a bug that does not exist was found".into());
    }
    Ok(())
}

fn an_effect_breaks_a_rule_that_no_other_story_of_its_bug_does() -> Result<(), Failed> {
    for bug in BUGS {
        let rule = |breach: String| breach.split_once(':').map(|(rule, _)| rule.to_owned());
        let mut told = BTreeSet::from([rule(bug.finds())]);
        if let Some(again) = bug.effects().find(|effect| !told.insert(rule(effect.clone()))) {
            return Err(format!("{}: {again}", bug.name).into());
        }
    }
    Ok(())
}

fn the_seeds_tell_every_kind_of_event() -> Result<(), Failed> {
    let mut told = BTreeSet::new();
    for file in stories("seeds") {
        told.extend(read(&file)?.story.events.iter().map(|event| event.action.name()));
    }
    let missing: Vec<_> = Tag::ALL
        .iter()
        .filter(|tag| tag.is_event() && !told.contains(tag.word()))
        .map(|tag| tag.word())
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("not told: {}", missing.join(", ")).into()) }
}

/// Each page names every story of its seed, and no page names a story that is not there.
fn the_pages_on_the_seeds_name_their_stories() -> Result<(), Failed> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for seed in ["seed-000", "seed-001", "seed-004"] {
        let page = std::fs::read_to_string(docs.join(seed).with_extension("md"))?;
        let named: BTreeSet<_> = page
            .split("](../corpus/")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
            .collect();
        for story in &named {
            if !folder(story).is_file() {
                return Err(format!("docs/{seed}.md names {story}, and there is none").into());
            }
        }
        for file in stories("seeds") {
            let name = file.file_name().and_then(|name| name.to_str()).ok_or("a name")?;
            if name.starts_with(seed) && !named.contains(&format!("seeds/{name}")) {
                return Err(format!("docs/{seed}.md does not name {name}").into());
            }
        }
    }
    Ok(())
}
