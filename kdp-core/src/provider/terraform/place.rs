//! Where the files of modules and orders are.
//!
//! ```text
//! cli.tfrc                  how the engine behaves, for all
//! plugins/                  plugins from the registry, for all
//! modules/<key>/module/     a module as it was read; the engine was prepared for it in …/data/
//! orders/<order>/<key>/     where the engine works: links to the files of the module
//! orders/<order>/run/       the operation under way, or what is left of one that ended badly
//! orders/<order>/plans/     plans that may be approved
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    binary::Binary,
    module::{Module, OVERRIDE},
    options::Plugins,
};
use crate::provider::OrderId;

/// The directory of a provider.
#[derive(Clone, Debug)]
pub(super) struct Base(PathBuf);

impl Base {
    /// Makes the directory and the settings of the engine.
    pub(super) fn open(path: PathBuf, plugins: &Plugins) -> io::Result<Self> {
        let base = Self(std::path::absolute(path)?);
        for directory in ["modules", "orders", "plugins"] {
            make_directory(&base.0.join(directory))?;
        }
        replace(&base.settings(), settings_text(plugins).as_bytes())?;
        Ok(base)
    }

    pub(super) fn settings(&self) -> PathBuf {
        self.0.join("cli.tfrc")
    }

    pub(super) fn plugins(&self) -> PathBuf {
        self.0.join("plugins")
    }

    /// The place of a module for this program and these plugins.
    pub(super) fn module(&self, module: &Module, binary: &Binary, plugins: &Plugins) -> ModulePlace {
        let key = digest(&[module.digest(), binary.name(), binary.version(), &settings_text(plugins)]);
        ModulePlace { path: self.0.join("modules").join(&key), key }
    }

    /// The place of an order, whatever its identity has in it.
    pub(super) fn order(&self, id: &OrderId) -> OrderPlace {
        let workspace = id.workspace.as_ref().map(ToString::to_string).unwrap_or_default();
        OrderPlace { path: self.0.join("orders").join(digest(&[&workspace, &id.uid])) }
    }
}

/// Where a module is, as the engine was prepared for it.
#[derive(Clone, Debug)]
pub(super) struct ModulePlace {
    path: PathBuf,
    pub(super) key: String,
}

impl ModulePlace {
    pub(super) fn files(&self) -> PathBuf {
        self.path.join("module")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    fn ready(&self) -> PathBuf {
        self.path.join("ready")
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready().exists()
    }

    /// Writes the files of the module, unless it is ready. The lock keeps other processes out.
    pub(super) fn write(&self, module: &Module, sensitive: impl Iterator<Item = String>) -> io::Result<File> {
        make_directory(&self.path)?;
        let lock = create(&self.path.join("lock"))?;
        lock.lock()?;
        if self.is_ready() {
            return Ok(lock);
        }
        for left in [self.files(), self.data()] {
            remove(&left)?;
        }
        make_directory(&self.files())?;
        for (name, content) in module.files() {
            let path = self.files().join(name);
            path.parent().map_or(Ok(()), make_directory)?;
            fs::write(&path, content)?;
        }
        let variables: serde_json::Map<_, _> = sensitive.map(|name| (name, json!({"sensitive": true}))).collect();
        let mut added = json!({"terraform": {"backend": {"http": {}}}});
        if !variables.is_empty() {
            added["variable"] = variables.into();
        }
        fs::write(self.files().join(OVERRIDE), added.to_string())?;
        Ok(lock)
    }

    /// Notes that the engine was prepared.
    pub(super) fn set_ready(&self) -> io::Result<()> {
        replace(&self.ready(), b"")
    }

    /// The lock file of the providers, once the engine was prepared.
    pub(super) fn lock_file(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.files().join(LOCK_FILE))
    }
}

/// Where the engine notes which plugins it has taken.
pub(super) const LOCK_FILE: &str = ".terraform.lock.hcl";

/// The directory of an order. Nobody else may look into it.
#[derive(Clone, Debug)]
pub(super) struct OrderPlace {
    path: PathBuf,
}

impl OrderPlace {
    /// Where the engine works on a module; what was linked there by an earlier version is replaced.
    pub(super) fn work(&self, module: &ModulePlace) -> io::Result<PathBuf> {
        let work = self.path.join(&module.key);
        make_directory(&work)?;
        for entry in fs::read_dir(module.files())? {
            let entry = entry?;
            let link = work.join(entry.file_name());
            match std::os::unix::fs::symlink(entry.path(), &link) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(work)
    }

    pub(super) fn plans(&self) -> PathBuf {
        self.path.join("plans")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// What engines that ended badly wrote because nobody took their state, with the paths.
    pub(super) fn errored_states(&self) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path().join("errored.tfstate");
            if let Some(state) = read(&path)? {
                found.push((path, state));
            }
        }
        Ok(found)
    }

    /// Makes an empty directory for one use; gone when it is dropped.
    pub(super) fn scratch(&self) -> io::Result<tempfile::TempDir> {
        make_directory(&self.path)?;
        // It is made with mode 0700.
        tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&self.path)
    }

    /// Removes what [`scratch`](Self::scratch) has made and a process that was killed has left for so long.
    pub(super) fn sweep(&self, age: Duration) -> io::Result<()> {
        make_directory(&self.path)?;
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_scratch = entry.file_name().to_string_lossy().starts_with(SCRATCH);
            let is_old =
                |path: &Path| Ok::<_, io::Error>(path.metadata()?.modified()?.elapsed().is_ok_and(|left| left > age));
            if is_scratch && is_old(&entry.path())? {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        remove(&self.path)
    }
}

/// How the names of directories for one use begin.
const SCRATCH: &str = "tmp-";

fn settings_text(plugins: &Plugins) -> String {
    let installation = match plugins {
        Plugins::Registry => String::new(),
        Plugins::Mirror(path) => {
            let path = json!(path.to_string_lossy()).to_string().replace("${", "$${").replace("%{", "%%{");
            format!("provider_installation {{\n  filesystem_mirror {{\n    path = {path}\n  }}\n}}\n")
        }
    };
    format!("disable_checkpoint = true\n{installation}")
}

/// The first 128 bits of SHA-256 of the parts, in lower hex.
fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut text = format!("{:x}", digest.finalize());
    text.truncate(32);
    text
}

/// Makes a directory that nobody else may enter.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes or opens a file that nobody else may read.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Puts a file with this content in the place of another, all at once.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().expect("files of a provider are below its directory");
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// The content of a file; none when there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file or directory, if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
