//! The file that new transactions are appended to.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use super::{
    Durability,
    dir::{self, Dir, failed},
    frame::{self, Header, Kind, Next, Reader},
};
use crate::store::{Revision, StoreError};

/// A log that is open for appending.
pub(super) struct Log {
    file: File,
    path: PathBuf,
    header: Header,
    len: u64,
}

impl Log {
    /// A new log for the changes after a revision.
    pub(super) fn create(dir: &Dir, base: Revision) -> Result<Self, StoreError> {
        let path = dir.log(base);
        let header = Header::new(Kind::Log, base);
        let bytes = header.encode();
        let mut file = dir::begin(&path)?;
        file.write_all(&bytes).map_err(failed("write", &path))?;
        dir.finish(&file, &path)?;
        Ok(Self { file, path, header, len: bytes.len() as u64 })
    }

    /// Opens a log for appending that was read up to `len`, and makes what was read durable: the
    /// process that wrote it may have ended before it could.
    pub(super) fn resume(path: PathBuf, header: Header, len: u64) -> Result<Self, StoreError> {
        let file = File::options().append(true).open(&path).map_err(failed("open", &path))?;
        let log = Self { file, path, header, len };
        log.cut().map_err(failed("truncate", &log.path))?;
        Ok(log)
    }

    /// Reads a log, oldest frame first. Returns where its whole frames end; a last one that was
    /// cut short is left out when the log `is_last`, and corruption otherwise.
    pub(super) fn read(
        dir: &Dir,
        base: Revision,
        is_last: bool,
        mut each: impl FnMut(&Reader, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(Header, u64), StoreError> {
        let path = dir.log(base);
        let mut reader = Reader::open(Kind::Log, &path)?;
        if reader.header().revision != base {
            return Err(frame::corrupt(&path, 0, "its name and its header differ"));
        }
        loop {
            let start = reader.offset();
            match reader.next()? {
                Next::Frame(payload) => each(&reader, &payload)?,
                Next::End => return Ok((reader.header(), start)),
                Next::Torn if is_last => {
                    let bytes = reader.len() - start;
                    tracing::warn!(file = %path.display(), offset = start, bytes, "cutting off an unfinished write");
                    return Ok((reader.header(), start));
                }
                Next::Torn => return Err(reader.corrupt("its end is damaged, and a newer log follows")),
            }
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What the checksums of its frames start from.
    pub(super) fn salt(&self) -> u32 {
        self.header.salt
    }

    /// The revision before its first change.
    pub(super) fn base(&self) -> Revision {
        self.header.revision
    }

    /// Appends a sealed frame, durably when `sync`. After an error nothing of it remains if the
    /// file can still be shortened, and nothing more may be appended in any case: the system
    /// reports a lost write once and may then forget it.
    pub(super) fn append(&mut self, frame: &[u8], durability: Durability) -> Result<(), StoreError> {
        let written = match self.file.write_all(frame).map_err(|error| ("write", error)) {
            Ok(()) if durability == Durability::Fsync => self.file.sync_data().map_err(|error| ("sync", error)),
            written => written,
        };
        if let Err((op, error)) = written {
            if let Err(error) = self.cut() {
                tracing::error!(file = %self.path.display(), %error, "a failed write may reappear after a restart");
            }
            return Err(failed(op, &self.path)(error));
        }
        self.len += frame.len() as u64;
        Ok(())
    }

    /// Makes everything appended durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(failed("sync", &self.path))
    }

    /// Appends to another file instead, to see it fail.
    #[cfg(test)]
    pub(super) fn onto(self, device: &str) -> Self {
        Self { file: File::options().append(true).open(device).unwrap(), ..self }
    }

    /// Durably removes whatever follows the last whole frame.
    fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.file.sync_all()
    }
}
