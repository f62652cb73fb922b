//! The backends by which a story names the kernels that play it. A stranger's kernel stands behind [`Subject`].

pub use subjects::{Build, Setup, Subject, Watcher};

use crate::story::{Backends, Header};

/// Every backend of ours, in the order in which they play a story.
pub fn all() -> Vec<(Backends, Box<dyn Subject>)> {
    vec![
        (Backends::NATIVE, subjects::native()),
        (Backends::XEN, subjects::xen()),
        (Backends::KVM, subjects::kvm()),
        (Backends::HYPERV, subjects::hyperv()),
    ]
}

impl Header {
    /// What it asks of every backend.
    pub(crate) fn build(&self) -> Build {
        Build { cpus: self.cpus, temperament: self.temperament, sizes: self.sizes }
    }
}
