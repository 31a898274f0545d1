//! How far the work is: a bar at a terminal, a few plain lines elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};

/// Lines that are printed where there is no terminal.
const PLAIN_LINES: u64 = 4;

/// The progress of one phase.
pub(crate) struct Progress {
    what: &'static str,
    bar: ProgressBar,
    plain: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: usize) -> Self {
        let bar = ProgressBar::new(total as u64);
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} files, {per_sec}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        Progress { what, bar, plain: !io::stderr().is_terminal() }
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let line = |done: u64| done * PLAIN_LINES / total.max(1);
        if self.plain && line(done) != line(done - 1) {
            eprintln!("{}: {done} of {total} files", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
