//! A module: the files that say what is made, and what they want to know.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::variables::{self, Variables};
use crate::{Error, ErrorKind};

/// The file that is added to each module: where its state is, and what else is sensitive.
pub(super) const OVERRIDE: &str = "kdp_override.tf.json";

/// Larger ones are data, and belong somewhere else.
const MOST_BYTES: u64 = 8 << 20;

/// A root module of Terraform or OpenTofu, read into memory.
///
/// An order keeps a copy, so that what it made can be removed when the module is no longer where it was.
#[derive(Clone, PartialEq)]
pub struct Module {
    files: BTreeMap<String, Vec<u8>>,
    digest: String,
    variables: Variables,
}

impl Module {
    /// Reads all files of a directory and those below it, but not what the engine leaves there:
    /// `.terraform`, states, and plans. The lock file of the providers belongs to it.
    ///
    /// # Errors
    /// `NotFound` when there is no such directory, `Unavailable` when it cannot be read, and `Invalid` as for
    /// [`from_files`](Self::from_files) or with a symbolic link in it.
    pub fn read(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let directory = directory.as_ref();
        let mut files = BTreeMap::new();
        let mut size = 0;
        let mut open: Vec<PathBuf> = vec![directory.into()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(&next).map_err(|e| cannot_read(&next, e))? {
                let path = entry.map_err(|e| cannot_read(&next, e))?.path();
                let name = path.strip_prefix(directory).expect("it was found below").to_string_lossy().into_owned();
                if is_left_by_engine(&name) {
                    continue;
                }
                let about = fs::symlink_metadata(&path).map_err(|e| cannot_read(&path, e))?;
                if about.is_dir() {
                    open.push(path);
                } else if about.is_file() {
                    size += about.len();
                    if size > MOST_BYTES {
                        return Err(invalid(directory, format!("it is larger than {} MiB", MOST_BYTES >> 20)));
                    }
                    files.insert(name, fs::read(&path).map_err(|e| cannot_read(&path, e))?);
                } else {
                    return Err(invalid(directory, format!("{name}: is no file; put a copy in its place")));
                }
            }
        }
        Self::from_files(files).map_err(|e| invalid(directory, e.message().to_owned()))
    }

    /// A module of these files, by their paths with `/` in them.
    ///
    /// # Errors
    /// `Invalid` when there is no `.tf` or `.tf.json` file, when one cannot be read as such, when it has a
    /// `cloud` block, which would keep the state elsewhere, or a path that leaves the module.
    pub fn from_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, Error> {
        let files: BTreeMap<_, _> = files.into_iter().collect();
        let mut variables = Variables::new();
        let mut is_module = false;
        for (name, content) in &files {
            let leaves = |part: &str| matches!(part, "" | "." | "..");
            if name.split('/').any(leaves) || name == OVERRIDE || name.contains(['\\', '\0']) {
                return Err(invalid("a module", format!("{name:?}: a file of a module cannot have this name")));
            }
            if name.contains('/') || !(name.ends_with(".tf") || name.ends_with(".tf.json")) {
                continue;
            }
            is_module = true;
            let text = std::str::from_utf8(content).map_err(|e| invalid("a module", format!("{name}: {e}")))?;
            let (declared, has_cloud) = variables::read(name, text).map_err(|e| invalid("a module", e))?;
            if has_cloud {
                let message = format!("{name}: remove the cloud block, because the platform keeps the state");
                return Err(invalid("a module", message));
            }
            variables.extend(declared);
        }
        if !is_module {
            return Err(invalid("a module", "there is no .tf file in it".into()));
        }
        let digest = digest(&files);
        Ok(Self { files, digest, variables })
    }

    /// SHA-256 of the names and contents of all its files, in lower hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    pub(super) fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// The same with one more file, which is none that declares anything.
    pub(super) fn with_file(mut self, name: &str, content: Vec<u8>) -> Self {
        self.files.insert(name.into(), content);
        self.digest = digest(&self.files);
        self
    }

    pub(super) fn to_json(&self) -> Value {
        let files = self.files.iter().map(|(name, content)| (name.clone(), json!(BASE64_STANDARD.encode(content))));
        Value::Object(files.collect::<Map<_, _>>())
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let files = value
            .as_object()?
            .iter()
            .map(|(name, content)| Some((name.clone(), BASE64_STANDARD.decode(content.as_str()?).ok()?)));
        Self::from_files(files.collect::<Option<Vec<_>>>()?).ok()
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("digest", &self.digest).finish_non_exhaustive()
    }
}

fn digest(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut digest = Sha256::new();
    for part in files.iter().flat_map(|(name, content)| [name.as_bytes(), content]) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    format!("{:x}", digest.finalize())
}

fn is_left_by_engine(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    matches!(first, ".terraform" | ".git") || last.ends_with(".tfplan") || last.contains(".tfstate")
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "read", path.display(), error.to_string()).with_source(error)
}

fn invalid(subject: impl AsRef<Path>, message: String) -> Error {
    Error::new(ErrorKind::Invalid, "read", subject.as_ref().display(), message)
}

#[cfg(test)]
mod tests;
