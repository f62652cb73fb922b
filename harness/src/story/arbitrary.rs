//! `Arbitrary` over the decoder, so that typed fuzz targets play exactly the bytes that files hold.

use arbitrary::{Arbitrary, Error, Result, Unstructured};

use super::{MAX_BYTES, Story};

impl<'a> Arbitrary<'a> for Story {
    /// Takes what is there, up to [`MAX_BYTES`].
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let length = u.len().min(MAX_BYTES);
        Self::decode(u.bytes(length)?).map_err(|_| Error::IncorrectFormat)
    }

    /// Takes all of it; an error if it is more than [`MAX_BYTES`], so that no input is played in part.
    fn arbitrary_take_rest(u: Unstructured<'a>) -> Result<Self> {
        Self::decode(u.take_rest()).map_err(|_| Error::IncorrectFormat)
    }

    fn size_hint(_depth: usize) -> (usize, Option<usize>) {
        (0, Some(MAX_BYTES))
    }
}
