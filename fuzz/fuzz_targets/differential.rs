//! libFuzzer: any bytes are a story, and stories are changed with their meaning in view.
#![no_main]

use harness::fuzz;
use harness::story::Story;
use harness::story::mutate::{self, Kernels};
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};

fuzz_target!(init: fuzz::init(std::env::args()), |story: Story| fuzz::play(&story));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed, Kernels::AsTold)
});

fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
    mutate::crossover(data1, data2, out, seed)
});
