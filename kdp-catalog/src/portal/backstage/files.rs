//! Entities as files that Backstage reads.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Entity, entities, templates};
use crate::portal::{Error, Site};

/// The file with everything but the templates.
pub const CATALOG_FILE: &str = "catalog-info.yaml";

/// The folder with a file for every template.
pub const TEMPLATES_FOLDER: &str = "templates";

/// First line of every file, by which we know our own.
const HEADER: &str = "# Written by kdp from the service catalog; changes here are lost.\n";

/// Writes the site's catalog file and its templates into `folder`, which is made when missing.
///
/// Every file is replaced as a whole, and the catalog file, which leads to the templates, after
/// them, so a reader never sees half a file or a template that is not there yet. Templates that an
/// earlier call has written and that are no more are removed last. Returns the files, in order.
///
/// # Errors
/// When a file cannot be written or removed; what was written before stays.
pub fn write(site: &Site, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let catalog = to_yaml(&entities(site))?;
    let templates: Vec<(String, String)> = templates(site)
        .into_iter()
        .map(|template| Ok((format!("{}.yaml", template.metadata.name), to_yaml(&[template])?)))
        .collect::<Result<_, Error>>()?;

    let shelf = folder.join(TEMPLATES_FOLDER);
    fs::create_dir_all(&shelf).map_err(failed(&shelf))?;
    let mut written = BTreeSet::new();
    for (name, text) in &templates {
        let path = shelf.join(name);
        replace(&path, text).map_err(failed(&path))?;
        written.insert(path);
    }
    let path = folder.join(CATALOG_FILE);
    replace(&path, &catalog).map_err(failed(&path))?;
    remove_others(&shelf, &written).map_err(failed(&shelf))?;
    written.insert(path);
    Ok(written.into_iter().collect())
}

/// Entities as documents of one YAML stream.
///
/// # Errors
/// When one of them cannot be written as YAML.
pub fn to_yaml(entities: &[Entity]) -> Result<String, Error> {
    let mut stream = HEADER.to_owned();
    for entity in entities {
        // Texts are quoted, so that none is taken for a number, a date or a block by some reader.
        let options = serde_saphyr::ser_options! { quote_all: true, prefer_block_scalars: false };
        let document = serde_saphyr::to_string_with_options(entity, options).map_err(|error| Error::Yaml {
            subject: format!("{} {}", entity.kind, entity.metadata.name),
            reason: error.to_string(),
        })?;
        stream.push_str("---\n");
        stream.push_str(&document);
        if !document.ends_with('\n') {
            stream.push('\n');
        }
    }
    Ok(stream)
}

/// Puts a file with this text in the place of whatever is at `path`.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}-{write}.tmp", std::process::id()));
    let result = fs::OpenOptions::new().write(true).create_new(true).open(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if result.is_err() {
        // It may never have been made; the first error says more than this one could.
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Removes the files of ours from `folder` that are not among `kept`.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml");
        if is_yaml && !kept.contains(&path) && fs::read(&path).is_ok_and(|text| text.starts_with(HEADER.as_bytes())) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    |source| Error::Write { path, source }
}
