//! AFL++, in persistent mode: any bytes are a story.

use harness::story::Story;

fn main() {
    afl::fuzz!(|story: Story| {
        assert_eq!(Story::decode(&story.encode()).as_ref(), Ok(&story));
        assert_eq!(story.to_string().parse().as_ref(), Ok(&story));
    });
}
