//! The operations on a resource, free of any OpenAPI version.

use super::definitions::{DELETE_OPTIONS, PATCH, STATUS, definition_name};
use crate::embedded::resource::{ApiResource, Subresource};

/// One method of one path.
#[derive(Debug)]
pub(super) struct Operation {
    /// URL path with `{namespace}` and `{name}` in it.
    pub(super) path: String,
    /// HTTP method in lower case.
    pub(super) method: &'static str,
    /// `x-kubernetes-action`.
    pub(super) action: &'static str,
    pub(super) id: String,
    pub(super) tag: String,
    pub(super) description: String,
    pub(super) kind: GroupVersionKind,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    /// Definition of the successful response.
    pub(super) response: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct GroupVersionKind {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

/// A parameter in the path (always required) or in the query (never required).
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) in_path: bool,
    pub(super) type_: &'static str,
    pub(super) description: &'static str,
}

#[derive(Debug)]
pub(super) struct Body {
    pub(super) definition: String,
    pub(super) media_types: &'static [&'static str],
    pub(super) required: bool,
}

/// Media types of every response.
pub(super) const PRODUCES: &[&str] = &["application/json", "application/yaml"];

const OBJECT_TYPES: &[&str] = &["application/json", "application/yaml"];
const BUILTIN_PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
const CUSTOM_PATCH_TYPES: &[&str] =
    &["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];

const NAME: Parameter = Parameter { in_path: true, ..query("name", "string", "Name of the object.") };
const NAMESPACE: Parameter = Parameter { in_path: true, ..query("namespace", "string", "Namespace of the object.") };
const PRETTY: Parameter = query("pretty", "string", "If 'true', the output is indented.");
const DRY_RUN: Parameter = query("dryRun", "string", "'All' runs every stage of the request but stores nothing.");
const FIELD_MANAGER: Parameter =
    query("fieldManager", "string", "Name of the actor that makes the change, at most 128 printable characters.");
const FIELD_VALIDATION: Parameter = query(
    "fieldValidation",
    "string",
    "What to do about unknown and duplicate fields: 'Ignore' drops them, 'Warn' also warns, 'Strict' refuses.",
);
const FORCE: Parameter = query("force", "boolean", "Whether an apply takes over fields that others own.");
const CHANGE: &[Parameter] = &[DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];
const DELETE: &[Parameter] = &[
    DRY_RUN,
    query("gracePeriodSeconds", "integer", "Seconds before the object is deleted."),
    query("propagationPolicy", "string", "What becomes of dependents: 'Orphan', 'Background' or 'Foreground'."),
];
const SELECT: &[Parameter] = &[
    query("continue", "string", "Where to go on, from the answer to an earlier request with a limit."),
    query("fieldSelector", "string", "Restricts the objects by their fields."),
    query("labelSelector", "string", "Restricts the objects by their labels."),
    query("limit", "integer", "Greatest number of objects to answer with."),
    query("resourceVersion", "string", "Restricts how old the answer may be."),
    query("resourceVersionMatch", "string", "How resourceVersion is applied: 'NotOlderThan' or 'Exact'."),
    query("timeoutSeconds", "integer", "Longest duration of the call."),
];
const WATCH: &[Parameter] = &[
    query("allowWatchBookmarks", "boolean", "Whether a watch may send events of type BOOKMARK."),
    query("sendInitialEvents", "boolean", "Whether a watch starts with the objects there are."),
    query("watch", "boolean", "Whether to watch for changes instead of listing."),
];

const fn query(name: &'static str, type_: &'static str, description: &'static str) -> Parameter {
    Parameter { name, in_path: false, type_, description }
}

impl Operation {
    /// Names of the definitions that the operation refers to.
    pub(super) fn definitions(&self) -> impl Iterator<Item = &str> {
        self.body.iter().map(|body| body.definition.as_str()).chain([self.response.as_str()])
    }
}

/// Every operation on `resource` and its subresources.
pub(super) fn operations(resource: &ApiResource) -> Vec<Operation> {
    let everywhere = format!("/{}/{}", resource.root_path(), resource.plural);
    let collection = if resource.namespaced {
        format!("/{}/namespaces/{{namespace}}/{}", resource.root_path(), resource.plural)
    } else {
        everywhere.clone()
    };
    let own = Target {
        resource,
        path: format!("{collection}/{{name}}"),
        subresource: "",
        kind: GroupVersionKind {
            group: resource.group.clone(),
            version: resource.version.clone(),
            kind: resource.kind.clone(),
        },
    };
    let all = Target { path: everywhere, ..own.clone() };
    let many = Target { path: collection, ..own.clone() };
    let mut operations = Vec::new();
    for verb in resource.verbs {
        match *verb {
            "list" if resource.namespaced => operations.extend([all.list(), many.list()]),
            "list" => operations.push(many.list()),
            "create" => operations.push(many.create()),
            "deletecollection" => operations.push(many.delete_collection()),
            verb => operations.extend(own.one(verb)),
        }
    }
    for subresource in &resource.subresources {
        let target = own.below(subresource);
        operations.extend(subresource.verbs.iter().filter_map(|verb| target.one(verb)));
    }
    operations
}

/// What a path leads to.
#[derive(Clone)]
struct Target<'r> {
    resource: &'r ApiResource,
    path: String,
    /// Empty for the resource itself.
    subresource: &'r str,
    /// Kind of the body.
    kind: GroupVersionKind,
}

impl<'r> Target<'r> {
    fn below(&self, subresource: &'r Subresource) -> Self {
        let body = subresource.group_version_kind.clone();
        Self {
            path: format!("{}/{}", self.path, subresource.name),
            subresource: &subresource.name,
            kind: body
                .map_or_else(|| self.kind.clone(), |(group, version, kind)| GroupVersionKind { group, version, kind }),
            ..self.clone()
        }
    }

    fn list(&self) -> Operation {
        let resource = self.resource;
        let list = definition_name(&resource.group, &resource.version, &resource.list_kind);
        self.operation(("get", "list"), &[SELECT, WATCH].concat(), None, list)
    }

    fn create(&self) -> Operation {
        self.operation(("post", "post"), CHANGE, Some(self.object_body()), self.definition())
    }

    fn delete_collection(&self) -> Operation {
        let parameters = [SELECT, DELETE].concat();
        self.operation(("delete", "deletecollection"), &parameters, Some(delete_body()), STATUS.into())
    }

    /// The operation of a verb on one object; `None` for a watch, which is a list with a parameter.
    fn one(&self, verb: &str) -> Option<Operation> {
        Some(match verb {
            "create" => self.create(),
            "get" => self.operation(("get", "get"), &[], None, self.definition()),
            "update" => self.operation(("put", "put"), CHANGE, Some(self.object_body()), self.definition()),
            "patch" => {
                let parameters = [CHANGE, &[FORCE]].concat();
                self.operation(("patch", "patch"), &parameters, Some(self.patch_body()), self.definition())
            }
            "delete" => self.operation(("delete", "delete"), DELETE, Some(delete_body()), STATUS.into()),
            _ => return None,
        })
    }

    fn operation(
        &self,
        (method, action): (&'static str, &'static str),
        parameters: &[Parameter],
        body: Option<Body>,
        response: String,
    ) -> Operation {
        let in_path = [NAMESPACE, NAME].into_iter().filter(|p| self.path.contains(&format!("{{{}}}", p.name)));
        Operation {
            path: self.path.clone(),
            method,
            action,
            id: self.id(action),
            tag: self.group_version(),
            description: format!("{action} {}", self.path.trim_start_matches('/')),
            kind: self.kind.clone(),
            parameters: in_path.chain([PRETTY]).chain(parameters.iter().copied()).collect(),
            body,
            response,
        }
    }

    /// An identifier that occurs once in a document.
    fn id(&self, action: &str) -> String {
        let everywhere = self.resource.namespaced && !self.path.contains("{namespace}");
        let suffix = if everywhere { "ForAllNamespaces" } else { "" };
        let kind = &self.resource.kind;
        format!("{action}{}{kind}{}{suffix}", self.group_version(), capitalized(self.subresource))
    }

    fn group_version(&self) -> String {
        let group = if self.resource.group.is_empty() { "core" } else { &self.resource.group };
        let group: String = group.trim_end_matches(".k8s.io").split(['.', '-']).map(capitalized).collect();
        format!("{group}{}", capitalized(&self.resource.version))
    }

    fn definition(&self) -> String {
        definition_name(&self.kind.group, &self.kind.version, &self.kind.kind)
    }

    fn object_body(&self) -> Body {
        Body { definition: self.definition(), media_types: OBJECT_TYPES, required: true }
    }

    fn patch_body(&self) -> Body {
        let resource = self.resource;
        let builtin = definition_name(&resource.group, &resource.version, "").starts_with("io.k8s.api");
        let media_types = if builtin { BUILTIN_PATCH_TYPES } else { CUSTOM_PATCH_TYPES };
        Body { definition: PATCH.into(), media_types, required: true }
    }
}

fn delete_body() -> Body {
    Body { definition: DELETE_OPTIONS.into(), media_types: OBJECT_TYPES, required: false }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
