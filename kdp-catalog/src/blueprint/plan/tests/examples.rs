//! What kro documents, in examples.

use serde_json::{Value, json};

use super::{Cluster, applied, waiting};
use crate::blueprint::{
    fixtures::{WEB_APP, graph},
    plan::{Observed, Situation, WaitReason, Which},
};

#[test]
fn a_web_app_is_made_in_order_and_without_its_ingress() {
    let graph = graph(WEB_APP);
    let spec =
        json!({"name": "shop", "image": "nginx", "replicas": 2, "ingress": {"enabled": false, "host": "h"}, "env": []});
    let mut cluster = Cluster::new(&graph, &spec);
    let plan = cluster.reconcile();
    assert_eq!(applied(&plan), ["shop"]);
    let deployment = &plan.apply[0].object;
    assert_eq!(deployment["spec"]["replicas"], json!(2), "a whole value keeps its type");
    assert_eq!(
        deployment.pointer("/spec/template/spec/containers/0/image"),
        Some(&json!("registry.local/nginx:stable"))
    );
    assert_eq!(deployment.pointer("/metadata/labels/app.kubernetes.io~1name"), Some(&json!("shop")));
    assert_eq!(plan.skipped, ["ingress"]);
    assert_eq!(waiting(&plan), ["deployment: Deployment shop is not there", "service: waits for deployment"]);
    assert_eq!(plan.status, json!({}));

    cluster.status("deployment", &json!({"availableReplicas": 1}));
    let plan = cluster.reconcile();
    assert_eq!(applied(&plan), ["shop"], "the deployment is there, but not ready");
    assert_eq!(
        waiting(&plan)[0],
        "deployment: does not hold for Deployment shop: deployment.status.availableReplicas == deployment.spec.replicas"
    );
    assert_eq!(plan.status, json!({"available": 1}));

    cluster.status(
        "deployment",
        &json!({"availableReplicas": 2, "conditions": [{"type": "Available", "status": "True"}]}),
    );
    let plan = cluster.reconcile();
    assert_eq!(applied(&plan), ["shop", "shop-svc"]);
    assert_eq!(plan.apply[1].object["spec"]["selector"], json!({"app": "shop"}));
    assert!(!plan.is_ready);

    cluster.objects[1].1["spec"]["clusterIP"] = "10.0.0.7".into();
    let plan = cluster.plan();
    assert!(plan.is_ready, "{:?}", plan.waiting);
    assert_eq!(plan.ready, ["deployment", "service"]);
    assert_eq!(
        plan.status,
        json!({"available": 2, "isHealthy": true, "address": "http://shop-svc.team-a:80", "connection": {"host": "10.0.0.7"}})
    );
}

#[test]
fn an_ingress_that_is_wanted_comes_last() {
    let graph = graph(WEB_APP);
    let env = json!([{"name": "A", "value": "b"}]);
    let spec = json!({"name": "shop", "image": "i", "replicas": 1, "ingress": {"enabled": true, "host": "shop.org"}, "env": env});
    let mut cluster = Cluster::new(&graph, &spec);
    cluster.reconcile();
    cluster.status("deployment", &json!({"availableReplicas": 1}));
    let plan = cluster.settle();
    assert!(plan.is_ready && plan.skipped.is_empty());
    assert_eq!(applied(&plan), ["shop", "shop-svc", "shop"]);
    assert_eq!(plan.apply[0].object.pointer("/spec/template/spec/containers/0/env"), Some(&env));
    let rule = &plan.apply[2].object["spec"]["rules"][0];
    assert_eq!(rule["host"], json!("shop.org"));
    assert_eq!(rule.pointer("/http/paths/0/backend/service/port/number"), Some(&json!(80)));
    assert_eq!(plan.status["host"], json!("shop.org"));
    assert_eq!(plan.inventory.iter().map(|entry| entry.wave).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
}

#[test]
fn somebody_elses_object_is_read_and_never_made() {
    let graph = graph(
        r#"
schema:
  apiVersion: v1alpha1
  kind: App
  spec: {config: string}
  status: {region: "${platform.data.region}"}
resources:
  - id: platform
    externalRef:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${schema.spec.config}-config", namespace: platform}
  - id: app
    template:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: app}
      data:
        region: ${platform.data.region}
        level: ${platform.data.?level.orValue("info")}
"#,
    );
    let mut cluster = Cluster::new(&graph, &json!({"config": "eu"}));
    let plan = cluster.reconcile();
    assert_eq!(
        (plan.read[0].namespace.as_deref(), &plan.read[0].which),
        (Some("platform"), &Which::Named("eu-config".into()))
    );
    assert_eq!(waiting(&plan), ["platform: ConfigMap eu-config is not there", "app: waits for platform"]);
    assert!(plan.apply.is_empty() && plan.inventory.is_empty());

    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "eu-config", "namespace": "x"}, "data": {}});
    cluster.foreign.push(("platform".into(), other));
    assert!(cluster.plan().apply.is_empty(), "that one is another");
    cluster.foreign[0].1["metadata"]["namespace"] = "platform".into();
    let plan = cluster.plan();
    assert!(
        waiting(&plan)[0].contains("cannot be told yet: resources[1].template.data.region"),
        "{:?}",
        waiting(&plan)
    );
    cluster.foreign[0].1["data"] = json!({"region": "eu-1"});
    let plan = cluster.settle();
    assert_eq!(plan.apply[0].object["data"], json!({"region": "eu-1", "level": "info"}));
    assert_eq!(plan.status, json!({"region": "eu-1"}));
    assert!(plan.is_ready);
    assert_eq!(plan.inventory.len(), 1);
}

#[test]
fn a_selector_finds_a_list() {
    let graph = graph(
        r#"
schema: {apiVersion: v1alpha1, kind: App, spec: {team: string}}
resources:
  - id: configs
    externalRef:
      apiVersion: v1
      kind: ConfigMap
      metadata: {selector: {matchExpressions: [{key: team, operator: In, values: ["${schema.spec.team}"]}]}}
  - id: summary
    template:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: summary}
      data:
        names: ${configs.map(c, c.metadata.name).join(",")}
        count: ${string(size(configs))}
"#,
    );
    let cluster = Cluster::new(&graph, &json!({"team": "a"}));
    let plan = cluster.plan();
    let selector = json!({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]});
    assert_eq!(plan.read[0].which, Which::Selected(selector));
    assert_eq!(waiting(&plan)[0], "configs: the list of ConfigMap is not there");
    let render = |names: &[&str]| {
        let object = |name: &&str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}});
        let observed = Observed::new().with_all("configs", names.iter().map(object));
        graph.plan(&Situation::new(&cluster.instance, &observed)).apply[0].object["data"].clone()
    };
    assert_eq!(render(&[]), json!({"names": "", "count": "0"}));
    assert_eq!(render(&["b", "a"]), json!({"names": "a,b", "count": "2"}));
    assert_eq!(render(&["a", "b"]), render(&["b", "a"]));
}

const WORKERS: &str = r#"
schema:
  apiVersion: v1alpha1
  kind: Pool
  spec: {workers: "[]string"}
  status:
    total: ${size(pods)}
    running: ${size(pods.filter(p, p.status.phase == "Running"))}
resources:
  - id: pods
    forEach: [{worker: "${schema.spec.workers}"}]
    readyWhen: ["${each.status.phase == 'Running'}"]
    template: {apiVersion: v1, kind: Pod, metadata: {name: "${schema.metadata.name}-${worker}"}}
  - id: summary
    template:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: summary}
      data: {names: "${pods.map(p, p.metadata.name).join(', ')}"}
"#;

#[test]
fn a_collection_is_ready_when_each_object_is() {
    let graph = graph(WORKERS);
    let mut cluster = Cluster::new(&graph, &json!({"workers": ["bob", "alice"]}));
    let plan = cluster.reconcile();
    assert_eq!(applied(&plan), ["shop-bob", "shop-alice"]);
    assert_eq!(plan.apply.iter().map(|desired| desired.position).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(plan.status, json!({"total": 0, "running": 0}));
    cluster.objects[0].1["status"] = json!({"phase": "Running"});
    cluster.objects[1].1["status"] = json!({"phase": "Pending"});
    let plan = cluster.reconcile();
    assert_eq!(waiting(&plan)[0], "pods: does not hold for Pod shop-alice: each.status.phase == 'Running'");
    assert_eq!(plan.status, json!({"total": 2, "running": 1}));
    cluster.status("pods", &json!({"phase": "Running"}));
    let plan = cluster.settle();
    assert!(plan.is_ready);
    assert_eq!(plan.apply[2].object["data"]["names"], json!("shop-bob, shop-alice"), "as in the list");
}

#[test]
fn a_collection_follows_its_list_and_may_be_empty() {
    let graph = graph(WORKERS);
    let mut cluster = Cluster::new(&graph, &json!({"workers": ["a", "b"]}));
    cluster.reconcile();
    cluster.status("pods", &json!({"phase": "Running"}));
    cluster.settle();
    cluster.instance["spec"]["workers"] = json!(["b"]);
    assert_eq!(super::removed(&cluster.plan()), [["shop-a"]]);
    cluster.settle();
    assert_eq!(cluster.names(), ["pods/shop-b", "summary/summary"]);
    cluster.instance["spec"]["workers"] = json!([]);
    let plan = cluster.settle();
    assert!(plan.is_ready);
    assert_eq!(cluster.names(), ["summary/summary"]);
    assert_eq!(plan.apply[0].object["data"]["names"], json!(""));
}

#[test]
fn two_lists_make_all_combinations_the_last_going_round_fastest() {
    let graph = graph(
        r#"
schema: {apiVersion: v1alpha1, kind: App, spec: {regions: "[]string", tiers: "[]string"}}
resources:
  - id: configs
    forEach: [{region: "${schema.spec.regions}"}, {tier: "${schema.spec.tiers}"}]
    template:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${region}-${tier}"}
      data: {region: "${region}", tier: "${tier}"}
"#,
    );
    let cluster = Cluster::new(&graph, &json!({"regions": ["us", "eu"], "tiers": ["web", "api", "db"]}));
    assert_eq!(applied(&cluster.plan()), ["us-web", "us-api", "us-db", "eu-web", "eu-api", "eu-db"]);
    assert_eq!(cluster.plan().apply[4].object["data"], json!({"region": "eu", "tier": "api"}));
    let none = Cluster::new(&graph, &json!({"regions": ["us"], "tiers": []})).plan();
    assert!(none.apply.is_empty() && none.is_ready);
    let same = Cluster::new(&graph, &json!({"regions": ["a", "a"], "tiers": ["b"]})).plan();
    assert!(waiting(&same)[0].contains("makes ConfigMap a-b twice"), "{:?}", waiting(&same));
    let many: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let many = Cluster::new(&graph, &json!({"regions": many, "tiers": many})).plan();
    assert!(waiting(&many)[0].contains("more than 1000 objects"));
}

#[test]
fn one_collection_can_follow_another() {
    let graph = graph(
        r#"
schema: {apiVersion: v1alpha1, kind: App, spec: {databases: "[]Db"}, types: {Db: {name: string, storage: string}}}
resources:
  - id: backups
    forEach: [{db: "${databases}"}]
    template:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "backup-${db.metadata.name}"}
      data: {host: "${db.status.endpoint}:${string(db.status.port)}"}
  - id: databases
    forEach: [{spec1: "${schema.spec.databases.filter(d, d.storage != '')}"}]
    template:
      apiVersion: db.example.com/v1
      kind: Database
      metadata: {name: "${spec1.name}"}
      spec: {storage: "${spec1.storage}"}
"#,
    );
    let databases =
        json!([{"name": "a", "storage": "1Gi"}, {"name": "b", "storage": ""}, {"name": "c", "storage": "2Gi"}]);
    let mut cluster = Cluster::new(&graph, &json!({"databases": databases}));
    assert_eq!(applied(&cluster.reconcile()), ["a", "c"]);
    let plan = cluster.reconcile();
    assert!(matches!(plan.waiting[0].reason, WaitReason::Unresolved(_)), "no endpoint yet");
    cluster.status("databases", &json!({"endpoint": "db", "port": 5432}));
    let plan = cluster.reconcile();
    assert_eq!(applied(&plan), ["a", "c", "backup-a", "backup-c"]);
    assert_eq!(plan.apply[3].object["data"]["host"], json!("db:5432"));
}

#[test]
fn what_depends_on_the_skipped_is_skipped() {
    let graph = graph(
        r#"
schema: {apiVersion: v1alpha1, kind: App, spec: {on: boolean}, status: {b: "${b.metadata.name}", d: "${d.metadata.name}"}}
resources:
  - {id: a, includeWhen: ["${schema.spec.on}"], template: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}
  - {id: b, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: "${a.metadata.name}-b"}}}
  - {id: c, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: "${b.metadata.name}-c"}}}
  - {id: d, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: d}}}
"#,
    );
    let mut cluster = Cluster::new(&graph, &json!({"on": false}));
    let plan = cluster.settle();
    assert_eq!((plan.skipped, cluster.names()), (["a", "b", "c"].map(String::from).into(), vec!["d/d".into()]));
    assert!(plan.is_ready);
    assert_eq!(plan.status, json!({"d": "d"}));
    cluster.instance["spec"]["on"] = true.into();
    cluster.settle();
    assert_eq!(cluster.names(), ["d/d", "a/a", "b/a-b", "c/a-b-c"]);
}

#[test]
fn a_condition_on_another_resource_waits_for_it() {
    let graph = graph(
        r#"
schema: {apiVersion: v1alpha1, kind: App}
resources:
  - {id: db, template: {apiVersion: db.example.com/v1, kind: Database, metadata: {name: db}}}
  - {id: note, includeWhen: ["${db.status.port > 1}"], template: {apiVersion: v1, kind: ConfigMap, metadata: {name: note}}}
"#,
    );
    let mut cluster = Cluster::new(&graph, &json!({}));
    cluster.reconcile();
    let plan = cluster.reconcile();
    assert!(waiting(&plan)[0].contains("resources[1].includeWhen[0]"), "{:?}", waiting(&plan));
    assert!(plan.skipped.is_empty());
    cluster.status("db", &json!({"port": 1}));
    assert_eq!(cluster.settle().skipped, ["note"]);
    cluster.status("db", &json!({"port": 2}));
    cluster.settle();
    assert_eq!(cluster.names(), ["db/db", "note/note"]);
    // Nothing is known any more, so nothing is removed.
    cluster.status("db", &Value::Null);
    assert_eq!(cluster.plan().remove, Vec::<Vec<_>>::new());
}

#[test]
fn a_status_of_an_earlier_generation_is_none() {
    let graph = graph(
        r#"
schema: {apiVersion: v1alpha1, kind: App}
resources:
  - id: d
    readyWhen: ["${d.status.availableReplicas > 0}"]
    template: {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}
"#,
    );
    let mut cluster = Cluster::new(&graph, &json!({}));
    cluster.reconcile();
    cluster.status("d", &json!({"availableReplicas": 1, "observedGeneration": 1}));
    cluster.objects[0].1["metadata"]["generation"] = 2.into();
    assert!(waiting(&cluster.plan())[0].contains("observedGeneration"));
    cluster.objects[0].1["metadata"]["generation"] = 1.into();
    assert!(cluster.plan().is_ready);
}

#[test]
fn health_makes_the_instance_wait_but_not_its_resources() {
    let graph = graph(
        r#"
schema: {apiVersion: v1alpha1, kind: App}
resources:
  - {id: a, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}
  - {id: b, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: "${a.metadata.name}b"}}}
"#,
    );
    let mut cluster = Cluster::new(&graph, &json!({}));
    cluster.settle();
    let observed = cluster.observed();
    let plan = graph
        .plan(&Situation::new(&cluster.instance, &observed).with_health(&|object| object["metadata"]["name"] != "a"));
    assert_eq!(applied(&plan), ["a", "ab"]);
    assert_eq!(waiting(&plan), ["a: ConfigMap a is not healthy"]);
    assert_eq!((plan.ready, plan.is_ready), (vec!["b".to_owned()], false));
}

#[test]
fn an_instance_without_what_it_needs_waits_and_says_where() {
    let graph = graph(WEB_APP);
    let plan = Cluster::new(&graph, &json!({"ingress": {"enabled": "yes"}})).plan();
    assert!(plan.apply.is_empty() && !plan.is_ready);
    assert!(waiting(&plan)[0].contains("resources[2].template."), "{:?}", waiting(&plan));
    let observed = Observed::new();
    let odd = json!(null);
    assert!(!graph.plan(&Situation::new(&odd, &observed)).is_ready);
}
