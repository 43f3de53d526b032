//! One turn of an order, and one look at it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Bytes, Recovery, StateVersion,
    head::{Content, Head, Label, Relation},
    server::{Inner, busy, digest, random},
};
use crate::{Error, ErrorKind, provider::OrderId};

const TRIES: usize = 16;
pub(super) const USER: &str = "kdp";

/// What the server knows of a session.
pub(super) struct Entry {
    pub(super) session: String,
    pub(super) order: OrderId,
    holder: String,
    pub(super) password: String,
    /// What the engine says of itself while it has the lock.
    pub(super) lock: Mutex<Option<Value>>,
    pub(super) lost: CancellationToken,
    /// The head as it was written last, with its version; none for a reader, and when that is not known.
    head: tokio::sync::Mutex<Option<(Head, String)>>,
    pub(super) is_reader: bool,
}

impl Entry {
    pub(super) fn to_write(session: String, order: &OrderId, holder: &str, head: (Head, String)) -> Self {
        Self { holder: holder.into(), head: Some(head).into(), is_reader: false, ..Self::to_read(session, order) }
    }

    pub(super) fn to_read(session: String, order: &OrderId) -> Self {
        Self {
            session,
            order: order.clone(),
            holder: String::new(),
            password: random() + &random(),
            lock: Mutex::default(),
            lost: CancellationToken::new(),
            head: tokio::sync::Mutex::default(),
            is_reader: true,
        }
    }

    /// The environment with which the engine finds this state, and may do what this session may.
    fn environment(&self, inner: &Inner) -> Vec<(String, String)> {
        let address = format!("http://{}/{}", inner.address, self.session);
        let variables = [
            ("TF_HTTP_ADDRESS", address.as_str()),
            ("TF_HTTP_USERNAME", USER),
            ("TF_HTTP_PASSWORD", &self.password),
            ("TF_HTTP_RETRY_MAX", "2"),
            ("TF_HTTP_RETRY_WAIT_MIN", "1"),
            ("TF_HTTP_RETRY_WAIT_MAX", "2"),
        ];
        let locking = [
            ("TF_HTTP_LOCK_ADDRESS", address.as_str()),
            ("TF_HTTP_UNLOCK_ADDRESS", &address),
            ("TF_HTTP_LOCK_METHOD", "LOCK"),
            ("TF_HTTP_UNLOCK_METHOD", "UNLOCK"),
        ];
        let locking = locking.into_iter().filter(|_| !self.is_reader);
        variables.into_iter().chain(locking).map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// Changes the head, unless the turn was lost.
    async fn change<T>(&self, inner: &Inner, change: impl Fn(&mut Head) -> Result<T, Error>) -> Result<T, Error> {
        let mut cached = self.head.lock().await;
        for _ in 0..TRIES {
            let Some((head, version)) = self.current(inner, &mut cached).await? else { continue };
            let mut next = head.clone();
            let value = match change(&mut next) {
                Ok(value) => value,
                Err(error) => {
                    *cached = Some((head, version));
                    return Err(error);
                }
            };
            if next == head {
                *cached = Some((head, version));
                return Ok(value);
            }
            match inner.save_head(&next, Some(&version)).await {
                Ok(version) => {
                    inner.collect(&head, &next).await;
                    *cached = Some((next, version));
                    return Ok(value);
                }
                // Read again: whoever wrote it may have taken the turn.
                Err(error) if error.kind() == ErrorKind::Stale => {}
                Err(error) => return Err(error),
            }
        }
        Err(busy(&self.order))
    }

    /// The head as it is, taken out of the cache, which stays empty if the caller does not come back.
    async fn current(
        &self,
        inner: &Inner,
        cached: &mut Option<(Head, String)>,
    ) -> Result<Option<(Head, String)>, Error> {
        let loaded = match cached.take() {
            Some(known) => Some(known),
            None => inner.load_head(&self.order).await?,
        };
        let Some((head, version)) = loaded else { return Err(self.lose()) };
        if head.check_turn(&self.session).is_err() {
            return Err(self.lose());
        }
        Ok(Some((head, version)))
    }

    fn lose(&self) -> Error {
        self.lost.cancel();
        Error::new(ErrorKind::Stale, "write the state of", &self.order, "another process has taken over")
    }

    /// The head as this session last saw it.
    async fn look(&self, inner: &Inner) -> Result<Head, Error> {
        self.change(inner, |head| Ok(head.clone())).await
    }

    pub(super) async fn state(&self, inner: &Inner) -> Result<Option<Bytes>, Error> {
        for _ in 0..TRIES {
            let head = if self.is_reader {
                inner.load_head(&self.order).await?.map(|(head, _)| head)
            } else {
                Some(self.look(inner).await?)
            };
            let Some(latest) = head.as_ref().and_then(Head::latest) else { return Ok(None) };
            if let Some(state) = inner.load_content(&self.order, &latest.blob, &latest.about.digest).await? {
                return Ok(Some(state));
            }
        }
        Err(Error::new(ErrorKind::Internal, "read the state of", &self.order, "its content is missing"))
    }

    /// Writes a state that is newer than the one that is there, or the same.
    pub(super) async fn put(&self, inner: &Inner, state: &[u8]) -> Result<Relation, Error> {
        let label = self.label(state)?;
        let relation = self.look(inner).await?.relation(&label, &digest(state));
        if relation != Relation::Newer {
            return Ok(relation);
        }
        let version = inner.put_version(&self.order, &label, state, &self.holder).await?;
        let most = inner.options.versions;
        // Other requests of the same engine may have been faster.
        let write = |head: &mut Head| {
            let relation = head.relation(&label, &version.about.digest);
            if relation == Relation::Newer {
                head.push(version.clone(), most);
            }
            Ok(relation)
        };
        let relation = self.change(inner, write).await?;
        if relation != Relation::Newer {
            inner.discard(&self.order, &version.blob).await;
        }
        Ok(relation)
    }

    fn label(&self, state: &[u8]) -> Result<Label, Error> {
        Label::read(state).map_err(|e| Error::new(ErrorKind::Invalid, "write the state of", &self.order, e))
    }
}

/// The turn of an order: as long as it is held, nobody else writes.
///
/// All methods may be dropped at any await and repeated. They fail with `Stale` once the turn was lost, and
/// with `Unavailable` when the store cannot be reached.
pub struct StateSession {
    inner: Arc<Inner>,
    entry: Arc<Entry>,
    over: CancellationToken,
    heartbeat: Option<JoinHandle<Result<(), Error>>>,
}

impl StateSession {
    pub(super) fn start(inner: Arc<Inner>, entry: Arc<Entry>) -> Self {
        let over = inner.stop.child_token();
        let heartbeat = Some(inner.tasks.spawn(keep_turn(inner.clone(), entry.clone(), over.clone())));
        Self { inner, entry, over, heartbeat }
    }

    /// The environment with which the engine finds this state, and may write it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        self.entry.environment(&self.inner)
    }

    /// The state; none when there is none.
    ///
    /// # Errors
    /// As all methods.
    pub async fn state(&self) -> Result<Option<Bytes>, Error> {
        self.entry.state(&self.inner).await
    }

    /// Takes in a state that an engine could not deliver.
    ///
    /// # Errors
    /// As all methods, and `Invalid` when it is no state, one of other things, or says something else than
    /// the state of the same serial number that is there.
    pub async fn recover(&self, errored: Bytes) -> Result<Recovery, Error> {
        let message = match self.entry.put(&self.inner, &errored).await? {
            Relation::Newer => return Ok(Recovery::Stored),
            Relation::Same | Relation::Older => return Ok(Recovery::Known),
            Relation::Rival if self.says_the_same(&errored).await? => return Ok(Recovery::Known),
            Relation::Rival => "the state that was left says something else than the one of the same serial number",
            Relation::Foreign => "the state that was left is of another lineage, so of other things",
        };
        Err(Error::new(ErrorKind::Invalid, "recover the state of", &self.entry.order, message))
    }

    /// Whether the state that is there differs in nothing but how it is written down.
    async fn says_the_same(&self, other: &[u8]) -> Result<bool, Error> {
        let Some(state) = self.state().await? else { return Ok(false) };
        let parse = |state: &[u8]| serde_json::from_slice::<Value>(state).ok();
        Ok(parse(&state).is_some_and(|state| Some(state) == parse(other)))
    }

    /// Keeps a small note beside the state, or removes it.
    ///
    /// # Errors
    /// As all methods.
    pub async fn note(&self, name: &str, value: Option<Value>) -> Result<(), Error> {
        self.note_all([(name, value)]).await
    }

    /// Keeps or removes several notes, all at once.
    ///
    /// # Errors
    /// As all methods.
    pub async fn note_all<const N: usize>(&self, notes: [(&str, Option<Value>); N]) -> Result<(), Error> {
        let change = |head: &mut Head| {
            for (name, value) in notes.clone() {
                match value {
                    Some(value) => drop(head.notes.insert(name.into(), value)),
                    None => drop(head.notes.remove(name)),
                }
            }
            head.removed &= head.notes.is_empty();
            Ok(())
        };
        self.entry.change(&self.inner, change).await
    }

    /// The notes.
    ///
    /// # Errors
    /// As all methods.
    pub async fn notes(&self) -> Result<BTreeMap<String, Value>, Error> {
        Ok(self.entry.look(&self.inner).await?.notes)
    }

    /// Keeps a larger content beside the state, in the place of the one of this name.
    ///
    /// # Errors
    /// As all methods.
    pub async fn keep(&self, name: &str, content: Bytes) -> Result<(), Error> {
        let head = self.entry.look(&self.inner).await?;
        if head.kept.get(name).is_some_and(|kept| kept.digest == digest(&content)) {
            return Ok(());
        }
        let kept: Content = self.inner.put_content(&self.entry.order, &content).await?;
        let change = |head: &mut Head| {
            head.kept.insert(name.into(), kept.clone());
            Ok(())
        };
        self.entry.change(&self.inner, change).await
    }

    /// What was kept under this name.
    ///
    /// # Errors
    /// As all methods, and `Internal` when it is missing.
    pub async fn kept(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let head = self.entry.look(&self.inner).await?;
        let Some(kept) = head.kept.get(name) else { return Ok(None) };
        match self.inner.load_content(&self.entry.order, &kept.blob, &kept.digest).await? {
            Some(content) => Ok(Some(content)),
            None => Err(head.error(ErrorKind::Internal, "read what was kept of", format!("{name} is missing"))),
        }
    }

    pub(super) async fn roll_back(&self, serial: u64) -> Result<StateVersion, Error> {
        let head = self.entry.look(&self.inner).await?;
        let op = "roll back the state of";
        let Some(version) = head.versions.iter().rfind(|version| version.about.serial == serial) else {
            let known: Vec<_> = head.versions.iter().map(|version| version.about.serial.to_string()).collect();
            let message = format!("there is no version {serial}; there are {}", known.join(", "));
            return Err(head.error(ErrorKind::NotFound, op, message));
        };
        let content = self.inner.load_content(&self.entry.order, &version.blob, &version.about.digest).await?;
        let state = content.and_then(|content| serde_json::from_slice::<Value>(&content).ok());
        let Some(mut state) = state else {
            return Err(head.error(ErrorKind::Internal, op, format!("the content of version {serial} is missing")));
        };
        state["serial"] =
            head.versions.iter().map(|version| version.about.serial).max().unwrap_or(serial).wrapping_add(1).into();
        // A rollback across lineages is what is asked for, so how it relates to the state does not matter.
        let state = state.to_string();
        let label = self.entry.label(state.as_bytes())?;
        let version = self.inner.put_version(&self.entry.order, &label, state.as_bytes(), &self.entry.holder).await?;
        let most = self.inner.options.versions;
        let change = |head: &mut Head| {
            head.push(version.clone(), most);
            Ok(())
        };
        self.entry.change(&self.inner, change).await?;
        Ok(version.about)
    }

    /// Waits until the turn was lost: whatever was started for it is to be stopped.
    pub async fn lost(&self) {
        self.entry.lost.cancelled().await;
    }

    /// Gives the turn back. A session that is dropped gives it back in the background.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be reached: the turn then runs out by itself.
    pub async fn end(mut self) -> Result<(), Error> {
        self.over.cancel();
        let Some(heartbeat) = self.heartbeat.take() else { return Ok(()) };
        heartbeat.await.unwrap_or(Ok(()))
    }
}

impl Drop for StateSession {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl fmt::Debug for StateSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateSession").field("order", &self.entry.order).finish_non_exhaustive()
    }
}

/// Says every now and then that the turn is still held, and gives it back when it is over.
async fn keep_turn(inner: Arc<Inner>, entry: Arc<Entry>, over: CancellationToken) -> Result<(), Error> {
    let lease = inner.options.lease;
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            () = over.cancelled() => break,
            () = entry.lost.cancelled() => break,
            () = sleep(lease / 3) => {}
        }
        let asked = Instant::now();
        let renewing = entry.change(&inner, |head| head.renew(&entry.session, Timestamp::now(), lease));
        match timeout(lease / 3, renewing).await {
            Ok(Ok(())) => heard = asked,
            Ok(Err(error)) => tracing::warn!(order = %entry.order, %error, "state.renew"),
            Err(_) => tracing::warn!(order = %entry.order, "state.renew: the store does not answer"),
        }
        // Before anybody else may begin, and with time left to stop what works here.
        if heard.elapsed() > lease * 2 / 3 {
            entry.lost.cancel();
        }
    }
    inner.forget(&entry.session);
    let given_back = entry.change(&inner, |head| {
        head.end(&entry.session);
        Ok(())
    });
    match timeout(lease, given_back).await {
        Ok(Err(error)) if error.kind() == ErrorKind::Stale => Ok(()),
        Ok(outcome) => outcome,
        Err(_) => {
            let message = "the store does not answer; the turn runs out by itself";
            Err(Error::new(ErrorKind::Unavailable, "end the work on", &entry.order, message))
        }
    }
}

/// Credentials that can only read the state of one order. They end with it.
pub struct StateReader {
    pub(super) inner: Arc<Inner>,
    pub(super) entry: Arc<Entry>,
}

impl StateReader {
    /// The environment with which the engine finds this state.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        self.entry.environment(&self.inner)
    }
}

impl Drop for StateReader {
    fn drop(&mut self) {
        self.inner.forget(&self.entry.session);
    }
}

impl fmt::Debug for StateReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateReader").field("order", &self.entry.order).finish_non_exhaustive()
    }
}

impl Entry {
    /// What the engine says of itself that has the lock.
    pub(super) fn locked(&self) -> std::sync::MutexGuard<'_, Option<Value>> {
        // A value is whole, whoever panicked.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
