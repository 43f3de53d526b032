use super::*;

fn definition(api: &str) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{api}"),
        "metadata": {"name": "buckets.example.org"},
        "spec": {
            "group": "example.org",
            "names": {"kind": "XBucket", "plural": "xbuckets"},
            "claimNames": {"kind": "Bucket", "plural": "buckets"},
            "connectionSecretKeys": ["username", "password"],
            "versions": [
                {"name": "v1alpha1", "served": true, "referenceable": false, "schema": {}},
                {
                    "name": "v1", "served": true, "referenceable": true,
                    "deprecated": true, "deprecationWarning": "use v2",
                    "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                        "type": "object", "required": ["size", "compositionRef"],
                        "properties": {
                            "size": {"type": "integer"},
                            "users": {"type": "array", "items": {"type": "object", "properties": {
                                "password": {"type": "string", "format": "password"},
                            }}},
                            "compositionRef": {"type": "object"}, "crossplane": {"type": "object"},
                            "resourceRefs": {"type": "array"}, "writeConnectionSecretToRef": {"type": "object"},
                        },
                    }}}},
                },
            ],
        },
        "status": {"conditions": [{"type": "Established", "status": "True", "reason": "WatchingCompositeResource"}]},
    })
}

#[test]
fn a_definition_is_offered_by_its_parameters() {
    let offering = Offering::of_definition(&definition("v1")).unwrap();
    assert_eq!((offering.group.as_str(), offering.version.as_str()), ("example.org", "v1"));
    assert_eq!((offering.kind.as_str(), offering.plural.as_str()), ("XBucket", "xbuckets"));
    assert_eq!(offering.scope, Scope::LegacyCluster);
    assert_eq!(offering.deprecated.as_deref(), Some("use v2"));
    assert_eq!(offering.connection_keys, ["username", "password"]);
    assert_eq!(offering.printer_columns[0].json_path, ".spec.size");
    let properties: Vec<_> = offering.schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(properties, ["size", "users"]);
    assert_eq!(offering.schema["required"], json!(["size"]));

    let claim = offering.claim_target().unwrap();
    assert_eq!((claim.shape(), claim.resource().plural.as_str()), (Shape::Claim, "buckets"));
    assert!(claim.sensitive.contains(["users", "*", "password"].map(String::from).as_slice()), "{claim:?}");
    assert_eq!(offering.target().shape(), Shape::LegacyCluster);
}

#[test]
fn each_api_has_a_scope_of_its_own_when_none_is_told() {
    let check = |api: &str, scope: Value, expected: Option<Scope>| {
        let mut definition = definition(api);
        definition["spec"]["scope"] = scope;
        let offering = Offering::of_definition(&definition);
        assert_eq!(offering.as_ref().map(|offering| offering.scope), expected);
        let has_claim = offering.is_some_and(|offering| offering.claim.is_some());
        assert_eq!(has_claim, expected == Some(Scope::LegacyCluster), "only legacy ones have claims");
    };
    check("v2", Value::Null, Some(Scope::Namespaced));
    check("v1", Value::Null, Some(Scope::LegacyCluster));
    check("v2", json!("Cluster"), Some(Scope::Cluster));
    check("v2", json!("LegacyCluster"), Some(Scope::LegacyCluster));
    check("v2", json!("Galaxy"), None);
}

#[test]
fn only_what_is_established_and_stays_is_offered() {
    let check = |path: &str, value: Value| {
        let mut definition = definition("v2");
        *definition.pointer_mut(path).unwrap() = value;
        assert_eq!(Offering::of_definition(&definition), None, "{path}");
    };
    check("/status/conditions/0/status", json!("False"));
    check("/status/conditions", json!([]));
    check("/spec/versions/1/referenceable", json!(false));
    check("/spec/versions/1/served", json!(false));
    check("/spec/names", json!({}));
    check("/metadata", json!({"deletionTimestamp": "2026-11-25T09:00:00Z"}));
    assert_eq!(Offering::of_definition(&Value::Null), None);
}
