//! The directory that holds everything, and that one process uses at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use kdp_core::{Error, ErrorKind};
use tempfile::TempDir;

use super::Options;

const DEFAULT: &str = "kdp-data";
/// A database server runs as another account than root, and passes through to its own directory.
const MODE: u32 = 0o711;

/// An open data directory.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    is_new: bool,
    _lock: File,
    /// Removed when this is dropped.
    _temporary: Option<TempDir>,
}

impl DataDir {
    /// Opens the directory that the options name, or makes it.
    ///
    /// # Errors
    /// `Unavailable` when another process has it open or the disk refuses.
    pub(crate) fn open(options: &Options) -> Result<Self, Error> {
        let temporary = match &options.data_dir {
            None if options.once => Some(temporary().map_err(|e| failed("make", "a temporary directory", e))?),
            _ => None,
        };
        let named = options.data_dir.clone().unwrap_or_else(|| DEFAULT.into());
        let path = temporary.as_ref().map_or(named, |directory| directory.path().to_owned());
        let subject = path.display().to_string();
        let open = || -> io::Result<(PathBuf, File)> {
            DirBuilder::new().recursive(true).mode(MODE).create(&path)?;
            let path = fs::canonicalize(&path)?;
            Ok((path.clone(), OpenOptions::new().write(true).create(true).truncate(false).open(path.join("lock"))?))
        };
        let (path, lock) = open().map_err(|e| failed("open", &subject, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = "another process has it open; stop that one, or choose another with --data-dir";
                return Err(Error::new(ErrorKind::Unavailable, "open", subject, message));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &subject, error)),
        }
        let is_new = !path.join("control-plane").exists();
        Ok(Self { path, is_new, _lock: lock, _temporary: temporary })
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether nothing was kept here before.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Writes a file that anybody may read.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        self.write_with_mode(name, content, 0o644)
    }

    /// Writes a file that only this account may read.
    pub(crate) fn write_secret(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        self.write_with_mode(name, content, 0o600)
    }

    fn write_with_mode(&self, name: &str, content: &str, mode: u32) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        replace(&path, content, mode).map_err(|e| failed("write", &path.display().to_string(), e))?;
        Ok(path)
    }
}

/// The mode of an old file would stay, so there is always a new one.
fn replace(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?.write_all(content.as_bytes())?;
    fs::rename(new, path)
}

fn temporary() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("kdp-quickstart-").permissions(fs::Permissions::from_mode(MODE)).tempdir()
}

fn failed(op: &'static str, subject: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, op, subject, "the file system refused").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(path: &Path) -> Options {
        Options { data_dir: Some(path.to_owned()), listen: None, once: false, verbose: 0 }
    }

    #[test]
    fn a_directory_that_another_has_open_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let open = DataDir::open(&options(directory.path())).unwrap();
        let error = DataDir::open(&options(directory.path())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("--data-dir"), "{error}");
        drop(open);
        assert!(DataDir::open(&options(directory.path())).is_ok());
    }

    #[test]
    fn a_secret_is_for_this_account_alone_even_where_it_was_not() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&options(directory.path())).unwrap();
        data_dir.write("kubeconfigs/a", "old").unwrap();
        let path = data_dir.write_secret("kubeconfigs/a", "new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(path).unwrap(), "new");
    }
}
