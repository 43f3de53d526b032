//! What a namespace holds from its first moment: its service account, and what to trust the server by;
//! and the Secrets that hold a token.

use base64::{Engine, engine::general_purpose::STANDARD};
use kdp_core::LogicalClusterName;
use serde_json::{Value, json};

use super::put_new;
use crate::{
    embedded::{
        auth::service_account::{self, Claims, Named},
        consumers::Sight,
        object::{object_at, str_at},
        registry::{Place, Registry, rules::invalid},
        status::{FieldError, Result, StatusError},
    },
    store::Change,
};

/// Name of the service account that every namespace has.
const DEFAULT: &str = "default";
/// Name of the ConfigMap with the certificate authority of this installation.
const ROOT_CA: &str = "kube-root-ca.crt";

/// Type of the Secrets that hold a token.
const TOKEN_SECRET: &str = "kubernetes.io/service-account-token";
const NAME_ANNOTATION: &str = "kubernetes.io/service-account.name";
const UID_ANNOTATION: &str = "kubernetes.io/service-account.uid";
/// How long the token in a Secret is good, in seconds: ten years, as the authority beside it. In
/// practice it ends with the Secret.
const TOKEN_SECONDS: i64 = 3650 * 24 * 60 * 60;

/// The service account and the ConfigMap of a new namespace.
///
/// They are written with the namespace, not served as if they were there: for about a kilobyte each
/// read, list and watch stays a copy of stored bytes.
pub(super) fn namespace_content(
    registry: &Registry,
    cluster: &LogicalClusterName,
    namespace: &str,
) -> Result<[Change; 2]> {
    let account = json!({"kind": "ServiceAccount", "metadata": {"name": DEFAULT, "namespace": namespace}});
    let authority = json!({
        "kind": "ConfigMap",
        "metadata": {"name": ROOT_CA, "namespace": namespace},
        "data": {"ca.crt": registry.pki.ca_pem()},
    });
    Ok([put_new(cluster, "", "serviceaccounts", "v1", account)?, put_new(cluster, "", "configmaps", "v1", authority)?])
}

/// Fills a new Secret of the type `kubernetes.io/service-account-token` with a token that is bound to
/// it. Kubernetes does so a moment later; here the Secret is never seen without its token.
///
/// # Errors
/// 422 when it names no service account, or one that does not exist: Kubernetes would delete it again.
pub(super) async fn fill_secret(registry: &Registry, place: &Place, secret: &mut Value) -> Result<()> {
    if secret["type"] != TOKEN_SECRET {
        return Ok(());
    }
    if place.sight != Sight::Everything {
        // Who claims some Secrets would come to act as whatever account it names.
        let name = str_at(secret, &["metadata", "name"]);
        let message = "a claim on a part of the Secrets does not give tokens of service accounts";
        return Err(StatusError::forbidden(place.reference(), name, message));
    }
    let own = Named {
        name: str_at(secret, &["metadata", "name"]).to_owned(),
        uid: str_at(secret, &["metadata", "uid"]).to_owned(),
    };
    let field = format!("metadata.annotations[{NAME_ANNOTATION}]");
    let name = str_at(secret, &["metadata", "annotations", NAME_ANNOTATION]).to_owned();
    if name.is_empty() {
        return Err(invalid(place, &own.name, vec![FieldError::required(field, "names the service account")]));
    }
    let namespace = place.namespace.clone().unwrap_or_default();
    let found = registry.find(&place.cluster, "", "serviceaccounts", Some(&namespace), &name).await?;
    let Some((_, account)) = found else {
        let error = FieldError::invalid(field, name, "there is no such service account");
        return Err(invalid(place, &own.name, vec![error]));
    };
    let uid = str_at(&account, &["metadata", "uid"]).to_owned();
    let now = jiff::Timestamp::now().as_second();
    let claims = Claims {
        id: uuid::Uuid::new_v4().to_string(),
        audiences: vec![service_account::ISSUER.into()],
        issued_at: now,
        expires_at: now.saturating_add(TOKEN_SECONDS),
        cluster: place.cluster.clone(),
        namespace: namespace.clone(),
        service_account: Named { name, uid: uid.clone() },
        secret: Some(own),
    };
    let token = service_account::sign(&registry.pki, &claims)?;
    object_at(&mut secret["metadata"], "annotations").insert(UID_ANNOTATION.into(), uid.into());
    let data = object_at(secret, "data");
    for (key, value) in [("token", token), ("ca.crt", registry.pki.ca_pem()), ("namespace", namespace)] {
        data.insert(key.into(), STANDARD.encode(value).into());
    }
    Ok(())
}
