//! Private files that are written whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// Replaces the file at `path` with `contents`, readable by its owner only.
///
/// A reader, or a crash at any point, finds either the old contents or all of the new ones.
pub(crate) fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = directory.join(format!(".{name}.{:016x}.tmp", rand::random::<u64>()));
    write_new(&temporary, contents).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        // The first error is the one worth telling; what is left behind is private too.
        fs::remove_file(&temporary).ok();
    })?;
    sync_directory(directory)
}

/// Makes the directory and its parents; a new directory is accessible by its owner only.
pub(crate) fn create_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    // Only Unix lets a directory be opened and synced; elsewhere the rename is all there is.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
