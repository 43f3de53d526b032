//! Tokens of OpenID Connect issuers, by Kubernetes' structured authentication configuration.

mod expression;
mod fetch;
mod keys;
mod mapping;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use kdp_core::api::authentication::JwtAuthenticator;

use self::{fetch::Fetch, keys::IssuerKeys, mapping::Mapping};
use super::{
    jwt::{self, Jwt},
    service_account,
    tokens::{TokenAuthenticator, TokenIdentity, TokenRejected},
};
use crate::embedded::status::FieldError;

/// Most issuers of one configuration, as in Kubernetes.
const MAX_ISSUERS: usize = 64;

/// Who wrote a configuration, and so whom its tokens may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Whoever runs the control plane: anybody.
    Operator,
    /// A tenant: nobody whose name begins with `system:`, no member of such a group, and no extra field
    /// that has a meaning in kcp.
    Tenant,
}

/// Knows the tokens of the issuers of one configuration.
#[derive(Debug)]
pub(crate) struct Oidc {
    issuers: Vec<Issuer>,
}

#[derive(Debug)]
struct Issuer {
    url: String,
    audiences: Vec<String>,
    mapping: Mapping,
    keys: IssuerKeys,
}

impl Oidc {
    /// Checks and compiles a configuration. Nothing is fetched yet.
    ///
    /// # Errors
    /// Every fault that was found, each with its path below `jwt`.
    pub(crate) fn compile(configuration: &[JwtAuthenticator], trust: Trust) -> Result<Self, Vec<FieldError>> {
        let (mut issuers, mut errors) = (Vec::<Issuer>::new(), Vec::new());
        if configuration.len() > MAX_ISSUERS {
            return Err(vec![FieldError::invalid("jwt", configuration.len(), "must have at most 64 items")]);
        }
        for (index, entry) in configuration.iter().enumerate() {
            let path = format!("jwt[{index}]");
            let url = entry.issuer.url.as_str();
            if issuers.iter().any(|known| known.url == url) {
                errors.push(FieldError::invalid(format!("{path}.issuer.url"), url, "must be unique"));
            }
            check_issuer(entry, &format!("{path}.issuer"), &mut errors);
            let mapping = Mapping::compile(entry, trust, &path, &mut errors);
            let fetch = Fetch::new(entry.issuer.certificate_authority.as_deref()).map_err(|problem| {
                FieldError::invalid(format!("{path}.issuer.certificateAuthority"), "<omitted>", problem)
            });
            match (mapping, fetch) {
                (Some(mapping), Ok(fetch)) => issuers.push(Issuer {
                    url: url.to_owned(),
                    audiences: entry.issuer.audiences.clone(),
                    mapping,
                    keys: IssuerKeys::new(url, entry.issuer.discovery_url.as_deref(), fetch),
                }),
                (_, Err(error)) => errors.push(error),
                // Without a mapping there are errors already.
                (None, Ok(_)) => {}
            }
        }
        if errors.is_empty() { Ok(Self { issuers }) } else { Err(errors) }
    }

    /// Fetches the keys of all issuers, so that the first token need not wait for them.
    pub(crate) async fn warm_up(&self) {
        futures::future::join_all(self.issuers.iter().map(|issuer| issuer.keys.warm_up())).await;
    }
}

/// Whether this can be a token of an issuer at all.
pub(super) fn is_token(token: &str) -> bool {
    Jwt::parse(token).is_some()
}

impl Issuer {
    async fn authenticate(&self, token: &Jwt<'_>) -> Result<TokenIdentity, TokenRejected> {
        let claims = self.keys.verify(token).await?;
        jwt::check_times(claims, jiff::Timestamp::now().as_second()).map_err(TokenRejected::new)?;
        if !jwt::audiences(claims).iter().any(|audience| self.audiences.iter().any(|known| known == audience)) {
            return Err(TokenRejected::new("the token is meant for another audience"));
        }
        let identity = self.mapping.identity(claims).map_err(TokenRejected::new)?;
        Ok(TokenIdentity::new(identity, vec![service_account::ISSUER.into()]))
    }
}

#[async_trait]
impl TokenAuthenticator for Oidc {
    /// The audiences of such a token are those of its issuer's clients; for whom it was made, it is good
    /// for this server, and for nobody else who asks.
    async fn authenticate(&self, token: &str, _audiences: &[String]) -> Result<Option<TokenIdentity>, TokenRejected> {
        let Some(token) = Jwt::parse(token) else { return Ok(None) };
        let issuer = token.unverified_issuer();
        match self.issuers.iter().find(|known| issuer == Some(&known.url)) {
            Some(known) => known.authenticate(&token).await.map(Some),
            None => Ok(None),
        }
    }
}

fn check_issuer(entry: &JwtAuthenticator, path: &str, errors: &mut Vec<FieldError>) {
    let issuer = &entry.issuer;
    check_url(&issuer.url, format!("{path}.url"), errors);
    if issuer.url == service_account::ISSUER {
        errors.push(FieldError::invalid(format!("{path}.url"), &*issuer.url, "is the issuer of service accounts"));
    }
    if let Some(url) = &issuer.discovery_url {
        let field = format!("{path}.discoveryURL");
        if url.trim_end_matches('/') == issuer.url.trim_end_matches('/') {
            errors.push(FieldError::invalid(&field, url.as_str(), "must be different from the URL of the issuer"));
        }
        check_url(url, field, errors);
    }
    let field = format!("{path}.audiences");
    if issuer.audiences.is_empty() || issuer.audiences.iter().any(String::is_empty) {
        errors.push(FieldError::required(field, "at least one audience, none of them empty"));
    }
    match issuer.audience_match_policy.as_deref().unwrap_or_default() {
        "MatchAny" => {}
        "" if issuer.audiences.len() <= 1 => {}
        other => {
            let detail = "must be MatchAny for several audiences";
            errors.push(FieldError::invalid(format!("{path}.audienceMatchPolicy"), other, detail));
        }
    }
}

fn check_url(text: &str, field: String, errors: &mut Vec<FieldError>) {
    let is_good = url::Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https"
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if !is_good {
        errors.push(FieldError::invalid(field, text, "must be an https URL without user, query and fragment"));
    }
}
