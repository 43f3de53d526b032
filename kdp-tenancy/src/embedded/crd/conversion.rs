//! How objects get from one version to another.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::embedded::meta::names;
use crate::embedded::schema::not_supported;
use crate::embedded::schema::path::Path;
use crate::embedded::status::FieldError;

/// Versions of `ConversionReview` this server speaks.
const REVIEW_VERSIONS: &[&str] = &["v1", "v1beta1"];

/// Adds the faults of `conversion`.
pub(super) fn validate(conversion: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let at = |name: &str| path.field(name).to_string();
    let webhook = conversion.get("webhook").filter(|webhook| !webhook.is_null());
    match conversion.get("strategy").and_then(Value::as_str).unwrap_or_default() {
        "" => errors.push(FieldError::required(at("strategy"), "")),
        "None" => {
            if webhook.is_some() {
                let detail = "should not be set when strategy is not set to Webhook";
                errors.push(FieldError::forbidden(at("webhook"), detail));
            }
        }
        "Webhook" => match webhook {
            None => {
                let detail = "required when strategy is set to Webhook";
                errors.push(FieldError::required(at("webhook"), detail));
            }
            Some(webhook) => {
                let path = path.field("webhook");
                validate_client(webhook.get("clientConfig"), path.field("clientConfig"), errors);
                let versions = webhook.get("conversionReviewVersions").and_then(Value::as_array);
                let versions = versions.map_or(&[][..], Vec::as_slice);
                validate_review_versions(versions, path.field("conversionReviewVersions"), errors);
            }
        },
        other => errors.push(not_supported(path.field("strategy"), other, &["None", "Webhook"])),
    }
}

fn validate_client(client: Option<&Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let part = |name: &str| client.and_then(|client| client.get(name)).filter(|part| !part.is_null());
    match (part("url"), part("service")) {
        (Some(url), None) => {
            let field = path.field("url").to_string();
            let fault = match url.as_str().map(url::Url::parse) {
                Some(Ok(parsed)) => fault_of_url(&parsed),
                Some(Err(_)) | None => Some("url must be a valid URL"),
            };
            errors.extend(fault.map(|detail| FieldError::invalid(field, url.clone(), detail)));
        }
        (None, Some(service)) => {
            let path = path.field("service");
            for name in ["name", "namespace"] {
                if service.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
                    errors.push(FieldError::required(
                        path.field(name).to_string(),
                        format!("service {name} is required"),
                    ));
                }
            }
            let port = service.get("port").filter(|port| !port.is_null());
            if let Some(port) = port.filter(|port| !port.as_i64().is_some_and(|port| (1..=65535).contains(&port))) {
                let detail = "port is not valid: must be between 1 and 65535, inclusive";
                errors.push(FieldError::invalid(path.field("port").to_string(), port.clone(), detail));
            }
        }
        _ => {
            let detail = "exactly one of url or service is required";
            errors.push(FieldError::required(path.to_string(), detail));
        }
    }
}

fn fault_of_url(url: &url::Url) -> Option<&'static str> {
    if url.scheme() != "https" {
        Some("'https' is the only allowed URL scheme; desired format: https://host[/path]")
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("user information is not permitted in the URL; desired format: https://host[/path]")
    } else if url.query().is_some() {
        Some("query parameters are not permitted in the URL; desired format: https://host[/path]")
    } else if url.fragment().is_some() {
        Some("fragments are not permitted in the URL; desired format: https://host[/path]")
    } else {
        None
    }
}

fn validate_review_versions(versions: &[Value], path: Path<'_>, errors: &mut Vec<FieldError>) {
    if versions.is_empty() {
        errors.push(FieldError::required(path.to_string(), ""));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        let field = path.index(index).to_string();
        let Some(name) = version.as_str() else {
            errors.push(FieldError::invalid(field, version.clone(), "must be a string"));
            continue;
        };
        if !seen.insert(name) {
            errors.push(FieldError::invalid(field, name, "duplicate version"));
            continue;
        }
        let faults = names::dns1035_label(name);
        errors.extend(faults.into_iter().map(|fault| FieldError::invalid(field.clone(), name, fault)));
    }
    if !REVIEW_VERSIONS.iter().any(|known| seen.contains(known)) {
        let detail = format!("must include at least one of {}", REVIEW_VERSIONS.join(", "));
        errors.push(FieldError::invalid(path.to_string(), versions.to_vec(), detail));
    }
}
