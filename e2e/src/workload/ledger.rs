//! Keys that are written once.

use super::block_on;
use anyhow::{Context as _, Result, ensure};
use dynamo_client::{Client, GetReply};
use tokio::task::JoinSet;

/// Writes in flight.
const AT_ONCE: usize = 8;

/// Keys that are written once and must be readable ever after, from any address.
#[derive(Debug)]
pub struct Ledger {
    keys: usize,
    /// Of a value, in bytes.
    size: usize,
}

impl Ledger {
    /// Writes so many keys through an address.
    pub fn write(address: &str, keys: usize) -> Result<Ledger> {
        let mut ledger = Ledger::of(0);
        ledger.extend(&[address.to_owned()], keys)?;
        Ok(ledger)
    }

    /// Without keys yet, for values of at least so many bytes.
    pub fn of(size: usize) -> Ledger {
        Ledger { keys: 0, size }
    }

    /// Writes so many more keys through one of these addresses.
    pub fn extend(&mut self, addresses: &[String], keys: usize) -> Result<()> {
        let client = Client::connect(addresses.iter()).build()?;
        let (begin, end) = (self.keys, self.keys + keys);
        block_on(async {
            let mut writing = JoinSet::new();
            for i in begin..end {
                let put = client.put(name(i), self.value(i));
                let put = async move { put.await.with_context(|| format!("writing {}", name(i))) };
                writing.spawn(put);
                if writing.len() == AT_ONCE {
                    writing.join_next().await.transpose()?.transpose()?;
                }
            }
            while let Some(written) = writing.join_next().await {
                written??;
            }
            anyhow::Ok(())
        })??;
        self.keys = end;
        Ok(())
    }

    /// Reads all of them through an address.
    pub fn verify(&self, address: &str) -> Result<()> {
        let client = Client::connect([address]).build()?;
        block_on(async {
            for i in 0..self.keys {
                let got = client.get(name(i)).await;
                let got = got.with_context(|| format!("reading {} at {address}", name(i)))?;
                self.check(i, &got, address)?;
                ensure!(!got.siblings.is_empty(), "{} is not there at {address}", name(i));
            }
            Ok(())
        })?
    }

    /// Whether all of them can be read from so many replicas through an address.
    ///
    /// # Errors
    /// What is read of one is not what was written: that is wrong at any time.
    pub fn is_complete(&self, address: &str, replicas: u32) -> Result<bool> {
        let client = Client::connect([address]).build()?;
        block_on(async {
            for i in 0..self.keys {
                let Ok(got) = client.get(name(i)).r(replicas).await else { return Ok(false) };
                self.check(i, &got, address)?;
                if got.siblings.is_empty() {
                    return Ok(false);
                }
            }
            Ok(true)
        })?
    }

    fn check(&self, i: usize, got: &GetReply, address: &str) -> Result<()> {
        let wrong = got.siblings.iter().any(|s| s.value != self.value(i));
        ensure!(
            !wrong && got.siblings.len() <= 1,
            "{} read at {address} has {} versions and not its value",
            name(i),
            got.siblings.len()
        );
        Ok(())
    }

    fn value(&self, i: usize) -> String {
        let entry = format!("entry {i}");
        let filling = self.size.saturating_sub(entry.len());
        entry + &"x".repeat(filling)
    }
}

fn name(i: usize) -> String {
    format!("ledger-{i}")
}
