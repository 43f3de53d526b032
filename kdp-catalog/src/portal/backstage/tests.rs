use kdp_core::condition::Condition;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    CatalogEntry, Details, ExportLocation,
    portal::{Error, KindInput, OrderInput, ServiceInput, WorkspaceInput},
};

const LOCATION: &str = "url:https://git.example.com/portal/catalog-info.yaml";

fn service(name: &str, provider: &str) -> ServiceInput {
    let location = ExportLocation::new(provider.parse().unwrap(), "c1".parse().unwrap(), name);
    let mut entry = CatalogEntry::at(location);
    entry.details = Some(Details {
        title: "Databases".into(),
        category: "Data & Storage".into(),
        documentation_url: "https://docs.example.com/db".into(),
        ..Details::default()
    });
    let spec = json!({"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}});
    let schema = json!({"type": "object", "description": "A database.", "properties": {"spec": spec}});
    let kind = KindInput::new(name, "v1", "Postgres", "postgreses").unwrap().with_schema(schema);
    ServiceInput::new(entry).with_kinds([kind]).with_owner("dba")
}

fn order(name: &str) -> OrderInput {
    let mut order = OrderInput::new("root:acme:dev".parse().unwrap(), "db.example.com", "Postgres", name);
    order.namespace = Some("default".into());
    order.uid = "8a9d".into();
    order.conditions = vec![Condition::fails("Ready", "NoSpace", "password hunter2 was refused")];
    order.created = Some("2026-11-25T10:00:00Z".parse().unwrap());
    order
}

fn site() -> Site {
    let mut site = Site::new("https://kdp.example.com/", LOCATION).unwrap();
    site.services.push(service("db.example.com", "root:databases"));
    site.orders.push(order("orders"));
    site.workspaces.push(WorkspaceInput::new("root:acme".parse().unwrap(), "acme"));
    site
}

fn named<'a>(entities: &'a [Entity], kind: &str, name: &str) -> &'a Entity {
    let found = entities.iter().find(|entity| entity.kind == kind && entity.metadata.name == name);
    found.unwrap_or_else(|| {
        panic!("no {kind} {name} in {:?}", entities.iter().map(|e| (e.kind, &e.metadata.name)).collect::<Vec<_>>())
    })
}

#[test]
fn a_service_is_a_system_and_a_component_on_its_shelf() {
    let entities = entities(&site());
    let system = named(&entities, "System", "db.example.com");
    let shelf = named(&entities, "Domain", &entities[1].metadata.name);
    assert_eq!(shelf.metadata.title, "Data & Storage");
    assert_eq!(system.spec["owner"], "group:default/dba");
    assert_eq!(system.spec["domain"], format!("domain:default/{}", shelf.metadata.name));
    let component = named(&entities, "Component", "db.example.com");
    assert_eq!(component.spec["providesApis"], json!(["api:default/v1.postgreses.db.example.com"]));
    assert_eq!(component.metadata.links[0].url, "https://docs.example.com/db");
    assert_eq!(component.metadata.tags, ["data-storage"]);
    for entity in &entities {
        for key in ["backstage.io/managed-by-location", "backstage.io/managed-by-origin-location"] {
            assert_eq!(entity.metadata.annotations[key], LOCATION, "{entity:?}");
        }
    }
}

#[test]
fn workspaces_are_groups_below_each_other() {
    let entities = entities(&site());
    let dev = named(&entities, "Group", "root.acme.dev");
    assert_eq!(dev.spec["parent"], "group:default/root.acme");
    assert_eq!(dev.metadata.annotations["portal.kdp.k8c.io/team"], "group:default/platform");
    let acme = named(&entities, "Group", "root.acme");
    assert_eq!(acme.spec, json!({"type": "workspace", "children": []}));
    assert_eq!(acme.metadata.annotations["portal.kdp.k8c.io/team"], "group:default/acme");
    assert_eq!(named(&entities, "Group", "acme").spec["type"], "team");
}

#[test]
fn an_order_shows_that_it_is_not_ready_and_no_message() {
    let entities = entities(&site());
    let order = named(&entities, "Resource", "postgres.default.orders.root.acme.dev");
    assert_eq!(order.spec["owner"], "group:default/root.acme.dev");
    assert_eq!(order.spec["dependsOn"], json!(["component:default/db.example.com"]));
    assert_eq!(order.metadata.labels["portal.kdp.k8c.io/ready"], "False");
    assert_eq!(order.metadata.annotations["portal.kdp.k8c.io/reason"], "NoSpace");
    assert_eq!(order.metadata.annotations["portal.kdp.k8c.io/created"], "2026-11-25T10:00:00Z");
    assert!(!to_yaml(&entities).unwrap().contains("hunter2"));
}

#[test]
fn a_reason_that_is_no_word_is_not_shown() {
    let mut site = site();
    site.orders[0].conditions = vec![Condition::fails("Ready", "token=hunter2", "")];
    assert!(!to_yaml(&entities(&site)).unwrap().contains("hunter2"));
}

#[test]
fn a_template_asks_where_and_what_and_orders_it() {
    let template = templates(&site()).remove(0);
    assert_eq!(template.api_version, "scaffolder.backstage.io/v1beta3");
    let pages = &template.spec["parameters"];
    assert_eq!(pages[0]["required"], json!(["workspace", "namespace", "name"]));
    assert_eq!(pages[1]["properties"]["fields"]["properties"]["spec"]["required"], json!(["size"]));
    let step = &template.spec["steps"][0];
    assert_eq!(step["action"], "kdp:order");
    assert_eq!(
        step["input"],
        json!({
            "clusterUrl": "https://kdp.example.com", "workspace": "${{ parameters.workspace }}",
            "apiVersion": "db.example.com/v1", "kind": "Postgres", "plural": "postgreses",
            "namespace": "${{ parameters.namespace }}", "name": "${{ parameters.name }}",
            "fields": "${{ parameters.fields }}",
        })
    );
}

#[test]
fn a_kind_without_namespace_or_fields_asks_for_neither() {
    let mut site = site();
    site.services[0].kinds = vec![KindInput::new("", "v1", "Thing", "things").unwrap().cluster_scoped()];
    let template = templates(&site).remove(0);
    assert_eq!(template.metadata.name, "v1.things");
    assert_eq!(template.spec["parameters"].as_array().unwrap().len(), 1);
    assert!(template.spec["steps"][0]["input"].get("namespace").is_none());
    let api = entities(&site).into_iter().find(|entity| entity.kind == "API").unwrap();
    assert!(api.spec["definition"].as_str().unwrap().contains("\"/clusters/{workspace}/api/v1/things/{name}\""));
}

#[test]
fn what_may_not_be_seen_of_a_service_is_not_shown() {
    let mut site = site();
    site.services[0].entry.details = None;
    let entities = entities(&site);
    assert!(!entities.iter().any(|entity| entity.kind == "Domain"));
    assert_eq!(named(&entities, "System", "db.example.com").metadata.title, "db.example.com");
}

#[test]
fn two_providers_of_the_same_kind_are_told_apart() {
    let mut site = site();
    site.services.push(service("db.example.com", "root:others"));
    let (first, second) = (&templates(&site)[0], &templates(&site)[1]);
    assert_ne!(first.metadata.name, second.metadata.name);
    let components = entities(&site).into_iter().filter(|entity| entity.kind == "Component").count();
    assert_eq!(components, 2);
}

#[test]
fn labels_are_the_providers_but_not_those_of_backstage() {
    let mut site = site();
    let labels = [("tier", "gold"), ("backstage.io/orphan", "true"), ("$text", "x"), ("a b", "x"), ("long", "x y")];
    site.services[0].entry.labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let entities = entities(&site);
    let labels = &named(&entities, "Component", "db.example.com").metadata.labels;
    assert_eq!(labels.keys().collect::<Vec<_>>(), ["tier"]);
}

#[test]
fn inputs_that_could_break_out_are_refused() {
    for (group, version, kind, plural) in [
        ("a b", "v1", "Kind", "kinds"),
        ("g.io", "v1/..", "Kind", "kinds"),
        ("g.io", "v1", "${{ secrets.x }}", "kinds"),
        ("g.io", "v1", "Kind", "../secrets"),
    ] {
        assert!(matches!(KindInput::new(group, version, kind, plural), Err(Error::Kind { .. })));
    }
    assert!(matches!(Site::new("ftp://x", LOCATION), Err(Error::Url { .. })));
    assert!(matches!(Site::new("https://x", "catalog-info.yaml"), Err(Error::Location { .. })));
    assert_eq!(
        Site::new("ftp://x", LOCATION).unwrap_err().to_string(),
        r#""ftp://x" is no address of the form https://host/path"#
    );
}

#[test]
fn files_are_the_same_for_the_same_site_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = site();
    site.orders.push(order("more"));
    let files = write(&site, folder.path()).unwrap();
    assert_eq!(files.len(), 2);
    let before: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    site.orders.reverse();
    assert_eq!(write(&site, folder.path()).unwrap(), files);
    let after: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(before, after);
}

#[test]
fn templates_that_are_no_more_are_removed_and_what_others_wrote_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut site = site();
    write(&site, folder.path()).unwrap();
    let shelf = folder.path().join(TEMPLATES_FOLDER);
    std::fs::write(shelf.join("theirs.yaml"), "a: b\n").unwrap();
    site.services.clear();
    write(&site, folder.path()).unwrap();
    let left: Vec<_> = std::fs::read_dir(&shelf).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["theirs.yaml"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = write(&site(), file.path()).unwrap_err();
    assert!(matches!(&error, Error::Write { path, .. } if path.starts_with(file.path())), "{error}");
}

proptest! {
    #[test]
    fn whatever_people_write_comes_back_from_the_file(
        texts in proptest::collection::vec("\\PC{0,40}|[\u{0}-\u{a0}]{0,20}|true|0x1F|1_000|2026-01-01|~|\\$\\{\\{ x \\}\\}", 6),
    ) {
        let mut site = site();
        let details = site.services[0].entry.details.as_mut().unwrap();
        details.title = texts[0].clone();
        details.description = texts[1].clone();
        details.category = texts[2].clone();
        site.services[0].owner = texts[3].clone();
        site.orders[0].name = texts[4].clone();
        let schema = json!({"type": "object", "properties": {"spec": {
            "type": "object", "default": {&texts[1]: &texts[0]}, "properties": {&texts[5]: {"type": "string", "enum": texts}},
        }}});
        site.services[0].kinds[0].schema = schema;
        for entities in [entities(&site), templates(&site)] {
            let names: std::collections::BTreeSet<_> = entities.iter().map(|e| (e.kind, &e.metadata.name)).collect();
            prop_assert_eq!(names.len(), entities.len());
            prop_assert!(entities.iter().all(|entity| names::is_name(&entity.metadata.name)));
            let read: Vec<Value> = serde_saphyr::from_multiple(&to_yaml(&entities).unwrap()).unwrap();
            prop_assert_eq!(json!(entities), json!(read));
        }
    }
}
