//! The kept versions of one key.

use std::{collections::VecDeque, mem, sync::Arc};

use bytes::Bytes;

use crate::store::{Entry, Revision};

/// What a key held from one revision on.
pub(super) struct Version {
    pub(super) created: Revision,
    pub(super) modified: Revision,
    /// `None` when the key was deleted.
    pub(super) value: Option<Bytes>,
}

impl Version {
    pub(super) fn entry(&self, key: &Arc<str>) -> Option<Entry> {
        let value = self.value.clone()?;
        Some(Entry { key: Arc::clone(key), value, created: self.created, modified: self.modified })
    }

    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> u64 {
        (size_of::<Self>() + self.value.as_ref().map_or(0, Bytes::len)) as u64
    }
}

/// One version or more, oldest first. Most keys rest with one, which takes no allocation.
pub(super) enum Versions {
    One(Version),
    Many(VecDeque<Version>),
}

impl Versions {
    pub(super) fn new(version: Version) -> Self {
        Self::One(version)
    }

    pub(super) fn newest(&self) -> &Version {
        match self {
            Self::One(version) => version,
            Self::Many(versions) => versions.back().expect("many are at least two"),
        }
    }

    /// The version that was the newest one at a revision.
    pub(super) fn at(&self, revision: Revision) -> Option<&Version> {
        match self {
            Self::One(version) => Some(version).filter(|version| version.modified <= revision),
            Self::Many(versions) => {
                let later = versions.partition_point(|version| version.modified <= revision);
                versions.get(later.checked_sub(1)?)
            }
        }
    }

    /// The version that was the newest one before a revision.
    pub(super) fn before(&self, revision: Revision) -> Option<&Version> {
        self.at(Revision(revision.0.checked_sub(1)?))
    }

    pub(super) fn push(&mut self, version: Version) {
        *self = match mem::replace(self, Self::Many(VecDeque::new())) {
            Self::One(older) => Self::Many(VecDeque::from([older, version])),
            Self::Many(mut versions) => {
                versions.push_back(version);
                Self::Many(versions)
            }
        }
    }

    /// Drops the versions that no read at this revision or later needs; the bytes they took.
    pub(super) fn forget_before(&mut self, revision: Revision) -> u64 {
        let Self::Many(versions) = self else { return 0 };
        let later = versions.partition_point(|version| version.modified <= revision);
        let freed = versions.drain(..later.saturating_sub(1)).map(|version| version.size()).sum();
        if versions.len() == 1 {
            *self = Self::One(versions.pop_front().expect("its length is one"));
        } else if versions.capacity() > 4 * versions.len() {
            // A key that was written often and now rests should not keep the room for it.
            versions.shrink_to(2 * versions.len());
        }
        freed
    }

    /// Whether all that is left is a deletion no later than this revision.
    pub(super) fn is_deleted_at(&self, revision: Revision) -> bool {
        matches!(self, Self::One(version) if version.value.is_none() && version.modified <= revision)
    }
}
