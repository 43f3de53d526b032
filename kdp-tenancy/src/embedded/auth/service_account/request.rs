//! What a TokenRequest asks for.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ISSUER, Named};
use crate::embedded::{
    object::str_at,
    registry::rules::seconds,
    status::{FieldError, ResourceRef, Result, StatusError},
};

const GROUP: &str = "authentication.k8s.io";
const API_VERSION: &str = "authentication.k8s.io/v1";
const KIND: &str = "TokenRequest";
const SERVICE_ACCOUNTS: ResourceRef<'static> = ResourceRef { group: "", plural: "serviceaccounts" };

/// How long a token is good unless the request says so, in seconds, as in Kubernetes.
const DEFAULT_SECONDS: i64 = 3600;
/// The shortest that may be asked for, in seconds, as in Kubernetes.
const MIN_SECONDS: i64 = 600;
/// The largest number that Kubernetes accepts.
const MAX_REQUEST: i64 = 1 << 32;
/// The longest that is given, in seconds: a year, as client certificates. Who asks for more gets this.
const MAX_SECONDS: i64 = 365 * 24 * 60 * 60;

/// A valid request for a token.
#[derive(Debug)]
pub(crate) struct Request {
    bound_object: Option<BoundObject>,
    pub(crate) audiences: Vec<String>,
    pub(crate) seconds: i64,
}

/// The fields of a TokenRequest: those of `k8s_openapi` differ between the versions of Kubernetes that
/// a program can choose.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    uid: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    audiences: Option<Vec<String>>,
    bound_object_ref: Option<BoundObject>,
    expiration_seconds: Option<i64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BoundObject {
    kind: String,
    api_version: String,
    name: String,
    uid: String,
}

impl Request {
    /// The request in a body that was posted for `service_account`.
    ///
    /// # Errors
    /// 400 when it is malformed or names another service account, 409 when it is about an earlier one
    /// of that name, 422 when its duration is out of bounds.
    pub(crate) fn parse(body: &Value, service_account: &Value) -> Result<Self> {
        let malformed = |error: &dyn std::fmt::Display| {
            StatusError::bad_request(format!("{KIND} in version \"v1\" cannot be handled as a {KIND}: {error}"))
        };
        let wire = Wire::deserialize(body).map_err(|error| malformed(&error))?;
        let is = |given: &Option<String>, expected: &str| given.as_deref().is_none_or(|given| given == expected);
        if !is(&wire.api_version, API_VERSION) || !is(&wire.kind, KIND) {
            return Err(malformed(&"it is of another kind or version"));
        }
        let own = |field: &str| str_at(service_account, &["metadata", field]);
        let name = own("name");
        if !wire.metadata.name.is_empty() && wire.metadata.name != name {
            return Err(StatusError::bad_request("the name of the object does not match the name on the URL"));
        }
        if !wire.metadata.uid.is_empty() && wire.metadata.uid != own("uid") {
            let message = "the UID in the request does not match the UID of the service account";
            return Err(StatusError::conflict(SERVICE_ACCOUNTS, name, message));
        }
        let seconds = wire.spec.expiration_seconds.unwrap_or(DEFAULT_SECONDS);
        let fault = match seconds {
            ..MIN_SECONDS => Some("may not specify a duration less than 10 minutes"),
            ..=MAX_REQUEST => None,
            _ => Some("may not specify a duration larger than 2^32 seconds"),
        };
        if let Some(fault) = fault {
            let error = FieldError::invalid("spec.expirationSeconds", seconds, fault);
            return Err(StatusError::invalid(GROUP, KIND, name, vec![error]));
        }
        let mut audiences = wire.spec.audiences.unwrap_or_default();
        audiences.retain(|audience| !audience.is_empty());
        if audiences.is_empty() {
            audiences.push(ISSUER.into());
        }
        Ok(Self { bound_object: wire.spec.bound_object_ref, audiences, seconds: seconds.min(MAX_SECONDS) })
    }

    /// The name and, if it is given, the UID of the Secret that the token shall end with.
    ///
    /// # Errors
    /// 400 when it is not a Secret: there are no Pods and Nodes in a workspace.
    pub(crate) fn secret(&self) -> Result<Option<(&str, Option<&str>)>> {
        let Some(BoundObject { kind, api_version, name, uid }) = &self.bound_object else { return Ok(None) };
        if (&**api_version, &**kind) != ("v1", "Secret") {
            let message = format!("cannot bind token to object of type {api_version}, Kind={kind}");
            return Err(StatusError::bad_request(message));
        }
        Ok(Some((name, Some(&**uid).filter(|uid| !uid.is_empty()))))
    }

    /// The answer: the request with the token.
    pub(crate) fn answer(&self, namespace: &str, account: &Named, token: &str, expires: jiff::Timestamp) -> Value {
        json!({
            "kind": KIND,
            "apiVersion": API_VERSION,
            "metadata": {
                "name": account.name, "namespace": namespace, "creationTimestamp": seconds(jiff::Timestamp::now()),
            },
            "spec": {
                "audiences": self.audiences, "expirationSeconds": self.seconds, "boundObjectRef": self.bound_object,
            },
            "status": {"token": token, "expirationTimestamp": seconds(expires)},
        })
    }
}
