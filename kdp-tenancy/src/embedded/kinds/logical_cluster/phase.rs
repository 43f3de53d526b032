//! How a logical cluster may go on in its life.

use serde_json::Value;

use super::Stage;
use crate::embedded::{
    object::str_at,
    status::{FieldError, FieldErrorKind},
};

/// The rules of a LogicalCluster that its schema cannot say; they hold for the system too.
pub(crate) fn validate(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let Some(old) = old else { return Vec::new() };
    let mut errors = Vec::new();
    for field in ["initializers", "terminators", "createdBy"] {
        if old["spec"][field] != object["spec"][field] {
            errors.push(FieldError::invalid(
                format!("spec.{field}"),
                object["spec"][field].clone(),
                "field is immutable",
            ));
        }
    }
    let (from, to) = (str_at(old, &["status", "phase"]), str_at(object, &["status", "phase"]));
    if !may_follow(from, to) {
        let detail = format!("cannot go from {from:?} to {to:?}");
        errors.push(FieldError::new("status.phase", FieldErrorKind::Invalid, to.into(), detail));
    }
    for stage in Stage::ALL {
        let (had, has) = (stage.waiting(old), stage.waiting(object));
        let may_shrink = from == stage.phase();
        let is_fine = if may_shrink { has.iter().all(|name| had.contains(name)) } else { had == has };
        // What is still being scheduled has not been told yet whom to wait for.
        if !is_fine && rank(from) > 0 {
            let field = format!("status.{}", stage.list());
            let detail = format!("may only shrink, and only in phase {}", stage.phase());
            errors.push(FieldError::invalid(field, Value::from(has.to_vec()), detail));
        }
    }
    if from == Stage::Initializing.phase() && to == "Ready" && !Stage::Initializing.waiting(object).is_empty() {
        errors.push(FieldError::invalid("status.phase", to, "status.initializers is not empty"));
    }
    errors
}

/// Whether a phase may follow another: never back, and to and from `Inactive` only as `Ready`.
pub(super) fn may_follow(from: &str, to: &str) -> bool {
    match (from, to) {
        _ if from == to => true,
        (from, "Inactive") => from == "Ready",
        ("Inactive" | "Unavailable", "Ready") | ("Ready", "Unavailable") => true,
        _ => rank(from) < rank(to),
    }
}

fn rank(phase: &str) -> u8 {
    match phase {
        "Initializing" => 1,
        "Ready" | "Inactive" | "Unavailable" => 2,
        "Terminating" => 3,
        "Deleting" => 4,
        _ => 0,
    }
}
