//! Limits on what clients may store, checked at the edge of every node.

use crate::key::Key;

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Both parts of a key together.
    pub key: usize,
    /// A value.
    pub value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { key: 4 << 10, value: 1 << 20 }
    }
}

/// What is over a limit, and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverLimit {
    /// No key may lack its partition part.
    #[error("the key is empty; a key has at least 1 byte")]
    EmptyKey,
    /// The key is too long.
    #[error("the key has {size} bytes; the limit is {limit}")]
    Key {
        /// What it has.
        size: usize,
        /// What it may have.
        limit: usize,
    },
    /// The value is too long.
    #[error("the value has {size} bytes; the limit is {limit}")]
    Value {
        /// What it has.
        size: usize,
        /// What it may have.
        limit: usize,
    },
}

impl Limits {
    /// Refuses an empty key and one that is too long.
    pub fn check_key(&self, key: &Key) -> Result<(), OverLimit> {
        match key.len() {
            _ if key.is_empty() => Err(OverLimit::EmptyKey),
            size if size > self.key => Err(OverLimit::Key { size, limit: self.key }),
            _ => Ok(()),
        }
    }

    /// Refuses a value that is too long. An empty one is fine.
    pub fn check_value(&self, value: &[u8]) -> Result<(), OverLimit> {
        match value.len() {
            size if size > self.value => Err(OverLimit::Value { size, limit: self.value }),
            _ => Ok(()),
        }
    }
}

/// Limits on what clients may make of one key, checked by its coordinator. Replicas that
/// exchange what they have are not bound by them: refusing a version would lose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Siblings of a key.
    pub siblings: usize,
    /// Bytes of all of them together, about.
    pub sibling_bytes: usize,
    /// Entries of a version vector. Beyond it the oldest are dropped (paper, section 4.4,
    /// where it is 10: there nodes are the actors, here lives of their records are).
    pub clock: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { siblings: 64, sibling_bytes: 16 << 20, clock: 32 }
    }
}

impl Bounds {
    /// Whether a client may leave a key like this.
    pub fn allow(&self, siblings: usize, bytes: usize) -> bool {
        siblings <= self.siblings && bytes <= self.sibling_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed_and_named_beyond() {
        let limits = Limits { key: 4, value: 3 };
        assert_eq!(limits.check_key(&Key::new("ab", "cd")), Ok(()));
        let over = limits.check_key(&Key::new("ab", "cde")).unwrap_err();
        assert_eq!(over.to_string(), "the key has 5 bytes; the limit is 4");
        assert_eq!(limits.check_value(b""), Ok(()));
        assert_eq!(limits.check_value(b"abc"), Ok(()));
        assert_eq!(limits.check_value(b"abcd"), Err(OverLimit::Value { size: 4, limit: 3 }));
        assert_eq!(limits.check_key(&Key::new("", "x")), Err(OverLimit::EmptyKey));
    }
}
