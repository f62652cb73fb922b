//! An ordered index: a red-black tree whose nodes carry a summary of everything below them.
//!
//! It stands under the address space of the kernel as `rb_tree` does under `mm/vmalloc.c`. The kernel's lock guards it, so
//! it is plain data without points. It must never touch the machine. It must never allocate once it has reached its full
//! size: nodes live in an arena, and it reuses freed ones, the last one first.
//!
//! A [`NodeId`] stays good until its node is removed; no rotation and no removal of another node moves it.

use std::fmt;

mod balance;
mod check;
mod iter;
#[cfg(test)]
mod tests;

pub use check::{Broken, Shape};
pub use iter::Iter;

/// What a subtree says of itself, so that a search can skip it: the size of the largest hole, for example.
pub trait Augment<K, V> {
    /// The summary that each node keeps of its subtree.
    type Summary: Copy + PartialEq + fmt::Debug;

    /// The summary of a node and all nodes below it; `None` stands for a missing child.
    ///
    /// It may depend on the entries of the subtree, and never on their arrangement: a rotation does not change the
    /// summaries above it.
    fn summarize(
        key: K,
        value: &V,
        left: Option<Self::Summary>,
        right: Option<Self::Summary>,
    ) -> Self::Summary;
}

/// For a tree that needs no summaries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plain;

impl<K, V> Augment<K, V> for Plain {
    type Summary = ();

    fn summarize(_: K, _: &V, _: Option<()>, _: Option<()>) {}
}

/// A node of one tree, by its place in the arena.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NodeId(u32);

/// The end of a link.
const NIL: NodeId = NodeId(u32::MAX);

impl NodeId {
    const fn index(self) -> usize {
        self.0 as usize
    }

    fn real(self) -> Option<Self> {
        (self != NIL).then_some(self)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Left = 0,
    Right = 1,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Color {
    Red,
    Black,
}

struct Node<K, V, S> {
    key: K,
    /// `None` in a node on the free list, so that a stale id is noticed.
    value: Option<V>,
    summary: S,
    parent: NodeId,
    /// Left and right. In a node on the free list the right one is the next free node.
    children: [NodeId; 2],
    color: Color,
}

/// The key is taken: `insert` returns this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Occupied<V> {
    /// The node that has the key already; it was not changed.
    pub node: NodeId,
    /// The value that was not inserted.
    pub value: V,
}

/// An ordered map from `K` to `V` with a summary `A` of every subtree.
pub struct RbTree<K, V, A: Augment<K, V> = Plain> {
    nodes: Vec<Node<K, V, A::Summary>>,
    root: NodeId,
    free: NodeId,
    len: usize,
}

impl<K, V, A: Augment<K, V>> Default for RbTree<K, V, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Ord + fmt::Debug, V: fmt::Debug, A: Augment<K, V>> fmt::Debug for RbTree<K, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K, V, A: Augment<K, V>> RbTree<K, V, A> {
    /// An empty tree.
    pub const fn new() -> Self {
        Self { nodes: Vec::new(), root: NIL, free: NIL, len: 0 }
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes every entry and keeps the memory. All ids become invalid.
    pub fn clear(&mut self) {
        self.nodes.clear();
        (self.root, self.free, self.len) = (NIL, NIL, 0);
    }
}

/// Reading a node, and going from node to node.
impl<K: Copy + Ord, V, A: Augment<K, V>> RbTree<K, V, A> {
    /// The key of a node.
    pub fn key(&self, node: NodeId) -> K {
        self.node(node).key
    }

    /// The value of a node.
    pub fn value(&self, node: NodeId) -> &V {
        self.node(node).value.as_ref().expect("rbtree: a node was used after it was removed")
    }

    /// The summary of a node and everything below it.
    pub fn summary(&self, node: NodeId) -> A::Summary {
        self.node(node).summary
    }

    /// The top of the tree.
    pub fn root(&self) -> Option<NodeId> {
        self.root.real()
    }

    /// The child with the smaller keys.
    pub fn left(&self, node: NodeId) -> Option<NodeId> {
        self.child(node, Side::Left).real()
    }

    /// The child with the larger keys.
    pub fn right(&self, node: NodeId) -> Option<NodeId> {
        self.child(node, Side::Right).real()
    }

    /// The node above, or `None` at the root.
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.node(node).parent.real()
    }

    /// The node with the smallest key.
    pub fn first(&self) -> Option<NodeId> {
        self.root().map(|root| self.outermost(root, Side::Left))
    }

    /// The node with the largest key.
    pub fn last(&self) -> Option<NodeId> {
        self.root().map(|root| self.outermost(root, Side::Right))
    }

    /// The node with the next larger key.
    pub fn next(&self, node: NodeId) -> Option<NodeId> {
        self.neighbour(node, Side::Right)
    }

    /// The node with the next smaller key.
    pub fn prev(&self, node: NodeId) -> Option<NodeId> {
        self.neighbour(node, Side::Left)
    }

    fn node(&self, node: NodeId) -> &Node<K, V, A::Summary> {
        &self.nodes[node.index()]
    }

    fn node_mut(&mut self, node: NodeId) -> &mut Node<K, V, A::Summary> {
        &mut self.nodes[node.index()]
    }

    fn child(&self, node: NodeId, side: Side) -> NodeId {
        self.node(node).children[side as usize]
    }

    fn outermost(&self, mut node: NodeId, side: Side) -> NodeId {
        while let Some(child) = self.child(node, side).real() {
            node = child;
        }
        node
    }

    fn neighbour(&self, mut node: NodeId, side: Side) -> Option<NodeId> {
        if let Some(child) = self.child(node, side).real() {
            return Some(self.outermost(child, side.other()));
        }
        // Goes up until the way there leads to the wanted side.
        loop {
            let parent = self.parent(node)?;
            if self.child(parent, side) != node {
                return Some(parent);
            }
            node = parent;
        }
    }
}

/// Searching.
impl<K: Copy + Ord, V, A: Augment<K, V>> RbTree<K, V, A> {
    /// The node with this key.
    pub fn find(&self, key: K) -> Option<NodeId> {
        self.floor(key).filter(|&node| self.key(node) == key)
    }

    /// The first node whose key is not below this one.
    pub fn lower_bound(&self, key: K) -> Option<NodeId> {
        self.partition(|other| other < key).1
    }

    /// The first node whose key is above this one.
    pub fn upper_bound(&self, key: K) -> Option<NodeId> {
        self.partition(|other| other <= key).1
    }

    /// The last node whose key is not above this one. Of areas by their start it is the only one that can contain `key`.
    pub fn floor(&self, key: K) -> Option<NodeId> {
        self.partition(|other| other <= key).0
    }

    /// The last node of which `before` is true, and the first of which it is false.
    fn partition(&self, before: impl Fn(K) -> bool) -> (Option<NodeId>, Option<NodeId>) {
        let (mut last, mut first) = (None, None);
        let mut next = self.root();
        while let Some(node) = next {
            if before(self.key(node)) {
                last = Some(node);
                next = self.right(node);
            } else {
                first = Some(node);
                next = self.left(node);
            }
        }
        (last, first)
    }
}

/// Changing.
impl<K: Copy + Ord, V, A: Augment<K, V>> RbTree<K, V, A> {
    /// Adds an entry, in O(log n). Fails if the key exists, and then changes nothing.
    pub fn insert(&mut self, key: K, value: V) -> Result<NodeId, Occupied<V>> {
        let mut parent = NIL;
        let mut side = Side::Left;
        let mut next = self.root();
        while let Some(node) = next {
            let other = self.key(node);
            if other == key {
                return Err(Occupied { node, value });
            }
            parent = node;
            side = if key < other { Side::Left } else { Side::Right };
            next = self.child(node, side).real();
        }
        let node = self.take_node(key, value, parent);
        if parent == NIL {
            self.root = node;
        } else {
            self.node_mut(parent).children[side as usize] = node;
            self.propagate(parent);
        }
        self.balance_after_insert(node);
        self.len += 1;
        Ok(node)
    }

    /// Removes an entry, in O(log n), and returns it. Every other id stays good.
    pub fn remove(&mut self, node: NodeId) -> (K, V) {
        let key = self.key(node);
        let value =
            self.node_mut(node).value.take().expect("rbtree: a node was removed that is not in the tree");
        self.detach(node);
        let free = self.free;
        self.node_mut(node).children = [NIL, free];
        self.free = node;
        self.len -= 1;
        (key, value)
    }

    /// Gives a node another key and value in place, and returns the old value. The new key must stand where the old one
    /// stood: above the previous key and below the next.
    pub fn replace(&mut self, node: NodeId, key: K, value: V) -> V {
        debug_assert!(
            self.prev(node).is_none_or(|prev| self.key(prev) < key)
                && self.next(node).is_none_or(|next| key < self.key(next)),
            "rbtree: a key was replaced by one that belongs elsewhere",
        );
        let entry = self.node_mut(node);
        entry.key = key;
        let old = entry.value.replace(value).expect("rbtree: a node was replaced that is not in the tree");
        self.propagate(node);
        old
    }

    fn take_node(&mut self, key: K, value: V, parent: NodeId) -> NodeId {
        let summary = A::summarize(key, &value, None, None);
        let node = Node { key, value: Some(value), summary, parent, children: [NIL; 2], color: Color::Red };
        if let Some(id) = self.free.real() {
            self.free = self.child(id, Side::Right);
            *self.node_mut(id) = node;
            return id;
        }
        let id = u32::try_from(self.nodes.len()).ok().map(NodeId).and_then(NodeId::real);
        self.nodes.push(node);
        id.expect("rbtree: the arena is full")
    }

    /// What the node's summary should be, from those of its children.
    fn summarize(&self, node: NodeId) -> A::Summary {
        let summary = |child: Option<NodeId>| child.map(|child| self.summary(child));
        A::summarize(self.key(node), self.value(node), summary(self.left(node)), summary(self.right(node)))
    }

    /// Updates the summaries upward from a node whose subtree changed, until one is unchanged.
    fn propagate(&mut self, node: NodeId) {
        let mut next = node.real();
        while let Some(node) = next {
            let summary = self.summarize(node);
            if self.summary(node) == summary {
                return;
            }
            self.node_mut(node).summary = summary;
            next = self.parent(node);
        }
    }
}
