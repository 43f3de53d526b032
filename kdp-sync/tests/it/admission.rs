//! What the API server of the service cluster refuses, and what the agent says of the rest.

#![expect(clippy::needless_pass_by_value, reason = "the tables read better")]

use kdp_core::ControlPlaneExt;
use kdp_sync::api::PublishedResource;
use kdp_tenancy::Embedded;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};

use crate::support::{World, eventually, object};

fn spec() -> Value {
    json!({"resource": {"apiGroup": "example.com", "kind": "Database"}})
}

/// The smallest manifest with these fields.
fn with(fields: Value) -> Value {
    let mut spec = spec();
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    spec
}

/// A manifest with one related resource that has these fields.
fn related(fields: Value) -> Value {
    let mut related = json!({
        "identifier": "credentials", "origin": "service", "object": {"template": {"template": "{{ .Object.metadata.name }}"}},
    });
    related.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    with(json!({"related": [related]}))
}

fn secret(fields: Value) -> Value {
    let mut all = json!({"kind": "Secret"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    related(all)
}

fn mutation(fields: Value) -> Value {
    with(json!({"mutation": {"spec": [fields.clone()], "status": [fields]}}))
}

fn two(first: &str, second: &str) -> Value {
    let one = |identifier: &str| secret(json!({"identifier": identifier}))["related"][0].clone();
    with(json!({"related": [one(first), one(second)]}))
}

/// Manifests, and a part of what is said about those that are refused.
fn manifests() -> Vec<(Value, Option<&'static str>)> {
    let gvr = json!({"group": "a.b", "version": "v1", "resource": "things"});
    let gvr_and = |fields: Value| {
        let mut all = gvr.clone();
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        related(all)
    };
    let path = |path: &str| json!({"path": path});
    let selector = |rewrite: Value| json!({"object": {"selector": {"matchLabels": {"a": "b"}, "rewrite": rewrite}}});
    vec![
        (spec(), None),
        (with(json!({"resource": {"apiGroup": "", "kind": "ConfigMap"}})), None),
        (with(json!({"resource": {"apiGroup": "example.com", "kind": ""}})), Some("spec.resource.kind")),
        (with(json!({"resource": {"kind": "Database"}})), Some("apiGroup")),
        (with(json!({"resource": {"apiGroup": "a", "kind": "A", "version": "v1"}})), None),
        (with(json!({"resource": {"apiGroup": "a", "kind": "A", "versions": ["v1", "v2"]}})), None),
        (with(json!({"resource": {"apiGroup": "a", "kind": "A", "version": "v1", "versions": []}})), None),
        (with(json!({"resource": {"apiGroup": "a", "kind": "A", "version": "", "versions": ["v1"]}})), None),
        (
            with(json!({"resource": {"apiGroup": "a", "kind": "A", "version": "v1", "versions": ["v1"]}})),
            Some("version cannot be set together with versions"),
        ),
        (with(json!({"projection": {"version": "v1", "versions": {"v1": "v2"}}})), None),
        (with(json!({"projection": {"shortNames": null, "categories": null}})), None),
        (with(json!({"projection": {"shortNames": [], "categories": []}})), None),
        (with(json!({"projection": {"scope": "Namespaced"}})), None),
        (with(json!({"projection": {"scope": "Everywhere"}})), Some("spec.projection.scope")),
        (with(json!({"synchronization": {"enabled": false}})), None),
        (with(json!({"synchronization": {}})), Some("enabled")),
        (with(json!({"filter": {"namespace": "default"}})), Some("spec.filter.namespace")),
        (with(json!({"filter": {"namespace": {"matchLabels": {"a": "b"}}}})), None),
        // Mutations.
        (mutation(json!({"delete": path("spec.a")})), None),
        (mutation(json!({"regex": path("spec.#.a")})), None),
        (mutation(json!({"template": {"path": "spec.a", "template": ""}})), None),
        (mutation(json!({"cel": {"path": "spec.a", "expression": "value"}})), None),
        // The existing agent takes the first.
        (mutation(json!({"delete": path("a"), "regex": path("a")})), None),
        (mutation(json!({})), Some("one of delete, regex, template and cel must be given")),
        (mutation(json!({"delete": path("")})), Some("delete.path")),
        (mutation(json!({"regex": path("")})), Some("regex.path")),
        (mutation(json!({"template": {"path": "a"}})), Some("template.template")),
        (mutation(json!({"cel": {"path": "a", "expression": ""}})), Some("cel.expression")),
        // Related resources: which kind.
        (secret(json!({})), None),
        (related(json!({"kind": "ConfigMap"})), None),
        (related(json!({"version": "v1", "resource": "secrets"})), None),
        (gvr_and(json!({})), None),
        (gvr_and(json!({"identityHash": "x"})), None),
        (related(json!({})), Some("either kind, or version and resource must be given")),
        (related(json!({"kind": "Pod"})), Some("kind")),
        (secret(json!({"version": "v1", "resource": "secrets"})), Some("either kind, or version and resource")),
        (related(json!({"version": "v1"})), Some("resource and version must be given together")),
        (related(json!({"resource": "secrets"})), Some("resource and version must be given together")),
        (secret(json!({"group": "a.b"})), Some("group needs resource and version")),
        (secret(json!({"identityHash": "x"})), Some("identityHash needs group, version and resource")),
        (related(json!({"version": "v1", "resource": "secrets", "identityHash": "x"})), Some("identityHash needs")),
        // Related resources: identity and origin.
        (two("a", "b"), None),
        (two("a", "a"), Some("identifiers must be unique")),
        (secret(json!({"identifier": ""})), Some("identifier")),
        (secret(json!({"origin": "kcp"})), None),
        (secret(json!({"origin": "nowhere"})), Some("origin")),
        // Related resources: which objects.
        (secret(json!({"object": {"reference": {"path": "spec.users.#.name"}}})), None),
        (secret(json!({"object": {"reference": {"path": ""}}})), Some("reference.path")),
        (secret(json!({"object": {}})), Some("one of reference, selector and template must be given")),
        // The existing agent takes the reference.
        (secret(json!({"object": {"reference": path("a"), "template": {"template": "b"}}})), None),
        (secret(selector(json!({"regex": {"replacement": "a"}}))), None),
        (secret(selector(json!({"template": {"template": "a"}}))), None),
        (secret(selector(json!({"regex": {"replacement": "a"}, "template": {"template": "a"}}))), None),
        (secret(selector(json!({}))), Some("one of regex and template must be given")),
        (secret(json!({"object": {"selector": {"matchLabels": {}}}})), Some("rewrite")),
        (secret(json!({"object": {"reference": path("a"), "namespace": {"template": {"template": "n"}}}})), None),
        (
            secret(json!({"object": {"reference": path("a"), "namespace": {}}})),
            Some("one of reference, selector and template must be given"),
        ),
        // Related resources: watches and status.
        (secret(json!({"watch": {"byOwner": {}}})), None),
        (secret(json!({"watch": {"bySelector": {"matchLabels": {"a": "b"}}}})), None),
        (secret(json!({"watch": {}})), Some("exactly one of byOwner and bySelector")),
        (secret(json!({"watch": {"byOwner": {}, "bySelector": {}}})), Some("exactly one of byOwner and bySelector")),
        (secret(json!({"syncStatus": true})), Some("needs watch")),
        (secret(json!({"syncStatus": true, "watch": {"byOwner": {}}})), None),
        (secret(json!({"syncStatus": true, "origin": "kcp"})), None),
        (secret(json!({"mutation": {"spec": [{}]}})), Some("one of delete, regex, template and cel must be given")),
    ]
}

#[tokio::test]
async fn manifests_that_cannot_work_are_refused_and_no_others() {
    let cluster = Embedded::in_memory().await.unwrap();
    let client = cluster.system_client(&"root".parse().unwrap()).unwrap();
    kdp_sync::install_crds(&client).await.unwrap();
    let api =
        crate::support::dynamic(client, None, "syncagent.kcp.io/v1alpha1", "PublishedResource", "publishedresources");
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    for (spec, expected) in manifests() {
        let manifest = json!({
            "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource",
            "metadata": {"name": "a"}, "spec": spec,
        });
        let refusal = api.create(&dry_run, &object(manifest)).await.err().map(|e| e.to_string());
        match (&refusal, expected) {
            (None, None) => {}
            (Some(message), Some(expected)) => assert!(message.contains(expected), "{spec}: {message}"),
            _ => panic!("{spec}: {refusal:?}, not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn faults_that_only_the_agent_can_see_are_all_named_at_once() {
    let world = World::new().await;
    let mut spec = spec();
    spec["naming"] = json!({"name": "{{ nope }}", "namespace": "$remoteNothing"});
    spec["filter"] = json!({"resource": {"matchExpressions": [{"key": "a", "operator": "Nearly"}]}});
    spec["mutation"] = json!({
        "spec": [
            {"delete": {"path": "spec.#.a"}},
            {"regex": {"path": "spec.a", "pattern": "("}},
            {"template": {"path": "spec.a", "template": "{{ .Value "}},
            {"cel": {"path": "spec.a", "expression": "1 +"}},
        ],
        "status": [{"cel": {"path": "status.a", "expression": "unknown"}}],
    });
    spec["related"] = json!([
        {
            "identifier": "a", "origin": "service", "kind": "Secret",
            "object": {"reference": {"path": "spec.a", "regex": {"pattern": "["}}},
            "mutation": {"spec": [{"regex": {"path": "data", "pattern": "*"}}]},
        },
        {
            "identifier": "b", "origin": "service", "version": "v1", "resource": "nothings",
            "object": {"template": {"template": "a"}},
        },
        {
            "identifier": "c", "origin": "service", "kind": "Secret",
            "object": {
                "selector": {"matchLabels": {"{{": "b"}, "rewrite": {"template": {"template": "{{ if }}"}}},
                "namespace": {"template": {"template": "{{ env \"A\" }}"}},
            },
        },
    ]);
    world.publish("databases", spec).await;
    let agent = world.agent().await;
    let resources: Api<PublishedResource> = Api::all(world.service());
    let message = eventually("the faults are shown", async || {
        let status = resources.get("databases").await.unwrap().status?;
        status.conditions.first().filter(|condition| !condition.is_true()).map(|condition| condition.message.clone())
    })
    .await;
    for field in [
        "spec.naming.name: ",
        "spec.naming.namespace: ",
        "spec.filter.resource: ",
        "spec.mutation.spec[0].delete.path: ",
        "spec.mutation.spec[1].regex.pattern: ",
        "spec.mutation.spec[2].template.template: ",
        "spec.mutation.spec[3].cel.expression: ",
        "spec.mutation.status[0].cel.expression: ",
        "spec.related[0].object.reference.regex.pattern: ",
        "spec.related[0].mutation.spec[0].regex.pattern: ",
        "spec.related[1].resource: ",
        "spec.related[2].object.selector.matchLabels: ",
        "spec.related[2].object.selector.rewrite.template.template: ",
        "spec.related[2].object.namespace.template.template: ",
    ] {
        assert!(message.contains(field), "{field} is not in {message}");
    }
    agent.stop().await;
}
