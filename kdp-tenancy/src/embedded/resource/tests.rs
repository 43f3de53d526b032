use serde_json::{Value, json};

use super::{ApiResource, PrinterColumn, SUBRESOURCE_VERBS, ScalePaths};

fn definition() -> Value {
    json!({
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "databases", "kind": "Database", "shortNames": ["db"], "categories": ["all"]},
            "versions": [
                {
                    "name": "v1",
                    "served": true,
                    "storage": true,
                    "schema": {"openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 20}}},
                            "spec": {"type": "object"},
                        },
                    }},
                    "subresources": {
                        "status": {},
                        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                    },
                    "additionalPrinterColumns": [{"name": "Engine", "type": "string", "jsonPath": ".spec.engine"}],
                    "selectableFields": [{"jsonPath": ".spec.engine"}],
                },
                {"name": "v1beta1", "served": true, "storage": false, "deprecated": true},
                {"name": "v1alpha1", "served": false, "storage": false},
            ],
        },
    })
}

#[test]
fn a_definition_gives_one_resource_for_each_served_version() {
    let resources = ApiResource::from_crd(&definition());
    let versions: Vec<_> = resources.iter().map(|r| (r.version.as_str(), r.storage_version.as_str())).collect();
    assert_eq!(versions, [("v1", "v1"), ("v1beta1", "v1")]);
    let [v1, v1beta1] = &resources[..] else { panic!("two versions are served") };
    assert_eq!(v1.api_version(), "example.com/v1");
    assert_eq!(v1.root_path(), "apis/example.com/v1");
    assert_eq!((v1.singular.as_str(), v1.list_kind.as_str()), ("database", "DatabaseList"));
    assert_eq!((&v1.short_names[..], &v1.categories[..]), (&["db".to_owned()][..], &["all".to_owned()][..]));
    assert!(v1.namespaced && v1.serves("deletecollection"));
    assert_eq!(v1.columns[0].json_path, ".spec.engine");
    assert_eq!(v1.selectable_fields, [".spec.engine"]);
    assert_eq!(v1.deprecation_warning, None);
    assert_eq!(v1beta1.columns, [PrinterColumn::age()]);
    assert_eq!(v1beta1.deprecation_warning.as_deref(), Some("example.com/v1beta1 Database is deprecated"));
}

#[test]
fn subresources_carry_the_kind_of_their_body() {
    let v1 = ApiResource::from_crd(&definition()).remove(0);
    let status = v1.subresource("status").unwrap();
    assert_eq!((&status.group_version_kind, status.verbs), (&None, SUBRESOURCE_VERBS));
    let scale = v1.subresource("scale").unwrap();
    assert_eq!(scale.group_version_kind, Some(("autoscaling".into(), "v1".into(), "Scale".into())));
    let paths = ScalePaths {
        spec_replicas_path: ".spec.replicas".into(),
        status_replicas_path: ".status.replicas".into(),
        label_selector_path: String::new(),
    };
    assert_eq!(v1.scale, Some(paths));
    assert_eq!(v1.subresource("log"), None);
}

#[test]
fn a_schema_is_completed_with_what_every_object_has() {
    let resources = ApiResource::from_crd(&definition());
    let schema = &resources[0].schema;
    assert_eq!(schema["required"], json!(["spec"]));
    assert_eq!(schema["properties"]["spec"], json!({"type": "object"}));
    assert_eq!(schema["properties"]["apiVersion"]["type"], "string");
    let metadata = &schema["properties"]["metadata"]["properties"];
    assert_eq!(metadata["name"], json!({"type": "string", "maxLength": 20}));
    assert_eq!(metadata["ownerReferences"]["x-kubernetes-list-map-keys"], json!(["uid"]));
    let undeclared = &resources[1].schema;
    assert_eq!(undeclared["x-kubernetes-preserve-unknown-fields"], true);
    assert!(undeclared["properties"]["metadata"]["properties"]["labels"].is_object());
}

#[test]
fn accepted_names_win_over_declared_ones() {
    let mut definition = definition();
    definition["status"]["acceptedNames"] = json!({"plural": "databases", "kind": "Database", "singular": "db"});
    let v1 = ApiResource::from_crd(&definition).remove(0);
    assert_eq!(v1.singular, "db");
    assert!(v1.short_names.is_empty());
}

#[test]
fn an_api_resource_schema_gives_the_same_resources() {
    let definition = definition();
    let mut schema = json!({"spec": definition["spec"]});
    for version in schema["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"] = version["schema"]["openAPIV3Schema"].take();
    }
    assert_eq!(ApiResource::from_api_resource_schema(&schema), ApiResource::from_crd(&definition));
}

#[test]
fn nonsense_gives_no_resource_and_no_panic() {
    for definition in [json!(null), json!({}), json!({"spec": {"versions": "x"}}), json!({"spec": 1})] {
        assert_eq!(ApiResource::from_crd(&definition), []);
        assert_eq!(ApiResource::from_api_resource_schema(&definition), []);
    }
    let strange =
        json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": {"properties": 1}}, "subresources": 3}]}});
    assert_eq!(ApiResource::from_crd(&strange).len(), 1);
}
