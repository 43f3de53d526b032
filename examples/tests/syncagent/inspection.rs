//! What the program tells, or takes back, without running: `--plan`, `--drift`, `--hand-back`.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    case::Case,
    object::{config_maps, create_config_map, delete, gone, patch, seen},
    program::{Program, flags, run},
    related::holds,
    shared::{Shared, shared},
};

/// The flags of an agent with an export of its own, and a namespace for what it remembers: of what is
/// left over there, nobody can tell which agent left it.
fn own_flags(shared: &Shared, name: &str, more: &[&str]) -> Vec<String> {
    let selector = format!("--published-resource-selector=agent={name}");
    let mut all = flags(&shared.site, name, name, &[&selector]);
    all[2] = format!("--namespace={name}");
    all.extend(more.iter().map(|&flag| flag.to_owned()));
    all
}

/// The exit code, and what was told.
async fn told(flags: Vec<String>) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || run(&flags)).await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_plan_says_what_the_agent_then_does() {
    shared(async |s| {
        s.site.create_export("plan").await;
        let case = Case::on(&s.site, "plan", "plan", "plan", |_| {}).await;
        case.publish(json!({})).await;
        let (code, plan) = told(own_flags(s, "plan", &["--plan"])).await;
        assert_eq!(code, Some(2), "{plan}");
        assert!(plan.contains("+ create APIResourceSchema") && plan.contains("~ update APIExport plan"), "{plan}");

        let agent = Program::start(&s.site, "plan", &own_flags(s, "plan", &[]));
        case.published().await;
        case.bind("plan", &super::case::CLAIMS).await;
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |_| true).await;
        assert!(agent.terminate().await.success(), "it finishes what it has begun");
        let (code, plan) = told(own_flags(s, "plan", &["--plan", "--output=json"])).await;
        let plan: Value = serde_json::from_str(&plan).unwrap();
        assert_eq!((code, &plan), (Some(0), &json!({"changes": [], "problems": []})), "{plan}");
    });
}

#[test]
fn drift_is_told_and_ends_with_its_own_code() {
    shared(async |s| {
        s.site.create_export("drift").await;
        let agent = Program::start(&s.site, "drift", &own_flags(s, "drift", &[]));
        let case = Case::on(&s.site, "drift", "drift", "drift", |_| {}).await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 3})).await;
        let copy = case.copy("one", |_| true).await;
        assert!(agent.terminate().await.success(), "it finishes what it has begun");
        let (code, drift) = told(own_flags(s, "drift", &["--drift"])).await;
        assert_eq!(code, Some(0), "{drift}");
        patch(&case.beside(&copy), &copy.name_any(), json!({"spec": {"a": 9}})).await;
        let (code, drift) = told(own_flags(s, "drift", &["--drift"])).await;
        assert_eq!(code, Some(2), "{drift}");
        assert!(drift.contains("- spec.a: 3") && drift.contains("+ spec.a: 9"), "{drift}");
    });
}

#[test]
fn after_a_hand_back_nothing_of_the_tenants_is_held_by_what_only_this_agent_knows() {
    shared(async |s| {
        s.site.create_export("handback").await;
        let agent = Program::start(&s.site, "handback", &own_flags(s, "handback", &[]));
        let case = Case::on(&s.site, "handback", "handback", "handback", |_| {}).await;
        case.offer(json!({"related": [{
            "identifier": "c", "origin": "kcp", "kind": "ConfigMap", "object": {"reference": {"path": "spec.config"}},
        }]}))
        .await;
        let originals = config_maps(case.tenant(), "default");
        create_config_map(&originals, "settings", "x", json!({})).await;
        patch(&originals, "settings", json!({"metadata": {"finalizers": ["example.com/tenants"]}})).await;
        for order in ["one", "two"] {
            case.order(order, json!({"config": "settings"})).await;
            let copy = case.copy(order, |_| true).await;
            holds(&config_maps(case.service(), &copy.namespace().unwrap()), "settings", "x").await;
        }
        let held = seen(&originals, "settings", |original| original.finalizers().len() == 3).await;
        assert!(agent.terminate().await.success());

        let (code, said) = told(own_flags(s, "handback", &["--hand-back"])).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.starts_with("no longer held: ") && said.contains("settings"), "{said}");
        let original = originals.get("settings").await.unwrap();
        assert_eq!(original.finalizers(), ["example.com/tenants"]);
        let (code, said) = told(own_flags(s, "handback", &["--hand-back"])).await;
        assert_eq!((code, said.as_str()), (Some(0), ""), "nothing is left to be handed back");

        // Whoever starts the agent once more has it as before.
        let agent = Program::start(&s.site, "handback", &own_flags(s, "handback", &[]));
        let claims = |finalizers: &[String]| finalizers.iter().cloned().collect::<std::collections::BTreeSet<_>>();
        seen(&originals, "settings", |original| claims(original.finalizers()) == claims(held.finalizers())).await;
        for order in ["one", "two"] {
            delete(&case.orders(), order).await;
            gone(&case.orders(), order).await;
        }
        agent.terminate().await;
    });
}
