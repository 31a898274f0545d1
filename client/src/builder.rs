//! How a client is set up: which nodes it knows, and how long it may take.

use crate::{Client, Error, endpoint::Endpoint};
use std::time::Duration;

/// How long a call may take with all its retries, unless said otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one node may take at least before another one is asked, unless said otherwise.
const LEAST_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest time-out, that of the nodes. Nodes recognise the retry of a write by a
/// bounded memory of each key, so a call must not go on retrying for ever.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// Sets a [`Client`] up; see [`Client::connect`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    endpoints: Vec<String>,
    timeout: Duration,
    attempt_timeout: Option<Duration>,
}

impl Builder {
    pub(crate) fn new(endpoints: Vec<String>) -> Self {
        Builder { endpoints, timeout: DEFAULT_TIMEOUT, attempt_timeout: None }
    }

    /// How long a call may take with all its retries: up to [`MAX_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long one node may take before another one is asked: half of the time-out and
    /// at least 2 seconds if not said.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// The client. It connects when it is first used.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an address that is none, for no address at all,
    /// and for a time-out that is zero or longer than [`MAX_TIMEOUT`].
    pub fn build(self) -> Result<Client, Error> {
        let attempt_timeout =
            self.attempt_timeout.unwrap_or((self.timeout / 2).max(LEAST_ATTEMPT_TIMEOUT));
        for timeout in [self.timeout, attempt_timeout] {
            if timeout.is_zero() || timeout > MAX_TIMEOUT {
                let reason =
                    format!("a time-out of {timeout:?}; it must be above 0 and at most 30s");
                return Err(Error::InvalidRequest { reason });
            }
        }
        if self.endpoints.is_empty() {
            let reason = "no address of a node was given".to_owned();
            return Err(Error::InvalidRequest { reason });
        }
        let endpoints =
            self.endpoints.iter().map(|e| Endpoint::parse(e)).collect::<Result<_, _>>()?;
        Ok(Client::new(endpoints, self.timeout, attempt_timeout))
    }
}
