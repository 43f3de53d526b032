//! The real kubectl against the served control plane.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use kdp_core::{Endpoint, Identity, Platform, RunningPlatform, WorkspacePath};
use kdp_tenancy::Embedded;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::{crud::widget_crd, support::workspace};

/// The kubectl to test with: `KDP_KUBECTL`, else the one on the path.
#[expect(clippy::print_stdout, reason = "whoever runs the tests must see that one is skipped")]
pub(crate) fn program() -> Option<PathBuf> {
    let named = std::env::var_os("KDP_KUBECTL").map(PathBuf::from);
    let found = named.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join("kubectl")).find(|program| program.is_file())
    });
    if found.is_none() {
        assert!(
            std::env::var_os("KDP_REQUIRE_KUBECTL").is_none(),
            "KDP_REQUIRE_KUBECTL is set and there is no kubectl"
        );
        println!("SKIPPED: there is no kubectl on the path; KDP_REQUIRE_KUBECTL=1 makes this a failure");
    }
    found
}

/// A served control plane and a kubectl for one of its workspaces.
struct Session {
    program: PathBuf,
    home: tempfile::TempDir,
    running: RunningPlatform,
    _control_plane: Embedded,
}

impl Session {
    async fn start(program: PathBuf) -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        workspace(&control_plane, "root", "team").await;
        let server = control_plane.server(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let path: WorkspacePath = "root:team".parse().unwrap();
        let admin = Identity { username: "admin".into(), groups: vec!["system:masters".into()], ..Identity::default() };
        let config = control_plane.kubeconfig(&Endpoint::Workspace(path), &admin).unwrap();
        std::fs::write(home.path().join("config"), config).unwrap();
        let running =
            Platform::builder(std::sync::Arc::new(control_plane.clone())).component(server).start().await.unwrap();
        Self { program, home, running, _control_plane: control_plane }
    }

    async fn output(&self, args: &str, input: &str) -> Output {
        let mut child = tokio::process::Command::new(&self.program)
            .args(args.split_whitespace())
            .env("KUBECONFIG", self.home.path().join("config"))
            .env("HOME", self.home.path())
            .env("EDITOR", self.home.path().join("editor"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        child.wait_with_output().await.unwrap()
    }

    /// The minor version of kubectl.
    async fn minor(&self) -> u32 {
        let version: Value = serde_json::from_str(&self.run("version --client -o json", "").await).unwrap();
        let minor = version["clientVersion"]["minor"].as_str().unwrap();
        minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
    }

    /// What kubectl prints, which must succeed.
    async fn run(&self, args: &str, input: &str) -> String {
        let output = self.output(args, input).await;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {args}\n{out}\n{err}");
        out.into_owned()
    }

    /// What kubectl complains of, which must fail.
    async fn fails(&self, args: &str, input: &str) -> String {
        let output = self.output(args, input).await;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "kubectl {args} did not fail\n{out}\n{err}");
        format!("{out}{err}")
    }
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

/// The first minor version of kubectl that has `auth whoami`.
const WHOAMI_SINCE: u32 = 28;

const WIDGET: &str = r#"
apiVersion: example.com/v1
kind: Widget
metadata:
  name: w
spec:
  size: 1
"#;

const CONFIG_MAP: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
data:
  key: value
"#;

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_works_unchanged() {
    let Some(program) = program() else { return };
    let s = Session::start(program).await;

    contains(&s.run("version", "").await, &["Server"]);
    contains(&s.run("api-resources", "").await, &["configmaps", "workspaces", "customresourcedefinitions"]);
    s.run("create -f -", &widget_crd().to_string()).await;
    s.run("wait --for=condition=Established --timeout=10s crd/widgets.example.com", "").await;
    contains(&s.run("api-resources --api-group=example.com", "").await, &["widgets", "Widget"]);
    contains(&s.run("explain widgets.spec", "").await, &["size", "color"]);
    contains(&s.run("explain configmaps.data", "").await, &["data"]);

    for (manifest, kind, name) in [(WIDGET, "widget", "w"), (CONFIG_MAP, "configmap", "c")] {
        let object = format!("{kind}/{name}");
        s.run("create -f -", manifest).await;
        s.run(&format!("delete {object}"), "").await;
        contains(&s.run("apply -f -", manifest).await, &["created"]);
        contains(&s.run("apply -f -", manifest).await, &["unchanged"]);
        contains(&s.run("apply --server-side --force-conflicts -f -", manifest).await, &["serverside-applied"]);
        contains(&s.run(&format!("get {object} -o wide"), "").await, &["NAME", "AGE", name]);
        contains(&s.run(&format!("get {object} -o yaml"), "").await, &["kcp.io/cluster"]);
        contains(&s.run(&format!("describe {object}"), "").await, &["Name:", name]);
        s.run(&format!("label {object} team=blue"), "").await;
        contains(&s.run(&format!("get {kind}s -l team=blue"), "").await, &[name]);
        s.run(&format!("annotate {object} note=hello"), "").await;
        let patch = r#"{"metadata":{"labels":{"team":"green"}}}"#;
        s.run(&format!("patch {object} --type=merge -p {patch}"), "").await;
        let unchanged = s.output("diff -f -", manifest).await;
        assert!(unchanged.status.code() == Some(0), "{}", String::from_utf8_lossy(&unchanged.stdout));
        edits(&s, &object).await;
        s.run(&format!("get {object} -o name"), "").await;
    }
    contains(&s.output("diff -f -", &WIDGET.replace("size: 1", "size: 5")).await.stdout_text(), &["size: 5"]);
    contains(&s.fails("apply -f -", &WIDGET.replace("size: 1", "size: big")).await, &["size"]);
    contains(&s.fails("apply -f -", &WIDGET.replace("size: 1", "size: 0")).await, &["size may not shrink"]);

    contains(&s.run("auth can-i create widgets", "").await, &["yes"]);
    contains(&s.fails("auth can-i create widgets --as mallory", "").await, &["no"]);
    contains(&s.run("create configmap d --from-literal=a=b", "").await, &["created"]);
    contains(&s.run("create secret generic e --from-literal=a=b", "").await, &["created"]);
    contains(&s.run("create namespace n", "").await, &["created"]);
    contains(&s.run("create serviceaccount robot", "").await, &["created"]);
    typed_clients(&s).await;
    watches(&s).await;
    s.run("delete widget/w configmap/c namespace/n --timeout=20s", "").await;
    s.run("delete crd/widgets.example.com --timeout=20s", "").await;
    s.running.stop().await.unwrap();
}

/// The commands that send objects of their own making, in protobuf since kubectl 1.32.
async fn typed_clients(s: &Session) {
    if s.minor().await >= WHOAMI_SINCE {
        contains(&s.run("auth whoami", "").await, &["Username", "admin", "system:masters"]);
    }
    contains(&s.run("auth can-i --list", "").await, &["Resources", "*.*"]);
    contains(&s.run("get configmap/d -o jsonpath={.data}", "").await, &[r#"{"a":"b"}"#]);
    contains(&s.run("get secret/e -o jsonpath={.type}{.data}", "").await, &[r#"Opaque{"a":"Yg=="}"#]);
    s.run("create role reader --verb=get,list --resource=configmaps --resource-name=d", "").await;
    let rules = r#"[{"apiGroups":[""],"resourceNames":["d"],"resources":["configmaps"],"verbs":["get","list"]}]"#;
    contains(&s.run("get role/reader -o jsonpath={.rules}", "").await, &[rules]);
    let access = "create clusterrolebinding access --clusterrole=system:kcp:workspace:access";
    s.run(&format!("{access} --user=alice --user=bob --serviceaccount=default:robot"), "").await;
    s.run("create rolebinding reads --role=reader --user=alice --serviceaccount=default:robot", "").await;
    contains(&s.run("auth can-i get configmap/d --as alice", "").await, &["yes"]);
    contains(&s.run("auth can-i list configmap/d --as system:serviceaccount:default:robot", "").await, &["yes"]);
    contains(&s.fails("auth can-i get configmap/c --as alice", "").await, &["no"]);
    s.run("create clusterrole healthy --verb=get --non-resource-url=/healthz/*", "").await;
    s.run("create clusterrolebinding healthy --clusterrole=healthy --group=watchers", "").await;
    contains(&s.run("auth can-i get /healthz/a --as bob --as-group watchers", "").await, &["yes"]);
    s.run("create quota few --hard=count/configmaps=100,requests.storage=1500Mi", "").await;
    let hard = r#"{"count/configmaps":"100","requests.storage":"1500Mi"}"#;
    contains(&s.run("get quota/few -o jsonpath={.spec.hard}", "").await, &[hard]);
    s.run("delete role/reader rolebinding/reads quota/few clusterrole/healthy", "").await;
    s.run("delete clusterrolebinding access healthy", "").await;
}

/// `kubectl edit` with an editor that changes a line.
async fn edits(s: &Session, object: &str) {
    write_script(&s.home.path().join("editor"), "#!/bin/sh\nsed -i 's/note: hello/note: edited/' \"$1\"\n");
    contains(&s.run(&format!("edit {object}"), "").await, &["edited"]);
    let shown: Value = serde_json::from_str(&s.run(&format!("get {object} -o json"), "").await).unwrap();
    assert_eq!(shown["metadata"]["annotations"]["note"], "edited");
}

/// `kubectl get -w` shows a change that is made while it runs.
async fn watches(s: &Session) {
    let watching = s.run("get configmap c -w --request-timeout=4s -o name", "");
    let changing = async {
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        s.run("label configmap/c seen=yes", "").await
    };
    let (watched, _) = tokio::join!(watching, changing);
    assert_eq!(watched.matches("configmap/c").count(), 2, "{watched}");
}

fn write_script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

trait StdoutText {
    fn stdout_text(&self) -> String;
}

impl StdoutText for Output {
    fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}
