//! Who binds which export, and what that lets the export's provider reach.

use std::collections::{BTreeMap, HashMap, HashSet};

use kdp_core::LogicalClusterName;
use serde_json::Value;

use super::{object::str_at, surface::ExportId};
use crate::store::Revision;

/// How many ended bindings are remembered, for watches that are a little behind.
const REMEMBERED: usize = 4096;

type Resource = (String, String);

/// What a provider may do with a resource of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing.
    None,
    /// Everything: it is one of the export's own resources.
    Own,
    /// These verbs, by a claim that the consumer accepted.
    Claimed(HashSet<String>),
}

impl Reach {
    pub(crate) fn allows(&self, verb: &str) -> bool {
        match self {
            Self::None => false,
            Self::Own => true,
            Self::Claimed(verbs) => verbs.contains("*") || verbs.contains(verb),
        }
    }
}

/// One binding, as its export's provider sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consumer {
    export: ExportId,
    resources: HashSet<Resource>,
    claims: HashMap<Resource, HashSet<String>>,
}

impl Consumer {
    /// What a binding grants; `None` while it is not bound.
    pub(crate) fn of(binding: &Value) -> Option<Self> {
        let export = bound_export(binding)?;
        let resource = |of: &Value| (str_at(of, &["group"]).to_owned(), str_at(of, &["resource"]).to_owned());
        let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let claims = items(&binding["status"]["appliedPermissionClaims"])
            .iter()
            // Claims for some objects only need the marks of claimed objects, which are not made here yet.
            .filter(|claim| claim["selector"]["matchAll"].as_bool() == Some(true))
            .map(|claim| {
                let verbs = items(&claim["verbs"]).iter().filter_map(|verb| verb.as_str().map(Into::into)).collect();
                (resource(claim), verbs)
            })
            .collect();
        let resources = items(&binding["status"]["boundResources"]).iter().map(resource).collect();
        Some(Self { export, resources, claims })
    }

    /// Whether this lets the provider of `export` reach anything of a resource.
    pub(crate) fn reaches(&self, export: &ExportId, group: &str, plural: &str) -> bool {
        self.export == *export && self.reach(&(group.to_owned(), plural.to_owned())) != Reach::None
    }

    fn reach(&self, resource: &Resource) -> Reach {
        if self.resources.contains(resource) {
            return Reach::Own;
        }
        self.claims.get(resource).cloned().map_or(Reach::None, Reach::Claimed)
    }
}

/// The export a binding is bound to; `None` while it is not bound.
pub(crate) fn bound_export(binding: &Value) -> Option<ExportId> {
    let cluster = str_at(binding, &["status", "apiExportClusterName"]);
    let name = str_at(binding, &["spec", "reference", "export", "name"]);
    let bound = str_at(binding, &["status", "phase"]) == "Bound";
    (bound && !cluster.is_empty()).then(|| ExportId { cluster: cluster.into(), name: name.into() })
}

/// Every binding, by export and consumer.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    by_export: HashMap<ExportId, BTreeMap<LogicalClusterName, HashMap<String, Consumer>>>,
    by_name: HashMap<(LogicalClusterName, String), ExportId>,
    ended: HashMap<(LogicalClusterName, ExportId), (Consumer, Revision)>,
}

impl Bindings {
    /// Says what the binding `name` of `cluster` grants since `revision`.
    pub(crate) fn set(
        &mut self,
        cluster: &LogicalClusterName,
        name: &str,
        consumer: Option<Consumer>,
        revision: Revision,
    ) {
        let key = (cluster.clone(), name.to_owned());
        if let Some(export) = self.by_name.remove(&key)
            && let Some(of_export) = self.by_export.get_mut(&export)
            && let Some(of_cluster) = of_export.get_mut(cluster)
        {
            let before = of_cluster.remove(name);
            if of_cluster.is_empty() {
                of_export.remove(cluster);
            }
            if of_export.is_empty() {
                self.by_export.remove(&export);
            }
            if let (Some(before), None) = (before, &consumer) {
                if self.ended.len() >= REMEMBERED {
                    self.ended.clear();
                }
                self.ended.insert((cluster.clone(), export), (before, revision));
            }
        }
        if let Some(consumer) = consumer {
            self.ended.remove(&(cluster.clone(), consumer.export.clone()));
            self.by_name.insert(key, consumer.export.clone());
            let of_export = self.by_export.entry(consumer.export.clone()).or_default();
            of_export.entry(cluster.clone()).or_default().insert(name.into(), consumer);
        }
    }

    pub(crate) fn has_consumers(&self, export: &ExportId) -> bool {
        self.by_export.contains_key(export)
    }

    /// The export that the binding `name` of `cluster` is bound to.
    pub(crate) fn export_of(&self, cluster: &LogicalClusterName, name: &str) -> Option<ExportId> {
        self.by_name.get(&(cluster.clone(), name.to_owned())).cloned()
    }

    pub(crate) fn name_of(&self, export: &ExportId, cluster: &LogicalClusterName) -> Option<String> {
        self.by_export.get(export)?.get(cluster)?.keys().next().cloned()
    }

    /// The bindings to an export, as logical cluster and name.
    pub(crate) fn of(&self, export: &ExportId) -> Vec<(LogicalClusterName, String)> {
        let of_export = self.by_export.get(export).into_iter().flatten();
        of_export.flat_map(|(cluster, names)| names.keys().map(|name| (cluster.clone(), name.clone()))).collect()
    }

    pub(crate) fn consumers(&self, export: &ExportId) -> Vec<LogicalClusterName> {
        self.by_export.get(export).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    pub(crate) fn reach(&self, export: &ExportId, cluster: &LogicalClusterName, group: &str, plural: &str) -> Reach {
        let resource = (group.to_owned(), plural.to_owned());
        let bindings = self.by_export.get(export).and_then(|of_export| of_export.get(cluster));
        bindings
            .into_iter()
            .flat_map(HashMap::values)
            .map(|consumer| consumer.reach(&resource))
            .find(|reach| *reach != Reach::None)
            .unwrap_or(Reach::None)
    }

    pub(crate) fn reached_at(
        &self,
        export: &ExportId,
        cluster: &LogicalClusterName,
        group: &str,
        plural: &str,
        revision: Revision,
    ) -> bool {
        if self.reach(export, cluster, group, plural) != Reach::None {
            return true;
        }
        let resource = (group.to_owned(), plural.to_owned());
        let ended = self.ended.get(&(cluster.clone(), export.clone()));
        ended.is_some_and(|(consumer, at)| revision <= *at && consumer.reach(&resource) != Reach::None)
    }
}
