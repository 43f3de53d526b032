use std::fmt::Debug;

use async_trait::async_trait;

use super::Bytes;
use crate::Error;

/// A place for small named contents: the port between states and wherever they are kept.
///
/// A name is two parts with a `/` between them, each of lower-case letters, digits and `-`, at most 63 long.
/// What is stored is encrypted already. Implementations prove themselves with
/// [`conformance`](super::conformance).
#[async_trait]
pub trait StateStore: Debug + Send + Sync + 'static {
    /// Which store it is: the same text as long as it has the same contents, and another one for a store
    /// that was made anew.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached.
    async fn identity(&self) -> Result<String, Error>;

    /// The content of this name with its version; none when there is certainly none.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached, which is no evidence of absence.
    async fn load(&self, name: &str) -> Result<Option<(Bytes, String)>, Error>;

    /// Stores a content durably, all of it or nothing, and returns its version. It must be new where
    /// `expect` is none, and else be at that version before.
    ///
    /// # Errors
    /// `Stale` when it is at another version; `Unavailable` when it cannot be reached, in which case it may
    /// have been stored.
    async fn store(&self, name: &str, content: Bytes, expect: Option<&str>) -> Result<String, Error>;

    /// Removes a content, whatever version it is at. What is not there is removed already.
    ///
    /// # Errors
    /// `Unavailable` as for [`store`](Self::store).
    async fn remove(&self, name: &str) -> Result<(), Error>;

    /// All names with this first part, in order; with an empty one, the names of all contents.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached.
    async fn list(&self, first: &str) -> Result<Vec<String>, Error>;
}
