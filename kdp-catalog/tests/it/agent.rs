//! The kubeconfig of a service's agent.

use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret, ServiceAccount},
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kdp_catalog::{ClaimPolicy, Service, bind};
use kdp_core::{
    Endpoint, Platform,
    api::apis::{APIExport, APIResourceSchema},
    condition::Condition,
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::{
    shop::of,
    support::{PROVIDER, SERVICE, Site, eventually},
};

const READY: &str = "KubeconfigReady";

fn service(name: &str, kubeconfig: &Value) -> Service {
    of(json!({
        "apiVersion": "core.kdp.k8c.io/v1alpha1", "kind": "Service", "metadata": {"name": name},
        "spec": {"apiGroup": name, "kubeconfig": kubeconfig},
    }))
}

async fn apply(site: &Site, kubeconfig: Value) {
    let service = service(SERVICE, &kubeconfig);
    site.services().patch(SERVICE, &PatchParams::apply("test").force(), &Patch::Apply(&service)).await.unwrap();
}

async fn ready_as(site: &Site, reason: &str) -> Condition {
    let found = async || {
        site.condition(READY).await.filter(|ready| ready.reason == reason || (reason.is_empty() && ready.is_true()))
    };
    eventually(async || found().await.is_some()).await;
    found().await.unwrap()
}

async fn client_of(site: &Site) -> Client {
    let secrets: Api<Secret> = Api::namespaced(site.system(PROVIDER), "default");
    let secret = secrets.get("agent").await.unwrap();
    let text = String::from_utf8(secret.data.unwrap()["kubeconfig"].0.clone()).unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

fn code<T: std::fmt::Debug>(outcome: Result<T, kube::Error>) -> u16 {
    match outcome {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_keep_its_own_export_and_nothing_else() {
    let site = Site::start().await;
    let server = site.control_plane.server("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let served =
        Platform::builder(std::sync::Arc::new(site.control_plane.clone())).component(server).start().await.unwrap();
    site.describe_service().await;
    site.publish_widgets().await;
    apply(&site, json!({"name": "agent", "namespace": "default"})).await;
    ready_as(&site, "").await;
    let agent = client_of(&site).await;

    // What it is for.
    let exports: Api<APIExport> = Api::all(agent.clone());
    let note = Patch::Merge(json!({"metadata": {"annotations": {"seen": "yes"}}}));
    exports.patch(SERVICE, &PatchParams::default(), &note).await.unwrap();
    let schemas: Api<APIResourceSchema> = Api::all(agent.clone());
    let mut schema = schemas.get(&format!("v1.widgets.{SERVICE}")).await.unwrap();
    (schema.metadata.name, schema.metadata.resource_version) = (Some(format!("v2.widgets.{SERVICE}")), None);
    schemas.create(&PostParams::default(), &schema).await.unwrap();
    bind(&site.system("root:a"), &site.entry().await, ClaimPolicy::AcceptAll).await.unwrap();
    let export = site.entry().await.export;
    let everywhere = Endpoint::ApiExport { cluster: export.cluster, export: export.name, consumer: None };
    let path = format!("{}/apis/{SERVICE}/v1/widgets", everywhere.prefix());
    let own_prefix = Endpoint::Workspace(PROVIDER.parse().unwrap()).prefix();
    let secret = Api::<Secret>::namespaced(site.system(PROVIDER), "default").get("agent").await.unwrap();
    let text = String::from_utf8(secret.data.unwrap()["kubeconfig"].0.clone()).unwrap().replace(&own_prefix, "");
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let root = Client::try_from(config).unwrap();
    let list: Value = root.request(http::Request::get(path).body(Vec::new()).unwrap()).await.unwrap();
    assert_eq!(list["items"], json!([]));

    // What it is not for.
    let secrets: Api<Secret> = Api::namespaced(agent.clone(), "default");
    assert_eq!(code(secrets.list(&ListParams::default()).await), 403);
    assert_eq!(code(exports.delete(SERVICE, &DeleteParams::default()).await), 403);
    assert_eq!(code(schemas.delete(&format!("v1.widgets.{SERVICE}"), &DeleteParams::default()).await), 403);
    assert_eq!(code(Api::<Service>::all(agent.clone()).list(&ListParams::default()).await), 403);
    assert_eq!(code(Api::<ClusterRole>::all(agent.clone()).list(&ListParams::default()).await), 403);
    for workspace in ["root", "root:a", "root:b"] {
        let path = format!("/clusters/{workspace}/api/v1/namespaces/default/configmaps");
        assert_eq!(code(root.request::<Value>(http::Request::get(path).body(Vec::new()).unwrap()).await), 403);
    }
    drop(served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_goes_with_its_service_or_when_it_is_not_asked_for() {
    let site = Site::start().await;
    site.describe_service().await;
    apply(&site, json!({"name": "agent", "namespace": "default"})).await;
    ready_as(&site, "").await;
    apply(&site, json!({"name": "other", "namespace": "default"})).await;
    let secrets: Api<Secret> = Api::namespaced(site.system(PROVIDER), "default");
    eventually(async || secrets.get_opt("agent").await.unwrap().is_none()).await;
    eventually(async || secrets.get_opt("other").await.unwrap().is_some()).await;
    ready_as(&site, "").await;
    let names = async || {
        let client = site.system(PROVIDER);
        let ours = ListParams::default().labels("core.kdp.k8c.io/agent-of");
        let mut names = Vec::new();
        let secrets = Api::<Secret>::all(client.clone()).list(&ours).await.unwrap().items;
        names.extend(secrets.into_iter().map(|object| object.metadata.name.unwrap()));
        let accounts = Api::<ServiceAccount>::all(client.clone()).list(&ours).await.unwrap().items;
        names.extend(accounts.into_iter().map(|object| object.metadata.name.unwrap()));
        let roles = Api::<ClusterRole>::all(client.clone()).list(&ours).await.unwrap().items;
        names.extend(roles.into_iter().map(|object| object.metadata.name.unwrap()));
        let bindings = Api::<ClusterRoleBinding>::all(client).list(&ours).await.unwrap().items;
        names.extend(bindings.into_iter().map(|object| object.metadata.name.unwrap()));
        names.sort();
        names
    };
    let account = format!("{SERVICE}-agent");
    let role = format!("kdp:agent:{SERVICE}");
    assert_eq!(names().await, [&role, &role, "other", &account, &account]);
    apply(&site, json!(null)).await;
    ready_as(&site, "NotAsked").await;
    assert_eq!(names().await, [""; 0]);
    apply(&site, json!({"name": "again", "namespace": "default"})).await;
    ready_as(&site, "").await;
    site.services().delete(SERVICE, &DeleteParams::default()).await.unwrap();
    eventually(async || site.services().get_opt(SERVICE).await.unwrap().is_none()).await;
    assert_eq!(names().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_describes_a_service_gets_no_rights_to_what_others_have() {
    let site = Site::start().await;
    let foreign: APIExport = of(json!({"metadata": {"name": SERVICE}, "spec": {}}));
    site.exports().create(&PostParams::default(), &foreign).await.unwrap();
    apply(&site, json!({"name": "agent", "namespace": "default"})).await;
    ready_as(&site, "ForeignExport").await;
    site.services().delete(SERVICE, &DeleteParams::default()).await.unwrap();
    eventually(async || site.services().get_opt(SERVICE).await.unwrap().is_none()).await;
    site.exports().delete(SERVICE, &DeleteParams::default()).await.unwrap();

    let secrets: Api<Secret> = Api::namespaced(site.system(PROVIDER), "default");
    let taken: Secret = of(json!({"metadata": {"name": "agent"}, "stringData": {"kubeconfig": "mine"}}));
    secrets.create(&PostParams::default(), &taken).await.unwrap();
    apply(&site, json!({"name": "agent", "namespace": "default"})).await;
    ready_as(&site, "SecretTaken").await;
    let kept = secrets.get("agent").await.unwrap().data.unwrap();
    assert_eq!(kept["kubeconfig"].0, b"mine");
    assert!(Api::<ConfigMap>::namespaced(site.system(PROVIDER), "default").get_opt("agent").await.unwrap().is_none());
}
