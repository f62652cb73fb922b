//! The tree against the standard library's, with its rules checked after every step.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Augment, Color, NIL, NodeId, Occupied, RbTree, Shape, Side};

/// The sum of the keys: every change must be propagated up to the root.
struct Sum;

impl Augment<u16, u8> for Sum {
    type Summary = u64;

    fn summarize(key: u16, _: &u8, left: Option<u64>, right: Option<u64>) -> u64 {
        u64::from(key) + 1 + left.unwrap_or(0) + right.unwrap_or(0)
    }
}

/// The largest value: most changes stop on their way up.
struct Max;

impl Augment<u16, u8> for Max {
    type Summary = u8;

    fn summarize(_: u16, value: &u8, left: Option<u8>, right: Option<u8>) -> u8 {
        (*value).max(left.unwrap_or(0)).max(right.unwrap_or(0))
    }
}

type Tree = RbTree<u16, u8, Sum>;

fn filled(keys: impl IntoIterator<Item = u16>) -> Tree {
    let mut tree = Tree::new();
    for key in keys {
        tree.insert(key, key as u8).expect("keys are distinct");
    }
    tree
}

fn assert_same<A: Augment<u16, u8>>(tree: &RbTree<u16, u8, A>, model: &BTreeMap<u16, u8>) {
    let shape = tree.check().unwrap_or_else(|broken| panic!("{broken}"));
    assert!(within_bound(shape), "{shape:?}");
    assert_eq!(tree.len(), model.len());
    assert!(tree.iter().map(|(key, value)| (key, *value)).eq(model.iter().map(|(k, v)| (*k, *v))));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert(u16, u8),
    Remove(u16),
    Replace(u16, u8),
    Look(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..64u16;
    let step = prop_oneof![
        4 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Insert(key, value)),
        3 => key.clone().prop_map(Step::Remove),
        1 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Replace(key, value)),
        1 => key.prop_map(Step::Look),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn behaves_as_an_ordered_map(steps in steps()) {
        play::<Sum>(&steps);
        play::<Max>(&steps);
    }
}

fn play<A: Augment<u16, u8>>(steps: &[Step]) {
    let mut tree = RbTree::<u16, u8, A>::new();
    let mut model = BTreeMap::new();
    for &step in steps {
        match step {
            Step::Insert(key, value) => match tree.insert(key, value) {
                Ok(node) => {
                    assert_eq!((tree.key(node), *tree.value(node)), (key, value));
                    assert_eq!(model.insert(key, value), None);
                }
                Err(Occupied { node, value: rejected }) => {
                    assert_eq!(rejected, value);
                    assert_eq!(Some(tree.value(node)), model.get(&key));
                }
            },
            Step::Remove(key) => {
                let removed = tree.find(key).map(|node| tree.remove(node));
                assert_eq!(removed, model.remove_entry(&key));
            }
            Step::Replace(key, value) => {
                let replaced = tree.find(key).map(|node| tree.replace(node, key, value));
                assert_eq!(replaced, model.get_mut(&key).map(|old| std::mem::replace(old, value)));
            }
            Step::Look(key) => assert_same_around(key, &tree, &model),
        }
        assert_same(&tree, &model);
    }
}

fn assert_same_around<A: Augment<u16, u8>>(key: u16, tree: &RbTree<u16, u8, A>, model: &BTreeMap<u16, u8>) {
    let key_of = |node: Option<NodeId>| node.map(|node| tree.key(node));
    let below = model.range(..key).next_back().map(|(key, _)| *key);
    let above = model.range(key + 1..).next().map(|(key, _)| *key);
    let exact = model.contains_key(&key).then_some(key);
    assert_eq!(key_of(tree.find(key)), exact);
    assert_eq!(key_of(tree.lower_bound(key)), exact.or(above));
    assert_eq!(key_of(tree.upper_bound(key)), above);
    assert_eq!(key_of(tree.floor(key)), exact.or(below));
    assert_eq!(key_of(tree.first()), model.keys().next().copied());
    assert_eq!(key_of(tree.last()), model.keys().next_back().copied());
    if let Some(node) = tree.find(key) {
        assert_eq!(key_of(tree.next(node)), above);
        assert_eq!(key_of(tree.prev(node)), below);
    }
}

/// Whether depth ≤ 2·log2(n + 1), that is, 2^depth ≤ (n + 1)².
fn within_bound(shape: Shape) -> bool {
    1_u128 << shape.depth <= (shape.nodes as u128 + 1).pow(2)
}

#[test]
fn depth_stays_below_twice_the_logarithm() {
    const N: u32 = 100_000;
    // Ascending, descending, and scattered by a multiplication modulo a prime above N.
    let orders: [fn(u32) -> u32; 3] = [|i| i, |i| N - 1 - i, |i| (u64::from(i) * 48_271 % 100_003) as u32];
    for order in orders {
        let mut tree = RbTree::<u32, ()>::new();
        for i in 0..N {
            tree.insert(order(i), ()).expect("each key once");
        }
        let shape = tree.check().unwrap();
        assert_eq!(shape.nodes, N as usize);
        assert!(within_bound(shape), "{shape:?}");

        // Removing nine in ten from one side is what unbalances a tree that does not rebalance on removal.
        for _ in 0..N / 10 * 9 {
            tree.remove(tree.first().unwrap());
        }
        let shape = tree.check().unwrap();
        assert_eq!(shape.nodes, N as usize / 10);
        assert!(within_bound(shape), "{shape:?}");
    }
}

#[test]
fn ids_stay_good_while_others_are_removed() {
    let mut tree = Tree::new();
    let ids: Vec<NodeId> = (0..500).map(|key| tree.insert(key, 7).unwrap()).collect();
    for key in (0..500u16).filter(|key| key % 3 != 0) {
        tree.remove(ids[usize::from(key)]);
        tree.check().unwrap();
    }
    for key in (0..500u16).step_by(3) {
        assert_eq!(tree.find(key), Some(ids[usize::from(key)]));
    }
}

#[test]
fn the_arena_does_not_grow_in_the_steady_state() {
    let mut tree = filled(0..100);
    let capacity = tree.nodes.capacity();
    for round in 0..10 {
        for key in 0..60 {
            tree.remove(tree.find(key + round * 100).unwrap());
            tree.insert(key + (round + 1) * 100, 1).unwrap();
        }
        for key in 60..100 {
            tree.replace(tree.find(key + round * 100).unwrap(), key + round * 100, 2);
            tree.remove(tree.find(key + round * 100).unwrap());
            tree.insert(key + (round + 1) * 100, 1).unwrap();
        }
        tree.check().unwrap();
    }
    assert_eq!(tree.nodes.len(), 100);
    tree.clear();
    assert!(tree.is_empty() && tree.iter().next().is_none());
    assert_eq!(tree.nodes.capacity(), capacity);
}

#[test]
fn a_cleared_tree_gives_the_ids_of_a_new_one() {
    let ids = |tree: &mut Tree| [5, 3, 9].map(|key| tree.insert(key, 0).unwrap());
    let mut used = filled(0..50);
    used.remove(used.find(20).unwrap());
    used.clear();
    assert_eq!(ids(&mut used), ids(&mut Tree::new()));
}

#[test]
#[should_panic(expected = "not in the tree")]
fn removing_a_node_twice_is_noticed() {
    let mut tree = filled(0..5);
    let node = tree.find(3).unwrap();
    tree.remove(node);
    tree.remove(node);
}

/// What `check` says after this damage to a tree of the keys 0 to 20.
fn verdict(damage: impl FnOnce(&mut Tree)) -> &'static str {
    let mut tree = filled(0..=20);
    tree.check().unwrap();
    damage(&mut tree);
    tree.check().unwrap_err().rule
}

#[test]
fn check_notices_a_red_root() {
    assert_eq!(verdict(|tree| tree.nodes[tree.root.index()].color = Color::Red), "the root is black");
}

#[test]
fn check_notices_red_under_red() {
    let rule = verdict(|tree| {
        let red = (0..=20)
            .map(|key| tree.find(key).unwrap())
            .find(|&node| tree.is_red(node) && tree.left(node).is_some());
        let child = tree.left(red.expect("ascending keys leave a red inner node")).unwrap();
        tree.node_mut(child).color = Color::Red;
    });
    assert_eq!(rule, "a red node has black children");
}

#[test]
fn check_notices_unequal_black_heights() {
    let rule = verdict(|tree| {
        let leaf = tree.last().unwrap();
        let color = if tree.is_red(leaf) { Color::Black } else { Color::Red };
        tree.node_mut(leaf).color = color;
    });
    assert_eq!(rule, "every way down passes the same number of black nodes");
}

#[test]
fn check_notices_disorder_and_a_cycle() {
    assert_eq!(verdict(|tree| tree.nodes[0].key = 19), "keys grow from left to right");
    let rule = verdict(|tree| {
        let (first, root) = (tree.first().unwrap(), tree.root);
        tree.node_mut(first).children[Side::Left as usize] = root;
    });
    assert_eq!(rule, "the parent link leads back");
}

#[test]
fn check_notices_a_stale_summary() {
    let rule = verdict(|tree| {
        let first = tree.first().unwrap();
        tree.node_mut(first).summary = 200;
    });
    assert_eq!(rule, "the summary is that of the subtree");
}

#[test]
fn check_notices_a_lost_node_and_a_wrong_length() {
    let rule = verdict(|tree| tree.len += 1);
    assert_eq!(rule, "the length is the number of nodes");
    let rule = verdict(|tree| {
        tree.remove(tree.first().unwrap());
        tree.free = NIL;
    });
    assert_eq!(rule, "every node of the arena is linked or free, once");
}
