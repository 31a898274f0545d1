//! What connects to the peer port and does not speak HTTP/2 is counted and closed at its
//! first wrong byte.

use crate::metrics::{Metrics, Refused};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use tracing::debug;

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose beginning is looked at.
pub(crate) struct Watched<S> {
    stream: S,
    /// What of the preface has not come yet.
    left: &'static [u8],
    metrics: Arc<Metrics>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, metrics: Arc<Metrics>) -> Self {
        Watched { stream, left: PREFACE, metrics }
    }

    fn check(&mut self, got: &[u8]) -> io::Result<()> {
        let (now, later) = self.left.split_at(got.len().min(self.left.len()));
        self.left = later;
        if got.starts_with(now) {
            return Ok(());
        }
        // It is told once; what else it says is never looked at.
        self.left = &[];
        self.metrics.refused(Refused::NotHttp2);
        debug!("refused a connection to the peer port that is not HTTP/2");
        Err(io::Error::new(io::ErrorKind::InvalidData, "this is not HTTP/2"))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.check(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Connected> Connected for Watched<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    async fn read(said: &[u8]) -> (io::Result<Vec<u8>>, u64) {
        let metrics = Metrics::new();
        let mut all = Vec::new();
        let result = Watched::new(said, metrics.clone()).read_to_end(&mut all).await;
        (result.map(|_| all), metrics.refusals(Refused::NotHttp2))
    }

    #[tokio::test]
    async fn http2_passes_and_everything_else_is_counted_once() {
        let http2 = [PREFACE, b"frames"].concat();
        assert_eq!(read(&http2).await.0.unwrap(), http2);
        for (said, refused) in [(&b"GET / HTTP/1.1\r\n"[..], 1), (&[0xa5; 100_000], 1)] {
            let (result, count) = read(said).await;
            assert_eq!((result.is_err(), count), (true, refused));
        }
        // A probe that connects and says nothing, or stops early, is nobody's fault.
        for said in [&b""[..], b"PRI *"] {
            assert_eq!(read(said).await.1, 0);
        }
    }
}
