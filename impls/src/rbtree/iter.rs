//! All entries in order, by following the links, without a stack and without changing anything.

use std::fmt;
use std::iter::FusedIterator;

use super::{Augment, NodeId, RbTree};

impl<K: Copy + Ord, V, A: Augment<K, V>> RbTree<K, V, A> {
    /// The entries by growing key.
    pub fn iter(&self) -> Iter<'_, K, V, A> {
        Iter { tree: self, next: self.first() }
    }
}

/// The entries of a tree by growing key.
pub struct Iter<'a, K, V, A: Augment<K, V>> {
    tree: &'a RbTree<K, V, A>,
    next: Option<NodeId>,
}

impl<K, V, A: Augment<K, V>> fmt::Debug for Iter<'_, K, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<'a, K: Copy + Ord, V, A: Augment<K, V>> Iterator for Iter<'a, K, V, A> {
    type Item = (K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.next?;
        self.next = self.tree.next(node);
        Some((self.tree.key(node), self.tree.value(node)))
    }
}

impl<K: Copy + Ord, V, A: Augment<K, V>> FusedIterator for Iter<'_, K, V, A> {}

impl<'a, K: Copy + Ord, V, A: Augment<K, V>> IntoIterator for &'a RbTree<K, V, A> {
    type Item = (K, &'a V);
    type IntoIter = Iter<'a, K, V, A>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
