//! Where one shard serves an APIExport.

use std::{fmt, str::FromStr};

use http::Uri;

use crate::{Error, ErrorKind, LogicalClusterName};

/// What is between the address of a server and the cluster of an export.
const SERVICE: &str = "/services/apiexport/";

/// Where one shard serves the objects of an APIExport, as the status of an APIExportEndpointSlice
/// tells it: `<server>/services/apiexport/<cluster>/<export>`.
///
/// Parsing it does not make it a place to send credentials to: whoever writes the slice chose it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExportUrl {
    server: String,
    cluster: LogicalClusterName,
    export: String,
}

impl ExportUrl {
    /// Scheme, host and path prefix of the server, without a trailing slash.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Logical cluster that holds the export.
    #[must_use]
    pub fn cluster(&self) -> &LogicalClusterName {
        &self.cluster
    }

    /// Name of the export.
    #[must_use]
    pub fn export(&self) -> &str {
        &self.export
    }
}

impl FromStr for ExportUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |message: &str| Error::new(ErrorKind::Invalid, "parse", format!("{text:?}"), message);
        let url: Uri = text.parse().map_err(|error| wrong("it is not a URL").with_source(error))?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(wrong("it is not an absolute URL"));
        };
        if url.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong("it has parts that the URL of an export never has"));
        }
        let path = url.path().trim_end_matches('/');
        let parts = path.rsplit_once(SERVICE).and_then(|(prefix, rest)| Some((prefix, rest.split_once('/')?)));
        let Some((prefix, (cluster, export))) = parts else { return Err(wrong("it is not the URL of an export")) };
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        if export.is_empty() || export.starts_with('.') || !export.bytes().all(is_name) {
            return Err(wrong("it does not name an export"));
        }
        let cluster =
            cluster.parse().map_err(|error| wrong("it does not name a logical cluster").with_source(error))?;
        let server = format!("{scheme}://{}{prefix}", authority.as_str().to_ascii_lowercase());
        Ok(Self { server, cluster, export: export.to_owned() })
    }
}

impl fmt::Display for ExportUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SERVICE}{}/{}", self.server, self.cluster, self.export)
    }
}

#[cfg(test)]
mod tests;
