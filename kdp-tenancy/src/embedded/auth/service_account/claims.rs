//! What the token of a service account says, on the wire as Kubernetes and kcp write it.

use kdp_core::LogicalClusterName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ISSUER;
use crate::embedded::status::{Result, StatusError};

/// What a token says of the service account it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Name of the token, different for each.
    pub(crate) id: String,
    pub(crate) audiences: Vec<String>,
    /// Unix seconds.
    pub(crate) issued_at: i64,
    /// Unix seconds.
    pub(crate) expires_at: i64,
    pub(crate) cluster: LogicalClusterName,
    pub(crate) namespace: String,
    pub(crate) service_account: Named,
    /// The Secret with which the token ends.
    pub(crate) secret: Option<Named>,
}

/// An object by its name, and the one of that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) uid: String,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    iss: String,
    sub: String,
    aud: Vec<String>,
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: String,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Private,
}

#[derive(Serialize, Deserialize)]
struct Private {
    #[serde(rename = "clusterName")]
    cluster_name: String,
    namespace: String,
    serviceaccount: Named,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Named>,
}

impl Claims {
    /// The username of the service account.
    pub(crate) fn subject(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.service_account.name)
    }

    /// As they stand in a token.
    pub(crate) fn to_value(&self) -> Result<Value> {
        let wire = Wire {
            iss: ISSUER.into(),
            sub: self.subject(),
            aud: self.audiences.clone(),
            exp: self.expires_at,
            iat: self.issued_at,
            nbf: self.issued_at,
            jti: self.id.clone(),
            kubernetes: Private {
                cluster_name: self.cluster.to_string(),
                namespace: self.namespace.clone(),
                serviceaccount: self.service_account.clone(),
                secret: self.secret.clone(),
            },
        };
        serde_json::to_value(wire).map_err(StatusError::internal)
    }

    /// The claims in a verified token; `None` when they are not those of a service account.
    pub(crate) fn from_map(map: &Map<String, Value>) -> Option<Self> {
        let wire = Wire::deserialize(map).ok()?;
        let private = wire.kubernetes;
        let claims = Self {
            id: wire.jti,
            audiences: wire.aud,
            issued_at: wire.iat,
            expires_at: wire.exp,
            cluster: private.cluster_name.parse().ok()?,
            namespace: private.namespace,
            service_account: private.serviceaccount,
            secret: private.secret,
        };
        (wire.iss == ISSUER && wire.sub == claims.subject()).then_some(claims)
    }
}
