//! Whether a tree keeps its rules. For tests: it visits every node and must never change one.

use std::fmt;

use super::{Augment, NIL, NodeId, RbTree};

/// The measures of a tree that keeps its rules.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Shape {
    /// How many nodes there are.
    pub nodes: usize,
    /// Nodes on the longest way from the root down.
    pub depth: u32,
    /// Black nodes on every way from the root down.
    pub black_height: u32,
}

/// A rule that a tree breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken<K> {
    /// The key of the node that breaks it; `None` for the tree as a whole.
    pub at: Option<K>,
    /// The rule.
    pub rule: &'static str,
}

impl<K: fmt::Debug> fmt::Display for Broken<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(key) => write!(f, "rbtree, at {key:?}: {}", self.rule),
            None => write!(f, "rbtree: {}", self.rule),
        }
    }
}

impl<K: fmt::Debug> std::error::Error for Broken<K> {}

impl<K: Copy + Ord, V, A: Augment<K, V>> RbTree<K, V, A> {
    /// Checks order, colours, black heights, parent links, summaries and the count of nodes, and measures the tree.
    pub fn check(&self) -> Result<Shape, Broken<K>> {
        if self.is_red(self.root) {
            return Err(self.broken(self.root, "the root is black"));
        }
        let shape = self.check_below(self.root, NIL, None, None)?;
        if shape.nodes != self.len {
            return Err(Broken { at: None, rule: "the length is the number of nodes" });
        }
        let free = std::iter::successors(self.free.real(), |&node| self.right(node));
        if shape.nodes + free.take(self.nodes.len() + 1).count() != self.nodes.len() {
            return Err(Broken { at: None, rule: "every node of the arena is linked or free, once" });
        }
        Ok(shape)
    }

    /// It ends in a damaged tree too: the parent link keeps a node from being reached from two others, and the root from
    /// any.
    fn check_below(
        &self,
        node: NodeId,
        parent: NodeId,
        above: Option<K>,
        below: Option<K>,
    ) -> Result<Shape, Broken<K>> {
        if node == NIL {
            return Ok(Shape::default());
        }
        let [left, right] = self.node(node).children;
        let key = self.key(node);
        let rules = [
            (self.node(node).parent == parent, "the parent link leads back"),
            (self.node(node).value.is_some(), "a linked node is not free"),
            (above.is_none_or(|above| above < key), "keys grow from left to right"),
            (below.is_none_or(|below| key < below), "keys grow from left to right"),
            (
                !self.is_red(node) || !self.is_red(left) && !self.is_red(right),
                "a red node has black children",
            ),
        ];
        if let Some((_, rule)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(self.broken(node, rule));
        }
        let left = self.check_below(left, node, above, Some(key))?;
        let right = self.check_below(right, node, Some(key), below)?;
        if left.black_height != right.black_height {
            return Err(self.broken(node, "every way down passes the same number of black nodes"));
        }
        if self.summary(node) != self.summarize(node) {
            return Err(self.broken(node, "the summary is that of the subtree"));
        }
        Ok(Shape {
            nodes: left.nodes + 1 + right.nodes,
            depth: 1 + left.depth.max(right.depth),
            black_height: left.black_height + u32::from(!self.is_red(node)),
        })
    }

    fn broken(&self, node: NodeId, rule: &'static str) -> Broken<K> {
        Broken { at: Some(self.key(node)), rule }
    }
}
