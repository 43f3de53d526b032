//! Entities of services, kinds, workspaces, teams and orders.

use serde_json::{Value, json};

use super::{Entity, PREFIX, TEMPLATES_FOLDER, definition::definition, reference};
use crate::portal::{
    directory::{Directory, category},
    names,
    site::{KindInput, OrderInput, ServiceInput, Site},
};

/// Everything on the site but the templates, which the first entity, a Location, leads to.
#[must_use]
pub fn entities(site: &Site) -> Vec<Entity> {
    let directory = Directory::of(site);
    let directory = &directory;
    let mut entities = vec![location(directory)];
    entities.extend(directory.domains.iter().map(|(category, name)| domain(directory, category, name)));
    entities.extend(directory.teams.iter().map(|(team, name)| group_of_team(directory, team, name)));
    entities.extend(groups_of_workspaces(directory));
    for (name, service) in directory.services.values() {
        entities.push(system(directory, name, service));
        entities.push(component(directory, name, service));
    }
    entities.extend(directory.kinds.values().map(|(name, service, kind)| api(directory, name, service, kind)));
    entities.extend(directory.orders.values().map(|(name, order)| resource(directory, name, order)));
    entities
}

fn location(directory: &Directory<'_>) -> Entity {
    let mut targets: Vec<_> =
        directory.kinds.values().map(|(name, _, _)| format!("./{TEMPLATES_FOLDER}/{name}.yaml")).collect();
    targets.sort();
    let name = names::assign([(String::new(), directory.site.name.clone())]).into_values().next().unwrap_or_default();
    Entity::new("Location", &name, &directory.site.name, directory.site, json!({"targets": targets}))
        .described("What can be ordered from the platform.")
}

fn domain(directory: &Directory<'_>, category: &str, name: &str) -> Entity {
    let owner = reference("group", directory.team(directory.site.owner()));
    Entity::new("Domain", name, category, directory.site, json!({"owner": owner})).tagged(category)
}

fn group_of_team(directory: &Directory<'_>, team: &str, name: &str) -> Entity {
    let spec = json!({"type": "team", "children": []});
    Entity::new("Group", name, team, directory.site, spec)
}

fn groups_of_workspaces<'a>(directory: &'a Directory<'_>) -> impl Iterator<Item = Entity> + 'a {
    directory.workspaces.iter().map(|(path, (name, owner))| {
        let spec = json!({"type": "workspace", "children": [], "parent": directory.workspace_above(path).map(|(_, name)| reference("group", name))});
        let team = format!("group:default/{}", directory.team(owner));
        Entity::new("Group", name, path.as_str(), directory.site, spec)
            .annotated("workspace", path.as_str())
            .annotated("team", &team)
            .linked(&directory.site.workspace_url(path), "Kubernetes API")
    })
}

fn system(directory: &Directory<'_>, name: &str, service: &ServiceInput) -> Entity {
    let spec = json!({
        "owner": reference("group", directory.team(&service.owner)),
        "domain": directory.domain(service).map(|name| reference("domain", name)),
    });
    with_details(Entity::new("System", name, &service.title(), directory.site, spec), service)
}

fn component(directory: &Directory<'_>, name: &str, service: &ServiceInput) -> Entity {
    let spec = json!({
        "type": "service",
        "lifecycle": service.lifecycle(),
        "owner": reference("group", directory.team(&service.owner)),
        "system": reference("system", name),
        "providesApis": directory.kinds_of(service).map(|name| reference("api", name)).collect::<Vec<_>>(),
    });
    let mut entity = with_details(Entity::new("Component", name, &service.title(), directory.site, spec), service);
    for (key, value) in &service.entry.labels {
        // What Backstage and we say of an entity is not the provider's to say.
        let is_ours = key.starts_with("backstage.io/") || key.starts_with(PREFIX);
        if names::is_label_key(key) && names::is_name(value) && !is_ours {
            entity.metadata.labels.insert(key.clone(), value.clone());
        }
    }
    entity.annotated("workspace", service.entry.export.workspace.as_str())
}

fn api(directory: &Directory<'_>, name: &str, service: &ServiceInput, kind: &KindInput) -> Entity {
    let system = directory.services.get(&service.key()).map(|(name, _)| reference("system", name));
    let spec = json!({
        "type": "openapi",
        "lifecycle": service.lifecycle(),
        "owner": reference("group", directory.team(&service.owner)),
        "system": system,
        "definition": definition(directory.site, service, kind),
    });
    let title = format!("{} {}", kind.kind, kind.version);
    let description = kind.schema.get("description").and_then(Value::as_str).unwrap_or_default();
    Entity::new("API", name, &title, directory.site, spec)
        .described(description)
        .annotated("kind", &kind.kind)
        .annotated("api-version", &kind.api_version())
        .tagged(&kind.kind)
}

/// What may be known of an order: where it is, what it is, and whether it is ready.
fn resource(directory: &Directory<'_>, name: &str, order: &OrderInput) -> Entity {
    let service = directory.service_of(order).map(|(name, _)| name);
    let spec = json!({
        "type": names::tag(&order.kind).unwrap_or_else(|| "order".into()),
        "owner": directory.workspace(&order.workspace).map(|name| reference("group", name)),
        "system": service.map(|name| reference("system", name)),
        "dependsOn": service.map(|name| vec![reference("component", name)]),
    });
    let (ready, reason) = order.readiness();
    let mut entity = Entity::new("Resource", name, &order.title(), directory.site, spec)
        .labelled("ready", ready)
        .annotated("workspace", order.workspace.as_str())
        .annotated("kind", &order.kind)
        .tagged(&order.kind);
    let namespace = order.namespace.as_deref();
    let created = order.created_text();
    let uid = Some(order.uid.as_str()).filter(|uid| !uid.is_empty());
    for (key, value) in [("namespace", namespace), ("reason", reason), ("created", created.as_deref()), ("uid", uid)] {
        if let Some(value) = value {
            entity = entity.annotated(key, value);
        }
    }
    entity
}

fn with_details(mut entity: Entity, service: &ServiceInput) -> Entity {
    if let Some(details) = &service.entry.details {
        entity = entity
            .described(&details.description)
            .linked(&details.documentation_url, "Documentation")
            .tagged(category(service));
    }
    entity
}
