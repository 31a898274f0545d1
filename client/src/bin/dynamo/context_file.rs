//! The file in which a context is kept between two commands: its bytes, nothing else.
//! An empty file is a context that has seen nothing.

use anyhow::Context as _;
use dynamo_client::Context;
use std::{fs, io, path::Path};

/// What the file says, or nothing seen if there is no such file.
pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<Context> {
    let Some(file) = file else { return Ok(Context::default()) };
    match fs::read(file) {
        Ok(bytes) => Ok(Context::from_bytes(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Context::default()),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Keeps the context; none empties the file.
pub(crate) fn write(file: Option<&Path>, context: Option<&Context>) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let bytes = context.map(Context::as_bytes).cloned().unwrap_or_default();
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
