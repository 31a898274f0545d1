//! What happens in a run, line by line, and the hash that tells two runs apart.

use std::{
    fmt::{self, Write},
    time::Duration,
};

/// FNV-1a, 64 bits.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

pub(crate) struct Trace {
    hash: u64,
    line: String,
    printing: bool,
}

impl Trace {
    pub(crate) fn new(printing: bool) -> Self {
        Trace { hash: OFFSET, line: String::new(), printing }
    }

    pub(crate) fn line(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        self.line.clear();
        write!(self.line, "{:>12.6} {what}", at.as_secs_f64()).expect("a string takes any text");
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        if self.printing {
            println!("{}", self.line);
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}
