//! What related objects of both origins have in common.

use kube::{Api, ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use super::{
    case::{Case, version},
    object::{
        api, config_maps, create, create_config_map, create_namespace, create_secret, delete, gone, patch,
        patch_status, secrets, seen, value,
    },
    shared::{Shared, eventually, pause, shared},
};

/// A case whose orders have related objects of one entry.
pub(crate) async fn related(shared: &'static Shared, name: &str, entry: Value) -> Case<'static> {
    let case = Case::new(shared, name).await;
    case.offer(json!({"related": [entry]})).await;
    case
}

/// The Secrets beside a copy.
pub(crate) fn secrets_beside(case: &Case<'_>, copy: &DynamicObject) -> Api<DynamicObject> {
    secrets(case.service(), &copy.namespace().unwrap())
}

/// The Secrets of the tenant.
pub(crate) fn secrets_of_tenant(case: &Case<'_>) -> Api<DynamicObject> {
    secrets(case.tenant(), "default")
}

/// Waits until a Secret or ConfigMap holds a value.
pub(crate) async fn holds(api: &Api<DynamicObject>, name: &str, expected: &str) {
    seen(api, name, |object| value(object) == expected).await;
}

#[test]
fn a_related_object_is_projected_to_another_kind() {
    shared(async |s| {
        let case = Case::with_definition(s, "rproject", |_| {}).await;
        // The same kind by another group on the tenant's side.
        let mut definition = super::case::definition("inner.rproject.com");
        definition["spec"]["names"] =
            json!({"kind": "Part", "plural": "parts", "singular": "part", "listKind": "PartList"});
        definition["metadata"]["name"] = "parts.inner.rproject.com".into();
        case.define(definition).await;
        case.publish_as(
            "rproject-parts",
            json!({
                "resource": {"apiGroup": "inner.rproject.com", "kind": "Part"},
                "projection": {"group": "outer.rproject.com"}, "synchronization": {"enabled": false},
            }),
        )
        .await;
        case.offer(json!({"related": [{
            "identifier": "part", "origin": "service",
            "group": "inner.rproject.com", "version": "v1", "resource": "parts",
            "projection": {"group": "outer.rproject.com"},
            "object": {"template": {"template": "{{ .Object.metadata.name }}-part"}},
        }]}))
        .await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let parts = api(case.service(), copy.namespace().as_deref(), "inner.rproject.com/v1", "Part", "parts");
        let part = json!({
            "apiVersion": "inner.rproject.com/v1", "kind": "Part",
            "metadata": {"name": format!("{}-part", copy.name_any())}, "spec": {"x": 1},
        });
        create(&parts, part).await;
        let delivered = api(case.tenant(), Some("default"), "outer.rproject.com/v1", "Part", "parts");
        seen(&delivered, "one-part", |part| part.data["spec"]["x"] == 1).await;
    });
}

#[test]
fn a_related_object_is_mutated_on_its_way() {
    shared(async |s| {
        let case = related(
            s,
            "rmutate",
            json!({
                "identifier": "c", "origin": "service", "kind": "ConfigMap",
                "object": {"template": {"template": "{{ .Object.metadata.name }}-c"}},
                "mutation": {"spec": [{"regex": {"path": "data.key", "pattern": "^in-", "replacement": "out-"}}]},
            }),
        )
        .await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let originals = config_maps(case.service(), &copy.namespace().unwrap());
        create_config_map(&originals, &format!("{}-c", copy.name_any()), "in-x", json!({})).await;
        holds(&config_maps(case.tenant(), "default"), "one-c", "out-x").await;
    });
}

#[test]
fn the_status_of_a_related_object_comes_along_when_asked_for() {
    shared(async |s| {
        let case = Case::new(s, "rstatus").await;
        let mut definition = super::case::definition("parts.rstatus.com");
        definition["spec"]["names"] =
            json!({"kind": "Part", "plural": "parts", "singular": "part", "listKind": "PartList"});
        definition["metadata"]["name"] = "parts.parts.rstatus.com".into();
        case.define(definition).await;
        let resource = json!({"apiGroup": "parts.rstatus.com", "kind": "Part"});
        case.publish_as("rstatus-parts", json!({"resource": resource, "synchronization": {"enabled": false}})).await;
        case.offer(json!({"related": [{
            "identifier": "part", "origin": "service",
            "group": "parts.rstatus.com", "version": "v1", "resource": "parts",
            "object": {"template": {"template": "{{ .Object.metadata.name }}-part"}},
            "watch": {"bySelector": {}}, "syncStatus": true,
        }]}))
        .await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let parts = api(case.service(), copy.namespace().as_deref(), "parts.rstatus.com/v1", "Part", "parts");
        let name = format!("{}-part", copy.name_any());
        create(&parts, json!({"apiVersion": "parts.rstatus.com/v1", "kind": "Part", "metadata": {"name": name}})).await;
        patch_status(&parts, &name, json!({"phase": "Ready"})).await;
        let delivered = api(case.tenant(), Some("default"), "parts.rstatus.com/v1", "Part", "parts");
        seen(&delivered, "one-part", |part| part.data["status"]["phase"] == "Ready").await;
    });
}

#[test]
fn a_kind_of_another_export_is_related_by_its_identity() {
    shared(async |s| {
        let case = Case::new(s, "ridentity").await;
        // Somebody else offers certificates to the tenant, and to our provider.
        s.site.create_workspace("ridentity-other").await;
        let other = s.site.workspace("root:ridentity-other");
        let schemas = api(other.clone(), None, "apis.kcp.io/v1alpha1", "APIResourceSchema", "apiresourceschemas");
        let group = "certs.ridentity.com";
        let mut version = version("v1", true);
        version["schema"] = version["schema"]["openAPIV3Schema"].clone();
        create(
            &schemas,
            json!({
                "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
                "metadata": {"name": format!("v1.certs.{group}")},
                "spec": {
                    "group": group, "scope": "Namespaced", "versions": [version],
                    "names": {"kind": "Cert", "plural": "certs", "singular": "cert", "listKind": "CertList"},
                },
            }),
        )
        .await;
        let exports = api(other, None, "apis.kcp.io/v1alpha2", "APIExport", "apiexports");
        let export = json!({
            "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "certs"},
            "spec": {"resources": [{
                "name": "certs", "group": group, "schema": format!("v1.certs.{group}"), "storage": {"crd": {}},
            }]},
        });
        create(&exports, export).await;
        let export = seen(&exports, "certs", |e| e.data["status"]["identityHash"].is_string()).await;
        let identity = export.data["status"]["identityHash"].as_str().unwrap().to_owned();
        for workspace in ["ridentity", "provider"] {
            let bindings = api(
                s.site.workspace(&format!("root:{workspace}")),
                None,
                "apis.kcp.io/v1alpha2",
                "APIBinding",
                "apibindings",
            );
            create(
                &bindings,
                json!({
                    "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "certs"},
                    "spec": {"reference": {"export": {"path": "root:ridentity-other", "name": "certs"}}},
                }),
            )
            .await;
        }
        let mut definition = super::case::definition(group);
        definition["spec"]["names"] =
            json!({"kind": "Cert", "plural": "certs", "singular": "cert", "listKind": "CertList"});
        definition["metadata"]["name"] = format!("certs.{group}").into();
        case.define(definition).await;
        case.publish(json!({"related": [{
            "identifier": "cert", "origin": "kcp", "group": group, "version": "v1", "resource": "certs",
            "identityHash": identity, "object": {"reference": {"path": "spec.cert"}},
        }]}))
        .await;
        case.published().await;
        let claims = serde_json::to_value(case.export().await.spec.permission_claims).unwrap();
        let claim = claims.as_array().unwrap().iter().find(|claim| claim["group"] == group).unwrap();
        assert_eq!((&claim["resource"], &claim["identityHash"]), (&json!("certs"), &json!(identity)));
        // The claim of such a kind is accepted with its identity.
        let accepted = |group: &str, resource: &str, identity: Value| {
            json!({
                "group": group, "resource": resource, "identityHash": identity, "verbs": ["*"],
                "selector": {"matchAll": true}, "state": "Accepted",
            })
        };
        let binding = json!({
            "metadata": {"name": &*case.export},
            "spec": {
                "reference": {"export": {"path": super::site::PROVIDER, "name": &*case.export}},
                "permissionClaims": [
                    accepted(group, "certs", identity.into()), accepted("", "events", json!("")),
                    accepted("", "namespaces", json!("")),
                ],
            },
        });
        let bindings = case.bindings("ridentity");
        bindings.create(&Default::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
        let certs = api(case.tenant(), Some("default"), &format!("{group}/v1"), "Cert", "certs");
        eventually("certs are there", async || certs.list(&Default::default()).await.ok()).await;
        let orders = case.orders();
        eventually("orders are there", async || orders.list(&Default::default()).await.ok()).await;
        create(
            &certs,
            json!({
                "apiVersion": format!("{group}/v1"), "kind": "Cert", "metadata": {"name": "mine"}, "spec": {"x": 1},
            }),
        )
        .await;
        case.order("one", json!({"cert": "mine"})).await;
        let copy = case.copy("one", |_| true).await;
        let copies = api(case.service(), copy.namespace().as_deref(), &format!("{group}/v1"), "Cert", "certs");
        seen(&copies, "mine", |cert| cert.data["spec"]["x"] == 1).await;
    });
}

#[test]
fn several_entries_are_synced_side_by_side() {
    shared(async |s| {
        let case = Case::new(s, "rseveral").await;
        let entry = |identifier: &str, origin: &str| {
            json!({
                "identifier": identifier, "origin": origin, "kind": "Secret",
                "object": {"template": {"template": format!("{{{{ .Object.metadata.name }}}}-{identifier}")}},
            })
        };
        case.offer(json!({"related": [entry("up", "service"), entry("down", "kcp"), entry("none", "service")]})).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let (tenant, service) = (secrets_of_tenant(&case), secrets_beside(&case, &copy));
        create_secret(&service, &format!("{}-up", copy.name_any()), "up", json!({})).await;
        create_secret(&tenant, "one-down", "down", json!({})).await;
        holds(&tenant, "one-up", "up").await;
        holds(&service, &format!("{}-down", copy.name_any()), "down").await;
    });
}

#[test]
fn an_entry_that_cannot_be_resolved_does_not_stop_the_others() {
    shared(async |s| {
        let case = Case::new(s, "rfails").await;
        case.offer(json!({"related": [
            {"identifier": "bad", "origin": "service", "kind": "Secret",
             "object": {"template": {"template": "{{ fail \"no\" }}"}}},
            {"identifier": "good", "origin": "service", "kind": "Secret",
             "object": {"template": {"template": "{{ .Object.metadata.name }}-good"}}},
        ]}))
        .await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), &format!("{}-good", copy.name_any()), "x", json!({})).await;
        holds(&secrets_of_tenant(&case), "one-good", "x").await;
    });
}

#[test]
fn related_objects_in_a_namespace_of_a_template() {
    shared(async |s| {
        let case = related(s, "rnstemplate", json!({
            "identifier": "c", "origin": "service", "kind": "Secret",
            "object": {
                "namespace": {"template": {"template": "{{ if eq .Side \"kcp\" }}certs{{ else }}rnstemplate{{ end }}"}},
                "template": {"template": "shared-secret"},
            },
        }))
        .await;
        create_namespace(case.service(), "rnstemplate", json!({})).await;
        create_secret(&secrets(case.service(), "rnstemplate"), "shared-secret", "x", json!({})).await;
        case.order("one", json!({})).await;
        // The namespace is made for it.
        holds(&secrets(case.tenant(), "certs"), "shared-secret", "x").await;
    });
}

#[test]
fn a_namespace_that_a_tenant_names_on_the_service_cluster_is_out_of_reach() {
    shared(async |s| {
        let case = related(
            s,
            "rnsreference",
            json!({
                "identifier": "c", "origin": "kcp", "kind": "Secret",
                "object": {
                    "namespace": {"reference": {"path": "spec.ref.namespace"}},
                    "reference": {"path": "spec.ref.name"},
                },
            }),
        )
        .await;
        create_namespace(case.tenant(), "vault", json!({})).await;
        create_secret(&secrets(case.tenant(), "vault"), "chosen", "x", json!({})).await;
        case.order("one", json!({"ref": {"namespace": "vault", "name": "chosen"}})).await;
        let events = api(case.tenant(), Some("default"), "v1", "Event", "events");
        eventually("the tenant is told", async || {
            let told = events.list(&Default::default()).await.unwrap();
            let is_told = |event: &DynamicObject| event.data.to_string().contains("out of the order's reach");
            told.items.iter().any(is_told).then_some(())
        })
        .await;
        assert!(secrets(case.service(), "vault").get_opt("chosen").await.unwrap().is_none());
    });
}

#[test]
fn related_objects_in_namespaces_found_by_labels() {
    shared(async |s| {
        let case = related(
            s,
            "rnsselector",
            json!({
                "identifier": "c", "origin": "kcp", "kind": "ConfigMap",
                "object": {
                    "namespace": {"selector": {
                        "matchLabels": {"share": "yes"},
                        "rewrite": {"template": {"template": "{{ .ClusterName }}-{{ .Value }}"}},
                    }},
                    "template": {"template": "settings"},
                },
            }),
        )
        .await;
        for name in ["east", "west"] {
            create_namespace(case.tenant(), name, json!({"share": "yes"})).await;
            create_config_map(&config_maps(case.tenant(), name), "settings", name, json!({})).await;
        }
        create_namespace(case.tenant(), "north", json!({})).await;
        create_config_map(&config_maps(case.tenant(), "north"), "settings", "north", json!({})).await;
        case.order("one", json!({})).await;
        let cluster = case.cluster("rnsselector").await;
        for name in ["east", "west"] {
            holds(&config_maps(case.service(), &format!("{cluster}-{name}")), "settings", name).await;
        }
        pause().await;
        assert!(config_maps(case.service(), &format!("{cluster}-north")).get_opt("settings").await.unwrap().is_none());
    });
}

#[test]
fn related_objects_of_a_cluster_scoped_order_are_where_the_entry_says() {
    shared(async |s| {
        let case = Case::with_definition(s, "rcluster", |definition| {
            definition["spec"]["scope"] = "Cluster".into();
        })
        .await;
        case.offer(json!({
            "naming": {"name": "{{ .ClusterName }}-{{ .Object.metadata.name }}"},
            "related": [{
                "identifier": "c", "origin": "service", "kind": "Secret",
                "object": {
                    "namespace": {"template": {"template": "{{ if eq .Side \"kcp\" }}default{{ else }}rcluster{{ end }}"}},
                    "template": {"template": "{{ .Object.metadata.name }}-c"},
                },
            }],
        }))
        .await;
        create_namespace(case.service(), "rcluster", json!({})).await;
        create(&case.orders_in("rcluster", None), case.typed(json!({"metadata": {"name": "one"}}))).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets(case.service(), "rcluster"), &format!("{}-c", copy.name_any()), "x", json!({})).await;
        holds(&secrets_of_tenant(&case), "one-c", "x").await;
    });
}

#[test]
fn the_order_lists_what_was_delivered_to_it() {
    shared(async |s| {
        let case = related(
            s,
            "rindex",
            json!({
                "identifier": "c", "origin": "service", "kind": "Secret", "cleanup": true,
                "object": {"template": {"template": "{{ .Object.metadata.name }}-c"}},
            }),
        )
        .await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), &format!("{}-c", copy.name_any()), "x", json!({})).await;
        let annotation = "related-resources.syncagent.kcp.io/c.0";
        let order = case.seen("one", |order| order.annotations().contains_key(annotation)).await;
        let listed: Value = serde_json::from_str(&order.annotations()[annotation]).unwrap();
        assert_eq!(listed, json!({"namespace": "default", "name": "one-c", "apiVersion": "v1", "kind": "Secret"}));
        let copy = case.copy("one", |_| true).await;
        assert!(!copy.annotations().contains_key(annotation));
        // What is no longer delivered is no longer listed.
        delete(&secrets_beside(&case, &copy), &format!("{}-c", copy.name_any())).await;
        gone(&secrets_of_tenant(&case), "one-c").await;
        case.seen("one", |order| !order.annotations().contains_key(annotation)).await;
        patch(&case.orders(), "one", json!({"spec": {"a": 1}})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
    });
}
