//! The subresource `token` of service accounts, and the documents by which others verify tokens.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{ApiServer, Call, respond, route::ResourcePath, verb::Verb};
use crate::embedded::{
    auth::service_account::{self, Claims, Named, Request},
    object::str_at,
    registry::Place,
    serve::Body,
    status::{ResourceRef, Result, StatusError},
};

const SECRETS: ResourceRef<'static> = ResourceRef { group: "", plural: "secrets" };

/// Whether a request asks for a token of a service account.
pub(super) fn is_token_request(place: &Place, path: &ResourcePath, verb: Verb) -> bool {
    place.is("", "serviceaccounts") && path.subresource.as_deref() == Some("token") && verb == Verb::Create
}

/// Makes a token of the service account `name`. Nothing is stored.
pub(super) async fn answer(call: &Call<'_>, place: &Place, name: &str, body: &Value) -> Result<Value> {
    let registry = &call.server.registry;
    let namespace = place.namespace.as_deref().unwrap_or_default();
    let find = async |plural: &str, name: &str| registry.find(&place.cluster, "", plural, Some(namespace), name).await;
    let (_, account) =
        find("serviceaccounts", name).await?.ok_or_else(|| StatusError::not_found(place.reference(), name))?;
    let request = Request::parse(body, &account)?;
    let secret = match request.secret()? {
        None => None,
        Some((name, uid)) => {
            let found = find("secrets", name).await?;
            let (_, secret) = found.ok_or_else(|| StatusError::not_found(SECRETS, name))?;
            let secret = named(&secret);
            if uid.is_some_and(|uid| uid != secret.uid) {
                let message = "the UID in the bound object reference does not match the UID of the secret";
                return Err(StatusError::conflict(SECRETS, name, message));
            }
            Some(secret)
        }
    };
    let account = named(&account);
    let now = Timestamp::now();
    let expires = now
        .checked_add(SignedDuration::from_secs(request.seconds))
        .map_err(|_| StatusError::internal("the expiry is beyond what a timestamp can hold"))?;
    let claims = Claims {
        id: uuid::Uuid::new_v4().to_string(),
        audiences: request.audiences.clone(),
        issued_at: now.as_second(),
        expires_at: expires.as_second(),
        cluster: place.cluster.clone(),
        namespace: namespace.to_owned(),
        service_account: account.clone(),
        secret,
    };
    let token = service_account::sign(&registry.pki, &claims)?;
    Ok(request.answer(namespace, &account, &token, expires))
}

/// The public documents about tokens. They are the same wherever they are asked for, and hold nothing
/// but public keys, so nobody has to say who they are.
pub(super) fn document(server: &ApiServer, method: &Method, path: &str) -> Option<Response<Body>> {
    let (content_type, document) = match path {
        _ if method != Method::GET => return None,
        "/.well-known/openid-configuration" => {
            ("application/json", service_account::discovery(&server.registry.urls.base()))
        }
        "/openid/v1/jwks" => ("application/jwk-set+json", service_account::jwks(&server.registry.pki)),
        _ => return None,
    };
    Some(respond::full(StatusCode::OK, content_type, Bytes::from(document.to_string())))
}

fn named(object: &Value) -> Named {
    let text = |field: &str| str_at(object, &["metadata", field]).to_owned();
    Named { name: text("name"), uid: text("uid") }
}
