//! Which objects of one resource in one workspace a request may see.

use std::sync::Arc;

use serde_json::Value;

use super::grants::bound_export;
use crate::{
    embedded::{
        object::{self, metadata_mut},
        selector::ClaimSelector,
        status::Result,
        surface::ExportId,
    },
    store::Entry,
};

/// Which objects of one resource in one workspace a request may see. What it does not see does not
/// exist for it: that is what every read and write asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// None.
    Nothing,
    /// All of them.
    Everything,
    /// Those that a permission claim covers, when it does not cover all.
    Claimed(Arc<ClaimSelector>),
    /// APIBindings to this export, which its provider may always read.
    BindingsTo(ExportId),
    /// Those that either shows.
    Either(Arc<[Self; 2]>),
    /// Those that both show.
    Both(Arc<[Self; 2]>),
}

impl Sight {
    /// What either shows.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (one, other) if one == other => one,
            (one, other) => Self::Either(Arc::new([one, other])),
        }
    }

    /// What both show.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, one) | (one, Self::Everything) => one,
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            (one, other) if one == other => one,
            (one, other) => Self::Both(Arc::new([one, other])),
        }
    }

    /// Whether a stored object is seen.
    pub(crate) fn shows(&self, entry: &Entry) -> Result<bool> {
        Ok(match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Claimed(selector) => selector.matches(&object::header(entry)?.metadata.labels),
            Self::BindingsTo(export) => bound_export(&object::decode(entry)?).as_ref() == Some(export),
            Self::Either(sights) => sights[0].shows(entry)? || sights[1].shows(entry)?,
            Self::Both(sights) => sights[0].shows(entry)? && sights[1].shows(entry)?,
        })
    }

    /// Completes an object that is about to be written, so that it is seen afterwards.
    ///
    /// # Errors
    /// Why it would not be seen.
    pub(crate) fn admit(&self, object: &mut Value) -> Result<(), String> {
        match self {
            Self::Everything => Ok(()),
            Self::Claimed(selector) => {
                let mut labels = object["metadata"]["labels"].as_object().cloned().unwrap_or_default();
                selector.stamp(&mut labels)?;
                if !labels.is_empty() {
                    metadata_mut(object).insert("labels".into(), labels.into());
                }
                Ok(())
            }
            _ => Err("object does not match required labels".into()),
        }
    }
}
