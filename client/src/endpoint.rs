//! One node as a client knows it: an address, and a connection made when first needed.

use crate::Error;
use std::{fmt, sync::OnceLock, time::Duration};
use tonic::transport::{Channel, Endpoint as Transport};

/// How long a connection may take to be made before another node is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection over which nothing came for this long is asked for a sign of life...
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// ...and given up when there is none for this long.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of a node's client port and the connection to it.
pub(crate) struct Endpoint {
    address: String,
    transport: Transport,
    /// Made inside the runtime that calls, hence not when the client is built.
    channel: OnceLock<Channel>,
}

impl Endpoint {
    /// Reads HOST:PORT.
    pub(crate) fn parse(address: &str) -> Result<Self, Error> {
        let wrong = || Error::InvalidRequest {
            reason: format!("\"{}\" is not an address: give HOST:PORT", address.escape_debug()),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let unbracketed_v6 = host.contains(':') && !host.starts_with('[');
        if host.is_empty() || unbracketed_v6 || port.parse::<u16>().is_err() {
            return Err(wrong());
        }
        let transport = Transport::from_shared(format!("http://{address}"))
            .map_err(|_| wrong())?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        Ok(Endpoint { address: address.to_owned(), transport, channel: OnceLock::new() })
    }

    /// HOST:PORT, as given.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The connection, which connects at its first use and again after it broke.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.get_or_init(|| self.transport.connect_lazy()).clone()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        for good in ["127.0.0.1:7070", "demo-dynamo.default.svc:7070", "[::1]:7070"] {
            assert_eq!(Endpoint::parse(good).unwrap().address(), good);
        }
        for bad in ["", "localhost", ":7070", "localhost:", "localhost:70700", "::1:7070", "a b:1"]
        {
            let error = Endpoint::parse(bad).unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("HOST:PORT"), "{error}");
        }
    }
}
