//! Related objects that the service cluster owns: each way to find them.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    object::{create, create_secret, delete, gone, names, patch, seen, value},
    related::{holds, related, secrets_beside, secrets_of_tenant},
    shared::{pause, shared},
};

/// An entry that delivers Secrets of the service cluster.
fn entry(object: Value) -> Value {
    json!({"identifier": "c", "origin": "service", "kind": "Secret", "object": object})
}

#[test]
fn a_service_secret_by_reference() {
    shared(async |s| {
        let case = related(s, "sreference", entry(json!({"reference": {"path": "spec.secret"}}))).await;
        case.order("one", json!({"secret": "chosen"})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), "chosen", "x", json!({})).await;
        holds(&secrets_of_tenant(&case), "chosen", "x").await;
    });
}

#[test]
fn a_service_secret_by_reference_with_a_regex() {
    shared(async |s| {
        let regex = json!({"pattern": "^(.*)\\.key$", "replacement": "$1-key"});
        let case = related(s, "sregex", entry(json!({"reference": {"path": "spec.secret", "regex": regex}}))).await;
        case.order("one", json!({"secret": "chosen.key"})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), "chosen-key", "x", json!({})).await;
        holds(&secrets_of_tenant(&case), "chosen-key", "x").await;
    });
}

#[test]
fn service_secrets_by_a_reference_to_a_list() {
    shared(async |s| {
        let case = related(s, "slist", entry(json!({"reference": {"path": "spec.secrets.#.name"}}))).await;
        case.order("one", json!({"secrets": [{"name": "first"}, {"name": "second"}]})).await;
        let copy = case.copy("one", |_| true).await;
        for name in ["first", "second"] {
            create_secret(&secrets_beside(&case, &copy), name, name, json!({})).await;
        }
        for name in ["first", "second"] {
            holds(&secrets_of_tenant(&case), name, name).await;
        }
    });
}

#[test]
fn a_service_secret_whose_name_the_operator_tells_in_the_status() {
    shared(async |s| {
        let case = related(s, "sstatus", entry(json!({"reference": {"path": "status.secret"}}))).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), "made-later", "x", json!({})).await;
        super::object::patch_status(&case.beside(&copy), &copy.name_any(), json!({"secret": "made-later"})).await;
        holds(&secrets_of_tenant(&case), "made-later", "x").await;
    });
}

#[test]
fn service_secrets_by_labels_renamed_by_regex() {
    shared(async |s| {
        let selector = json!({
            "matchLabels": {"deliver": "yes"}, "rewrite": {"regex": {"pattern": "^in-", "replacement": "out-"}},
        });
        let case = related(s, "sselector", entry(json!({"selector": selector}))).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let secrets = secrets_beside(&case, &copy);
        create_secret(&secrets, "in-a", "a", json!({"deliver": "yes"})).await;
        create_secret(&secrets, "in-b", "b", json!({"deliver": "no"})).await;
        create_secret(&secrets, "in-c", "c", json!({"deliver": "yes"})).await;
        holds(&secrets_of_tenant(&case), "out-a", "a").await;
        holds(&secrets_of_tenant(&case), "out-c", "c").await;
        pause().await;
        assert_eq!(names(&secrets_of_tenant(&case)).await, ["out-a", "out-c"]);
    });
}

#[test]
fn service_secrets_by_labels_renamed_by_a_template() {
    shared(async |s| {
        let selector = json!({
            "matchLabels": {"deliver": "yes"},
            "rewrite": {"template": {"template": "{{ .RemoteObject.metadata.name }}-{{ .Value }}"}},
        });
        let case = related(s, "sselectortpl", entry(json!({"selector": selector}))).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), "a", "x", json!({"deliver": "yes"})).await;
        holds(&secrets_of_tenant(&case), "one-a", "x").await;
    });
}

#[test]
fn service_secrets_by_labels_that_a_template_fills_for_each_order() {
    shared(async |s| {
        let selector = json!({
            "matchLabels": {"order": "{{ .RemoteObject.metadata.name }}"},
            "rewrite": {"template": {"template": "{{ .Value }}"}},
        });
        let case = related(s, "stemplated", entry(json!({"selector": selector}))).await;
        for name in ["one", "two"] {
            case.order(name, json!({})).await;
        }
        let copy = case.copy("one", |_| true).await;
        case.copy("two", |_| true).await;
        for name in ["one", "two"] {
            create_secret(&secrets_beside(&case, &copy), &format!("{name}-s"), name, json!({"order": name})).await;
        }
        for name in ["one", "two"] {
            holds(&secrets_of_tenant(&case), &format!("{name}-s"), name).await;
            let annotation = "related-resources.syncagent.kcp.io/c.0";
            let order = case.seen(name, |order| order.annotations().contains_key(annotation)).await;
            assert!(order.annotations()[annotation].contains(&format!("{name}-s")));
            assert!(!order.annotations().contains_key("related-resources.syncagent.kcp.io/c.1"));
        }
    });
}

#[test]
fn service_secrets_by_expressions_on_labels() {
    shared(async |s| {
        let selector = json!({
            "matchExpressions": [{"key": "kind", "operator": "In", "values": ["key", "cert"]}],
            "rewrite": {"template": {"template": "{{ .Value }}"}},
        });
        let case = related(s, "sexpressions", entry(json!({"selector": selector}))).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let secrets = secrets_beside(&case, &copy);
        create_secret(&secrets, "other", "x", json!({"kind": "other"})).await;
        create_secret(&secrets, "cert", "x", json!({"kind": "cert"})).await;
        holds(&secrets_of_tenant(&case), "cert", "x").await;
        pause().await;
        assert_eq!(names(&secrets_of_tenant(&case)).await, ["cert"]);
    });
}

#[test]
fn a_service_secret_by_template() {
    shared(async |s| {
        let template = json!({"template": {"template": "{{ .Object.metadata.name }}-c"}});
        let case = related(s, "stemplate", entry(template)).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), &format!("{}-c", copy.name_any()), "x", json!({})).await;
        holds(&secrets_of_tenant(&case), "one-c", "x").await;
    });
}

#[test]
fn a_delivered_secret_follows_its_original_and_comes_again_when_deleted() {
    shared(async |s| {
        let mut entry = entry(json!({"template": {"template": "c"}}));
        entry["cleanup"] = true.into();
        let case = related(s, "sfollow", entry).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let (originals, delivered) = (secrets_beside(&case, &copy), secrets_of_tenant(&case));
        create_secret(&originals, "c", "x", json!({})).await;
        holds(&delivered, "c", "x").await;
        patch(&originals, "c", json!({"stringData": {"key": "y"}})).await;
        holds(&delivered, "c", "y").await;
        delete(&delivered, "c").await;
        holds(&delivered, "c", "y").await;
        delete(&originals, "c").await;
        gone(&delivered, "c").await;
    });
}

#[test]
fn a_delivered_secret_goes_with_its_order_only_when_cleanup_is_set() {
    shared(async |s| {
        for (name, cleanup) in [("scleanup", true), ("snocleanup", false)] {
            let mut entry = entry(json!({"template": {"template": "c"}}));
            entry["cleanup"] = cleanup.into();
            let case = related(s, name, entry).await;
            case.order("one", json!({})).await;
            let copy = case.copy("one", |_| true).await;
            create_secret(&secrets_beside(&case, &copy), "c", "x", json!({})).await;
            holds(&secrets_of_tenant(&case), "c", "x").await;
            delete(&case.orders(), "one").await;
            gone(&case.orders(), "one").await;
            assert_eq!(secrets_of_tenant(&case).get_opt("c").await.unwrap().is_none(), cleanup);
            assert!(secrets_beside(&case, &copy).get_opt("c").await.unwrap().is_some(), "the original stays");
        }
    });
}

#[test]
fn a_secret_that_is_found_by_its_owner_is_delivered() {
    shared(async |s| {
        let mut entry = entry(json!({"template": {"template": "c"}}));
        entry["watch"] = json!({"byOwner": {}});
        let case = related(s, "sowner", entry).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"key": "x"},
            "metadata": {"name": "c", "ownerReferences": [{
                "apiVersion": format!("{}/v1", case.group), "kind": "Widget", "name": copy.name_any(), "uid": copy.uid(),
            }]},
        });
        create(&secrets_beside(&case, &copy), secret).await;
        let delivered = seen(&secrets_of_tenant(&case), "c", |secret| value(secret) == "x").await;
        assert!(delivered.owner_references().is_empty(), "owners are of the other side");
    });
}

#[test]
fn a_secret_that_is_found_by_a_watch_selector_is_delivered() {
    shared(async |s| {
        let mut entry = entry(json!({"template": {"template": "c"}}));
        entry["watch"] = json!({"bySelector": {"matchLabels": {"deliver": "yes"}}});
        let case = related(s, "swatch", entry).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), "c", "x", json!({"deliver": "yes"})).await;
        holds(&secrets_of_tenant(&case), "c", "x").await;
    });
}
