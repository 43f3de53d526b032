//! What belongs into an archive, in which order, and in which form. Pure.

use kdp_core::{Error, ErrorKind, WorkspacePath};
use serde_json::{Map, Value};

/// Stands for the path of the archived workspace.
pub(super) const TOP: &str = "@archive";

/// When an object is created; everything of one phase, in all workspaces, comes before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Definitions, exports, and the identities of exports.
    Apis,
    /// Bindings, whose exports may be in any workspace of the archive.
    Bindings,
    /// Everything else, whose kinds may come from a binding.
    Content,
}

/// The resource in the words of kubectl.
pub(super) fn resource_name(group: &str, plural: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}

/// The `apiVersion` of a group and a version.
pub(super) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The place of a resource in the order of creation.
pub(super) fn rank(group: &str, plural: &str) -> u8 {
    match (group, plural) {
        ("apiextensions.k8s.io", "customresourcedefinitions") => 0,
        ("apis.kcp.io", "apiresourceschemas") => 1,
        ("", "namespaces") => 2,
        ("", "secrets") => 3,
        ("apis.kcp.io", "apiexports") => 4,
        ("tenancy.kcp.io", "workspacetypes") => 5,
        ("apis.kcp.io", "apibindings") => 6,
        ("rbac.authorization.k8s.io", "roles" | "clusterroles") => 7,
        ("rbac.authorization.k8s.io", _) => 8,
        ("", "serviceaccounts") => 9,
        _ => 10,
    }
}

pub(super) fn phase(group: &str, plural: &str) -> Phase {
    match rank(group, plural) {
        0..=5 => Phase::Apis,
        6 => Phase::Bindings,
        _ => Phase::Content,
    }
}

/// Whether a control plane makes objects of this resource by itself.
pub(super) fn is_derived_resource(group: &str, plural: &str) -> bool {
    matches!(
        (group, plural),
        ("core.kcp.io", _)
            | ("tenancy.kcp.io", "workspaces")
            | ("apis.kcp.io", "apiexportendpointslices")
            | ("" | "events.k8s.io", "events")
    )
}

/// Whether a control plane makes this very object by itself.
pub(super) fn is_derived(group: &str, plural: &str, object: &Value) -> bool {
    match (group, plural) {
        ("", "secrets") => object["type"] == "kubernetes.io/service-account-token",
        ("", "configmaps") => object["metadata"]["name"] == "kube-root-ca.crt",
        // Roles that are built in were never created.
        ("rbac.authorization.k8s.io", _) => object["metadata"]["creationTimestamp"].is_null(),
        _ => false,
    }
}

/// Whether a control plane writes the status of this resource by itself.
pub(super) fn is_status_derived(group: &str, plural: &str) -> bool {
    matches!(group, "apis.kcp.io" | "apiextensions.k8s.io" | "tenancy.kcp.io" | "core.kcp.io")
        || (group.is_empty() && plural == "namespaces")
}

/// The object without what belongs to one control plane. The uid stays, for those that it owns.
pub(super) fn portable(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"] {
            metadata.remove(field);
        }
        let is_internal = |key: &str| {
            let domain = key.split('/').next().unwrap_or(key);
            domain.ends_with("internal.apis.kcp.io")
                || matches!(key, "kcp.io/cluster" | "kcp.io/path" | "tenancy.kcp.io/phase")
        };
        for field in ["labels", "annotations"] {
            if let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) {
                map.retain(|key, _| !is_internal(key));
                if map.is_empty() {
                    metadata.remove(field);
                }
            }
        }
    }
    object
}

/// Where an object names the path of a workspace.
pub(super) fn path_mut<'a>(group: &str, plural: &str, object: &'a mut Value) -> Option<&'a mut Value> {
    ((group, plural) == ("apis.kcp.io", "apibindings")).then(|| object.pointer_mut("/spec/reference/export/path"))?
}

/// A path below `source` as it stands in the archive; other paths stay as they are.
pub(super) fn archived_path(path: &str, source: &str) -> String {
    match path.strip_prefix(source) {
        Some(rest) if rest.is_empty() || rest.starts_with(':') => format!("{TOP}{rest}"),
        _ => path.to_owned(),
    }
}

/// The path that a path in the archive stands for below `target`.
pub(super) fn restored_path(path: &str, target: &str) -> String {
    match path.strip_prefix(TOP) {
        Some(rest) if rest.is_empty() || rest.starts_with(':') => format!("{target}{rest}"),
        _ => path.to_owned(),
    }
}

/// The path of a workspace of an archive below `top`; each name is checked to be one.
pub(super) fn workspace_path(top: &WorkspacePath, names: &[String]) -> Result<WorkspacePath, Error> {
    names.iter().try_fold(top.clone(), |path, name| path.join(name)).map_err(|error| invalid(error.to_string()))
}

/// Refuses an object whose place could be read as another path: an archive may be hostile.
pub(super) fn check_place(segments: [&str; 3], object: &Value) -> Result<(), Error> {
    let is_dns = |text: &str| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
            && !text.split('.').any(|label| label.is_empty() && !text.is_empty())
            && text.len() <= 253
    };
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let namespace = metadata.get("namespace").map_or(Some(""), Value::as_str);
    let is_name = !matches!(name, "" | "." | "..")
        && name.len() <= 253
        && name.bytes().all(|b| b.is_ascii_graphic() && !b"/%?#\\".contains(&b));
    let [group, version, plural] = segments;
    let is_place = is_dns(group) && is_dns(version) && is_dns(plural) && !version.is_empty() && !plural.is_empty();
    let is_namespace = namespace.is_some_and(|namespace| is_dns(namespace) && !namespace.contains('.'));
    if is_place && is_name && is_namespace && !is_derived_resource(group, plural) {
        return Ok(());
    }
    Err(invalid(format!("an object has an impossible place: {version:?} {plural:?} {group:?} {namespace:?} {name:?}")))
}

/// The owners with their new uids; those that are not there any more are left out.
pub(super) fn owners(object: &Value, new_uid: impl Fn(&str) -> Option<String>) -> Vec<Value> {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let renewed = owners.filter_map(|owner| {
        let uid = new_uid(owner["uid"].as_str()?)?;
        let mut owner = owner.clone();
        owner["uid"] = uid.into();
        Some(owner)
    });
    renewed.collect()
}

/// What is compared of two objects that should be the same in two control planes.
pub(super) fn comparable(group: &str, plural: &str, mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("uid");
        let owners = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut);
        for owner in owners.into_iter().flatten().filter_map(Value::as_object_mut) {
            owner.remove("uid");
        }
    }
    if is_status_derived(group, plural) {
        object.as_object_mut().map(|object: &mut Map<_, _>| object.remove("status"));
    }
    object
}

pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "read", "the archive", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_below_the_source_move_and_others_stay() {
        for (path, archived, restored) in [
            ("root:a", "@archive", "root:x:b"),
            ("root:a:p", "@archive:p", "root:x:b:p"),
            ("root:ab", "root:ab", "root:ab"),
            ("root", "root", "root"),
        ] {
            assert_eq!(archived_path(path, "root:a"), archived, "{path}");
            assert_eq!(restored_path(archived, "root:x:b"), restored, "{path}");
        }
    }

    #[test]
    fn places_that_could_be_read_as_other_paths_are_refused() {
        let object = |namespace: &str, name: &str| json!({"metadata": {"namespace": namespace, "name": name}});
        let good = ["example.com", "v1", "widgets"];
        assert!(check_place(good, &object("a", "system:x")).is_ok());
        for name in ["", ".", "..", "a/b", "../../clusters/root", "a%2fb", "a?b", "a#b", "a\\b", "a\nb", "a b"] {
            assert!(check_place(good, &object("a", name)).is_err(), "{name:?}");
        }
        for namespace in ["..", "a/b", "A", "a%2f", "a.b"] {
            assert!(check_place(good, &object(namespace, "x")).is_err(), "{namespace:?}");
        }
        for place in [["..", "v1", "x"], ["a", "..", "x"], ["a", "v1", ".."], ["a", "", "x"], ["a/b", "v1", "x"]] {
            assert!(check_place(place, &object("a", "x")).is_err(), "{place:?}");
        }
        assert!(check_place(["core.kcp.io", "v1alpha1", "logicalclusters"], &object("", "cluster")).is_err());
        assert!(check_place(["tenancy.kcp.io", "v1alpha1", "workspaces"], &object("", "w")).is_err());
    }
}
