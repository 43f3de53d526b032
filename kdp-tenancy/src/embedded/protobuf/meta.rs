//! `k8s.io.apimachinery.pkg.apis.meta.v1` and `k8s.io.apimachinery.pkg.api.resource`

use super::table::Type::{Bool, Int64, Json, List, Map, Message, Text, Time, Transparent};
use super::table::{Table, Type, always, pointer, value};

/// A repeated string.
pub(super) const TEXTS: Type = List(&Text);

/// The metadata of every object.
pub(super) const METADATA: Type = Message(&OBJECT_META);

/// A map of resource names to quantities.
pub(super) const QUANTITIES: Type = Map(&Transparent(&QUANTITY));

/// A map of strings to lists of strings.
pub(super) const TEXTS_BY_KEY: Type = Map(&Transparent(&ITEMS));

pub(super) static DELETE_OPTIONS: Table = Table(&[
    pointer(1, "gracePeriodSeconds", Int64),
    pointer(2, "preconditions", Message(&PRECONDITIONS)),
    pointer(3, "orphanDependents", Bool),
    pointer(4, "propagationPolicy", Text),
    value(5, "dryRun", TEXTS),
    pointer(6, "ignoreStoreReadErrorWithClusterBreakingPotential", Bool),
]);

static PRECONDITIONS: Table = Table(&[pointer(1, "uid", Text), pointer(2, "resourceVersion", Text)]);

static OBJECT_META: Table = Table(&[
    value(1, "name", Text),
    value(2, "generateName", Text),
    value(3, "namespace", Text),
    value(4, "selfLink", Text),
    value(5, "uid", Text),
    value(6, "resourceVersion", Text),
    value(7, "generation", Int64),
    value(8, "creationTimestamp", Time),
    pointer(9, "deletionTimestamp", Time),
    pointer(10, "deletionGracePeriodSeconds", Int64),
    value(11, "labels", Map(&Text)),
    value(12, "annotations", Map(&Text)),
    value(13, "ownerReferences", List(&Message(&OWNER_REFERENCE))),
    value(14, "finalizers", TEXTS),
    value(17, "managedFields", List(&Message(&MANAGED_FIELDS_ENTRY))),
]);

static OWNER_REFERENCE: Table = Table(&[
    always(1, "kind", Text),
    always(3, "name", Text),
    always(4, "uid", Text),
    always(5, "apiVersion", Text),
    pointer(6, "controller", Bool),
    pointer(7, "blockOwnerDeletion", Bool),
]);

static MANAGED_FIELDS_ENTRY: Table = Table(&[
    value(1, "manager", Text),
    value(2, "operation", Text),
    value(3, "apiVersion", Text),
    pointer(4, "time", Time),
    value(6, "fieldsType", Text),
    pointer(7, "fieldsV1", Transparent(&RAW_JSON)),
    value(8, "subresource", Text),
]);

/// `FieldsV1`, and the `JSON` of apiextensions.
pub(super) static RAW_JSON: Table = Table(&[pointer(1, "raw", Json)]);

pub(super) static LABEL_SELECTOR: Table =
    Table(&[value(1, "matchLabels", Map(&Text)), value(2, "matchExpressions", List(&Message(&SELECTOR_REQUIREMENT)))]);

/// `LabelSelectorRequirement` and `FieldSelectorRequirement`, which are alike.
pub(super) static SELECTOR_REQUIREMENT: Table =
    Table(&[always(1, "key", Text), always(2, "operator", Text), value(3, "values", TEXTS)]);

static QUANTITY: Table = Table(&[always(1, "string", Text)]);

/// `ExtraValue` of the authentication and authorization groups, and `AttestationValue`.
static ITEMS: Table = Table(&[pointer(1, "items", TEXTS)]);
