//! One operation lays the ring, and its repetition changes nothing (admin.proto,
//! Bootstrap).

use super::Violation;
use dynamo_core::node::OrderRefused;

pub(crate) fn check(result: &Result<u64, OrderRefused>) -> Result<(), Violation> {
    match result {
        Ok(1) => Ok(()),
        other => Err(Violation::new("the ring is laid once", format!("{other:?}"))),
    }
}
