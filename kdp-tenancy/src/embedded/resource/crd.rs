//! Resources out of CustomResourceDefinitions and APIResourceSchemas.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{ApiResource, PrinterColumn, STORED_VERBS, ScalePaths, Subresource};
use crate::embedded::builtin;

impl ApiResource {
    /// The served versions of a CustomResourceDefinition (`apiextensions.k8s.io/v1`), in its order.
    ///
    /// Names come from `status.acceptedNames` once the server has filled that in, from `spec.names`
    /// before. Whatever is missing or of the wrong type is taken as absent: validating the
    /// definition is the work of its admission.
    #[must_use]
    pub fn from_crd(crd: &Value) -> Vec<Self> {
        let spec = &crd["spec"];
        let accepted = &crd["status"]["acceptedNames"];
        let names = if text(&accepted["kind"]).is_empty() { &spec["names"] } else { accepted };
        versions(spec, names, |version| &version["schema"]["openAPIV3Schema"])
    }

    /// The served versions of an APIResourceSchema (`apis.kcp.io/v1alpha1`), in its order.
    ///
    /// The same leniency holds as for [`ApiResource::from_crd`].
    #[must_use]
    pub fn from_api_resource_schema(schema: &Value) -> Vec<Self> {
        let spec = &schema["spec"];
        versions(spec, &spec["names"], |version| &version["schema"])
    }
}

fn versions<'a>(spec: &'a Value, names: &Value, schema_of: impl Fn(&'a Value) -> &'a Value) -> Vec<ApiResource> {
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let storage = versions.iter().find(|version| version["storage"] == true);
    let storage_version = storage.map_or("", |version| text(&version["name"]));
    versions
        .iter()
        .filter(|version| version["served"].as_bool().unwrap_or(true))
        .map(|version| ApiResource {
            storage_version: storage_version.into(),
            ..one(spec, names, version, schema_of(version))
        })
        .collect()
}

fn one(spec: &Value, names: &Value, version: &Value, schema: &Value) -> ApiResource {
    let group = text(&spec["group"]);
    let name = text(&version["name"]);
    let kind = text(&names["kind"]);
    let scale: Option<ScalePaths> =
        version["subresources"]["scale"].as_object().and_then(|scale| decoded(&Value::Object(scale.clone())));
    ApiResource {
        group: group.into(),
        version: name.into(),
        storage_version: String::new(),
        kind: kind.into(),
        list_kind: or_else(&names["listKind"], || format!("{kind}List")),
        plural: text(&names["plural"]).into(),
        singular: or_else(&names["singular"], || kind.to_lowercase()),
        short_names: decoded(&names["shortNames"]).unwrap_or_default(),
        categories: decoded(&names["categories"]).unwrap_or_default(),
        namespaced: spec["scope"] == "Namespaced",
        verbs: STORED_VERBS,
        subresources: subresources(version, scale.is_some()),
        schema: whole_object(schema),
        columns: columns(&version["additionalPrinterColumns"]),
        selectable_fields: selectable_fields(&version["selectableFields"]),
        deprecation_warning: (version["deprecated"] == true)
            .then(|| or_else(&version["deprecationWarning"], || format!("{group}/{name} {kind} is deprecated"))),
        scale,
    }
}

fn subresources(version: &Value, scale: bool) -> Vec<Subresource> {
    let status = version["subresources"]["status"].is_object().then(|| Subresource::new("status"));
    let scale = scale.then(|| Subresource {
        group_version_kind: Some(("autoscaling".into(), "v1".into(), "Scale".into())),
        ..Subresource::new("scale")
    });
    status.into_iter().chain(scale).collect()
}

fn columns(declared: &Value) -> Vec<PrinterColumn> {
    let columns: Vec<PrinterColumn> = decoded(declared).unwrap_or_default();
    if columns.is_empty() { vec![PrinterColumn::age()] } else { columns }
}

fn selectable_fields(declared: &Value) -> Vec<String> {
    let fields = declared.as_array().map(Vec::as_slice).unwrap_or_default();
    fields.iter().map(|field| text(&field["jsonPath"]).to_owned()).filter(|path| !path.is_empty()).collect()
}

/// Completes a declared schema with what every object has: `apiVersion`, `kind` and `metadata`.
///
/// Authors write `metadata: {type: object}` at most, or restrict the name; the rest of the metadata
/// has a fixed schema, and pruning and server-side apply need it.
fn whole_object(declared: &Value) -> Value {
    let mut schema = match declared.as_object() {
        Some(schema) if !schema.is_empty() => schema.clone(),
        _ => Map::from_iter([
            ("type".into(), "object".into()),
            ("x-kubernetes-preserve-unknown-fields".into(), true.into()),
        ]),
    };
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    let Value::Object(properties) = properties else {
        return Value::Object(schema);
    };
    let declared_metadata = properties.remove("metadata").unwrap_or_default();
    let mut metadata = builtin::object_meta_schema().clone();
    for field in ["name", "generateName"] {
        if let Value::Object(rules) = &declared_metadata["properties"][field] {
            merge(&mut metadata["properties"][field], rules);
        }
    }
    if declared_metadata["required"].is_array() {
        metadata["required"] = declared_metadata["required"].clone();
    }
    properties.insert("metadata".into(), metadata);
    for field in ["apiVersion", "kind"] {
        properties.entry(field).or_insert_with(|| builtin::type_meta_schema(field));
    }
    Value::Object(schema)
}

fn merge(target: &mut Value, rules: &Map<String, Value>) {
    if let Value::Object(target) = target {
        target.extend(rules.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn or_else(value: &Value, default: impl FnOnce() -> String) -> String {
    match text(value) {
        "" => default(),
        text => text.into(),
    }
}

fn decoded<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}
