//! Rule 6, frames: a frame given to a new use is reached by no usable old translation, and a table is never walked
//! after it was freed.
//!
//! The machine itself sees this at the moment of the access: it knows the incarnation of each frame that a translation
//! was made for, and the role of each frame that a walk goes through.
//!
//! It also sees a frame that is given back to where it is already, which would be given out twice.
//!
//! Legal, and without alarm: a lazy alias of a freed frame that no CPU uses; a table that waits for a grace period, and
//! still is a table; a walk through a table that no entry leads to any more and that was not freed yet; an entry of the
//! direct map that was cached before its page got the owner whose permissions are being changed at this moment.

use machine::AlarmKind;

use crate::headline::About;

/// What is wrong, if it is this rule that was broken.
pub fn judge(alarm: &AlarmKind) -> Option<&'static str> {
    match alarm {
        AlarmKind::FreedTableWalked { .. } => Some("a walk went through a freed table"),
        AlarmKind::StaleTranslationUsed { .. } => Some("a stale translation was used"),
        AlarmKind::FrameFreedTwice { .. } => Some("a frame was freed twice"),
        AlarmKind::StoreToReusedFrame { .. } => Some("a late store reached a reused frame"),
        _ => None,
    }
}

/// What exactly was seen.
pub fn describe(alarm: &AlarmKind) -> Option<String> {
    Some(match alarm {
        AlarmKind::FreedTableWalked { frame, level, va } => {
            format!("on the way to {va:#x}, {frame} was taken for a table of level {level}")
        }
        AlarmKind::StaleTranslationUsed { frame, va } => {
            format!("{va:#x} led to {frame}, which was put to another use since")
        }
        AlarmKind::FrameFreedTwice { frame } => format!("{frame} was free already"),
        AlarmKind::StoreToReusedFrame { frame } => {
            format!("the store was made before {frame} was put to another use")
        }
        _ => return None,
    })
}

/// What is to be followed through the story.
pub fn about(alarm: &AlarmKind, about: &mut About) {
    match *alarm {
        AlarmKind::FreedTableWalked { frame, va, .. } | AlarmKind::StaleTranslationUsed { frame, va } => {
            about.frames.push(frame);
            about.pages.push(va & !(machine::paging::PAGE_SIZE - 1));
        }
        AlarmKind::StoreToReusedFrame { frame } | AlarmKind::FrameFreedTwice { frame } => {
            about.frames.push(frame);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::workbench::{VA, free, machine, machine_with, map, page, table, touch, unmap, write};
    use crate::checks::{Checks, first_alarm};
    use machine::{Role, Temperament};
    use oracle::Rule;

    #[test]
    fn a_stale_translation_that_is_used_is_a_breach() {
        let mut machine = machine(1);
        let old = page(&machine, 8);
        map(&machine, VA, old);
        touch(&mut machine, 0, VA);
        unmap(&machine, VA);
        machine.bus().memory.set_role(old, Role::Free);
        assert_eq!(
            first_alarm(machine.bus(), Checks::default()),
            None,
            "a lazy alias that nobody uses is legal"
        );
        page(&machine, 8);
        touch(&mut machine, 0, VA + 8);
        let breach = first_alarm(machine.bus(), Checks::default()).expect("it was used");
        assert_eq!((breach.rule, &*breach.what), (Rule::Frames, "a stale translation was used"));
        let detail = format!("{:#x} led to {old}, which was put to another use since", VA + 8);
        assert!(breach.detail.starts_with(&detail), "{}", breach.detail);
        assert_eq!((breach.about.pages, breach.about.frames), (vec![VA], vec![old]));
        let observing = Checks { eager: false, observational: true };
        assert_eq!(first_alarm(machine.bus(), observing), None, "it is values that tell, then");
    }

    #[test]
    fn a_walk_through_a_freed_table_is_a_breach_and_one_through_a_queued_table_is_not() {
        let mut machine = machine(1);
        map(&machine, VA, page(&machine, 8));
        touch(&mut machine, 0, VA);
        unmap(&machine, VA);
        machine.bus().fill(0, VA + 4096);
        assert_eq!(first_alarm(machine.bus(), Checks::default()), None);
        machine.bus().memory.set_role(table(1), Role::Free);
        machine.bus().fill(0, VA + 4096);
        let breach = first_alarm(machine.bus(), Checks::default()).expect("the way to it is cached");
        assert_eq!((breach.rule, &*breach.what), (Rule::Frames, "a walk went through a freed table"));
        let detail = format!("on the way to {:#x}, {} was taken for a table of level 1", VA + 4096, table(1));
        assert_eq!(breach.detail, detail);
        assert_eq!((breach.about.pages, breach.about.frames), (vec![VA + 4096], vec![table(1)]));
    }

    #[test]
    fn a_store_that_reaches_a_reused_frame_is_a_breach_and_one_in_time_is_not() {
        let mut machine = machine_with(1, Temperament::LAZY_STORES);
        let frame = page(&machine, 8);
        map(&machine, VA, frame);
        write(&mut machine, 0, VA);
        assert_eq!(machine.drain_stores(0, 1), 1);
        assert_eq!(first_alarm(machine.bus(), Checks::default()), None);
        write(&mut machine, 0, VA);
        machine.bus().memory.set_role(frame, Role::Free);
        page(&machine, 8);
        assert_eq!(machine.drain_stores(0, 1), 1);
        let breach = first_alarm(machine.bus(), Checks::default()).expect("it was in use again");
        assert_eq!((breach.rule, &*breach.what), (Rule::Frames, "a late store reached a reused frame"));
        assert_eq!(breach.detail, format!("the store was made before {frame} was put to another use"));
        assert_eq!((breach.about.pages, breach.about.frames), (vec![], vec![frame]));
    }

    #[test]
    fn a_frame_that_is_freed_again_is_a_breach_and_one_that_was_used_in_between_is_not() {
        let mut machine = machine(2);
        let frame = page(&machine, 8);
        free(&mut machine, 0, frame);
        page(&machine, 8);
        free(&mut machine, 1, frame);
        assert_eq!(first_alarm(machine.bus(), Checks::default()), None);
        free(&mut machine, 0, frame);
        let breach = first_alarm(machine.bus(), Checks::default()).expect("it was free");
        assert_eq!((breach.rule, &*breach.what), (Rule::Frames, "a frame was freed twice"));
        assert!(breach.detail.starts_with(&format!("{frame} was free already")), "{}", breach.detail);
        assert_eq!((breach.about.pages, breach.about.frames), (vec![], vec![frame]));
    }
}
