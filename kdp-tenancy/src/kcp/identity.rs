//! How a request says who it acts as.

use http::Uri;
use kdp_core::{Error, ErrorKind, Identity};
use kube::{
    Config,
    client::{ConfigExt, middleware::ExtraHeadersLayer},
};

/// A layer that adds the impersonation headers for `identity`, escaped as Kubernetes' own client
/// escapes them.
///
/// # Errors
/// `Invalid` when the identity has no name, which would send no header and so act as the
/// credential, or when a value does not fit into a header.
pub(super) fn headers(identity: &Identity) -> Result<ExtraHeadersLayer, Error> {
    let invalid = |message| Error::new(ErrorKind::Invalid, "act as", format!("{:?}", identity.username), message);
    if identity.username.is_empty() {
        return Err(invalid("an identity needs a name"));
    }
    // Of a configuration, kube makes this layer from the headers and the impersonation only.
    let mut config = Config::new(Uri::from_static("https://localhost"));
    let Identity { username, uid, groups, extra } = identity.clone();
    config.auth_info.impersonate = Some(username);
    config.auth_info.impersonate_uid = uid;
    config.auth_info.impersonate_groups = Some(groups);
    config.auth_info.impersonate_user_extra = Some(extra.into_iter().collect());
    config.extra_headers_layer().map_err(|error| invalid("it does not fit into HTTP headers").with_source(error))
}
