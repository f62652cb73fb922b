//! Who is paused where: the story's view of each CPU, beside the machine's.
//!
//! What the story paused may have ended meanwhile, because another CPU had to wait for it or because its pause was
//! never reached. So each paused operation or handler remembers how deep it stood on the machine, and is continued only
//! if something still stands there.

use crate::story::MAX_CPUS;
use crate::story::state::MAX_NEST;

/// The operations and handlers that the story paused on one CPU, the outermost first.
#[derive(Clone, Copy, Debug, Default)]
struct Stack {
    /// How deep each stood, from 1; 0 if it ended at once.
    levels: [u8; MAX_NEST],
    told: usize,
}

/// The same for all CPUs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cast([Stack; MAX_CPUS as usize]);

impl Cast {
    /// Everything on a CPU was continued to its end.
    pub(super) fn clear(&mut self, cpu: u8) {
        self.0[usize::from(cpu)].told = 0;
    }

    /// The story paused what it began last on a CPU, and it stands at this depth of the machine; at 0 if it ended already.
    pub(super) fn paused(&mut self, cpu: u8, depth: usize) {
        let stack = &mut self.0[usize::from(cpu)];
        stack.levels[stack.told] = depth as u8;
        stack.told += 1;
    }

    /// How deep on the machine the innermost stands that the story paused; 0 if it ended.
    pub(super) fn innermost(&self, cpu: u8, depth: usize) -> usize {
        let stack = &self.0[usize::from(cpu)];
        match stack.told {
            0 => 0,
            told => Some(usize::from(stack.levels[told - 1])).filter(|level| *level <= depth).unwrap_or(0),
        }
    }

    /// The innermost was continued to its end.
    pub(super) fn pop(&mut self, cpu: u8) {
        let stack = &mut self.0[usize::from(cpu)];
        stack.told = stack.told.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_meanwhile_is_not_continued_in_the_place_of_another() {
        let mut cast = Cast::default();
        cast.paused(0, 1);
        cast.paused(0, 0);
        assert_eq!(cast.innermost(0, 1), 0, "the handler never paused, and the operation stays where it is");
        cast.pop(0);
        assert_eq!(cast.innermost(0, 1), 1);
        assert_eq!(cast.innermost(0, 0), 0, "somebody had to wait for it");
        cast.pop(0);
        assert_eq!(cast.innermost(0, 1), 0);
    }
}
