//! Taking over from the agent written in Go, and giving back.
//!
//! The environment variable `KDP_TEST_GO_SYNCAGENT` names the program of kcp-dev/api-syncagent. With
//! `KDP_REQUIRE_GO_SYNCAGENT` a run without it fails. Where there is no such program, what it has
//! left on both sides is restored from a file, see [`installation`](super::installation).

use std::{env, fs, path::PathBuf, time::Duration};

use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    installation::{EXPORT, Installation, WORKSPACES},
    object::{create, delete, gone, patch, patch_status, seen, value},
    program::{Program, flags},
    shared::{eventually, run},
    site::Site,
    snapshot::{Snapshot, differences},
};

const AGENT: &str = "takeover";
/// The existing agent looks again at what it waits for after five seconds.
const QUIET: Duration = Duration::from_secs(7);

#[test]
fn an_installation_is_taken_over_without_a_write_and_given_back() {
    let Some(binary) = go_agent() else { return };
    run(async {
        let site = Site::start("takeover").await;
        let installation = Installation::prepare(&site, AGENT).await;
        let flags = flags(&site, EXPORT, AGENT, &["--log-debug"]);
        let go = Program::start_as(&binary, &site, "go-before", &flags);
        installation.fill().await;
        let before = idle(&installation).await;
        go.terminate().await;
        if let Some(file) = env::var_os("KDP_CAPTURE_GO_SYNCAGENT") {
            fs::write(file, before.to_json()).unwrap();
        }

        let ours = take_over(&site, &installation, &flags, &before).await;
        work_goes_on(&installation, "ours").await;
        let before = idle(&installation).await;
        assert!(ours.terminate().await.success());
        let hand_back: Vec<_> = flags.iter().cloned().chain(["--hand-back".to_owned()]).collect();
        let output = tokio::task::spawn_blocking(move || super::program::run(&hand_back)).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for workspace in WORKSPACES {
            let originals = installation.config_maps(workspace).list(&Default::default()).await.unwrap();
            let is_ours = |finalizer: &String| finalizer.starts_with("sync.kdp.k8c.io/");
            assert!(!originals.iter().any(|original| original.finalizers().iter().any(is_ours)));
        }

        let go = Program::start_as(&binary, &site, "go-after", &flags);
        tokio::time::sleep(QUIET).await;
        let mut changed = differences(&before, &Snapshot::take(&installation).await);
        // It does not know our records of related objects, and brings its own up to date.
        changed.retain(|difference| !difference.contains(" secrets syncagent obj-state-"));
        // Our claims are taken off, and it holds what its orders refer to once more.
        changed.retain(|difference| !difference.contains(" configmaps default settings"));
        assert!(changed.is_empty(), "the existing agent changed what ours had left:\n{}", changed.join("\n"));
        work_goes_on(&installation, "go").await;
        go.kill().await;
    });
}

#[test]
fn what_the_existing_agent_left_is_taken_over_without_a_write() {
    run(async {
        let site = Site::start("restored").await;
        let text = include_str!("../data/syncagent/installation.json");
        let installation = Installation::restore(&site, &Snapshot::from_json(text)).await;
        let flags = flags(&site, EXPORT, AGENT, &[]);
        let before = Snapshot::take(&installation).await;
        let ours = take_over(&site, &installation, &flags, &before).await;
        work_goes_on(&installation, "ours").await;
        assert!(ours.terminate().await.success());
    });
}

/// The program of the existing agent, if there is one.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn go_agent() -> Option<PathBuf> {
    let binary = env::var_os("KDP_TEST_GO_SYNCAGENT").map(PathBuf::from);
    if binary.is_none() {
        assert!(env::var_os("KDP_REQUIRE_GO_SYNCAGENT").is_none(), "KDP_TEST_GO_SYNCAGENT names no program");
        eprintln!("SKIPPED: KDP_TEST_GO_SYNCAGENT does not name the program of kcp-dev/api-syncagent");
    }
    binary
}

/// Waits until nothing changes any more.
async fn idle(installation: &Installation<'_>) -> Snapshot {
    let mut last = Snapshot::take(installation).await;
    loop {
        tokio::time::sleep(QUIET).await;
        let now = Snapshot::take(installation).await;
        if differences(&last, &now).is_empty() {
            return now;
        }
        last = now;
    }
}

/// Starts our agent where the other one has stopped; it must not change anything.
async fn take_over(site: &Site, installation: &Installation<'_>, flags: &[String], before: &Snapshot) -> Program {
    let ours = Program::start(site, "ours", flags);
    // An order that only our agent can have served shows that it works.
    for workspace in ["one", "two"] {
        let order = json!({"metadata": {"name": "canary"}, "spec": {"size": 1, "region": "eu"}});
        installation.order(workspace, order).await;
        installation.copy(workspace, "canary", |_| true).await;
        delete(&installation.orders(workspace), "canary").await;
        gone(&installation.orders(workspace), "canary").await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let changed = differences(before, &Snapshot::take(installation).await);
    assert!(changed.is_empty(), "our agent wrote:\n{}\n{}", changed.join("\n"), ours.log_tail());
    ours
}

/// Edits on both sides, the status, related objects and deletions; `who` makes names unique.
async fn work_goes_on(installation: &Installation<'_>, who: &str) {
    // The operator's field and its edit stay, the tenant's edit goes down.
    let orders = installation.orders("one");
    patch(&orders, "kept", json!({"spec": {"size": 7, "by": who}})).await;
    installation
        .copy("one", "kept", |copy| {
            let spec = &copy.data["spec"];
            spec["by"] == who && spec["size"] == 7 && spec["operator"] == "was here" && spec["tier"] == "operator's"
        })
        .await;
    patch(&orders, "kept", json!({"spec": {"size": 8}})).await;
    let copy = installation.copy("one", "kept", |copy| copy.data["spec"]["size"] == 8).await;
    patch_status(&installation.copies_beside(&copy), &copy.name_any(), json!({"phase": format!("In{who}")})).await;
    seen(&orders, "kept", |order| order.data["status"]["phase"] == format!("Out{who}")).await;

    let originals = super::object::secrets(installation.site.service(), &copy.namespace().unwrap());
    patch(&originals, &format!("{}-credentials", copy.name_any()), json!({"stringData": {"key": who}})).await;
    // The existing agent hears of it with the next event of the order.
    patch(&orders, "kept", json!({"metadata": {"labels": {"poke": who}}})).await;
    seen(&installation.secrets("one"), "kept-credentials", |secret| value(secret) == who).await;
    patch(&installation.config_maps("one"), "settings", json!({"data": {"key": who}})).await;
    patch(&orders, "kept", json!({"metadata": {"labels": {"poke": format!("{who}-again")}}})).await;
    let handed_down = super::object::config_maps(installation.site.service(), &copy.namespace().unwrap());
    seen(&handed_down, "settings", |settings| value(settings) == who).await;

    // An order of the other agent's time goes; a new one comes and goes.
    let doomed = format!("doomed-{who}");
    let copy = installation.copy("two", &doomed, |_| true).await;
    delete(&installation.orders("two"), &doomed).await;
    gone(&installation.orders("two"), &doomed).await;
    gone(&installation.copies_beside(&copy), &copy.name_any()).await;
    let new = format!("new-{who}");
    installation.order("two", json!({"metadata": {"name": new}, "spec": {"size": 1, "region": "eu"}})).await;
    installation.copy("two", &new, |copy| copy.data["spec"]["region"] == "region-eu").await;

    let zones = installation.zones("two");
    patch(&zones, "zone", json!({"spec": {"by": who}})).await;
    eventually("the zone's copy follows", async || {
        let copies = installation.zone_copies().list(&Default::default()).await.unwrap();
        copies.iter().any(|copy| copy.data["spec"]["by"] == who).then_some(())
    })
    .await;
    let gadgets = installation.gadgets("one");
    let gadget = json!({
        "apiVersion": "outer.takeover.com/v2", "kind": "Gadget", "metadata": {"name": format!("gadget-{who}")},
        "spec": {"by": Value::from(who)},
    });
    create(&gadgets, gadget).await;
    seen(&gadgets, &format!("gadget-{who}"), |gadget| !gadget.finalizers().is_empty()).await;
    delete(&gadgets, &format!("gadget-{who}")).await;
    gone(&gadgets, &format!("gadget-{who}")).await;
}
