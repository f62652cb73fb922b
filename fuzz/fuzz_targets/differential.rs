//! libFuzzer: any bytes are a story.
#![no_main]

use harness::story::Story;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|story: Story| {
    assert_eq!(Story::decode(&story.encode()).as_ref(), Ok(&story));
    assert_eq!(story.to_string().parse().as_ref(), Ok(&story));
});
