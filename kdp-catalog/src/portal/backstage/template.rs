//! A template for every kind: the form that asks for an order, and the step that places it.

use serde_json::{Value, json};

use super::{Entity, reference};
use crate::portal::{
    directory::{Directory, category},
    names, schema_form,
    site::{KindInput, ServiceInput, Site},
};

/// The scaffolder action that places an order.
pub const ORDER_ACTION: &str = "kdp:order";

/// Labels of RFC 1123: names of orders, of namespaces, and the parts of a workspace's path.
const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

/// One template for every kind, in order of their names.
#[must_use]
pub fn templates(site: &Site) -> Vec<Entity> {
    let directory = Directory::of(site);
    let mut templates: Vec<_> =
        directory.kinds.values().map(|(name, service, kind)| template(&directory, name, service, kind)).collect();
    templates.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    templates
}

fn template(directory: &Directory<'_>, name: &str, service: &ServiceInput, kind: &KindInput) -> Entity {
    let form = schema_form::order_form(&kind.schema);
    let has_fields = form["properties"].as_object().is_some_and(|fields| !fields.is_empty())
        || form.get("additionalProperties").is_some();
    let mut pages = vec![place(kind)];
    if has_fields {
        pages.push(fields(form));
    }
    let spec = json!({
        "type": "order",
        "owner": reference("group", directory.team(&service.owner)),
        "lifecycle": service.lifecycle(),
        "parameters": pages,
        "steps": [step(directory.site, kind, has_fields)],
        "output": {"text": [{
            "title": "Ordered",
            "content": format!("{} `${{{{ steps.order.output.name }}}}` in `${{{{ parameters.workspace }}}}`", kind.kind),
        }]},
    });
    let title = format!("Order {} ({})", kind.kind, kind.version);
    let mut template = Entity::new("Template", name, &title, directory.site, spec)
        .described(kind.schema.get("description").and_then(Value::as_str).unwrap_or_default())
        .annotated("kind", &kind.kind)
        .annotated("api-version", &kind.api_version())
        .tagged(category(service))
        .tagged(&kind.kind);
    template.api_version = "scaffolder.backstage.io/v1beta3";
    template
}

/// The page that asks where the order goes and what it is called.
fn place(kind: &KindInput) -> Value {
    let label = |title: &str, description: &str| {
        json!({
            "title": title, "description": description, "type": "string",
            "minLength": 1, "maxLength": names::NAME_MAX, "pattern": format!("^{LABEL}$"),
        })
    };
    let mut properties = json!({
        "workspace": {
            "title": "Workspace", "description": "Path of the workspace, such as root:acme.", "type": "string",
            "minLength": 1, "pattern": format!("^{LABEL}(:{LABEL})*$"), "ui:autofocus": true,
        },
        "name": label("Name", "Lower-case letters, digits and '-'."),
    });
    let mut order = vec!["workspace", "name"];
    if kind.namespaced {
        properties["namespace"] = label("Namespace", "It has to exist in the workspace.");
        properties["namespace"]["default"] = "default".into();
        order.insert(1, "namespace");
    }
    json!({"title": "Where", "type": "object", "required": order, "properties": properties, "ui:order": order})
}

/// The page that asks for what the kind's schema has.
fn fields(mut form: Value) -> Value {
    form["title"] = "Settings".into();
    json!({"title": "What", "type": "object", "required": ["fields"], "properties": {"fields": form}})
}

fn step(site: &Site, kind: &KindInput, has_fields: bool) -> Value {
    // What is put between the braces are our own words; a kind's names have no braces in them.
    let mut input = json!({
        "clusterUrl": site.base_url(),
        "workspace": "${{ parameters.workspace }}",
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "plural": kind.plural,
        "name": "${{ parameters.name }}",
    });
    if kind.namespaced {
        input["namespace"] = "${{ parameters.namespace }}".into();
    }
    if has_fields {
        input["fields"] = "${{ parameters.fields }}".into();
    }
    json!({"id": "order", "name": format!("Order {}", kind.kind), "action": ORDER_ACTION, "input": input})
}
