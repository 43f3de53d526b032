//! Names on the wire: labels, annotations and finalizers, as the existing agent writes them.

/// Finalizer on an order. The existing agent has it on related objects that originate in the
/// tenant's workspace, too; there, this agent has a finalizer for each order that needs them.
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

/// Annotation on a PublishedResource: what becomes of an object on the service cluster that has
/// the name of a copy.
///
/// `refuse` leaves it alone. `adopt` and `import` make it the copy, provided that nobody owns it:
/// with `adopt`, the order's fields win; with `import`, the object's fields are first brought up
/// into the order.
pub const CONFLICT_POLICY: &str = "sync.kdp.k8c.io/conflict-policy";

/// Annotation on an object of a published kind on the service cluster: the order it is to become
/// the copy of, as `<cluster>|<namespace>/<name>`; the order is made when there is none.
///
/// The cluster is a logical cluster's name, or a workspace's path if the PublishedResource enables
/// workspace paths.
pub const IMPORT: &str = "sync.kdp.k8c.io/import";

/// Annotation on a PublishedResource: `true` deletes a copy only once nobody but agents holds its
/// deleted order.
pub const WAIT_FOR_FINALIZERS: &str = "sync.kdp.k8c.io/wait-for-finalizers";

/// Annotation on a copy: while it is `true`, nothing is written for its order, be it a change or a
/// deletion. On a PublishedResource, the same for all its orders; its schema is published as before.
///
/// On an order it means something only if the PublishedResource says so by [`TENANT_PAUSE`]: then
/// no change is written, but a deletion is.
pub const PAUSED: &str = "sync.kdp.k8c.io/paused";

/// Annotation on a PublishedResource: `allowed` lets tenants pause the changes of their own orders
/// by [`PAUSED`]; `ignored` is the default.
pub const TENANT_PAUSE: &str = "sync.kdp.k8c.io/tenant-pause";

/// Annotation on a PublishedResource: `translate` brings each `observedGeneration` of a status up
/// as a generation of the order. `verbatim` brings up what the copy says.
pub const OBSERVED_GENERATION: &str = "sync.kdp.k8c.io/observed-generation";

/// Annotation on a copy: the number of the content it was made from, of those that the state of its
/// order knows. The first one has none, as the existing agent's copies have.
pub const REVISION: &str = "sync.kdp.k8c.io/revision";

/// Prefix of everything that this agent knows beyond the existing one.
pub(crate) const POLICY_PREFIX: &str = "sync.kdp.k8c.io/";
/// Prefix of the finalizers by which orders hold related objects in the tenant's workspace.
pub(crate) const CLAIM_PREFIX: &str = "sync.kdp.k8c.io/claim-";
/// What follows the name of an agent in a finalizer of its own.
pub(crate) const OWN_FINALIZER_SUFFIX: &str = ".sync.kdp.k8c.io/cleanup";
/// The labels that name the order of a copy, sorted.
pub(crate) const IDENTITY_LABELS: [&str; 3] = [CLUSTER_LABEL, NAME_HASH_LABEL, NAMESPACE_HASH_LABEL];
/// Prefix of everything above that must never travel from one side to the other.
pub(crate) const SYNC_PREFIX: &str = "syncagent.kcp.io/";
/// Prefix of the labels by which kcp tracks claimed objects.
pub(crate) const CLAIMED_PREFIX: &str = "claimed.internal.apis.kcp.io/";
/// What `kubectl apply` remembers on an object; it describes the original only.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
