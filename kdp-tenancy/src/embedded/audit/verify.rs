//! Finds what was changed in a log after it was written.

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::{
    chain::{ChainKey, Head, Link},
    file::old_files,
};

/// Verifies a log: the files that were put aside, then the current one.
///
/// Any line that was changed, removed, inserted or moved breaks the chain. What a chain alone cannot
/// show: that lines were cut off at the end, unless a [`Head`] was kept elsewhere; and, without a key, that somebody wrote the
/// whole chain anew from some line on, unless a later head was kept elsewhere.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Verifier {
    key: Option<ChainKey>,
    head: Option<Head>,
    may_begin_late: bool,
}

/// A log is as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The number of the first line there is; more than 1 when old files were removed.
    pub first: u64,
    /// The last line; `None` for an empty log.
    pub head: Option<Head>,
    /// How many bytes of an unfinished line are at the end, which a crash leaves and the next start
    /// removes.
    pub unfinished_bytes: u64,
}

/// A log is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of {}: {kind}", file.display())]
#[non_exhaustive]
pub struct Tampering {
    /// The file.
    pub file: PathBuf,
    /// The line in the file; the first is 1.
    pub line: u64,
    /// What is wrong.
    pub kind: TamperingKind,
}

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TamperingKind {
    /// The line is not what was written, or was written without the key.
    #[error("the line was changed")]
    Changed,
    /// The line does not follow the one before.
    #[error("a line was removed, inserted or moved: {found} stands where {expected} belongs")]
    OutOfOrder {
        /// The number that the line has.
        found: u64,
        /// The number that it should have.
        expected: u64,
    },
    /// The line follows another line of that number than the one that is there.
    #[error("the line before it was replaced")]
    Replaced,
    /// The head that is known is not in the log.
    #[error("lines were removed at the end: the known head is not there")]
    Truncated,
}

/// A log was tampered with, or could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It was tampered with.
    #[error(transparent)]
    Tampering(#[from] Tampering),
    /// It could not be read.
    #[error("the log cannot be read")]
    Io(#[from] io::Error),
}

impl Verifier {
    /// For logs that were written without a key.
    pub fn new() -> Self {
        Self::default()
    }

    /// For logs that were written with `key`.
    pub fn with_key(self, key: ChainKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Expects to find `head`, which was noted when it was the end of the log.
    pub fn with_head(self, head: Head) -> Self {
        Self { head: Some(head), ..self }
    }

    /// Takes a log whose oldest files were removed, as
    /// [`FileSinkOptions::with_max_old_files`](super::FileSinkOptions::with_max_old_files) does: it may
    /// begin with any line.
    pub fn after_removal(self) -> Self {
        Self { may_begin_late: true, ..self }
    }

    /// Verifies the log whose current file is `path`. Reads one line at a time, and blocks.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, path: &Path) -> Result<Report, VerifyError> {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let mut files = old_files(path.parent().unwrap_or_else(|| Path::new("")), name)?;
        files.push((u64::MAX, path.to_owned()));
        let mut walk = Walk { first: 0, last: Head::start(name), is_head_found: self.head.is_none(), unfinished: 0 };
        for (i, (_, file)) in files.iter().enumerate() {
            match File::open(file) {
                Ok(opened) => self.walk(&mut walk, file, opened)?,
                // A crash between putting a file aside and beginning a new one.
                Err(error) if error.kind() == io::ErrorKind::NotFound && i > 0 => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !walk.is_head_found {
            return Err(Tampering { file: path.to_owned(), line: 0, kind: TamperingKind::Truncated }.into());
        }
        let head = (walk.first > 0).then_some(walk.last);
        Ok(Report { first: walk.first, head, unfinished_bytes: walk.unfinished })
    }

    fn walk(&self, walk: &mut Walk, file: &Path, opened: File) -> Result<(), VerifyError> {
        let mut reader = BufReader::new(opened);
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.clear();
            number += 1;
            let tampering = |kind| Tampering { file: file.to_owned(), line: number, kind };
            // Only the very last line may be unfinished.
            if walk.unfinished > 0 && reader.read_until(b'\n', &mut line)? > 0 {
                return Err(tampering(TamperingKind::Changed).into());
            }
            if walk.unfinished > 0 || reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let Some(whole) = line.strip_suffix(b"\n") else {
                // The rest of a write that a crash cut off is not a line whose break was changed.
                if line.split_last().is_some_and(|(_, line)| Link::read(line, self.key.as_ref()).is_some()) {
                    return Err(tampering(TamperingKind::Changed).into());
                }
                walk.unfinished = line.len() as u64;
                continue;
            };
            let link = Link::read(whole, self.key.as_ref()).ok_or_else(|| tampering(TamperingKind::Changed))?;
            let is_start = walk.first == 0 && self.may_begin_late && link.sequence > 1;
            let expected = walk.last.sequence + 1;
            if !is_start && link.sequence != expected {
                return Err(tampering(TamperingKind::OutOfOrder { found: link.sequence, expected }).into());
            }
            if !is_start && link.previous != walk.last.hash {
                return Err(tampering(TamperingKind::Replaced).into());
            }
            if walk.first == 0 {
                walk.first = link.sequence;
            }
            walk.last = link.head();
            walk.is_head_found |= self.head == Some(walk.last);
        }
    }
}

/// How far a log was read.
struct Walk {
    first: u64,
    last: Head,
    is_head_found: bool,
    unfinished: u64,
}
