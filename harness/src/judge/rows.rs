//! Which combinations of designs are judged together: each variant of each of some points, beside choices that are fixed.

use impls::Designs;

/// A point that is without meaning but beside one choice at another: its variants are judged there alone.
const ONLY_BESIDE: &[(&str, (&str, &str))] = &[("walker_wait", ("table_free", "sync-then-free"))];

/// Every combination of the variants of these points, the first point varying most slowly, beside fixed choices. Each is a variant of each
/// point, in their order. Combinations that differ in nothing that has a meaning are given once.
///
/// # Panics
/// If a point or a fixed choice does not exist.
pub fn rows(points: &[&str], fixed: &[(&str, &str)]) -> Vec<Vec<(&'static str, &'static str)>> {
    let mut rows: Vec<Vec<_>> = vec![Vec::new()];
    for point in points {
        let known = Designs::POINTS.iter().find(|known| known.name == *point);
        let known = known.unwrap_or_else(|| panic!("no design point {point}"));
        let with = |row: &Vec<_>| {
            let row = row.clone();
            known.variants.iter().map(move |(variant, _)| {
                let mut row = row.clone();
                row.push((known.name, *variant));
                row
            })
        };
        rows = rows.iter().flat_map(with).collect();
    }
    rows.retain(|row| has_meaning(row, fixed));
    rows
}

/// Whether every point that is not at its default has a meaning beside the others.
fn has_meaning(row: &[(&'static str, &'static str)], fixed: &[(&str, &str)]) -> bool {
    let mut designs = Designs::default();
    for (point, variant) in fixed.iter().chain(row) {
        designs.choose(point, variant).expect("designs that were looked up before");
    }
    let changed: Vec<_> = designs.changed().collect();
    ONLY_BESIDE.iter().all(|(point, beside)| {
        let varies = row.iter().any(|chosen| chosen.0 == *point && changed.contains(chosen));
        !varies || changed.contains(beside)
    })
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn every_variant_of_each_point_stands_beside_every_one_of_the_others() {
        let rows = rows(&["walk_guard", "gup_reference"], &[]);
        assert_eq!(rows.len(), 16);
        assert_eq!(rows[1], [("walk_guard", "irqs-off"), ("gup_reference", "recheck-leaf")]);
        assert_eq!(rows[15], [("walk_guard", "none"), ("gup_reference", "plain")]);
    }

    #[test]
    fn a_point_that_has_no_meaning_beside_the_others_stays_at_its_default() {
        let number = |points: &[&str], fixed: &[_]| rows(points, fixed).len();
        assert_eq!(number(&["table_free", "walker_wait"], &[]), 7 + 4);
        assert_eq!(number(&["walker_wait"], &[]), 1);
        assert_eq!(number(&["walker_wait"], &[("table_free", "sync-then-free")]), 4);
    }
}
