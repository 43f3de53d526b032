//! The account of a service's sync agent, and its kubeconfig.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::{
        core::v1::{Secret, ServiceAccount},
        rbac::v1::{ClusterRole, ClusterRoleBinding},
    },
};
use kdp_core::{Error, SharedControlPlane, WorkspacePath, condition::Condition};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{FIELD_MANAGER, uid};
use crate::{Service, service::SecretReference};

pub(super) const KUBECONFIG_READY: &str = "KubeconfigReady";
/// Label of everything that was made for the agent of a Service: its UID.
const AGENT_OF: &str = "core.kdp.k8c.io/agent-of";
/// Key of the Secret.
const KUBECONFIG: &str = "kubeconfig";

/// What a service's agent needs, in the provider's workspace.
pub(super) struct Agent<'a> {
    pub(super) control_plane: &'a SharedControlPlane,
    pub(super) workspace: &'a WorkspacePath,
    pub(super) client: &'a Client,
}

impl Agent<'_> {
    /// Makes what is asked for, removes what is not any more, and says whether the kubeconfig is there; nothing when
    /// none is asked for.
    ///
    /// Without an export of its own, a Service gives no rights: whoever may describe a service must not come to act
    /// on what somebody else exports under that name.
    pub(super) async fn ensure(&self, service: &Service, owns_export: bool) -> Result<Option<Condition>, Error> {
        let asked = service.spec.kubeconfig.as_ref();
        let wanted = asked.filter(|_| owns_export);
        self.tidy(service, wanted).await?;
        let Some(SecretReference { name, namespace }) = wanted else {
            let message = "the APIExport of its name was not made for the service, so no rights to it are given";
            return Ok(asked.map(|_| Condition::fails(KUBECONFIG_READY, "ForeignExport", message)));
        };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let there = secrets.get_opt(name).await.map_err(|error| self.failed(service, error))?;
        if there.as_ref().is_some_and(|there| !is_ours(there.labels(), service)) {
            let message = format!("spec.kubeconfig: there is a Secret {name} in {namespace} that is not the service's");
            return Ok(Some(Condition::fails(KUBECONFIG_READY, "SecretTaken", message)));
        }
        let endpoint = self.workspace.clone().into();
        let Some(server) = self.control_plane.url(&endpoint) else {
            let message = "the control plane is not served outside of the platform's process";
            return Ok(Some(Condition::fails(KUBECONFIG_READY, "NotServed", message)));
        };
        let account = account_name(service);
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let taken = accounts.get_opt(&account).await.map_err(|error| self.failed(service, error))?;
        if taken.is_some_and(|taken| !is_ours(taken.labels(), service)) {
            let message = format!("there is a ServiceAccount {account} in {namespace} that is not the service's");
            return Ok(Some(Condition::fails(KUBECONFIG_READY, "AccountTaken", message)));
        }
        self.allow(service, namespace, &account).await?;
        let Some((token, authority)) = self.token(service, namespace, &account).await? else {
            let message = "the account of the agent has no token yet";
            return Ok(Some(Condition::fails(KUBECONFIG_READY, "NoToken", message)));
        };
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "agent",
            "clusters": [{"name": "kdp", "cluster": {
                "server": server, "certificate-authority-data": authority,
            }}],
            "users": [{"name": "agent", "user": {"token": token}}],
            "contexts": [{"name": "agent", "context": {"cluster": "kdp", "user": "agent", "namespace": namespace}}],
        });
        let content = ByteString(kubeconfig.to_string().into_bytes());
        if there.is_none_or(|there| there.data.as_ref().and_then(|data| data.get(KUBECONFIG)) != Some(&content)) {
            let secret = json!({
                "metadata": {"name": name, "labels": {AGENT_OF: uid(service)}}, "type": "Opaque",
                "data": {KUBECONFIG: content},
            });
            self.apply(service, &secrets, name, secret).await?;
        }
        Ok(Some(Condition::holds(KUBECONFIG_READY)))
    }

    /// Removes everything that was made for the agent.
    pub(super) async fn remove(&self, service: &Service) -> Result<(), Error> {
        self.tidy(service, None).await
    }

    /// The account, and what it may do: keep its own export and the schemas, and everything in there.
    async fn allow(&self, service: &Service, namespace: &str, account: &str) -> Result<(), Error> {
        let labels = json!({AGENT_OF: uid(service)});
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        self.apply(service, &accounts, account, json!({"metadata": {"name": account, "labels": labels}})).await?;
        let (group, export, role) = ("apis.kcp.io", service.name_any(), role_name(service));
        let read = ["get", "list", "watch"];
        let rules = json!([
            {"nonResourceURLs": ["/"], "verbs": ["access"]},
            {"apiGroups": ["core.kcp.io"], "resources": ["logicalclusters"], "verbs": ["get"], "resourceNames": ["cluster"]},
            {"apiGroups": [group], "resources": ["apiexports", "apiexportendpointslices"], "verbs": read},
            {"apiGroups": [group], "resources": ["apiexports"], "verbs": ["update", "patch"], "resourceNames": [export]},
            {"apiGroups": [group], "resources": ["apiresourceschemas"], "verbs": ["get", "list", "watch", "create"]},
            {"apiGroups": [group], "resources": ["apiexports/content"], "verbs": ["*"], "resourceNames": [export]},
        ]);
        let roles: Api<ClusterRole> = Api::all(self.client.clone());
        self.apply(service, &roles, &role, json!({"metadata": {"name": role, "labels": labels}, "rules": rules}))
            .await?;
        let binding = json!({
            "metadata": {"name": role, "labels": labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        });
        self.apply(service, &Api::<ClusterRoleBinding>::all(self.client.clone()), &role, binding).await
    }

    /// The token of the account and the certificate authority, in base64; none while the server has not made them.
    async fn token(
        &self,
        service: &Service,
        namespace: &str,
        account: &str,
    ) -> Result<Option<(String, ByteString)>, Error> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let failed = |error| self.failed(service, error);
        let secret = match secrets.get_opt(account).await.map_err(failed)? {
            // It would be the token of another account.
            Some(secret) if !is_ours(secret.labels(), service) => return Ok(None),
            Some(secret) => secret,
            None => {
                let new = json!({
                    "metadata": {
                        "name": account, "labels": {AGENT_OF: uid(service)},
                        "annotations": {"kubernetes.io/service-account.name": account},
                    },
                    "type": "kubernetes.io/service-account-token",
                });
                secrets.create(&PostParams::default(), &object(new)).await.map_err(failed)?
            }
        };
        let data = secret.data.unwrap_or_default();
        let token = data.get("token").and_then(|token| String::from_utf8(token.0.clone()).ok());
        Ok(token.zip(data.get("ca.crt").cloned()))
    }

    /// Removes what was made for the agent and is not wanted any more.
    async fn tidy(&self, service: &Service, wanted: Option<&SecretReference>) -> Result<(), Error> {
        let account = account_name(service);
        let is_wanted = |namespace: Option<String>, name: &str| {
            wanted.is_some_and(|wanted| {
                namespace.as_ref() == Some(&wanted.namespace) && (name == account || name == wanted.name)
            })
        };
        self.remove_all::<Secret>(service, is_wanted).await?;
        self.remove_all::<ServiceAccount>(service, is_wanted).await?;
        if wanted.is_none() {
            self.remove_all::<ClusterRoleBinding>(service, |_, _| false).await?;
            self.remove_all::<ClusterRole>(service, |_, _| false).await?;
        }
        Ok(())
    }

    async fn remove_all<K>(
        &self,
        service: &Service,
        is_wanted: impl Fn(Option<String>, &str) -> bool,
    ) -> Result<(), Error>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let own = ListParams::default().labels(&format!("{AGENT_OF}={}", uid(service)));
        let all: Api<K> = Api::all(self.client.clone());
        for object in all.list_metadata(&own).await.map_err(|error| self.failed(service, error))?.items {
            let name = object.name_any();
            if is_wanted(object.namespace(), &name) {
                continue;
            }
            let request = K::url_path(&(), object.namespace().as_deref());
            let request = kube::core::Request::new(request).delete(&name, &DeleteParams::default());
            let request = request.map_err(|error| self.failed(service, kube::Error::BuildRequest(error)))?;
            match self.client.request::<Value>(request).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => return Err(self.failed(service, error)),
            }
        }
        Ok(())
    }

    async fn apply<K>(&self, service: &Service, api: &Api<K>, name: &str, object: Value) -> Result<(), Error>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        let mut object = object;
        object["apiVersion"] = K::api_version(&()).into();
        object["kind"] = K::kind(&()).into();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(name, &params, &Patch::Apply(object)).await.map(drop).map_err(|error| self.failed(service, error))
    }

    fn failed(&self, service: &Service, error: kube::Error) -> Error {
        Error::from_kube(
            "make the kubeconfig of",
            format!("service {} in {}", service.name_any(), self.workspace),
            error,
        )
    }
}

fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("it is written as the kind wants it")
}

fn is_ours(labels: &BTreeMap<String, String>, service: &Service) -> bool {
    labels.get(AGENT_OF).is_some_and(|owner| owner == uid(service))
}

fn account_name(service: &Service) -> String {
    format!("{}-agent", service.name_any())
}

fn role_name(service: &Service) -> String {
    format!("kdp:agent:{}", service.name_any())
}
