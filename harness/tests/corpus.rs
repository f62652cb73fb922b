//! Every story of the corpus, one test for each file.
//!
//! By default each is clean. A witness, played under its bug, finds what the catalogue says on every backend where the
//! bug shows, and nothing on the others. What else a bug does, and only a longer story shows, has witnesses too. When a seed story fails, a kernel or a check is wrong; when a witness no longer
//! finds its bug, the harness has become blind, or a pause must be named anew.

use harness::catalogue::{self, BUGS, EFFECTS, Effect, Selection};
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
        let name = stem(&file);
        trials.push(Trial::test(format!("clean::{name}"), move || clean(&file)));
    }
    for bug in BUGS {
        let file = folder("witnesses").join(format!("{}.story", bug.name));
        trials.push(Trial::test(format!("witness::{}", bug.name), move || {
            witness(&file, bug.name, bug.length, bug.finds, bug.shows_on)
        }));
    }
    for Effect { bug, name, length, finds, shows_on } in EFFECTS {
        let file = folder("effects").join(format!("{bug}-{name}.story"));
        trials.push(Trial::test(format!("effect::{bug}-{name}"), move || {
            witness(&file, bug, *length, finds, *shows_on)
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

fn stem(file: &Path) -> String {
    file.file_stem().expect("a name").to_string_lossy().into_owned()
}

fn stories(name: &str) -> Vec<PathBuf> {
    let entries = folder(name).read_dir().expect("a folder of the corpus");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
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
fn witness(file: &Path, bug: &str, length: usize, finds: &str, shows_on: Backends) -> Result<(), Failed> {
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
        let expected = shows_on.contains(backend).then(|| finds.to_owned());
        let got = found.as_ref().map(|finding| finding.headline.breach());
        if got != expected {
            return Err(format!("on {backend:?} it finds {found:#?}, expected {expected:?}").into());
        }
    }
    Ok(())
}

fn bugs_and_witnesses_belong_together() -> Result<(), Failed> {
    let files = |name| stories(name).iter().map(|file| stem(file)).collect::<BTreeSet<_>>();
    let bugs = BUGS.iter().map(|bug| bug.name.to_owned()).collect();
    let effects = EFFECTS.iter().map(|effect| format!("{}-{}", effect.bug, effect.name)).collect();
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

/// A witness of its own is for what no shorter one shows.
fn an_effect_is_another_one_and_takes_longer() -> Result<(), Failed> {
    let mut told = BTreeSet::new();
    for effect in EFFECTS {
        let bug = BUGS.iter().find(|bug| bug.name == effect.bug).ok_or("an effect of no bug")?;
        if effect.finds == bug.finds || effect.length <= bug.length || !told.insert((bug.name, effect.finds))
        {
            return Err(format!("{effect:?} is told by another witness").into());
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
