//! `k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1`, but for schemas

use super::json_schema::JSON_SCHEMA_PROPS;
use super::meta::{METADATA, TEXTS};
use super::table::Type::{Bool, Bytes, Int32, Int64, List, Message, Text, Time};
use super::table::{Table, always, nullable, pointer, value};

pub(super) static CUSTOM_RESOURCE_DEFINITION: Table =
    Table(&[always(1, "metadata", METADATA), always(2, "spec", Message(&SPEC)), always(3, "status", Message(&STATUS))]);

static SPEC: Table = Table(&[
    always(1, "group", Text),
    always(3, "names", Message(&NAMES)),
    always(4, "scope", Text),
    nullable(7, "versions", List(&Message(&VERSION))),
    pointer(9, "conversion", Message(&CONVERSION)),
    value(10, "preserveUnknownFields", Bool),
]);

static NAMES: Table = Table(&[
    always(1, "plural", Text),
    value(2, "singular", Text),
    value(3, "shortNames", TEXTS),
    always(4, "kind", Text),
    value(5, "listKind", Text),
    value(6, "categories", TEXTS),
]);

static VERSION: Table = Table(&[
    always(1, "name", Text),
    always(2, "served", Bool),
    always(3, "storage", Bool),
    pointer(4, "schema", Message(&VALIDATION)),
    pointer(5, "subresources", Message(&SUBRESOURCES)),
    value(6, "additionalPrinterColumns", List(&Message(&COLUMN))),
    value(7, "deprecated", Bool),
    pointer(8, "deprecationWarning", Text),
    value(9, "selectableFields", List(&Message(&SELECTABLE_FIELD))),
]);

static VALIDATION: Table = Table(&[pointer(1, "openAPIV3Schema", Message(&JSON_SCHEMA_PROPS))]);

static SUBRESOURCES: Table =
    Table(&[pointer(1, "status", Message(&SUBRESOURCE_STATUS)), pointer(2, "scale", Message(&SUBRESOURCE_SCALE))]);

static SUBRESOURCE_STATUS: Table = Table(&[]);

static SUBRESOURCE_SCALE: Table = Table(&[
    always(1, "specReplicasPath", Text),
    always(2, "statusReplicasPath", Text),
    pointer(3, "labelSelectorPath", Text),
]);

static COLUMN: Table = Table(&[
    always(1, "name", Text),
    always(2, "type", Text),
    value(3, "format", Text),
    value(4, "description", Text),
    value(5, "priority", Int32),
    always(6, "jsonPath", Text),
]);

static SELECTABLE_FIELD: Table = Table(&[always(1, "jsonPath", Text)]);

static CONVERSION: Table = Table(&[always(1, "strategy", Text), pointer(2, "webhook", Message(&WEBHOOK))]);

static WEBHOOK: Table =
    Table(&[pointer(2, "clientConfig", Message(&CLIENT_CONFIG)), nullable(3, "conversionReviewVersions", TEXTS)]);

static CLIENT_CONFIG: Table =
    Table(&[pointer(1, "service", Message(&SERVICE_REFERENCE)), value(2, "caBundle", Bytes), pointer(3, "url", Text)]);

static SERVICE_REFERENCE: Table = Table(&[
    always(1, "namespace", Text),
    always(2, "name", Text),
    pointer(3, "path", Text),
    pointer(4, "port", Int32),
]);

static STATUS: Table = Table(&[
    nullable(1, "conditions", List(&Message(&CONDITION))),
    always(2, "acceptedNames", Message(&NAMES)),
    nullable(3, "storedVersions", TEXTS),
    value(4, "observedGeneration", Int64),
]);

static CONDITION: Table = Table(&[
    always(1, "type", Text),
    always(2, "status", Text),
    always(3, "lastTransitionTime", Time),
    value(4, "reason", Text),
    value(5, "message", Text),
    value(6, "observedGeneration", Int64),
]);
