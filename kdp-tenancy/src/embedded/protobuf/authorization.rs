//! `k8s.io.api.authorization.v1`

use super::meta::{METADATA, SELECTOR_REQUIREMENT, TEXTS, TEXTS_BY_KEY};
use super::table::Type::{Bool, List, Message, Text};
use super::table::{Table, always, nullable, pointer, value};

pub(super) static SELF_SUBJECT_ACCESS_REVIEW: Table = Table(&[
    always(1, "metadata", METADATA),
    always(2, "spec", Message(&SELF_SUBJECT_ACCESS_REVIEW_SPEC)),
    always(3, "status", Message(&SUBJECT_ACCESS_REVIEW_STATUS)),
]);

static SELF_SUBJECT_ACCESS_REVIEW_SPEC: Table = Table(&[
    pointer(1, "resourceAttributes", Message(&RESOURCE_ATTRIBUTES)),
    pointer(2, "nonResourceAttributes", Message(&NON_RESOURCE_ATTRIBUTES)),
]);

/// `SubjectAccessReview` and `LocalSubjectAccessReview`, which are alike.
pub(super) static SUBJECT_ACCESS_REVIEW: Table = Table(&[
    always(1, "metadata", METADATA),
    always(2, "spec", Message(&SUBJECT_ACCESS_REVIEW_SPEC)),
    always(3, "status", Message(&SUBJECT_ACCESS_REVIEW_STATUS)),
]);

static SUBJECT_ACCESS_REVIEW_SPEC: Table = Table(&[
    pointer(1, "resourceAttributes", Message(&RESOURCE_ATTRIBUTES)),
    pointer(2, "nonResourceAttributes", Message(&NON_RESOURCE_ATTRIBUTES)),
    value(3, "user", Text),
    value(4, "groups", TEXTS),
    value(5, "extra", TEXTS_BY_KEY),
    value(6, "uid", Text),
]);

static SUBJECT_ACCESS_REVIEW_STATUS: Table = Table(&[
    always(1, "allowed", Bool),
    value(2, "reason", Text),
    value(3, "evaluationError", Text),
    value(4, "denied", Bool),
]);

static RESOURCE_ATTRIBUTES: Table = Table(&[
    value(1, "namespace", Text),
    value(2, "verb", Text),
    value(3, "group", Text),
    value(4, "version", Text),
    value(5, "resource", Text),
    value(6, "subresource", Text),
    value(7, "name", Text),
    pointer(8, "fieldSelector", Message(&SELECTOR_ATTRIBUTES)),
    pointer(9, "labelSelector", Message(&SELECTOR_ATTRIBUTES)),
]);

/// `FieldSelectorAttributes` and `LabelSelectorAttributes`, which are alike.
static SELECTOR_ATTRIBUTES: Table =
    Table(&[value(1, "rawSelector", Text), value(2, "requirements", List(&Message(&SELECTOR_REQUIREMENT)))]);

static NON_RESOURCE_ATTRIBUTES: Table = Table(&[value(1, "path", Text), value(2, "verb", Text)]);

pub(super) static SELF_SUBJECT_RULES_REVIEW: Table = Table(&[
    always(1, "metadata", METADATA),
    always(2, "spec", Message(&SELF_SUBJECT_RULES_REVIEW_SPEC)),
    always(3, "status", Message(&SUBJECT_RULES_REVIEW_STATUS)),
]);

static SELF_SUBJECT_RULES_REVIEW_SPEC: Table = Table(&[value(1, "namespace", Text)]);

static SUBJECT_RULES_REVIEW_STATUS: Table = Table(&[
    nullable(1, "resourceRules", List(&Message(&RESOURCE_RULE))),
    nullable(2, "nonResourceRules", List(&Message(&NON_RESOURCE_RULE))),
    always(3, "incomplete", Bool),
    value(4, "evaluationError", Text),
]);

static RESOURCE_RULE: Table = Table(&[
    nullable(1, "verbs", TEXTS),
    value(2, "apiGroups", TEXTS),
    value(3, "resources", TEXTS),
    value(4, "resourceNames", TEXTS),
]);

static NON_RESOURCE_RULE: Table = Table(&[nullable(1, "verbs", TEXTS), value(2, "nonResourceURLs", TEXTS)]);
