//! The published resources that are tried, and where their objects are.

use std::{rc::Rc, sync::Arc};

use serde_json::{Value, json};

use crate::{
    api::{PublishedResourceSpec, Scope},
    engine::{FoundKind, Kinds, ObjectKey, OrderKey, Place, Plan, PlanOptions, needed_kinds},
    hash,
    object::ResourceType,
    publish::Projection,
};

/// A published resource, and the agents it is tried with.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// One for each agent of a name; an order is the first one's, or the one's that its filter says.
    pub(super) plans: Vec<Rc<Plan>>,
    pub(super) orders: Vec<OrderKey>,
    naming: Naming,
    pub(super) is_filtered: bool,
    pub(super) has_configs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Naming {
    Default,
    /// All in one namespace, with names that tell workspaces apart.
    Shared,
    /// All in one namespace, with the names that tenants have chosen.
    Colliding,
    ClusterScoped,
}

pub(super) const SHAPES: usize = 6;

impl Shape {
    pub(super) fn new(which: usize) -> Self {
        let names: &[&str] = &["db", "web"];
        let namespaced = orders(&[Some("default"), Some("other")], names);
        match which % SHAPES {
            0 => Self::of("related objects in both directions", Naming::Default, namespaced, &[json!({})]),
            1 => Self::of("a shared namespace", Naming::Shared, namespaced, &[json!({})]),
            2 => Self::of("cluster-scoped", Naming::ClusterScoped, orders(&[None], names), &[json!({})]),
            3 => {
                let filter = json!({
                    "resource": {"matchLabels": {"plan": "gold"}},
                    "namespace": {"matchLabels": {"open": "yes"}},
                });
                let filtered = Self::of("filters", Naming::Default, namespaced, &[json!({"filter": filter})]);
                Self { is_filtered: true, ..filtered }
            }
            4 => Self::of("colliding names", Naming::Colliding, namespaced, &[json!({})]),
            _ => {
                let filter = |operator: &str| {
                    let odd = json!({"key": "odd", "operator": operator});
                    json!({"filter": {"resource": {"matchExpressions": [odd]}}})
                };
                let filters = [filter("DoesNotExist"), filter("Exists")];
                Self::of("two agents with filters that exclude each other", Naming::Default, namespaced, &filters)
            }
        }
    }

    fn of(name: &'static str, naming: Naming, orders: Vec<OrderKey>, variants: &[Value]) -> Self {
        let plan = |(at, fields): (usize, &Value)| {
            let mut fields = fields.as_object().unwrap().clone();
            fields.extend(naming.fields().as_object().unwrap().clone());
            Rc::new(plan(&Value::Object(fields), naming.scope(), &format!("agent-{at}")))
        };
        let plans = variants.iter().enumerate().map(plan).collect();
        Self { name, plans, orders, naming, is_filtered: false, has_configs: naming == Naming::Default }
    }

    pub(super) fn order(&self, order: usize) -> ObjectKey {
        self.plans[0].order_object(&self.orders[order])
    }

    /// Labels that an order has from the start.
    pub(super) fn labels(&self, order: usize) -> Value {
        if self.plans.len() > 1 && order % 2 == 1 { json!({"odd": "yes"}) } else { json!({}) }
    }

    pub(super) fn copy(&self, order: usize) -> ObjectKey {
        let OrderKey { cluster, namespace, name } = &self.orders[order];
        let types = Arc::new(databases());
        let namespace = namespace.as_deref().unwrap_or_default();
        let (namespace, name) = match self.naming {
            Naming::Default => {
                let short = |text| hash::sha3(text)[..hash::SHORT].to_owned();
                (Some(cluster.to_string()), format!("{}-{}", short(namespace), short(name)))
            }
            Naming::Shared => (Some("shared".to_owned()), format!("{cluster}-{namespace}-{name}")),
            Naming::Colliding => (Some("shared".to_owned()), name.clone()),
            Naming::ClusterScoped => (None, format!("{cluster}-{name}")),
        };
        ObjectKey { place: Place::Service, types, namespace, name }
    }

    /// The credentials that the operator makes.
    pub(super) fn credentials(&self, order: usize) -> ObjectKey {
        let copy = self.copy(order);
        let namespace = copy.namespace.unwrap_or_else(|| self.orders[order].cluster.to_string());
        secret(Place::Service, &namespace, &format!("{}-credentials", copy.name))
    }

    /// The credentials that the tenant gets.
    pub(super) fn delivered(&self, order: usize) -> ObjectKey {
        let OrderKey { cluster, namespace, name } = &self.orders[order];
        let namespace = namespace.as_deref().unwrap_or("default");
        secret(Place::Workspace(cluster.clone()), namespace, &format!("{name}-credentials"))
    }

    /// A ConfigMap in the order's namespace.
    pub(super) fn config(&self, order: usize, config: usize) -> ObjectKey {
        let OrderKey { cluster, namespace, .. } = &self.orders[order];
        config_map(Place::Workspace(cluster.clone()), namespace.as_deref().unwrap_or("default"), &config_name(config))
    }

    pub(super) fn config_copy(&self, order: usize, config: usize) -> ObjectKey {
        let OrderKey { cluster, namespace, .. } = &self.orders[order];
        let name = format!("{}-{}", namespace.as_deref().unwrap_or_default(), config_name(config));
        config_map(Place::Service, cluster.as_str(), &name)
    }

    pub(super) fn namespace(&self, order: usize) -> Option<ObjectKey> {
        let OrderKey { cluster, namespace, .. } = &self.orders[order];
        Some(ObjectKey {
            place: Place::Workspace(cluster.clone()),
            types: Arc::new(ResourceType::namespaces()),
            namespace: None,
            name: namespace.clone()?,
        })
    }

    /// Whether two orders can have no copy at the same time.
    pub(super) fn collide(&self, one: usize, other: usize) -> bool {
        one != other && self.copy(one) == self.copy(other)
    }
}

pub(super) const CONFIGS: usize = 2;

pub(super) fn config_name(config: usize) -> String {
    format!("config-{config}")
}

impl Naming {
    fn scope(self) -> Scope {
        if self == Self::ClusterScoped { Scope::Cluster } else { Scope::Namespaced }
    }

    fn fields(self) -> Value {
        let mut credentials = json!({
            "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
            "object": {"template": {"template": "{{ .Object.metadata.name }}-credentials"}},
        });
        match self {
            Self::Default => {
                // What the order refers to has the namespace in its name, because the copies of
                // all of a workspace's objects are in one.
                let configs = json!({
                    "identifier": "config", "origin": "kcp", "kind": "ConfigMap",
                    "object": {"template": {"template":
                        "{{ if .Object.spec.config }}{{ if eq .Side \"service\" }}{{ .Object.spec.place }}-{{ end }}{{ .Object.spec.config }}{{ end }}"
                    }},
                });
                json!({"related": [credentials, configs]})
            }
            Self::Shared => {
                credentials["object"] = selected();
                let name = "{{ .ClusterName }}-{{ .Object.metadata.namespace }}-{{ .Object.metadata.name }}";
                json!({"naming": {"namespace": "shared", "name": name}, "related": [credentials]})
            }
            Self::Colliding => {
                credentials["object"] = selected();
                let naming = json!({"namespace": "shared", "name": "{{ .Object.metadata.name }}"});
                json!({"naming": naming, "related": [credentials]})
            }
            Self::ClusterScoped => {
                let namespace = "{{ if eq .Side \"kcp\" }}default{{ else }}{{ .ClusterName }}{{ end }}";
                credentials["object"]["namespace"] = json!({"template": {"template": namespace}});
                let name = "{{ .ClusterName }}-{{ .Object.metadata.name }}";
                json!({"naming": {"name": name}, "related": [credentials]})
            }
        }
    }
}

/// Credentials where workspaces share a namespace.
fn selected() -> Value {
    json!({"selector": {
        "matchLabels": {"for": "{{ .ClusterName }}", "of": "{{ .LocalObject.metadata.name }}"},
        "rewrite": {"template": {"template": "{{ .RemoteObject.metadata.name }}-credentials"}},
    }})
}

fn orders(namespaces: &[Option<&str>], names: &[&str]) -> Vec<OrderKey> {
    let mut orders = Vec::new();
    for cluster in ["tenanta", "tenantb"] {
        for namespace in namespaces {
            for name in names {
                orders.push(OrderKey {
                    cluster: cluster.parse().unwrap(),
                    namespace: namespace.map(Into::into),
                    name: (*name).into(),
                });
            }
        }
    }
    orders
}

fn plan(fields: &Value, scope: Scope, agent: &str) -> Plan {
    let mut spec = json!({"resource": {"apiGroup": "example.com", "kind": "Database"}});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let spec: PublishedResourceSpec = serde_json::from_value(spec).unwrap();
    let projection = Projection {
        spec: Value::Null,
        generation: 1,
        local: databases(),
        local_scope: scope,
        remote: databases(),
        remote_scope: scope,
        has_status: true,
    };
    let kind = |plural: &str| {
        let kind = if plural == "secrets" { "Secret" } else { "ConfigMap" };
        FoundKind { kind: kind.into(), scope: Scope::Namespaced }
    };
    let kinds: Kinds = needed_kinds(&spec).into_iter().map(|needed| (needed.clone(), kind(&needed.plural))).collect();
    let options = PlanOptions { agent: agent.into(), state_namespace: format!("{agent}-state") };
    Plan::compile(&spec, &projection, &kinds, &options).unwrap()
}

fn databases() -> ResourceType {
    ResourceType {
        group: "example.com".into(),
        version: "v1".into(),
        kind: "Database".into(),
        plural: "databases".into(),
    }
}

fn secret(place: Place, namespace: &str, name: &str) -> ObjectKey {
    key(place, ResourceType::secrets(), namespace, name)
}

fn config_map(place: Place, namespace: &str, name: &str) -> ObjectKey {
    key(place, ResourceType::core("ConfigMap", "configmaps"), namespace, name)
}

fn key(place: Place, types: ResourceType, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { place, types: Arc::new(types), namespace: Some(namespace.into()), name: name.into() }
}
