//! How long the resolution of one order takes, by the number of offerings, all of them of its kind.
//!
//! Compared with a look at the criteria of each, which is what an index saves. The order has twelve values from five
//! sources, limits, five releases and twenty service clusters: what is left at ten offerings is the cost of those.
//!
//! `cargo bench -p kdp-benches --bench catalog`

use std::{collections::BTreeMap, hint::black_box};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kdp_catalog::{
    GroupKind, Offering, Placement, Release,
    resolution::{EnvironmentFacts, OrderFacts, Request, Shelf, Stock, Usage, WorkspaceFacts},
};
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

criterion_group!(benches, resolution);
criterion_main!(benches);
