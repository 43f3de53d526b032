//! Roles that the control plane brings along, works out or carries down.

use super::*;
use crate::support::eventually;

fn roles() -> String {
    format!("{RBAC}/clusterroles")
}

fn bindings() -> String {
    format!("{RBAC}/clusterrolebindings")
}

async fn names_of(client: &Client, path: &str) -> Vec<String> {
    let (code, list) = get(client, path).await;
    assert_eq!(code, 200, "{path}: {list}");
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn synced(mut object: Value) -> Value {
    object["metadata"]["annotations"] = json!({"kdp.k8c.io/sync-to-workspaces": "*"});
    object
}

fn secrets(verbs: &[&str]) -> Value {
    json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}])
}

#[tokio::test]
async fn built_in_roles_are_seen_page_by_page_and_cannot_be_changed() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    for name in ["aaa", "edits", "zzz"] {
        create(&client, &roles(), role(name, json!([]))).await;
    }
    let all = names_of(&client, &roles()).await;
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(all, sorted);
    for name in ["aaa", "edits", "zzz", "cluster-admin", "view", "system:discovery", "kdp:member"] {
        assert!(all.iter().any(|own| own == name), "{name} in {all:?}");
    }
    for limit in [1, 2, 5, 100] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("{}?limit={limit}&continue={token}", roles());
            let page = get(&client, &path).await.1;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            seen.extend(items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()));
            match page["metadata"]["continue"].as_str() {
                Some(next) => token = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, all, "limit {limit}");
    }
    let view = format!("{}/view", roles());
    let (code, shown) = get(&client, &view).await;
    assert_eq!((code, &shown["metadata"]["annotations"]["kcp.io/cluster"].is_string()), (200, &true));
    assert!(shown["rules"].as_array().is_some_and(|rules| !rules.is_empty()), "{shown}");
    let labelled = names_of(&client, &format!("{}?labelSelector=kubernetes.io/bootstrapping", roles())).await;
    assert_eq!(labelled.len(), all.len() - 3);

    let everything = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    assert_eq!(send(&client, Method::POST, &roles(), &role("view", everything.clone())).await.0, 409);
    let mut stolen = bind("view", "User", "mallory");
    stolen["metadata"]["name"] = "cluster-admin".into();
    assert_eq!(send(&client, Method::POST, &bindings(), &stolen).await.0, 409);
    assert_eq!(patch(&client, &view, json!({"rules": everything})).await.0, 403);
    assert_eq!(send(&client, Method::PUT, &view, &role("view", json!([]))).await.0, 403);
    assert_eq!(send(&client, Method::DELETE, &view, &Value::Null).await.0, 403);
    assert_eq!(send(&client, Method::DELETE, &roles(), &Value::Null).await.0, 200);
    assert_eq!(names_of(&client, &roles()).await, labelled, "a deletion of all leaves what is built in");
    let everywhere = control_plane.client(&Endpoint::AllWorkspaces, &Identity::system_masters()).unwrap();
    let stored = names_of(&everywhere, &roles()).await;
    assert!(!stored.contains(&"view".to_owned()), "{stored:?}");
}

#[tokio::test]
async fn an_aggregated_role_grants_and_shows_what_it_takes_in() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    let mut collected = role("collected", json!([]));
    collected["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"into": "collected"}}]});
    let access = json!([{"nonResourceURLs": ["/"], "verbs": ["access"]}]);
    grant(
        &client,
        "manager",
        "mallory",
        json!([{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"],
        "verbs": ["create", "update", "patch", "get"]}, access[0]]),
    )
    .await;
    let mallory = user(&control_plane, "root:a", "mallory");
    assert_eq!(send(&mallory, Method::POST, &roles(), &collected).await.0, 403, "who may aggregate may do everything");
    create(&client, &roles(), collected).await;
    create(&client, &bindings(), bind("collected", "User", "alice")).await;
    let mut part = role("part", json!([secrets(&["get", "list"])[0], access[0]]));
    part["metadata"]["labels"] = json!({"into": "collected"});
    assert_eq!(send(&mallory, Method::POST, &roles(), &part).await.0, 403, "no rights come from nothing");
    let alice = user(&control_plane, "root:a", "alice");
    let list = "/api/v1/namespaces/default/secrets";
    assert_eq!(get(&alice, list).await.0, 403);
    create(&client, &roles(), part).await;
    assert_eq!(get(&alice, list).await.0, 200);
    let shown = async || get(&client, &format!("{}/collected", roles())).await.1["rules"].clone();
    eventually(async || shown().await.as_array().is_some_and(|rules| rules.len() == 2)).await;
    assert_eq!(send(&mallory, Method::POST, &bindings(), &bind("collected", "User", "mallory")).await.0, 403);
    assert_eq!(send(&client, Method::DELETE, &format!("{}/part", roles()), &Value::Null).await.0, 200);
    assert_eq!(get(&alice, list).await.0, 403);
    eventually(async || shown().await == json!([])).await;
}

#[tokio::test]
async fn a_synced_role_reaches_the_workspaces_below_present_and_future_and_goes_with_its_source() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for (parent, name) in [("root", "org"), ("root", "other"), ("root:org", "old"), ("root:org:old", "deep")] {
        workspace(&control_plane, parent, name).await;
    }
    let at = |path: &str| system(&control_plane, path);
    let org = at("root:org");
    create(&at("root:org:old"), &roles(), role("team", secrets(&["delete"]))).await;
    create(&org, &roles(), synced(role("team", secrets(&["get"])))).await;
    let mut binding = synced(bind("team", "User", "alice"));
    let robot = json!({"kind": "ServiceAccount", "namespace": "default", "name": "robot"});
    binding["subjects"].as_array_mut().unwrap().push(robot);
    create(&org, &bindings(), binding).await;
    workspace(&control_plane, "root:org", "new").await;
    let team = format!("{}/team", roles());
    let verbs = async |path: &str| get(&at(path), &team).await.1["rules"][0]["verbs"].clone();
    for path in ["root:org:old", "root:org:old:deep", "root:org:new"] {
        eventually(async || verbs(path).await == json!(["get"])).await;
        let bound = format!("{}/team-alice", bindings());
        eventually(async || get(&at(path), &bound).await.0 == 200).await;
        let subjects = get(&at(path), &bound).await.1["subjects"].clone();
        assert_eq!((&subjects[0]["name"], &subjects[1]["kind"]), (&json!("alice"), &json!("User")), "{subjects}");
    }
    for path in ["root", "root:other"] {
        assert_eq!(get(&at(path), &team).await.0, 404, "{path}");
    }
    let (code, _) = patch(&at("root:org:new"), &team, json!({"rules": secrets(&["*"])})).await;
    assert_eq!(code, 200);
    eventually(async || verbs("root:org:new").await == json!(["get"])).await;
    assert_eq!(patch(&org, &team, json!({"rules": secrets(&["list"])})).await.0, 200);
    for path in ["root:org:old", "root:org:old:deep", "root:org:new"] {
        eventually(async || verbs(path).await == json!(["list"])).await;
    }
    let unmark = json!({"metadata": {"annotations": {"kdp.k8c.io/sync-to-workspaces": null}}});
    assert_eq!(patch(&org, &team, unmark).await.0, 200);
    assert_eq!(send(&org, Method::DELETE, &format!("{}/team-alice", bindings()), &Value::Null).await.0, 200);
    for path in ["root:org:old", "root:org:old:deep", "root:org:new"] {
        eventually(async || get(&at(path), &team).await.0 == 404).await;
        eventually(async || get(&at(path), &format!("{}/team-alice", bindings())).await.0 == 404).await;
    }
    assert_eq!(get(&org, &team).await.0, 200);
}

#[tokio::test]
async fn roles_are_carried_down_only_by_who_may_do_everything_and_never_sideways() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for (parent, name) in [("root", "org"), ("root:org", "a"), ("root:org", "b")] {
        workspace(&control_plane, parent, name).await;
    }
    let org = system(&control_plane, "root:org");
    let own = json!([{"apiGroups": ["", "rbac.authorization.k8s.io"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["/"], "verbs": ["access"]}]);
    grant(&org, "member", "mallory", own.clone()).await;
    let mallory = user(&control_plane, "root:org", "mallory");
    assert_eq!(send(&mallory, Method::POST, &roles(), &role("harmless", own.clone())).await.0, 200);
    assert_eq!(send(&mallory, Method::POST, &roles(), &synced(role("spread", own))).await.0, 403);
    assert_eq!(send(&mallory, Method::POST, &bindings(), &synced(bind("member", "User", "mallory"))).await.0, 403);
    let mark = synced(json!({}));
    assert_eq!(patch(&mallory, &format!("{}/harmless", roles()), mark.clone()).await.0, 403);

    make_admin(&system(&control_plane, "root:org:a"), "tenant").await;
    let tenant = user(&control_plane, "root:org:a", "tenant");
    let sideways = synced(bind("cluster-admin", "Group", "tenants"));
    assert_eq!(send(&tenant, Method::POST, &bindings(), &sideways).await.0, 200, "it counts below only");
    let mut forged = bind("cluster-admin", "User", "forged");
    forged["metadata"]["annotations"] = json!({"kdp.k8c.io/synced-from": "root", "kdp.k8c.io/sync-to-workspaces": "*"});
    assert_eq!(send(&tenant, Method::POST, &bindings(), &forged).await.0, 200);
    eventually(async || get(&tenant, &format!("{}/cluster-admin-forged", bindings())).await.0 == 404).await;
    workspace(&control_plane, "root:org:a", "below").await;
    let copy = format!("{}/cluster-admin-tenants", bindings());
    eventually(async || get(&system(&control_plane, "root:org:a:below"), &copy).await.0 == 200).await;
    for path in ["root", "root:org", "root:org:b"] {
        assert_eq!(get(&system(&control_plane, path), &copy).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_binding_brings_roles_for_developers_and_members_and_takes_them_with_it() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "a"] {
        workspace(&control_plane, "root", name).await;
    }
    limits::publish(&system(&control_plane, "root:provider"), json!(null)).await;
    let client = system(&control_plane, "root:a");
    let mut binding = limits::binding();
    binding["metadata"]["labels"] = json!({"rbac.kdp.k8c.io/create-default-clusterroles": "true"});
    create(&client, "/apis/apis.kcp.io/v1alpha2/apibindings", binding).await;
    for (name, verbs) in [("developer", 7), ("viewer", 3)] {
        let (code, role) = get(&client, &format!("{}/services:widgets:{name}", roles())).await;
        assert_eq!((code, role["rules"][0]["verbs"].as_array().map(Vec::len)), (200, Some(verbs)), "{role}");
    }
    create(&client, &bindings(), bind("kdp:developer", "User", "dev")).await;
    create(&client, &bindings(), bind("kdp:member", "User", "guest")).await;
    let widgets = "/apis/example.com/v1/namespaces/default/widgets";
    let widget =
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "default"}});
    let (dev, guest) = (user(&control_plane, "root:a", "dev"), user(&control_plane, "root:a", "guest"));
    assert_eq!(send(&guest, Method::POST, widgets, &widget).await.0, 403);
    assert_eq!(send(&dev, Method::POST, widgets, &widget).await.0, 200);
    assert_eq!((get(&guest, widgets).await.0, get(&dev, "/api/v1/secrets").await.0), (200, 403));

    let path = "/apis/apis.kcp.io/v1alpha2/apibindings/widgets";
    let label = |value: Value| json!({"metadata": {"labels": {"rbac.kdp.k8c.io/create-default-clusterroles": value}}});
    let viewer = format!("{}/services:widgets:viewer", roles());
    assert_eq!(patch(&client, path, label(Value::Null)).await.0, 200);
    assert_eq!(get(&client, &viewer).await.0, 404);
    assert_eq!(get(&guest, widgets).await.0, 403);
    assert_eq!(patch(&client, path, label("true".into())).await.0, 200);
    assert_eq!(get(&client, &viewer).await.0, 200);
    let foreign = role("services:other:viewer", json!([]));
    create(&client, &roles(), foreign).await;
    assert_eq!(send(&client, Method::DELETE, path, &Value::Null).await.0, 200);
    eventually(async || get(&client, &viewer).await.0 == 404).await;
    assert_eq!(get(&client, &format!("{}/services:other:viewer", roles())).await.0, 200);
}
