//! A full cycle of Terraform, plan, apply and outputs of something new, by the provider and by the bare
//! program, which is the limit: what an order costs is one program after the other.
//!
//! The bare program keeps its state in a file. It prepares, plans, shows, applies and prints its outputs, as
//! a script would; the provider prepares a module once, and needs no program for outputs.
//!
//! `cargo bench -p kdp-benches --bench terraform`
#![expect(clippy::print_stderr, reason = "a bench that cannot run says so")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use criterion::{Criterion, criterion_group, criterion_main};
use kdp_benches::unique;
use kdp_core::{
    Provider,
    provider::{
        Lease, Order, OrderId, Phase, Run,
        terraform::{
            Binary, Given, Module, TerraformOptions, TerraformProvider,
            state::{DirectoryStates, StateKey, StateOptions, StateServer},
        },
    },
};
use serde_json::json;
use tokio::runtime::Runtime;

const MODULE: &str = r#"
variable "uid" { type = string }
variable "note" { type = string }
resource "terraform_data" "main" { input = "${var.uid} ${var.note}" }
output "id" { value = terraform_data.main.id }
"#;

fn bare(directory: &Path, binary: &Path) {
    fs::create_dir(directory).expect("it is new");
    fs::write(directory.join("main.tf"), MODULE).expect("it can be written");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary);
        command.args(arguments).current_dir(directory).env("TF_IN_AUTOMATION", "1").env("CHECKPOINT_DISABLE", "1");
        command.env("TF_CLI_CONFIG_FILE", "/dev/null").stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().expect("it can be run").success(), "{arguments:?}");
    };
    run(&["init", "-json", "-input=false"]);
    run(&["plan", "-json", "-input=false", "-out=plan", "-var=uid=a", "-var=note=b"]);
    run(&["show", "-json", "plan"]);
    run(&["apply", "-json", "-input=false", "plan"]);
    run(&["output", "-json"]);
}

async fn provided(provider: &TerraformProvider) {
    let order = Order::new(OrderId::new(unique("uid"), "team", "order"), 1, json!({"note": "b"}));
    let run = Run::new(Lease(1));
    let plan = provider.plan(&order, &run).await.expect("it can be planned");
    let seen = provider.apply(&order, &plan.hash(), &run).await.expect("it can be applied");
    assert_eq!(seen.phase, Phase::Ready);
}

fn cycle(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let Ok(binary) = runtime.block_on(Binary::find()) else {
        eprintln!("SKIPPED: neither terraform nor tofu is on the PATH");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let provider = runtime.block_on(async {
        let store = DirectoryStates::open(directory.path().join("states")).expect("it can be made");
        let states = StateServer::start(Arc::new(store), StateKey::new([7; 32]), StateOptions::default());
        let states = states.await.expect("a port is free");
        let module = Module::from_files([("main.tf".into(), MODULE.into())]).expect("it is a module");
        let options = TerraformOptions::default().with_given("uid", Given::Uid);
        let work = directory.path().join("work");
        TerraformProvider::open("bench", module, binary.clone(), states, work, options).await.expect("it opens")
    });
    let mut group = criterion.benchmark_group("terraform cycle");
    group.sample_size(30);
    group.bench_function("the bare program", |b| {
        b.iter(|| bare(&directory.path().join(unique("bare")), binary.path()));
    });
    group.bench_function("the provider", |b| b.to_async(&runtime).iter(async || provided(&provider).await));
    group.finish();
}

criterion_group!(benches, cycle);
criterion_main!(benches);
