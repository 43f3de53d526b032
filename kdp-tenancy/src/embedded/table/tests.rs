use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{IncludeObject, duration, partial_list, table};
use crate::embedded::builtin;
use crate::embedded::resource::ApiResource;

fn now() -> Timestamp {
    "2026-01-10T12:00:00Z".parse().unwrap()
}

fn builtin(plural: &str) -> Arc<ApiResource> {
    Arc::clone(builtin::resources().iter().find(|resource| resource.plural == plural).unwrap())
}

fn custom(columns: &Value) -> ApiResource {
    let crd = json!({"spec": {
        "group": "example.com",
        "names": {"plural": "databases", "kind": "Database"},
        "versions": [{"name": "v1", "served": true, "storage": true, "additionalPrinterColumns": columns}],
    }});
    ApiResource::from_crd(&crd).remove(0)
}

/// Header and cells of one row, as wide output shows them.
fn row(resource: &ApiResource, object: Value) -> (String, String) {
    let table = table(resource, &[object], IncludeObject::None, &json!({}), now());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
    let definitions = table["columnDefinitions"].as_array().unwrap();
    let names: Vec<String> = definitions.iter().map(|column| text(&column["name"])).collect();
    let cells: Vec<String> = table["rows"][0]["cells"].as_array().unwrap().iter().map(text).collect();
    (names.join(" | "), cells.join(" | "))
}

fn check(resource: &ApiResource, object: Value, header: &str, cells: &str) {
    assert_eq!(row(resource, object), (header.into(), cells.into()));
}

#[test]
fn durations_read_as_kubectl_writes_them() {
    let (minute, hour, day) = (60, 3600, 86_400);
    for (seconds, expected) in [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (5 * minute + 30, "5m30s"),
        (10 * minute + 59, "10m"),
        (179 * minute, "179m"),
        (3 * hour, "3h"),
        (3 * hour + 20 * minute + 5, "3h20m"),
        (8 * hour + 59 * minute, "8h"),
        (47 * hour, "47h"),
        (2 * day, "2d"),
        (3 * day + 4 * hour, "3d4h"),
        (8 * day + hour, "8d"),
        (729 * day, "729d"),
        (730 * day, "2y"),
        (830 * day, "2y100d"),
        (8 * 365 * day, "8y"),
        (9 * 365 * day + 9 * day, "9y"),
    ] {
        assert_eq!(duration::human(seconds), expected, "{seconds}");
    }
}

#[test]
fn builtin_kinds_show_the_columns_of_kubectl() {
    let metadata = json!({"name": "x", "creationTimestamp": "2026-01-10T11:55:00Z"});
    check(
        &builtin("namespaces"),
        json!({"metadata": metadata, "status": {"phase": "Active"}}),
        "Name | Status | Age",
        "x | Active | 5m",
    );
    check(
        &builtin("secrets"),
        json!({"metadata": metadata, "type": "Opaque", "data": {"a": "", "b": ""}}),
        "Name | Type | Data | Age",
        "x | Opaque | 2 | 5m",
    );
    check(
        &builtin("configmaps"),
        json!({"metadata": metadata, "data": {"a": ""}, "binaryData": {"b": ""}}),
        "Name | Data | Age",
        "x | 2 | 5m",
    );
    check(&builtin("serviceaccounts"), json!({"metadata": metadata}), "Name | Secrets | Age", "x | 0 | 5m");
    check(
        &builtin("leases"),
        json!({"metadata": metadata, "spec": {"holderIdentity": "me"}}),
        "Name | Holder | Age",
        "x | me | 5m",
    );
    check(&builtin("clusterroles"), json!({"metadata": metadata}), "Name | Created At", "x | 2026-01-10T11:55:00Z");
    check(
        &builtin("resourcequotas"),
        json!({"metadata": metadata, "status": {
            "hard": {"limits.cpu": "2", "pods": "4", "requests.cpu": 1},
            "used": {"limits.cpu": "1", "pods": "3"},
        }}),
        "Name | Request | Limit | Age",
        "x | pods: 3/4, requests.cpu: 0/1 | limits.cpu: 1/2 | 5m",
    );
    check(
        &builtin("rolebindings"),
        json!({"metadata": metadata, "roleRef": {"kind": "Role", "name": "r"}, "subjects": [
            {"kind": "User", "name": "a"},
            {"kind": "User", "name": "b"},
            {"kind": "Group", "name": "g"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
        ]}),
        "Name | Role | Age | Users | Groups | ServiceAccounts",
        "x | Role/r | 5m | a, b | g | n/s",
    );
}

#[test]
fn events_of_both_apis_show_when_they_were_seen() {
    let header = "Last Seen | Type | Reason | Object | Subobject | Source | Message | First Seen | Count | Name";
    check(
        &builtin("events"),
        json!({
            "metadata": {"name": "x"},
            "type": "Normal",
            "reason": "Made",
            "message": " made \n",
            "involvedObject": {"kind": "Database", "name": "d", "fieldPath": "spec"},
            "source": {"component": "c", "host": "h"},
            "firstTimestamp": "2026-01-10T11:00:00Z",
            "lastTimestamp": "2026-01-10T11:59:30Z",
            "count": 3,
        }),
        header,
        "30s | Normal | Made | database/d | spec | c, h | made | 60m | 3 | x",
    );
    let mut event = json!({
        "metadata": {"name": "x"},
        "type": "Normal",
        "reason": "Made",
        "message": "made",
        "involvedObject": {"kind": "Database"},
        "reportingComponent": "c",
        "firstTimestamp": null,
        "eventTime": "2026-01-10T11:00:00.000000Z",
    });
    let cells = "60m | Normal | Made | database | null | c | made | 60m | 1 | x";
    check(&builtin("events"), event.clone(), header, cells);
    event["series"] = json!({"count": 7, "lastObservedTime": "2026-01-10T11:59:59.500000Z"});
    let cells = "0s | Normal | Made | database | null | c | made | 60m | 7 | x";
    check(&builtin("events"), event, header, cells);
}

#[test]
fn a_custom_kind_shows_age_when_it_declares_no_columns() {
    let object = json!({"metadata": {"name": "x", "creationTimestamp": "2026-01-07T08:00:00Z"}});
    check(&custom(&json!([])), object, "Name | Age", "x | 3d4h");
}

#[test]
fn a_cell_fits_the_type_of_its_column_or_is_empty() {
    let check = |type_: &str, value: Value, expected: Value| {
        let resource = custom(&json!([{"name": "C", "type": type_, "jsonPath": ".value"}]));
        let object = json!({"metadata": {"name": "x"}, "value": value});
        let table = table(&resource, &[object], IncludeObject::None, &json!({}), now());
        assert_eq!(table["rows"][0]["cells"][1], expected, "{type_} {value}");
    };
    check("string", json!("a"), json!("a"));
    check("string", json!(1), json!("1"));
    check("string", json!(true), json!("true"));
    check("string", json!({"a": [1]}), json!("{\"a\":[1]}"));
    check("string", json!(null), json!(null));
    check("integer", json!(3), json!(3));
    check("integer", json!(3.7), json!(3));
    check("integer", json!("3"), json!(null));
    check("number", json!(0.5), json!(0.5));
    check("boolean", json!(false), json!(false));
    check("boolean", json!("false"), json!(null));
    check("date", json!("2026-01-10T11:59:00Z"), json!("60s"));
    check("date", json!("2026-01-10T13:59:00+02:00"), json!("60s"));
    check("date", json!("2026-01-11T11:59:00Z"), json!("<invalid>"));
    check("date", json!("yesterday"), json!("<invalid>"));
    check("date", json!(""), json!("<unknown>"));
    check("date", json!(5), json!(null));
}

#[test]
fn a_missing_value_and_an_unreadable_path_leave_the_cell_empty() {
    let columns = json!([
        {"name": "A", "type": "string", "jsonPath": ".spec.missing"},
        {"name": "B", "type": "string", "jsonPath": "..spec"},
        {"name": "C", "type": "string"},
    ]);
    check(&custom(&columns), json!({"metadata": {"name": "x"}}), "Name | A | B | C", "x | null | null | null");
}

#[test]
fn a_row_carries_as_much_of_the_object_as_was_asked_for() {
    let object = json!({"metadata": {"name": "x"}, "spec": {}});
    let carried = |include| {
        table(&custom(&json!([])), std::slice::from_ref(&object), include, &json!({}), now())["rows"][0]["object"]
            .clone()
    };
    let metadata = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}});
    assert_eq!(carried(IncludeObject::None), Value::Null);
    assert_eq!(carried(IncludeObject::default()), metadata);
    assert_eq!(carried(IncludeObject::Object), object);
}

#[test]
fn the_metadata_of_the_list_goes_along() {
    let list = json!({"resourceVersion": "7", "continue": "c", "remainingItemCount": 2, "selfLink": "x"});
    let expected = json!({"resourceVersion": "7", "continue": "c", "remainingItemCount": 2});
    assert_eq!(table(&custom(&json!([])), &[], IncludeObject::None, &list, now())["metadata"], expected);
    assert_eq!(
        partial_list(&[json!({"metadata": {"name": "x"}, "spec": {}})], &list),
        json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": expected,
            "items": [{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}}],
        })
    );
}

#[test]
fn a_column_is_described_in_full() {
    let columns = json!([{"name": "A", "type": "string", "format": "", "priority": 1, "jsonPath": ".a"}]);
    let table = table(&custom(&columns), &[], IncludeObject::None, &json!({}), now());
    assert_eq!(
        table["columnDefinitions"][1],
        json!({
            "name": "A",
            "type": "string",
            "format": "",
            "priority": 1,
            "description": "Custom resource definition column (in JSONPath format): .a",
        })
    );
    assert_eq!(table["columnDefinitions"][0]["format"], "name");
}
