//! What can be said of the kinds of related resources without asking anybody.

use std::collections::BTreeMap;

use crate::{
    api::{PublishedResourceSpec, Side},
    diagnostic::Diagnostic,
    engine::{UnknownKind, needed_kinds_of},
};

const CONFIG_KINDS: [&str; 2] = ["ConfigMap", "Secret"];

type Rule = fn(&str) -> bool;

/// Every field of a related resource that can name no kind, and claims that contradict each other.
///
/// Some of it the CustomResourceDefinition says as well, but not to who has only a file.
pub(crate) fn related_faults(published: &PublishedResourceSpec) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    // By what tenants have to grant, the identity asked for and where.
    let mut claims: BTreeMap<(String, String), (&str, usize)> = BTreeMap::new();
    for (at, related) in published.related.iter().enumerate() {
        let mut fault = |field: &str, message: String| {
            faults.push(Diagnostic::new(format!("spec.related[{at}]{field}"), message));
        };
        let is_config = !related.kind.is_empty();
        if is_config && !CONFIG_KINDS.contains(&related.kind.as_str()) {
            let message =
                format!("{:?} is not one of {}; give version and resource", related.kind, CONFIG_KINDS.join(", "));
            fault(".kind", message);
            continue;
        }
        if is_config != (related.version.is_empty() && related.resource.is_empty()) {
            fault("", "either kind, or version and resource must be given".into());
            continue;
        }
        let [origin, copy] = needed_kinds_of(related);
        let projected = related.projection.clone().unwrap_or_default();
        let parts: [(_, _, Rule); 6] = [
            (".group", &origin.group, is_group),
            (".version", &origin.version, is_label),
            (".resource", &origin.plural, is_label),
            (".projection.group", &projected.group, is_group),
            (".projection.version", &projected.version, is_label_or_none),
            (".projection.resource", &projected.resource, is_label_or_none),
        ];
        for (field, value, _) in parts.iter().filter(|(_, value, is_right)| !is_right(value)) {
            fault(field, format!("no API can have {value:?} here"));
        }
        if related.group.is_empty() && !related.identity_hash.is_empty() {
            fault(".identityHash", "a builtin kind has no identity".into());
        } else if !related.identity_hash.is_empty() {
            let UnknownKind { group, plural, .. } = if origin.side == Side::Kcp { origin } else { copy };
            let (identity, first) = *claims.entry((group, plural)).or_insert((&related.identity_hash, at));
            if identity != related.identity_hash {
                let message = format!("spec.related[{first}] claims the same resource with the identity {identity:?}");
                fault(".identityHash", message);
            }
        }
    }
    faults
}

/// Empty for the core group, else a DNS name.
fn is_group(group: &str) -> bool {
    group.is_empty() || (group.len() <= 253 && group.split('.').all(is_label))
}

/// A DNS label, as versions and plural names are.
fn is_label(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('-') && !text.ends_with('-')
}

/// What is not projected is as on the other side.
fn is_label_or_none(text: &str) -> bool {
    text.is_empty() || is_label(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn related_kinds_that_cannot_be_are_told_by_their_field() {
        let check = |related: Value, expected: &[&str]| {
            let object = json!({"template": {"template": "x"}});
            let entries = related.as_array().unwrap().iter().cloned().map(|mut entry| {
                entry["object"] = object.clone();
                entry["identifier"] = "a".into();
                if entry["origin"].is_null() {
                    entry["origin"] = "kcp".into();
                }
                entry
            });
            let entries: Vec<_> = entries.collect();
            let spec = json!({"resource": {"apiGroup": "example.com", "kind": "Thing"}, "related": entries});
            let faults = related_faults(&serde_json::from_value(spec).unwrap());
            let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
            assert_eq!(fields, expected, "{related}");
        };
        let parts = |group: &str, version: &str, resource: &str| json!({"group": group, "version": version, "resource": resource});
        check(
            json!([{"kind": "Secret"}, parts("", "v1", "pods"), parts("cert-manager.io", "v1alpha2", "issuers")]),
            &[],
        );
        check(json!([{"kind": "Pod"}]), &["spec.related[0].kind"]);
        check(json!([{}]), &["spec.related[0]"]);
        check(json!([{"kind": "Secret", "version": "v1", "resource": "secrets"}]), &["spec.related[0]"]);
        check(json!([parts("Example.com", "v1", "things")]), &["spec.related[0].group"]);
        check(json!([parts("example.com", "", "things")]), &["spec.related[0].version"]);
        check(json!([parts("example.com", "v1", "things/status")]), &["spec.related[0].resource"]);
        check(json!([parts("", "V 1", "Pods")]), &["spec.related[0].version", "spec.related[0].resource"]);
        let mut projected = parts("example.com", "v1", "things");
        projected["projection"] = json!({"resource": "../secrets"});
        check(json!([projected]), &["spec.related[0].projection.resource"]);
    }

    #[test]
    fn claims_on_one_resource_agree_on_whose_it_is() {
        let identities = |entries: &[(&str, &str, &str)]| {
            let related: Vec<_> = entries
                .iter()
                .map(|(origin, group, identity)| {
                    json!({
                        "identifier": "a", "origin": origin, "group": group, "version": "v1", "resource": "things",
                        "identityHash": identity, "object": {"template": {"template": "x"}},
                    })
                })
                .collect();
            let spec = json!({"resource": {"apiGroup": "example.com", "kind": "Thing"}, "related": related});
            related_faults(&serde_json::from_value(spec).unwrap())
                .into_iter()
                .map(|fault| fault.field)
                .collect::<Vec<_>>()
        };
        assert_eq!(identities(&[("kcp", "a.io", "x"), ("service", "a.io", "x"), ("kcp", "b.io", "y")]), [""; 0]);
        assert_eq!(identities(&[("kcp", "a.io", "x"), ("service", "a.io", "y")]), ["spec.related[1].identityHash"]);
        assert_eq!(identities(&[("kcp", "a.io", "x"), ("kcp", "a.io", "")]), [""; 0]);
        assert_eq!(identities(&[("kcp", "", "x")]), ["spec.related[0].identityHash"]);
    }
}
