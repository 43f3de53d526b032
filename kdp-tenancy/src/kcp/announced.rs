//! Servers that only APIExportEndpointSlices tell of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use http::{Uri, uri::Authority};
use kdp_core::{Error, ErrorKind, ExportUrl};
use kube::Config;
use parking_lot::Mutex;

use super::{Server, address, unusable};

/// How many connections to announced servers are kept. More only cost a new one each.
const KEPT: usize = 256;

/// What to make of the addresses that slices tell.
#[derive(Clone, Default)]
pub(super) struct Announced {
    /// Hosts with their ports, and what is to be asked in their place.
    redirects: Arc<BTreeMap<String, String>>,
    /// The servers that are trusted because a slice tells of them; `None` when that is no reason.
    trusted: Option<Arc<Mutex<HashMap<Uri, Server>>>>,
}

impl Announced {
    pub(super) fn trusting(self) -> Self {
        Self { trusted: Some(Arc::default()), ..self }
    }

    pub(super) fn redirecting(self, old: &str, new: &str) -> Result<Self, Error> {
        let mut redirects = Arc::unwrap_or_clone(self.redirects);
        redirects.insert(host(old)?, host(new)?);
        Ok(Self { redirects: Arc::new(redirects), ..self })
    }

    /// Puts the host in its place that is to be asked instead, if there is one.
    pub(super) fn redirect(&self, url: &mut String) {
        let Some((scheme, rest)) = url.split_once("://") else { return };
        let end = rest.find('/').unwrap_or(rest.len());
        if let Some(new) = self.redirects.get(&rest[..end].to_ascii_lowercase()) {
            *url = format!("{scheme}://{new}{}", &rest[end..]);
        }
    }

    /// The server of an export's shard.
    ///
    /// # Errors
    /// `Unsupported` when it is none of `known` and slices are not trusted, and when no client can
    /// be made for it.
    pub(super) fn server_of(&self, url: &ExportUrl, known: &[Server], config: &Config) -> Result<Server, Error> {
        let mut server = url.server().to_owned();
        self.redirect(&mut server);
        let refused = |message: &str| Error::new(ErrorKind::Unsupported, "reach", url, message);
        let uri: Uri = server.parse().map_err(|error| refused("it is not a URL").with_source(error))?;
        let base = address::base(&uri).map_err(refused)?;
        if let Some(server) = known.iter().find(|server| server.base == base) {
            return Ok(server.clone());
        }
        let Some(trusted) = &self.trusted else {
            return Err(refused("it is at no address that this control plane knows"));
        };
        let mut trusted = trusted.lock();
        if let Some(server) = trusted.get(&base) {
            return Ok(server.clone());
        }
        let server = Server::new(config, &base)?;
        if trusted.len() >= KEPT {
            trusted.clear();
        }
        trusted.insert(base, server.clone());
        Ok(server)
    }
}

fn host(text: &str) -> Result<String, Error> {
    let authority: Authority = text.parse().map_err(|error| unusable(text).with_source(error))?;
    if authority.as_str().contains('@') {
        return Err(unusable(text));
    }
    Ok(authority.as_str().to_ascii_lowercase())
}
