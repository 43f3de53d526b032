//! A type as workspaces use it: found by reference, together with all that it extends.

use kdp_core::{
    LogicalClusterName, WorkspacePath,
    api::tenancy::{TYPE_ANNOTATION, WorkspaceTypeReference, WorkspaceTypeSpec},
};
use serde_json::Value;

use super::spec;
use crate::embedded::{
    auth::{Attributes, ResourceAttributes},
    index::Index,
    kinds::logical_cluster::Stage,
    object::str_at,
    registry::Registry,
    status::Result,
};

/// How many types one type may extend altogether: each is read whenever a workspace is created.
const MOST_EXTENDED: usize = 32;
/// Annotation on a LogicalCluster with the logical cluster that the type of its workspace is in.
pub(crate) const TYPE_CLUSTER_ANNOTATION: &str = "internal.tenancy.kdp.k8c.io/type-cluster";

/// A WorkspaceType and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Type {
    pub(crate) cluster: LogicalClusterName,
    pub(crate) path: WorkspacePath,
    pub(crate) name: String,
    pub(crate) spec: WorkspaceTypeSpec,
}

impl Type {
    /// The type as people name it.
    pub(crate) fn qualified(&self) -> String {
        format!("{}:{}", self.path, self.name)
    }

    /// The name of the type's initializer and terminator.
    fn controller(&self) -> String {
        format!("{}:{}", self.cluster, self.name)
    }

    /// Whether a reference with a path means this type.
    pub(super) fn is(&self, cluster: Option<&LogicalClusterName>, name: &str) -> bool {
        cluster == Some(&self.cluster) && name == self.name
    }
}

/// A type with every type that it extends; what is extended comes first, the type itself last.
#[derive(Clone, Debug)]
pub(crate) struct Lineage(Vec<Type>);

impl Lineage {
    pub(crate) fn types(&self) -> &[Type] {
        &self.0
    }

    /// The type that extends the others.
    pub(crate) fn itself(&self) -> &Type {
        self.0.last().expect("a lineage is made from a type")
    }

    /// Whether the identity may create workspaces of the type, and of all that the type is too.
    pub(crate) async fn may_be_used(&self, registry: &Registry, identity: &kdp_core::Identity) -> Result<bool> {
        for type_ in &self.0 {
            let attributes = Attributes::Resource(ResourceAttributes {
                verb: "use",
                group: "tenancy.kcp.io",
                resource: "workspacetypes",
                name: &type_.name,
                ..ResourceAttributes::default()
            });
            if !registry.authorizer.has_right(identity, &type_.cluster, &attributes).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Who has to finish in a workspace of the type before it leaves a stage.
    pub(crate) fn controllers(&self, stage: Stage) -> Vec<String> {
        let is_wanted = |type_: &&Type| match stage {
            Stage::Initializing => type_.spec.initializer,
            Stage::Terminating => type_.spec.terminator,
        };
        let mut controllers: Vec<_> = self.0.iter().filter(is_wanted).map(Type::controller).collect();
        if stage == Stage::Initializing && self.0.iter().any(|type_| !type_.spec.default_api_bindings.is_empty()) {
            controllers.push(kdp_core::api::tenancy::BINDINGS_INITIALIZER.into());
        }
        controllers
    }

    #[cfg(test)]
    pub(super) fn of(types: Vec<Type>) -> Self {
        Self(types)
    }
}

/// The type `name` in a logical cluster.
pub(crate) async fn find(registry: &Registry, cluster: &LogicalClusterName, name: &str) -> Result<Option<Type>> {
    let found = registry.find(cluster, "tenancy.kcp.io", "workspacetypes", None, name).await?;
    let Some((_, object)) = found else { return Ok(None) };
    let path = registry.index.path(cluster);
    Ok(Some(Type { cluster: cluster.clone(), path, name: name.into(), spec: spec(&object)? }))
}

/// The type that a reference made in `from` means: without a path it is looked for in `from`, in each workspace
/// above it, and in the root.
pub(crate) async fn resolve(
    registry: &Registry,
    from: &LogicalClusterName,
    reference: &WorkspaceTypeReference,
) -> Result<Option<Type>> {
    if let Some(path) = reference.path.as_deref().filter(|path| !path.is_empty()) {
        let cluster = path.parse().ok().and_then(|path: WorkspacePath| registry.index.resolve(&path));
        return match cluster {
            Some(cluster) => find(registry, &cluster, &reference.name).await,
            None => Ok(None),
        };
    }
    let mut level = Some(registry.index.path(from));
    while let Some(path) = level {
        if let Some(cluster) = registry.index.resolve(&path)
            && let Some(found) = find(registry, &cluster, &reference.name).await?
        {
            return Ok(Some(found));
        }
        level = path.parent();
    }
    find(registry, &LogicalClusterName::root(), &reference.name).await
}

/// A type with all that it extends; `None` when one of those does not exist, when they extend each other in a
/// circle, or when they are too many.
pub(crate) async fn lineage(registry: &Registry, type_: Type) -> Result<Option<Lineage>> {
    let mut types = vec![type_];
    let mut extends: Vec<Vec<usize>> = Vec::new();
    while let Some(type_) = types.get(extends.len()).cloned() {
        let mut bases = Vec::new();
        for reference in &type_.spec.extend.with {
            let Some(base) = resolve(registry, &type_.cluster, reference).await? else { return Ok(None) };
            let known = types.iter().position(|type_| type_.is(Some(&base.cluster), &base.name));
            bases.push(known.unwrap_or(types.len()));
            if known.is_none() {
                types.push(base);
            }
        }
        if types.len() > MOST_EXTENDED {
            return Ok(None);
        }
        extends.push(bases);
    }
    types.reverse();
    Ok((!has_circle(&extends)).then_some(Lineage(types)))
}

/// Where the type of a workspace is, by its LogicalCluster, and how it is called there.
///
/// The path of a type leads to somebody else once the name of its workspace is taken anew, so it only
/// counts where the logical cluster was not written down beside it.
pub(crate) fn place(index: &Index, logical_cluster: &Value) -> Option<(LogicalClusterName, String)> {
    let annotation = |key: &str| str_at(logical_cluster, &["metadata", "annotations", key]);
    let (path, name) = annotation(TYPE_ANNOTATION).rsplit_once(':')?;
    let cluster = match annotation(TYPE_CLUSTER_ANNOTATION) {
        "" => index.resolve(&path.parse().ok()?)?,
        cluster => cluster.parse().ok()?,
    };
    Some((cluster, name.to_owned()))
}

/// The type of a workspace, by its LogicalCluster, with all that it extends.
pub(crate) async fn of(registry: &Registry, logical_cluster: &Value) -> Result<Option<Lineage>> {
    let Some((cluster, name)) = place(&registry.index, logical_cluster) else { return Ok(None) };
    match find(registry, &cluster, &name).await? {
        Some(type_) => lineage(registry, type_).await,
        None => Ok(None),
    }
}

/// Whether following `extends` can lead back to where one started.
pub(super) fn has_circle(extends: &[Vec<usize>]) -> bool {
    let mut open: Vec<usize> = (0..extends.len()).collect();
    // A type whose bases are all settled is settled; what is left over when nothing more settles is a circle.
    loop {
        let left: Vec<usize> =
            open.iter().copied().filter(|i| extends[*i].iter().any(|base| open.contains(base))).collect();
        if left.len() == open.len() {
            return !open.is_empty();
        }
        open = left;
    }
}
