//! What the catalog costs.
//!
//! `resolution`: of one order, by the number of offerings, all of them of its kind. Compared with a look at the criteria
//! of each, which is what an index saves. The order has twelve values from five sources, limits, five releases and twenty
//! service clusters: what is left at ten offerings is the cost of those.
//!
//! `blueprint`: of two hundred Deployments, each of which uses up to three of those before it; compiled and planned, and
//! planned again when all are ready. The limit is one evaluation of CEL for each of its 1,200 expressions.
//!
//! `listing`: the catalog as one tenant sees it, by the number of workspaces. It should not depend on that.
//!
//! `cargo bench -p kdp-benches --bench catalog`

use std::{collections::BTreeMap, hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::future::try_join_all;
use kdp_benches::{in_process, workspace};
use kdp_catalog::{
    Catalog, GroupKind, Offering, Placement, Release, Service, ServiceSpec,
    blueprint::{
        Graph, Observed, ResourceGraph, Situation,
        definition::{GraphSchema, Resource},
    },
    install_service_crd,
    resolution::{EnvironmentFacts, OrderFacts, Request, Shelf, Stock, Usage, WorkspaceFacts},
};
use kdp_core::{ControlPlaneExt, Identity, api::tenancy::Workspace, workspace::ensure_workspace};
use kdp_tenancy::Embedded;
use kube::{Api, api::PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("it is one")
}

fn shelf(offerings: usize) -> Shelf {
    let kind = json!({"group": "db.example.com", "kind": "Database"});
    let offering = |i: usize| {
        let (type_, region) = (["development", "staging", "production"][i % 3], ["eu", "us"][i % 2]);
        let spec = json!({
            "service": "db.example.com", "kind": kind, "provider": {"name": "postgres"}, "placement": "clusters",
            "criteria": {
                "environmentTypes": [type_],
                "regions": [region],
                "workspaces": {"matchLabels": {"team": format!("team-{i}")}},
            },
            "parameters": {"engine": "postgres", "storage": {"class": "fast", "size": "1Gi"}, "tls": true, "port": 5432},
            "plans": [
                {"name": "small", "parameters": {"cpu": 1, "memory": "1Gi"}, "demand": {"disks": 1}},
                {"name": "large", "parameters": {"cpu": 8, "memory": "64Gi"}, "demand": {"disks": 4}},
            ],
            "limits": {"type": "object", "properties": {
                "engine": {"enum": ["postgres", "mysql"]}, "cpu": {"maximum": 16}, "replicas": {"maximum": 5},
            }},
        });
        Offering::new(&format!("offering-{i}"), of(spec))
    };
    let release = |offering: usize, minor: usize| {
        let spec = json!({
            "offering": format!("offering-{offering}"), "version": format!("1.{minor}.0"),
            "parameters": {"image": format!("postgres:1{minor}")},
        });
        Release::new(&format!("release-{offering}-{minor}"), of(spec))
    };
    let clusters: Vec<_> = (0..20)
        .map(|i| {
            let region = ["eu", "us"][i % 2];
            json!({"name": format!("cluster-{i}"), "labels": {"region": region}, "capacity": {"disks": 1000}})
        })
        .collect();
    let rules = json!({"clusters": clusters, "antiAffinity": [{"label": "app", "penalty": 5}]});
    let (shelf, faults) = Shelf::stock(Stock {
        offerings: (0..offerings).map(offering).collect(),
        releases: (0..offerings.min(1000)).flat_map(|i| (0..5).map(move |minor| release(i, minor))).collect(),
        placements: vec![Placement::new("clusters", of(rules))],
        ..Stock::default()
    });
    assert!(faults.is_empty(), "{faults:?}");
    shelf
}

fn resolution(criterion: &mut Criterion) {
    let kind = GroupKind::new("db.example.com", "Database");
    let workspace = WorkspaceFacts {
        path: "root:acme:shop".into(),
        labels: BTreeMap::from([("team".to_owned(), "team-4".to_owned()), ("tier".to_owned(), "gold".to_owned())]),
    };
    let environment = EnvironmentFacts {
        name: "staging".into(),
        labels: BTreeMap::new(),
        spec: of(json!({
            "type": "staging", "region": "eu", "dataClass": "internal",
            "parameters": [{"kind": kind, "values": {"replicas": 2, "backup": {"hour": 3, "keep": 7}}}],
        })),
    };
    let order = OrderFacts {
        uid: "7d0a7c1e-5a2b-4c38-9d5f-3f1c1f0a2b11".into(),
        labels: BTreeMap::from([("app".to_owned(), "shop".to_owned())]),
        spec: json!({"name": "shop", "storage": {"size": "20Gi"}, "cpu": 2}),
        ..OrderFacts::default()
    };
    let mut usage = Usage::default();
    for i in 0..1000 {
        let demand = BTreeMap::from([("disks".to_owned(), 1)]);
        usage.add(&format!("cluster-{}", i % 20), &format!("root:w{}", i % 100), &order.labels, &demand);
    }
    let request = Request {
        kind: &kind,
        workspace: &workspace,
        environment: Some(&environment),
        order: &order,
        usage: &usage,
        now: "2026-06-01T00:00:00Z".parse().expect("it is a time"),
    };
    let mut group = criterion.benchmark_group("resolution");
    for offerings in [10, 1_000, 10_000, 100_000] {
        let shelf = shelf(offerings);
        assert_eq!(shelf.resolve(&request).expect("it can be made").offering, "offering-4");
        group.bench_function(BenchmarkId::new("indexed", offerings), |bencher| {
            bencher.iter(|| black_box(shelf.resolve(black_box(&request))));
        });
        group.bench_function(BenchmarkId::new("look at all", offerings), |bencher| {
            bencher.iter(|| black_box(shelf.selectable(black_box(&request))));
        });
    }
    group.finish();
}

const NODES: usize = 200;

fn schema_of(_: &str, kind: &str) -> Option<Value> {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let properties = json!({"metadata": open, "spec": open, "status": open});
    (kind == "Deployment").then(|| json!({"type": "object", "properties": properties}))
}

fn graph() -> ResourceGraph {
    let resource = |position: usize| {
        let before = [1, 7, 31].into_iter().filter(|back| *back <= position).map(|back| position - back);
        let env =
            before.map(|on| json!({"name": format!("N{on}"), "value": format!("${{string(n{on}.spec.replicas)}}")}));
        let template = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": format!("${{schema.spec.name}}-{position}")},
            "spec": {"replicas": "${schema.spec.replicas}", "template": {"env": env.collect::<Vec<_>>()}},
        });
        Resource {
            id: format!("n{position}"),
            template: template.as_object().cloned(),
            ready_when: vec![format!("${{n{position}.status.available >= n{position}.spec.replicas}}")],
            ..Resource::default()
        }
    };
    let spec = json!({"name": "string", "replicas": "integer"});
    let schema = GraphSchema { api_version: "v1".into(), kind: "Large".into(), spec, ..GraphSchema::default() };
    ResourceGraph { schema, resources: (0..NODES).map(resource).collect() }
}

fn blueprint(criterion: &mut Criterion) {
    let definition = graph();
    let instance = json!({
        "apiVersion": "kro.run/v1", "kind": "Large", "metadata": {"name": "x", "namespace": "team-a", "uid": "u"},
        "spec": {"name": "x", "replicas": 1},
    });
    let observed = (0..NODES).fold(Observed::new(), |observed, n| {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("x-{n}"), "namespace": "team-a"},
            "spec": {"replicas": 1}, "status": {"available": 1},
        });
        observed.with(format!("n{n}"), object)
    });
    let mut group = criterion.benchmark_group("blueprint");
    group.bench_function("compile and plan", |bencher| {
        bencher.iter(|| {
            let graph = Graph::compile(black_box(&definition), schema_of).expect("it is one");
            graph.plan(&Situation::new(&instance, &observed))
        });
    });
    let graph = Graph::compile(&definition, schema_of).expect("it is one");
    assert_eq!(graph.plan(&Situation::new(&instance, &observed)).apply.len(), NODES);
    group.bench_function("plan", |bencher| {
        bencher.iter(|| graph.plan(black_box(&Situation::new(&instance, &observed))));
    });
    group.finish();
}

const PER_ORGANIZATION: usize = 1000;

/// A control plane with a provider of twenty services, and so many workspaces of others.
async fn crowd(workspaces: usize) -> Embedded {
    let control_plane = Embedded::in_memory().await.expect("it starts");
    let provider = "root:provider".parse().expect("it is a path");
    ensure_workspace(&control_plane, &provider, &Identity::system_masters()).await.expect("it is made");
    let client = control_plane.system_client(&provider).expect("it is there");
    install_service_crd(&client).await.expect("it is taken");
    for i in 0..20 {
        let spec = ServiceSpec { api_group: format!("s{i}.example.com"), ..ServiceSpec::default() };
        let service = Service::new(&format!("s{i}.example.com"), spec);
        Api::all(client.clone()).create(&PostParams::default(), &service).await.expect("it is taken");
    }
    let root: Api<Workspace> = Api::all(in_process(&control_plane));
    for organization in 0..workspaces.div_ceil(PER_ORGANIZATION) {
        let name = format!("org-{organization}");
        root.create(&PostParams::default(), &workspace(&name)).await.expect("it is made");
        let path = format!("root:{name}").parse().expect("it is a path");
        let inside: Api<Workspace> = Api::all(control_plane.system_client(&path).expect("it is there"));
        let here = PER_ORGANIZATION.min(workspaces - organization * PER_ORGANIZATION);
        for names in (0..here).map(|i| workspace(&format!("w-{i}"))).collect::<Vec<_>>().chunks(64) {
            let params = PostParams::default();
            try_join_all(names.iter().map(|new| inside.create(&params, new))).await.expect("they are made");
        }
    }
    control_plane
}

fn listing(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    let mut group = criterion.benchmark_group("listing");
    for workspaces in [10, 10_000, 100_000] {
        let control_plane = runtime.block_on(crowd(workspaces));
        let catalog = Catalog::new(Arc::new(control_plane), ["root:provider".parse().expect("it is a path")]);
        let admin = Identity::system_masters();
        group.bench_function(BenchmarkId::new("workspaces", workspaces), |bencher| {
            bencher.to_async(&runtime).iter(async || {
                let entries = catalog.list(black_box(&admin)).await.expect("it can be read");
                assert_eq!(entries.len(), 20);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, resolution, blueprint, listing);
criterion_main!(benches);
