//! Secrets come up with an order, and go down when they are the tenant's.

use kube::{
    ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::json;

use crate::support::{
    self, World, databases_with_credentials, delete, eventually, gone, object, password, patch, seen,
};

#[tokio::test]
async fn a_secret_that_is_made_later_comes_up_and_follows_its_original() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    let original = format!("{}-credentials", copy.name_any());
    world.provide_secret(&copy, &original, "one").await;
    let secrets = support::secrets(world.workspace("root:a"), "default");
    let secret = seen(&secrets, "db-credentials", |_| true).await;
    assert_eq!(password(&secret), "one");
    let order = seen(&world.orders("root:a"), "db", |order| {
        order.annotations().contains_key("related-resources.syncagent.kcp.io/credentials.0")
    })
    .await;
    assert!(order.annotations()["related-resources.syncagent.kcp.io/credentials.0"].contains("db-credentials"));

    let originals = support::secrets(world.service(), &copy.namespace().unwrap());
    patch(&originals, &original, json!({"stringData": {"password": "two"}})).await;
    seen(&secrets, "db-credentials", |secret| password(secret) == "two").await;
    // What the tenant deletes comes again.
    delete(&secrets, "db-credentials").await;
    seen(&secrets, "db-credentials", |secret| password(secret) == "two").await;
    // The original's end is the copy's.
    delete(&originals, &original).await;
    gone(&secrets, "db-credentials").await;
    agent.stop().await;
}

#[tokio::test]
async fn deleting_an_order_takes_its_secret_away_if_cleanup_is_set() {
    for cleanup in [true, false] {
        let mut spec = databases_with_credentials();
        spec["related"][0]["cleanup"] = cleanup.into();
        let (world, agent) = World::with_databases(spec).await;
        world.order("root:a", "db", json!({"size": 1})).await;
        let copy = world.copy("root:a", "db", |_| true).await;
        world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), "one").await;
        let secrets = support::secrets(world.workspace("root:a"), "default");
        seen(&secrets, "db-credentials", |_| true).await;
        delete(&world.orders("root:a"), "db").await;
        gone(&world.orders("root:a"), "db").await;
        assert_eq!(secrets.get_opt("db-credentials").await.unwrap().is_none(), cleanup);
        agent.stop().await;
    }
}

#[tokio::test]
async fn each_tenant_gets_its_own_secret_and_no_other() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    for path in ["root:a", "root:b"] {
        world.order(path, "db", json!({"size": 1})).await;
        let copy = world.copy(path, "db", |_| true).await;
        world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), path).await;
    }
    for path in ["root:a", "root:b"] {
        let secrets = support::secrets(world.workspace(path), "default");
        assert_eq!(password(&seen(&secrets, "db-credentials", |_| true).await), path);
        assert_eq!(secrets.list(&ListParams::default()).await.unwrap().items.len(), 1);
    }
    agent.stop().await;
}

#[tokio::test]
async fn a_secret_of_the_tenant_that_has_the_name_is_left_alone() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    let secrets = support::secrets(world.workspace("root:a"), "default");
    let own = object(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db-credentials"}, "stringData": {"password": "mine"},
    }));
    secrets.create(&PostParams::default(), &own).await.unwrap();
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), "theirs").await;
    // The rest of the order goes on.
    patch(&world.orders("root:a"), "db", json!({"spec": {"size": 2}})).await;
    world.copy("root:a", "db", |copy| copy.data["spec"]["size"] == 2).await;
    assert_eq!(password(&secrets.get("db-credentials").await.unwrap()), "mine");
    delete(&secrets, "db-credentials").await;
    seen(&secrets, "db-credentials", |secret| password(secret) == "theirs").await;
    agent.stop().await;
}

#[tokio::test]
async fn a_secret_of_the_tenant_goes_down_even_if_it_was_there_before_the_binding() {
    let world = World::new().await;
    let mut spec = databases_with_credentials();
    spec["related"] = json!([{
        "identifier": "password", "origin": "kcp", "kind": "Secret",
        "object": {"reference": {"path": "spec.secretName"}},
    }]);
    world.publish("databases", spec).await;
    let agent = world.agent().await;
    world.published("databases").await;
    // The other tenant's binding comes first, so that the watch on Secrets is long open.
    world.bind("root:b", &["events", "namespaces", "secrets"]).await;
    world.order("root:b", "db", json!({"size": 1})).await;
    world.copy("root:b", "db", |_| true).await;
    let secrets = support::secrets(world.workspace("root:a"), "default");
    let own = object(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chosen"}, "stringData": {"password": "mine"},
    }));
    secrets.create(&PostParams::default(), &own).await.unwrap();
    world.bind("root:a", &["events", "namespaces", "secrets"]).await;
    world.order("root:a", "db", json!({"secretName": "chosen"})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    let copies = support::secrets(world.service(), &copy.namespace().unwrap());
    seen(&copies, "chosen", |secret| password(secret) == "mine").await;
    patch(&secrets, "chosen", json!({"stringData": {"password": "new"}})).await;
    seen(&copies, "chosen", |secret| password(secret) == "new").await;
    delete(&world.orders("root:a"), "db").await;
    gone(&copies, "chosen").await;
    eventually("the tenant's Secret is let go", async || {
        secrets.get("chosen").await.unwrap().finalizers().is_empty().then_some(())
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn a_secret_that_two_orders_need_is_held_until_both_are_gone() {
    let world = World::new().await;
    let mut spec = databases_with_credentials();
    spec["related"] = json!([{
        "identifier": "password", "origin": "kcp", "kind": "Secret",
        "object": {"template": {"template": "{{ if eq .Side \"kcp\" }}shared{{ else }}{{ .Object.metadata.name }}{{ end }}"}},
    }]);
    world.publish("databases", spec).await;
    let agent = world.agent().await;
    world.published("databases").await;
    world.bind("root:a", &["events", "namespaces", "secrets"]).await;
    let secrets = support::secrets(world.workspace("root:a"), "default");
    let own = object(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shared"}, "stringData": {"password": "mine"},
    }));
    secrets.create(&PostParams::default(), &own).await.unwrap();
    for name in ["one", "two"] {
        world.order("root:a", name, json!({"size": 1})).await;
    }
    seen(&secrets, "shared", |secret| secret.finalizers().len() == 2).await;
    delete(&world.orders("root:a"), "one").await;
    gone(&world.orders("root:a"), "one").await;
    assert_eq!(secrets.get("shared").await.unwrap().finalizers().len(), 1);
    let copy = world.copy("root:a", "two", |_| true).await;
    let copies = support::secrets(world.service(), &copy.namespace().unwrap());
    assert_eq!(password(&copies.get(&copy.name_any()).await.unwrap()), "mine");
    // What the tenant deletes goes once nothing depends on it any more.
    delete(&secrets, "shared").await;
    gone(&secrets, "shared").await;
    gone(&copies, &copy.name_any()).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_name_that_an_order_does_not_give_or_that_nothing_can_have_holds_up_nothing() {
    let mut spec = databases_with_credentials();
    spec["related"] = json!([
        {"identifier": "given", "origin": "kcp", "kind": "Secret",
         "object": {"template": {"template": "{{ .Object.spec.secretName }}"}}},
    ]);
    let (world, agent) = World::with_databases(spec).await;
    for (name, secret) in [("missing", json!({"size": 1})), ("odd", json!({"size": 1, "secretName": "a/../b c"}))] {
        world.order("root:a", name, secret).await;
        world.copy("root:a", name, |_| true).await;
        delete(&world.orders("root:a"), name).await;
        gone(&world.orders("root:a"), name).await;
    }
    agent.stop().await;
}
