//! Names on the wire: labels, annotations and finalizers, as the existing agent writes them.

/// Finalizer on an order, and on a related object that originates in the tenant's workspace.
pub const FINALIZER: &str = "syncagent.kcp.io/cleanup";

/// Label: logical cluster of the order a copy belongs to.
pub const CLUSTER_LABEL: &str = "syncagent.kcp.io/remote-object-cluster";
/// Label: SHA-1 of the order's namespace, absent when the order is cluster-scoped.
pub const NAMESPACE_HASH_LABEL: &str = "syncagent.kcp.io/remote-object-namespace-hash";
/// Label: SHA-1 of the order's name.
pub const NAME_HASH_LABEL: &str = "syncagent.kcp.io/remote-object-name-hash";
/// Label and annotation: name of the agent that made the object.
pub const AGENT_NAME: &str = "syncagent.kcp.io/agent-name";
/// Annotation: namespace of the order.
pub const NAMESPACE_ANNOTATION: &str = "syncagent.kcp.io/remote-object-namespace";
/// Annotation: name of the order.
pub const NAME_ANNOTATION: &str = "syncagent.kcp.io/remote-object-name";
/// Annotation: workspace path of the order, when the resource asks for it.
pub const PATH_ANNOTATION: &str = "syncagent.kcp.io/remote-object-workspace-path";

/// Label of the Secrets that hold the last synced state.
pub const STATE_LABEL: &str = "syncagent.kcp.io/object-state";

/// Annotation on an APIResourceSchema: generation of the CustomResourceDefinition it was made from.
pub const SOURCE_GENERATION: &str = "syncagent.kcp.io/source-generation";

/// Annotation on an order: how its copy is deleted (`background`, `foreground` or `orphan`).
pub const DELETION_PROPAGATION: &str = "syncagent.kcp.io/deletion-propagation-policy";

/// Prefix of the annotations on an order that list the related objects delivered to it.
pub const RELATED_PREFIX: &str = "related-resources.syncagent.kcp.io/";

/// Annotation on the copy of a related object: which order and entry it was made for.
///
/// The existing agent writes no such mark. Without it, an object that merely has the same name
/// could not be told from a copy whose state was not yet recorded.
pub const RELATED_OWNER: &str = "syncagent.kcp.io/related-to";

/// The labels that name the order of a copy, sorted.
pub(crate) const IDENTITY_LABELS: [&str; 3] = [CLUSTER_LABEL, NAME_HASH_LABEL, NAMESPACE_HASH_LABEL];
/// Prefix of everything above that must never travel from one side to the other.
pub(crate) const SYNC_PREFIX: &str = "syncagent.kcp.io/";
/// Prefix of the labels by which kcp tracks claimed objects.
pub(crate) const CLAIMED_PREFIX: &str = "claimed.internal.apis.kcp.io/";
/// What `kubectl apply` remembers on an object; it describes the original only.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
