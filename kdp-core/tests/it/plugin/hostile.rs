//! Programs that do not do what a plugin does.

use std::{fs, path::Path, time::Duration};

use kdp_core::{
    ErrorKind, Provider,
    plugin::{PluginOptions, PluginProvider},
    provider::{Lease, Order, OrderId, Phase, Run},
};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::suite::in_rust;

const WELCOME: &str = r#"read hello; echo '{"jsonrpc":"2.0","id":0,"result":{"version":1,"name":"x"}}'; "#;
const LONG: Duration = Duration::from_secs(30);

fn shell(script: &str) -> PluginOptions {
    let mut options = PluginOptions::new("/bin/sh").with_argument("-c").with_argument(script);
    options.handshake = Duration::from_millis(500);
    options.grace = Duration::from_millis(300);
    options.longest = 64 << 10;
    options
}

fn order() -> Order {
    Order::new(OrderId::new("u", "team", "order"), 1, json!({"note": "a"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plugin_is_refused_with_a_reason() {
    let check = async |script: &str, kind: ErrorKind, part: &str| {
        let error = timeout(LONG, PluginProvider::start(shell(script))).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind, "{script}: {error}");
        assert!(error.message().contains(part), "{script}: {error}");
    };
    check("exit 3", ErrorKind::Unavailable, "ended").await;
    check("sleep 60", ErrorKind::Unavailable, "in time").await;
    check("echo hello; sleep 60", ErrorKind::Unsupported, "no plugin").await;
    check("yes | tr -d '\\n'; sleep 60", ErrorKind::Unsupported, "no plugin").await;
    check("printf '\\377\\376\\n'; sleep 60", ErrorKind::Unavailable, "ended").await;
    check(
        r#"echo '{"jsonrpc":"2.0","id":0,"result":{"version":7,"name":"x"}}'; sleep 60"#,
        ErrorKind::Unsupported,
        "version 7",
    )
    .await;
    check(
        r#"echo '{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"too old"}}'; sleep 60"#,
        ErrorKind::Unsupported,
        "too old",
    )
    .await;
    let error = PluginProvider::start(PluginOptions::new("/nowhere/plugin")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_plugin_does_while_it_is_asked_the_question_ends() {
    for script in [
        "exit 0",
        "read request; exit 1",
        "echo garbage; sleep 60",
        "yes | tr -d '\\n'",
        r#"echo '{"jsonrpc":"2.0","id":77,"result":{}}'; read request; exit 1"#,
        r#"echo '{"jsonrpc":"2.0","method":"progress","params":{"id":1,"step":7}}'; exit 1"#,
        // A child of it keeps the pipe open.
        "sleep 60 & read request; exit 1",
    ] {
        let plugin = PluginProvider::start(shell(&format!("{WELCOME}{script}"))).await.unwrap();
        let asked = timeout(LONG, plugin.plan(&order(), &Run::new(Lease(1)))).await;
        let error = asked.unwrap_or_else(|_| panic!("{script}: it waits for ever")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{script}: {error}");
        timeout(LONG, plugin.shutdown()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_another_shape_are_errors_of_the_plugin() {
    let script = r#"while read request; do
        id=$(echo "$request" | sed 's/.*"id":\([0-9]*\),"method".*/\1/'); echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":[1]}"
    done"#;
    let plugin = PluginProvider::start(shell(&format!("{WELCOME}{script}"))).await.unwrap();
    let error = timeout(LONG, plugin.plan(&order(), &Run::new(Lease(1)))).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_never_answers_is_told_when_nobody_waits_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let heard = directory.path().join("heard");
    let script = format!("{WELCOME} while read line; do echo \"$line\" >> {}; done", heard.display());
    let plugin = PluginProvider::start(shell(&script)).await.unwrap();
    let run = Run::new(Lease(1));
    let stop = run.stop.clone();
    let order = order();
    let asking = plugin.plan(&order, &run);
    drop(timeout(Duration::from_millis(200), async { tokio::join!(asking, async { stop.cancel() }).0 }).await);
    let started = Instant::now();
    loop {
        let lines = fs::read_to_string(&heard).unwrap_or_default();
        if lines.contains("\"stop\"") && lines.contains("\"cancel\"") {
            break;
        }
        assert!(started.elapsed() < LONG, "{lines}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The processes whose environment has this text in it.
fn processes(mark: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("environ")).ok());
    all.filter(|environment| environment.windows(mark.len()).any(|part| part == mark.as_bytes())).count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_plugin_outlives_its_provider() {
    let mark = format!("MARK=plugin-{:x}", rand::random::<u64>());
    let script = format!("{WELCOME} trap '' TERM INT; sleep 100 & sleep 100");
    let options = shell(&script).with_environment("MARK", &mark[5..]);
    let plugin = PluginProvider::start(options).await.unwrap();
    assert!(processes(&mark) > 0);
    drop(plugin);
    let started = Instant::now();
    while processes(&mark) > 0 {
        assert!(started.elapsed() < LONG);
        sleep(Duration::from_millis(10)).await;
    }
}

fn kill(base: &Path) {
    let name = base.to_string_lossy().into_owned();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line.windows(name.len()).any(|part| part == name.as_bytes()) {
            let pid = entry.file_name().to_string_lossy().into_owned();
            drop(std::process::Command::new("kill").args(["-9", &pid]).status());
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_killed_is_started_again_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = PluginProvider::start(in_rust(directory.path())).await.unwrap();
    let (order, run) = (order(), Run::new(Lease(1)));
    for _ in 0..3 {
        kill(directory.path());
        let started = Instant::now();
        loop {
            let outcome = match plugin.plan(&order, &run).await {
                Ok(plan) => plugin.apply(&order, &plan.hash(), &run).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(seen) if seen.phase == Phase::Ready => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
                Ok(_) => {}
            }
            assert!(started.elapsed() < LONG);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_inherits_nothing_and_people_who_start_it_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("env > {}/env; {WELCOME} cat", directory.path().display());
    drop(PluginProvider::start(shell(&script)).await.unwrap());
    let environment = fs::read_to_string(directory.path().join("env")).unwrap();
    assert!(environment.contains("KDP_PROVIDER_PLUGIN=1"));
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !environment.contains("CARGO_"), "{environment}");
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/directories");
    let alone = tokio::process::Command::new(program).output().await.unwrap();
    assert!(!alone.status.success() && String::from_utf8_lossy(&alone.stderr).contains("a platform starts it"));
}
