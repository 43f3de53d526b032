//! Connection details: in which Secret they are, and which of its keys are which outputs.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;

use crate::provider::Output;

/// In which Secret the connection details of an order are, and what of it the consumer gets.
///
/// Of a Secret that Crossplane itself writes:
///
/// ```
/// use kdp_core::provider::crossplane::{Connection, SecretSource};
///
/// let connection = Connection::new(SecretSource::Native).with_required("username").with_required("password");
/// ```
///
/// Of one that a Composition makes, as with Crossplane v2:
///
/// ```
/// # use kdp_core::provider::crossplane::{Connection, SecretSource};
/// let connection = Connection::new(SecretSource::Composed("credentials".into()))
///     .with_key("attribute.password", "password")
///     .with_required("password")
///     .with_plain("endpoint");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connection {
    pub(super) source: SecretSource,
    /// By key of the Secret. Empty: all keys, under their own names.
    keys: BTreeMap<String, String>,
    required: BTreeSet<String>,
    plain: BTreeSet<String>,
}

/// How the Secret with the connection details is found.
///
/// Whichever it is, a Secret counts only when it belongs to the order: it is one of the resources
/// that its object is composed of, or one of these owns it, or the object itself does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretSource {
    /// Crossplane writes it: composite resources and claims of v1 alone.
    Native,
    /// It is the composed resource of this name in the Composition; or, where that is a managed
    /// resource, the Secret which that writes. Not for claims, which have no composed resources themselves.
    Composed(String),
    /// Its name is at this path of the object, such as `status.connection.secretName`.
    Path(String),
    /// It bears this label, in the namespace of the object.
    Label(String, String),
}

impl Connection {
    /// All keys of the Secret are outputs, of their own names, and sensitive; none is required.
    #[must_use]
    pub fn new(source: SecretSource) -> Self {
        Self { source, keys: BTreeMap::new(), required: BTreeSet::new(), plain: BTreeSet::new() }
    }

    /// The same; the key is the output of this name. As soon as one key is named, the others are left out.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>, output: impl Into<String>) -> Self {
        self.keys.insert(key.into(), output.into());
        self
    }

    /// The same; nothing is ready without this output.
    #[must_use]
    pub fn with_required(mut self, output: impl Into<String>) -> Self {
        self.required.insert(output.into());
        self
    }

    /// The same; anybody may see this output.
    #[must_use]
    pub fn with_plain(mut self, output: impl Into<String>) -> Self {
        self.plain.insert(output.into());
        self
    }

    pub(super) fn is_native(&self) -> bool {
        self.source == SecretSource::Native
    }

    /// What the consumer gets from a Secret, and the required outputs that are not in it.
    ///
    /// What is no text, and what is empty, is no output.
    pub(super) fn read(&self, secret: Option<&Secret>) -> (BTreeMap<String, Output>, Vec<&str>) {
        let data = secret.and_then(|secret| secret.data.as_ref());
        let mut outputs = BTreeMap::new();
        for (key, value) in data.into_iter().flatten() {
            let name = match self.keys.get(key) {
                Some(name) => name,
                None if self.keys.is_empty() => key,
                None => continue,
            };
            let Some(value) = std::str::from_utf8(&value.0).ok().filter(|value| !value.is_empty()) else { continue };
            let is_plain = self.plain.contains(name);
            outputs.insert(name.clone(), if is_plain { Output::plain(value) } else { Output::sensitive(value) });
        }
        let missing = self.required.iter().map(String::as_str).filter(|name| !outputs.contains_key(*name)).collect();
        (outputs, missing)
    }
}

#[cfg(test)]
mod tests;
