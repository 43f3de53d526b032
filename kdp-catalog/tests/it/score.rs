//! Workloads whose needs are ordered from the catalog.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use kdp_catalog::{
    Environment, Offering,
    resolution::{Shelf, Stock, WorkspaceFacts},
    score::{Deployment, ScoreDeployer, Workload},
};
use kdp_core::ErrorKind;
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    shop::{Shop, made, of, offering, widgets},
    support::{PROVIDER, eventually},
};

fn workload(resources: &Value) -> Workload {
    Workload::from_value(json!({
        "apiVersion": "score.dev/v1b1", "metadata": {"name": "app"},
        "containers": {"web": {"image": "i", "variables": {"SIZE": "${resources.db.size}", "KEY": "${resources.db.password}"}}},
        "resources": resources,
    }))
    .unwrap()
}

async fn shelf(shop: &Shop) -> Shelf {
    let client = shop.site.system(PROVIDER);
    let offerings = Api::<Offering>::all(client).list(&ListParams::default()).await.unwrap().items;
    let (shelf, faults) = Shelf::stock(Stock { offerings, ..Stock::default() });
    assert_eq!(faults, []);
    shelf
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_are_ordered_given_back_changed_alone_and_removed() {
    let shop = Shop::open().await;
    shop.offer(offering("standard", json!({"resourceTypes": ["widget"], "parameters": {"size": 7}}))).await;
    let shelf = shelf(&shop).await;
    let environment = Environment::new("live", of(json!({"type": "production"})));
    shop.create("root:a", &environment).await;
    let facts = WorkspaceFacts { path: "root:a".into(), labels: BTreeMap::new() };
    let deployer = ScoreDeployer::new(shop.site.system("root:a"), facts, "default");
    let deploy = async |workload: &Workload| -> Deployment {
        deployer.deploy(workload, &shelf, Some(&environment.facts())).await.unwrap()
    };
    let complete = async |workload: &Workload| {
        eventually(async || deploy(workload).await.is_complete()).await;
        deploy(workload).await
    };

    let one = workload(&json!({"db": {"type": "widget"}}));
    let first = deploy(&one).await;
    assert_eq!((first.pending, first.plan.containers["web"].clone()), (BTreeSet::from(["db".to_owned()]), None));
    let variables = complete(&one).await.plan.containers["web"].clone().unwrap();
    let from = json!({"secretKeyRef": {"name": "app-db-credentials", "key": "password"}});
    assert_eq!(
        serde_json::to_value(variables).unwrap(),
        json!([{"name": "KEY", "valueFrom": from}, {"name": "SIZE", "value": "7"}])
    );

    // A need that refers to another one, and one that is shared.
    let orders = widgets(shop.site.system("root:a"));
    let before = orders.get("app-db").await.unwrap();
    let three = workload(&json!({
        "db": {"type": "widget"},
        "next": {"type": "widget", "params": {"colour": "as large as ${resources.db.size}"}},
        "common": {"type": "widget", "id": "all"},
    }));
    complete(&three).await;
    assert_eq!(orders.get("app-next").await.unwrap().data["spec"]["colour"], "as large as 7");
    assert_eq!(orders.get("app-db").await.unwrap().metadata.resource_version, before.metadata.resource_version);
    assert_eq!(made(&shop.standard).len(), 3);

    // What somebody else has made is not removed for its label.
    let foreign = of(json!({
        "apiVersion": "w.example.com/v1", "kind": "Widget",
        "metadata": {"name": "foreign", "labels": {"score.dev/workload": "app"}}, "spec": {},
    }));
    orders.create(&PostParams::default(), &foreign).await.unwrap();
    let removed = deploy(&one).await.removed;
    assert_eq!(removed, BTreeSet::from(["app-next".to_owned()]));
    let names = async || -> BTreeSet<String> {
        orders.list(&ListParams::default()).await.unwrap().items.iter().map(ResourceExt::name_any).collect()
    };
    let expected = ["app-db", "foreign", "widget-all"].map(str::to_owned).into();
    eventually(async || names().await == expected).await;

    // Nothing is written for a workload that is wrong.
    let wrong = workload(&json!({"db": {"type": "widget"}, "new": {"type": "widget"}, "bad": {"type": "unknown"}}));
    let error = deployer.deploy(&wrong, &shelf, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("/resources/bad"), "{error}");
    assert_eq!(names().await, expected);

    deployer.remove("app", &shelf).await.unwrap();
    let left = ["foreign", "widget-all"].map(str::to_owned).into();
    eventually(async || names().await == left).await;
}

/// Specifications, and whether they are some.
fn specifications() -> Vec<(bool, Value)> {
    let minimal = json!({
        "apiVersion": "score.dev/v1b1", "metadata": {"name": "app"}, "containers": {"web": {"image": "i"}},
    });
    let with = |pointer: &str, value: Value| {
        let mut changed = minimal.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[name] = value;
        changed
    };
    let in_container = |name: &str, value: Value| with(&format!("/containers/web/{name}"), value);
    let resource = |value: Value| with("/resources", json!({"db": value}));
    vec![
        (true, minimal.clone()),
        (true, with("/service", json!({"ports": {"www": {"port": 80, "protocol": "TCP", "targetPort": 8080}}}))),
        (true, with("/metadata", json!({"name": "app", "annotations": {"example.com/note": "c"}, "more": {"x": 1}}))),
        (true, in_container("variables", json!({"A": "${resources.db.host}"}))),
        (true, in_container("files", json!({"/etc/a": {"content": "x", "mode": "0644", "noExpand": true}}))),
        (true, in_container("files", json!([{"target": "/etc/a", "source": "./a"}]))),
        (true, in_container("volumes", json!({"/data": {"source": "${resources.v}", "readOnly": true}}))),
        (
            true,
            in_container(
                "resources",
                json!({"limits": {"memory": "1.5Gi", "cpu": "0.5"}, "requests": {"cpu": "250m"}}),
            ),
        ),
        (true, in_container("livenessProbe", json!({"httpGet": {"path": "/", "port": 80, "scheme": "HTTPS"}}))),
        (true, in_container("readinessProbe", json!({"exec": {"command": ["true"]}}))),
        (
            true,
            resource(
                json!({"type": "postgres", "class": "large", "id": "a.b-c", "params": {"x": [1]}, "metadata": {}}),
            ),
        ),
        (false, json!({})),
        (false, with("/apiVersion", json!("score.dev/v1"))),
        (false, with("/metadata", json!({}))),
        (false, with("/metadata/name", json!("App"))),
        (false, with("/metadata/name", json!("a"))),
        (false, with("/metadata/annotations", json!({"a/b": "c"}))),
        (false, with("/metadata/annotations", json!({"example.com/note": 1}))),
        (false, with("/containers", json!({}))),
        (false, with("/containers", json!({"Web": {"image": "i"}}))),
        (false, with("/unknown", json!(1))),
        (false, with("/service", json!({"ports": {"www": {"port": 0}}}))),
        (false, with("/service", json!({"ports": {"www": {"port": 80, "protocol": "SCTP"}}}))),
        (false, in_container("image", json!(""))),
        (false, in_container("variables", json!({"A": 1}))),
        (false, in_container("files", json!({"/etc/a": {"mode": "0644"}}))),
        (false, in_container("files", json!({"/etc/a": {"content": "x", "source": "y"}}))),
        (false, in_container("files", json!({"/etc/a": {"content": "x", "mode": "999"}}))),
        (false, in_container("volumes", json!({"/data": {"readOnly": true}}))),
        (false, in_container("resources", json!({"limits": {"memory": "much"}}))),
        (false, in_container("resources", json!({"limits": {"disk": "1Gi"}}))),
        (false, in_container("livenessProbe", json!({}))),
        (false, in_container("livenessProbe", json!({"httpGet": {"path": "/"}}))),
        (false, in_container("ports", json!([]))),
        (false, resource(json!({}))),
        (false, resource(json!({"type": "p"}))),
        (false, resource(json!({"type": "postgres", "id": "A"}))),
        (false, resource(json!({"type": "postgres", "class": "no class"}))),
        (false, resource(json!({"type": "postgres", "size": 1}))),
    ]
}

#[test]
fn specifications_are_read_as_they_are_written() {
    for (is_one, specification) in specifications() {
        let read = Workload::from_value(specification.clone());
        assert_eq!(read.is_ok(), is_one, "{specification}: {read:?}");
        if let Ok(workload) = read {
            let again = Workload::from_value(serde_json::to_value(&workload).unwrap());
            assert_eq!(again, Ok(workload));
        }
    }
    let faults = Workload::parse("apiVersion: score.dev/v1b1\nmetadata: {name: X}\ncontainers: {}\n").unwrap_err();
    let paths: BTreeSet<_> = faults.0.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, BTreeSet::from(["/containers", "/metadata/name"]));
    assert!(Workload::parse("{").is_err());
}

/// `KDP_SCORE_SCHEMA` names Score's own `score-v1b1.json`.
#[test]
fn what_is_a_specification_is_what_scores_own_schema_says() {
    let Some(path) = std::env::var_os("KDP_SCORE_SCHEMA") else {
        assert!(std::env::var_os("KDP_REQUIRE_SCORE").is_none(), "KDP_SCORE_SCHEMA is not set");
        return eprintln!("SKIPPED: KDP_SCORE_SCHEMA does not name Score's schema");
    };
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let own: Validator = jsonschema::validator_for(&schema).unwrap();
    for (is_one, specification) in specifications() {
        let errors: Vec<_> = own.iter_errors(&specification).map(|error| error.to_string()).collect();
        assert_eq!(errors.is_empty(), is_one, "{specification}: {errors:?}");
    }
}
