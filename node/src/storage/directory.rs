//! The data directory: whose it is, and that what is in it is complete or not there at all.
//!
//! ```text
//! lock             held as long as the process lives
//! identity         who the node is, whatever happens to the store
//! identity.new     one that is being written; what a crash leaves of it is overwritten
//! store/           the database: there, or not
//! store.new/       one that is being made; what a crash leaves of it is removed
//! store.damaged-1/ the last one that was set aside, for people; the node never reads it
//! damaged          says that `store` is to be set aside at the next start, and why
//! ```
//!
//! Files and databases are made aside, synced and renamed. So one that cannot be read is
//! damage, never a start that was interrupted.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

const LOCK: &str = "lock";
const IDENTITY: &str = "identity";
const IDENTITY_MAKING: &str = "identity.new";
const STORE: &str = "store";
const STORE_MAKING: &str = "store.new";
const MARK: &str = "damaged";

/// Where a damaged store is put.
pub(crate) const ASIDE: &str = "store.damaged-1";

/// What a fresh volume holds without anybody having put it there.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

const OURS: [&str; 8] =
    [LOCK, IDENTITY, IDENTITY_MAKING, STORE, STORE_MAKING, ASIDE, MARK, OF_THE_FILE_SYSTEM];

/// A directory that cannot be this node's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOurs {
    /// Another process has it.
    #[error("another process uses it; stop that one, or give this one a directory of its own")]
    Locked,
    /// There is something in it that is none of ours.
    #[error(
        "it holds {0:?}, which is no file of this program: give a directory of its own, empty or \
         not there yet"
    )]
    Foreign(String),
    /// It cannot be made, read or written.
    #[error("it cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// A data directory that no other process uses.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Unlocked by the operating system when it is closed, also by a crash.
    _lock: File,
}

impl Directory {
    /// Makes the directory if there is none, and takes it for this process.
    pub(crate) fn claim(path: &Path) -> Result<Self, NotOurs> {
        fs::create_dir_all(path)?;
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name();
            if !OURS.iter().any(|n| name == *n) {
                return Err(NotOurs::Foreign(name.to_string_lossy().into_owned()));
            }
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(NotOurs::Locked),
            Err(TryLockError::Error(e)) => Err(e.into()),
        }
    }

    /// The record of who the node is, if there is one.
    pub(crate) fn identity(&self) -> io::Result<Option<Vec<u8>>> {
        self.read(IDENTITY)
    }

    /// Replaces that record. On return it is on disk; after a crash it is the old or the
    /// new one.
    pub(crate) fn keep_identity(&self, record: &[u8]) -> io::Result<()> {
        let making = self.path.join(IDENTITY_MAKING);
        write_synced(&making, record)?;
        fs::rename(making, self.path.join(IDENTITY))?;
        self.sync()
    }

    /// Where the database is, if there is one.
    pub(crate) fn store(&self) -> Option<PathBuf> {
        let store = self.path.join(STORE);
        store.exists().then_some(store)
    }

    /// Has `make` put a database into an empty directory, closed and synced, and then
    /// makes it the one that [`Directory::store`] names.
    pub(crate) fn make_store<E: From<io::Error>>(
        &self,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let (making, store) = (self.path.join(STORE_MAKING), self.path.join(STORE));
        remove_dir(&making)?;
        fs::create_dir(&making)?;
        make(&making)?;
        File::open(&making)?.sync_all()?;
        fs::rename(&making, &store)?;
        self.sync()?;
        Ok(store)
    }

    /// Has the next start set the store aside. What is written says why, to people too.
    pub(crate) fn mark_damaged(&self, why: &str) -> io::Result<()> {
        write_synced(&self.path.join(MARK), why.as_bytes())?;
        self.sync()
    }

    /// Why the store is to be set aside, if it is.
    pub(crate) fn mark(&self) -> io::Result<Option<String>> {
        Ok(self.read(MARK)?.map(|why| String::from_utf8_lossy(&why).into_owned()))
    }

    /// Puts the store where people may look at it, in the place of one that was put there
    /// before. After that there is no store, which is what a crash in between is noticed by,
    /// and no mark.
    pub(crate) fn set_store_aside(&self) -> io::Result<()> {
        let aside = self.path.join(ASIDE);
        if let Some(store) = self.store() {
            remove_dir(&aside)?;
            fs::rename(store, aside)?;
            self.sync()?;
        }
        match fs::remove_file(self.path.join(MARK)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => self.sync(),
        }
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path.join(name)) {
            Ok(content) => Ok(Some(content)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Makes names last that were given or taken away.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(directory: &Directory, content: &str) -> PathBuf {
        directory.make_store(|at| fs::write(at.join("file"), content)).unwrap()
    }

    #[test]
    fn a_directory_has_one_process_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let held = Directory::claim(temp.path()).unwrap();
        assert!(matches!(Directory::claim(temp.path()), Err(NotOurs::Locked)));
        drop(held);
        Directory::claim(temp.path()).unwrap();
    }

    #[test]
    fn a_directory_with_something_else_in_it_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis.txt"), "").unwrap();
        let refused = Directory::claim(temp.path()).unwrap_err().to_string();
        assert!(refused.contains("thesis.txt"), "{refused}");
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_fresh_volume_counts_as_empty() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join(OF_THE_FILE_SYSTEM)).unwrap();
        let directory = Directory::claim(temp.path()).unwrap();
        assert_eq!((directory.store(), directory.identity().unwrap()), (None, None));
    }

    #[test]
    fn an_interrupted_creation_is_begun_again() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::claim(&temp.path().join("made/on/the/way")).unwrap();
        let failed: io::Result<_> = directory.make_store(|at| {
            fs::write(at.join("half"), "")?;
            Err(io::Error::other("crash"))
        });
        assert!(failed.is_err());
        assert_eq!(directory.store(), None);
        let store = made(&directory, "content");
        assert_eq!(directory.store(), Some(store.clone()));
        assert!(store.join("file").exists() && !store.join("half").exists());
    }

    #[test]
    fn an_identity_is_replaced_whatever_an_interrupted_attempt_left() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::claim(temp.path()).unwrap();
        directory.keep_identity(b"first").unwrap();
        fs::write(temp.path().join(IDENTITY_MAKING), "half of the sec").unwrap();
        assert_eq!(directory.identity().unwrap().as_deref(), Some(&b"first"[..]));
        directory.keep_identity(b"2nd").unwrap();
        assert_eq!(directory.identity().unwrap().as_deref(), Some(&b"2nd"[..]));
    }

    #[test]
    fn of_the_stores_that_were_set_aside_the_last_is_kept() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::claim(temp.path()).unwrap();
        for content in ["first", "second"] {
            made(&directory, content);
            directory.mark_damaged("torn").unwrap();
            assert_eq!(directory.mark().unwrap().as_deref(), Some("torn"));
            directory.set_store_aside().unwrap();
            assert_eq!((directory.store(), directory.mark().unwrap()), (None, None));
            let aside = fs::read_to_string(temp.path().join(ASIDE).join("file")).unwrap();
            assert_eq!(aside, content);
        }
        directory.set_store_aside().unwrap();
        assert!(temp.path().join(ASIDE).exists(), "there was nothing to take its place");
    }
}
