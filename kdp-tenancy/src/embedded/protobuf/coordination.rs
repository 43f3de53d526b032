//! `k8s.io.api.coordination.v1`

use super::meta::METADATA;
use super::table::Type::{Int32, Message, MicroTime, Text};
use super::table::{Table, always, pointer};

pub(super) static LEASE: Table = Table(&[always(1, "metadata", METADATA), always(2, "spec", Message(&LEASE_SPEC))]);

static LEASE_SPEC: Table = Table(&[
    pointer(1, "holderIdentity", Text),
    pointer(2, "leaseDurationSeconds", Int32),
    pointer(3, "acquireTime", MicroTime),
    pointer(4, "renewTime", MicroTime),
    pointer(5, "leaseTransitions", Int32),
    pointer(6, "strategy", Text),
    pointer(7, "preferredHolder", Text),
]);
