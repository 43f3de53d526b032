//! A person with a keyboard, and one with a screen reader: see `browser.mjs`.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kdp_catalog::Service;
use kdp_core::ControlPlaneExt;
use kdp_examples::selfservice::Demo;
use kube::{Api, api::PostParams};
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::visitor::{demo, folder};

/// What a hostile provider calls its service.
pub(crate) const HOSTILE: &str =
    "<img src=x onerror=\"window.attacked=1\"><b>bold</b><script>window.attacked=1</script>";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_ordered_with_the_keyboard_and_axe_finds_nothing() {
    let Some((browser, modules)) = tools() else { return };
    let (demo, _directory) = demo().await;
    offer_hostile_service(&demo).await;
    let artifacts = env::var_os("KDP_BROWSER_ARTIFACTS")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("selfservice"), PathBuf::from);
    let [first, second] = demo.guests() else { panic!("there are two tenants") };
    let settings = json!({
        "link": first.link, "foreignLink": second.link, "browser": browser, "modules": modules,
        "artifacts": artifacts, "hostile": HOSTILE,
    });
    let mut script = Command::new("node")
        .arg(folder().join("browser.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    script.stdin.take().unwrap().write_all(settings.to_string().as_bytes()).await.unwrap();
    let output = tokio::time::timeout(std::time::Duration::from_secs(300), script.wait_with_output());
    let output = output.await.expect("the browser is done in time").unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let troubles = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{troubles}");
    eprintln!("{told}\nscreenshots are in {}", artifacts.display());
    demo.stop().await.unwrap();
}

/// The browser and the folder of modules; `None`, loudly, when one of them is not there.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let named = env::var_os("KDP_BROWSER").unwrap_or_else(|| "chromium".into());
    let browser = find(Path::new(&named));
    let modules = env::var_os("KDP_BROWSER_NODE_MODULES").map_or_else(|| folder().join("node_modules"), PathBuf::from);
    let missing: Vec<_> = [
        (browser.is_none(), "Chromium (named by KDP_BROWSER)"),
        (find(Path::new("node")).is_none(), "node"),
        (
            !modules.join("axe-core").exists(),
            "axe-core and puppeteer-core (KDP_BROWSER_NODE_MODULES names their folder)",
        ),
    ]
    .into_iter()
    .filter_map(|(is_missing, what)| is_missing.then_some(what))
    .collect();
    if missing.is_empty() {
        return browser.map(|browser| (browser, modules));
    }
    let missing = missing.join(", ");
    assert!(env::var_os("KDP_REQUIRE_BROWSER").is_none(), "KDP_REQUIRE_BROWSER is set, but there is no {missing}");
    eprintln!("SKIPPED: the browser test of the self-service page: there is no {missing}");
    None
}

fn find(program: &Path) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// A service whose texts would do harm as markup, shown to everybody.
async fn offer_hostile_service(demo: &Demo) {
    let client = demo.control_plane().system_client(&"root:databases".parse().unwrap()).unwrap();
    let create = PostParams::default();
    let service = serde_json::from_value(json!({
        "apiVersion": "core.kdp.k8c.io/v1alpha1", "kind": "Service", "metadata": {"name": "hostile"},
        "spec": {"apiGroup": "hostile.example.com", "catalogMetadata": {
            "title": HOSTILE, "description": HOSTILE, "category": HOSTILE, "documentationUrl": "javascript:attacked=1",
        }},
    }));
    Api::<Service>::all(client.clone()).create(&create, &service.unwrap()).await.unwrap();
    let role = serde_json::from_value(json!({
        "metadata": {"name": "hostile"},
        "rules": [{"apiGroups": ["core.kdp.k8c.io"], "resources": ["services"], "verbs": ["get"]}],
    }));
    Api::<ClusterRole>::all(client.clone()).create(&create, &role.unwrap()).await.unwrap();
    let binding = serde_json::from_value(json!({
        "metadata": {"name": "hostile"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "hostile"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}],
    }));
    Api::<ClusterRoleBinding>::all(client).create(&create, &binding.unwrap()).await.unwrap();
}
