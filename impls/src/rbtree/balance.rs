//! Rotations, and the rules that keep the tree balanced after an insertion and a removal.
//!
//! The root is black, a red node has black children, and every way from a node down to a missing child passes the same
//! number of black nodes. So no way is more than twice as long as another. Nodes are relinked and never copied, so ids stay
//! good. After Cormen et al., "Introduction to Algorithms", chapter 13, without the sentinel: where a node may be missing,
//! its parent is passed beside it.

use super::{Augment, Color, NIL, NodeId, RbTree, Side};

impl<K: Copy + Ord, V, A: Augment<K, V>> RbTree<K, V, A> {
    /// Restores the rules after `node` was linked in as a red leaf.
    pub(super) fn balance_after_insert(&mut self, mut node: NodeId) {
        // Only one thing can be wrong: `node` and its parent are both red. A red parent is not the root.
        while let Some(mut parent) = self.parent(node).filter(|&parent| self.is_red(parent)) {
            let grandparent = self.node(parent).parent;
            let side = self.side_under(grandparent, parent);
            let uncle = self.child(grandparent, side.other());
            if self.is_red(uncle) {
                self.paint(parent, Color::Black);
                self.paint(uncle, Color::Black);
                self.paint(grandparent, Color::Red);
                node = grandparent;
                continue;
            }
            if self.side_under(parent, node) != side {
                self.rotate(parent, side);
                parent = node;
            }
            self.paint(parent, Color::Black);
            self.paint(grandparent, Color::Red);
            self.rotate(grandparent, side.other());
            break;
        }
        self.paint(self.root, Color::Black);
    }

    /// Unlinks a node whose value was taken out, and restores the rules and summaries.
    pub(super) fn detach(&mut self, node: NodeId) {
        let [left, right] = self.node(node).children;
        let (moved, parent, lost) = if left == NIL || right == NIL {
            let child = if left == NIL { right } else { left };
            let parent = self.node(node).parent;
            self.relink(parent, node, child);
            self.propagate(parent);
            (child, parent, self.node(node).color)
        } else {
            self.put_successor_in_place_of(node)
        };
        if lost == Color::Black {
            self.balance_after_removal(moved, parent);
        }
    }

    /// Unlinks a node with two children: moves its successor to its place. Returns the node that moved to the successor's
    /// place (or [`NIL`]), its parent, and the colour that the way to it lacks now.
    fn put_successor_in_place_of(&mut self, node: NodeId) -> (NodeId, NodeId, Color) {
        let [left, right] = self.node(node).children;
        let successor = self.outermost(right, Side::Left);
        let lost = self.node(successor).color;
        let moved = self.child(successor, Side::Right);
        let parent = if successor == right {
            successor
        } else {
            let parent = self.node(successor).parent;
            self.relink(parent, successor, moved);
            self.adopt(successor, Side::Right, right);
            parent
        };
        self.relink(self.node(node).parent, node, successor);
        self.adopt(successor, Side::Left, left);
        let (color, summary) = (self.node(node).color, self.node(node).summary);
        let heir = self.node_mut(successor);
        (heir.color, heir.summary) = (color, summary);
        // There are two changes: `parent` lost the successor, and the place of `node` lost `node`. The first
        // propagation may stop on its way up to that place, so the place needs one of its own.
        self.propagate(parent);
        self.propagate(successor);
        (moved, parent, lost)
    }

    /// Restores the rules where the ways through `node` (which may be [`NIL`]) lack one black node.
    fn balance_after_removal(&mut self, mut node: NodeId, mut parent: NodeId) {
        while node != self.root && !self.is_red(node) {
            // The sibling exists: the ways through it pass one black node more than those through `node`.
            let side = self.side_under(parent, node);
            let mut sibling = self.child(parent, side.other());
            if self.is_red(sibling) {
                self.paint(sibling, Color::Black);
                self.paint(parent, Color::Red);
                self.rotate(parent, side);
                sibling = self.child(parent, side.other());
            }
            let near = self.child(sibling, side);
            let mut far = self.child(sibling, side.other());
            if !self.is_red(near) && !self.is_red(far) {
                self.paint(sibling, Color::Red);
                (node, parent) = (parent, self.node(parent).parent);
                continue;
            }
            if !self.is_red(far) {
                self.paint(near, Color::Black);
                self.paint(sibling, Color::Red);
                self.rotate(sibling, side.other());
                (sibling, far) = (near, sibling);
            }
            self.paint(sibling, self.node(parent).color);
            self.paint(parent, Color::Black);
            self.paint(far, Color::Black);
            self.rotate(parent, side);
            return;
        }
        if node != NIL {
            self.paint(node, Color::Black);
        }
    }

    /// Turns `node` down to one side; its child on the other side takes its place.
    fn rotate(&mut self, node: NodeId, side: Side) {
        let riser = self.child(node, side.other());
        self.adopt(node, side.other(), self.child(riser, side));
        self.relink(self.node(node).parent, node, riser);
        self.adopt(riser, side, node);
        self.node_mut(node).summary = self.summarize(node);
        self.node_mut(riser).summary = self.summarize(riser);
    }

    /// Makes `child` (which may be [`NIL`]) the child of `parent` on one side.
    fn adopt(&mut self, parent: NodeId, side: Side, child: NodeId) {
        self.node_mut(parent).children[side as usize] = child;
        if child != NIL {
            self.node_mut(child).parent = parent;
        }
    }

    /// Hangs `new` (which may be [`NIL`]) where `old` hangs under `parent`, or at the root.
    fn relink(&mut self, parent: NodeId, old: NodeId, new: NodeId) {
        if parent != NIL {
            self.adopt(parent, self.side_under(parent, old), new);
            return;
        }
        self.root = new;
        if new != NIL {
            self.node_mut(new).parent = NIL;
        }
    }

    fn side_under(&self, parent: NodeId, child: NodeId) -> Side {
        if self.child(parent, Side::Left) == child { Side::Left } else { Side::Right }
    }

    pub(super) fn is_red(&self, node: NodeId) -> bool {
        node != NIL && self.node(node).color == Color::Red
    }

    fn paint(&mut self, node: NodeId, color: Color) {
        self.node_mut(node).color = color;
    }
}
