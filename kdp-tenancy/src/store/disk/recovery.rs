//! From the files back to the state they hold.

use super::{
    codec,
    dir::{self, Dir},
    frame,
    log::Log,
};
use crate::store::{History, Revision, StoreError, disk::snapshot, mvcc::Index};

/// What the files of a store hold.
pub(super) struct Recovered {
    pub(super) index: Index,
    /// The log to append to.
    pub(super) log: Log,
    pub(super) snapshot_bytes: u64,
    /// The size of the logs before that one.
    pub(super) rotated_bytes: u64,
}

/// Reads the newest snapshot and the logs after it; a directory without either is a new store.
pub(super) fn recover(dir: &Dir, history: History) -> Result<Recovered, StoreError> {
    let listing = dir.list()?;
    // Before anything rests on a file: the process that made it may have ended before it could.
    dir.sync()?;
    for path in &listing.unfinished {
        dir::remove(path)?;
    }
    let newest = listing.snapshots.last().copied();
    let (mut index, snapshot_bytes) = match newest {
        Some(revision) => {
            let (entries, size) = snapshot::read(dir, revision)?;
            // It replaces them; a crash can have come before they were removed.
            dir.remove_before(revision)?;
            (Index::restore(history, revision, entries), size)
        }
        None => (Index::new(history), 0),
    };
    let bases: Vec<_> = listing.logs.range(newest.unwrap_or_default()..).copied().collect();
    let Some((&last, earlier)) = bases.split_last() else {
        // A snapshot is only written once the log that goes on from it is there.
        return match newest {
            None => Ok(Recovered { log: Log::create(dir, index.revision())?, index, snapshot_bytes, rotated_bytes: 0 }),
            Some(revision) => Err(frame::corrupt(&dir.log(revision), 0, "it is missing")),
        };
    };
    let mut rotated_bytes = 0;
    for &base in earlier {
        rotated_bytes += read_log(dir, base, false, &mut index)?.1;
    }
    let (header, len) = read_log(dir, last, true, &mut index)?;
    let log = Log::resume(dir.log(last), header, len)?;
    Ok(Recovered { index, log, snapshot_bytes, rotated_bytes })
}

/// Makes what a log holds, which must go on where the index ends.
fn read_log(dir: &Dir, base: Revision, is_last: bool, index: &mut Index) -> Result<(frame::Header, u64), StoreError> {
    if base != index.revision() {
        let reason = format!("the log before it ends at revision {}", index.revision());
        return Err(frame::corrupt(&dir.log(base), 0, &reason));
    }
    Log::read(dir, base, is_last, |reader, payload| {
        let Some(transactions) = codec::transactions(payload) else {
            return Err(reader.corrupt("a frame does not hold transactions"));
        };
        for (revision, changes) in transactions {
            index.apply(changes);
            if index.revision() != revision {
                return Err(reader.corrupt(&format!("revision {} is missing", index.revision())));
            }
        }
        Ok(())
    })
}
