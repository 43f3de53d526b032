//! The error of this crate.

use crate::store::StoreError;

/// Why a control plane could not be opened, served or closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed.
    #[error("the store of the control plane failed")]
    Store(#[from] StoreError),
    /// A certificate or key is broken or cannot be made, or the address cannot be bound.
    #[error(transparent)]
    Setup(#[from] kdp_core::Error),
    /// What the store holds does not make sense.
    #[error("the control plane failed: {0}")]
    Internal(String),
}

impl From<crate::embedded::status::StatusError> for Error {
    fn from(error: crate::embedded::status::StatusError) -> Self {
        Self::Internal(error.to_string())
    }
}
