//! What URLs of kcp are made of.

use http::Uri;

/// Scheme, host and path prefix of a server, of which `url` is any URL.
///
/// # Errors
/// A sentence that says why it is not one.
pub(super) fn base(url: &Uri) -> Result<Uri, &'static str> {
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err("it is not an absolute URL");
    };
    if scheme != "https" {
        return Err("credentials are only sent over HTTPS");
    }
    let path = url.path().trim_end_matches('/');
    let above_cluster = path.rsplit_once('/').and_then(|(before, _)| before.strip_suffix("/clusters"));
    let path = above_cluster.unwrap_or(path);
    let prefix = path.split_once("/services/").map_or(path, |(before, _)| before);
    let authority = authority.as_str().to_ascii_lowercase();
    format!("{scheme}://{authority}{prefix}").parse().map_err(|_| "it is not a URL")
}

/// A base as text, without a trailing slash.
pub(super) fn text(base: &Uri) -> String {
    base.to_string().trim_end_matches('/').to_owned()
}

/// Which of the servers at `bases` serves `path`, given the URLs that an endpoint slice tells;
/// `None` when it tells none.
///
/// # Errors
/// A sentence that says why no server can be chosen.
pub(super) fn choose(bases: &[&Uri], path: &str, urls: &[String]) -> Result<Option<usize>, String> {
    let Some((url, others)) = urls.split_first() else { return Ok(None) };
    if others.iter().any(|other| other != url) {
        return Err(format!("it is served by {} shards, and a client sees the objects of one only", urls.len()));
    }
    let parsed: Option<Uri> = url.parse().ok();
    let at =
        parsed.as_ref().filter(|uri| uri.path().trim_end_matches('/').ends_with(path)).and_then(|uri| base(uri).ok());
    match at.and_then(|at| bases.iter().position(|base| **base == at)) {
        Some(index) => Ok(Some(index)),
        None => Err(format!("its endpoint slice tells {url:?}, which is at no address that this control plane knows")),
    }
}
