//! What every logical cluster holds from its first moment.

use std::borrow::Cow;

use kdp_core::{
    Identity, LogicalClusterName,
    api::{
        PATH_ANNOTATION,
        core::LOGICAL_CLUSTER_NAME,
        tenancy::{REQUIRED_GROUPS_ANNOTATION, TYPE_ANNOTATION},
    },
};
use serde_json::{Value, json};

use super::set_phase;
use crate::{
    embedded::{
        auth,
        key::ResourceKey,
        kinds::{
            logical_cluster::Stage, logical_cluster::label_stages, namespace, put_new, service_account,
            workspace_type::TYPE_CLUSTER_ANNOTATION,
        },
        registry::Registry,
        status::Result,
    },
    store::{Change, Revision},
};

/// A logical cluster to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewCluster<'a> {
    cluster: &'a LogicalClusterName,
    path: &'a str,
    type_: &'a str,
    type_cluster: Option<&'a LogicalClusterName>,
    creator: &'a Identity,
    admin: Option<String>,
    owner: Option<Value>,
    required_groups: Option<&'a str>,
    initializers: Vec<String>,
    terminators: Vec<String>,
}

impl<'a> NewCluster<'a> {
    /// One of the type `type_` at `path`, whose creator becomes its administrator.
    pub(crate) fn new(cluster: &'a LogicalClusterName, path: &'a str, type_: &'a str, creator: &'a Identity) -> Self {
        let admin = auth::name_in(creator, cluster).map(Cow::into_owned);
        let (initializers, terminators) = (Vec::new(), Vec::new());
        Self {
            cluster,
            path,
            type_,
            type_cluster: None,
            creator,
            admin,
            owner: None,
            required_groups: None,
            initializers,
            terminators,
        }
    }

    /// Its type is the one in this logical cluster, whatever its path leads to later.
    pub(crate) fn with_type_cluster(self, cluster: &'a LogicalClusterName) -> Self {
        Self { type_cluster: Some(cluster), ..self }
    }

    /// Nobody becomes its administrator.
    pub(crate) fn without_admin(self) -> Self {
        Self { admin: None, ..self }
    }

    /// It belongs to this object.
    pub(crate) fn with_owner(self, owner: Value) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Only members of these groups are let in.
    pub(crate) fn with_required_groups(self, required_groups: Option<&'a str>) -> Self {
        Self { required_groups, ..self }
    }

    /// Who has to finish before it is ready, and before its content is deleted.
    pub(crate) fn with_controllers(self, initializers: Vec<String>, terminators: Vec<String>) -> Self {
        Self { initializers, terminators, ..self }
    }

    /// That there is no such logical cluster yet.
    pub(crate) fn is_free(&self) -> (String, Option<Revision>) {
        (ResourceKey::new(self.cluster, "core.kcp.io", "logicalclusters").object(None, LOGICAL_CLUSTER_NAME), None)
    }

    /// The LogicalCluster as it begins.
    pub(crate) fn logical_cluster(&self, registry: &Registry) -> Value {
        let mut object = json!({
            "kind": "LogicalCluster",
            "metadata": {
                "name": LOGICAL_CLUSTER_NAME,
                "annotations": {PATH_ANNOTATION: self.path, TYPE_ANNOTATION: self.type_},
            },
            "spec": {"directlyDeletable": false, "createdBy": self.creator},
            "status": {"URL": registry.urls.workspace(&self.cluster.path())},
        });
        if let Some(type_cluster) = self.type_cluster {
            object["metadata"]["annotations"][TYPE_CLUSTER_ANNOTATION] = type_cluster.as_str().into();
        }
        if let Some(groups) = self.required_groups {
            object["metadata"]["annotations"][REQUIRED_GROUPS_ANNOTATION] = groups.into();
        }
        if let Some(owner) = &self.owner {
            object["spec"]["owner"] = owner.clone();
        }
        for (stage, controllers) in [(Stage::Initializing, &self.initializers), (Stage::Terminating, &self.terminators)]
        {
            if !controllers.is_empty() {
                object["spec"][stage.list()] = json!(controllers);
                object["status"][stage.list()] = json!(controllers);
            }
        }
        set_phase(&mut object, if self.initializers.is_empty() { "Ready" } else { "Initializing" });
        label_stages(&mut object);
        object
    }

    /// What to write.
    pub(crate) fn changes(&self, registry: &Registry) -> Result<Vec<Change>> {
        let mut changes = vec![
            put_new(self.cluster, "core.kcp.io", "logicalclusters", "v1alpha1", self.logical_cluster(registry))?,
            put_new(self.cluster, "", "namespaces", "v1", namespace::new("default"))?,
        ];
        changes.extend(service_account::namespace_content(registry, self.cluster, "default")?);
        if let Some(admin) = &self.admin {
            let binding = json!({
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "workspace-admin"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": admin}],
            });
            changes.push(put_new(self.cluster, "rbac.authorization.k8s.io", "clusterrolebindings", "v1", binding)?);
        }
        Ok(changes)
    }
}
