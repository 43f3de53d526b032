use serde_json::json;

use super::*;

fn lines(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn definition() -> Value {
    let mut crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "databases.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "databases", "kind": "Database", "shortNames": ["db"], "categories": ["all"]},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {"type": "object", "properties": {
                            "engine": {"type": "string"}, "replicas": {"type": "integer"},
                        }},
                        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                    },
                }},
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "additionalPrinterColumns": [{"name": "Engine", "type": "string", "jsonPath": ".spec.engine"}],
                "selectableFields": [{"jsonPath": ".spec.engine"}],
            }],
        },
    });
    default(&mut crd);
    crd
}

/// Checks what is said of the definition with `value` in the place `pointer`.
fn check(pointer: &str, value: Value, expected: &[&str]) {
    let mut crd = definition();
    set(&mut crd, pointer, value);
    assert_eq!(lines(&validate(&crd, None)), expected, "{pointer}");
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[name] = value;
}

#[test]
fn defaults_are_those_of_kubernetes_and_settle_at_once() {
    let crd = definition();
    assert_eq!(crd["spec"]["names"]["singular"], "database");
    assert_eq!(crd["spec"]["names"]["listKind"], "DatabaseList");
    assert_eq!(crd["spec"]["conversion"], json!({"strategy": "None"}));
    assert_eq!(crd["status"]["storedVersions"], json!(["v1"]));
    let mut again = crd.clone();
    default(&mut again);
    assert_eq!(again, crd);
    for odd in [json!(null), json!({}), json!({"spec": []}), json!({"spec": {"versions": [1], "names": {}}})] {
        let mut odd = odd;
        default(&mut odd);
    }
}

#[test]
fn a_definition_as_service_owners_write_it_is_valid() {
    assert_eq!(lines(&validate(&definition(), None)), Vec::<String>::new());
}

#[test]
fn name_group_and_scope_are_checked() {
    let wrong_name = r#"must be spec.names.plural+"."+spec.group"#;
    check(
        "/metadata/name",
        json!("db.example.com"),
        &[&format!(r#"metadata.name: Invalid value: "db.example.com": {wrong_name}"#)],
    );
    check(
        "/spec/group",
        json!("example"),
        &[
            &format!(r#"metadata.name: Invalid value: "databases.example.com": {wrong_name}"#),
            r#"spec.group: Invalid value: "example": should be a domain with at least one dot"#,
        ],
    );
    check(
        "/spec/scope",
        json!("Galaxy"),
        &[r#"spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced""#],
    );
    check("/spec/names/kind", json!(""), &["spec.names.kind: Required value"]);
    check(
        "/spec/names/listKind",
        json!("Database"),
        &[r#"spec.names.listKind: Invalid value: "Database": kind and listKind may not be the same"#],
    );
}

#[test]
fn names_are_lower_case_labels() {
    let mut crd = definition();
    set(&mut crd, "/spec/names/shortNames", json!(["DB"]));
    set(&mut crd, "/spec/names/kind", json!("Data_base"));
    let errors = lines(&validate(&crd, None));
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(
        errors[0].starts_with(
            "spec.names.kind: Invalid value: \"Data_base\": may have mixed case, but should otherwise match: a DNS-1035"
        ),
        "{errors:#?}"
    );
    assert!(errors[1].starts_with("spec.names.shortNames[0]: Invalid value: \"DB\": a DNS-1035 label"), "{errors:#?}");
}

#[test]
fn exactly_one_version_is_stored_and_names_are_unique() {
    let version = definition()["spec"]["versions"][0].clone();
    check(
        "/spec/versions",
        json!([version, version]),
        &[
            "spec.versions: Invalid value: must contain unique version names",
            "spec.versions: Invalid value: must have exactly one version marked as storage version",
        ],
    );
    check(
        "/spec/versions",
        json!([]),
        &[
            "spec.versions: Invalid value: must have exactly one version marked as storage version",
            "status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; v1 was previously a storage \
             version, and must remain in spec.versions until a storage migration ensures no data remains persisted in \
             v1 and removes v1 from status.storedVersions",
        ],
    );
    check(
        "/status/storedVersions",
        json!(["v1", "v0"]),
        &["status.storedVersions[1]: Invalid value: \"v0\": missing from spec.versions; v0 was previously a storage \
           version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v0 \
           and removes v0 from status.storedVersions"],
    );
}

#[test]
fn every_version_has_a_structural_schema() {
    check("/spec/versions/0/schema", json!(null), &["spec.versions[0].schema.openAPIV3Schema: Required value"]);
    check(
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/x",
        json!({"description": "no type"}),
        &["spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[x].type: Required value: must not be \
           empty for specified object fields"],
    );
    check(
        "/spec/versions/0/schema/openAPIV3Schema/oneOf",
        json!([{"required": ["spec"]}]),
        &["spec.versions[0].schema.openAPIV3Schema.oneOf: Forbidden: is not allowed at the root of the schema if the \
           status subresource is enabled"],
    );
}

#[test]
fn subresources_columns_and_selectable_fields_are_checked() {
    check(
        "/spec/versions/0/subresources/scale/specReplicasPath",
        json!(".status.replicas"),
        &[
            "spec.versions[0].subresources.scale.specReplicasPath: Invalid value: \".status.replicas\": should be a json \
           path under .spec",
        ],
    );
    check(
        "/spec/versions/0/additionalPrinterColumns/0/type",
        json!("color"),
        &["spec.versions[0].additionalPrinterColumns[0].type: Invalid value: \"color\": must be one of \
           boolean,date,integer,number,string"],
    );
    check(
        "/spec/versions/0/additionalPrinterColumns/0/jsonPath",
        json!("spec.engine"),
        &[
            "spec.versions[0].additionalPrinterColumns[0].JSONPath: Invalid value: \"spec.engine\": must be a simple json \
           path starting with .",
        ],
    );
    check(
        "/spec/versions/0/selectableFields",
        json!([{"jsonPath": ".spec.engine"}, {"jsonPath": ".spec.engine"}, {"jsonPath": ".spec.none"}, {"jsonPath": ".spec"}]),
        &[
            "spec.versions[0].selectableFields[1].jsonPath: Duplicate value: \".spec.engine\"",
            "spec.versions[0].selectableFields[2].jsonPath: Invalid value: \".spec.none\": is an invalid path: does not \
             refer to a valid field",
            "spec.versions[0].selectableFields[3].jsonPath: Invalid value: \".spec\": must point to a field of type \
             string, boolean or integer. Enum string fields and strings with formats are allowed.",
        ],
    );
    check(
        "/spec/versions/0/deprecationWarning",
        json!("old"),
        &["spec.versions[0].deprecationWarning: Invalid value: \"old\": can only be set for deprecated versions"],
    );
}

#[test]
fn conversion_by_webhook_says_where_and_in_which_versions() {
    let webhook = |client: Value, versions: Value| json!({"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": versions}});
    check("/spec/conversion", webhook(json!({"url": "https://example.com/convert"}), json!(["v1"])), &[]);
    check(
        "/spec/conversion",
        json!({"strategy": "Webhook"}),
        &["spec.conversion.webhook: Required value: required when strategy is set to Webhook"],
    );
    check(
        "/spec/conversion",
        webhook(json!({}), json!(["v9"])),
        &[
            "spec.conversion.webhook.clientConfig: Required value: exactly one of url or service is required",
            "spec.conversion.webhook.conversionReviewVersions: Invalid value: [\"v9\"]: must include at least one of v1, \
             v1beta1",
        ],
    );
    check(
        "/spec/conversion",
        webhook(json!({"url": "http://example.com"}), json!(["v1"])),
        &[
            "spec.conversion.webhook.clientConfig.url: Invalid value: \"http://example.com\": 'https' is the only allowed \
           URL scheme; desired format: https://host[/path]",
        ],
    );
}

#[test]
fn scope_and_kind_are_fixed_once_established() {
    let mut old = definition();
    let mut new = old.clone();
    set(&mut new, "/spec/scope", json!("Cluster"));
    assert_eq!(lines(&validate(&new, Some(&old))), Vec::<String>::new());
    set(&mut old, "/status/conditions", json!([{"type": "Established", "status": "True"}]));
    assert_eq!(lines(&validate(&new, Some(&old))), ["spec.scope: Invalid value: \"Cluster\": field is immutable"]);
}

#[test]
fn groups_of_kubernetes_need_an_approval() {
    let mut crd = definition();
    set(&mut crd, "/spec/group", json!("apps.k8s.io"));
    set(&mut crd, "/metadata/name", json!("databases.apps.k8s.io"));
    let errors = lines(&validate(&crd, None));
    assert!(
        errors.len() == 1 && errors[0].starts_with("metadata.annotations[api-approved.kubernetes.io]: Required value"),
        "{errors:#?}"
    );
    set(&mut crd, "/metadata/annotations", json!({"api-approved.kubernetes.io": "unapproved, a test"}));
    assert_eq!(lines(&validate(&crd, None)), Vec::<String>::new());
}

fn api_resource_schema() -> Value {
    let crd = definition();
    let mut version = crd["spec"]["versions"][0].clone();
    version["schema"] = version["schema"]["openAPIV3Schema"].clone();
    let mut spec = crd["spec"].clone();
    spec["versions"] = json!([version]);
    spec.as_object_mut().unwrap().remove("conversion");
    json!({"metadata": {"name": "v1-abc.databases.example.com"}, "spec": spec})
}

/// Checks what is said of the APIResourceSchema with `value` in the place `pointer`.
fn check_schema(pointer: &str, value: Value, expected: &[&str]) {
    let mut schema = api_resource_schema();
    set(&mut schema, pointer, value);
    assert_eq!(lines(&validate_api_resource_schema(&schema, None)), expected, "{pointer}");
}

#[test]
fn an_api_resource_schema_is_named_for_what_it_defines() {
    assert_eq!(lines(&validate_api_resource_schema(&api_resource_schema(), None)), Vec::<String>::new());
    check_schema(
        "/metadata/name",
        json!("databases.example.com"),
        &["metadata.name: Invalid value: \"databases.example.com\": must end in .databases.example.com"],
    );
    check_schema(
        "/metadata/name",
        json!("1.databases.example.com"),
        &["metadata.name: Invalid value: \"1.databases.example.com\": prefix \"1\" must match \
           ^[a-z]([-a-z0-9]*[a-z0-9])?$ and have at most 63 characters"],
    );
    let mut core = api_resource_schema();
    set(&mut core, "/spec/group", json!(""));
    set(&mut core, "/metadata/name", json!("v1.databases.core"));
    assert_eq!(lines(&validate_api_resource_schema(&core, None)), Vec::<String>::new());
}

#[test]
fn an_api_resource_schema_has_one_stored_structural_version() {
    let version = api_resource_schema()["spec"]["versions"][0].clone();
    let mut second = version.clone();
    second["name"] = json!("v2beta1");
    second["storage"] = json!(false);
    check_schema(
        "/spec/versions",
        json!([version, second]),
        &["spec.conversion: Required value: must be set when there is more than one version"],
    );
    check_schema(
        "/spec/versions/0/storage",
        json!(false),
        &["spec.versions: Invalid value: must have exactly one version marked as storage version"],
    );
    check_schema(
        "/spec/versions/0/name",
        json!("beta"),
        &["spec.versions[0].name: Invalid value: \"beta\": must match ^v[1-9][0-9]*([a-z]+[1-9][0-9]*)?$"],
    );
    check_schema(
        "/spec/versions/0/schema/type",
        json!("string"),
        &["spec.versions[0].schema.type: Invalid value: \"string\": must be object at the root"],
    );
}

#[test]
fn the_spec_of_an_api_resource_schema_never_changes() {
    let old = api_resource_schema();
    let mut new = old.clone();
    set(&mut new, "/metadata/labels", json!({"a": "b"}));
    assert_eq!(lines(&validate_api_resource_schema(&new, Some(&old))), Vec::<String>::new());
    set(&mut new, "/spec/scope", json!("Cluster"));
    assert_eq!(lines(&validate_api_resource_schema(&new, Some(&old))), ["spec: Invalid value: field is immutable"]);
}
