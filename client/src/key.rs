//! Keys as users give them: arbitrary bytes, in one part or in two.

use bytes::Bytes;
use dynamo_proto::v1;

/// A key. The partition part alone decides which nodes hold it; the sort part is empty
/// for plain keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    partition: Bytes,
    sort: Bytes,
}

impl Key {
    /// A key with a sort part.
    pub fn new(partition: impl Into<Bytes>, sort: impl Into<Bytes>) -> Self {
        Key { partition: partition.into(), sort: sort.into() }
    }

    /// The part that decides where the key lives.
    pub fn partition(&self) -> &Bytes {
        &self.partition
    }

    /// The part that tells apart the keys of one partition part.
    pub fn sort(&self) -> &Bytes {
        &self.sort
    }

    pub(crate) fn wire(&self) -> v1::Key {
        v1::Key { partition: self.partition.clone(), sort: self.sort.clone() }
    }
}

/// A plain key.
impl<B: Into<Bytes>> From<B> for Key {
    fn from(partition: B) -> Self {
        Key::new(partition, Bytes::new())
    }
}
