//! What tenants, modules and accidents try.

use std::{fs, time::Duration};

use kdp_core::{
    ErrorKind,
    provider::{
        Lease, Order, OrderId, Phase, Progress, Provider, Run, Step,
        terraform::{Ambiguous, Binary, Module, Plugins, TerraformOptions, TerraformProvider},
    },
};
use serde_json::json;

use super::{
    is_here,
    place::{Place, SECRET, make, order, spec, states},
};

fn run(lease: u64) -> Run {
    Run::new(Lease(lease)).with_holder("a test")
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_in_an_order_are_only_text() {
    if !is_here() {
        return;
    }
    let place = Place::of("variable \"note\" {\n  type = string\n}\noutput \"note\" {\n  value = var.note\n}\n");
    let provider = place.opening("things", TerraformOptions::default()).await.unwrap();
    for (number, note) in ["${file(\"/etc/passwd\")}", "%{ for x in [1] }x%{ endfor }", "\"}\n", "$${x}", "\u{0}\u{7}ü"]
        .into_iter()
        .enumerate()
    {
        let seen = make(&provider, &order(&format!("u-{number}"), json!({"note": note}))).await.unwrap();
        assert_eq!(seen.outputs["note"].value, note);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_nothing_that_is_the_platforms_to_say() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    let provider = place.open().await.unwrap();
    let refused = |spec| {
        let (provider, order) = (provider.clone(), order("u-1", spec));
        async move { provider.plan(&order, &run(1)).await.unwrap_err() }
    };
    for (field, value) in [("uid", json!("victim")), ("things", json!("/etc")), ("TF_LOG", json!("x")), ("", json!(1))]
    {
        let mut spec = spec("a");
        spec[field] = value;
        let error = refused(spec).await;
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(&format!("{field}: there is no such field")), "{error}");
    }
    assert_eq!(refused(json!("text")).await.kind(), ErrorKind::Invalid);
    assert!(refused(json!({"note": "a"})).await.message().contains("password: is required"));
    let schema = provider.schema();
    assert_eq!(schema["required"], json!(["note", "password"]));
    assert!(schema["properties"].get("uid").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_identity_leads_out_of_an_orders_directory() {
    if !is_here() {
        return;
    }
    let place = Place::of("output \"a\" {\n  value = 1\n}\n");
    let provider = place.opening("things", TerraformOptions::default()).await.unwrap();
    let outside = || {
        let mut names: Vec<_> = fs::read_dir(place.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = outside();
    for uid in ["../../evil", "/etc/evil", "..", "a/b", "", "\0", &"x".repeat(5000)] {
        let order = Order::new(OrderId::new(uid, "../..", "/"), 1, json!({}));
        assert_eq!(make(&provider, &order).await.unwrap().phase, Phase::Ready, "{uid:?}");
    }
    assert_eq!(outside(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_inherits_nothing_and_orders_cannot_look_at_each_other() {
    if !is_here() {
        return;
    }
    let module = r#"
variable "uid" { type = string }
variable "things" { type = string }
resource "terraform_data" "main" {
  provisioner "local-exec" {
    command     = "env > \"$THINGS/$NAME\""
    environment = { THINGS = var.things, NAME = var.uid }
  }
}
"#;
    let place = Place::of(module);
    let options = TerraformOptions::default()
        .with_given("uid", kdp_core::provider::terraform::Given::Uid)
        .with_given("things", kdp_core::provider::terraform::Given::Value(json!(place.path("things"))))
        .with_environment("CLOUD_TOKEN", "of-the-platform")
        .with_environment("TF_DATA_DIR", "/somewhere");
    let provider = place.opening("things", options).await.unwrap();
    for uid in ["one", "two"] {
        make(&provider, &order(uid, json!({}))).await.unwrap();
    }
    let environment = |uid: &str| fs::read_to_string(place.path("things").join(uid)).unwrap();
    let (one, two) = (environment("one"), environment("two"));
    assert!(one.contains("CLOUD_TOKEN=of-the-platform") && !one.contains("TF_DATA_DIR=/somewhere"));
    // Cargo sets it for each test, so it would be there if anything was inherited.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !one.contains("CARGO_MANIFEST_DIR"), "{one}");
    let value =
        |all: &str, name: &str| all.lines().find_map(|line| line.strip_prefix(&format!("{name}=")).map(str::to_owned));
    for name in ["HOME", "TMPDIR", "TF_HTTP_ADDRESS", "TF_HTTP_PASSWORD"] {
        assert_ne!(value(&one, name).unwrap(), value(&two, name).unwrap(), "{name}");
    }
    #[cfg(unix)]
    for entry in fs::read_dir(place.path("work").join("orders")).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}

/// A provider with a module that fails and tells what it was given.
async fn telltale(place: &Place) -> TerraformProvider {
    place.opening("things", TerraformOptions::default().with_sensitive("password")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_says_when_it_fails_tells_no_secret() {
    if !is_here() {
        return;
    }
    let place = Place::of(
        r#"
variable "password" { type = string }
resource "terraform_data" "main" {
  provisioner "local-exec" {
    command     = "echo \"the password is $SECRET\"; exit 3"
    environment = { SECRET = nonsensitive(var.password) }
  }
}
"#,
    );
    let provider = telltale(&place).await;
    let order = order("u-1", json!({"password": SECRET}));
    let (progress, mut heard) = Progress::channel(1000);
    let run = run(1).with_progress(progress);
    let plan = provider.plan(&order, &run).await.unwrap();
    let error = provider.apply(&order, &plan.hash(), &run).await.unwrap_err();
    let seen = provider.observe(&order.id, None).await.unwrap();
    assert_eq!(seen.phase, Phase::Failing);
    let mut told = format!("{error} {error:?} {seen:?}");
    while let Ok(step) = heard.try_recv() {
        told += &Step::to_string(&step);
    }
    assert!(told.contains("terraform_data.main") && told.contains("(sensitive)"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_of_the_module_are_faults_of_the_order() {
    if !is_here() {
        return;
    }
    let place = Place::of(
        r#"
variable "size" {
  type = number
  validation {
    condition     = var.size < 10
    error_message = "No more than nine."
  }
}
resource "terraform_data" "main" {
  input = var.size
  lifecycle {
    precondition {
      condition     = var.size != 7
      error_message = "Seven is taken."
    }
  }
}
"#,
    );
    let provider = place.opening("things", TerraformOptions::default()).await.unwrap();
    for (size, expected) in [(12, "size: "), (7, "Seven is taken.")] {
        let error = provider.plan(&order("u", json!({"size": size})), &run(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains(expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drift_is_a_change_of_the_next_plan() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    let provider = place.open().await.unwrap();
    let order = order("u-1", spec("a"));
    make(&provider, &order).await.unwrap();
    // Somebody goes back to a state in which the note was another one.
    make(&provider, &Order::new(order.id.clone(), 2, spec("b"))).await.unwrap();
    let server = states(&place.path("states")).await.unwrap();
    let first = server.history(&order.id).await.unwrap()[0].serial;
    server.rollback(&order.id, first, &run(1)).await.unwrap();
    let seen = provider.observe(&order.id, None).await.unwrap();
    assert_eq!(seen.phase, Phase::Degraded, "{}", seen.message);
    let again = Order::new(order.id.clone(), 2, spec("b"));
    assert!(!provider.plan(&again, &run(1)).await.unwrap().changes.is_empty());
    assert_eq!(make(&provider, &again).await.unwrap().phase, Phase::Ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_time_is_over_is_interrupted_and_gone_on_with() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    let provider = place.open().await.unwrap();
    let mut slow = spec("a");
    slow["pause"] = json!(60);
    let slow = order("u-1", slow);
    let run_once = run(1);
    let plan = provider.plan(&slow, &run_once).await.unwrap();
    let stop = run_once.stop.clone();
    let stopping = async {
        while place.things().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
    };
    let hash = plan.hash();
    let (outcome, ()) = tokio::join!(provider.apply(&slow, &hash, &run_once), stopping);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("interrupted"), "{error}");
    // Another order with the same identity and no pause: what was half made is made anew.
    let quick = Order::new(slow.id.clone(), 2, spec("a"));
    let plan = provider.plan(&quick, &run(1)).await.unwrap();
    assert!(plan.is_destructive(), "{}", plan.summary());
    assert_eq!(make(&provider, &quick).await.unwrap().phase, Phase::Ready);
    assert_eq!(place.things().unwrap(), ["u-1"]);
    provider.shutdown().await;
    assert_eq!(make(&provider, &quick).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_made_is_held_where_the_platform_wants_to_look() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    let options = place.options().with_ambiguous(Ambiguous::Hold).with_grace(Duration::ZERO);
    let provider = place.opening("things", options).await.unwrap();
    let mut slow = spec("a");
    slow["pause"] = json!(60);
    let order = order("u-1", slow);
    let first = run(1);
    let plan = provider.plan(&order, &first).await.unwrap();
    let stop = first.stop.clone();
    let stopping = async {
        while place.things().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
    };
    let hash = plan.hash();
    let (outcome, ()) = tokio::join!(provider.apply(&order, &hash, &first), stopping);
    assert!(outcome.is_err());
    let quick = Order::new(order.id.clone(), 2, spec("a"));
    let held = make(&provider, &quick).await.unwrap();
    assert_eq!(held.phase, Phase::Blocked, "{}", held.message);
    assert!(held.message.contains("terraform_data.main"), "{}", held.message);
    assert_eq!(provider.delete(&held.teardown.unwrap(), &run(1)).await.unwrap().phase, Phase::Blocked);
    provider.clear_doubt(&order.id, &run(1)).await.unwrap();
    assert_eq!(make(&provider, &quick).await.unwrap().phase, Phase::Ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_come_from_the_mirror_and_from_nowhere_else() {
    if !is_here() {
        return;
    }
    let place = Place::of("resource \"random_id\" \"a\" {\n  byte_length = 4\n}\n");
    let mirror = place.path("mirror");
    fs::create_dir(&mirror).unwrap();
    let options = TerraformOptions::default().with_plugins(Plugins::Mirror(mirror));
    let provider = place.opening("things", options).await.unwrap();
    let error = provider.plan(&order("u", json!({})), &run(1)).await.unwrap_err();
    assert!(error.message().contains("random"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_work_are_refused_at_the_start() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    let options = TerraformOptions::default().with_sensitive("pasword");
    let error = place.opening("things", options).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.message().contains("pasword"), "{error}");
    assert_eq!(Binary::open("/nowhere/terraform").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(Binary::open("/bin/true").await.unwrap_err().kind(), ErrorKind::Unsupported);
    let error = Module::from_files([("main.tf".to_owned(), b"variable {".to_vec())]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
