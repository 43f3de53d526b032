//! Who is signed in.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kdp_core::{Error, WorkspacePath};
use kube::Client;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::upstream::Upstream;

/// How long a session lasts in which nothing is asked.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a session lasts at most.
pub(super) const LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
/// How many sessions there are at most.
const SESSIONS: usize = 1000;
/// How many workspaces a session keeps a connection to.
const CLIENTS: usize = 64;
/// How many orders a session follows at once.
const STREAMS: usize = 8;
/// How long credentials may be fetched after they were asked for.
const REVEAL: Duration = Duration::from_secs(60);

/// A text that is not shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// This text, from now on secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// 128 random bits, in hexadecimal digits.
    pub(super) fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is the text. How long it takes tells nothing about either, since digests are compared.
    pub(super) fn is(&self, text: &str) -> bool {
        digest(&self.0) == digest(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Everybody who is signed in; by the digest of the id in their cookie.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Arc<Session>>>);

impl Sessions {
    /// Begins a session and returns the id for the cookie. When there are too many, the one that was idle longest ends.
    pub(super) fn begin(&self, session: Session, now: Instant) -> (Secret, Arc<Session>) {
        let id = Secret::random();
        let session = Arc::new(session);
        let mut sessions = lock(&self.0);
        sessions.retain(|_, session| session.lasts(now));
        if sessions.len() >= SESSIONS {
            let idlest = sessions.iter().min_by_key(|(_, session)| *lock(&session.asked)).map(|(id, _)| *id);
            idlest.map(|id| sessions.remove(&id));
        }
        sessions.insert(digest(id.expose()), session.clone());
        (id, session)
    }

    /// The session of this id, if it has not ended.
    pub(super) fn find(&self, id: &str, now: Instant) -> Option<Arc<Session>> {
        let mut sessions = lock(&self.0);
        let session = sessions.get(&digest(id))?.clone();
        if !session.lasts(now) {
            sessions.remove(&digest(id));
            return None;
        }
        *lock(&session.asked) = now;
        Some(session)
    }

    /// Ends a session, and with it whatever it follows.
    pub(super) fn end(&self, id: &str) {
        if let Some(session) = lock(&self.0).remove(&digest(id)) {
            session.over.cancel();
        }
    }
}

/// One user, signed in with one browser.
pub(super) struct Session {
    /// Whom the API server took the token for at sign-in; for display alone.
    pub(super) username: String,
    /// Where the user works unless a request says otherwise.
    pub(super) workspace: WorkspacePath,
    /// Must come with every request that changes something.
    pub(super) csrf: Secret,
    /// Cancelled when the user signs out.
    pub(super) over: CancellationToken,
    /// Places for followed orders.
    pub(super) streams: Arc<Semaphore>,
    token: Secret,
    begun: Instant,
    asked: Mutex<Instant>,
    clients: Mutex<BTreeMap<WorkspacePath, Client>>,
    /// Until when the credentials of which orders may be fetched once.
    revealed: Mutex<HashMap<String, Instant>>,
}

impl Session {
    pub(super) fn new(username: String, workspace: WorkspacePath, token: Secret, now: Instant) -> Self {
        Self {
            username,
            workspace,
            csrf: Secret::random(),
            over: CancellationToken::new(),
            streams: Arc::new(Semaphore::new(STREAMS)),
            token,
            begun: now,
            asked: Mutex::new(now),
            clients: Mutex::default(),
            revealed: Mutex::default(),
        }
    }

    /// A client that acts as the user in `workspace`; whether the user may is for the API server to say.
    pub(super) async fn client(&self, upstream: &Upstream, workspace: &WorkspacePath) -> Result<Client, Error> {
        if let Some(client) = lock(&self.clients).get(workspace) {
            return Ok(client.clone());
        }
        let client = upstream.client(workspace, &self.token).await?;
        let mut clients = lock(&self.clients);
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        clients.insert(workspace.clone(), client.clone());
        Ok(client)
    }

    /// How much longer the session lasts at most.
    pub(super) fn left(&self, now: Instant) -> Duration {
        LIFETIME.saturating_sub(now.saturating_duration_since(self.begun))
    }

    /// Lets the credentials of the order `uid` be fetched once.
    pub(super) fn reveal(&self, uid: &str, now: Instant) {
        let mut revealed = lock(&self.revealed);
        revealed.retain(|_, until| *until > now);
        revealed.insert(uid.to_owned(), now + REVEAL);
    }

    /// Whether the credentials of the order `uid` may be fetched; from now on they may not.
    pub(super) fn take_revealed(&self, uid: &str, now: Instant) -> bool {
        lock(&self.revealed).remove(uid).is_some_and(|until| until > now)
    }

    fn lasts(&self, now: Instant) -> bool {
        let idle = now.saturating_duration_since(*lock(&self.asked));
        idle < IDLE && !self.left(now).is_zero() && !self.over.is_cancelled()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("username", &self.username).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(now: Instant) -> Session {
        Session::new("ann".into(), WorkspacePath::root(), Secret::new("token"), now)
    }

    #[test]
    fn a_session_ends_when_idle_when_old_and_when_signed_out() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let (id, _) = sessions.begin(session(start), start);
        assert!(sessions.find("something else", start).is_none());
        assert!(sessions.find(id.expose(), start + IDLE / 2).is_some());
        assert!(sessions.find(id.expose(), start + IDLE).is_some(), "it was not idle");
        assert!(sessions.find(id.expose(), start + IDLE * 2).is_none());

        let (id, _) = sessions.begin(session(start), start);
        for half in 1..(LIFETIME.as_secs() * 2 / IDLE.as_secs()) {
            assert!(sessions.find(id.expose(), start + IDLE / 2 * half.try_into().unwrap()).is_some());
        }
        assert!(sessions.find(id.expose(), start + LIFETIME).is_none());

        let (id, session) = sessions.begin(session(start), start);
        sessions.end(id.expose());
        assert!(session.over.is_cancelled());
        assert!(sessions.find(id.expose(), start).is_none());
    }

    #[test]
    fn credentials_are_fetched_once_and_soon_after_they_were_asked_for() {
        let start = Instant::now();
        let session = session(start);
        assert!(!session.take_revealed("uid", start));
        session.reveal("uid", start);
        assert!(!session.take_revealed("another", start));
        assert!(session.take_revealed("uid", start));
        assert!(!session.take_revealed("uid", start));
        session.reveal("uid", start);
        assert!(!session.take_revealed("uid", start + REVEAL));
    }

    #[test]
    fn the_number_of_sessions_is_limited_and_the_idlest_goes() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let ids: Vec<_> = (0..=SESSIONS)
            .map(|n| {
                let now = start + Duration::from_millis(n.try_into().unwrap());
                sessions.begin(session(now), now).0
            })
            .collect();
        assert_eq!(lock(&sessions.0).len(), SESSIONS);
        assert!(sessions.find(ids[0].expose(), start).is_none());
        assert!(sessions.find(ids[1].expose(), start).is_some());
    }

    #[test]
    fn a_secret_is_not_in_debug_output() {
        assert!(!format!("{:?}", session(Instant::now())).contains("token\""));
        assert_eq!(Secret::random().expose().len(), 32);
        assert_ne!(Secret::random(), Secret::random());
    }
}
