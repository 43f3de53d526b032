//! Start, workspaces and objects of the embedded control plane.
//!
//! Durable writes stand next to their physical limit: one small append and fdatasync on the same
//! disk.

use std::{io::Write, path::Path};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kdp_benches::{config_map, in_process, serve, unique, workspace};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use tokio::runtime::Runtime;

/// How many writers share a group commit.
const WRITERS: usize = 64;

async fn first_request(control_plane: Embedded) {
    let namespaces: Api<Namespace> = Api::all(in_process(&control_plane));
    namespaces.get("default").await.expect("the first request succeeds");
    control_plane.close().await.expect("it closes");
}

fn start(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("start to first answer");
    group.sample_size(20);
    group.bench_function("memory", |b| {
        b.to_async(&runtime).iter(async || first_request(Embedded::in_memory().await.expect("it opens")).await);
    });
    let dir = tempfile::tempdir().expect("a directory");
    runtime.block_on(async { first_request(open(dir.path()).await).await });
    group.bench_function("disk, reopened", |b| {
        b.to_async(&runtime).iter(async || first_request(open(dir.path()).await).await);
    });
    group.finish();
}

async fn open(dir: &Path) -> Embedded {
    Embedded::open(dir).await.expect("it opens")
}

fn workspaces(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let mut group = criterion.benchmark_group("workspace");
    let memory = runtime.block_on(async { Embedded::in_memory().await.expect("it opens") });
    let disk = runtime.block_on(open(dir.path()));
    for (name, control_plane) in [("memory", &memory), ("disk", &disk)] {
        let api = Api::all(runtime.block_on(async { in_process(control_plane) }));
        let create = async || {
            api.create(&PostParams::default(), &workspace(&unique("w"))).await.expect("it is created");
        };
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("create, {name}"), |b| b.to_async(&runtime).iter(create));
        group.throughput(Throughput::Elements(WRITERS as u64));
        group.bench_function(format!("create, {name}, {WRITERS} writers"), |b| {
            b.to_async(&runtime).iter(async || join_all((0..WRITERS).map(|_| create())).await);
        });
    }
    let mut file = std::fs::File::create(dir.path().join("limit")).expect("a file");
    group.throughput(Throughput::Elements(1));
    group.bench_function("limit: append 4 KiB and fdatasync", |b| {
        b.iter(|| {
            file.write_all(&[7; 4096]).expect("it is written");
            file.sync_data().expect("it is synced");
        });
    });
    group.finish();
}

fn objects(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let control_plane = runtime.block_on(async { Embedded::in_memory().await.expect("it opens") });
    let served = runtime.block_on(serve(&control_plane));
    let inside = runtime.block_on(async { in_process(&control_plane) });
    for (name, client) in [("in process", inside), ("HTTPS", served.client.clone())] {
        crud(criterion, &runtime, name, client);
    }
    runtime.block_on(served.running.stop()).expect("it stops");
}

fn crud(criterion: &mut Criterion, runtime: &Runtime, name: &str, client: Client) {
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    let known = unique("known");
    runtime.block_on(api.create(&PostParams::default(), &config_map(&known))).expect("it is created");
    let mut group = criterion.benchmark_group(format!("object, {name}"));
    let create = async || {
        api.create(&PostParams::default(), &config_map(&unique("c"))).await.expect("it is created");
    };
    let get = async || {
        api.get(&known).await.expect("it is there");
    };
    group.throughput(Throughput::Elements(1));
    group.bench_function("get", |b| b.to_async(runtime).iter(get));
    group.bench_function("patch", |b| {
        b.to_async(runtime).iter(async || {
            let patch = serde_json::json!({"data": {"changing": unique("v")}});
            api.patch(&known, &PatchParams::default(), &Patch::Merge(&patch)).await.expect("it is patched");
        });
    });
    group.bench_function("list 100", |b| {
        b.to_async(runtime).iter(async || api.list(&ListParams::default().limit(100)).await.expect("it is listed"));
    });
    group.bench_function("create", |b| b.to_async(runtime).iter(create));
    group.throughput(Throughput::Elements(WRITERS as u64));
    group.bench_function(format!("get, {WRITERS} clients"), |b| {
        b.to_async(runtime).iter(async || join_all((0..WRITERS).map(|_| get())).await);
    });
    group.bench_function(format!("create, {WRITERS} clients"), |b| {
        b.to_async(runtime).iter(async || join_all((0..WRITERS).map(|_| create())).await);
    });
    group.finish();
}

criterion_group!(benches, start, workspaces, objects);
criterion_main!(benches);
