//! What a client has seen of a key, in a form that only nodes read.

use bytes::Bytes;

/// The context of a get or of a write, to be handed to the next write of the same key.
///
/// Its bytes mean nothing to a client. They may be kept in a file or sent to another
/// process; nodes refuse a context that is not theirs or belongs to another key. The
/// empty context has seen nothing: a write with it becomes a sibling of what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Context(Bytes);

impl Context {
    /// A context that was kept as bytes.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Context(bytes.into())
    }

    /// Its bytes, to keep.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether it has seen nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
