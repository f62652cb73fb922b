//! The mutator and the crossover of stories under the names that libFuzzer gave them, for AFL++ to call through
//! `afl.c`. They are the same that libFuzzer calls in its own target.

use harness::story::mutate::{self, Kernels};
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed, Kernels::AsTold)
});

fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
    mutate::crossover(data1, data2, out, seed)
});
