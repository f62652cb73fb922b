//! Chance for the generator and the mutator: a named algorithm, seeded explicitly, so that a seed means the same
//! stories everywhere and for ever.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::slots::SlotSet;

/// A source of chance.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number below this, which must not be 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // By multiplication: the bias is below 2^-32 for the small limits used here.
        let high = self.0.next_u64() >> 32;
        ((high * limit as u64) >> 32) as usize
    }

    /// A number from this range.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Whether a thing of this many percent happens.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these, which must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// The index of one of these weights, as often as its weight says; their sum must not be 0.
    pub(crate) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut rest = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if rest < *weight {
                return index;
            }
            rest -= weight;
        }
        unreachable!("a number below the sum lies within one of the weights")
    }

    /// A slot of this set, if it has one.
    pub(crate) fn slot(&mut self, set: SlotSet) -> Option<u8> {
        if set.is_empty() {
            return None;
        }
        let number = self.below(set.len());
        set.all_from(0).nth(number)
    }

    /// 1, 2, 3 and so on, each less likely than the one before, `mean` on average.
    pub(crate) fn geometric(&mut self, mean: usize, most: usize) -> usize {
        let mut number = 1;
        while number < most && self.below(mean) != 0 {
            number += 1;
        }
        number
    }
}
