//! Compiles the `.proto` files with protox, so that no `protoc` is needed, and
//! keeps their descriptors for gRPC reflection.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 5] = [
    "dynamo/v1/version.proto",
    "dynamo/v1/kv.proto",
    "dynamo/v1/admin.proto",
    "dynamo/v1/peer.proto",
    "dynamo/v1/record.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
