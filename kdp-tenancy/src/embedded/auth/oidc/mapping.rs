//! From the claims of a token to a user.

use kdp_core::{
    Identity,
    api::authentication::{ClaimValidationRule, JwtAuthenticator, UserValidationRule},
};
use serde_json::{Map, Value, json};

use super::{Trust, expression::Expression};
use crate::embedded::{schema::expression::BUDGET, status::FieldError};

/// Names that only the control plane gives.
const SYSTEM_PREFIX: &str = "system:";
/// Part of the keys of extra fields that mean something in kcp.
const KCP: &str = "kcp.io";

/// What is made of the claims of one issuer.
#[derive(Debug)]
pub(super) struct Mapping {
    trust: Trust,
    claim_rules: Vec<ClaimRule>,
    username: Source,
    groups: Option<Source>,
    uid: Option<Source>,
    extra: Vec<(String, Expression)>,
    user_rules: Vec<(Expression, String)>,
}

#[derive(Debug)]
enum ClaimRule {
    Value { claim: String, required: String },
    Expression { expression: Expression, message: String },
}

#[derive(Debug)]
enum Source {
    Claim { claim: String, prefix: String },
    Expression(Expression),
}

/// Why a token stands for nobody; never what it holds.
type Refused = String;

impl Mapping {
    /// Adds what is wrong to `errors`; then the mapping, if there is one, is not to be used.
    pub(super) fn compile(
        entry: &JwtAuthenticator,
        trust: Trust,
        path: &str,
        errors: &mut Vec<FieldError>,
    ) -> Option<Self> {
        let mappings = &entry.claim_mappings;
        let path = |rest: &str| format!("{path}.{rest}");
        let mut compiler = Compiler { errors, cost: 0 };
        let username = compiler.source(
            &mappings.username.claim,
            mappings.username.prefix.as_deref(),
            &mappings.username.expression,
            path("claimMappings.username"),
        );
        if username.is_none() {
            let detail = "claim or expression is required";
            compiler.errors.push(FieldError::required(path("claimMappings.username"), detail));
        }
        let groups = &mappings.groups;
        let groups =
            compiler.source(&groups.claim, groups.prefix.as_deref(), &groups.expression, path("claimMappings.groups"));
        let uid = &mappings.uid;
        let uid = compiler.source(&uid.claim, Some(""), &uid.expression, path("claimMappings.uid"));
        let extra = mappings.extra.iter().enumerate().filter_map(|(index, extra)| {
            let path = path(&format!("claimMappings.extra[{index}]"));
            compiler.extra_key(&extra.key, format!("{path}.key"));
            Some((extra.key.clone(), compiler.expression(&extra.value_expression, format!("{path}.valueExpression"))?))
        });
        let extra = extra.collect();
        let rules = entry.claim_validation_rules.iter().enumerate();
        let claim_rules =
            rules.filter_map(|(i, rule)| compiler.claim_rule(rule, &path(&format!("claimValidationRules[{i}]"))));
        let claim_rules = claim_rules.collect();
        let rules = entry.user_validation_rules.iter().enumerate();
        let user_rules = rules.filter_map(|(i, UserValidationRule { expression, message })| {
            let path = path(&format!("userValidationRules[{i}].expression"));
            Some((compiler.expression(expression, path)?, message.clone()))
        });
        let user_rules = user_rules.collect();
        Some(Self { trust, claim_rules, username: username?, groups, uid, extra, user_rules })
    }

    /// The user that verified claims stand for.
    ///
    /// # Errors
    /// Why they stand for nobody.
    pub(super) fn identity(&self, claims: &Map<String, Value>) -> Result<Identity, Refused> {
        let claims = Value::Object(claims.clone());
        for rule in &self.claim_rules {
            rule.check(&claims)?;
        }
        let mut identity = Identity { username: self.username.text(&claims)?, ..Identity::default() };
        if identity.username.is_empty() {
            return Err("the username of the token is empty".into());
        }
        if matches!(&self.username, Source::Claim { claim, .. } if claim == "email")
            && claims.get("email_verified").is_some_and(|verified| *verified != true)
        {
            return Err("the email of the token is not verified".into());
        }
        if let Some(groups) = &self.groups {
            identity.groups = groups.texts(&claims)?;
        }
        if let Some(uid) = &self.uid {
            identity.uid = Some(uid.text(&claims)?);
        }
        for (key, expression) in &self.extra {
            let values = expression.texts(&claims)?;
            if !values.is_empty() {
                identity.extra.insert(key.clone(), values);
            }
        }
        if self.trust == Trust::Tenant {
            // As in kcp: such a name is refused, such a group or field only left out.
            if identity.username.starts_with(SYSTEM_PREFIX) {
                return Err("the username of the token begins with system:".into());
            }
            identity.groups.retain(|group| !group.starts_with(SYSTEM_PREFIX));
            identity.extra.retain(|key, _| !key.contains(KCP));
        }
        let user = json!({
            "username": identity.username, "uid": identity.uid.clone().unwrap_or_default(),
            "groups": identity.groups, "extra": identity.extra,
        });
        for (expression, message) in &self.user_rules {
            if !expression.holds("user", &user)? {
                return Err(format!("the user is not valid: {message}"));
            }
        }
        Ok(identity)
    }
}

impl ClaimRule {
    fn check(&self, claims: &Value) -> Result<(), Refused> {
        match self {
            Self::Value { claim, required } => match claims.get(claim).and_then(Value::as_str) {
                Some(value) if value == required => Ok(()),
                _ => Err(format!("the claim {claim} does not have the required value")),
            },
            Self::Expression { expression, message } => match expression.holds("claims", claims)? {
                true => Ok(()),
                false => Err(format!("the claims are not valid: {message}")),
            },
        }
    }
}

impl Source {
    fn text(&self, claims: &Value) -> Result<String, Refused> {
        match self {
            Self::Expression(expression) => Ok(expression.text(claims)?),
            Self::Claim { claim, prefix } => match claims.get(claim) {
                Some(Value::String(text)) => Ok(format!("{prefix}{text}")),
                _ => Err(format!("the token has no text as its claim {claim}")),
            },
        }
    }

    fn texts(&self, claims: &Value) -> Result<Vec<String>, Refused> {
        let (claim, prefix) = match self {
            Self::Expression(expression) => return Ok(expression.texts(claims)?),
            Self::Claim { claim, prefix } => (claim, prefix),
        };
        let failed = || format!("the claim {claim} of the token is neither a text nor a list of texts");
        let prefixed = |value: &Value| value.as_str().map(|text| format!("{prefix}{text}")).ok_or_else(failed);
        match claims.get(claim) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(prefixed).collect(),
            Some(value) => Ok(vec![prefixed(value)?]),
        }
    }
}

struct Compiler<'e> {
    errors: &'e mut Vec<FieldError>,
    /// What the expressions so far may cost for one token.
    cost: u64,
}

impl Compiler<'_> {
    fn expression(&mut self, text: &str, path: String) -> Option<Expression> {
        match Expression::compile(text) {
            Ok(expression) if self.cost.saturating_add(expression.cost) <= BUDGET => {
                self.cost += expression.cost;
                Some(expression)
            }
            Ok(_) => {
                let problem = "compilation failed: the expressions for one issuer may take too long together";
                self.errors.push(FieldError::invalid(path, text, problem));
                None
            }
            Err(problem) => {
                self.errors.push(FieldError::invalid(path, text, problem));
                None
            }
        }
    }

    fn source(&mut self, claim: &str, prefix: Option<&str>, expression: &str, path: String) -> Option<Source> {
        match (claim.is_empty(), expression.is_empty()) {
            (true, true) => None,
            (true, false) => self.expression(expression, format!("{path}.expression")).map(Source::Expression),
            (false, false) => {
                self.errors.push(FieldError::invalid(path, "", "claim and expression can not both be set"));
                None
            }
            (false, true) => {
                if prefix.is_none() {
                    let detail = "is required when claim is set; it may be empty";
                    self.errors.push(FieldError::required(format!("{path}.prefix"), detail));
                }
                Some(Source::Claim { claim: claim.to_owned(), prefix: prefix.unwrap_or_default().to_owned() })
            }
        }
    }

    fn claim_rule(&mut self, rule: &ClaimValidationRule, path: &str) -> Option<ClaimRule> {
        let ClaimValidationRule { claim, required_value, expression, message } = rule;
        match (claim.is_empty(), expression.is_empty()) {
            (false, true) => Some(ClaimRule::Value { claim: claim.clone(), required: required_value.clone() }),
            (true, false) => {
                let expression = self.expression(expression, format!("{path}.expression"))?;
                Some(ClaimRule::Expression { expression, message: message.clone() })
            }
            _ => {
                self.errors.push(FieldError::invalid(path, "", "exactly one of claim and expression must be set"));
                None
            }
        }
    }

    fn extra_key(&mut self, key: &str, path: String) {
        let domain = key.split_once('/').map(|(domain, _)| domain).unwrap_or_default();
        let is_in = |owner: &str| domain == owner || domain.ends_with(&format!(".{owner}"));
        let problem = if domain.is_empty() || key != key.to_lowercase() {
            "must be a lower-case domain, a slash and a path"
        } else if is_in("kubernetes.io") || is_in("k8s.io") {
            "the domain belongs to Kubernetes"
        } else {
            return;
        };
        self.errors.push(FieldError::invalid(path, key, problem));
    }
}
