//! Which objects a permission claim covers.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::label::{LabelSelector, Operator, Requirement};
use crate::embedded::status::{Result, StatusError};

/// The selector of a permission claim, as a binding states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClaimSelector {
    /// Every object.
    All,
    /// Objects with these labels that also meet the requirements.
    Labels { exact: BTreeMap<String, String>, requirements: LabelSelector },
}

impl ClaimSelector {
    /// Parses `matchAll`, `matchLabels` and `matchExpressions`, of which one at least must be there.
    ///
    /// # Errors
    /// 400 `BadRequest` in the words of Kubernetes.
    pub(crate) fn parse(selector: &Value) -> Result<Self> {
        let labels = selector["matchLabels"].as_object().filter(|labels| !labels.is_empty());
        let expressions = selector["matchExpressions"].as_array().filter(|list| !list.is_empty());
        if selector["matchAll"] == true {
            return match (labels, expressions) {
                (None, None) => Ok(Self::All),
                (Some(_), _) => Err(StatusError::bad_request("matchLabels cannot be used with matchAll")),
                (None, Some(_)) => Err(StatusError::bad_request("matchExpressions cannot be used with matchAll")),
            };
        }
        if labels.is_none() && expressions.is_none() {
            let text = "either one of matchAll, matchLabels, or matchExpressions must be set";
            return Err(StatusError::bad_request(text));
        }
        let mut requirements = Vec::new();
        let mut exact = BTreeMap::new();
        for (key, value) in labels.into_iter().flatten() {
            let value = value.as_str().unwrap_or_default().to_owned();
            requirements.push(Requirement::new(key, Operator::In, vec![value.clone()])?);
            exact.insert(key.clone(), value);
        }
        for expression in expressions.into_iter().flatten() {
            requirements.push(requirement(expression)?);
        }
        Ok(Self::Labels { exact, requirements: LabelSelector::new(requirements) })
    }

    /// Whether the claim covers an object with these labels.
    pub(crate) fn matches(&self, labels: &Map<String, Value>) -> bool {
        match self {
            Self::All => true,
            Self::Labels { requirements, .. } => requirements.matches(labels),
        }
    }

    /// Gives an object that is written through the claim the labels that make the claim cover it.
    ///
    /// # Errors
    /// Why it cannot be covered, as kcp says it.
    pub(crate) fn stamp(&self, labels: &mut Map<String, Value>) -> Result<(), String> {
        if let Self::Labels { exact, .. } = self {
            for (key, value) in exact {
                let is = labels.entry(key.clone()).or_insert_with(|| value.as_str().into());
                if is != value.as_str() {
                    return Err(format!("protected label {key} must have value {value}"));
                }
            }
        }
        if self.matches(labels) { Ok(()) } else { Err("object does not match required labels".into()) }
    }
}

fn requirement(expression: &Value) -> Result<Requirement> {
    let operator = match expression["operator"].as_str().unwrap_or_default() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        other => return Err(StatusError::bad_request(format!("{other:?} is not a valid label selector operator"))),
    };
    let values = expression["values"].as_array().into_iter().flatten();
    let values = values.map(|value| value.as_str().unwrap_or_default().to_owned()).collect();
    Requirement::new(expression["key"].as_str().unwrap_or_default(), operator, values)
}
