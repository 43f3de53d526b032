//! Orders placed by the scaffolder action at a served control plane.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::Arc,
};

use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::ServiceAccount,
    rbac::v1::{ClusterRoleBinding, Subject},
};
use kdp_catalog::{
    ClaimPolicy, bind,
    portal::{KindInput, ServiceInput, Site as Portal, backstage},
};
use kdp_core::{Endpoint, Identity, Platform, RunningPlatform};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
    config::Kubeconfig,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::has_node;
use crate::support::{SERVICE, Site, access, everything};

const TENANT: &str = "root:a";

/// A served site whose tenant has bound the service.
struct Shop {
    site: Site,
    base_url: String,
    folder: tempfile::TempDir,
    _running: RunningPlatform,
}

impl Shop {
    async fn open() -> Self {
        let site = Site::start().await;
        site.offer().await;
        bind(&site.system(TENANT), &site.entry().await, ClaimPolicy::AcceptAll).await.unwrap();
        let server = site.control_plane.server(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let tenant = Endpoint::Workspace(TENANT.parse().unwrap());
        let config = site.control_plane.kubeconfig(&tenant, &Identity::system_masters()).unwrap();
        let cluster = Kubeconfig::from_yaml(&config).unwrap().clusters.remove(0).cluster.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = base64_decoded(&cluster.certificate_authority_data.unwrap());
        std::fs::write(folder.path().join("ca.pem"), authority).unwrap();
        let shared = Arc::new(site.control_plane.clone());
        let running = Platform::builder(shared).component(server).start().await.unwrap();
        let base_url = cluster.server.unwrap().split("/clusters/").next().unwrap().to_owned();
        Self { site, base_url, folder, _running: running }
    }

    /// A token of somebody with these rights in the tenant's workspace.
    async fn token(&self, name: &str, rules: Value) -> String {
        let client = self.site.system(TENANT);
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
        let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        accounts.create(&PostParams::default(), &account).await.unwrap();
        self.site.grant(TENANT, name, rules).await;
        let bindings: Api<ClusterRoleBinding> = Api::all(client);
        let mut binding = bindings.get(name).await.unwrap();
        let namespace = Some("default".to_owned());
        let kind = "ServiceAccount".to_owned();
        binding.subjects = Some(vec![Subject { kind, name: name.to_owned(), namespace, api_group: None }]);
        bindings.replace(name, &PostParams::default(), &binding).await.unwrap();
        let request = TokenRequest::default();
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
        answer.status.unwrap().token.unwrap()
    }

    /// The step of the template for widgets, filled in with an order.
    async fn input(&self, name: &str, fields: Value) -> Value {
        let entry = self.site.entry().await;
        let offered = entry.kinds()[0].clone();
        let kind = KindInput::new(&offered.group, &offered.versions[0].name, &offered.kind, &offered.plural).unwrap();
        let schema = json!({"type": "object", "properties": {"spec": {
            "type": "object", "properties": {"size": {"type": "integer"}},
        }}});
        let mut portal = Portal::new(&self.base_url, "file:/catalog-info.yaml").unwrap();
        portal.services = vec![ServiceInput::new(entry).with_kinds([kind.with_schema(schema)])];
        let mut input = backstage::templates(&portal)[0].spec["steps"][0]["input"].clone();
        let answers = json!({"workspace": TENANT, "namespace": "default", "name": name, "fields": fields});
        for (field, answer) in answers.as_object().unwrap() {
            assert_eq!(input[field], format!("${{{{ parameters.{field} }}}}"));
            input[field] = answer.clone();
        }
        input
    }

    /// What the action puts out, or says.
    async fn order(&self, token: &str, input: Value) -> Result<Value, String> {
        let mut child = tokio::process::Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/portal/order.mjs"))
            .env("NODE_EXTRA_CA_CERTS", self.folder.path().join("ca.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let order = json!({"token": token, "input": input}).to_string();
        child.stdin.take().unwrap().write_all(order.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap())
        } else {
            Err(String::from_utf8(output.stderr).unwrap().trim().to_owned())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_from_backstage_arrives_with_the_rights_of_who_ordered() {
    if !has_node() {
        return;
    }
    let shop = Shop::open().await;
    let owner = shop.token("owner", everything()).await;
    let guest = shop.token("guest", json!([access()])).await;

    let size = |size: Value| json!({"spec": {"size": size}});
    let input = shop.input("w", size(json!(3))).await;
    let error = shop.order(&guest, input.clone()).await.unwrap_err();
    assert!(
        error.starts_with("cannot order Widget default/w in root:a: you may not order widgets in root:a: "),
        "{error}"
    );
    let error = shop.order("nonsense", input.clone()).await.unwrap_err();
    assert!(error.contains("sign in again"), "{error}");

    let outputs = shop.order(&owner, input.clone()).await.unwrap();
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(SERVICE, "v1", "Widget"), "widgets");
    let widgets: Api<DynamicObject> = Api::namespaced_with(shop.site.system(TENANT), "default", &resource);
    let widget = widgets.get("w").await.unwrap();
    assert_eq!(widget.data["spec"], json!({"size": 3}));
    assert_eq!(outputs["uid"], json!(widget.metadata.uid));
    let manager = &widget.metadata.managed_fields.unwrap()[0];
    assert_eq!((manager.manager.as_deref(), manager.operation.as_deref()), (Some("kdp-backstage"), Some("Apply")));

    let error = shop.order(&owner, input.clone()).await.unwrap_err();
    assert_eq!(error, "Widget default/w in root:a exists already; choose another name");
    let mut again = shop.input("w", size(json!(5))).await;
    again["ifExists"] = "apply".into();
    shop.order(&owner, again).await.unwrap();
    assert_eq!(widgets.get("w").await.unwrap().data["spec"], json!({"size": 5}));

    let error = shop.order(&owner, shop.input("x", size(json!("big"))).await).await.unwrap_err();
    assert!(error.contains("spec.size"), "{error}");
    let error = shop.order(&owner, shop.input("x", json!({"spec": {"colour": 1}})).await).await.unwrap_err();
    assert!(error.contains("colour"), "{error}");
    let mut unbound = shop.input("x", size(json!(1))).await;
    unbound["plural"] = "gadgets".into();
    let error = shop.order(&owner, unbound).await.unwrap_err();
    assert!(error.contains("it has not bound the service of Widget"), "{error}");
}

fn base64_decoded(text: &str) -> Vec<u8> {
    serde_json::from_value::<k8s_openapi::ByteString>(json!(text)).unwrap().0
}
