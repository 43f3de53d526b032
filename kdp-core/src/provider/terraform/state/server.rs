//! The states of all orders: who works on which, what there is, what there was.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Bytes, Holder, Snapshot, StateKey, StateOptions, StateReader, StateSession, StateStore, StateVersion,
    head::{Content, Head, Label, Version},
    http,
    session::Entry,
};
use crate::{
    Error, ErrorKind,
    provider::{OrderId, Run},
};

/// So often a write is tried that others keep getting in the way of.
const TRIES: usize = 16;
const HEAD: &str = "head";

/// Keeps the states of Terraform and OpenTofu, and serves them to the engine through its `http` backend on
/// the loopback interface, each run with a password of its own.
///
/// States are encrypted. Whoever works on an order has its turn for as long as he is heard of; whoever lost
/// it writes nothing any more.
#[derive(Clone)]
pub struct StateServer {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    store: Arc<dyn StateStore>,
    key: StateKey,
    pub(super) options: StateOptions,
    pub(super) address: SocketAddr,
    sessions: Mutex<HashMap<String, Arc<Entry>>>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl StateServer {
    /// Begins to serve. It ends with [`shutdown`](Self::shutdown), or with the runtime.
    ///
    /// # Errors
    /// `Unavailable` when no port can be had.
    pub async fn start(store: Arc<dyn StateStore>, key: StateKey, options: StateOptions) -> Result<Self, Error> {
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::Unavailable, "serve", "states of terraform", e.to_string()).with_source(e)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let inner = Arc::new(Inner {
            store,
            key,
            options,
            address: listener.local_addr().map_err(failed)?,
            sessions: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        inner.tasks.spawn(http::serve(inner.clone(), listener));
        Ok(Self { inner })
    }

    /// Which store of states it is.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be reached.
    pub async fn identity(&self) -> Result<String, Error> {
        self.inner.store.identity().await
    }

    /// Takes the turn of an order. It is kept until the session ends, and is lost when the store cannot be
    /// reached for as long as the lease.
    ///
    /// # Errors
    /// `Stale` when a higher lease was seen; `Unavailable` when somebody of the same lease is at work, naming
    /// him, or when the store cannot be reached.
    pub async fn begin(&self, order: &OrderId, run: &Run) -> Result<StateSession, Error> {
        let session = random();
        let inner = &self.inner;
        let lease = inner.options.lease;
        let (was_left, head, version) = inner
            .update(order, |head| {
                let was_left = head.turn.is_some() || head.removed;
                head.begin(&session, run, Timestamp::now(), lease)?;
                Ok(was_left)
            })
            .await?;
        let entry = Arc::new(Entry::to_write(session, order, &run.holder, (head.clone(), version.clone())));
        inner.sessions().insert(entry.session.clone(), entry.clone());
        let session = StateSession::start(inner.clone(), entry);
        if was_left {
            inner.sweep(&head, &version).await?;
        }
        Ok(session)
    }

    /// Credentials that can only read; takes no turn.
    ///
    /// # Errors
    /// None now; a later version may refuse a reader.
    pub async fn reader(&self, order: &OrderId) -> Result<StateReader, Error> {
        let entry = Arc::new(Entry::to_read(random(), order));
        self.inner.sessions().insert(entry.session.clone(), entry.clone());
        Ok(StateReader { inner: self.inner.clone(), entry })
    }

    /// What is kept for an order; none when there was never anything.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be reached, `Internal` when what it has cannot be decrypted.
    pub async fn latest(&self, order: &OrderId) -> Result<Option<Snapshot>, Error> {
        for _ in 0..TRIES {
            let Some((head, _)) = self.inner.load_head(order).await? else { return Ok(None) };
            let Some(latest) = head.latest().cloned() else { return Ok(Some(snapshot(head, None))) };
            if let Some(state) = self.inner.load_content(order, &latest.blob, &latest.about.digest).await? {
                return Ok(Some(snapshot(head, Some(state))));
            }
            // It was replaced in the meantime.
        }
        Err(Error::new(ErrorKind::Internal, "read the state of", order, "its content is missing"))
    }

    /// The versions of the state that are kept, the oldest first.
    ///
    /// # Errors
    /// As for [`latest`](Self::latest).
    pub async fn history(&self, order: &OrderId) -> Result<Vec<StateVersion>, Error> {
        let head = self.inner.load_head(order).await?;
        Ok(head.into_iter().flat_map(|(head, _)| head.versions).map(|version| version.about).collect())
    }

    /// Makes an earlier version the state again, as a new version. The real things do not change by it: the
    /// next plan says how they differ.
    ///
    /// # Errors
    /// `NotFound` when there is no version with this serial, `Stale` when a higher lease was seen,
    /// `Unavailable` when somebody is at work or the store cannot be reached.
    pub async fn rollback(&self, order: &OrderId, serial: u64, run: &Run) -> Result<StateVersion, Error> {
        let session = self.begin(order, run).await?;
        let rolled_back = session.roll_back(serial).await;
        let ended = session.end().await;
        rolled_back.and_then(|version| ended.map(|()| version))
    }

    /// Who works on an order.
    ///
    /// # Errors
    /// As for [`latest`](Self::latest).
    pub async fn holder(&self, order: &OrderId) -> Result<Option<Holder>, Error> {
        let head = self.inner.load_head(order).await?;
        let turn = head.and_then(|(head, _)| head.live(Timestamp::now()).cloned());
        Ok(turn.map(|turn| Holder { who: turn.holder, since: turn.since, expires: turn.expires }))
    }

    /// Forgets everything of an order but that it is gone, and which leases are too old for it.
    ///
    /// # Errors
    /// `Invalid` when the state still has something in it, `Stale` when a higher lease was seen,
    /// `Unavailable` when somebody is at work or the store cannot be reached.
    pub async fn remove(&self, order: &OrderId, run: &Run) -> Result<(), Error> {
        let inner = &self.inner;
        let op = "remove the state of";
        for _ in 0..TRIES {
            let (mut head, expect) = inner.head(order).await?;
            head.check_lease(op, run)?;
            head.check_free(op, run, Timestamp::now())?;
            if let Some(latest) = head.latest() {
                let Some(state) = inner.load_content(order, &latest.blob, &latest.about.digest).await? else {
                    // It was replaced in the meantime.
                    continue;
                };
                let label = Label::read(&state).map_err(|e| head.error(ErrorKind::Internal, op, e))?;
                if !label.is_empty() {
                    let message = "there is something in its state; have the engine remove that first";
                    return Err(head.error(ErrorKind::Invalid, op, message.into()));
                }
            }
            head.see(run.lease);
            head.clear();
            match inner.save_head(&head, expect.as_deref()).await {
                Ok(version) => return inner.sweep(&head, &version).await,
                Err(error) if error.kind() == ErrorKind::Stale => {}
                Err(error) => return Err(error),
            }
        }
        Err(busy(order))
    }

    /// All orders of which anything is known, those included that are gone. Reads them all.
    ///
    /// # Errors
    /// As for [`latest`](Self::latest).
    pub async fn orders(&self) -> Result<Vec<OrderId>, Error> {
        let mut orders = Vec::new();
        for name in self.inner.store.list("").await? {
            if !name.ends_with(&format!("/{HEAD}")) {
                continue;
            }
            if let Some((sealed, _)) = self.inner.store.load(&name).await? {
                orders.push(self.inner.parse_head(&name, &sealed)?.order);
            }
        }
        Ok(orders)
    }

    /// Ends all sessions and stops serving. Turns that nobody gave back are given back.
    pub async fn shutdown(self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

impl fmt::Debug for StateServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateServer")
            .field("store", &self.inner.store)
            .field("address", &self.inner.address)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Entry>>> {
        // A map of pointers is whole, whoever panicked.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn session(&self, session: &str) -> Option<Arc<Entry>> {
        self.sessions().get(session).cloned()
    }

    pub(super) fn forget(&self, session: &str) {
        self.sessions().remove(session);
    }

    fn parse_head(&self, name: &str, sealed: &[u8]) -> Result<Head, Error> {
        let content = self.key.open(name, sealed)?;
        serde_json::from_slice(&content)
            .map_err(|e| Error::new(ErrorKind::Internal, "read", name, "what is kept cannot be read").with_source(e))
    }

    pub(super) async fn load_head(&self, order: &OrderId) -> Result<Option<(Head, String)>, Error> {
        let name = format!("{}/{HEAD}", directory(order));
        let Some((sealed, version)) = self.store.load(&name).await? else { return Ok(None) };
        Ok(Some((self.parse_head(&name, &sealed)?, version)))
    }

    /// The head, with its version if there is one already.
    async fn head(&self, order: &OrderId) -> Result<(Head, Option<String>), Error> {
        Ok(match self.load_head(order).await? {
            Some((head, version)) => (head, Some(version)),
            None => (Head::new(order), None),
        })
    }

    pub(super) async fn save_head(&self, head: &Head, expect: Option<&str>) -> Result<String, Error> {
        let name = format!("{}/{HEAD}", directory(&head.order));
        let content = serde_json::to_vec(head).expect("a head is made of text, numbers and JSON");
        self.store.store(&name, self.key.seal(&name, &content)?, expect).await
    }

    /// Changes a head, whoever else does so at the same time.
    async fn update<T>(
        &self,
        order: &OrderId,
        change: impl Fn(&mut Head) -> Result<T, Error>,
    ) -> Result<(T, Head, String), Error> {
        for _ in 0..TRIES {
            let (mut head, expect) = self.head(order).await?;
            let value = change(&mut head)?;
            match self.save_head(&head, expect.as_deref()).await {
                Ok(version) => return Ok((value, head, version)),
                Err(error) if error.kind() == ErrorKind::Stale => {}
                Err(error) => return Err(error),
            }
        }
        Err(busy(order))
    }

    /// Stores bytes under a name that nobody has had before.
    pub(super) async fn put_content(&self, order: &OrderId, content: &[u8]) -> Result<Content, Error> {
        let blob = random();
        let name = format!("{}/{blob}", directory(order));
        self.store.store(&name, self.key.seal(&name, content)?, None).await?;
        Ok(Content { blob, digest: digest(content) })
    }

    /// The bytes; none when they are not there.
    pub(super) async fn load_content(
        &self,
        order: &OrderId,
        blob: &str,
        expected: &str,
    ) -> Result<Option<Bytes>, Error> {
        let name = format!("{}/{blob}", directory(order));
        let Some((sealed, _)) = self.store.load(&name).await? else { return Ok(None) };
        let content = self.key.open(&name, &sealed)?;
        if digest(&content) == expected {
            return Ok(Some(content));
        }
        Err(Error::new(ErrorKind::Internal, "read the state of", order, "its content is not the one that was written"))
    }

    /// Removes what a head referred to before and does not any more. What a process that ends here leaves
    /// is swept by the next one.
    pub(super) async fn collect(&self, before: &Head, after: &Head) {
        let kept: HashSet<_> = after.blobs().collect();
        for blob in before.blobs().filter(|blob| !kept.contains(blob)) {
            self.discard(&after.order, blob).await;
        }
    }

    /// Removes what was stored for a change of the head that was not made.
    pub(super) async fn discard(&self, order: &OrderId, blob: &str) {
        let name = format!("{}/{blob}", directory(order));
        if let Err(error) = self.store.remove(&name).await {
            tracing::debug!(%order, %error, "state.discard");
        }
    }

    /// Removes all contents of an order that its head, written as this version, does not refer to.
    ///
    /// A process that is late here may be in the turn of another one, whose contents are none of its
    /// business. So only those go that were listed before the head was seen unchanged: whoever writes after
    /// this version cannot have stored them.
    async fn sweep(&self, head: &Head, version: &str) -> Result<(), Error> {
        let directory = directory(&head.order);
        let kept: HashSet<_> = head.blobs().chain([HEAD]).map(|blob| format!("{directory}/{blob}")).collect();
        let listed = self.store.list(&directory).await?;
        let now = self.store.load(&format!("{directory}/{HEAD}")).await?;
        if now.is_none_or(|(_, now)| now != version) {
            return Ok(());
        }
        for name in listed.iter().filter(|name| !kept.contains(*name)) {
            self.store.remove(name).await?;
        }
        Ok(())
    }

    /// The version that a state becomes, with its bytes stored.
    pub(super) async fn put_version(
        &self,
        order: &OrderId,
        label: &Label,
        state: &[u8],
        by: &str,
    ) -> Result<Version, Error> {
        let Content { blob, digest } = self.put_content(order, state).await?;
        let (serial, lineage) = (label.serial, label.lineage.clone());
        let about = StateVersion { serial, lineage, at: Timestamp::now(), by: by.into(), digest, size: state.len() };
        Ok(Version { about, blob })
    }
}

pub(super) fn busy(order: &OrderId) -> Error {
    Error::new(ErrorKind::Unavailable, "write the state of", order, "others write it all the time")
}

fn snapshot(head: Head, state: Option<Bytes>) -> Snapshot {
    let about = head.latest().map(|version| version.about.clone());
    Snapshot {
        state,
        serial: about.as_ref().map(|about| about.serial),
        lineage: about.map(|about| about.lineage),
        removed: head.removed,
        notes: head.notes,
    }
}

/// The first part of the names of an order's contents, whatever its identity has in it.
fn directory(order: &OrderId) -> String {
    let mut digest = Sha256::new();
    let workspace = order.workspace.as_ref().map(ToString::to_string).unwrap_or_default();
    for part in [&workspace, &order.uid] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut name = format!("{:x}", digest.finalize());
    name.truncate(32);
    name
}

pub(super) fn digest(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

/// 128 bits that nobody guesses.
pub(super) fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}
