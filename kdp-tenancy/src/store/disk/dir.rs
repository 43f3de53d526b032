//! The directory of a store: file names, permissions, the lock, and what makes them durable.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::store::{Revision, StoreError};

const LOG: &str = "log";
const SNAPSHOT: &str = "snapshot";
/// Of files that are not whole yet; what has it after a crash is of no use.
const UNFINISHED: &str = "unfinished";

/// The directory.
#[derive(Clone, Debug)]
pub(super) struct Dir {
    path: PathBuf,
}

/// What the name of a file says that it is.
enum Kind {
    Log,
    Snapshot,
    Unfinished,
}

/// Held as long as the store is open; the system releases it when the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// The files of a store, each named for a revision: a snapshot for the one it shows, a log for the
/// one before its first change.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) logs: BTreeSet<Revision>,
    pub(super) snapshots: BTreeSet<Revision>,
    /// What a crash left unfinished, or what is being written.
    pub(super) unfinished: Vec<PathBuf>,
}

impl Dir {
    /// Makes the directory if need be and takes the lock.
    pub(super) fn open(path: &Path) -> Result<(Self, Lock), StoreError> {
        let dir = Self { path: path.to_owned() };
        let missing: Vec<_> = path.ancestors().take_while(|dir| !or_current(dir).is_dir()).collect();
        if !missing.is_empty() {
            create_private_dir(path).map_err(failed("create", path))?;
        }
        for parent in missing.into_iter().filter_map(Path::parent) {
            sync_dir(or_current(parent))?;
        }
        let lock_path = path.join("lock");
        let lock = private().create(true).truncate(false).open(&lock_path).map_err(failed("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok((dir, Lock { _file: lock })),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(failed("lock", &lock_path)(error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn log(&self, base: Revision) -> PathBuf {
        self.file(base, LOG)
    }

    pub(super) fn snapshot(&self, revision: Revision) -> PathBuf {
        self.file(revision, SNAPSHOT)
    }

    fn file(&self, revision: Revision, extension: &str) -> PathBuf {
        self.path.join(format!("{:020}.{extension}", revision.0))
    }

    /// Lists the files of the store; others are none of its business.
    pub(super) fn list(&self) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.path).map_err(failed("list", &self.path))? {
            let path = entry.map_err(failed("list", &self.path))?.path();
            let Some((revision, kind)) = path.file_name().and_then(|name| parse_name(name.to_str()?)) else { continue };
            match kind {
                Kind::Log => _ = listing.logs.insert(revision),
                Kind::Snapshot => _ = listing.snapshots.insert(revision),
                Kind::Unfinished => listing.unfinished.push(path),
            }
        }
        Ok(listing)
    }

    /// Makes a file of [`begin`] durable, and only then lets it appear under its name.
    pub(super) fn finish(&self, file: &File, path: &Path) -> Result<(), StoreError> {
        let unfinished = unfinished(path);
        file.sync_all().map_err(failed("sync", &unfinished))?;
        fs::rename(&unfinished, path).map_err(failed("rename", &unfinished))?;
        self.sync()
    }

    /// Makes durable which files there are.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        sync_dir(&self.path)
    }

    /// Durably removes a file that may or may not have appeared.
    pub(super) fn discard(&self, path: &Path) -> Result<(), StoreError> {
        remove_if_there(path)?;
        self.sync()
    }

    /// Removes the files that a durable snapshot at this revision replaces.
    pub(super) fn remove_before(&self, snapshot: Revision) -> Result<(), StoreError> {
        let listing = self.list()?;
        for base in listing.logs.range(..snapshot) {
            remove(&self.log(*base))?;
        }
        for revision in listing.snapshots.range(..snapshot) {
            remove(&self.snapshot(*revision))?;
        }
        Ok(())
    }
}

/// Starts a file that [`Dir::finish`] will make appear whole or not at all.
pub(super) fn begin(path: &Path) -> Result<File, StoreError> {
    let unfinished = unfinished(path);
    remove_if_there(&unfinished)?;
    private().append(true).create_new(true).open(&unfinished).map_err(failed("create", &unfinished))
}

/// What [`Dir::file`] and [`unfinished`] made a name of.
fn parse_name(name: &str) -> Option<(Revision, Kind)> {
    let (revision, extension) = name.split_once('.')?;
    let is_revision = revision.len() == 20 && revision.bytes().all(|byte| byte.is_ascii_digit());
    let revision = Revision(revision.parse().ok().filter(|_| is_revision)?);
    match extension.split_once('.') {
        None if extension == LOG => Some((revision, Kind::Log)),
        None if extension == SNAPSHOT => Some((revision, Kind::Snapshot)),
        Some((LOG | SNAPSHOT, UNFINISHED)) => Some((revision, Kind::Unfinished)),
        _ => None,
    }
}

/// The name of a file until it is whole.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    name.into()
}

/// Names what failed, and on which file.
pub(super) fn failed(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Io { op, path, source }
}

pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    fs::remove_file(path).map_err(failed("remove", path))
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The directory that a path means: a relative path ends with an empty ancestor.
fn or_current(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Makes renames in a directory durable. Only Unix needs and offers that.
fn sync_dir(path: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(path).and_then(|dir| dir.sync_all()).map_err(failed("sync", path))?;
    }
    Ok(())
}

/// Options to open a file for writing that, if it is new, only its owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
