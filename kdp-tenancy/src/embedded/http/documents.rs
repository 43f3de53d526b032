//! Discovery, OpenAPI, version and health.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use serde_json::{Value, json};

use super::{
    negotiate,
    respond::{self, full},
};
use crate::embedded::{
    discovery::{self, AggregatedVersion, Root},
    openapi,
    serve::Body,
    status::{Result, StatusError},
    surface::{Document, Surface},
};

/// The Kubernetes minor version whose API this server speaks.
const MINOR: &str = "34";

/// Stands in the OpenAPI index for what comes before `/openapi` in the URL of the request, so that
/// workspaces can share one index.
const PREFIX: &str = "/{prefix}";

/// The answer to a health check.
pub(super) fn health(path: &str) -> Option<Response<Body>> {
    match path {
        "/healthz" | "/livez" | "/readyz" => Some(respond::text(StatusCode::OK, "ok")),
        _ if ["/healthz/", "/livez/", "/readyz/"].iter().any(|p| path.strip_prefix(p) == Some("ping")) => {
            Some(respond::text(StatusCode::OK, "ok"))
        }
        _ => None,
    }
}

/// The document at a path.
pub(super) fn document(surface: &Surface, path: &str, parts: &Parts) -> Result<Response<Body>> {
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let json = |name: &str, make: &dyn Fn() -> Option<Value>| {
        let known = make_document(surface, name, make)?;
        Ok(serve(parts, &known, "application/json"))
    };
    let resources = surface.resources();
    match &segments[..] {
        ["version"] => respond::value(negotiate::format(&parts.headers)?, StatusCode::OK, &version()),
        ["api"] => Ok(aggregated_or(surface, parts, Root::Core)),
        ["apis"] => Ok(aggregated_or(surface, parts, Root::Groups)),
        ["api", version] => json(path, &|| discovery::api_resources(resources, "", version)),
        ["apis", group] => json(path, &|| discovery::api_group(resources, group)),
        ["apis", group, version] => json(path, &|| discovery::api_resources(resources, group, version)),
        ["openapi", "v2"] => Ok(openapi_v2(surface, parts)),
        ["openapi", "v3"] => {
            let index = make_document(surface, path, &|| Some(openapi::v3_index(resources, PREFIX)))?;
            Ok(serve(parts, &with_prefix(&index, parts.uri.path()), "application/json"))
        }
        ["openapi", "v3", "api", version] => openapi_v3(surface, path, parts, "", version),
        ["openapi", "v3", "apis", group, version] => openapi_v3(surface, path, parts, group, version),
        ["healthz" | "livez" | "readyz", ..] => health(path).ok_or_else(StatusError::page_not_found),
        [""] => respond::value(
            negotiate::format(&parts.headers)?,
            StatusCode::OK,
            &json!({"paths": ["/api", "/apis", "/openapi/v2", "/openapi/v3", "/version"]}),
        ),
        _ => Err(StatusError::page_not_found()),
    }
}

fn make_document(surface: &Surface, name: &str, make: &dyn Fn() -> Option<Value>) -> Result<Document> {
    if let Some(known) = surface.known_document(name) {
        return Ok(known);
    }
    let value = make().ok_or_else(StatusError::page_not_found)?;
    Ok(surface.keep_document(name, value.to_string().into()))
}

/// The OpenAPI document of a group version. Under the hash that the index gives for it, a client
/// may keep it for ever.
fn openapi_v3(surface: &Surface, path: &str, parts: &Parts, group: &str, version: &str) -> Result<Response<Body>> {
    let resources = surface.resources();
    let known = make_document(surface, path, &|| openapi::v3(resources, group, version))?;
    let mut response = serve(parts, &known, "application/json");
    let asked = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .find(|(key, _)| key == "hash")
        .map(|(_, hash)| hash.into_owned());
    if asked.is_some() && asked == openapi::v3_hash(resources, group, version) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
    }
    Ok(response)
}

/// The OpenAPI index for clients that asked for it at `path`.
fn with_prefix(index: &Document, path: &str) -> Document {
    let prefix = path.trim_end_matches('/').trim_end_matches("/openapi/v3");
    let body = Bytes::from(String::from_utf8_lossy(&index.body).replace(PREFIX, prefix));
    Document { etag: discovery::etag(&body), body }
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": MINOR,
        "gitVersion": format!("v1.{MINOR}.0+kdp-{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// The aggregated form when the client asks for it, else the list of versions or groups.
fn aggregated_or(surface: &Surface, parts: &Parts, root: Root) -> Response<Body> {
    let asked = negotiate::accepted(&parts.headers)
        .iter()
        .find_map(|range| match (range.parameter("as"), range.parameter("g"), range.parameter("v")) {
            ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Some(Some(AggregatedVersion::V2)),
            ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1") => Some(Some(AggregatedVersion::V2Beta1)),
            ("", _, _) => Some(None),
            _ => None,
        })
        .flatten();
    let resources = surface.resources();
    let name = format!("{root:?} {asked:?}");
    let known = surface.known_document(&name).unwrap_or_else(|| {
        let value = match (asked, root) {
            (Some(version), _) => discovery::aggregated(resources, root, version),
            (None, Root::Core) => discovery::api_versions(resources),
            (None, Root::Groups) => discovery::api_groups(resources),
        };
        surface.keep_document(&name, value.to_string().into())
    });
    let content_type = asked.map_or_else(|| "application/json".to_owned(), AggregatedVersion::content_type);
    let mut response = serve(parts, &known, &content_type);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

fn openapi_v2(surface: &Surface, parts: &Parts) -> Response<Body> {
    let protobuf = negotiate::accepted(&parts.headers)
        .first()
        .is_some_and(|range| [openapi::V2_PROTOBUF, openapi::V2_PROTOBUF_ACCEPT].contains(&range.name));
    let name = if protobuf { "openapi v2 protobuf" } else { "openapi v2" };
    let known = surface.known_document(name).unwrap_or_else(|| {
        let resources = surface.resources();
        let body =
            if protobuf { openapi::v2_protobuf(resources).into() } else { openapi::v2(resources).to_string().into() };
        surface.keep_document(name, body)
    });
    serve(parts, &known, if protobuf { openapi::V2_PROTOBUF } else { "application/json" })
}

/// The document, or that it is still what the client has.
fn serve(parts: &Parts, document: &Document, content_type: &str) -> Response<Body> {
    let same = parts.headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok()) == Some(&*document.etag);
    let (code, body) =
        if same { (StatusCode::NOT_MODIFIED, Bytes::new()) } else { (StatusCode::OK, document.body.clone()) };
    let mut response = full(code, content_type, body);
    if let Ok(etag) = HeaderValue::from_str(&document.etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
