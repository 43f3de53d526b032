//! `k8s.io.api.rbac.v1`

use super::meta::{LABEL_SELECTOR, METADATA, TEXTS};
use super::table::Type::{List, Message, Text};
use super::table::{Table, Type, always, nullable, pointer, value};

pub(super) static ROLE: Table = Table(&[always(1, "metadata", METADATA), nullable(2, "rules", RULES)]);

pub(super) static CLUSTER_ROLE: Table = Table(&[
    always(1, "metadata", METADATA),
    nullable(2, "rules", RULES),
    pointer(3, "aggregationRule", Message(&AGGREGATION_RULE)),
]);

const RULES: Type = List(&Message(&POLICY_RULE));

static POLICY_RULE: Table = Table(&[
    nullable(1, "verbs", TEXTS),
    value(2, "apiGroups", TEXTS),
    value(3, "resources", TEXTS),
    value(4, "resourceNames", TEXTS),
    value(5, "nonResourceURLs", TEXTS),
]);

static AGGREGATION_RULE: Table = Table(&[value(1, "clusterRoleSelectors", List(&Message(&LABEL_SELECTOR)))]);

/// `RoleBinding` and `ClusterRoleBinding`, which are alike.
pub(super) static ROLE_BINDING: Table = Table(&[
    always(1, "metadata", METADATA),
    value(2, "subjects", List(&Message(&SUBJECT))),
    always(3, "roleRef", Message(&ROLE_REF)),
]);

static SUBJECT: Table =
    Table(&[always(1, "kind", Text), value(2, "apiGroup", Text), always(3, "name", Text), value(4, "namespace", Text)]);

static ROLE_REF: Table = Table(&[always(1, "apiGroup", Text), always(2, "kind", Text), always(3, "name", Text)]);
