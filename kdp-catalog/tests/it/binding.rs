//! A service enters a tenant's workspace and leaves it again.

use kdp_catalog::{ClaimPolicy, Remaining, Unbound, WhenInUse, bind, unbind};
use kdp_core::{ErrorKind, api::apis::APIBinding};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::json;

use crate::support::{PROVIDER, SERVICE, Site, access, bind_exports, everything, on_services, user};

async fn serves_widgets(client: &Client) -> bool {
    client.list_api_groups().await.unwrap().groups.iter().any(|group| group.name == SERVICE)
}

async fn create_widget(client: Client, name: &str) {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(SERVICE, "v1", "Widget"), "widgets");
    let api: Api<DynamicObject> = Api::namespaced_with(client, "default", &resource);
    api.create(&PostParams::default(), &DynamicObject::new(name, &resource)).await.unwrap();
}

/// A site with an offer, and alice, who owns `root:a` and may bind the offer.
async fn site_with_customer() -> Site {
    let site = Site::start().await;
    site.offer().await;
    site.grant("root:a", "alice", everything()).await;
    site.grant(PROVIDER, "alice", json!([access(), on_services("get"), bind_exports()])).await;
    site
}

#[tokio::test]
async fn binding_makes_the_kind_appear_in_the_tenants_workspace_and_only_there() {
    let site = site_with_customer().await;
    let tenant = site.user("root:a", "alice");
    let entry = site.catalog.get_in(&user("alice"), SERVICE, &tenant).await.unwrap().unwrap();
    assert_eq!(entry.bound, None);
    assert!(!serves_widgets(&tenant).await);

    bind(&tenant, &entry, ClaimPolicy::AcceptAll).await.unwrap();
    assert!(serves_widgets(&tenant).await);
    for path in ["root:b", PROVIDER, "root"] {
        assert!(!serves_widgets(&site.system(path)).await, "{path}");
    }
    create_widget(tenant.clone(), "x").await;
    let entry = site.catalog.list_in(&user("alice"), &tenant).await.unwrap().remove(0);
    assert!(entry.bound.unwrap().complete);
    let elsewhere = site.catalog.get_in(&user("alice"), SERVICE, &site.system("root:b")).await.unwrap().unwrap();
    assert_eq!(elsewhere.bound, None);
}

#[tokio::test]
async fn binding_again_changes_nothing_but_the_answers_to_the_claims() {
    let site = site_with_customer().await;
    let tenant = site.user("root:a", "alice");
    let entry = site.catalog.get(&user("alice"), SERVICE).await.unwrap().unwrap();
    let first = bind(&tenant, &entry, ClaimPolicy::AcceptAll).await.unwrap();
    assert_eq!(first.spec.permission_claims[0].state, "Accepted");
    let second = bind(&tenant, &entry, ClaimPolicy::AcceptAll).await.unwrap();
    assert_eq!((second.uid(), &second.spec), (first.uid(), &first.spec));
    assert_eq!(second.metadata.generation, first.metadata.generation);
    let third = bind(&tenant, &entry, ClaimPolicy::RejectAll).await.unwrap();
    assert_eq!(third.uid(), first.uid());
    assert_eq!(third.spec.permission_claims[0].state, "Rejected");
    let bindings: Api<APIBinding> = Api::all(tenant);
    assert_eq!(bindings.list(&Default::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn two_who_bind_at_once_share_one_binding() {
    let site = site_with_customer().await;
    let tenant = site.user("root:a", "alice");
    let entry = site.catalog.get(&user("alice"), SERVICE).await.unwrap().unwrap();
    let one = || bind(&tenant, &entry, ClaimPolicy::AcceptAll);
    let (a, b) = futures::try_join!(one(), one()).unwrap();
    assert_eq!(a.uid(), b.uid());
}

#[tokio::test]
async fn who_may_not_bind_the_export_is_refused() {
    let site = Site::start().await;
    site.offer().await;
    site.grant("root:b", "bob", everything()).await;
    let refused = bind(&site.user("root:b", "bob"), &site.entry().await, ClaimPolicy::AcceptAll).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden, "{refused}");
    assert!(!serves_widgets(&site.system("root:b")).await);
}

#[tokio::test]
async fn unbinding_refuses_while_objects_exist_and_deletes_them_when_told() {
    let site = site_with_customer().await;
    let tenant = site.user("root:a", "alice");
    let entry = site.catalog.get(&user("alice"), SERVICE).await.unwrap().unwrap();
    let name = bind(&tenant, &entry, ClaimPolicy::AcceptAll).await.unwrap().name_any();
    create_widget(tenant.clone(), "x").await;

    let Unbound::InUse(remaining) = unbind(&tenant, &name, WhenInUse::Refuse).await.unwrap() else {
        panic!("unbound although in use")
    };
    let [Remaining { group, resource, objects, more: false, .. }] = remaining.as_slice() else {
        panic!("not one kind: {remaining:?}")
    };
    assert_eq!((&**group, &**resource, objects.as_slice()), (SERVICE, "widgets", &["default/x".to_owned()][..]));
    assert!(serves_widgets(&tenant).await);

    assert_eq!(unbind(&tenant, &name, WhenInUse::DeleteObjects).await.unwrap(), Unbound::Gone);
    assert!(!serves_widgets(&tenant).await);
    assert_eq!(unbind(&tenant, &name, WhenInUse::Refuse).await.unwrap(), Unbound::Gone);

    bind(&tenant, &entry, ClaimPolicy::AcceptAll).await.unwrap();
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(SERVICE, "v1", "Widget"), "widgets");
    let widgets: Api<DynamicObject> = Api::all_with(tenant.clone(), &resource);
    assert!(widgets.list(&Default::default()).await.unwrap().items.is_empty(), "nothing comes back");
    assert_eq!(unbind(&tenant, &name, WhenInUse::Refuse).await.unwrap(), Unbound::Gone);
}
