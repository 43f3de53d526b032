//! Which program is run, and what it says of itself.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::process::Command;

use crate::{Error, ErrorKind};

const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// The `terraform` or `tofu` program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    path: PathBuf,
    name: String,
    version: String,
}

impl Binary {
    /// The first of `terraform` and `tofu` that is on the `PATH`.
    ///
    /// # Errors
    /// `NotFound` when there is none, and as for [`open`](Self::open).
    pub async fn find() -> Result<Self, Error> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories: Vec<_> = std::env::split_paths(&path).collect();
        for name in ["terraform", "tofu"] {
            if let Some(found) = directories.iter().map(|dir| dir.join(name)).find(|path| path.is_file()) {
                return Self::open(found).await;
            }
        }
        let message = "neither terraform nor tofu is on the PATH; install one of them, or name it";
        Err(Error::new(ErrorKind::NotFound, "find", "terraform", message))
    }

    /// The program at this path, which is asked for its version.
    ///
    /// # Errors
    /// `NotFound` when it cannot be started, and `Unsupported` when it does not answer as Terraform does.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let fail = |kind, message: String| Error::new(kind, "run", path.display(), message);
        // The file may be a name to be looked up, or be below a directory that is left later.
        let path = std::path::absolute(path).map_err(|e| fail(ErrorKind::NotFound, e.to_string()))?;
        let mut command = Command::new(&path);
        command.args(["version", "-json"]).env_clear().env("CHECKPOINT_DISABLE", "1");
        command.env("TF_CLI_CONFIG_FILE", null_device()).stdin(Stdio::null()).kill_on_drop(true);
        let answer = tokio::time::timeout(LONGEST_ANSWER, command.output()).await;
        let answer = answer.map_err(|_| fail(ErrorKind::Unsupported, "it does not say its version".into()))?;
        let answer = answer.map_err(|e| fail(ErrorKind::NotFound, e.to_string()).with_source(e))?;
        let version: Value = serde_json::from_slice(&answer.stdout).unwrap_or_default();
        let Some(version) = version["terraform_version"].as_str() else {
            return Err(fail(ErrorKind::Unsupported, "it does not answer as terraform or tofu does".into()));
        };
        // Both print the same keys; only the name of the file tells which it is.
        let is_tofu = path.file_name().is_some_and(|name| name.to_string_lossy().contains("tofu"));
        let name = if is_tofu { "tofu" } else { "terraform" };
        Ok(Self { path, name: name.into(), version: version.into() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `terraform` or `tofu`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version, such as `1.11.4`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

pub(super) fn null_device() -> &'static str {
    if cfg!(windows) { "NUL" } else { "/dev/null" }
}
