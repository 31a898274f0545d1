//! What must hold, one invariant per file.
//!
//! Those about reads and contexts judge what clients were told by what clients had done
//! before; where R+W>N is not given they do not apply.

pub(crate) mod acknowledged_is_stored;
pub(crate) mod acknowledged_survives;
pub(crate) mod agreement;
pub(crate) mod answered_once;
pub(crate) mod answers_fit_questions;
pub(crate) mod context_is_honest;
pub(crate) mod context_opens_for_its_key;
pub(crate) mod converged;
pub(crate) mod damage_is_told;
pub(crate) mod deleted_stays_deleted;
pub(crate) mod dots_are_unique;
pub(crate) mod hint_reaches_its_owner;
pub(crate) mod laid_once;
pub(crate) mod refused_never_appears;
pub(crate) mod serves_when_quiet;
pub(crate) mod siblings_are_concurrent;
pub(crate) mod truncates_oldest_first;

use dynamo_core::{key::Key, request::Got};
use std::time::Duration;

/// An invariant that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{invariant}\" is broken: {how}")]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// What broke it.
    pub how: String,
}

impl Violation {
    pub(crate) fn new(invariant: &'static str, how: String) -> Self {
        Violation { invariant, how }
    }
}

/// A read that was answered.
pub(crate) struct Read<'a> {
    pub(crate) key: &'a Key,
    /// So many copies there can be, N and those that were lost: whoever has read more of
    /// them than are without a write has read one that has it.
    pub(crate) copies: usize,
    /// When the client asked.
    pub(crate) asked: Duration,
    pub(crate) got: &'a Got,
}
