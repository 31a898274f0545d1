//! gRPC: what users, operators and peers call.

pub(crate) mod admin;
pub(crate) mod key_value;
pub(crate) mod oversize;
pub(crate) mod peer;
pub(crate) mod preface;

use crate::driver::NotTaken;
use tonic::Status;

/// What somebody is told whose request did not get as far as the driver.
fn not_taken(why: NotTaken) -> Status {
    match why {
        NotTaken::Busy => {
            Status::resource_exhausted("this node has no room for more requests; try again later")
        }
        NotTaken::Gone => Status::unavailable("this node is stopping; try another one"),
    }
}
