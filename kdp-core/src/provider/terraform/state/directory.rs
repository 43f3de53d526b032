//! A store in a directory of one machine.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::{Bytes, StateStore};
use crate::{
    Error, ErrorKind,
    provider::terraform::place::{create, make_directory, read, remove},
};

/// Says that the directory is there, and which one it is.
const MARKER: &str = "kdp-states";
const LOCK: &str = ".lock";

/// A [`StateStore`] in a directory, for one machine; several processes may share it.
#[derive(Clone, Debug)]
pub struct DirectoryStates {
    path: PathBuf,
    identity: String,
}

impl DirectoryStates {
    /// Opens the store in this directory, or makes one if the directory is empty or not there.
    ///
    /// # Errors
    /// `Invalid` when the directory has other things in it, which may mean that the disk is not mounted;
    /// `Unavailable` when it cannot be read or written.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let failed = |e: io::Error| unavailable("open", &path.to_string_lossy(), e);
        make_directory(&path).map_err(failed)?;
        let _lock = lock(&path).map_err(failed)?;
        if let Some(marker) = read(&path.join(MARKER)).map_err(failed)? {
            return Ok(Self { identity: String::from_utf8_lossy(&marker).trim().into(), path });
        }
        let others = fs::read_dir(&path).map_err(failed)?.filter_map(Result::ok);
        if let Some(other) = others.map(|entry| entry.file_name()).find(|name| name != LOCK) {
            let message = format!("{other:?} is in it and no states; name an empty directory");
            return Err(Error::new(ErrorKind::Invalid, "open", path.display(), message));
        }
        let identity = format!("{:032x}", rand::random::<u128>());
        put(&path.join(MARKER), identity.as_bytes()).map_err(failed)?;
        Ok(Self { path, identity })
    }

    /// Does something with the directory, which is there, while nobody else writes below this first part.
    async fn within<T: Send + 'static>(
        &self,
        op: &'static str,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Without its marker it is another directory, such as the one below a disk that is not mounted.
            let marker = fs::read(this.path.join(MARKER))?;
            if String::from_utf8_lossy(&marker).trim() != this.identity {
                return Err(io::Error::other("another store is in its place"));
            }
            work(&this.path)
        });
        let done = done.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|e| unavailable(op, name, e))?
    }
}

#[async_trait]
impl StateStore for DirectoryStates {
    async fn identity(&self) -> Result<String, Error> {
        let identity = self.identity.clone();
        self.within("look at", "the store", move |_| Ok(Ok(identity))).await
    }

    async fn load(&self, name: &str) -> Result<Option<(Bytes, String)>, Error> {
        let file = name.to_owned();
        self.within("load", name, move |path| {
            let content = read(&path.join(file))?;
            Ok(Ok(content.map(|content| {
                let version = version(&content);
                (content.into(), version)
            })))
        })
        .await
    }

    async fn store(&self, name: &str, content: Bytes, expect: Option<&str>) -> Result<String, Error> {
        let (file, subject, expect) = (name.to_owned(), name.to_owned(), expect.map(str::to_owned));
        self.within("store", name, move |path| {
            let path = path.join(file);
            let directory = path.parent().expect("a name has two parts");
            make_directory(directory)?;
            let _lock = lock(directory)?;
            if read(&path)?.map(|content| version(&content)) != expect {
                return Ok(Err(stale("store", &subject)));
            }
            put(&path, &content)?;
            Ok(Ok(version(&content)))
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        let file = name.to_owned();
        self.within("remove", name, move |path| {
            let path = path.join(file);
            remove(&path)?;
            let directory = path.parent().expect("a name has two parts");
            if directory.exists() { sync(directory).map(Ok) } else { Ok(Ok(())) }
        })
        .await
    }

    async fn list(&self, first: &str) -> Result<Vec<String>, Error> {
        let (first, subject) = (first.to_owned(), first.to_owned());
        self.within("list", &subject, move |path| {
            let firsts = if first.is_empty() { names(path)? } else { vec![first] };
            let mut all = Vec::new();
            for first in firsts.into_iter().filter(|name| path.join(name).is_dir()) {
                let found = names(&path.join(&first))?.into_iter().filter(|name| !name.starts_with('.'));
                all.extend(found.map(|name| format!("{first}/{name}")));
            }
            all.sort();
            Ok(Ok(all))
        })
        .await
    }
}

fn names(path: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Keeps other processes out until it is dropped.
fn lock(directory: &Path) -> io::Result<File> {
    let file = create(&directory.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

/// Writes a file so that a loss of power leaves the old or the new one.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().expect("files are in a directory");
    // Its name starts with a dot, so that no listing has it.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    sync(directory)
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Contents are encrypted, so no two writes are equal.
fn version(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

fn stale(op: &'static str, name: &str) -> Error {
    Error::new(ErrorKind::Stale, op, name, "somebody else has written it")
}

fn unavailable(op: &'static str, name: &str, error: io::Error) -> Error {
    let message = format!("the directory of the states: {error}");
    Error::new(ErrorKind::Unavailable, op, name, message).with_source(error)
}
