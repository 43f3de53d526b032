//! What a URL path addresses.

use kdp_core::{LogicalClusterName, WorkspacePath};

use super::super::{
    kinds::{
        logical_cluster::{Controller, Stage},
        workspace::home,
    },
    status::{Result, StatusError},
    surface::ExportId,
};

/// The part of the control plane that a path is about, and what is asked of it there.
#[derive(Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) scope: Scope,
    pub(crate) target: Target,
}

/// The part of the control plane that a path is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scope {
    /// The server itself: a path without a prefix.
    Server,
    /// `/clusters/<path>`.
    Workspace(WorkspacePath),
    /// `/clusters/*`.
    AllWorkspaces,
    /// `/services/apiexport/<cluster>/<export>/clusters/<* or cluster>`.
    Export { export: ExportId, consumer: Option<LogicalClusterName> },
    /// `/services/<initializingworkspaces or terminatingworkspaces>/<controller>/clusters/<* or cluster>`.
    Lifecycle { controller: Controller, workspace: Option<LogicalClusterName> },
    /// A prefix that no workspace can have.
    Nowhere,
}

/// What is asked of a scope.
#[derive(Debug, PartialEq)]
pub(crate) enum Target {
    /// A path that is not about a resource, such as `/version` or `/apis`, with a leading slash.
    Path(String),
    /// Objects.
    Resource(ResourcePath),
}

/// A path to the objects of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) plural: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Route {
    /// Takes the path of a request apart.
    ///
    /// Each segment is percent-decoded once, after the split, so an encoded `/` never makes a new
    /// segment.
    pub(crate) fn parse(path: &str) -> Result<Self> {
        let segments = path
            .split('/')
            .skip(1)
            .map(|segment| decode_segment(segment).ok_or_else(StatusError::page_not_found))
            .collect::<Result<Vec<_>>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (scope, rest) = match &segments[..] {
            ["clusters", cluster, rest @ ..] => (workspace_scope(cluster), rest),
            ["services", "apiexport", cluster, export, "clusters", consumer, rest @ ..] => {
                (export_scope(cluster, export, consumer), rest)
            }
            ["services", service, controller, "clusters", workspace, rest @ ..] => {
                let stage = Stage::of_service(service).ok_or_else(StatusError::page_not_found)?;
                (lifecycle_scope(stage, controller, workspace), rest)
            }
            ["services", ..] => return Err(StatusError::page_not_found()),
            rest => (Scope::Server, rest),
        };
        if rest.first() == Some(&"clusters") {
            return Err(StatusError::page_not_found());
        }
        Ok(Self { scope, target: target(rest) })
    }
}

fn workspace_scope(segment: &str) -> Scope {
    if segment == "*" {
        return Scope::AllWorkspaces;
    }
    let home = home::path_of(segment);
    home.as_deref().unwrap_or(segment).parse().map_or(Scope::Nowhere, Scope::Workspace)
}

fn lifecycle_scope(stage: Stage, controller: &str, workspace: &str) -> Scope {
    let Some(controller) = Controller::parse(stage, controller) else { return Scope::Nowhere };
    match workspace {
        "*" => Scope::Lifecycle { controller, workspace: None },
        name => name.parse().map_or(Scope::Nowhere, |name| Scope::Lifecycle { controller, workspace: Some(name) }),
    }
}

fn export_scope(cluster: &str, export: &str, consumer: &str) -> Scope {
    let export = ExportId { cluster: cluster.into(), name: export.into() };
    match consumer {
        "*" => Scope::Export { export, consumer: None },
        name => name.parse().map_or(Scope::Nowhere, |consumer| Scope::Export { export, consumer: Some(consumer) }),
    }
}

fn target(segments: &[&str]) -> Target {
    let path = || Target::Path(format!("/{}", segments.join("/").trim_end_matches('/')));
    let (group, version, rest) = match segments {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        // The core group is at `/api` alone.
        ["apis", group, version, rest @ ..] if !rest.is_empty() && !group.is_empty() => (*group, *version, rest),
        _ => return path(),
    };
    let base = ResourcePath { group: group.into(), version: version.into(), ..ResourcePath::default() };
    let one = |s: &str| Some(s.to_owned());
    let resource = match rest {
        [""] => return path(),
        ["namespaces", name, subresource @ ("status" | "finalize")] if group.is_empty() => {
            ResourcePath { plural: "namespaces".into(), name: one(name), subresource: one(subresource), ..base }
        }
        ["namespaces", namespace, plural, tail @ ..] if tail.len() <= 2 => ResourcePath {
            namespace: one(namespace),
            plural: (*plural).into(),
            name: tail.first().and_then(|s| one(s)),
            subresource: tail.get(1).and_then(|s| one(s)),
            ..base
        },
        [plural, tail @ ..] if tail.len() <= 2 => ResourcePath {
            plural: (*plural).into(),
            name: tail.first().and_then(|s| one(s)),
            subresource: tail.get(1).and_then(|s| one(s)),
            ..base
        },
        _ => return path(),
    };
    Target::Resource(resource)
}

/// The segment without percent-encoding; `None` when the encoding is broken, or hides a slash or
/// a control character.
fn decode_segment(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let (hex, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(|c: char| c == '/' || c.is_control())).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resource(path: &str) -> ResourcePath {
        match Route::parse(path).unwrap().target {
            Target::Resource(resource) => resource,
            Target::Path(path) => panic!("{path} is not about a resource"),
        }
    }

    #[test]
    fn a_path_names_a_workspace_a_resource_and_an_object() {
        let route = Route::parse("/clusters/root:a/apis/example.com/v1/namespaces/default/widgets/w/status").unwrap();
        assert_eq!(route.scope, Scope::Workspace("root:a".parse().unwrap()));
        assert_eq!(
            route.target,
            Target::Resource(ResourcePath {
                group: "example.com".into(),
                version: "v1".into(),
                namespace: Some("default".into()),
                plural: "widgets".into(),
                name: Some("w".into()),
                subresource: Some("status".into()),
            })
        );
    }

    #[test]
    fn a_namespace_is_an_object_and_a_scope() {
        assert_eq!(resource("/api/v1/namespaces/a").name.as_deref(), Some("a"));
        assert_eq!(resource("/api/v1/namespaces/a/finalize").subresource.as_deref(), Some("finalize"));
        assert_eq!(resource("/api/v1/namespaces/a/secrets").namespace.as_deref(), Some("a"));
    }

    #[test]
    fn tricks_with_paths_lead_nowhere() {
        for cluster in ["..", "%2e%2e", "root%3A..", "ROOT", "", "root:", "%2a:a", "root:*"] {
            let route = Route::parse(&format!("/clusters/{cluster}/api")).unwrap();
            assert_eq!(route.scope, Scope::Nowhere, "{cluster}");
        }
        for path in [
            "/clusters/root%2fa/api",
            "/api/v1/namespaces/a%2Fb",
            "/clusters/root/clusters/root/api",
            "/api/%zz",
            "/api/%",
            "/services/x",
        ] {
            assert_eq!(Route::parse(path).unwrap_err().code(), 404, "{path}");
        }
        let nameless_group = Route::parse("/apis//v1/secrets").unwrap();
        assert_eq!(nameless_group.target, Target::Path("/apis//v1/secrets".into()));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(path in "/.{0,60}") {
            let _ = Route::parse(&path);
        }
    }
}
