//! The program `kdp-report`, over HTTPS: what the platform, the owner of a service and a tenant learn.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Output,
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kdp_core::{
    ControlPlaneExt, Endpoint, Identity, LogicalClusterName, Platform, RunningPlatform,
    api::{
        CLUSTER_ANNOTATION,
        apis::{APIBinding, APIExport, APIResourceSchema},
    },
    workspace::ensure_workspace,
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::process::Command;

const GROUP: &str = "w.example.com";
const PROVIDER: &str = "root:provider";

/// A provider of widgets, and the tenants `root:a` and `root:b`, who have ordered some.
struct Site {
    control_plane: Embedded,
    /// The logical cluster of the provider.
    provider: LogicalClusterName,
    folder: PathBuf,
    _server: RunningPlatform,
}

impl Site {
    async fn start(name: &str) -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        let server = control_plane.server((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let server = Platform::builder(Arc::new(control_plane.clone())).component(server).start().await.unwrap();
        for path in [PROVIDER, "root:a", "root:b"] {
            ensure_workspace(&control_plane, &path.parse().unwrap(), &Identity::system_masters()).await.unwrap();
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(name);
        fs::create_dir_all(&folder).unwrap();
        let provider = control_plane.system_client(&PROVIDER.parse().unwrap()).unwrap();
        create::<APIResourceSchema>(&provider, schema()).await;
        let resource =
            json!({"name": "widgets", "group": GROUP, "schema": format!("v1.widgets.{GROUP}"), "storage": {"crd": {}}});
        let claim = json!({"group": "", "resource": "secrets", "verbs": ["*"]});
        let spec = json!({"resources": [resource], "permissionClaims": [claim]});
        create::<APIExport>(&provider, json!({"metadata": {"name": GROUP}, "spec": spec})).await;
        let export = Api::<APIExport>::all(provider).get(GROUP).await.unwrap();
        let provider = export.annotations()[CLUSTER_ANNOTATION].parse().unwrap();
        let site = Self { control_plane, provider, folder, _server: server };
        site.order("a", &[("ready-of-a", "Ready"), ("failing-of-a", "Failing")]).await;
        site.order("b", &[("secret-of-b", "Ready")]).await;
        site
    }

    fn client(&self, path: &str) -> Client {
        self.control_plane.system_client(&path.parse().unwrap()).unwrap()
    }

    /// Binds widgets in `root:<tenant>`, orders some, and says how they stand.
    async fn order(&self, tenant: &str, orders: &[(&str, &str)]) {
        let client = self.client(&format!("root:{tenant}"));
        let reference = json!({"export": {"path": PROVIDER, "name": GROUP}});
        let spec = json!({"reference": reference, "permissionClaims": []});
        create::<APIBinding>(&client, json!({"metadata": {"name": GROUP}, "spec": spec})).await;
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", "Widget"));
        let widgets: Api<DynamicObject> = Api::namespaced_with(client, "default", &kind);
        for (name, phase) in orders {
            let widget = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Widget", "metadata": {"name": name}});
            let widget: DynamicObject = serde_json::from_value(widget).unwrap();
            // The binding becomes effective after a moment.
            let created = async {
                loop {
                    match widgets.create(&PostParams::default(), &widget).await {
                        Ok(created) => return created,
                        Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            };
            let created = tokio::time::timeout(Duration::from_secs(20), created).await.unwrap();
            let since = created.metadata.creation_timestamp.unwrap().0 + Duration::from_secs(90);
            let status = if *phase == "Ready" { "True" } else { "False" };
            let ready = json!({"type": "Ready", "status": status, "lastTransitionTime": since.to_string()});
            let status = json!({"status": {"phase": phase, "observedGeneration": 1, "conditions": [ready]}});
            widgets.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        }
    }

    /// A kubeconfig of somebody for `root:<tenant>`.
    fn kubeconfig(&self, tenant: &str, identity: &Identity) -> String {
        let path: kdp_core::WorkspacePath = format!("root:{tenant}").parse().unwrap();
        let file = self.folder.join(format!("{tenant}-{}.kubeconfig", identity.username.replace(':', "-")));
        fs::write(&file, self.control_plane.kubeconfig(&Endpoint::Workspace(path), identity).unwrap()).unwrap();
        file.display().to_string()
    }

    /// Gives alice every right in `root:a`.
    async fn alice(&self) -> Identity {
        let client = self.client("root:a");
        let everything = json!([
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ]);
        create::<ClusterRole>(&client, json!({"metadata": {"name": "alice"}, "rules": everything})).await;
        let group = "rbac.authorization.k8s.io";
        let binding = json!({
            "metadata": {"name": "alice"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "alice"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "alice"}],
        });
        create::<ClusterRoleBinding>(&client, binding).await;
        Identity { username: "alice".into(), ..Identity::default() }
    }
}

async fn create<K>(client: &Client, object: Value)
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object).unwrap();
    Api::<K>::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
}

fn schema() -> Value {
    json!({
        "metadata": {"name": format!("v1.widgets.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"type": "object", "properties": {
                    "spec": {"type": "object"},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }},
            }],
        },
    })
}

async fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kdp-report"));
    command.args(arguments).kill_on_drop(true);
    tokio::time::timeout(Duration::from_secs(60), command.output()).await.unwrap().unwrap()
}

async fn told(arguments: &[&str]) -> String {
    let output = run(arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn report(arguments: &[&str]) -> Value {
    serde_json::from_str(&told(&[arguments, &["--output", "json"]].concat()).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_service_learns_of_all_its_consumers() {
    let site = Site::start("owner").await;
    let kubeconfig = site.kubeconfig("provider", &Identity::system_masters());
    let export = format!("{}/{GROUP}", site.provider);
    let place = ["--kubeconfig", &kubeconfig, "--api-export", &export];
    let report = report(&place).await;
    assert_eq!(report["days"], 30);
    assert_eq!(report["services"].as_object().unwrap().keys().collect::<Vec<_>>(), [GROUP]);
    assert_eq!(report["total"]["adoption"]["live"], 3);
    assert_eq!(report["total"]["adoption"]["workspaces"], 2);
    assert_eq!(report["total"]["provisioning"]["p50"], 90.0, "{report}");
    assert_eq!(report["total"]["failures"]["now"], 1);
    assert_eq!(report["total"]["untold"]["provisions"], 1);

    let text = told(&[&place[..], &["--since", "1d", "--kind", &format!("{GROUP}/v1/Widget")]].concat()).await;
    assert!(text.contains("Orders of the last day") && text.contains(&format!("service {GROUP}")), "{text}");
    let markdown = told(&[&place[..], &["--output", "markdown"]].concat()).await;
    assert!(markdown.starts_with("# Orders") && markdown.contains("| total | 3 |"), "{markdown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_learns_of_its_own_workspace_and_of_no_other() {
    let site = Site::start("tenant").await;
    let alice = site.alice().await;
    let kubeconfig = site.kubeconfig("a", &alice);
    let report = report(&["--kubeconfig", &kubeconfig]).await;
    assert_eq!(report["total"]["adoption"]["live"], 2);
    assert_eq!(report["total"]["adoption"]["binders"], 1);
    assert_eq!(report["workspaces"].as_object().unwrap().keys().collect::<Vec<_>>(), ["root:a"]);

    // The same credential leads nowhere else: neither to what the provider sees, nor to everything, nor to another's.
    let kind = format!("{GROUP}/v1/Widget");
    let export = format!("{}/{GROUP}", site.provider);
    let other = site.kubeconfig("b", &alice);
    let everywhere = site.folder.join("everywhere.kubeconfig");
    fs::write(&everywhere, fs::read_to_string(&kubeconfig).unwrap().replace("/clusters/root:a", "/clusters/*"))
        .unwrap();
    let everywhere = everywhere.display().to_string();
    for place in [
        &["--kubeconfig", &kubeconfig, "--api-export", &export][..],
        &["--kubeconfig", &kubeconfig, "--api-export", &export, "--kind", &kind],
        &["--kubeconfig", &other],
        &["--kubeconfig", &other, "--kind", &kind],
        &["--kubeconfig", &everywhere],
        &["--kubeconfig", &everywhere, "--kind", &kind],
    ] {
        let output = run(place).await;
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && out.is_empty(), "{place:?}: {out}");
        assert!(!error.contains("of-b") && error.starts_with("error: "), "{place:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_said() {
    let help = told(&["--help"]).await;
    for flag in ["--kubeconfig", "--server", "--token-file", "--kind", "--api-export", "--since", "--output"] {
        assert!(help.contains(flag), "{help}");
    }
    for wrong in [&["--since", "soon"][..], &["--kind", "Widget"], &["--api-export", "a"], &["--token-file", "x"]] {
        assert!(!run(wrong).await.status.success(), "{wrong:?}");
    }
    let output = run(&["--kubeconfig", "/nowhere/at/all"]).await;
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot use the kubeconfig"));
}
