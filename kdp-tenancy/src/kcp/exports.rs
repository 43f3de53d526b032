//! Where the virtual workspaces of exports are, as their endpoint slices tell.

use std::{collections::HashMap, time::Duration};

use http::{Request, Uri};
use kdp_core::{Endpoint, Error, ErrorKind, LogicalClusterName, api::apis::APIExportEndpointSlice};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Announced, Server, address};

/// How long an answer is believed.
const BELIEVED: Duration = Duration::from_secs(60);
/// How many answers are kept. A platform has few exports; more only cost a request each.
const KEPT: usize = 1024;

/// What was learned of exports, shared by all clients.
#[derive(Default)]
pub(super) struct Exports {
    found: Mutex<HashMap<(LogicalClusterName, String), (Instant, usize)>>,
}

impl Exports {
    /// The position in `servers` of the one that serves the export.
    ///
    /// It is the first as long as no slice tells: before the export is bound, and when the
    /// platform may not look. What the caller may see there is for the server to say.
    pub(super) async fn server_of(
        &self,
        cluster: &LogicalClusterName,
        export: &str,
        servers: &[Server],
        announced: &Announced,
    ) -> Result<usize, Error> {
        let key = (cluster.clone(), export.to_owned());
        if let Some((seen, index)) = self.found.lock().get(&key).copied()
            && seen.elapsed() < BELIEVED
        {
            return Ok(index);
        }
        let first = servers.first().expect("there is a server from the start");
        let mut urls = urls(first, cluster, export).await?;
        urls.iter_mut().for_each(|url| announced.redirect(url));
        let bases: Vec<&Uri> = servers.iter().map(|server| &server.base).collect();
        let path = format!("/services/apiexport/{cluster}/{export}");
        let chosen = address::choose(&bases, &path, &urls)
            .map_err(|message| Error::new(ErrorKind::Unsupported, "reach", path, message))?;
        let Some(index) = chosen else { return Ok(0) };
        let mut found = self.found.lock();
        if found.len() >= KEPT {
            found.clear();
        }
        found.insert(key, (Instant::now(), index));
        Ok(index)
    }
}

/// The URLs that the export's slice tells, which has the export's name unless an administrator made
/// another; none when there is none to see.
async fn urls(server: &Server, cluster: &LogicalClusterName, export: &str) -> Result<Vec<String>, Error> {
    let workspace = Endpoint::Workspace(cluster.path());
    let subject = format!("the endpoints of export {export:?} in {cluster}");
    let path = format!("{workspace}/apis/apis.kcp.io/v1alpha1/apiexportendpointslices/{export}");
    let unnameable =
        |error: http::Error| Error::new(ErrorKind::Invalid, "look up", &subject, "no URL has it").with_source(error);
    let request = Request::get(path).body(Vec::new()).map_err(unnameable)?;
    match server.client.request::<APIExportEndpointSlice>(request).await {
        Ok(slice) => Ok(slice.status.unwrap_or_default().endpoints.into_iter().map(|endpoint| endpoint.url).collect()),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(Vec::new()),
        Err(error) => Err(Error::from_kube("look up", subject, error)),
    }
}
