//! Same story, same output: in one process and across processes, whatever was played before.

use std::fs;
use std::process::Command;

/// Races, pauses, findings: told to every backend.
const STORIES: [&str; 3] = [
    "story 1\n\
     under design drain=inhibit\n\
     cpus 2, hardware calm, sizes tiny, backends native xen\n\
     c0  vmap p0+2 -> a0\nc1  read a0+1\nc0  vunmap a0\nc0  drain-aliases\nc1  vmap p2+2 -> a1\n",
    "story 1\n\
     cpus 3, hardware eager-walkers lazy-stores lifo-reuse reordered-interrupts, sizes tiny, backends native xen\n\
     c0  map-ram p0+2 -> r0\nc1  read r0+1\nc2  write r0+0\nc0  unmap-ram r0  pause at 9\nc1  drain-aliases  pause at 12\n\
     c2  deliver\nc0  continue\nc1  continue\nc2  vmap p1+2 -> a0\nc0  write a0+0\n",
    "story 1\n\
     cpus 4, hardware lazy-stores, sizes small, backends native xen\n\
     c0  vmap p0+4 -> a0\nc1  fill a0+2\nc1  write a0+2\nc0  vunmap a0  pause at 20\nc3  vmap p1+1 -> a1\n\
     c2  drain-aliases  pause at 7\nc3  run-work\ngrace-period\nc2  continue\nc0  continue\n",
];

const PROCESSES: usize = 20;
/// So often each story is given to one process: with all processes, a thousand times and more.
const REPEATS: usize = 50;

#[test]
fn a_story_says_the_same_a_thousand_times() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files: Vec<_> = (0..STORIES.len()).map(|number| format!("{number}.story")).collect();
    for (file, story) in files.iter().zip(STORIES) {
        fs::write(folder.path().join(file), story).expect("a file");
    }
    let replay = |files: &[&String]| {
        let output = Command::new(env!("CARGO_BIN_EXE_shootdown"))
            .current_dir(folder.path())
            .args(["replay", "--format", "json"])
            .args(files)
            .output()
            .expect("the program runs");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        answer["stories"].as_array().expect("a list").clone()
    };
    // Each first by itself, with nothing played before.
    let alone: Vec<_> = files.iter().map(|file| replay(&[file])[0].clone()).collect();
    assert!(alone.iter().any(|played| !played["finding"].is_null()), "one of them finds something");
    for process in 0..PROCESSES {
        // Each process has another order, so that each story comes after each.
        let order: Vec<_> = (0..REPEATS * STORIES.len())
            .map(|turn| (turn * (process % 2 + 1) + process) % STORIES.len())
            .collect();
        let played = replay(&order.iter().map(|number| &files[*number]).collect::<Vec<_>>());
        assert_eq!(played.len(), order.len());
        for (played, number) in played.iter().zip(&order) {
            assert_eq!(played, &alone[*number]);
        }
    }
}
