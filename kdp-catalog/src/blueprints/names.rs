//! What the artefacts of a blueprint are called.

use crate::blueprint::ResourceGraph;

/// Group of KDP's blueprints, which is also the end of the names of their exports.
pub(super) const GROUP: &str = "blueprints.kdp.k8c.io";
/// Group of a graph that names none; kro's own.
const DEFAULT_GROUP: &str = "kro.run";

/// The API group of a graph's instances.
pub(super) fn group_of(graph: &ResourceGraph) -> &str {
    graph.schema.group.as_deref().filter(|group| !group.is_empty()).unwrap_or(DEFAULT_GROUP)
}

/// Name of the APIExport and the Service.
pub(super) fn export(kind: &str) -> String {
    format!("{}.{GROUP}", kind.to_lowercase())
}

/// Name of the BlueprintRevision; a version has one, so that nobody can publish it twice.
pub(super) fn revision(kind: &str, version: &str) -> String {
    format!("{}.v{}", kind.to_lowercase(), slug(version))
}

/// Name of the APIResourceSchema, which follows from the content.
pub(super) fn schema(version: &str, hash: &str, plural: &str, group: &str) -> String {
    format!("v{}-{}.{plural}.{group}", slug(version), hash.get(..8).unwrap_or(hash))
}

/// The plural lower-case name of a kind.
pub(super) fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| kind.ends_with(ending));
    match kind.strip_suffix('y') {
        Some(stem) if !ends(&["ay", "ey", "iy", "oy", "uy"]) => format!("{stem}ies"),
        _ if ends(&["s", "x", "z", "ch", "sh"]) => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

fn slug(version: &str) -> String {
    version.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

#[cfg(test)]
mod tests;
