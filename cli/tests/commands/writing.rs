//! What is written where, and what is never written over.

use crate::program::{CALM, Place};

/// A story that finds something, and is as short as it gets.
const CANARY: &str = "\
story 1
under bug canary
finds rule 10 (rest): pages were not given back
cpus 1, hardware calm, sizes tiny, backends native
c0  free-page p0
";

/// The answer to `scaling`, which is drawn.
const DRAWN: [&str; 8] = ["cost", "--question", "scaling", "--cpus", "1", "--backends", "native", "--svg"];

#[test]
fn a_story_is_not_written_to_what_is_no_file() {
    let place = Place::new();
    place.write("canary.story", CANARY);
    place.folder("folder");
    let refuse = |out, found| {
        let said = format!("{out}: expected a file, or a name that is free, found {found}");
        place.refuses(&["minimize", "canary.story", "-o", out], &[&said]);
        place.refuses(&[&DRAWN[..], &[out]].concat(), &[&said]);
    };
    refuse("folder", "a folder");
    refuse("folder/", "a folder");
    place.refuses(&["minimize", "canary.story", "-o", "new/"], &["new/: expected the name of a file"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        use std::process::Command;
        symlink("nowhere", place.path("dangling")).expect("a link");
        symlink("folder", place.path("link")).expect("a link");
        assert!(Command::new("mkfifo").arg(place.path("pipe")).status().expect("mkfifo").success());
        refuse("/dev/full", "a character device");
        refuse("/dev/null", "a character device");
        refuse("pipe", "a pipe");
        refuse("dangling", "a link that leads nowhere");
        refuse("link", "a folder");
    }
}

#[test]
fn what_is_in_the_way_is_refused_at_once_unless_it_may_be_what_this_comes_to() {
    let place = Place::new();
    place.write("canary.story", CANARY);
    let said = ["is there already with another content, and is not overwritten"];
    for (there, content) in [
        ("notes", "mine".to_owned()),
        ("story", format!("// mine\n{CALM}")),
        ("story of another kind", "story 2\n".to_owned()),
        ("bytes", "\u{1}\u{1}".to_owned()),
        ("nothing", String::new()),
    ] {
        place.write(there, &content);
        place.refuses(&["minimize", "canary.story", "-o", there], &said);
        place.refuses(&[&DRAWN[..], &[there]].concat(), &said);
        assert_eq!(place.read(there), content.as_bytes());
    }
}

#[cfg(unix)]
#[test]
fn what_a_link_leads_to_may_be_the_story_that_this_comes_to() {
    let place = Place::new();
    place.write("canary.story", CANARY);
    std::os::unix::fs::symlink("canary.story", place.path("link")).expect("a link");
    let ran = place.run(&["minimize", "canary.story", "-o", "link"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "canary.story -> link\n"), "{ran:?}");
    assert_eq!(place.read("canary.story"), CANARY.as_bytes());
}

#[cfg(target_os = "linux")]
#[test]
fn a_story_for_which_standard_output_has_no_room_is_on_standard_error() {
    let place = Place::new();
    place.write("canary.story", CANARY);
    let full = std::fs::File::create("/dev/full").expect("Linux has it");
    let ran = place.program(&["minimize", "canary.story"]).stdout(full).output().expect("the program runs");
    let said = String::from_utf8(ran.stderr).expect("text");
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains(CANARY) && said.contains("shootdown: standard output: "), "{said}");
}

#[test]
fn an_answer_whose_picture_cannot_be_written_is_said_all_the_same() {
    let place = Place::new();
    place.write("there.svg", "<svg of another answer>");
    let ran = place.run(&[&DRAWN[..], &["there.svg"]].concat());
    assert!(ran.code == 2 && ran.out.starts_with("scaling: "), "{ran:?}");
    assert!(ran.err.contains("there.svg: is there already with another content"), "{}", ran.err);
    assert_eq!(place.read("there.svg"), b"<svg of another answer>");
}

#[test]
fn a_document_is_brought_up_to_date_where_it_is() {
    let place = Place::new();
    let title = "drain: what a drain costs, against one eager unmap of four pages";
    place.write("docs/cost.md", format!("# Cost\n\n```\n{title}\n\nold\n```\n"));
    let update = |document| {
        let asked =
            ["cost", "--question", "drain", "--cpus", "1", "--backends", "native", "--update", document];
        let ran = place.run(&asked);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    #[cfg(unix)]
    {
        use std::fs;
        use std::os::unix::fs::{PermissionsExt, symlink};
        symlink("docs/cost.md", place.path("link.md")).expect("a link");
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(place.path("docs/cost.md"), private).expect("it is ours");
        update("link.md");
        assert!(place.path("link.md").is_symlink());
        let mode = fs::metadata(place.path("docs/cost.md")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    update("docs/cost.md");
    let document = String::from_utf8(place.read("docs/cost.md")).expect("text");
    assert!(document.starts_with(&format!("# Cost\n\n```\n{title}\n\n  backend")), "{document}");
    assert!(!document.contains("old"), "{document}");
}
