//! OpenAPI documents of what a surface serves: v3 by group version, v2 in JSON and in protobuf.
//!
//! `kubectl explain` reads schemas, `kubectl apply` looks for the query parameters of PATCH, and
//! client-side validation wants to know every field. Both versions are written from the same
//! operations and definitions. Clients up to 1.26 take v2 only as protobuf.

mod definitions;
mod operations;
mod proto;
#[cfg(test)]
mod tests;
mod v2;
mod v3;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::resource::ApiResource;

/// Media type of the v2 document in protobuf, as an answer names it.
pub(crate) const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// The same as kubectl asks for it. It is not a well-formed media type, and clients up to 1.27
/// refuse an answer that carries it.
pub(crate) const V2_PROTOBUF_ACCEPT: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// `/openapi/v3`: for every group version, where its document is.
///
/// `prefix` is the part of the URL path before `/openapi`, such as `/clusters/root:a`. Clients cut
/// it off again, or, before Kubernetes 1.28, ask for the URL as it stands: so it must be there.
#[must_use]
pub(crate) fn v3_index(resources: &[Arc<ApiResource>], prefix: &str) -> Value {
    let entry = |(path, resources): (String, Vec<&ApiResource>)| {
        let url = format!("{prefix}/openapi/v3/{path}?hash={}", fingerprint(&resources));
        (path, json!({"serverRelativeURL": url}))
    };
    let paths: BTreeMap<String, Value> = by_group_version(resources).into_iter().map(entry).collect();
    json!({"paths": paths})
}

/// `/openapi/v3/api/VERSION` (with an empty group) or `/openapi/v3/apis/GROUP/VERSION`, or `None`
/// when nothing of that version is served.
#[must_use]
pub(crate) fn v3(resources: &[Arc<ApiResource>], group: &str, version: &str) -> Option<Value> {
    let resources = of_version(resources, group, version);
    (!resources.is_empty()).then(|| v3::document(&resources))
}

/// The `hash` that [`v3_index`] gives for a group version, without the work of writing the
/// document: equal hashes mean equal documents.
#[must_use]
pub(crate) fn v3_hash(resources: &[Arc<ApiResource>], group: &str, version: &str) -> Option<String> {
    let resources = of_version(resources, group, version);
    (!resources.is_empty()).then(|| fingerprint(&resources))
}

/// `/openapi/v2` in JSON.
#[must_use]
pub(crate) fn v2(resources: &[Arc<ApiResource>]) -> Value {
    v2::document(&sorted(resources))
}

/// `/openapi/v2` as [`V2_PROTOBUF`].
#[must_use]
pub(crate) fn v2_protobuf(resources: &[Arc<ApiResource>]) -> Vec<u8> {
    proto::document(&sorted(resources))
}

fn of_version<'r>(resources: &'r [Arc<ApiResource>], group: &str, version: &str) -> Vec<&'r ApiResource> {
    let mut found = sorted(resources);
    found.retain(|resource| resource.group == group && resource.version == version);
    found
}

fn by_group_version(resources: &[Arc<ApiResource>]) -> BTreeMap<String, Vec<&ApiResource>> {
    let mut versions: BTreeMap<String, Vec<&ApiResource>> = BTreeMap::new();
    for resource in sorted(resources) {
        versions.entry(resource.root_path()).or_default().push(resource);
    }
    versions
}

/// In an order that does not depend on the caller's, so that equal surfaces have equal documents.
fn sorted(resources: &[Arc<ApiResource>]) -> Vec<&ApiResource> {
    let mut resources: Vec<&ApiResource> = resources.iter().map(AsRef::as_ref).collect();
    resources.sort_by(|left, right| {
        (&left.group, &left.version, &left.plural).cmp(&(&right.group, &right.version, &right.plural))
    });
    resources
}

/// Covers whatever a document shows of `resources`, and the release that writes it.
fn fingerprint(resources: &[&ApiResource]) -> String {
    let mut hasher = Sha256::new();
    write_fingerprint(&mut hasher, resources).expect("hashing JSON values does not fail");
    format!("{:X}", hasher.finalize())
}

fn write_fingerprint(hasher: &mut Sha256, resources: &[&ApiResource]) -> io::Result<()> {
    hasher.write_all(env!("CARGO_PKG_VERSION").as_bytes())?;
    for resource in resources {
        let names = (&resource.group, &resource.version, &resource.kind, &resource.list_kind, &resource.plural);
        serde_json::to_writer(&mut *hasher, &(names, resource.namespaced, resource.verbs))?;
        for subresource in &resource.subresources {
            let body = &subresource.group_version_kind;
            serde_json::to_writer(&mut *hasher, &(&subresource.name, body, subresource.verbs))?;
        }
        serde_json::to_writer(&mut *hasher, &resource.schema)?;
    }
    Ok(())
}
