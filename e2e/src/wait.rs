//! Waiting for a condition, with a limit: what tests do instead of sleeping.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// Looks until there is something, and returns it.
///
/// # Errors
/// That of a look, or that it took too long.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if began.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}
