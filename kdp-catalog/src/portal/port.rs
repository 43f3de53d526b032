//! The catalog as Port reads it: blueprints, entities, and a self-service action for every kind.
//!
//! There are four blueprints, [`SERVICE`], [`KIND`], [`WORKSPACE`] and [`ORDER`]. Everything can be
//! sent to Port's API as it is: blueprints first, then entities in the given order, then actions.
//!
//! An action asks for a workspace, a name, and what the kind's schema has. Port then calls what
//! [`Invocation`] names, with the manifest and who asked for it. What is called has to check Port's
//! signature and to place the order with the rights of that user, by impersonation for example: Port
//! has no token of the user for the Kubernetes API.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Error, Site,
    directory::{Directory, category},
    names,
};

mod action;

/// Blueprint of services.
pub const SERVICE: &str = "kdpService";
/// Blueprint of kinds.
pub const KIND: &str = "kdpKind";
/// Blueprint of workspaces.
pub const WORKSPACE: &str = "kdpWorkspace";
/// Blueprint of orders.
pub const ORDER: &str = "kdpOrder";

/// Everything Port is to know.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Export {
    /// What there is.
    pub blueprints: Vec<Blueprint>,
    /// The things, those first that others relate to.
    pub entities: Vec<Entity>,
    /// What people can do.
    pub actions: Vec<Action>,
}

/// A sort of thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Blueprint {
    /// Identifier, at most 30 characters.
    pub identifier: &'static str,
    /// Name for people, at most 30 characters.
    pub title: &'static str,
    /// One of Port's pictures.
    pub icon: &'static str,
    /// What its things have.
    pub schema: BlueprintSchema,
    /// What its things relate to.
    pub relations: BTreeMap<&'static str, Relation>,
    /// What its things show of what they relate to.
    pub mirror_properties: BTreeMap<&'static str, MirrorProperty>,
    /// What Port computes; nothing.
    pub calculation_properties: Map<String, Value>,
}

/// What the things of a blueprint have.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BlueprintSchema {
    /// By name, in JSON Schema.
    pub properties: Map<String, Value>,
    /// Names of those that each thing has.
    pub required: Vec<&'static str>,
}

/// What the things of a blueprint relate to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Relation {
    /// Name for people.
    pub title: &'static str,
    /// The other blueprint.
    pub target: &'static str,
    /// Whether each thing has it.
    pub required: bool,
    /// Whether it may be several.
    pub many: bool,
}

/// A property of a related thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MirrorProperty {
    /// Name for people.
    pub title: &'static str,
    /// Relation and property, joined by a dot.
    pub path: &'static str,
}

/// One thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Entity {
    /// Identifier, unique in its blueprint.
    pub identifier: String,
    /// Name for people.
    pub title: String,
    /// Its blueprint.
    pub blueprint: &'static str,
    /// What it has.
    pub properties: Map<String, Value>,
    /// What it relates to.
    pub relations: BTreeMap<&'static str, Option<String>>,
}

/// Something people can do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Action {
    /// Identifier.
    pub identifier: String,
    /// Name for people.
    pub title: String,
    /// One of Port's pictures.
    pub icon: &'static str,
    /// More for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When it happens, and what is asked for.
    pub trigger: Trigger,
    /// What is called.
    pub invocation_method: Value,
    /// Whether somebody has to agree first.
    pub required_approval: bool,
}

/// When an action happens, and what is asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Trigger {
    /// `self-service`: somebody asks for it.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// `CREATE`.
    pub operation: &'static str,
    /// What it makes one of.
    pub blueprint_identifier: &'static str,
    /// The form, in JSON Schema.
    pub user_inputs: UserInputs,
}

/// The form of an action.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UserInputs {
    /// By name, in JSON Schema.
    pub properties: Map<String, Value>,
    /// Names of those without which nothing happens.
    pub required: Vec<String>,
    /// Names in the order they are asked for.
    pub order: Vec<String>,
}

/// What Port calls when somebody orders.
///
/// Port also knows pipelines of GitHub, GitLab and Azure DevOps, which take the same body as inputs;
/// they are not offered here, since a pipeline cannot tell that a call is Port's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invocation {
    /// `WEBHOOK`: a POST to this address, signed by Port.
    Webhook {
        /// The address.
        url: String,
        /// Whether Port's agent in the own network makes the call.
        by_agent: bool,
    },
    /// `KAFKA`: a message in the topic that Port keeps for its customer.
    Kafka,
}

impl Invocation {
    /// A call that Port makes itself.
    ///
    /// # Errors
    /// When the address is not one of HTTP.
    pub fn webhook(url: &str) -> Result<Self, Error> {
        if names::is_web_url(url) {
            Ok(Self::Webhook { url: url.into(), by_agent: false })
        } else {
            Err(Error::Url { url: url.into() })
        }
    }
}

/// Everything on the site, with actions that call `invocation`.
#[must_use]
pub fn export(site: &Site, invocation: &Invocation) -> Export {
    let directory = Directory::of(site);
    let kinds = directory.kinds.values();
    let mut actions: Vec<_> =
        kinds.map(|(name, service, kind)| action::order(name, service, kind, invocation)).collect();
    actions.sort_by(|a, b| a.identifier.cmp(&b.identifier));
    Export { blueprints: blueprints(), entities: entities(&directory), actions }
}

fn blueprints() -> Vec<Blueprint> {
    let text = |title: &str| json!({"type": "string", "title": title});
    let url = |title: &str| json!({"type": "string", "format": "url", "title": title});
    let ready = json!({"type": "string", "title": "Ready", "enum": ["True", "False", "Unknown"],
        "enumColors": {"True": "green", "False": "red", "Unknown": "lightGray"}});
    let to = |title, target| Relation { title, target, required: false, many: false };
    let blueprint = |identifier, title, icon, properties: Value, required, relations| Blueprint {
        identifier,
        title,
        icon,
        schema: BlueprintSchema { properties: object(properties), required },
        relations: BTreeMap::from_iter::<Vec<_>>(relations),
        mirror_properties: BTreeMap::new(),
        calculation_properties: Map::new(),
    };
    let workspace = json!({"path": text("Path"), "api": url("Kubernetes API"), "owner": text("Team")});
    let service = json!({
        "description": {"type": "string", "format": "markdown", "title": "Description"},
        "category": text("Category"), "documentation": url("Documentation"),
        "lifecycle": text("Lifecycle"), "owner": text("Team"),
    });
    let kind = json!({"apiVersion": text("API version"), "kind": text("Kind"), "plural": text("Plural")});
    let order = json!({
        "kind": text("Kind"), "namespace": text("Namespace"), "name": text("Name"), "uid": text("UID"), "ready": ready,
        "reason": text("Reason"), "created": {"type": "string", "format": "date-time", "title": "Created"},
    });
    let mut orders = blueprint(
        ORDER,
        "Order",
        "Package",
        order,
        vec!["kind", "name", "ready"],
        vec![("workspace", to("Workspace", WORKSPACE)), ("service", to("Service", SERVICE))],
    );
    let path = "service.lifecycle";
    orders.mirror_properties.insert("serviceLifecycle", MirrorProperty { title: "Service lifecycle", path });
    vec![
        blueprint(
            WORKSPACE,
            "Workspace",
            "Environment",
            workspace,
            vec!["path"],
            vec![("parent", to("Parent", WORKSPACE))],
        ),
        blueprint(
            SERVICE,
            "Service",
            "Service",
            service,
            vec!["lifecycle"],
            vec![("provider", to("Provider", WORKSPACE))],
        ),
        blueprint(
            KIND,
            "Kind",
            "Blueprint",
            kind,
            vec!["apiVersion", "kind"],
            vec![("service", to("Service", SERVICE))],
        ),
        orders,
    ]
}

fn entities(directory: &Directory<'_>) -> Vec<Entity> {
    // A workspace is known by its path, which says where an order goes; parents come before children.
    let workspaces = directory.workspaces.iter().map(|(path, (_, owner))| Entity {
        identifier: path.to_string(),
        title: path.base().to_owned(),
        blueprint: WORKSPACE,
        properties: object(json!({
            "path": path, "api": directory.site.workspace_url(path), "owner": names::readable(owner),
        })),
        relations: BTreeMap::from([("parent", directory.workspace_above(path).map(|(path, _)| path.to_string()))]),
    });
    let services = directory.services.values().map(|(name, service)| {
        let details = service.entry.details.as_ref();
        let description = details.map(|details| names::readable(&details.description));
        let documentation = details.map(|details| details.documentation_url.as_str());
        Entity {
            identifier: name.clone(),
            title: service.title(),
            blueprint: SERVICE,
            properties: object(json!({
                "description": description.filter(|text| !text.is_empty()),
                "category": Some(names::readable(category(service))).filter(|text| !text.is_empty()),
                "documentation": documentation.filter(|url| names::is_web_url(url)),
                "lifecycle": service.lifecycle(),
                "owner": names::readable(directory.site.or_owner(&service.owner)),
            })),
            relations: BTreeMap::from([("provider", Some(service.entry.export.workspace.to_string()))]),
        }
    });
    let kinds = directory.kinds.values().map(|(name, service, kind)| Entity {
        identifier: name.clone(),
        title: format!("{} {}", kind.kind, kind.version),
        blueprint: KIND,
        properties: object(json!({"apiVersion": kind.api_version(), "kind": kind.kind, "plural": kind.plural})),
        relations: BTreeMap::from([("service", directory.services.get(&service.key()).map(|(name, _)| name.clone()))]),
    });
    let orders = directory.orders.values().map(|(name, order)| {
        let (ready, reason) = order.readiness();
        Entity {
            identifier: name.clone(),
            title: order.title(),
            blueprint: ORDER,
            properties: object(json!({
                "kind": names::readable(&order.kind),
                "namespace": order.namespace.as_deref().map(names::readable),
                "name": order.title(),
                "uid": Some(names::readable(&order.uid)).filter(|uid| !uid.is_empty()),
                "ready": ready,
                "reason": reason,
                "created": order.created_text(),
            })),
            relations: BTreeMap::from([
                ("workspace", Some(order.workspace.to_string())),
                ("service", directory.service_of(order).map(|(name, _)| name.to_owned())),
            ]),
        }
    });
    workspaces.chain(services).chain(kinds).chain(orders).collect()
}

/// The fields of an object that are not null.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
