//! What the frames hold.
//!
//! ```text
//! text, value: length u32  bytes
//! change:      0  text key                  deletes
//!              1  text key  value           puts
//! transaction: revision u64  count u32  changes
//! entry:       text key  created u64  modified u64  value
//! ```
//!
//! A frame of the log is one or more transactions: those that became durable together. A frame of
//! a snapshot is one or more entries, and the last one is empty.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::store::{Change, Entry, Revision};

const DELETE: u8 = 0;
const PUT: u8 = 1;

/// How many bytes a transaction with these changes takes.
pub(super) fn transaction_len(changes: &[Change]) -> usize {
    let change_len = |change: &Change| match change {
        Change::Put(key, value) => 9 + key.len() + value.len(),
        Change::Delete(key) => 5 + key.len(),
    };
    12 + changes.iter().map(change_len).sum::<usize>()
}

pub(super) fn put_transaction(buffer: &mut Vec<u8>, revision: Revision, changes: &[Change]) {
    buffer.extend(revision.0.to_le_bytes());
    put_len(buffer, changes.len());
    for change in changes {
        match change {
            Change::Delete(key) => {
                buffer.push(DELETE);
                put_bytes(buffer, key.as_bytes());
            }
            Change::Put(key, value) => {
                buffer.push(PUT);
                put_bytes(buffer, key.as_bytes());
                put_bytes(buffer, value);
            }
        }
    }
}

pub(super) fn put_entry(buffer: &mut Vec<u8>, entry: &Entry) {
    put_bytes(buffer, entry.key.as_bytes());
    buffer.extend(entry.created.0.to_le_bytes());
    buffer.extend(entry.modified.0.to_le_bytes());
    put_bytes(buffer, &entry.value);
}

fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    put_len(buffer, bytes.len());
    buffer.extend(bytes);
}

fn put_len(buffer: &mut Vec<u8>, len: usize) {
    buffer.extend(u32::try_from(len).expect("transactions stay far below 4 GiB").to_le_bytes());
}

/// The transactions of a log's frame; `None` when it holds something else.
pub(super) fn transactions(mut payload: &[u8]) -> Option<Vec<(Revision, Vec<Change>)>> {
    let mut transactions = Vec::new();
    while !payload.is_empty() {
        let revision = take_revision(&mut payload)?;
        let count = take_len(&mut payload)?;
        let changes = (0..count).map(|_| take_change(&mut payload)).collect::<Option<_>>()?;
        transactions.push((revision, changes));
    }
    Some(transactions)
}

fn take_change(from: &mut &[u8]) -> Option<Change> {
    match *from.split_off_first()? {
        DELETE => Some(Change::Delete(take_text(from)?.to_owned())),
        PUT => Some(Change::Put(take_text(from)?.to_owned(), take_value(from)?)),
        _ => None,
    }
}

/// The entries of a snapshot's frame; `None` when it holds something else.
pub(super) fn entries(mut payload: &[u8]) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !payload.is_empty() {
        let key = Arc::from(take_text(&mut payload)?);
        let created = take_revision(&mut payload)?;
        let modified = take_revision(&mut payload)?;
        entries.push(Entry { key, created, modified, value: take_value(&mut payload)? });
    }
    Some(entries)
}

fn take_revision(from: &mut &[u8]) -> Option<Revision> {
    let bytes = from.split_off(..8)?;
    Some(Revision(u64::from_le_bytes(bytes.try_into().ok()?)))
}

fn take_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let len = take_len(from)?;
    str::from_utf8(from.split_off(..len)?).ok()
}

/// Copies, so that one value that stays does not keep the whole frame in memory.
fn take_value(from: &mut &[u8]) -> Option<Bytes> {
    let len = take_len(from)?;
    Some(Bytes::copy_from_slice(from.split_off(..len)?))
}

fn take_len(from: &mut &[u8]) -> Option<usize> {
    let bytes = from.split_off(..4)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}
