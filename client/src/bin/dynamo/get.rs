//! `dynamo get`: one value goes to standard output as it is; several are never mixed,
//! but shown one by one.

use crate::{
    args::{Format, Get},
    context_file,
    output::{self, complain},
};
use anyhow::bail;
use dynamo_client::{Client, GetReply, Sibling};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

/// Runs it. A key that does not exist is a failure, so that scripts can tell.
pub(crate) async fn run(
    client: &Client,
    args: &Get,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let request = client.get(args.key.key()).r(args.r.unwrap_or(0)).pr(args.pr.unwrap_or(0));
    let reply = if args.strict { request.strict().await? } else { request.await? };
    context_file::write(args.context_file.as_deref(), Some(&reply.context))?;
    let chosen = choose(&reply.siblings, args)?;
    match (format, chosen) {
        (Format::Json, _) => output::json(out, &document(args, &reply, chosen))?,
        (Format::Text, [only]) => raw(out, &only.value)?,
        (Format::Text, several) => one_by_one(out, several, args)?,
    }
    out.flush()?;
    if reply.siblings.is_empty() {
        complain(&format!("there is no key {}", args.key.shown()));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn choose<'a>(siblings: &'a [Sibling], args: &Get) -> anyhow::Result<&'a [Sibling]> {
    let Some(n) = args.sibling else { return Ok(siblings) };
    let at = n as usize;
    match siblings.get(at - 1..at) {
        Some(one) => Ok(one),
        None if siblings.is_empty() => Ok(siblings),
        None => bail!(
            "there is no sibling {n} of {}: it has {}",
            args.key.shown(),
            output::count(siblings.len(), "version")
        ),
    }
}

/// The value and nothing else; only a person at a terminal gets the missing line end.
fn raw(out: &mut impl Write, value: &[u8]) -> io::Result<()> {
    out.write_all(value)?;
    if io::stdout().is_terminal() && value.last().is_some_and(|b| *b != b'\n') {
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn one_by_one(out: &mut impl Write, siblings: &[Sibling], args: &Get) -> io::Result<()> {
    let total = siblings.len();
    for (i, sibling) in siblings.iter().enumerate() {
        let (n, size) = (i + 1, output::count(sibling.value.len(), "byte"));
        writeln!(out, "sibling {n} of {total}, written {}, {size}:", written(sibling))?;
        match std::str::from_utf8(&sibling.value) {
            Ok(text) => writeln!(out, "{}", text.strip_suffix('\n').unwrap_or(text))?,
            Err(_) => writeln!(out, "(not text: --sibling {n} prints it as it is)")?,
        }
    }
    if total > 1 {
        complain(&format!(
            "{} has {total} siblings; a put with the context of this get replaces them all",
            args.key.shown()
        ));
    }
    Ok(())
}

fn document(args: &Get, reply: &GetReply, chosen: &[Sibling]) -> Value {
    let mut document = key_object(args.key.key().partition(), args.key.key().sort());
    let siblings: Vec<Value> = chosen
        .iter()
        .map(|sibling| {
            let mut object = Map::new();
            output::insert_bytes(&mut object, "value", &sibling.value);
            object.insert("size".into(), sibling.value.len().into());
            object.insert("written".into(), written(sibling).into());
            object.into()
        })
        .collect();
    document.insert("siblings".into(), siblings.into());
    document.insert("context".into(), output::base64(reply.context.as_bytes()).into());
    document.insert("primaries".into(), json!(reply.primaries));
    document.insert("fallbacks".into(), json!(reply.fallbacks));
    document.insert("coordinator".into(), json!(reply.coordinator));
    document.into()
}

/// The beginning of every document about one key.
pub(crate) fn key_object(partition: &[u8], sort: &[u8]) -> Map<String, Value> {
    let mut object = Map::new();
    output::insert_bytes(&mut object, "key", partition);
    if !sort.is_empty() {
        output::insert_bytes(&mut object, "sort_key", sort);
    }
    object
}

/// RFC 3339, in UTC, to the millisecond.
fn written(sibling: &Sibling) -> String {
    let time = Timestamp::try_from(sibling.written).unwrap_or_default();
    format!("{time:.3}")
}
