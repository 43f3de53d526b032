//! Whose tokens are accepted: Kubernetes' structured authentication configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An `AuthenticationConfiguration` of `apiserver.config.k8s.io`, as far as it is about tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AuthenticationConfiguration {
    /// Group and version of the file it came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `AuthenticationConfiguration`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Issuers of tokens; each URL at most once.
    pub jwt: Vec<JwtAuthenticator>,
}

/// An issuer of OpenID Connect tokens, and whom its tokens stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtAuthenticator {
    /// Who issues the tokens, and for whom.
    pub issuer: Issuer,
    /// What must hold of the claims of a token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_validation_rules: Vec<ClaimValidationRule>,
    /// How claims become a user.
    pub claim_mappings: ClaimMappings,
    /// What must hold of the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_validation_rules: Vec<UserValidationRule>,
}

/// Who issues tokens, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    /// The `iss` of the tokens; an https URL.
    pub url: String,
    /// Where the discovery document is, when it is not below the issuer's URL; an https URL.
    #[serde(rename = "discoveryURL", default, skip_serializing_if = "Option::is_none")]
    pub discovery_url: Option<String>,
    /// Certificates in PEM that the issuer's server is trusted by; the system's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// Audiences of which a token must name one.
    pub audiences: Vec<String>,
    /// `MatchAny`; required when there are several audiences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience_match_policy: Option<String>,
}

/// A rule about the claims of a token: either a claim with its value, or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimValidationRule {
    /// Name of a claim that must be there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub claim: String,
    /// The text it must have.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub required_value: String,
    /// A CEL expression about `claims` that must be true.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expression: String,
    /// What to say when the expression is not true.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How claims become a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimMappings {
    /// The username; required.
    pub username: PrefixedClaimOrExpression,
    /// The groups.
    #[serde(default)]
    pub groups: PrefixedClaimOrExpression,
    /// The UID.
    #[serde(default)]
    pub uid: ClaimOrExpression,
    /// Extra fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<ExtraMapping>,
}

/// A claim with a prefix, or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PrefixedClaimOrExpression {
    /// Name of a claim.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub claim: String,
    /// What is put before its value; required with a claim, and may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// A CEL expression about `claims`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expression: String,
}

/// A claim, or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimOrExpression {
    /// Name of a claim.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub claim: String,
    /// A CEL expression about `claims`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expression: String,
}

/// An extra field of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtraMapping {
    /// Its key: lower case, with a domain before a slash.
    pub key: String,
    /// A CEL expression about `claims` that gives a text or a list of texts.
    pub value_expression: String,
}

/// A rule about the user a token stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserValidationRule {
    /// A CEL expression about `user` that must be true.
    pub expression: String,
    /// What to say when it is not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}
