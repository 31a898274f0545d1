//! The data directory: whose it is, and that it is complete or not there at all.
//!
//! ```text
//! lock       held as long as the process lives
//! store/     the database, identity included: there, or not
//! store.new/ one that is being made; what a crash leaves of it is removed
//! ```
//!
//! A database is made aside and renamed when it is complete and synced. So a `store`
//! without an identity is damage, never a start that was interrupted.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

const LOCK: &str = "lock";
const STORE: &str = "store";
const MAKING: &str = "store.new";

/// What a fresh volume holds without anybody having put it there.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

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
            let ours = [LOCK, STORE, MAKING, OF_THE_FILE_SYSTEM].iter().any(|n| name == *n);
            if !ours {
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
        let (making, store) = (self.path.join(MAKING), self.path.join(STORE));
        if making.exists() {
            fs::remove_dir_all(&making)?;
        }
        fs::create_dir(&making)?;
        make(&making)?;
        File::open(&making)?.sync_all()?;
        fs::rename(&making, &store)?;
        File::open(&self.path)?.sync_all()?;
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(directory: &Directory) -> PathBuf {
        directory.make_store(|at| fs::write(at.join("file"), "content")).unwrap()
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
        assert_eq!(Directory::claim(temp.path()).unwrap().store(), None);
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
        let store = made(&directory);
        assert_eq!(directory.store(), Some(store.clone()));
        assert!(store.join("file").exists() && !store.join("half").exists());
    }
}
