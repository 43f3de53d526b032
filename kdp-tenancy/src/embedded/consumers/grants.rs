//! What the bindings of one workspace let the providers of their exports reach.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use serde_json::Value;

use super::Sight;
use crate::embedded::{object::str_at, selector::ClaimSelector, surface::ExportId};

type Resource = (String, String);

/// The bindings of one workspace at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    bindings: BTreeMap<String, Consumer>,
}

/// One binding, as its export's provider sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consumer {
    pub(super) export: ExportId,
    /// The identity under which each resource is bound.
    resources: HashMap<Resource, String>,
    claims: HashMap<Resource, Vec<Claim>>,
    /// The UIDs of the schemas in use.
    pub(super) schemas: HashSet<String>,
}

/// A permission claim in force.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    /// The identity under which the resource must be bound; empty for builtin kinds.
    identity: String,
    verbs: HashSet<String>,
    selector: Arc<ClaimSelector>,
}

impl Consumer {
    /// What a binding grants; `None` while it is not bound.
    pub(crate) fn of(binding: &Value) -> Option<Self> {
        let export = bound_export(binding)?;
        let status = &binding["status"];
        let items = |field: &str| status[field].as_array().into_iter().flatten();
        let resource = |of: &Value| (str_at(of, &["group"]).to_owned(), str_at(of, &["resource"]).to_owned());
        let mut claims: HashMap<_, Vec<_>> = HashMap::new();
        for claim in items("appliedPermissionClaims") {
            // A selector that says nothing grants nothing.
            let Ok(selector) = ClaimSelector::parse(&claim["selector"]) else { continue };
            let verbs = claim["verbs"].as_array().into_iter().flatten();
            claims.entry(resource(claim)).or_default().push(Claim {
                identity: str_at(claim, &["identityHash"]).into(),
                verbs: verbs.filter_map(Value::as_str).map(Into::into).collect(),
                selector: Arc::new(selector),
            });
        }
        let identity = |bound: &Value| str_at(bound, &["schema", "identityHash"]).to_owned();
        let resources = items("boundResources").map(|bound| (resource(bound), identity(bound))).collect();
        let schemas = items("boundResources").map(|bound| str_at(bound, &["schema", "UID"]).to_owned()).collect();
        Some(Self { export, resources, claims, schemas })
    }
}

impl Grants {
    /// What these bindings of one workspace, each with its name, grant.
    pub(crate) fn of<'a>(bindings: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let consumers = bindings.into_iter().filter_map(|(name, binding)| Some((name, Consumer::of(&binding)?)));
        Self { bindings: consumers.map(|(name, consumer)| (name.to_owned(), consumer)).collect() }
    }

    /// The same, but for the binding `name`.
    pub(crate) fn with(&self, name: &str, consumer: Option<Consumer>) -> Self {
        let mut changed = self.clone();
        match consumer {
            Some(consumer) => changed.bindings.insert(name.to_owned(), consumer),
            None => changed.bindings.remove(name),
        };
        changed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// The exports that are bound.
    pub(crate) fn exports(&self) -> impl Iterator<Item = &ExportId> {
        self.bindings.values().map(|consumer| &consumer.export)
    }

    /// The name of the binding to an export.
    pub(crate) fn binding_to(&self, export: &ExportId) -> Option<&str> {
        self.bindings.iter().find(|(_, consumer)| consumer.export == *export).map(|(name, _)| &**name)
    }

    pub(super) fn consumer(&self, name: &str) -> Option<&Consumer> {
        self.bindings.get(name)
    }

    /// Which objects of a resource the provider of `export` may treat with `verb`.
    pub(crate) fn sight(&self, export: &ExportId, group: &str, plural: &str, verb: &str) -> Sight {
        let resource = (group.to_owned(), plural.to_owned());
        // Whether or not the consumer accepted any claim, a provider may see who binds its export.
        let always = match (group, plural, verb) {
            ("apis.kcp.io", "apibindings", "get" | "list" | "watch") if self.binding_to(export).is_some() => {
                Sight::BindingsTo(export.clone())
            }
            _ => Sight::Nothing,
        };
        let identity = self.bindings.values().find_map(|consumer| consumer.resources.get(&resource));
        let consumers = self.bindings.values().filter(|consumer| consumer.export == *export);
        consumers.fold(always, |sight, consumer| {
            if consumer.resources.contains_key(&resource) {
                return Sight::Everything;
            }
            let claims = consumer.claims.get(&resource).into_iter().flatten();
            let claim = claims
                .filter(|claim| claim.verbs.contains("*") || claim.verbs.contains(verb))
                .find(|claim| claim.identity == identity.map_or("", String::as_str));
            match claim.map(|claim| &claim.selector) {
                None => sight,
                Some(selector) if **selector == ClaimSelector::All => Sight::Everything,
                Some(selector) => sight.or(Sight::Claimed(selector.clone())),
            }
        })
    }
}

/// The export a binding is bound to; `None` while it is not bound.
pub(crate) fn bound_export(binding: &Value) -> Option<ExportId> {
    let cluster = str_at(binding, &["status", "apiExportClusterName"]);
    let name = str_at(binding, &["spec", "reference", "export", "name"]);
    let bound = str_at(binding, &["status", "phase"]) == "Bound";
    (bound && !cluster.is_empty()).then(|| ExportId { cluster: cluster.into(), name: name.into() })
}
