//! Signing in and out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use kdp_core::WorkspacePath;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    fault::Fault,
    guard::SignedIn,
    page::Shared,
    session::{LIFETIME, Secret, Session},
    upstream,
};

/// How long a link is good.
const TICKET: Duration = Duration::from_secs(60 * 60);

/// Links that sign in once.
#[derive(Debug, Default)]
pub struct Tickets(Mutex<HashMap<String, (Secret, WorkspacePath, Instant)>>);

impl Tickets {
    /// A ticket that can be exchanged, once and within an hour, for a session with `token` in `workspace`.
    pub fn issue(&self, token: Secret, workspace: WorkspacePath) -> Secret {
        let ticket = Secret::random();
        let until = Instant::now() + TICKET;
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.insert(ticket.expose().to_owned(), (token, workspace, until));
        ticket
    }

    fn redeem(&self, ticket: &str) -> Option<(Secret, WorkspacePath)> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, workspace, until) = tickets.remove(ticket)?;
        (Instant::now() < until).then_some((token, workspace))
    }
}

/// What somebody signs in with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, untagged)]
pub(super) enum SignIn {
    /// A link.
    Ticket {
        /// What is in it.
        ticket: String,
    },
    /// A bearer token of the control plane.
    Token {
        /// The token.
        token: String,
        /// Where to work.
        workspace: WorkspacePath,
    },
}

/// `POST /api/session`.
pub(super) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(body) = body.map_err(|_| Fault::Malformed("give a token, and the path of a workspace".into()))?;
    let (token, workspace) = match body {
        SignIn::Ticket { ticket } => shared.tickets.redeem(&ticket).ok_or(Fault::SignInRefused)?,
        SignIn::Token { token, workspace } => (Secret::new(token.trim()), workspace),
    };
    // Anything else could not be sent as a header.
    if token.expose().is_empty() || !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::SignInRefused);
    }
    let client = shared.upstream.client(&workspace, &token).await?;
    let identity = match upstream::who_is(&client).await {
        Ok(identity) => identity,
        // Which of token and workspace was wrong is not told.
        Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => return Err(Fault::SignInRefused),
        Err(error) => return Err(error.into()),
    };
    // Whoever was signed in with this browser is so no longer.
    shared.session_id(&headers).inspect(|id| shared.sessions.end(id));
    let now = Instant::now();
    let (id, session) = shared.sessions.begin(Session::new(identity.username, workspace, token, now), now);
    let cookie = shared.cookie(id.expose(), LIFETIME.as_secs());
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(view(&session))).into_response())
}

/// `GET /api/session`.
pub(super) async fn show(SignedIn(session): SignedIn) -> Json<Value> {
    Json(view(&session))
}

/// `DELETE /api/session`.
pub(super) async fn sign_out(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.session_id(&headers).inspect(|id| shared.sessions.end(id));
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, shared.cookie("", 0))]).into_response()
}

fn view(session: &Session) -> Value {
    json!({
        "user": session.username,
        "workspace": session.workspace,
        "csrf": session.csrf.expose(),
        "secondsLeft": session.left(Instant::now()).as_secs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once() {
        let tickets = Tickets::default();
        let ticket = tickets.issue(Secret::new("token"), WorkspacePath::root());
        assert!(tickets.redeem("something else").is_none());
        assert_eq!(tickets.redeem(ticket.expose()), Some((Secret::new("token"), WorkspacePath::root())));
        assert!(tickets.redeem(ticket.expose()).is_none());
    }
}
