//! A simulated x86-64 multiprocessor.
