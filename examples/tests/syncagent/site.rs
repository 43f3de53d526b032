//! Two served control planes: one in place of kcp, one as service cluster.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use kdp_core::{
    ControlPlaneExt, Identity, Platform, RunningPlatform, WorkspacePath,
    api::{
        apis::{APIBinding, APIExport},
        tenancy::Workspace,
    },
    workspace::ensure_workspace,
};
use kdp_tenancy::Embedded;
use kube::{Api, Client, api::PostParams};
use serde_json::json;

/// Workspace of the exports.
pub(crate) const PROVIDER: &str = "root:provider";

/// Two control planes, and the kubeconfig files that an agent needs to reach them.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) control_plane: Embedded,
    pub(crate) service_cluster: Embedded,
    /// Of the provider's workspace.
    pub(crate) kcp_kubeconfig: PathBuf,
    pub(crate) service_kubeconfig: PathBuf,
    /// Where files of this site may be written.
    pub(crate) folder: PathBuf,
    _servers: [RunningPlatform; 2],
}

impl Site {
    /// Serves both; `name` distinguishes the site from all others of the same run.
    pub(crate) async fn start(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("syncagent").join(name);
        fs::create_dir_all(&folder).unwrap();
        let (control_plane, control_plane_server) = serve().await;
        let (service_cluster, service_cluster_server) = serve().await;
        let provider: WorkspacePath = PROVIDER.parse().unwrap();
        ensure_workspace(&control_plane, &provider, &Identity::system_masters()).await.unwrap();
        let kcp_kubeconfig = folder.join("kcp.kubeconfig");
        let service_kubeconfig = folder.join("service.kubeconfig");
        write_kubeconfig(&control_plane, &provider, &kcp_kubeconfig);
        write_kubeconfig(&service_cluster, &WorkspacePath::root(), &service_kubeconfig);
        let site = Self {
            control_plane,
            service_cluster,
            kcp_kubeconfig,
            service_kubeconfig,
            folder,
            _servers: [control_plane_server, service_cluster_server],
        };
        kdp_sync::install_crds(&site.service()).await.unwrap();
        site
    }

    /// A client that may do everything in a workspace.
    pub(crate) fn workspace(&self, path: &str) -> Client {
        self.control_plane.system_client(&path.parse().unwrap()).unwrap()
    }

    /// A client that may do everything on the service cluster.
    pub(crate) fn service(&self) -> Client {
        self.service_cluster.system_client(&WorkspacePath::root()).unwrap()
    }

    /// Makes the workspace `root:<name>`.
    pub(crate) async fn create_workspace(&self, name: &str) {
        let workspaces: Api<Workspace> = Api::all(self.workspace("root"));
        workspaces.create(&PostParams::default(), &Workspace::new(name, Default::default())).await.unwrap();
    }

    /// Makes an export that offers nothing yet.
    pub(crate) async fn create_export(&self, name: &str) {
        let exports: Api<APIExport> = Api::all(self.workspace(PROVIDER));
        let export = serde_json::from_value(json!({"metadata": {"name": name}, "spec": {}})).unwrap();
        exports.create(&PostParams::default(), &export).await.unwrap();
    }

    pub(crate) fn bindings(&self, workspace: &str) -> Api<APIBinding> {
        Api::all(self.workspace(&format!("root:{workspace}")))
    }

    /// Binds an export in `root:<workspace>` under its own name, with these claims accepted.
    pub(crate) async fn bind(&self, workspace: &str, export: &str, claims: &[&str]) {
        let accepted = claims.iter().map(|claim| {
            let (group, resource) = claim.split_once('/').unwrap_or(("", claim));
            json!({
                "group": group, "resource": resource, "verbs": ["*"], "selector": {"matchAll": true},
                "state": "Accepted",
            })
        });
        let claims: Vec<_> = accepted.collect();
        let binding = json!({
            "metadata": {"name": export},
            "spec": {"reference": {"export": {"path": PROVIDER, "name": export}}, "permissionClaims": claims},
        });
        let binding = serde_json::from_value(binding).unwrap();
        self.bindings(workspace).create(&PostParams::default(), &binding).await.unwrap();
    }
}

async fn serve() -> (Embedded, RunningPlatform) {
    let control_plane = Embedded::in_memory().await.unwrap();
    let server = control_plane.server((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let platform = Platform::builder(Arc::new(control_plane.clone())).component(server).start().await.unwrap();
    (control_plane, platform)
}

fn write_kubeconfig(control_plane: &Embedded, workspace: &WorkspacePath, file: &Path) {
    let text = control_plane.kubeconfig(&workspace.clone().into(), &Identity::system_masters()).unwrap();
    fs::write(file, text).unwrap();
}
