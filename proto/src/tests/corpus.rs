//! Byte files that were, or could have been, trouble: `proto/corpus/KIND/VERDICT-NAME`. Each
//! must be read or refused as its name says, and none may do any harm, to no decoder.
//!
//! Whoever finds bytes that do adds them there. `make.py` has made the first ones, by hand
//! and not by this crate.

use super::{damage::survives, *};
use std::{fs, path::Path};

fn is_read(kind: &str, bytes: &[u8]) -> bool {
    match kind {
        "message" => read(bytes).is_ok(),
        "held" => record::decode_held(bytes).is_ok(),
        "ring" => record::decode_ring(bytes).is_ok(),
        "identity" => record::decode_identity(bytes).is_ok(),
        other => panic!("{other} is no kind of file in the corpus"),
    }
}

#[test]
fn every_file_is_read_or_refused_as_its_name_says() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files = 0;
    let folders = fs::read_dir(corpus).unwrap().map(|e| e.unwrap().path());
    for folder in folders.filter(|path| path.is_dir()) {
        let kind = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for file in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let bytes = fs::read(&file).unwrap();
            survives(&bytes);
            let expected = match name.split_once('-') {
                Some(("read", _)) => true,
                Some(("refused", _)) => false,
                _ => panic!("{kind}/{name}: a name begins with read- or refused-"),
            };
            assert_eq!(is_read(&kind, &bytes), expected, "{kind}/{name}");
            files += 1;
        }
    }
    assert!(files >= 40, "only {files} files: is the corpus complete?");
}
