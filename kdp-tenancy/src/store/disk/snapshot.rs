//! A file with everything one revision shows, so that the log before it can go.

use std::{
    io::{BufWriter, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    codec,
    dir::{self, Dir, failed},
    frame::{self, Header, Kind, Next, Reader},
};
use crate::store::{Entry, Revision, StoreError, visible::Visible};

/// How many bytes are read under one lock and put into one frame, or one entry if it is larger.
const CHUNK: u64 = 128 << 10;

/// Writes what a pinned revision shows. Returns the size of the file, or `None` when `stop` was
/// set before it was whole.
pub(super) fn write(
    dir: &Dir,
    visible: &Visible,
    revision: Revision,
    stop: &AtomicBool,
) -> Result<Option<u64>, StoreError> {
    let path = dir.snapshot(revision);
    let header = Header::new(Kind::Snapshot, revision);
    let mut file = BufWriter::with_capacity(1 << 18, dir::begin(&path)?);
    let mut size = 0;
    let mut put = |bytes: &[u8]| {
        size += bytes.len() as u64;
        file.write_all(bytes).map_err(failed("write", &path))
    };
    put(&header.encode())?;
    let mut last: Option<Entry> = None;
    let mut buffer = Vec::new();
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let after = last.as_ref().map(|entry| &*entry.key);
        let chunk = visible.read(|index| Ok(index.chunk(revision, after, CHUNK)))?;
        frame::start(&mut buffer);
        chunk.iter().for_each(|entry| codec::put_entry(&mut buffer, entry));
        frame::seal(&mut buffer, header.salt);
        put(&buffer)?;
        // The empty frame is what marks the end.
        match chunk.into_iter().next_back() {
            Some(entry) => last = Some(entry),
            None => break,
        }
    }
    let file = file.into_inner().map_err(|error| failed("write", &path)(error.into_error()))?;
    dir.finish(&file, &path)?;
    Ok(Some(size))
}

/// Reads a snapshot. Returns its entries, in key order, and the size of the file.
pub(super) fn read(dir: &Dir, revision: Revision) -> Result<(Vec<Entry>, u64), StoreError> {
    let path = dir.snapshot(revision);
    let mut reader = Reader::open(Kind::Snapshot, &path)?;
    if reader.header().revision != revision {
        return Err(frame::corrupt(&path, 0, "its name and its header differ"));
    }
    let mut entries = Vec::new();
    loop {
        match reader.next()? {
            Next::Frame(payload) if payload.is_empty() => return Ok((entries, reader.len())),
            Next::Frame(payload) => match codec::entries(&payload) {
                Some(more) => entries.extend(more),
                None => return Err(reader.corrupt("a frame does not hold entries")),
            },
            Next::End | Next::Torn => return Err(reader.corrupt("its end is missing")),
        }
    }
}
