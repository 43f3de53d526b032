//! Between the versions of a kind whose shapes differ.
//!
//! An object is stored in one version. Most kinds have the same fields in all of theirs; those named
//! here do not, and kcp converts them in code, without losing anything: what one version cannot say
//! goes into an annotation while the object is in that version.

mod apis;
mod claims;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{resource::ApiResource, status::FieldError};

/// Whether objects of this resource have other fields than what is stored.
pub(crate) fn is_needed(resource: &ApiResource) -> bool {
    of(resource).is_some()
}

/// A stored object in the fields of `resource`; its `apiVersion` is left alone.
///
/// It always succeeds: an annotation of a conversion that cannot be read is passed over, so that no
/// object can make a list of many fail.
pub(crate) fn from_stored(resource: &ApiResource, object: &mut Value) {
    match of(resource) {
        Some(Kind::Export) => apis::export_from_stored(object),
        Some(Kind::Binding) => apis::binding_from_stored(object),
        None => {}
    }
}

/// An object that a client sent, in the fields that are stored; its `apiVersion` is left alone.
///
/// # Errors
/// What cannot be said in the stored version, or an annotation of the conversion that cannot be read.
pub(crate) fn to_stored(resource: &ApiResource, object: &mut Value) -> Result<(), Vec<FieldError>> {
    match of(resource) {
        Some(Kind::Export) => apis::export_to_stored(object),
        Some(Kind::Binding) => apis::binding_to_stored(object),
        None => Ok(()),
    }
}

enum Kind {
    Export,
    Binding,
}

fn of(resource: &ApiResource) -> Option<Kind> {
    match (&*resource.group, &*resource.plural, &*resource.version) {
        ("apis.kcp.io", "apiexports", "v1alpha1") => Some(Kind::Export),
        ("apis.kcp.io", "apibindings", "v1alpha1") => Some(Kind::Binding),
        _ => None,
    }
}
