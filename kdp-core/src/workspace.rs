//! Names of workspaces and of the logical clusters behind them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

mod ensure;

pub use ensure::ensure_workspace;

/// Name of the logical cluster at the top of the tree.
pub const ROOT: &str = "root";

const SEGMENT_MAX: usize = 63;

/// Why a string is not a workspace path or a logical cluster name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {value:?}: {reason}")]
pub struct ParseError {
    what: &'static str,
    value: String,
    reason: &'static str,
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = segment.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return Err("a segment must not be empty");
    };
    if bytes.len() > SEGMENT_MAX {
        return Err("a segment must not be longer than 63 characters");
    }
    if !alphanumeric(first) || !alphanumeric(last) || !bytes.iter().all(|&b| alphanumeric(b) || b == b'-') {
        return Err("a segment is lower-case letters, digits and '-', and starts and ends with a letter or digit");
    }
    Ok(())
}

/// Name of one logical cluster: an opaque, never reused identifier such as `root` or `2okdry95y5lkv`.
///
/// Names of the form `system:…` belong to the control plane itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogicalClusterName(String);

impl LogicalClusterName {
    /// The logical cluster at the top of the tree.
    #[must_use]
    pub fn root() -> Self {
        Self(ROOT.into())
    }

    /// The name as a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a cluster of the control plane itself (`system:…`).
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with("system:")
    }

    /// The path that addresses this cluster by its name.
    #[must_use]
    pub fn path(&self) -> WorkspacePath {
        WorkspacePath(self.0.clone())
    }
}

impl FromStr for LogicalClusterName {
    type Err = ParseError;

    fn from_str(value: &str) -> Result<Self, ParseError> {
        check_segment(value.strip_prefix("system:").unwrap_or(value)).map_err(|reason| ParseError {
            what: "logical cluster name",
            value: value.into(),
            reason,
        })?;
        Ok(Self(value.into()))
    }
}

impl TryFrom<String> for LogicalClusterName {
    type Error = ParseError;

    fn try_from(value: String) -> Result<Self, ParseError> {
        value.parse()
    }
}

impl From<LogicalClusterName> for String {
    fn from(name: LogicalClusterName) -> Self {
        name.0
    }
}

impl fmt::Display for LogicalClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a workspace is in the tree: a logical cluster name, then workspace names, joined by `:`.
///
/// `root:acme:dev` is the workspace `dev` in `acme` in `root`; `2okdry95y5lkv:dev` names the same
/// one through its parent's logical cluster. `system:admin` counts as one segment.
///
/// ```
/// use kdp_core::WorkspacePath;
///
/// let path: WorkspacePath = "root:acme:dev".parse()?;
/// assert_eq!(path.base(), "dev");
/// assert_eq!(path.parent().unwrap().to_string(), "root:acme");
/// assert!("root:../acme".parse::<WorkspacePath>().is_err());
/// # Ok::<(), kdp_core::workspace::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspacePath(String);

impl WorkspacePath {
    /// The path of the top workspace, `root`.
    #[must_use]
    pub fn root() -> Self {
        Self(ROOT.into())
    }

    /// The path as a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The logical cluster the path starts at.
    #[must_use]
    pub fn cluster(&self) -> LogicalClusterName {
        let end = self.0[self.cluster_prefix()..].find(':').map_or(self.0.len(), |i| i + self.cluster_prefix());
        LogicalClusterName(self.0[..end].into())
    }

    /// The workspace names below [`Self::cluster`], in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0[self.cluster_prefix()..].split(':').skip(1)
    }

    /// The last segment.
    #[must_use]
    pub fn base(&self) -> &str {
        self.names().last().unwrap_or(&self.0)
    }

    /// The path without its last segment; `None` for a bare logical cluster name.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.names().next()?;
        self.0.rsplit_once(':').map(|(parent, _)| Self(parent.into()))
    }

    /// The path of the child workspace `name`.
    ///
    /// # Errors
    /// When `name` is not a workspace name.
    pub fn join(&self, name: &str) -> Result<Self, ParseError> {
        check_segment(name).map_err(|reason| ParseError { what: "workspace name", value: name.into(), reason })?;
        Ok(Self(format!("{}:{name}", self.0)))
    }

    fn cluster_prefix(&self) -> usize {
        if self.0.starts_with("system:") { "system:".len() } else { 0 }
    }
}

impl FromStr for WorkspacePath {
    type Err = ParseError;

    fn from_str(value: &str) -> Result<Self, ParseError> {
        for segment in value.strip_prefix("system:").unwrap_or(value).split(':') {
            check_segment(segment).map_err(|reason| ParseError {
                what: "workspace path",
                value: value.into(),
                reason,
            })?;
        }
        Ok(Self(value.into()))
    }
}

impl TryFrom<String> for WorkspacePath {
    type Error = ParseError;

    fn try_from(value: String) -> Result<Self, ParseError> {
        value.parse()
    }
}

impl From<WorkspacePath> for String {
    fn from(path: WorkspacePath) -> Self {
        path.0
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
