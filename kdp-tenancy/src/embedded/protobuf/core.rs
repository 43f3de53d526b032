//! `k8s.io.api.core.v1`

use super::meta::{METADATA, QUANTITIES, TEXTS};
use super::table::Type::{Bool, Bytes, Int32, List, Map, Message, MicroTime, Text, Time};
use super::table::{Table, always, nullable, pointer, value};

pub(super) static CONFIG_MAP: Table = Table(&[
    always(1, "metadata", METADATA),
    value(2, "data", Map(&Text)),
    value(3, "binaryData", Map(&Bytes)),
    pointer(4, "immutable", Bool),
]);

pub(super) static EVENT: Table = Table(&[
    always(1, "metadata", METADATA),
    always(2, "involvedObject", Message(&OBJECT_REFERENCE)),
    value(3, "reason", Text),
    value(4, "message", Text),
    always(5, "source", Message(&EVENT_SOURCE)),
    always(6, "firstTimestamp", Time),
    always(7, "lastTimestamp", Time),
    value(8, "count", Int32),
    value(9, "type", Text),
    always(10, "eventTime", MicroTime),
    pointer(11, "series", Message(&EVENT_SERIES)),
    value(12, "action", Text),
    pointer(13, "related", Message(&OBJECT_REFERENCE)),
    always(14, "reportingComponent", Text),
    always(15, "reportingInstance", Text),
]);

static EVENT_SOURCE: Table = Table(&[value(1, "component", Text), value(2, "host", Text)]);

static EVENT_SERIES: Table = Table(&[value(1, "count", Int32), always(2, "lastObservedTime", MicroTime)]);

static OBJECT_REFERENCE: Table = Table(&[
    value(1, "kind", Text),
    value(2, "namespace", Text),
    value(3, "name", Text),
    value(4, "uid", Text),
    value(5, "apiVersion", Text),
    value(6, "resourceVersion", Text),
    value(7, "fieldPath", Text),
]);

pub(super) static LIMIT_RANGE: Table =
    Table(&[always(1, "metadata", METADATA), always(2, "spec", Message(&LIMIT_RANGE_SPEC))]);

static LIMIT_RANGE_SPEC: Table = Table(&[nullable(1, "limits", List(&Message(&LIMIT_RANGE_ITEM)))]);

static LIMIT_RANGE_ITEM: Table = Table(&[
    always(1, "type", Text),
    value(2, "max", QUANTITIES),
    value(3, "min", QUANTITIES),
    value(4, "default", QUANTITIES),
    value(5, "defaultRequest", QUANTITIES),
    value(6, "maxLimitRequestRatio", QUANTITIES),
]);

pub(super) static NAMESPACE: Table = Table(&[
    always(1, "metadata", METADATA),
    always(2, "spec", Message(&NAMESPACE_SPEC)),
    always(3, "status", Message(&NAMESPACE_STATUS)),
]);

static NAMESPACE_SPEC: Table = Table(&[value(1, "finalizers", TEXTS)]);

static NAMESPACE_STATUS: Table =
    Table(&[value(1, "phase", Text), value(2, "conditions", List(&Message(&NAMESPACE_CONDITION)))]);

static NAMESPACE_CONDITION: Table = Table(&[
    always(1, "type", Text),
    always(2, "status", Text),
    always(4, "lastTransitionTime", Time),
    value(5, "reason", Text),
    value(6, "message", Text),
]);

pub(super) static RESOURCE_QUOTA: Table = Table(&[
    always(1, "metadata", METADATA),
    always(2, "spec", Message(&RESOURCE_QUOTA_SPEC)),
    always(3, "status", Message(&RESOURCE_QUOTA_STATUS)),
]);

static RESOURCE_QUOTA_SPEC: Table = Table(&[
    value(1, "hard", QUANTITIES),
    value(2, "scopes", TEXTS),
    pointer(3, "scopeSelector", Message(&SCOPE_SELECTOR)),
]);

static SCOPE_SELECTOR: Table = Table(&[value(1, "matchExpressions", List(&Message(&SCOPE_REQUIREMENT)))]);

/// `ScopedResourceSelectorRequirement`
static SCOPE_REQUIREMENT: Table =
    Table(&[always(1, "scopeName", Text), always(2, "operator", Text), value(3, "values", TEXTS)]);

static RESOURCE_QUOTA_STATUS: Table = Table(&[value(1, "hard", QUANTITIES), value(2, "used", QUANTITIES)]);

pub(super) static SECRET: Table = Table(&[
    always(1, "metadata", METADATA),
    value(2, "data", Map(&Bytes)),
    value(3, "type", Text),
    value(4, "stringData", Map(&Text)),
    pointer(5, "immutable", Bool),
]);

pub(super) static SERVICE_ACCOUNT: Table = Table(&[
    always(1, "metadata", METADATA),
    value(2, "secrets", List(&Message(&OBJECT_REFERENCE))),
    value(3, "imagePullSecrets", List(&Message(&LOCAL_OBJECT_REFERENCE))),
    pointer(4, "automountServiceAccountToken", Bool),
]);

static LOCAL_OBJECT_REFERENCE: Table = Table(&[value(1, "name", Text)]);
