//! Who a request acts as: tokens of service accounts, of files, and of OpenID Connect issuers.

mod issuer;
mod oidc;
mod service_accounts;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http::{Method, Request};
use kdp_core::{Endpoint, Identity, Platform, RunningPlatform, WorkspacePath};
use kdp_tenancy::{Embedded, EmbeddedOptions};
use kube::{
    Client, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::support::{system, workspace};

/// A control plane with workspaces `root:victim` and `root:attacker`, served over HTTPS.
struct Served {
    control_plane: Embedded,
    _running: RunningPlatform,
}

impl Served {
    async fn start(options: EmbeddedOptions) -> Self {
        Self::of(Embedded::in_memory_with(options).await.unwrap()).await
    }

    async fn of(control_plane: Embedded) -> Self {
        for name in ["victim", "attacker"] {
            workspace(&control_plane, "root", name).await;
        }
        let server = control_plane.server(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let running = Platform::builder(Arc::new(control_plane.clone())).component(server).start().await.unwrap();
        Self { control_plane, _running: running }
    }

    /// A client that shows `token`, at a workspace, or without a prefix.
    async fn client(&self, path: &str, token: &str) -> Client {
        let named: WorkspacePath = if path.is_empty() { "root" } else { path }.parse().unwrap();
        let identity = Identity { username: "replaced".into(), ..Identity::default() };
        let yaml = self.control_plane.kubeconfig(&Endpoint::Workspace(named), &identity).unwrap();
        let mut kubeconfig = Kubeconfig::from_yaml(&yaml).unwrap();
        let token = (!token.is_empty()).then(|| token.to_owned().into());
        kubeconfig.auth_infos[0].auth_info = Some(AuthInfo { token, ..AuthInfo::default() });
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        if path.is_empty() {
            let authority = config.cluster_url.authority().unwrap().clone();
            config.cluster_url = format!("https://{authority}").parse().unwrap();
        }
        Client::try_from(config).unwrap()
    }

    /// Who the server says the holder of a token is in a workspace.
    async fn who(&self, path: &str, token: &str) -> Result<Value, u16> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let client = self.client(path, token).await;
        let answer = ask(&client, Method::POST, "/apis/authentication.k8s.io/v1/selfsubjectreviews", &review).await?;
        Ok(answer["status"]["userInfo"].clone())
    }

    /// What the system does in a workspace; it must succeed.
    async fn system(&self, path: &str, method: Method, url: &str, body: &Value) -> Value {
        ask(&system(&self.control_plane, path), method, url, body).await.unwrap()
    }

    /// Lets a subject do everything in a workspace.
    async fn grant(&self, path: &str, name: &str, subject: Value) {
        let group = "rbac.authorization.k8s.io";
        let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"}, "subjects": [subject]});
        self.system(path, Method::POST, &format!("/apis/{group}/v1/clusterrolebindings"), &binding).await;
    }

    /// What a TokenReview in a workspace says.
    async fn review(&self, path: &str, token: &str, audiences: &[&str]) -> Value {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token, "audiences": audiences}});
        let url = "/apis/authentication.k8s.io/v1/tokenreviews";
        self.system(path, Method::POST, url, &review).await["status"].clone()
    }
}

/// The answer to a request, or the code of its refusal.
async fn ask(client: &Client, method: Method, url: &str, body: &Value) -> Result<Value, u16> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(url).header("content-type", "application/json");
    match client.request(request.body(body).unwrap()).await {
        Ok(answer) => Ok(answer),
        Err(kube::Error::Api(status)) => Err(status.code),
        Err(other) => panic!("{url}: {other}"),
    }
}

fn user_subject(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name})
}

#[tokio::test]
async fn a_token_file_names_users_and_a_faulty_one_is_refused_without_its_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.csv");
    std::fs::write(&path, "hunter2,ann,7,\"devs,ops\"\n").unwrap();
    let served = Served::start(EmbeddedOptions::new().with_token_file(&path).unwrap()).await;
    served.grant("root:victim", "ann", user_subject("ann")).await;
    let ann = served.who("root:victim", "hunter2").await.unwrap();
    assert_eq!(ann, json!({"username": "ann", "uid": "7", "groups": ["devs", "ops", "system:authenticated"]}));
    assert_eq!(served.who("root:victim", "hunter3").await, Err(401));
    assert_eq!(served.review("root:victim", "hunter2", &[]).await["user"], ann);
    std::fs::write(&path, "hunter2,ann,7\nhunter2").unwrap();
    let error = format!("{:?}", EmbeddedOptions::new().with_token_file(&path).unwrap_err());
    assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    assert!(EmbeddedOptions::new().with_token_file(directory.path().join("missing")).is_err());
}
