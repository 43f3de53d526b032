//! The error of this crate: what failed, on what, and whether trying again helps.

use std::{error::Error as StdError, fmt};

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong; the same call fails again until somebody changes it.
    Invalid,
    /// The thing does not exist.
    NotFound,
    /// Somebody else changed the thing, or the plan or lease is no longer current: read again, then retry.
    Stale,
    /// The identity lacks a right.
    Forbidden,
    /// This platform, machine or configuration cannot do it.
    Unsupported,
    /// The other side did not answer or answered that it is busy.
    Unavailable,
    /// The other side, or this program, misbehaved.
    Internal,
}

/// When trying the same operation again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Never, until the input changes.
    Never,
    /// After a pause that grows.
    After,
    /// At once, after reading the current state again.
    Now,
}

/// An operation failed on a subject.
#[derive(Debug, thiserror::Error)]
#[error("cannot {op} {subject}: {message}")]
pub struct Error {
    kind: ErrorKind,
    op: &'static str,
    subject: String,
    message: String,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `op` (a verb, such as `"plan"`) on `subject` (a name a reader finds again).
    ///
    /// The message says what is wrong and what to do, in lower case and without a full stop.
    pub fn new(kind: ErrorKind, op: &'static str, subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { kind, op, subject: subject.to_string(), message: message.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// An error whose kind follows from what the API server answered.
    pub fn from_kube(op: &'static str, subject: impl fmt::Display, error: kube::Error) -> Self {
        let (kind, message) = match &error {
            kube::Error::Api(status) => (kind_of_code(status.code), status.message.clone()),
            kube::Error::HyperError(_) | kube::Error::Service(_) => {
                (ErrorKind::Unavailable, "the API server did not answer".into())
            }
            _ => (ErrorKind::Internal, "the request failed".into()),
        };
        Self::new(kind, op, subject, message).with_source(error)
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// When trying again can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self.kind {
            ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Unsupported => Retry::Never,
            ErrorKind::Stale => Retry::Now,
            ErrorKind::Unavailable | ErrorKind::Internal => Retry::After,
        }
    }

    /// What is wrong, without the operation and its subject.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

fn kind_of_code(code: u16) -> ErrorKind {
    match code {
        400 | 413 | 415 | 422 => ErrorKind::Invalid,
        401 | 403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        405 | 406 => ErrorKind::Unsupported,
        409 => ErrorKind::Stale,
        429 | 502..=504 => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}
