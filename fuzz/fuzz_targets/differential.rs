//! libFuzzer: any bytes are a story, and stories are changed with their meaning in view.
#![no_main]

use harness::story::{Story, mutate};
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};

fuzz_target!(|story: Story| {
    assert_eq!(Story::decode(&story.encode()).as_ref(), Ok(&story));
    assert_eq!(story.to_string().parse().as_ref(), Ok(&story));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed)
});

fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
    mutate::crossover(data1, data2, out, seed)
});
