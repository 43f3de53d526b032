use serde_json::json;

use super::*;
use crate::{
    EnvironmentSpec, Offering,
    resolution::{CLASS, ENVIRONMENT, OFFERING, PLAN, Stock},
    score::order::SHARED,
};

fn offering(name: &str, kind: &str, type_: &str, more: Value) -> Offering {
    let mut spec = json!({
        "service": "s", "kind": {"group": "s.example.com", "kind": kind}, "provider": {"name": "p"},
        "resourceTypes": [type_],
    });
    let Value::Object(more) = more else { panic!("it is no object") };
    spec.as_object_mut().unwrap().extend(more);
    Offering::new(name, serde_json::from_value(spec).unwrap())
}

fn shelf() -> Shelf {
    let plans = json!({"plans": [{"name": "small"}, {"name": "large"}]});
    let for_cheap = json!({"criteria": {"orders": {"matchLabels": {CLASS: "cheap"}}}});
    let in_live = json!({"criteria": {"environmentTypes": ["production"]}});
    let for_others = json!({"criteria": {"workspaces": {"matchLabels": {"team": "other"}}}});
    let (shelf, faults) = Shelf::stock(Stock {
        offerings: vec![
            offering("database", "Database", "postgres", plans),
            offering("cheap-database", "Database", "postgres", for_cheap),
            offering("live-database", "Database", "postgres", in_live),
            offering("cache", "Cache", "redis", json!({})),
            offering("queue", "Queue", "amqp", json!({})),
            offering("hidden", "Hidden", "hidden", for_others),
        ],
        ..Stock::default()
    });
    assert_eq!(faults, []);
    shelf
}

#[expect(clippy::needless_pass_by_value, reason = "it is given what json! makes")]
fn workload(resources: Value, variables: Value) -> Workload {
    Workload::from_value(json!({
        "apiVersion": "score.dev/v1b1", "containers": {"web": {"image": "i", "variables": variables}},
        "metadata": {"name": "shop", "annotations": {"example.com/note": "noted"}, "tier": "web"},
        "resources": resources,
    }))
    .unwrap()
}

fn plan_in(environment: Option<&str>, workload: &Workload, outputs: &Outputs) -> Result<WorkloadPlan, ScoreFaults> {
    let kinds = ["Database", "Cache", "Hidden"];
    let kinds = kinds.map(|kind| (GroupKind::new("s.example.com", kind), "s.example.com/v1".to_owned()));
    let workspace = WorkspaceFacts { path: "root:acme".into(), labels: BTreeMap::new() };
    let environment = environment.map(|type_| EnvironmentFacts {
        name: "env".into(),
        labels: BTreeMap::new(),
        spec: EnvironmentSpec { type_: type_.into(), ..EnvironmentSpec::default() },
    });
    let setting = Setting {
        shelf: &shelf(),
        workspace: &workspace,
        environment: environment.as_ref(),
        namespace: "default",
        kinds: &kinds.into(),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    WorkloadPlan::new(workload, &setting, outputs)
}

fn plan(workload: &Workload, outputs: &Outputs) -> Result<WorkloadPlan, ScoreFaults> {
    plan_in(None, workload, outputs)
}

fn outputs(order: &str, known: &[(&str, Known)]) -> Outputs {
    let known = known.iter().map(|(name, known)| ((*name).to_owned(), known.clone())).collect();
    Outputs::from([(order.to_owned(), known)])
}

fn secret(key: &str) -> Known {
    Known::Secret { name: "shop-db-credentials".into(), key: key.into() }
}

#[test]
fn a_need_is_an_order_of_what_is_offered_for_its_type_class_and_environment() {
    let order = |environment: Option<&str>, resource: Value| {
        let plan = plan_in(environment, &workload(json!({"db": resource}), json!({})), &Outputs::new()).unwrap();
        plan.needs["db"].manifest.clone().unwrap()
    };
    let plain = order(None, json!({"type": "postgres", "params": {"size": 1}}));
    assert_eq!(
        plain,
        json!({
            "apiVersion": "s.example.com/v1", "kind": "Database", "spec": {"size": 1},
            "metadata": {
                "name": "shop-db", "namespace": "default", "labels": {WORKLOAD: "shop"},
                "annotations": {OFFERING: "database"},
            },
        })
    );
    let annotations = |manifest: Value| manifest["metadata"]["annotations"].clone();
    let of_class = |class: &str| annotations(order(None, json!({"type": "postgres", "class": class})));
    assert_eq!(of_class("large"), json!({OFFERING: "database", PLAN: "large"}));
    assert_eq!(of_class("default"), json!({OFFERING: "database"}));
    assert_eq!(of_class("cheap"), json!({OFFERING: "cheap-database"}));
    let live = annotations(order(Some("production"), json!({"type": "postgres"})));
    assert_eq!(live, json!({OFFERING: "live-database", ENVIRONMENT: "env"}));
}

#[test]
fn what_has_an_id_is_shared() {
    let workload = workload(json!({"db": {"type": "postgres", "id": "main.db"}}), json!({}));
    let plan = plan(&workload, &Outputs::new()).unwrap();
    let need = &plan.needs["db"];
    assert!(need.shared);
    assert_eq!(need.order, "postgres-main.db");
    assert_eq!(need.manifest.as_ref().unwrap()["metadata"]["labels"], json!({SHARED: "main.db"}));
}

#[test]
fn parameters_wait_for_the_outputs_they_refer_to() {
    let resources = json!({
        "db": {"type": "postgres"},
        "cache": {"type": "redis", "params": {"of": ["${resources.db.host}", "${metadata.name}", "${resources.db}"]}},
    });
    let workload = workload(resources, json!({}));
    let waiting = plan(&workload, &Outputs::new()).unwrap();
    assert_eq!(waiting.needs["cache"].manifest, None);
    assert_eq!(waiting.needs["cache"].waits_for, BTreeSet::from(["db".to_owned()]));
    assert!(!waiting.is_complete());
    let known = plan(&workload, &outputs("shop-db", &[("host", Known::Plain("h".into()))])).unwrap();
    assert_eq!(known.needs["cache"].manifest.as_ref().unwrap()["spec"], json!({"of": ["h", "shop", "shop-db"]}));
    assert!(known.is_complete());
    // The database itself is the same order before and after.
    assert_eq!(waiting.needs["db"], known.needs["db"]);
}

#[test]
fn secrets_reach_containers_and_nothing_else() {
    let variables = json!({
        "PASSWORD": "${resources.db.password}",
        "URL": "pg://app:${resources.db.password}@${resources.db.host}/$(HOME)?x=$${y}",
        "NOTE": "${metadata.annotations.example\\.com/note} ${metadata.tier}",
    });
    let shop = workload(json!({"db": {"type": "postgres"}}), variables);
    assert_eq!(plan(&shop, &Outputs::new()).unwrap().containers["web"], None);
    let known = outputs("shop-db", &[("password", secret("password")), ("host", Known::Plain("h".into()))]);
    let variables = plan(&shop, &known).unwrap().containers["web"].clone().unwrap();
    let from = json!({"secretKeyRef": {"name": "shop-db-credentials", "key": "password"}});
    assert_eq!(
        serde_json::to_value(variables).unwrap(),
        json!([
            {"name": "SCORE_DB_PASSWORD", "valueFrom": from},
            {"name": "NOTE", "value": "noted web"},
            {"name": "PASSWORD", "valueFrom": from},
            {"name": "URL", "value": "pg://app:$(SCORE_DB_PASSWORD)@h/$$(HOME)?x=${y}"},
        ])
    );
    let leaking =
        json!({"db": {"type": "postgres"}, "cache": {"type": "redis", "params": {"p": "${resources.db.password}"}}});
    let fault = plan(&workload(leaking, json!({})), &known).unwrap_err().to_string();
    assert!(fault.contains("/resources/cache/params/p") && fault.contains("secret"), "{fault}");
}

#[test]
fn every_fault_is_told_with_its_place() {
    let resources = json!({
        "db": {"type": "postgres", "class": "huge"},
        "queue": {"type": "amqp"},
        "what": {"type": "unknown-type"},
        "hidden": {"type": "hidden"},
        "cache": {"type": "redis", "params": {"x": "${resources.none.host}", "y": "${other}", "z": "${"}},
        "aa": {"type": "redis", "params": {"x": "${resources.bb.y}"}},
        "bb": {"type": "redis", "params": {"x": "${resources.aa.y}"}},
    });
    let variables = json!({"X": "${metadata.nothing}"});
    let faults = plan(&workload(resources, variables), &Outputs::new()).unwrap_err();
    let told: Vec<_> = faults.0.iter().map(ToString::to_string).collect();
    let check = |path: &str, part: &str| {
        assert!(told.iter().any(|fault| fault.starts_with(path) && fault.contains(part)), "{path} {part} in {told:#?}");
    };
    check("/resources/db:", "no class huge");
    check("/resources/queue:", "not bound");
    check("/resources/what:", "nothing is offered here");
    // What is for others is as if it did not exist.
    check("/resources/hidden:", "nothing is offered here for the type hidden");
    check("/resources/cache/params/x:", "no resource none");
    check("/resources:", "aa → bb → aa");
    check("/containers/web/variables/X:", "metadata.nothing");
}

#[test]
fn a_need_more_changes_no_other() {
    let one = json!({"db": {"type": "postgres", "params": {"size": 1}}});
    let mut two = one.clone();
    two["cache"] = json!({"type": "redis"});
    let (one, two) = (workload(one, json!({})), workload(two, json!({})));
    let (before, after) = (plan(&one, &Outputs::new()).unwrap(), plan(&two, &Outputs::new()).unwrap());
    assert_eq!(before.needs["db"], after.needs["db"]);
    assert_eq!(after.needs.len(), 2);
}
