//! From a PublishedResource to the export, and what becomes of it when it changes.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    case::{Case, version},
    object::{create, delete, gone, patch, seen},
    shared::{eventually, pause, shared},
};

#[test]
fn a_schema_is_marked_by_its_agent_and_named_by_its_content() {
    shared(async |s| {
        let case = Case::new(s, "uschema").await;
        case.publish(json!({})).await;
        let schema = case.published().await;
        let name = schema.name_any();
        let (prefix, rest) = name.split_once('.').unwrap();
        assert_eq!(rest, "widgets.uschema.example.com");
        assert!(prefix.len() == 9 && prefix.starts_with('v') && prefix[1..].bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(schema.labels()["syncagent.kcp.io/agent-name"], *case.agent);
        assert_eq!(schema.annotations()["syncagent.kcp.io/agent-name"], *case.agent);
        assert_eq!(schema.annotations()["syncagent.kcp.io/source-generation"], "1");
    });
}

#[test]
fn a_changed_definition_makes_a_new_schema_and_the_old_one_is_found_again() {
    shared(async |s| {
        let case = Case::new(s, "uchange").await;
        case.offer(json!({})).await;
        let first = case.published().await.name_any();
        let mut definition = super::case::definition(&case.group);
        definition["spec"]["versions"] = json!([version("v1", true), version("v2", false)]);
        case.define(definition).await;
        let second = eventually("there is another schema", async || {
            let name = case.published().await.name_any();
            (name != first).then_some(name)
        })
        .await;
        eventually("the old schema is no longer offered", async || {
            let exported = case.exported().await;
            (exported.contains(&second) && !exported.contains(&first)).then_some(())
        })
        .await;
        case.define(super::case::definition(&case.group)).await;
        eventually("the first schema is offered again", async || {
            (case.published().await.name_any() == first).then_some(())
        })
        .await;
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
    });
}

#[test]
fn foreign_entries_of_the_export_are_kept() {
    shared(async |s| {
        let case = Case::new(s, "uforeign").await;
        case.publish(json!({})).await;
        let group = "foreign.uforeign.com";
        let schemas = super::object::api(
            case.provider(),
            None,
            "apis.kcp.io/v1alpha1",
            "APIResourceSchema",
            "apiresourceschemas",
        );
        let mut version = version("v1", true);
        version["schema"] = version["schema"]["openAPIV3Schema"].clone();
        let foreign = format!("v1.things.{group}");
        create(
            &schemas,
            json!({
                "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema", "metadata": {"name": foreign},
                "spec": {
                    "group": group, "scope": "Namespaced", "versions": [version],
                    "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
                },
            }),
        )
        .await;
        // As a JSON patch, so that what others add at the same time stays.
        let exports = super::object::api(case.provider(), None, "apis.kcp.io/v1alpha2", "APIExport", "apiexports");
        let add = json!([
            {"op": "add", "path": "/spec/resources/-",
             "value": {"name": "things", "group": group, "schema": foreign, "storage": {"crd": {}}}},
        ]);
        case.published().await;
        let add = kube::api::Patch::Json::<()>(serde_json::from_value(add).unwrap());
        exports.patch(&case.export, &Default::default(), &add).await.unwrap();
        case.publish_as("uforeign-2", json!({"projection": {"group": "second.uforeign.com"}})).await;
        eventually("both are offered", async || {
            let exported = case.exported().await;
            let ours = exported.iter().any(|name| name.ends_with(".widgets.second.uforeign.com"));
            (ours && exported.contains(&foreign)).then_some(())
        })
        .await;
        let mut exported: Vec<_> =
            case.export().await.spec.resources.into_iter().map(|r| format!("{}.{}", r.name, r.group)).collect();
        let as_is = exported.clone();
        exported.sort();
        assert_eq!(as_is, exported, "they are sorted");
    });
}

#[test]
fn claims_are_made_for_what_is_related_and_never_withdrawn() {
    shared(async |s| {
        let case = Case::new(s, "uclaims").await;
        case.publish(json!({"enableWorkspacePaths": true, "related": [{
            "identifier": "c", "origin": "kcp", "kind": "ConfigMap", "object": {"reference": {"path": "spec.c"}},
        }]}))
        .await;
        case.published().await;
        let claims = async || -> Vec<Value> {
            let claims = case.export().await.spec.permission_claims;
            claims.iter().map(|claim| json!([claim.group, claim.resource])).collect()
        };
        let expected = [
            json!(["", "configmaps"]),
            json!(["", "events"]),
            json!(["", "namespaces"]),
            json!(["core.kcp.io", "logicalclusters"]),
        ];
        let made = claims().await;
        assert!(expected.iter().all(|claim| made.contains(claim)), "{made:?}");
        case.edit(json!({"related": null, "enableWorkspacePaths": false})).await;
        case.publish_as("uclaims-2", json!({"projection": {"group": "second.uclaims.com"}})).await;
        eventually("the second is offered", async || {
            case.exported().await.iter().any(|name| name.ends_with("second.uclaims.com")).then_some(())
        })
        .await;
        let kept = claims().await;
        assert!(expected.iter().all(|claim| kept.contains(claim)), "{kept:?}");
    });
}

#[test]
fn synchronization_can_be_off_and_switched() {
    shared(async |s| {
        let case = Case::new(s, "uswitch").await;
        case.offer(json!({"synchronization": {"enabled": false}})).await;
        case.order("one", json!({"a": 1})).await;
        pause().await;
        assert!(case.copies().list(&Default::default()).await.unwrap().items.is_empty());
        assert!(case.orders().get("one").await.unwrap().finalizers().is_empty());
        case.edit(json!({"synchronization": {"enabled": true}})).await;
        case.copy("one", |_| true).await;
        case.edit(json!({"synchronization": {"enabled": false}})).await;
        pause().await;
        patch(&case.orders(), "one", json!({"spec": {"a": 2}})).await;
        pause().await;
        assert_eq!(case.copy("one", |_| true).await.data["spec"]["a"], 1);
        case.edit(json!({"synchronization": null})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 2).await;
    });
}

#[test]
fn an_edited_resource_takes_effect_at_once() {
    shared(async |s| {
        let case = Case::new(s, "uedit").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": "x", "b": "y"})).await;
        case.copy("one", |copy| copy.data["spec"] == json!({"a": "x", "b": "y"})).await;
        case.edit(
            json!({"mutation": {"spec": [{"template": {"path": "spec.a", "template": "{{ upper .Value.String }}"}}]}}),
        )
        .await;
        case.copy("one", |copy| copy.data["spec"] == json!({"a": "X", "b": "y"})).await;
    });
}

#[test]
fn a_resource_that_is_deleted_is_no_longer_synced_and_its_schema_stays() {
    shared(async |s| {
        let case = Case::new(s, "udelete").await;
        case.offer(json!({})).await;
        let schema = case.published().await.name_any();
        case.order("one", json!({"a": 1})).await;
        let copy = case.copy("one", |_| true).await;
        delete(&case.published_resources(), "udelete").await;
        gone(&case.published_resources(), "udelete").await;
        pause().await;
        patch(&case.orders(), "one", json!({"spec": {"a": 2}})).await;
        pause().await;
        assert_eq!(case.beside(&copy).get(&copy.name_any()).await.unwrap().data["spec"]["a"], 1);
        assert!(case.exported().await.contains(&schema), "tenants keep what they have");
        case.publish(json!({})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 2).await;
    });
}

#[test]
fn a_resource_whose_kind_comes_later_waits_for_it() {
    shared(async |s| {
        let case = Case::new(s, "uwaits").await;
        let resource = json!({"apiGroup": "later.uwaits.com", "kind": "Widget"});
        case.publish(json!({"resource": resource})).await;
        assert!(case.refused("uwaits").await.contains("spec.resource"));
        case.define(super::case::definition("later.uwaits.com")).await;
        case.published().await;
    });
}

#[test]
fn a_refused_resource_names_the_field_and_recovers_when_corrected() {
    shared(async |s| {
        let case = Case::new(s, "urefused").await;
        case.publish(json!({"naming": {"name": "{{ .Object"}})).await;
        assert!(case.refused("urefused").await.contains("spec.naming.name"));
        case.edit(json!({"naming": {"name": "{{ .Object.metadata.name }}"}})).await;
        case.published().await;
        seen(&case.published_resources(), "urefused", |resource| {
            resource.data["status"]["conditions"].as_array().unwrap().iter().all(|c| c["status"] == "True")
        })
        .await;
    });
}

#[test]
fn each_fault_is_told_by_the_field_it_is_in() {
    shared(async |s| {
        let case = Case::new(s, "ufaults").await;
        let secret = |object: Value| json!({"identifier": "c", "origin": "kcp", "kind": "Secret", "object": object});
        let template = json!({"template": {"template": "x"}});
        let table = [
            (json!({"naming": {"namespace": "{{ nosuch }}"}}), "spec.naming.namespace"),
            (json!({"mutation": {"spec": [{}]}}), "spec.mutation.spec[0]"),
            (
                json!({"mutation": {"spec": [{"regex": {"path": "spec.a", "pattern": "("}}]}}),
                "spec.mutation.spec[0].regex",
            ),
            (
                json!({"mutation": {"status": [{"cel": {"path": "status.a", "expression": "1 +"}}]}}),
                "spec.mutation.status[0].cel",
            ),
            (
                json!({"mutation": {"spec": [{"template": {"path": "spec.a", "template": "{{"}}]}}),
                "spec.mutation.spec[0].template",
            ),
            (json!({"related": [secret(json!({}))]}), "spec.related[0].object"),
            (json!({"related": [secret(template.clone()), secret(template.clone())]}), "spec.related"),
            (
                json!({"related": [secret(json!({"template": {"template": "{{ if }}"}}))]}),
                "spec.related[0].object.template",
            ),
            (
                json!({"related": [secret(json!({"reference": {"path": "spec.a", "regex": {"pattern": "["}}}))]}),
                "spec.related[0].object.reference",
            ),
            (
                json!({"related": [secret(json!({"selector": {"matchLabels": {"a": "b"}, "rewrite": {}}}))]}),
                "spec.related[0].object.selector",
            ),
            (
                json!({"filter": {"resource": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}}),
                "spec.filter.resource",
            ),
        ];
        for (number, (spec, field)) in table.iter().enumerate() {
            let name = format!("ufaults-{number}");
            // What the API server cannot see, the agent tells.
            let message = match case.try_publish_as(&name, spec.clone()).await {
                Err(refusal) => refusal.to_string(),
                Ok(()) => case.refused(&name).await,
            };
            assert!(message.contains(field), "{spec}: {message}");
        }
    });
}

#[test]
fn a_resource_of_another_agent_is_left_alone() {
    shared(async |s| {
        let case = Case::new(s, "uother").await;
        let resource = json!({
            "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource",
            "metadata": {"name": "uother-foreign", "labels": {"agent": "somebody-else"}},
            "spec": {"resource": {"apiGroup": case.group, "kind": "Widget"}},
        });
        create(&case.published_resources(), resource).await;
        case.publish(json!({"projection": {"group": "ours.uother.com"}})).await;
        case.published().await;
        pause().await;
        let foreign = case.published_resources().get("uother-foreign").await.unwrap();
        assert!(foreign.data["status"].is_null());
    });
}
