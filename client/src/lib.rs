//! The client library of Dynamo: any node takes any request.
//!
//! A [`Client`] knows one or more nodes and tries another one when the first cannot be
//! reached or cannot serve. Every call ends within its time-out, and a write that had
//! to be retried is still one write. An [`Error`] tells three outcomes apart: the write
//! was refused and has not been applied, it succeeded (no error), or nobody knows.
//!
//! # Example
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), dynamo_client::Error> {
//! use dynamo_client::Client;
//!
//! let client = Client::connect(["127.0.0.1:7070", "127.0.0.1:7080"]).build()?;
//!
//! // A blind write, and a read of whatever the key holds now.
//! client.put("cart:42", "2 apples").await?;
//! let cart = client.get("cart:42").await?;
//!
//! // The context says what this write has seen: all siblings of the get are replaced.
//! let merged: Vec<u8> = cart.siblings.iter().flat_map(|s| s.value.to_vec()).collect();
//! let written = client.put("cart:42", merged).context(&cart.context).w(3).await?;
//! println!("{} primaries have it", written.acknowledgements.primaries);
//!
//! match client.delete("cart:42").context(&cart.context).await {
//!     Ok(_) => println!("deleted, except what this delete had not seen"),
//!     Err(e) if e.is_indeterminate() => println!("it may or may not be deleted: {e}"),
//!     Err(e) => println!("it is not deleted: {e}"),
//! }
//! # Ok(())
//! # }
//! ```

mod attempts;
mod builder;
mod client;
mod context;
mod endpoint;
mod error;
mod failure;
mod key;
mod reply;
mod request;

pub use builder::{Builder, DEFAULT_TIMEOUT, MAX_TIMEOUT};
pub use client::{Client, MAX_ANSWER_BYTES};
pub use context::Context;
pub use dynamo_proto::v1::{
    MemberStatus, Quorum, Reachability, RingMember, RingResponse, StatusResponse,
};
pub use error::{Error, Tries};
pub use key::Key;
pub use reply::{Acknowledgements, GetReply, Sibling, WriteReply};
pub use request::{Delete, Get, Put, RequestId};
