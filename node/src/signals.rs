//! What tells the process to end: SIGTERM, SIGINT, or the end of standard input when
//! its parent asked for that.

use std::{io::Read, thread};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{self, Receiver},
};

/// The reasons to end, as they come.
pub(crate) struct Endings {
    term: Signal,
    interrupt: Signal,
    parent: Receiver<()>,
}

impl Endings {
    /// To be called inside the runtime, before anything takes long.
    pub(crate) fn watch(parent: bool) -> std::io::Result<Self> {
        let (gone, receiver) = mpsc::channel(1);
        if parent {
            // Reading blocks; the thread ends with the process.
            thread::Builder::new().name("parent".into()).spawn(move || {
                let mut ignored = [0; 64];
                while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
                let _ = gone.blocking_send(());
            })?;
        }
        Ok(Endings {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            parent: receiver,
        })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            Some(()) = self.parent.recv() => "the end of standard input",
        }
    }
}
