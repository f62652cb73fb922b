//! `designs`, and `--help` of everything.

use harness::protocol::Designs;

use crate::program::Place;

#[test]
fn every_design_point_and_variant_is_listed() {
    let place = Place::new();
    let (text, json) = (place.run(&["designs"]), place.run(&["designs", "--format", "json"]));
    assert_eq!((text.code, json.code), (0, 0));
    let listed = json.json();
    for (number, point) in Designs::POINTS.iter().enumerate() {
        assert!(text.out.contains(&format!("{} (seed {})", point.name, point.seed)), "{}", text.out);
        let listed = &listed["designs"][number];
        assert_eq!((&listed["point"], &listed["seed"]), (&point.name.into(), &point.seed.into()));
        assert_eq!(listed["default"], point.variants[0].0);
        for (number, (name, meaning)) in point.variants.iter().enumerate() {
            assert!(text.out.contains(name) && text.out.contains(meaning.trim()), "{}", text.out);
            assert_eq!(listed["variants"][number]["name"], *name);
        }
    }
}
