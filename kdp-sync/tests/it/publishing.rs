//! From a PublishedResource to something tenants can bind.

use kdp_core::api::apis::{APIExport, APIResourceSchema};
use kdp_sync::api::PublishedResource;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use crate::support::{EXPORT, World, databases_with_credentials, dynamic, eventually};

#[tokio::test]
async fn a_published_resource_becomes_a_schema_and_part_of_the_export() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let agent = world.agent().await;
    let schema = world.published("databases").await.status.unwrap().resource_schema_name;
    let schemas: Api<APIResourceSchema> = Api::all(world.workspace("root:provider"));
    assert_eq!(schemas.get(&schema).await.unwrap().spec.names.plural, "databases");
    let exports: Api<APIExport> = Api::all(world.workspace("root:provider"));
    let export = exports.get(EXPORT).await.unwrap();
    assert_eq!(export.spec.resources[0].schema, schema);
    let claims: Vec<_> = export.spec.permission_claims.iter().map(|claim| claim.resource.as_str()).collect();
    assert_eq!(claims, ["events", "namespaces", "secrets"]);
    assert!(export.spec.permission_claims.iter().all(|claim| claim.verbs == ["*"]));
    agent.stop().await;
}

#[tokio::test]
async fn a_changed_definition_gets_a_new_schema_and_the_old_one_stays() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let agent = world.agent().await;
    let first = world.published("databases").await.status.unwrap().resource_schema_name;
    let definitions = dynamic(
        world.service(),
        None,
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    );
    let add = json!([{
        "op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/engine", "value": {"type": "string"},
    }]);
    let add: Patch<()> = Patch::Json(serde_json::from_value(add).unwrap());
    definitions.patch("databases.example.com", &PatchParams::default(), &add).await.unwrap();
    let resources: Api<PublishedResource> = Api::all(world.service());
    let second = eventually("there is a new schema", async || {
        let status = resources.get("databases").await.unwrap().status.unwrap_or_default();
        Some(status.resource_schema_name).filter(|name| *name != first)
    })
    .await;
    let exports: Api<APIExport> = Api::all(world.workspace("root:provider"));
    assert_eq!(exports.get(EXPORT).await.unwrap().spec.resources[0].schema, second);
    let schemas: Api<APIResourceSchema> = Api::all(world.workspace("root:provider"));
    assert!(schemas.get(&first).await.is_ok());
    agent.stop().await;
}

#[tokio::test]
async fn a_fault_is_shown_with_its_field_until_it_is_corrected() {
    let world = World::new().await;
    let mut spec = databases_with_credentials();
    spec["related"][0]["object"]["template"]["template"] = "{{ env \"HOME\" }}".into();
    world.publish("databases", spec).await;
    let agent = world.agent().await;
    let resources: Api<PublishedResource> = Api::all(world.service());
    let message = eventually("the fault is shown", async || {
        let status = resources.get("databases").await.unwrap().status?;
        status.conditions.first().filter(|condition| !condition.is_true()).map(|condition| condition.message.clone())
    })
    .await;
    assert!(message.starts_with("spec.related[0].object.template.template: "), "{message}");
    let patch = Patch::Merge(json!({"spec": databases_with_credentials()}));
    resources.patch("databases", &PatchParams::default(), &patch).await.unwrap();
    world.published("databases").await;
    agent.stop().await;
}

#[tokio::test]
async fn names_that_tenants_choose_are_refused_in_a_namespace_that_all_share() {
    let world = World::new().await;
    let mut spec = databases_with_credentials();
    spec["naming"] = json!({"namespace": "everybody"});
    spec["related"][0]["object"] = json!({"reference": {"path": "spec.secretName"}});
    world.publish("databases", spec).await;
    let agent = world.agent().await;
    let resources: Api<PublishedResource> = Api::all(world.service());
    let message = eventually("the fault is shown", async || {
        let status = resources.get("databases").await.unwrap().status?;
        status.conditions.first().filter(|condition| !condition.is_true()).map(|condition| condition.message.clone())
    })
    .await;
    assert!(message.starts_with("spec.related[0].object: "), "{message}");
    agent.stop().await;
}

#[tokio::test]
async fn deleting_or_disabling_a_resource_stops_its_sync() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    let resources: Api<PublishedResource> = Api::all(world.service());
    let cluster = world.cluster("root:a").await;
    world.order("root:a", "first", json!({"size": 1})).await;
    world.copy("root:a", "first", |_| true).await;

    let enabled = |enabled: bool| Patch::Merge(json!({"spec": {"synchronization": {"enabled": enabled}}}));
    resources.patch("databases", &PatchParams::default(), &enabled(false)).await.unwrap();
    eventually("the sync is stopped", async || {
        let observed = resources.get("databases").await.unwrap().status?.conditions.first()?.observed_generation;
        (observed == Some(2)).then_some(())
    })
    .await;
    world.order("root:a", "second", json!({"size": 1})).await;
    // Another agent's pass over everything would have found it by now.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(world.copies().list(&Default::default()).await.unwrap().items.len(), 1, "in {cluster}");

    resources.patch("databases", &PatchParams::default(), &enabled(true)).await.unwrap();
    world.copy("root:a", "second", |_| true).await;
    resources.delete("databases", &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    world.order("root:a", "third", json!({"size": 1})).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(world.copies().list(&Default::default()).await.unwrap().items.len(), 2);
    agent.stop().await;
}
