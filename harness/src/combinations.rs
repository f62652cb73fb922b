//! Which combinations of designs are correct where.
//!
//! The data are rows of the catalogue: one that leaves out no step and needs no quirk of the hardware says that the
//! designs it chooses are broken together on the backends on which it shows, whatever else is chosen but for what it
//! names itself (`unless`); its witness proves it for each of those combinations. Every other combination is held to be
//! correct, and is searched for alarms (`shootdown run --sample-designs`, the fuzz target `designs`).

use impls::Designs;
use impls::protocol::DesignPoint;

use crate::catalogue::{BUGS, Bug};
use crate::story::Backends;
use crate::subject::Setup;

/// The combinations that are broken: designs, and the backends on which they are.
pub fn broken() -> impl Iterator<Item = &'static Bug> {
    BUGS.iter().filter(|bug| !bug.designs.is_empty() && bug.omitted.is_empty() && !bug.invlpg_spares_globals)
}

/// Every combination of the points about one half of address spaces, whether it is correct or not, beside the defaults of the other
/// half: first those of the kernel half, then those of the user half. A point of the one half makes nothing wrong or right in the
/// other, and all of them together would be too many.
pub fn all() -> Vec<Designs> {
    let (user, kernel): (Vec<_>, Vec<_>) = Designs::POINTS.iter().partition(|point| is_of_user_half(point));
    let mut all = products(&kernel);
    all.extend(products(&user).into_iter().filter(|designs| *designs != Designs::default()));
    all
}

/// Whether a point is about user memory: seed 001 argues over it.
pub fn is_of_user_half(point: &DesignPoint) -> bool {
    point.seed == "001"
}

/// A variant of each of these points.
fn products(points: &[&DesignPoint]) -> Vec<Designs> {
    points.iter().fold(vec![Designs::default()], |all, point| {
        let with = |variant| {
            all.iter().map(move |designs| {
                let mut designs = *designs;
                designs.choose(point.name, variant).expect("a variant of the point");
                designs
            })
        };
        point.variants.iter().flat_map(|(variant, _)| with(*variant)).collect()
    })
}

/// Why these designs are broken together on one of these backends, if they are.
pub fn flaw(designs: Designs, on: Backends) -> Option<&'static Bug> {
    broken().find(|bug| broken_by(designs, bug).intersects(on))
}

/// The backends on which a combination is broken for the reason that a row gives.
pub fn broken_by(designs: Designs, bug: &Bug) -> Backends {
    let chooses = |point, variant| designs.changed().any(|chosen| chosen == (point, variant));
    if !bug.designs.iter().all(|(point, variant)| chooses(point, variant)) {
        return Backends::empty();
    }
    let spared = bug.unless.iter().filter(|(point, variant, _)| chooses(point, variant));
    spared.fold(bug.shows_on, |on, (_, _, correct)| on.difference(*correct))
}

/// Takes back, point by point, what is broken on one of these backends, until nothing is.
pub fn repair(designs: &mut Designs, on: Backends) {
    if *designs == Designs::default() {
        return;
    }
    while let Some(bug) = flaw(*designs, on) {
        let (point, _) = bug.designs[bug.designs.len() - 1];
        take_back(designs, point);
    }
}

/// Chooses the default of a point.
///
/// # Panics
/// If there is no such point.
pub fn take_back(designs: &mut Designs, point: &str) {
    let known = Designs::POINTS.iter().find(|known| known.name == point);
    let (default, _) = known.unwrap_or_else(|| panic!("no design point {point}")).variants[0];
    designs.choose(point, default).expect("its first variant");
}

/// Takes back, of what a story has drawn, the points that a bug or the caller chooses, and then point by point what is broken beside
/// their choices for a reason of its own.
pub fn leave_open(designs: &mut Designs, setup: &Setup, on: Backends) {
    if *designs == Designs::default() {
        return;
    }
    let asked_for = setup.asked_for.iter().map(|(point, _)| &**point);
    for point in setup.of_bug.iter().map(|(point, _)| *point).chain(asked_for) {
        take_back(designs, point);
    }
    while is_broken_beside(*designs, setup, on) {
        let Some((point, _)) = designs.changed().next() else { break };
        take_back(designs, point);
    }
}

/// Whether a combination is broken beside what a bug and the caller choose, for a reason that is not theirs alone.
pub fn is_broken_beside(designs: Designs, setup: &Setup, on: Backends) -> bool {
    let alone = setup.designs_over(Designs::default());
    designs != Designs::default() && breaks_otherwise((setup.designs_over(designs), on), (alone, on))
}

/// Whether the one combination is broken, on the backends it is played on, for a reason for which the other is not.
pub fn breaks_otherwise(one: (Designs, Backends), other: (Designs, Backends)) -> bool {
    let broken_on = |(designs, on): (Designs, Backends), bug| broken_by(designs, bug) & on;
    broken().any(|bug| !broken_on(other, bug).contains(broken_on(one, bug)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn designs(choices: &[(&str, &str)]) -> Designs {
        let mut designs = Designs::default();
        for (point, variant) in choices {
            designs.choose(point, variant).expect("a known variant");
        }
        designs
    }

    #[test]
    fn the_defaults_are_correct_everywhere() {
        assert!(flaw(Designs::default(), Backends::all()).is_none());
    }

    #[test]
    fn a_row_of_designs_alone_is_broken_where_it_shows_unless_it_says_otherwise() {
        let choices = [("pte_clear", "at-purge"), ("table_drain", "never")];
        let flawed = |choices: &[_], on| flaw(designs(choices), on).map(|bug| bug.name);
        assert_eq!(flawed(&choices, Backends::XEN), Some("lazy-alias-pins.a"));
        assert_eq!(flawed(&choices, Backends::NATIVE), None, "native does not care");
        for one in &choices {
            assert_eq!(flawed(&[*one], Backends::all()), None, "{one:?} alone");
        }
        let with_more = [choices[0], choices[1], ("kernel_flush", "hypercall")];
        assert_eq!(flawed(&with_more, Backends::all()), Some("lazy-alias-pins.a"));
        let spared = [choices[0], choices[1], ("unmap_flush", "eager")];
        assert_eq!(flawed(&spared, Backends::all()), None, "nothing is lazy");
        let answered = [("irqs_off_drain", "shootdown"), ("kernel_flush", "hypercall")];
        assert_eq!(flawed(&answered, Backends::XEN), None, "no interrupt of the guest's is waited for");
        assert_eq!(flawed(&answered, Backends::all()), Some("drain-irqs-off.a"), "native has no hypercall");
    }

    #[test]
    fn a_combination_breaks_otherwise_only_by_a_row_that_breaks_no_other_where_it_is_played() {
        let (late, never) = (("pte_clear", "at-purge"), ("table_drain", "never"));
        let everywhere = |choices: &[_]| (designs(choices), Backends::all());
        let pins = everywhere(&[late, never]);
        let spared = everywhere(&[late, never, ("unmap_flush", "eager")]);
        assert!(breaks_otherwise(pins, spared), "what spared it is gone");
        assert!(!breaks_otherwise((pins.0, Backends::NATIVE), spared), "native does not care");
        assert!(breaks_otherwise(pins, (pins.0, Backends::NATIVE)), "Xen does");
        assert!(!breaks_otherwise(spared, pins));
        let with_more = everywhere(&[late, never, ("kernel_flush", "hypercall")]);
        assert!(!breaks_otherwise(pins, with_more), "for the same reason");
        assert!(breaks_otherwise(everywhere(&[late, never, ("drain", "inhibit")]), pins), "for another too");
    }

    #[test]
    fn what_a_story_draws_leaves_open_what_is_asked_for_and_breaks_nothing_beside_it() {
        let asking = |point: &str, variant: &str| {
            Setup::default().asking_for([(point.to_owned(), variant.to_owned())].into())
        };
        // A flush on every map is what spares the other.
        let drawn = designs(&[("drain", "on-map-everywhere"), ("irqs_off_drain", "shootdown")]);
        let mut left = drawn;
        leave_open(&mut left, &Setup::default(), Backends::all());
        assert_eq!(left, drawn, "nothing is asked for");
        assert!(!is_broken_beside(drawn, &Setup::default(), Backends::all()));
        assert!(is_broken_beside(drawn, &asking("drain", "flush"), Backends::all()));
        leave_open(&mut left, &asking("drain", "flush"), Backends::all());
        assert_eq!(left, Designs::default(), "what spared it is gone");
        let mut left = designs(&[("pte_clear", "at-purge")]);
        leave_open(&mut left, &asking("table_drain", "never"), Backends::all());
        assert_eq!(left, Designs::default(), "together they are broken under Xen");
        let mut left = designs(&[("pte_clear", "at-purge")]);
        leave_open(&mut left, &asking("table_drain", "never"), Backends::NATIVE);
        assert_eq!(left, designs(&[("pte_clear", "at-purge")]), "native does not care");
    }

    #[test]
    fn a_row_that_leaves_out_a_step_breaks_no_design() {
        assert!(broken().all(|bug| bug.omitted.is_empty()));
        assert!(broken().any(|bug| bug.name == "va-reuse-unflushed.a"));
        assert!(!broken().any(|bug| bug.name == "vb-full-missed"));
    }

    #[test]
    fn a_broken_row_is_repaired_and_a_correct_combination_is_left_alone() {
        for bug in broken() {
            let mut changed = designs(bug.designs);
            changed.choose("kernel_flush", "hypercall").expect("a known variant");
            repair(&mut changed, Backends::all());
            assert!(flaw(changed, Backends::all()).is_none(), "{}", bug.name);
        }
        let mut correct = designs(&[("pte_clear", "at-purge"), ("drain", "tables-only")]);
        let before = correct;
        repair(&mut correct, Backends::all());
        assert_eq!(correct, before);
    }
}
