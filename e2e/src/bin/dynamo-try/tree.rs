//! The files to be stored: those that git knows, or all if this is no checkout.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    process::Command,
};

/// The largest file that is stored: what nodes take by default.
pub(crate) const VALUE_LIMIT: u64 = 1 << 20;

/// Directories that are none of the user's files.
const NOT_WALKED: [&str; 2] = [".git", "target"];

/// A file and what it held when it was read.
#[derive(Clone, Debug)]
pub(crate) struct FileToStore {
    /// Its path below the root, which becomes its key.
    pub(crate) path: Bytes,
    pub(crate) content: Bytes,
}

/// All files, read once, so that somebody who edits one meanwhile disturbs nothing.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) files: Vec<FileToStore>,
    /// Paths of those over the limit.
    pub(crate) too_large: Vec<PathBuf>,
}

impl Files {
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.content.len() as u64).sum()
    }
}

/// Reads them. Links and whatever else is no regular file are left out.
pub(crate) fn read(root: &Path) -> Result<Files> {
    let mut found = Files { files: Vec::new(), too_large: Vec::new() };
    for path in known_to_git(root).map_or_else(|| walk(root), Ok)? {
        // Git also knows files that somebody has removed since.
        let Ok(meta) = fs::symlink_metadata(root.join(&path)) else { continue };
        if !meta.is_file() {
            continue;
        }
        if meta.len() > VALUE_LIMIT {
            found.too_large.push(path);
            continue;
        }
        let content = fs::read(root.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?
            .into();
        let path = Bytes::copy_from_slice(path.as_os_str().as_bytes());
        found.files.push(FileToStore { path, content });
    }
    ensure!(!found.files.is_empty(), "there are no files to store in {}", root.display());
    Ok(found)
}

/// `None` if git is missing or this is no checkout.
fn known_to_git(root: &Path) -> Option<Vec<PathBuf>> {
    let output = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output().ok()?;
    let paths = output.stdout.split(|b| *b == 0).filter(|path| !path.is_empty());
    let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
    (output.status.success()).then(|| paths.map(path).collect())
}

fn walk(root: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(dir) = open.pop() {
        let shown = root.join(&dir);
        let entries =
            fs::read_dir(&shown).with_context(|| format!("cannot read {}", shown.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            if !entry.file_type()?.is_dir() {
                found.push(path);
            } else if !NOT_WALKED.iter().any(|name| entry.file_name() == *name) {
                open.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_git_the_tree_is_walked_but_not_what_is_built() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a", "b/c", "target/d", ".git/e"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        std::os::unix::fs::symlink("/", dir.path().join("link")).unwrap();
        fs::write(dir.path().join("large"), vec![0; (1 << 20) + 1]).unwrap();
        fs::write(dir.path().join("largest"), vec![0; 1 << 20]).unwrap();
        let found = read(dir.path()).unwrap();
        let paths: Vec<_> = found.files.iter().map(|f| &f.path[..]).collect();
        assert_eq!(paths, [&b"a"[..], b"b/c", b"largest"]);
        assert_eq!(found.files[1].content, "b/c");
        assert_eq!(found.too_large, [PathBuf::from("large")]);
    }

    #[test]
    fn an_empty_tree_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let line = read(dir.path()).unwrap_err().to_string();
        assert!(line.contains(&dir.path().display().to_string()), "{line}");
    }
}
