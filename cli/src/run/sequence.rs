//! Which stories a seed stands for: the same ones, under the same numbers, whichever job plays them and
//! with how many others.

use harness::story::{Backends, Generator};

/// This many stories come from one generator. Part of what a seed means: another number here is another sequence.
const CHUNK: u64 = 256;

/// The stories of a seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequence {
    seed: u64,
    backends: Backends,
    any_designs: bool,
    end: u64,
}

/// Stories that follow one another.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Makes the stories of the chunk, in order.
    pub(crate) generator: Generator,
    /// The number of the first, from 0.
    pub(crate) first: u64,
    /// How many there are.
    pub(crate) count: u64,
}

impl Sequence {
    /// The stories of this seed: all of them, or as many as the limit says.
    pub(crate) fn new(seed: u64, backends: Backends, limit: Option<u64>) -> Self {
        Self { seed, backends, any_designs: false, end: limit.unwrap_or(u64::MAX) }
    }

    /// The same, each story with designs of its own.
    #[must_use]
    pub(crate) fn with_any_designs(self, any_designs: bool) -> Self {
        Self { any_designs, ..self }
    }

    /// The chunk of this number, from 0; none beyond the end.
    pub(crate) fn chunk(&self, number: u64) -> Option<Chunk> {
        let first = number.checked_mul(CHUNK).filter(|first| *first < self.end)?;
        let generator = Generator::new(mix(self.seed, number)).with_backends(self.backends);
        let generator = if self.any_designs { generator.with_any_designs() } else { generator };
        Some(Chunk { generator, first, count: CHUNK.min(self.end - first) })
    }
}

/// One number out of two, so that neighbours have nothing in common: the finalizer of `SplitMix64` (Steele, Lea and
/// Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), once for each.
fn mix(seed: u64, number: u64) -> u64 {
    finalize(finalize(seed) ^ number)
}

fn finalize(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use harness::story::{Backends, Story};

    use super::Sequence;

    fn numbers(limit: u64) -> Vec<u64> {
        let sequence = Sequence::new(1, Backends::all(), Some(limit));
        (0..)
            .map_while(|number| sequence.chunk(number))
            .flat_map(|chunk| chunk.first..chunk.first + chunk.count)
            .collect()
    }

    #[test]
    fn chunks_cover_every_story_once() {
        for limit in [1, 255, 256, 257, 1000] {
            assert_eq!(numbers(limit), (0..limit).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_two_chunks_tell_the_same_and_each_tells_it_again() {
        let first = |seed, number| {
            let mut story = Story::default();
            let sequence = Sequence::new(seed, Backends::all(), None);
            sequence.chunk(number).expect("there is no end").generator.next(&mut story);
            story.encode()
        };
        let all: BTreeSet<_> =
            (0..20).flat_map(|seed| (0..20).map(move |number| first(seed, number))).collect();
        assert_eq!(all.len(), 400);
        assert_eq!(first(3, 4), first(3, 4));
    }
}
