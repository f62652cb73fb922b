//! The kernels under test.
