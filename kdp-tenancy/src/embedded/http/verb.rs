//! What a request does, in Kubernetes' words.

use http::Method;

use super::{
    super::status::{Result, StatusError},
    query::Query,
    route::ResourcePath,
};

/// What a request does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// The verb of a method on a path.
    pub(crate) fn of(method: &Method, path: &ResourcePath, query: &Query) -> Result<Self> {
        let named = path.name.is_some();
        Ok(match *method {
            Method::GET if query.watch && path.subresource.is_none() => Self::Watch,
            Method::GET if named => Self::Get,
            Method::GET => Self::List,
            Method::POST if !named || path.subresource.is_some() => Self::Create,
            Method::PUT if named => Self::Update,
            Method::PATCH if named => Self::Patch,
            Method::DELETE if named => Self::Delete,
            Method::DELETE => Self::DeleteCollection,
            _ => return Err(StatusError::method_not_allowed()),
        })
    }

    /// Whether a request may say more than its URL does.
    pub(crate) fn has_body(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}
