//! Every story of the corpus, one test for each file.
//!
//! By default each is clean. A witness, played under its bug, finds what the catalogue says on every backend where the
//! bug shows, and nothing on the others. What else a bug does, and only a longer story shows, has witnesses too. When a
//! seed story fails, a kernel or a check is wrong; when a witness no longer finds its bug, the harness has become
//! blind, or a pause must be named anew.

use harness::catalogue::{self, BUGS, EFFECTS, Selection};
use harness::checks::Checks;
use harness::headline::Headline;
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
        let file = folder("witnesses").join(format!("{}.story", bug.name));
        trials.push(Trial::test(format!("witness::{}", bug.name), move || {
            let met_by = |found: &Headline| found.operation == bug.met_by;
            witness(&file, bug.name, bug.length, bug.shows_on, &|found| {
                found.breach() == bug.finds && met_by(found)
            })
        }));
    }
    for effect in EFFECTS {
        let file = folder("effects").join(effect.bug).join(format!("{}.story", effect.name));
        trials.push(Trial::test(format!("effect::{}/{}", effect.bug, effect.name), move || {
            witness(&file, effect.bug, effect.length, effect.shows_on, &|found| {
                found.breach() == effect.finds
            })
        }));
    }
    trials.push(Trial::test("bugs_and_witnesses_belong_together", bugs_and_witnesses_belong_together));
    trials.push(Trial::test(
        "an_effect_is_another_one_and_takes_longer",
        an_effect_is_another_one_and_takes_longer,
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

/// A story that finds this under the bug, on these backends, and nothing on the others.
fn witness(
    file: &Path,
    bug: &str,
    length: usize,
    shows_on: Backends,
    is_it: &dyn Fn(&Headline) -> bool,
) -> Result<(), Failed> {
    let document = read(file)?;
    if document.under.bug.as_deref() != Some(bug) {
        return Err(format!("it says that it is {}", document.under).into());
    }
    let events = document.story.events.len();
    if events != length {
        return Err(format!("it has {events} events, the catalogue says {length}").into());
    }
    let selection = &Selection::all(&document.under)?[0];
    for backend in Backends::all() {
        let found = runner(selection).play(&document.story, backend);
        let as_it_says = match &found {
            Some(finding) => shows_on.contains(backend) && is_it(&finding.headline),
            None => !shows_on.contains(backend),
        };
        if !as_it_says {
            return Err(format!("on {backend:?} it finds {found:#?}").into());
        }
    }
    Ok(())
}

fn bugs_and_witnesses_belong_together() -> Result<(), Failed> {
    let files = |name| stories(name).iter().map(|file| name_of(file)).collect::<BTreeSet<_>>();
    let bugs = BUGS.iter().map(|bug| bug.name.to_owned()).collect();
    let effects = EFFECTS.iter().map(|effect| format!("{}/{}", effect.bug, effect.name)).collect();
    for (folder, rows) in [("witnesses", bugs), ("effects", effects)] {
        let (files, rows): (_, BTreeSet<String>) = (files(folder), rows);
        if files != rows {
            return Err(format!("{folder}: {:?}", files.symmetric_difference(&rows)).into());
        }
    }
    if catalogue::named("no such bug").is_ok() {
        return Err("a bug that does not exist was found".into());
    }
    Ok(())
}

/// One that the bug's own witness shows, or a witness as short, needs none of its own; and there is one on each backend.
fn an_effect_is_another_one_and_takes_longer() -> Result<(), Failed> {
    let mut told = BTreeSet::new();
    for effect in EFFECTS {
        let bug = BUGS.iter().find(|bug| bug.name == effect.bug).ok_or("an effect of no bug")?;
        let is_new = effect.shows_on.iter().all(|on| told.insert((bug.name, effect.finds, on.bits())));
        let can_show = !effect.shows_on.is_empty() && bug.shows_on.contains(effect.shows_on);
        if effect.finds == bug.finds || effect.length <= bug.length || !is_new || !can_show {
            return Err(format!("{effect:?}: its bug is {bug:?}").into());
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
    for seed in ["seed-000", "seed-004"] {
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
