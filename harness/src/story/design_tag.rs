//! The tags of designs: what the bytes of a story hold for a variant that is not the default of its point.
//!
//! Tags are stored in files: never renumbered, never reused. 0 is no choice.

use impls::Designs;

/// Every variant but the defaults.
pub(super) const TAGS: &[(u8, &str, &str)] = &[
    (1, "pte_clear", "at-purge"),
    (2, "drain", "tables-only"),
    (3, "drain", "inhibit"),
    (4, "drain", "on-map-local"),
    (5, "drain", "on-map-everywhere"),
    (6, "irqs_off_drain", "shootdown"),
    (7, "irqs_off_drain", "flush-local"),
    (8, "table_drain", "high-only"),
    (9, "table_drain", "never"),
    (10, "kernel_flush", "hypercall"),
    (11, "table_drain", "first-pin"),
    (12, "table_drain", "page-flag"),
    (13, "table_drain", "side-table"),
    (14, "table_drain", "side-table-on-request"),
    (15, "table_drain", "clean-cache"),
    (16, "table_drain", "fix-up"),
    (17, "page_flags", "plain"),
    (24, "unmap_flush", "eager"),
    (40, "irqs_off_drain", "tables-only"),
    (41, "dma_drain", "flush"),
    (42, "dma_drain", "never"),
    (60, "kernel_tables", "kept"),
    (61, "huge_over_table", "small-pages"),
    (62, "kernel_tables", "freed-at-once"),
    (70, "kernel_sync", "on-fault"),
    (80, "table_free", "with-pages"),
    (81, "table_free", "hook"),
    (82, "table_free", "configured-unused"),
    (83, "table_free", "one-deferred"),
    (84, "table_free", "sync-then-free"),
    (85, "table_free", "rcu-no-invalidate"),
    (86, "table_free", "at-once"),
    (90, "walker_wait", "sync-ipi"),
    (91, "walker_wait", "implied"),
    (92, "walker_wait", "none"),
    (95, "flush_reach", "ipi"),
    (96, "flush_reach", "broadcast"),
    (97, "flush_reach", "early-ack"),
    (100, "gup_reference", "recheck-leaf"),
    (101, "gup_reference", "not-zero"),
    (102, "gup_reference", "plain"),
    (103, "move_tables", "entries"),
    (105, "walk_guard", "slow-only"),
    (106, "walk_guard", "none"),
    (107, "walk_guard", "rcu-read"),
];

/// How many choices one record holds.
pub(super) const CHOICES: usize = 3;

/// The tags of what differs from the default, in the order of the points.
pub(super) fn tags(designs: Designs) -> impl Iterator<Item = u8> + use<> {
    designs.changed().map(|choice| {
        let tag = TAGS.iter().find(|(_, point, variant)| (*point, *variant) == choice);
        tag.unwrap_or_else(|| panic!("design {}={} has no tag", choice.0, choice.1)).0
    })
}

/// Chooses what a byte stands for; one that is no tag stands for some variant.
pub(super) fn choose(designs: &mut Designs, byte: u8) {
    if byte == 0 {
        return;
    }
    let known = TAGS.iter().find(|(tag, ..)| *tag == byte);
    let (_, point, variant) = known.unwrap_or(&TAGS[usize::from(byte) % TAGS.len()]);
    designs.choose(point, variant).expect("a variant that has a tag");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_variant_but_the_defaults_has_a_tag_of_its_own() {
        let known: BTreeSet<_> = Designs::POINTS
            .iter()
            .flat_map(|point| point.variants[1..].iter().map(|(variant, _)| (point.name, *variant)))
            .collect();
        let tagged: BTreeSet<_> = TAGS.iter().map(|(_, point, variant)| (*point, *variant)).collect();
        assert_eq!(tagged, known);
        let tags: BTreeSet<_> = TAGS.iter().map(|(tag, ..)| *tag).collect();
        assert!(tags.len() == TAGS.len() && !tags.contains(&0));
    }

    /// What is written in stories must go on meaning the same.
    #[test]
    fn tags_keep_their_meaning() {
        for (tag, choice) in [(1, ("pte_clear", "at-purge")), (5, ("drain", "on-map-everywhere"))] {
            let mut designs = Designs::default();
            choose(&mut designs, tag);
            assert!(designs.changed().eq([choice]));
        }
    }

    #[test]
    fn what_is_chosen_is_found_again_and_every_byte_chooses_something() {
        for byte in 1..=u8::MAX {
            let (mut one, mut other) = (Designs::default(), Designs::default());
            choose(&mut one, byte);
            assert_ne!(one, other);
            tags(one).for_each(|tag| choose(&mut other, tag));
            assert_eq!(one, other);
        }
    }
}
