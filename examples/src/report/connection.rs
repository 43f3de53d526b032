//! The way to the orders.

use std::time::Duration;

use http::Uri;
use kdp_core::{Error, ErrorKind};
use kube::{
    Client, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};

use super::flags::{Connection, ExportName};

/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where orders are, and what it is called.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) client: Client,
    /// What the workspace is called where objects do not say; none where there are many.
    pub(super) workspace: Option<String>,
    /// The export all of whose consumers are seen.
    pub(super) export: Option<String>,
}

/// The place that the flags lead to. Nothing is contacted.
///
/// # Errors
/// `Invalid` when they lead nowhere.
pub(super) async fn open(flags: &Connection) -> Result<Place, Error> {
    let mut config = config(flags).await?;
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = Some(PATIENCE);
    let mut workspace = workspace_of(&config.cluster_url);
    if let Some(export) = &flags.api_export {
        config.cluster_url = address(&config.cluster_url, export)?;
        workspace = None;
    } else {
        workspace.get_or_insert_with(|| "cluster".into());
    }
    let unusable =
        |e| Error::new(ErrorKind::Invalid, "use", "the connection", "no client can be made of it").with_source(e);
    let client = Client::try_from(config).map_err(unusable)?;
    Ok(Place { client, workspace, export: flags.api_export.as_ref().map(|export| export.name.clone()) })
}

async fn config(flags: &Connection) -> Result<Config, Error> {
    if let Some(server) = &flags.server {
        let mut config = Config::new(server.clone());
        config.auth_info = AuthInfo {
            token_file: flags.token_file.as_ref().map(|file| file.display().to_string()),
            ..AuthInfo::default()
        };
        config.root_cert_file.clone_from(&flags.certificate_authority);
        return Ok(config);
    }
    let options = KubeConfigOptions { context: flags.context.clone(), ..KubeConfigOptions::default() };
    let unusable = |e| Error::new(ErrorKind::Invalid, "use", "the kubeconfig", "it leads nowhere").with_source(e);
    match (&flags.kubeconfig, &flags.context) {
        (Some(file), _) => Config::from_custom_kubeconfig(Kubeconfig::read_from(file).map_err(unusable)?, &options)
            .await
            .map_err(unusable),
        (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(unusable),
        (None, None) => Config::infer().await.map_err(|e| {
            let message = "nothing leads to one; name it with --kubeconfig or --server";
            Error::new(ErrorKind::Invalid, "reach", "an API server", message).with_source(e)
        }),
    }
}

/// What follows the last `/clusters/` of an address.
fn workspace_of(url: &Uri) -> Option<String> {
    let (_, workspace) = url.path().trim_end_matches('/').rsplit_once("/clusters/")?;
    (!workspace.is_empty() && workspace != "*").then(|| workspace.to_owned())
}

/// The address of an export on the server that this address is of.
fn address(url: &Uri, export: &ExportName) -> Result<Uri, Error> {
    let path = url.path();
    let end = ["/clusters/", "/services/"].into_iter().filter_map(|part| path.find(part)).min();
    let base = &path[..end.unwrap_or(path.len())];
    let path =
        format!("{}/services/apiexport/{}/{}/clusters/*", base.trim_end_matches('/'), export.cluster, export.name);
    let mut parts = url.clone().into_parts();
    let wrong = |e: &dyn std::error::Error| Error::new(ErrorKind::Invalid, "use", url, e.to_string());
    parts.path_and_query = Some(path.parse().map_err(|e: http::uri::InvalidUri| wrong(&e))?);
    Uri::from_parts(parts).map_err(|e| wrong(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_on_the_same_server() {
        let export = ExportName { cluster: "abc".parse().unwrap(), name: "w.example.com".into() };
        for (url, base) in [
            ("https://host:6443/clusters/root:acme", "https://host:6443"),
            ("https://host/front/clusters/root:acme/", "https://host/front"),
            ("https://host", "https://host"),
            ("https://host/services/apiexport/x/y/clusters/*", "https://host"),
        ] {
            let expected = format!("{base}/services/apiexport/abc/w.example.com/clusters/*");
            assert_eq!(address(&url.parse().unwrap(), &export).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_workspace_is_called_as_in_its_address() {
        let called = |url: &str| workspace_of(&url.parse().unwrap());
        assert_eq!(called("https://host/clusters/root:acme/"), Some("root:acme".into()));
        assert_eq!([called("https://host"), called("https://host/clusters/*")], [None, None]);
    }
}
