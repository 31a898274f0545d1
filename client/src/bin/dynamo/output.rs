//! How results and complaints are printed, the same for all commands.

use base64::{Engine, engine::general_purpose::STANDARD};
use comfy_table::{Table, presets};
use serde_json::{Map, Value};
use std::io::{self, Write};

/// One line on standard error. Nothing can be done if even that is closed.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "dynamo: {line}");
}

/// Whether the only thing wrong is that the reader of our output has gone.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.root_cause().downcast_ref::<io::Error>();
    io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// Bytes in JSON: as `name` if they are text, otherwise as `name_base64`.
pub(crate) fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), text.into()),
        Err(_) => object.insert(format!("{name}_base64"), base64(bytes).into()),
    };
}

/// Bytes that are never text.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// One JSON document, indented.
pub(crate) fn json(out: &mut impl Write, document: &Value) -> io::Result<()> {
    writeln!(out, "{document:#}")
}

/// A table without lines, its columns two spaces apart.
pub(crate) fn table(
    out: &mut impl Write,
    header: &[&str],
    rows: Vec<Vec<String>>,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec()).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    writeln!(out, "{}", table.trim_fmt())
}

/// "1 node", "2 nodes".
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
