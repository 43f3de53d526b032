//! Permission claims: what an export may ask for, and what of it a consumer grants.

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::set_condition;
use crate::embedded::{
    object::{object_at, str_at},
    selector::ClaimSelector,
    status::FieldError,
};

/// The builtin resources that can be claimed without an identity, beside those of `apis.kcp.io`; as kcp.
const CLAIMABLE: &[(&str, &str)] = &[
    ("", "configmaps"),
    ("", "events"),
    ("", "namespaces"),
    ("", "resourcequotas"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
    ("certificates.k8s.io", "certificatesigningrequests"),
    ("coordination.k8s.io", "leases"),
    ("core.kcp.io", "logicalclusters"),
    ("events.k8s.io", "events"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "roles"),
];

/// Whether a resource can be claimed without the identity of an export that provides it.
pub(crate) fn is_claimable(group: &str, plural: &str) -> bool {
    group == "apis.kcp.io" || CLAIMABLE.contains(&(group, plural))
}

/// What is wrong with the claims that an export makes.
pub(super) fn validate_made(export: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, claim) in list(&export["spec"]["permissionClaims"]).enumerate() {
        let path = format!("spec.permissionClaims[{i}]");
        errors.extend(verbs_missing(&path, claim));
        let is_open = str_at(claim, &["identityHash"]).is_empty();
        if is_open && !is_claimable(str_at(claim, &["group"]), str_at(claim, &["resource"])) {
            let detail = "identityHash is required for API types that are not built-in";
            errors.push(FieldError::invalid(format!("{path}.identityHash"), "", detail));
        }
        if let Some(selector) = claim.get("defaultSelector")
            && let Err(error) = ClaimSelector::parse(selector)
        {
            errors.push(FieldError::invalid(format!("{path}.defaultSelector"), selector.clone(), error.to_string()));
        }
    }
    errors
}

/// What is wrong with the answers of a binding to claims.
pub(super) fn validate_answers(binding: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, claim) in list(&binding["spec"]["permissionClaims"]).enumerate() {
        let path = format!("spec.permissionClaims[{i}]");
        errors.extend(verbs_missing(&path, claim));
        if let Err(error) = ClaimSelector::parse(&claim["selector"]) {
            errors.push(FieldError::invalid(format!("{path}.selector"), claim["selector"].clone(), error.to_string()));
        }
    }
    errors
}

fn verbs_missing(path: &str, claim: &Value) -> Option<FieldError> {
    let none = list(&claim["verbs"]).next().is_none();
    none.then(|| FieldError::required(format!("{path}.verbs"), "at least one verb must be named"))
}

/// Puts the claims of the export, and those of them that are in force, into the status of a binding.
///
/// A claim is in force with the verbs that both sides name, on the objects that the consumer selects.
/// Nothing needs to be done to the objects, so what is valid is applied at once.
pub(super) fn settle(binding: &mut Value, made: Vec<Value>) {
    let fault = fault(binding, &made);
    let applied = in_force(binding, &made);
    let status = object_at(binding, "status");
    for (field, claims) in [("exportPermissionClaims", made), ("appliedPermissionClaims", applied)] {
        if claims.is_empty() {
            status.remove(field);
        } else {
            status.insert(field.into(), claims.into());
        }
    }
    match fault {
        Some((reason, message)) => set_condition(binding, "PermissionClaimsValid", "False", reason, &message),
        None => set_condition(binding, "PermissionClaimsValid", "True", "", ""),
    }
    set_condition(binding, "PermissionClaimsApplied", "True", "", "");
}

/// The claims in force: those that the export makes and the consumer accepts.
fn in_force(binding: &Value, made: &[Value]) -> Vec<Value> {
    accepted(binding)
        .filter_map(|claim| {
            let made = made.iter().find(|made| is_same(made, claim))?;
            let verbs = common_verbs(&claim["verbs"], &made["verbs"]);
            let mut applied = claim.clone();
            applied["verbs"] = verbs.into();
            applied.as_object_mut()?.remove("state");
            Some(applied)
        })
        .filter(|claim| list(&claim["verbs"]).next().is_some())
        .collect()
}

/// Why the consumer's answers do not fit what the export asks for, as reason and message.
fn fault(binding: &Value, made: &[Value]) -> Option<(&'static str, String)> {
    let made_as = |claim: &Value| made.iter().find(|made| is_same(made, claim));
    let unexpected: Vec<_> = accepted(binding).filter(|claim| made_as(claim).is_none()).map(words).collect();
    if !unexpected.is_empty() {
        let text = format!("the export makes no such permission claims: {}", unexpected.join(", "));
        return Some(("InvalidPermissionClaims", text));
    }
    let differs = |claim: &&Value| {
        let Some(made) = made_as(claim) else { return false };
        let any = |verbs: &Value| list(verbs).any(|verb| verb == "*");
        let verbs = |verbs: &Value| list(verbs).map(ToString::to_string).collect::<std::collections::BTreeSet<_>>();
        let verbs_differ =
            !any(&claim["verbs"]) && !any(&made["verbs"]) && verbs(&claim["verbs"]) != verbs(&made["verbs"]);
        verbs_differ || made.get("defaultSelector").is_some_and(|selector| *selector != claim["selector"])
    };
    let mismatched: Vec<_> = accepted(binding).filter(differs).map(words).collect();
    (!mismatched.is_empty()).then(|| {
        let text = format!("verbs or selector are not those the export asks for: {}", mismatched.join(", "));
        ("PermissionClaimsMismatch", text)
    })
}

fn accepted(binding: &Value) -> impl Iterator<Item = &Value> {
    list(&binding["spec"]["permissionClaims"]).filter(|claim| claim["state"] == "Accepted")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_same(a: &Value, b: &Value) -> bool {
    ["group", "resource", "identityHash"].iter().all(|field| str_at(a, &[field]) == str_at(b, &[field]))
}

fn words(claim: &Value) -> String {
    match str_at(claim, &["group"]) {
        "" => str_at(claim, &["resource"]).to_owned(),
        group => format!("{}.{group}", str_at(claim, &["resource"])),
    }
}

fn common_verbs(accepted: &Value, made: &Value) -> Vec<Value> {
    let any = |verbs: &Value| list(verbs).any(|verb| verb == "*");
    let other = |verbs: &Value| list(verbs).cloned().collect::<Vec<_>>();
    if any(accepted) {
        return other(made);
    }
    if any(made) {
        return other(accepted);
    }
    other(accepted).into_iter().filter(|verb| list(made).any(|made| made == verb)).collect()
}
