//! Who sees what, as RBAC in the provider's workspace says.

use kdp_catalog::CatalogEntry;
use kdp_core::{ErrorKind, Identity};
use serde_json::{Value, json};

use crate::support::{PROVIDER, SERVICE, Site, access, bind_exports, on_services, user};

/// What is seen of the service: nothing, or whether its details are and whether it may be bound.
type Seen = Option<(bool, bool)>;

fn seen(entry: &CatalogEntry) -> (bool, bool) {
    (entry.details.is_some(), entry.may_bind)
}

/// What a user with `rules` sees, in the list and by name, which must agree.
async fn check(site: &Site, name: &str, rules: &[Value], expected: Seen) {
    if !rules.is_empty() {
        site.grant(PROVIDER, name, json!(rules)).await;
    }
    let listed = site.catalog.list(&user(name)).await.unwrap();
    let got = site.catalog.get(&user(name), SERVICE).await.unwrap();
    assert_eq!(listed.first(), got.as_ref(), "{name}");
    assert_eq!(got.as_ref().map(seen), expected, "{name}");
}

#[tokio::test]
async fn rights_in_the_providers_workspace_decide_what_is_seen() {
    let site = Site::start().await;
    site.offer().await;
    let (get, catalog, bind) = (on_services("get"), on_services("catalog"), bind_exports());
    check(&site, "nobody", &[], None).await;
    check(&site, "visitor", &[access()], None).await;
    check(&site, "outsider", &[get.clone(), bind.clone()], None).await;
    check(&site, "binder", &[access(), bind.clone()], None).await;
    check(&site, "passer-by", &[access(), catalog.clone()], Some((false, false))).await;
    check(&site, "reader", &[access(), get.clone()], Some((true, false))).await;
    check(&site, "blind-customer", &[access(), catalog, bind.clone()], Some((false, true))).await;
    check(&site, "customer", &[access(), get, bind], Some((true, true))).await;
}

#[tokio::test]
async fn a_right_may_be_given_to_a_group_and_for_one_service() {
    let site = Site::start().await;
    site.offer().await;
    let named = |name: &str| json!({"apiGroups": ["core.kdp.k8c.io"], "resources": ["services"], "verbs": ["get"], "resourceNames": [name]});
    check(&site, "friend", &[access(), named(SERVICE)], Some((true, false))).await;
    check(&site, "stranger", &[access(), named("other")], None).await;
    let masters = Identity::system_masters();
    let entry = site.catalog.get(&masters, SERVICE).await.unwrap().unwrap();
    assert_eq!(seen(&entry), (true, true));
    assert_eq!(entry.title(), "Widgets");
    assert_eq!(entry.labels["tier"], "gold");
    assert_eq!(entry.export.workspace.as_str(), PROVIDER);
    let [kind] = entry.kinds() else { panic!("not one kind: {:?}", entry.kinds()) };
    assert_eq!(
        (&*kind.kind, &*kind.plural, kind.namespaced, &*kind.versions[0].name),
        ("Widget", "widgets", true, "v1")
    );
    assert_eq!(entry.claims.len(), 1);
}

#[tokio::test]
async fn schemas_are_read_by_those_who_see_the_whole_tile() {
    let site = Site::start().await;
    site.offer().await;
    let entry = site.entry().await;
    site.grant(PROVIDER, "passer-by", json!([access(), on_services("catalog"), bind_exports()])).await;
    let refused = site.catalog.schemas(&user("passer-by"), &entry).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    site.grant(PROVIDER, "reader", json!([access(), on_services("get")])).await;
    assert_eq!(site.catalog.schemas(&user("reader"), &entry).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_none_leads_nowhere() {
    let site = Site::start().await;
    site.offer().await;
    let admin = Identity::system_masters();
    assert!(site.catalog.get(&admin, SERVICE).await.unwrap().is_some());
    for name in [format!("{SERVICE}/status"), format!("../services/{SERVICE}"), format!("{SERVICE}?a=b"), String::new()]
    {
        assert_eq!(site.catalog.get(&admin, &name).await.unwrap(), None, "{name}");
    }
}
