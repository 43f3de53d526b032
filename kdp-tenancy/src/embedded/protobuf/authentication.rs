//! `k8s.io.api.authentication.v1`

use super::meta::{METADATA, TEXTS, TEXTS_BY_KEY};
use super::table::Type::{Bool, Int64, Message, Text, Time};
use super::table::{Table, always, nullable, value};

pub(super) static SELF_SUBJECT_REVIEW: Table =
    Table(&[always(1, "metadata", METADATA), always(2, "status", Message(&SELF_SUBJECT_REVIEW_STATUS))]);

static SELF_SUBJECT_REVIEW_STATUS: Table = Table(&[always(1, "userInfo", Message(&USER_INFO))]);

static USER_INFO: Table = Table(&[
    value(1, "username", Text),
    value(2, "uid", Text),
    value(3, "groups", TEXTS),
    value(4, "extra", TEXTS_BY_KEY),
]);

pub(super) static TOKEN_REQUEST: Table = Table(&[
    always(1, "metadata", METADATA),
    always(2, "spec", Message(&TOKEN_REQUEST_SPEC)),
    always(3, "status", Message(&TOKEN_REQUEST_STATUS)),
]);

static TOKEN_REQUEST_SPEC: Table = Table(&[
    nullable(1, "audiences", TEXTS),
    nullable(3, "boundObjectRef", Message(&BOUND_OBJECT_REFERENCE)),
    nullable(4, "expirationSeconds", Int64),
    value(5, "attestations", TEXTS_BY_KEY),
]);

static BOUND_OBJECT_REFERENCE: Table =
    Table(&[value(1, "kind", Text), value(2, "apiVersion", Text), value(3, "name", Text), value(4, "uid", Text)]);

static TOKEN_REQUEST_STATUS: Table = Table(&[always(1, "token", Text), always(2, "expirationTimestamp", Time)]);

pub(super) static TOKEN_REVIEW: Table = Table(&[
    always(1, "metadata", METADATA),
    always(2, "spec", Message(&TOKEN_REVIEW_SPEC)),
    always(3, "status", Message(&TOKEN_REVIEW_STATUS)),
]);

static TOKEN_REVIEW_SPEC: Table = Table(&[value(1, "token", Text), value(2, "audiences", TEXTS)]);

static TOKEN_REVIEW_STATUS: Table = Table(&[
    value(1, "authenticated", Bool),
    always(2, "user", Message(&USER_INFO)),
    value(3, "error", Text),
    value(4, "audiences", TEXTS),
]);
