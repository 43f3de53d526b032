//! Why a request is not answered, as the browser is told.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use kdp_core::{Error, ErrorKind, reconcile::Chain};
use serde_json::json;

/// A refusal or a failure.
///
/// What the API server says of a user's request is told as it stands, for it is what `kubectl` would show the same user.
/// Of failures of the platform only that they happened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nobody is signed in.
    #[error("sign in first")]
    SignedOut,
    /// The token is not known, or is good for nothing in the workspace.
    #[error("this does not open the workspace")]
    SignInRefused,
    /// The request does not come from the page itself.
    #[error("the request does not come from this page")]
    Foreign,
    /// The request makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// There is no such thing, or it may not be seen.
    #[error("there is no such {0}, or you may not see it")]
    NotFound(&'static str),
    /// The credentials were not asked for before.
    #[error("ask for the credentials first; they are shown once each time")]
    NotRevealed,
    /// Too much was asked.
    #[error("too many requests; try again in a moment")]
    Limited(Duration),
    /// What the API server answered.
    #[error("the API server refused")]
    Api(#[from] kube::Error),
    /// What another part of the platform answered.
    #[error(transparent)]
    Platform(#[from] Error),
}

impl Fault {
    fn code(&self) -> u16 {
        match self {
            Self::SignedOut | Self::SignInRefused => 401,
            Self::Foreign | Self::NotRevealed => 403,
            Self::Malformed(_) => 400,
            Self::NotFound(_) => 404,
            Self::Limited(_) => 429,
            Self::Api(kube::Error::Api(status)) if (400..500).contains(&status.code) => status.code,
            Self::Api(_) => 502,
            Self::Platform(error) => match error.kind() {
                ErrorKind::Invalid => 400,
                ErrorKind::NotFound => 404,
                ErrorKind::Forbidden => 403,
                ErrorKind::Stale => 409,
                ErrorKind::Unavailable => 503,
                _ => 500,
            },
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Api(kube::Error::Api(status)) if self.code() != 502 => status.message.clone(),
            Self::Api(_) => "the API server did not answer as it should; try again in a moment".into(),
            Self::Platform(error) if self.code() < 500 => error.message().to_owned(),
            Self::Platform(_) => "the platform could not do this; try again in a moment".into(),
            _ => self.to_string(),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let code = self.code();
        if code >= 500 {
            tracing::warn!(error = %Chain(&self), "page.failed");
        }
        let details = match &self {
            Self::Api(kube::Error::Api(status)) => status.details.clone(),
            _ => None,
        };
        let causes: Vec<_> = details
            .map(|details| details.causes)
            .unwrap_or_default()
            .into_iter()
            .map(|cause| json!({"field": cause.field, "message": cause.message}))
            .collect();
        let body = Json(json!({"code": code, "message": self.message(), "causes": causes}));
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = (status, body).into_response();
        if let Self::Limited(wait) = self {
            let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
