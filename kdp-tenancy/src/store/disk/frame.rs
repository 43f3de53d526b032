//! How the files are cut into pieces that are either whole or recognizably not.
//!
//! A file is a header and frames. All integers are little-endian.
//!
//! ```text
//! header: magic [8]  version u32  salt u32  revision u64  crc32 of the above u32
//! frame:  length u32  crc32 of the payload u32  crc32 of the two u32  payload [length]
//! ```
//!
//! The checksums of frames start from the salt, which is random for each file. So no value that a
//! tenant stores can look like a frame, and neither can what the disk held before.

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use crc32fast::Hasher;

use super::dir::failed;
use crate::store::{Revision, StoreError};

/// The newest format version, which is the one written.
const VERSION: u32 = 1;
const HEADER_LEN: usize = 28;
const FRAME_HEADER_LEN: usize = 12;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Log,
    Snapshot,
}

impl Kind {
    fn magic(self) -> [u8; 8] {
        match self {
            Self::Log => *b"kdp-log\n",
            Self::Snapshot => *b"kdp-snp\n",
        }
    }
}

/// The first bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) salt: u32,
    pub(super) revision: Revision,
}

impl Header {
    pub(super) fn new(kind: Kind, revision: Revision) -> Self {
        Self { kind, salt: rand::random(), revision }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = self.kind.magic().to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend(self.revision.0.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    fn decode(kind: Kind, path: &Path, bytes: &[u8; HEADER_LEN]) -> Result<Self, StoreError> {
        let corrupt = |reason| corrupt(path, 0, reason);
        if bytes[..8] != kind.magic() {
            return Err(corrupt("it does not start as a file of this kind"));
        }
        // Before the checksum, whose place a later version may change.
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(StoreError::Unsupported { path: path.display().to_string(), version, newest: VERSION });
        }
        if crc32fast::hash(&bytes[..24]) != u32_at(bytes, 24) {
            return Err(corrupt("the checksum of its header does not match"));
        }
        let revision = Revision(u64::from(u32_at(bytes, 16)) | u64::from(u32_at(bytes, 20)) << 32);
        Ok(Self { kind, salt: u32_at(bytes, 12), revision })
    }
}

/// A frame in the making: put the payload behind what [`start`] left, then [`seal`] it.
pub(super) fn start(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.extend([0; FRAME_HEADER_LEN]);
}

/// Fills in the frame's header.
pub(super) fn seal(buffer: &mut [u8], salt: u32) {
    let (header, payload) = buffer.split_at_mut(FRAME_HEADER_LEN);
    let length = u32::try_from(payload.len()).expect("transactions, and so frames, stay far below 4 GiB");
    header[..4].copy_from_slice(&length.to_le_bytes());
    header[4..8].copy_from_slice(&checksum(salt, payload).to_le_bytes());
    let own = checksum(salt, &header[..8]);
    header[8..].copy_from_slice(&own.to_le_bytes());
}

/// Reads a file frame by frame.
pub(super) struct Reader {
    file: BufReader<File>,
    path: PathBuf,
    header: Header,
    /// Where the next frame starts.
    offset: u64,
    len: u64,
}

/// What a [`Reader`] found.
pub(super) enum Next {
    /// A payload.
    Frame(Vec<u8>),
    /// The end of the file.
    End,
    /// Bytes that are no frame up to the end of the file: a write that was cut short.
    Torn,
}

impl Reader {
    pub(super) fn open(kind: Kind, path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(failed("open", path))?;
        let len = file.metadata().map_err(failed("open", path))?.len();
        let mut file = BufReader::with_capacity(1 << 18, file);
        let mut header = [0; HEADER_LEN];
        file.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => corrupt(path, 0, "it is too short for its header"),
            _ => failed("read", path)(error),
        })?;
        let header = Header::decode(kind, path, &header)?;
        Ok(Self { file, path: path.to_owned(), header, offset: HEADER_LEN as u64, len })
    }

    pub(super) fn header(&self) -> Header {
        self.header
    }

    /// Where the next frame starts.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The length of the file.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The next frame.
    ///
    /// # Errors
    /// `Corrupt` when there is a whole frame somewhere after bytes that are none, so that cutting
    /// these off would lose what was acknowledged.
    pub(super) fn next(&mut self) -> Result<Next, StoreError> {
        let left = self.len - self.offset;
        if left == 0 {
            return Ok(Next::End);
        }
        let mut frame = vec![0; left.min(FRAME_HEADER_LEN as u64) as usize];
        self.read(&mut frame)?;
        if let Some(length) = payload_len(&frame, self.header.salt)
            && length <= left - FRAME_HEADER_LEN as u64
        {
            let mut payload = vec![0; length as usize];
            self.read(&mut payload)?;
            if checksum(self.header.salt, &payload) == u32_at(&frame, 4) {
                self.offset += FRAME_HEADER_LEN as u64 + length;
                return Ok(Next::Frame(payload));
            }
            frame.extend(payload);
        }
        self.file.read_to_end(&mut frame).map_err(failed("read", &self.path))?;
        // A bad frame is no proof of where the next one starts, so every place is tried.
        match (1..frame.len()).find(|start| is_frame(&frame[*start..], self.header.salt)) {
            Some(_) => Err(self.corrupt("a frame is damaged, and others follow it")),
            None => Ok(Next::Torn),
        }
    }

    /// An error about the next frame.
    pub(super) fn corrupt(&self, reason: &str) -> StoreError {
        corrupt(&self.path, self.offset, reason)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), StoreError> {
        self.file.read_exact(buffer).map_err(failed("read", &self.path))
    }
}

/// The length of the payload behind a frame header, if it is one.
fn payload_len(bytes: &[u8], salt: u32) -> Option<u64> {
    let header = bytes.get(..FRAME_HEADER_LEN)?;
    (checksum(salt, &header[..8]) == u32_at(header, 8)).then(|| u64::from(u32_at(header, 0)))
}

/// Whether the bytes start with a whole frame.
fn is_frame(bytes: &[u8], salt: u32) -> bool {
    let payload = |length: u64| bytes[FRAME_HEADER_LEN..].get(..usize::try_from(length).ok()?);
    payload_len(bytes, salt).and_then(payload).is_some_and(|payload| checksum(salt, payload) == u32_at(bytes, 4))
}

fn checksum(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes were taken"))
}

pub(super) fn corrupt(path: &Path, offset: u64, reason: &str) -> StoreError {
    StoreError::Corrupt { path: path.display().to_string(), offset, reason: reason.to_owned() }
}
