//! AFL++, in persistent mode: any bytes are a story.

use harness::fuzz;
use harness::story::Story;

fn main() {
    fuzz::init(std::env::args());
    // AFL's hook would abort at a panic before it can be judged.
    afl::fuzz_nohook!(|story: Story| fuzz::play(&story));
}
