//! Fields of others that an apply would change, and how the client is told.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::StatusCause;

use super::fields::FieldSet;
use super::owners::{Operation, Owner};
use crate::embedded::status::StatusError;

/// The fields an apply would change though it does not own them, by who does.
#[derive(Debug, Default)]
pub(super) struct Conflicts(BTreeMap<Owner, FieldSet>);

impl Conflicts {
    /// Records that `owner` has `fields`.
    pub(super) fn add(&mut self, owner: &Owner, fields: FieldSet) {
        if !fields.is_empty() {
            self.0.insert(owner.clone(), fields);
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops the conflicts over `allowed` fields.
    pub(super) fn allow(&mut self, allowed: &FieldSet) {
        self.0.retain(|_, fields| {
            fields.subtract(allowed);
            !fields.is_empty()
        });
    }
}

/// 409 with one cause per field; managers in order, and the text kubectl shows as it is.
impl From<Conflicts> for StatusError {
    fn from(conflicts: Conflicts) -> Self {
        let fields = conflicts.0.iter().flat_map(|(owner, set)| set.paths().into_iter().map(move |path| (owner, path)));
        let fields: Vec<(&Owner, String)> = fields.collect();
        let causes = fields.iter().map(|(owner, path)| StatusCause {
            reason: Some("FieldManagerConflict".into()),
            message: Some(format!("conflict with {}", describe(owner))),
            field: Some(path.clone()),
        });
        let message = if let [(owner, path)] = &fields[..] {
            format!("Apply failed with 1 conflict: conflict with {}: {path}", describe(owner))
        } else {
            let lines = conflicts.0.iter().flat_map(|(owner, set)| {
                let heading = format!("conflicts with {}:", describe(owner));
                std::iter::once(heading).chain(set.paths().into_iter().map(|path| format!("- {path}")))
            });
            let lines: Vec<String> = lines.collect();
            format!("Apply failed with {} conflicts: {}", fields.len(), lines.join("\n"))
        };
        Self::apply_conflict(message, causes.collect())
    }
}

fn describe(owner: &Owner) -> String {
    let mut text = format!("{:?}", owner.manager);
    if !owner.subresource.is_empty() {
        text += &format!(" with subresource {:?}", owner.subresource);
    }
    if owner.operation == Operation::Update {
        text += &format!(" using {}", owner.api_version);
    }
    text
}
