//! Which types may stand below which.

use kdp_core::{
    LogicalClusterName,
    api::tenancy::{WorkspaceTypeReference, WorkspaceTypeSelector},
};

use super::{Lineage, Type};

/// Why a workspace of the type `child` may not be created in one of the type `parent`; `None` when it may.
///
/// Every limit must be met, those of extended types too; one is met when any type of the other's lineage is in
/// the set. `cluster_of` finds the workspace that a reference names.
pub(crate) fn refusal(
    parent: &Lineage,
    child: &Lineage,
    cluster_of: impl Fn(&WorkspaceTypeReference) -> Option<LogicalClusterName>,
) -> Option<String> {
    let meets = |lineage: &Lineage, limit: &WorkspaceTypeSelector| {
        !limit.none
            && (limit.types.is_empty()
                || limit.types.iter().any(|reference| {
                    let cluster = cluster_of(reference);
                    lineage.types().iter().any(|type_| type_.is(cluster.as_ref(), &reference.name))
                }))
    };
    let (parent_name, child_name) = (parent.itself().qualified(), child.itself().qualified());
    let of_child = child.types().iter().filter_map(|type_| {
        let limit = type_.spec.limit_allowed_parents.as_ref().filter(|limit| !meets(parent, limit))?;
        Some(explain(type_, limit, "parent", &child_name, &parent_name))
    });
    let of_parent = parent.types().iter().filter_map(|type_| {
        let limit = type_.spec.limit_allowed_children.as_ref().filter(|limit| !meets(child, limit))?;
        Some(explain(type_, limit, "child", &parent_name, &child_name))
    });
    let reasons: Vec<String> = of_child.chain(of_parent).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn explain(type_: &Type, limit: &WorkspaceTypeSelector, role: &str, of: &str, other: &str) -> String {
    let limited = match type_.qualified() {
        name if name == of => format!("workspace type {of}"),
        name => format!("workspace type {of} extends {name}, which"),
    };
    if limit.none {
        return format!("{limited} allows no {role} workspaces");
    }
    let allowed: Vec<String> = limit
        .types
        .iter()
        .map(|type_| format!("{}:{}", type_.path.as_deref().unwrap_or_default(), type_.name))
        .collect();
    format!("{limited} allows only {role} workspaces of the types {}, and {other} is none of them", allowed.join(", "))
}
