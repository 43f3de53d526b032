//! The real plugins of kcp for kubectl against the served control plane.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Output,
    sync::Arc,
};

use kdp_core::{Endpoint, Identity, Platform, RunningPlatform, WorkspacePath};
use kdp_tenancy::{Embedded, EmbeddedOptions};
use kube::api::PostParams;
use serde_json::json;

use crate::support::{dynamic, object, system, workspace};

const PLUGINS: [&str; 3] = ["kubectl-ws", "kubectl-create-workspace", "kubectl-kcp"];

/// Where the plugins are: in `KDP_KCP_PLUGINS`, else on the path.
#[expect(clippy::print_stdout, reason = "whoever runs the tests must see that one is skipped")]
fn plugins() -> Option<PathBuf> {
    let named = std::env::var_os("KDP_KCP_PLUGINS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = named.into_iter().chain(std::env::split_paths(&path));
    let found = places.find(|place| PLUGINS.iter().all(|plugin| place.join(plugin).is_file()));
    if found.is_none() {
        assert!(
            std::env::var_os("KDP_REQUIRE_KCP_PLUGINS").is_none(),
            "KDP_REQUIRE_KCP_PLUGINS is set and kcp's plugins are neither in KDP_KCP_PLUGINS nor on the path"
        );
        println!(
            "SKIPPED: kcp's plugins are neither in KDP_KCP_PLUGINS nor on the path; \
             KDP_REQUIRE_KCP_PLUGINS=1 makes this a failure"
        );
    }
    found
}

/// A served control plane, and a user with a kubeconfig for its root.
struct Session {
    plugins: PathBuf,
    home: tempfile::TempDir,
    running: RunningPlatform,
    control_plane: Embedded,
}

impl Session {
    async fn start(plugins: PathBuf, user: &Identity) -> Self {
        let options = EmbeddedOptions::new().with_home_workspaces();
        let control_plane = Embedded::in_memory_with(options).await.unwrap();
        let server = control_plane.server(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let config = control_plane.kubeconfig(&Endpoint::Workspace(WorkspacePath::root()), user).unwrap();
        std::fs::write(home.path().join("config"), config).unwrap();
        let running = Platform::builder(Arc::new(control_plane.clone())).component(server).start().await.unwrap();
        Self { plugins, home, running, control_plane }
    }

    async fn output(&self, command: &str) -> Output {
        let mut words = command.split_whitespace();
        tokio::process::Command::new(self.plugins.join(words.next().unwrap()))
            .args(words)
            .env("KUBECONFIG", self.home.path().join("config"))
            .env("HOME", self.home.path())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap()
    }

    /// Runs a plugin, which must succeed and print each of `parts`.
    async fn run(&self, command: &str, parts: &[&str]) -> String {
        let output = self.output(command).await;
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success(), "{command}\n{text}");
        for part in parts {
            assert!(text.contains(part), "{command}: {part:?} is not in\n{text}");
        }
        text
    }

    /// Runs a plugin, which must fail and complain of `part`.
    async fn fails(&self, command: &str, part: &str) {
        let output = self.output(command).await;
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(!output.status.success() && text.contains(part), "{command}: {part:?} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_moves_through_the_tree_with_the_plugins() {
    let Some(plugins) = plugins() else { return };
    let admin = Identity { username: "admin".into(), groups: vec!["system:masters".into()], ..Identity::default() };
    let s = Session::start(plugins, &admin).await;
    s.run("kubectl-ws .", &["root"]).await;
    s.run("kubectl-create-workspace acme --enter", &["acme", "root:acme"]).await;
    s.run("kubectl-ws .", &["root:acme"]).await;
    s.run("kubectl-create-workspace blue --type root:team --enter", &["root:acme:blue"]).await;
    s.run("kubectl-ws ..", &["root:acme"]).await;
    s.run("kubectl-ws -", &["root:acme:blue"]).await;
    s.run("kubectl-ws :root", &["root"]).await;
    s.run("kubectl-create-workspace acme --ignore-existing", &["acme"]).await;
    s.fails("kubectl-create-workspace acme", "exists").await;
    s.run("kubectl-ws tree", &["acme", "blue"]).await;
    s.run("kubectl-ws acme:blue", &["root:acme:blue"]).await;
    s.fails("kubectl-ws :root:nowhere", "").await;
    s.fails("kubectl-create-workspace odd --type root:organization", "root:organization").await;
    s.run("kubectl-ws use :root:acme", &["root:acme"]).await;
    s.run("kubectl-ws", &["Current workspace is"]).await;
    s.run("kubectl-ws -", &["root:acme"]).await;
    s.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_bound_with_the_plugin() {
    let Some(plugins) = plugins() else { return };
    let admin = Identity { username: "admin".into(), groups: vec!["system:masters".into()], ..Identity::default() };
    let s = Session::start(plugins, &admin).await;
    for name in ["provider", "consumer"] {
        workspace(&s.control_plane, "root", name).await;
    }
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "things"}});
    let provider = system(&s.control_plane, "root:provider");
    let exports = dynamic(provider, "", "apis.kcp.io", "v1alpha2", "APIExport", "apiexports");
    exports.create(&PostParams::default(), &object(export)).await.unwrap();
    s.run("kubectl-ws :root:consumer", &["root:consumer"]).await;
    s.run("kubectl-kcp bind apiexport root:provider:things", &["things"]).await;
    s.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_finds_home_with_the_plugin() {
    let Some(plugins) = plugins() else { return };
    let alice = Identity { username: "alice".into(), ..Identity::default() };
    let s = Session::start(plugins, &alice).await;
    s.run("kubectl-ws ~", &["v1u4alow0iv9"]).await;
    s.run("kubectl-create-workspace project --enter", &["project"]).await;
    s.run("kubectl-ws :root", &["root"]).await;
    s.fails("kubectl-create-workspace own", "forbidden").await;
    s.run("kubectl-ws :user:alice", &[]).await;
    s.running.stop().await.unwrap();
}
