//! Related objects that the tenant owns: each way to find them.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    object::{create_secret, delete, gone, names, patch, seen},
    related::{holds, related, secrets_beside, secrets_of_tenant},
    shared::{pause, shared},
};

/// An entry that hands Secrets of the tenant down.
fn entry(object: Value) -> Value {
    json!({"identifier": "c", "origin": "kcp", "kind": "Secret", "object": object})
}

#[test]
fn a_tenants_secret_by_reference() {
    shared(async |s| {
        let case = related(s, "kreference", entry(json!({"reference": {"path": "spec.secret"}}))).await;
        create_secret(&secrets_of_tenant(&case), "chosen", "x", json!({})).await;
        case.order("one", json!({"secret": "chosen"})).await;
        let copy = case.copy("one", |_| true).await;
        holds(&secrets_beside(&case, &copy), "chosen", "x").await;
        let is_claim = |finalizer: &String| finalizer.starts_with("sync.kdp.k8c.io/claim-");
        seen(&secrets_of_tenant(&case), "chosen", |s| s.finalizers().iter().all(is_claim) && s.finalizers().len() == 1)
            .await;
    });
}

#[test]
fn a_tenants_secret_by_reference_with_a_regex() {
    shared(async |s| {
        let regex = json!({"pattern": "^.*/(.*)$", "replacement": "$1"});
        let case = related(s, "kregex", entry(json!({"reference": {"path": "spec.secret", "regex": regex}}))).await;
        create_secret(&secrets_of_tenant(&case), "chosen", "x", json!({})).await;
        case.order("one", json!({"secret": "secrets/chosen"})).await;
        let copy = case.copy("one", |_| true).await;
        holds(&secrets_beside(&case, &copy), "chosen", "x").await;
    });
}

#[test]
fn tenants_secrets_by_a_reference_to_a_list() {
    shared(async |s| {
        let case = related(s, "klist", entry(json!({"reference": {"path": "spec.secrets"}}))).await;
        for name in ["first", "second"] {
            create_secret(&secrets_of_tenant(&case), name, name, json!({})).await;
        }
        case.order("one", json!({"secrets": ["first", "second"]})).await;
        let copy = case.copy("one", |_| true).await;
        for name in ["first", "second"] {
            holds(&secrets_beside(&case, &copy), name, name).await;
        }
    });
}

#[test]
fn tenants_secrets_by_labels_renamed_by_regex() {
    shared(async |s| {
        let selector = json!({
            "matchLabels": {"give": "yes"}, "rewrite": {"regex": {"pattern": "^", "replacement": "from-tenant-"}},
        });
        let case = related(s, "kselector", entry(json!({"selector": selector}))).await;
        create_secret(&secrets_of_tenant(&case), "a", "a", json!({"give": "yes"})).await;
        create_secret(&secrets_of_tenant(&case), "b", "b", json!({})).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        holds(&secrets_beside(&case, &copy), "from-tenant-a", "a").await;
        pause().await;
        assert_eq!(names(&secrets_beside(&case, &copy)).await, ["from-tenant-a"]);
    });
}

#[test]
fn tenants_secrets_by_labels_renamed_by_a_template() {
    shared(async |s| {
        let selector = json!({
            "matchLabels": {"give": "yes"},
            "rewrite": {"template": {"template": "{{ .LocalObject.metadata.name }}-{{ .Value }}"}},
        });
        let case = related(s, "kselectortpl", entry(json!({"selector": selector}))).await;
        create_secret(&secrets_of_tenant(&case), "a", "a", json!({"give": "yes"})).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        holds(&secrets_beside(&case, &copy), &format!("{}-a", copy.name_any()), "a").await;
    });
}

#[test]
fn tenants_secrets_by_labels_that_a_template_fills() {
    shared(async |s| {
        let selector = json!({
            "matchLabels": {"order": "{{ .RemoteObject.metadata.name }}"},
            "rewrite": {"template": {"template": "{{ .Value }}"}},
        });
        let case = related(s, "ktemplated", entry(json!({"selector": selector}))).await;
        create_secret(&secrets_of_tenant(&case), "mine", "x", json!({"order": "one"})).await;
        create_secret(&secrets_of_tenant(&case), "other", "y", json!({"order": "two"})).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        holds(&secrets_beside(&case, &copy), "mine", "x").await;
        pause().await;
        assert_eq!(names(&secrets_beside(&case, &copy)).await, ["mine"]);
    });
}

#[test]
fn a_tenants_secret_by_template() {
    shared(async |s| {
        let template = json!({"template": {"template": "{{ .Object.metadata.name }}-c"}});
        let case = related(s, "ktemplate", entry(template)).await;
        create_secret(&secrets_of_tenant(&case), "one-c", "x", json!({})).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        holds(&secrets_beside(&case, &copy), &format!("{}-c", copy.name_any()), "x").await;
    });
}

#[test]
fn a_tenants_secret_is_followed_and_let_go_when_the_order_goes() {
    shared(async |s| {
        let case = related(s, "kfollow", entry(json!({"reference": {"path": "spec.secret"}}))).await;
        case.order("one", json!({"secret": "later"})).await;
        let copy = case.copy("one", |_| true).await;
        let (originals, copies) = (secrets_of_tenant(&case), secrets_beside(&case, &copy));
        create_secret(&originals, "later", "x", json!({})).await;
        holds(&copies, "later", "x").await;
        patch(&originals, "later", json!({"stringData": {"key": "y"}})).await;
        holds(&copies, "later", "y").await;
        delete(&case.orders(), "one").await;
        gone(&case.orders(), "one").await;
        gone(&copies, "later").await;
        seen(&originals, "later", |secret| secret.finalizers().is_empty()).await;
    });
}

#[test]
fn a_tenants_secret_that_is_deleted_takes_its_copy_along() {
    shared(async |s| {
        let case = related(s, "kdeleted", entry(json!({"reference": {"path": "spec.secret"}}))).await;
        create_secret(&secrets_of_tenant(&case), "chosen", "x", json!({})).await;
        case.order("one", json!({"secret": "chosen"})).await;
        let copy = case.copy("one", |_| true).await;
        holds(&secrets_beside(&case, &copy), "chosen", "x").await;
        delete(&secrets_of_tenant(&case), "chosen").await;
        gone(&secrets_of_tenant(&case), "chosen").await;
        gone(&secrets_beside(&case, &copy), "chosen").await;
        // Another one of the name comes down again.
        create_secret(&secrets_of_tenant(&case), "chosen", "z", json!({})).await;
        holds(&secrets_beside(&case, &copy), "chosen", "z").await;
    });
}

#[test]
fn a_tenants_secret_that_is_no_longer_referred_to_is_taken_back() {
    shared(async |s| {
        let case = related(s, "kunrefer", entry(json!({"reference": {"path": "spec.secret"}}))).await;
        for name in ["first", "second"] {
            create_secret(&secrets_of_tenant(&case), name, name, json!({})).await;
        }
        case.order("one", json!({"secret": "first"})).await;
        let copy = case.copy("one", |_| true).await;
        holds(&secrets_beside(&case, &copy), "first", "first").await;
        patch(&case.orders(), "one", json!({"spec": {"secret": "second"}})).await;
        holds(&secrets_beside(&case, &copy), "second", "second").await;
        gone(&secrets_beside(&case, &copy), "first").await;
        seen(&secrets_of_tenant(&case), "first", |secret| secret.finalizers().is_empty()).await;
    });
}
