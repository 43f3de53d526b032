//! The control plane, as the page reaches it: over HTTPS, with the token of whoever asks.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kdp_core::{Endpoint, Error, ErrorKind, Identity, WorkspacePath};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};

use super::session::Secret;

/// Where the API server is and how it proves itself; nothing that would let anybody in.
#[derive(Clone, Debug)]
pub struct Upstream {
    kubeconfig: Kubeconfig,
    base: String,
}

impl Upstream {
    /// The control plane that a kubeconfig names. The credentials in it are thrown away.
    ///
    /// # Errors
    /// `Invalid` when the text is no kubeconfig with a cluster that is addressed by workspace.
    pub fn from_kubeconfig(text: &str) -> Result<Self, Error> {
        let invalid = |message: &str| Error::new(ErrorKind::Invalid, "read", "the kubeconfig", message);
        let mut kubeconfig = Kubeconfig::from_yaml(text).map_err(|e| invalid("it is malformed").with_source(e))?;
        for user in &mut kubeconfig.auth_infos {
            user.auth_info = Some(AuthInfo::default());
        }
        let cluster = kubeconfig.clusters.first().and_then(|named| named.cluster.as_ref());
        let server = cluster.and_then(|cluster| cluster.server.as_deref());
        let base = server.and_then(|server| server.split_once("/clusters/")).map(|(base, _)| base.to_owned());
        let base = base.ok_or_else(|| invalid("its cluster is not addressed by workspace"))?;
        Ok(Self { kubeconfig, base })
    }

    /// An embedded control plane that is served over HTTPS.
    ///
    /// # Errors
    /// When it cannot say where it is.
    pub fn of(control_plane: &Embedded) -> Result<Self, Error> {
        let nobody = Identity { username: "selfservice".into(), ..Identity::default() };
        let text = control_plane.kubeconfig(&Endpoint::Workspace(WorkspacePath::root()), &nobody).map_err(|e| {
            Error::new(ErrorKind::Unavailable, "reach", "the control plane", "it gives no address").with_source(e)
        })?;
        Self::from_kubeconfig(&text)
    }

    /// A client that acts with `token` in `workspace`.
    pub(super) async fn client(&self, workspace: &WorkspacePath, token: &Secret) -> Result<Client, Error> {
        let failed = |message: &str| Error::new(ErrorKind::Internal, "reach", workspace, message);
        let kubeconfig = self.kubeconfig(workspace, token);
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let config = config.map_err(|e| failed("its address cannot be used").with_source(e))?;
        Client::try_from(config).map_err(|e| failed("no client can be made").with_source(e))
    }

    /// A kubeconfig for `token` in `workspace`, as YAML.
    pub(super) fn kubeconfig_yaml(&self, workspace: &WorkspacePath, token: &Secret) -> Result<String, Error> {
        serde_saphyr::to_string(&self.kubeconfig(workspace, token)).map_err(|e| {
            Error::new(ErrorKind::Internal, "write the kubeconfig of", workspace, "it cannot be serialized")
                .with_source(e)
        })
    }

    fn kubeconfig(&self, workspace: &WorkspacePath, token: &Secret) -> Kubeconfig {
        let mut kubeconfig = self.kubeconfig.clone();
        let endpoint = Endpoint::Workspace(workspace.clone());
        for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
            cluster.server = Some(format!("{}{endpoint}", self.base));
        }
        for user in &mut kubeconfig.auth_infos {
            user.auth_info = Some(AuthInfo { token: Some(token.expose().to_owned().into()), ..AuthInfo::default() });
        }
        kubeconfig
    }
}

/// Who the API server says a client is.
pub(super) async fn who_is(client: &Client) -> Result<Identity, kube::Error> {
    let reviewed = Api::<SelfSubjectReview>::all(client.clone());
    let review = reviewed.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = review.status.and_then(|status| status.user_info).unwrap_or_default();
    Ok(Identity {
        username: user.username.unwrap_or_default(),
        uid: user.uid.filter(|uid| !uid.is_empty()),
        groups: user.groups.unwrap_or_default(),
        extra: user.extra.unwrap_or_default(),
    })
}
