//! What Kubernetes' published schemas say beyond the Rust types: how lists and maps merge.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::Merge::{AtomicList, AtomicMap, Keyed, KeyedForApply, Set};

const API_EXTENSIONS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.";
const AUTHENTICATION: &str = "io.k8s.api.authentication.v1.";
const AUTHORIZATION: &str = "io.k8s.api.authorization.v1.";
const CORE: &str = "io.k8s.api.core.v1.";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const RBAC: &str = "io.k8s.api.rbac.v1.";

/// Types of any content: free JSON, and schemas, which contain themselves.
const OPEN: &[(&str, &str)] = &[
    (API_EXTENSIONS, "JSON"),
    (API_EXTENSIONS, "JSONSchemaPropsOrArray"),
    (API_EXTENSIONS, "JSONSchemaPropsOrBool"),
    (API_EXTENSIONS, "JSONSchemaPropsOrStringArray"),
];

/// The same, where the content is an object.
const OPEN_OBJECTS: &[(&str, &str)] = &[(API_EXTENSIONS, "JSONSchemaProps"), (META, "FieldsV1")];

/// How a list or a map merges, in server-side apply and in strategic merge patches.
#[derive(Clone, Copy, Debug)]
enum Merge {
    /// A list that is replaced as a whole.
    AtomicList,
    /// An object that is replaced as a whole.
    AtomicMap,
    /// A list of objects, each known by this key.
    Keyed(&'static str),
    /// As `Keyed` in server-side apply only; a strategic patch replaces the list.
    KeyedForApply(&'static str),
    /// A list of distinct scalars, merged by value.
    Set,
}

/// Type, property (empty for the type itself), and how that merges.
type Rule = (&'static str, &'static str, Merge);

/// Rules by package.
const MERGES: &[(&str, &[Rule])] = &[
    (
        META,
        &[
            ("DeleteOptions", "dryRun", AtomicList),
            ("FieldSelectorRequirement", "values", AtomicList),
            ("LabelSelector", "", AtomicMap),
            ("LabelSelector", "matchExpressions", AtomicList),
            ("LabelSelectorRequirement", "values", AtomicList),
            ("ObjectMeta", "finalizers", Set),
            ("ObjectMeta", "managedFields", AtomicList),
            ("ObjectMeta", "ownerReferences", Keyed("uid")),
            ("OwnerReference", "", AtomicMap),
            ("StatusDetails", "causes", AtomicList),
        ],
    ),
    (
        CORE,
        &[
            ("LimitRangeSpec", "limits", AtomicList),
            ("LocalObjectReference", "", AtomicMap),
            ("NamespaceSpec", "finalizers", AtomicList),
            ("NamespaceStatus", "conditions", Keyed("type")),
            ("ObjectReference", "", AtomicMap),
            ("ResourceQuotaSpec", "scopes", AtomicList),
            ("ScopeSelector", "", AtomicMap),
            ("ScopeSelector", "matchExpressions", AtomicList),
            ("ScopedResourceSelectorRequirement", "values", AtomicList),
            ("ServiceAccount", "imagePullSecrets", AtomicList),
            ("ServiceAccount", "secrets", Keyed("name")),
        ],
    ),
    (
        RBAC,
        &[
            ("AggregationRule", "clusterRoleSelectors", AtomicList),
            ("ClusterRole", "rules", AtomicList),
            ("ClusterRoleBinding", "subjects", AtomicList),
            ("PolicyRule", "apiGroups", AtomicList),
            ("PolicyRule", "nonResourceURLs", AtomicList),
            ("PolicyRule", "resourceNames", AtomicList),
            ("PolicyRule", "resources", AtomicList),
            ("PolicyRule", "verbs", AtomicList),
            ("Role", "rules", AtomicList),
            ("RoleBinding", "subjects", AtomicList),
            ("RoleRef", "", AtomicMap),
            ("Subject", "", AtomicMap),
        ],
    ),
    (
        AUTHENTICATION,
        &[
            ("TokenReviewSpec", "audiences", AtomicList),
            ("TokenReviewStatus", "audiences", AtomicList),
            ("UserInfo", "groups", AtomicList),
        ],
    ),
    (
        AUTHORIZATION,
        &[
            ("FieldSelectorAttributes", "requirements", AtomicList),
            ("LabelSelectorAttributes", "requirements", AtomicList),
            ("NonResourceRule", "nonResourceURLs", AtomicList),
            ("NonResourceRule", "verbs", AtomicList),
            ("ResourceRule", "apiGroups", AtomicList),
            ("ResourceRule", "resourceNames", AtomicList),
            ("ResourceRule", "resources", AtomicList),
            ("ResourceRule", "verbs", AtomicList),
            ("SubjectAccessReviewSpec", "groups", AtomicList),
            ("SubjectRulesReviewStatus", "nonResourceRules", AtomicList),
            ("SubjectRulesReviewStatus", "resourceRules", AtomicList),
        ],
    ),
    (
        API_EXTENSIONS,
        &[
            ("CustomResourceDefinitionNames", "categories", AtomicList),
            ("CustomResourceDefinitionNames", "shortNames", AtomicList),
            ("CustomResourceDefinitionSpec", "versions", AtomicList),
            ("CustomResourceDefinitionStatus", "conditions", KeyedForApply("type")),
            ("CustomResourceDefinitionStatus", "storedVersions", AtomicList),
            ("CustomResourceDefinitionVersion", "additionalPrinterColumns", AtomicList),
            ("CustomResourceDefinitionVersion", "selectableFields", AtomicList),
            ("WebhookConversion", "conversionReviewVersions", AtomicList),
        ],
    ),
];

/// Brings the schemas of the Rust types to what Kubernetes publishes.
///
/// Types that `definitions` lacks are passed over: it holds what one kind needs.
pub(super) fn apply(definitions: &mut BTreeMap<String, Value>) {
    for (package, types) in MERGES {
        for (type_, property, merge) in *types {
            if let Some(schema) = definitions.get_mut(&format!("{package}{type_}")) {
                merge.mark(if property.is_empty() { schema } else { &mut schema["properties"][*property] });
            }
        }
    }
    for (package, type_) in OPEN.iter().chain(OPEN_OBJECTS) {
        if let Some(schema) = definitions.get_mut(&format!("{package}{type_}")) {
            let description = schema["description"].take();
            *schema = json!({"description": description, "x-kubernetes-preserve-unknown-fields": true});
            if OPEN_OBJECTS.contains(&(package, type_)) {
                schema["type"] = "object".into();
            }
        }
    }
    if let Some(quantity) = definitions.get_mut(QUANTITY) {
        let description = "A fixed-point number with an optional suffix, such as 500m, 1.5Gi or 10.";
        *quantity = json!({"description": description, "oneOf": [{"type": "string"}, {"type": "number"}]});
    }
    definitions.values_mut().for_each(make_metadata_optional);
}

impl Merge {
    fn mark(self, schema: &mut Value) {
        match self {
            AtomicList => schema["x-kubernetes-list-type"] = "atomic".into(),
            AtomicMap => schema["x-kubernetes-map-type"] = "atomic".into(),
            Keyed(key) => {
                KeyedForApply(key).mark(schema);
                schema["x-kubernetes-patch-merge-key"] = key.into();
                schema["x-kubernetes-patch-strategy"] = "merge".into();
            }
            KeyedForApply(key) => {
                schema["x-kubernetes-list-type"] = "map".into();
                schema["x-kubernetes-list-map-keys"] = json!([key]);
            }
            Set => {
                schema["x-kubernetes-list-type"] = "set".into();
                schema["x-kubernetes-patch-strategy"] = "merge".into();
            }
        }
    }
}

/// The Rust types always have metadata; on the wire it may be left out.
fn make_metadata_optional(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    if let Some(Value::Array(required)) = fields.get_mut("required") {
        required.retain(|field| field != "metadata");
        if required.is_empty() {
            fields.remove("required");
        }
    }
}
