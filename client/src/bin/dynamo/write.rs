//! `dynamo put` and `dynamo delete`: what was acknowledged, and whether there are
//! siblings that the write had not seen.

use crate::{
    args::{Delete, Format, KeyArgs, Put, WriteArgs},
    context_file,
    get::key_object,
    output::{self, complain},
};
use anyhow::{Context as _, bail};
use dynamo_client::{Acknowledgements, Client, Context, MAX_ANSWER_BYTES, WriteReply};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::ffi::OsStringExt,
};

/// Runs `dynamo put`.
pub(crate) async fn put(
    client: &Client,
    args: &Put,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let context = context_file::read(args.write.context_file.as_deref())?;
    let WriteArgs { w, pw, strict, .. } = args.write;
    let request = client.put(args.key.key(), value(args)?).context(&context);
    let request = request.w(w.unwrap_or(0)).pw(pw.unwrap_or(0));
    let reply = if strict { request.strict().await? } else { request.await? };
    report("stored", &args.key, &args.write, &reply, format, out)
}

/// Runs `dynamo delete`.
pub(crate) async fn delete(
    client: &Client,
    args: &Delete,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let context = context_file::read(args.write.context_file.as_deref())?;
    let WriteArgs { w, pw, strict, .. } = args.write;
    let request = client.delete(args.key.key()).context(&context);
    let request = request.w(w.unwrap_or(0)).pw(pw.unwrap_or(0));
    let reply = if strict { request.strict().await? } else { request.await? };
    report("deleted", &args.key, &args.write, &reply, format, out)
}

fn value(args: &Put) -> anyhow::Result<Vec<u8>> {
    match (&args.file, &args.value) {
        (Some(file), _) => {
            let cannot = || format!("cannot read {}", file.display());
            let opened = File::open(file).with_context(cannot)?;
            read(opened).with_context(cannot)
        }
        (None, Some(value)) if value != "-" => Ok(value.clone().into_vec()),
        (None, _) => read(io::stdin().lock()).context("cannot read standard input"),
    }
}

/// Reads to the end, but not for ever: a device or an endless pipe is refused.
fn read(source: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut value = Vec::new();
    source.take(MAX_ANSWER_BYTES as u64 + 1).read_to_end(&mut value)?;
    if value.len() > MAX_ANSWER_BYTES {
        bail!("the value has more than {MAX_ANSWER_BYTES} bytes, which no node takes");
    }
    Ok(value)
}

fn report(
    done: &str,
    key: &KeyArgs,
    args: &WriteArgs,
    reply: &WriteReply,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match format {
        Format::Json => output::json(out, &document(done, key, reply))?,
        Format::Text => {
            let acks = acknowledged(reply.acknowledgements);
            writeln!(out, "{done}: acknowledged by {acks}; coordinator {}", reply.coordinator)?;
        }
    }
    out.flush()?;
    if reply.context.is_none() {
        let key = key.shown();
        complain(&format!(
            "{key} has siblings that this write did not see ({} versions); get it before the next write",
            reply.siblings
        ));
    }
    context_file::write(args.context_file.as_deref(), reply.context.as_ref())
        .with_context(|| format!("{done}, but its context is lost"))
}

fn acknowledged(acks: Acknowledgements) -> String {
    let mut text = output::count(acks.primaries as usize, "primary replica");
    if acks.fallbacks > 0 {
        text += &format!(" and {}", output::count(acks.fallbacks as usize, "fallback"));
    }
    text + &format!(", {} of them durably", acks.durable)
}

fn document(done: &str, key: &KeyArgs, reply: &WriteReply) -> Value {
    let mut document = key_object(key.key().partition(), key.key().sort());
    let acks = reply.acknowledgements;
    document.insert("outcome".into(), done.into());
    document.insert(
        "acknowledgements".into(),
        json!({"primaries": acks.primaries, "fallbacks": acks.fallbacks, "durable": acks.durable}),
    );
    let context = reply.context.as_ref().map(Context::as_bytes);
    document.insert("context".into(), context.map(|c| output::base64(c)).into());
    document.insert("versions".into(), reply.siblings.into());
    document.insert("coordinator".into(), reply.coordinator.clone().into());
    document.into()
}
