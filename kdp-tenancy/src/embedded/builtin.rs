//! The kinds that every workspace serves without a CustomResourceDefinition.
//!
//! Kubernetes' own kinds take their names and schemas from the types of `k8s_openapi`; kcp's come
//! from the CustomResourceDefinitions of `kdp_core::api`.

mod columns;
mod definitions;
mod kcp;
mod overlay;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenReview};
use k8s_openapi::api::authorization::v1::{
    LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, LimitRange, Namespace, ResourceQuota, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope, Resource};
use schemars::JsonSchema;
use serde_json::Value;

pub(super) use self::definitions::shared_definitions;
use super::resource::{ApiResource, STORED_VERBS, Subresource};

/// Every builtin resource, in the order of discovery.
#[must_use]
pub(crate) fn resources() -> &'static [Arc<ApiResource>] {
    static RESOURCES: LazyLock<Vec<Arc<ApiResource>>> =
        LazyLock::new(|| kubernetes().into_iter().chain(kcp::resources()).map(Arc::new).collect());
    &RESOURCES
}

/// Schema of `metadata` in every object: inlined, and without descriptions to keep it small.
#[must_use]
pub(crate) fn object_meta_schema() -> &'static Value {
    definitions::object_meta()
}

/// Schema of `apiVersion` or `kind`.
#[must_use]
pub(crate) fn type_meta_schema(field: &str) -> Value {
    definitions::type_meta(field)
}

fn kubernetes() -> Vec<ApiResource> {
    vec![
        stored::<ConfigMap>().with_short_names(&["cm"]),
        stored::<Event>().with_short_names(&["ev"]).with_selectable_fields(&[
            ".involvedObject.kind",
            ".involvedObject.namespace",
            ".involvedObject.name",
            ".involvedObject.uid",
            ".involvedObject.apiVersion",
            ".involvedObject.resourceVersion",
            ".involvedObject.fieldPath",
            ".reason",
            ".reportingComponent",
            ".type",
        ]),
        stored::<LimitRange>().with_short_names(&["limits"]),
        stored::<Namespace>()
            .with_short_names(&["ns"])
            .with_verbs(&["create", "delete", "get", "list", "patch", "update", "watch"])
            .with_subresource(Subresource { verbs: &["update"], ..Subresource::new("finalize") })
            .with_subresource(Subresource::new("status"))
            .with_selectable_fields(&[".status.phase"]),
        stored::<ResourceQuota>().with_short_names(&["quota"]).with_subresource(Subresource::new("status")),
        stored::<Secret>().with_selectable_fields(&[".type"]),
        stored::<ServiceAccount>().with_short_names(&["sa"]).with_subresource(Subresource {
            name: "token".into(),
            group_version_kind: Some(("authentication.k8s.io".into(), "v1".into(), "TokenRequest".into())),
            verbs: CREATE,
        }),
        stored::<SelfSubjectReview>().with_verbs(CREATE),
        stored::<TokenReview>().with_verbs(CREATE),
        stored::<LocalSubjectAccessReview>().with_verbs(CREATE),
        stored::<SelfSubjectAccessReview>().with_verbs(CREATE),
        stored::<SelfSubjectRulesReview>().with_verbs(CREATE),
        stored::<SubjectAccessReview>().with_verbs(CREATE),
        stored::<ClusterRole>(),
        stored::<ClusterRoleBinding>(),
        stored::<Role>(),
        stored::<RoleBinding>(),
        stored::<CustomResourceDefinition>()
            .with_short_names(&["crd", "crds"])
            .with_categories(&["api-extensions"])
            .with_subresource(Subresource::new("status")),
        stored::<Lease>(),
    ]
}

const CREATE: &[&str] = &["create"];

/// A kind of Kubernetes as an ordinary stored resource.
fn stored<T: Resource + JsonSchema>() -> ApiResource
where
    T::Scope: Scope,
{
    ApiResource {
        group: T::GROUP.into(),
        version: T::VERSION.into(),
        storage_version: T::VERSION.into(),
        kind: T::KIND.into(),
        list_kind: format!("{}List", T::KIND),
        plural: T::URL_PATH_SEGMENT.into(),
        singular: T::KIND.to_lowercase(),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced: T::Scope::NAMESPACED,
        verbs: STORED_VERBS,
        subresources: Vec::new(),
        schema: definitions::object::<T>(),
        columns: columns::of(T::GROUP, T::URL_PATH_SEGMENT),
        selectable_fields: Vec::new(),
        deprecation_warning: None,
        scale: None,
    }
}

trait Scope {
    const NAMESPACED: bool;
}

impl Scope for NamespaceResourceScope {
    const NAMESPACED: bool = true;
}

impl Scope for ClusterResourceScope {
    const NAMESPACED: bool = false;
}

impl ApiResource {
    fn with_short_names(mut self, names: &[&str]) -> Self {
        self.short_names = owned(names);
        self
    }

    fn with_categories(mut self, names: &[&str]) -> Self {
        self.categories = owned(names);
        self
    }

    fn with_selectable_fields(mut self, paths: &[&str]) -> Self {
        self.selectable_fields = owned(paths);
        self
    }

    fn with_verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }

    fn with_subresource(mut self, subresource: Subresource) -> Self {
        self.subresources.push(subresource);
        self
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.into()).collect()
}
