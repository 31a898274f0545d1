//! Contexts: what a client has seen of a key, carried from a read to a write.
//!
//! A context is opaque to clients, but it decides what their write overwrites, so it
//! is sealed: version byte, 16 bytes of HMAC-SHA256 under the ring's seal over that
//! byte, the key and what was seen, then what was seen. One that was cut, changed, made up,
//! or taken from another key or cluster does not open.

use crate::v1;
use bytes::{BufMut, Bytes, BytesMut};
use dynamo_core::{key::Key, ring::Seal, version::Context};
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;

/// The format made today.
const FORMAT: u8 = 1;

/// How much of the HMAC is kept.
const TAG: usize = 16;

/// A context that does not open. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the context is forged or truncated, or it is from another key or cluster: get the key again \
     and use the context that comes with it"
)]
pub struct BadContext;

/// Seals what was seen of `key`, for requests about it.
pub fn seal(seal: &Seal, key: &Key, context: &Context) -> Bytes {
    let body = v1::Context::from(context).encode_to_vec();
    let tag = mac(seal, key, &body).finalize().into_bytes();
    let mut sealed = BytesMut::with_capacity(1 + TAG + body.len());
    sealed.put_u8(FORMAT);
    sealed.put_slice(&tag[..TAG]);
    sealed.put_slice(&body);
    sealed.freeze()
}

/// Reads what [`seal`] made for this key. Empty bytes are the context of somebody who
/// has seen nothing.
pub fn open(seal: &Seal, key: &Key, sealed: &[u8]) -> Result<Context, BadContext> {
    if sealed.is_empty() {
        return Ok(Context::default());
    }
    let rest = sealed.strip_prefix(&[FORMAT]).ok_or(BadContext)?;
    let (tag, body) = rest.split_at_checked(TAG).ok_or(BadContext)?;
    mac(seal, key, body).verify_truncated_left(tag).map_err(|_| BadContext)?;
    let context = v1::Context::decode(body).map_err(|_| BadContext)?;
    Context::try_from(context).map_err(|_| BadContext)
}

/// The key's parts come with their lengths, so that no two keys look alike.
fn mac(seal: &Seal, key: &Key, body: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&seal.0).expect("HMAC takes a secret of any length");
    mac.update(&[FORMAT]);
    for part in [key.partition(), key.sort()] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{context, key};
    use proptest::prelude::*;

    const OURS: Seal = Seal([1; 16]);
    const THEIRS: Seal = Seal([2; 16]);

    proptest! {
        #[test]
        fn a_context_opens_for_its_key_in_its_cluster(key in key(), seen in context()) {
            prop_assert_eq!(open(&OURS, &key, &seal(&OURS, &key, &seen)), Ok(seen));
        }

        #[test]
        fn no_other_key_or_cluster_opens_it(a in key(), b in key(), seen in context()) {
            let sealed = seal(&OURS, &a, &seen);
            prop_assert_eq!(open(&THEIRS, &a, &sealed), Err(BadContext));
            if a != b {
                prop_assert_eq!(open(&OURS, &b, &sealed), Err(BadContext));
            }
        }

        #[test]
        fn a_changed_context_does_not_open(
            key in key(), seen in context(), at in any::<prop::sample::Index>(), bit in 0..8u32,
        ) {
            let mut sealed = seal(&OURS, &key, &seen).to_vec();
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(open(&OURS, &key, &sealed), Err(BadContext));
        }

        #[test]
        fn a_truncated_context_does_not_open(
            key in key(), seen in context(), at in any::<prop::sample::Index>(),
        ) {
            let sealed = seal(&OURS, &key, &seen);
            let cut = 1 + at.index(sealed.len() - 1);
            prop_assert_eq!(open(&OURS, &key, &sealed[..cut]), Err(BadContext));
        }

        #[test]
        fn a_made_up_context_does_not_open(
            key in key(), made_up in prop::collection::vec(any::<u8>(), 1..80),
        ) {
            prop_assert_eq!(open(&OURS, &key, &made_up), Err(BadContext));
        }
    }

    #[test]
    fn moving_a_byte_between_the_parts_of_a_key_makes_another_key() {
        let sealed = seal(&OURS, &Key::new("ab", "c"), &Context::default());
        assert_eq!(open(&OURS, &Key::new("a", "bc"), &sealed), Err(BadContext));
    }

    #[test]
    fn no_context_has_seen_nothing() {
        assert_eq!(open(&OURS, &Key::plain("k"), &[]), Ok(Context::default()));
    }
}
