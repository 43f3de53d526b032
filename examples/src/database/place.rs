//! Where a provider keeps what it makes: one directory for each order, each with a record that is
//! written before anything else.
//!
//! ```text
//! <base>/provider              which provider the place belongs to; absent when the disk is
//! <base>/fence                 the highest lease seen
//! <base>/locks/…               never deleted: a lock on a deleted file keeps nobody out
//! <base>/orders/<uid>/         record.json and what the provider makes
//! <base>/trash/<uid>/          what is being removed
//! ```
//!
//! Every function blocks on the disk; providers call them through [`blocking`].

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use kdp_core::{
    Error, ErrorKind,
    provider::{Lease, OrderId, PlanHash, Teardown},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Orders share this many locks, so there is no file for each order that ever was.
const LOCKS: u32 = 64;
const UID_MAX: usize = 63;

/// The directory of one provider.
#[derive(Clone, Debug)]
pub(super) struct Place {
    base: PathBuf,
    provider: &'static str,
    mode: u32,
}

/// What is on the disk for one order.
#[derive(Debug)]
pub(super) enum Found<S> {
    /// Nothing, for certain.
    Nothing,
    /// A directory, but no record: the process ended in between, before it made anything.
    Begun,
    /// A record.
    Recorded(Record<S>),
    /// The order was being removed.
    Deleting,
}

/// What is written down before anything is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record<S> {
    /// The order.
    pub(super) id: OrderId,
    /// The plan that was begun last.
    pub(super) plan: PlanHash,
    /// What the provider needs to know to go on.
    pub(super) state: S,
}

impl Place {
    /// Opens the place at `base`, or makes it; its directories get the permission bits `mode`.
    pub(super) fn open(base: &Path, provider: &'static str, mode: u32) -> Result<Self, Error> {
        let open = || -> io::Result<Self> {
            let directory = |path: &Path| DirBuilder::new().recursive(true).mode(mode).create(path);
            directory(base)?;
            // Absolute, because connection strings are used from other working directories.
            let base = fs::canonicalize(base)?;
            for part in ["orders", "trash", "locks"] {
                directory(&base.join(part))?;
            }
            let marker = base.join("provider");
            if !marker.try_exists()? {
                write_atomically(&marker, provider.as_bytes())?;
            }
            Ok(Self { base, provider, mode })
        };
        let place = open().map_err(|e| unavailable("open", base.display(), e))?;
        place.check_present()?;
        Ok(place)
    }

    /// The directory as it was opened.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// The directory of one order; it may not exist.
    pub(super) fn directory(&self, id: &OrderId) -> PathBuf {
        self.base.join("orders").join(&id.uid)
    }

    /// What there is of the order.
    pub(super) fn look<S: DeserializeOwned>(&self, id: &OrderId) -> Result<Found<S>, Error> {
        check_uid(id)?;
        self.check_present()?;
        let directory = self.directory(id);
        let look = || -> io::Result<Found<S>> {
            if self.trash(id).try_exists()? {
                return Ok(Found::Deleting);
            }
            match fs::read(directory.join("record.json")) {
                Ok(record) => Ok(Found::Recorded(serde_json::from_slice(&record)?)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Ok(if directory.try_exists()? { Found::Begun } else { Found::Nothing })
                }
                Err(error) => Err(error),
            }
        };
        look().map_err(|e| unavailable("look at", id, e))
    }

    /// The orders that have a directory.
    pub(super) fn orders(&self) -> Result<Vec<OrderId>, Error> {
        let names = || -> io::Result<Vec<_>> {
            fs::read_dir(self.base.join("orders"))?.map(|entry| Ok(entry?.file_name())).collect()
        };
        let names = names().map_err(|e| unavailable("list", self.base.display(), e))?;
        let id = |name: std::ffi::OsString| {
            let uid = name.to_string_lossy().into_owned();
            OrderId::new(uid.clone(), "", uid)
        };
        Ok(names.into_iter().map(id).collect())
    }

    /// Waits for the turn to change the order, and keeps everybody else out until it is dropped.
    ///
    /// An operation under an older lease that is still under way is waited for by the caller:
    /// the answer is `Unavailable`.
    pub(super) fn turn(&self, id: &OrderId, lease: Lease) -> Result<Turn<'_>, Error> {
        check_uid(id)?;
        self.check_present()?;
        let fence = self.pass_fence(id, lease)?;
        let lock = self.lock_file(&format!("order-{}", stripe(&id.uid)));
        let lock = lock.and_then(|file| file.lock().map(|()| file)).map_err(|e| unavailable("lock", id, e))?;
        Ok(Turn { place: self, id: id.clone(), _fence: fence, _lock: lock })
    }

    /// Returns with a shared lock on the fence, so nobody can raise it while work is under way.
    fn pass_fence(&self, id: &OrderId, lease: Lease) -> Result<File, Error> {
        let failed = |e| unavailable("check the lease for", id, e);
        loop {
            let file = self.lock_file("fence").map_err(failed)?;
            file.lock_shared().map_err(failed)?;
            let seen = self.highest_lease().map_err(failed)?;
            if lease < seen {
                let message = format!("lease {} is older than {}, which was seen already", lease.0, seen.0);
                return Err(Error::new(ErrorKind::Stale, "change", id, message));
            }
            if lease == seen {
                return Ok(file);
            }
            file.unlock().map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let message = "an operation under an older lease is still under way";
                    return Err(Error::new(ErrorKind::Unavailable, "change", id, message));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            if self.highest_lease().map_err(failed)? < lease {
                write_atomically(&self.base.join("fence"), lease.0.to_string().as_bytes()).map_err(failed)?;
            }
        }
    }

    fn highest_lease(&self) -> io::Result<Lease> {
        match fs::read_to_string(self.base.join("fence")) {
            Ok(text) => text.trim().parse().map(Lease).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lease::default()),
            Err(error) => Err(error),
        }
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        let path = self.base.join("locks").join(name);
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    }

    /// Without this, a disk that is not mounted would look like orders that are gone.
    fn check_present(&self) -> Result<(), Error> {
        let marker = fs::read_to_string(self.base.join("provider"));
        let marker = marker.map_err(|e| unavailable("look at", self.base.display(), e))?;
        if marker == self.provider {
            return Ok(());
        }
        let message = format!("it belongs to the provider {marker:?}, not {:?}", self.provider);
        Err(Error::new(ErrorKind::Invalid, "use", self.base.display(), message))
    }

    fn trash(&self, id: &OrderId) -> PathBuf {
        self.base.join("trash").join(&id.uid)
    }
}

/// The right to change one order, for as long as this lives.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    place: &'a Place,
    id: OrderId,
    _fence: File,
    _lock: File,
}

impl Turn<'_> {
    /// Writes down what is to be, before it is made; makes the directory when it is not there.
    pub(super) fn record<S: Serialize>(&self, plan: &PlanHash, state: &S) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Borrowed<'a, S> {
            id: &'a OrderId,
            plan: &'a PlanHash,
            state: &'a S,
        }
        let directory = self.place.directory(&self.id);
        let write = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(self.place.mode).create(&directory)?;
            sync_directory(&self.place.base.join("orders"))?;
            let record = serde_json::to_vec_pretty(&Borrowed { id: &self.id, plan, state })?;
            write_atomically(&directory.join("record.json"), &record)
        };
        write().map_err(|e| unavailable("record", &self.id, e))
    }

    /// Removes the directory of the order with all that is in it.
    pub(super) fn remove(&self) -> Result<(), Error> {
        let (directory, trash) = (self.place.directory(&self.id), self.place.trash(&self.id));
        let remove = || -> io::Result<()> {
            absent_is_fine(fs::remove_dir_all(&trash))?;
            absent_is_fine(fs::rename(&directory, &trash))?;
            absent_is_fine(fs::remove_dir_all(&trash))
        };
        remove().map_err(|e| unavailable("remove", &self.id, e))
    }
}

/// The teardown record of an order whose real things all lie in its directory.
pub(super) fn teardown(id: &OrderId, kind: &str) -> Teardown {
    Teardown::new(id).with_item(kind, &id.uid)
}

/// Refuses a record that names anything but its own order: it decides what is deleted.
pub(super) fn check_teardown(record: &Teardown, kind: &str) -> Result<(), Error> {
    if record.names_same(&teardown(&record.id, kind)) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, "tear down", &record.id, format!("the record is not of one {kind}")))
}

/// Runs what blocks on the disk or on a process, to its end even when the caller loses interest.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(Error::new(ErrorKind::Internal, "run", "provider", "the operation did not finish").with_source(error))
        }
    }
}

/// An error whose cause may pass.
pub(super) fn unavailable(op: &'static str, subject: impl std::fmt::Display, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, op, subject, error.to_string()).with_source(error)
}

/// UIDs become file names.
fn check_uid(id: &OrderId) -> Result<(), Error> {
    let uid = &id.uid;
    let plain = uid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if plain && (1..=UID_MAX).contains(&uid.len()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, "identify", id, format!("uid: {uid:?} is not letters, digits and '-'")))
}

/// Which of the shared locks the order uses; FNV-1a, because it must be the same in every process.
fn stripe(uid: &str) -> u32 {
    uid.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) % LOCKS
}

fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
