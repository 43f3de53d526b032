//! What placeholders stand for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    Container, EnvVar, Known, Outputs, ScoreFault, Workload,
    placeholder::{Part, parse},
};

/// What placeholders can refer to.
pub(super) struct Scope<'a> {
    pub(super) workload: &'a Workload,
    pub(super) orders: &'a BTreeMap<&'a str, String>,
    pub(super) outputs: &'a Outputs,
}

/// What a placeholder stands for.
enum Found<'a> {
    Text(String),
    /// What a Secret has, as this output of this resource.
    Secret {
        resource: &'a str,
        output: String,
        name: &'a str,
        key: &'a str,
    },
    /// It is not known before this need is there.
    Later(&'a str),
}

impl<'a> Scope<'a> {
    fn find(&self, reference: &'a [String]) -> Result<Found<'a>, String> {
        let said = || reference.join(".");
        let names: Vec<_> = reference.iter().map(String::as_str).collect();
        match names[..] {
            ["metadata", "name"] => Ok(Found::Text(self.workload.metadata.name.clone())),
            ["metadata", "annotations", name] => {
                let annotations = &self.workload.metadata.annotations;
                annotations.get(name).cloned().map(Found::Text).ok_or_else(|| format!("there is no {}", said()))
            }
            ["metadata", name] => match self.workload.metadata.others.get(name) {
                Some(Value::String(text)) => Ok(Found::Text(text.clone())),
                _ => Err(format!("there is no text {}", said())),
            },
            ["resources", name, ref outputs @ ..] => {
                let Some(order) = self.orders.get(name) else {
                    let known: Vec<_> = self.orders.keys().copied().collect();
                    return Err(format!("there is no resource {name}, only {}", known.join(", ")));
                };
                if outputs.is_empty() {
                    return Ok(Found::Text(order.clone()));
                }
                let output = outputs.join(".");
                match self.outputs.get(order) {
                    None => Ok(Found::Later(&reference[1])),
                    Some(known) => match known.get(&output) {
                        Some(Known::Plain(text)) => Ok(Found::Text(text.clone())),
                        Some(Known::Secret { name, key }) => {
                            Ok(Found::Secret { resource: &reference[1], output, name, key })
                        }
                        None => {
                            let known: Vec<_> = known.keys().map(String::as_str).collect();
                            Err(format!("{name} has no output {output}, only {}", known.join(", ")))
                        }
                    },
                }
            }
            _ => Err(format!("${{{}}} refers to nothing; there is metadata and resources", said())),
        }
    }

    /// Parameters with all placeholders replaced; nothing after a fault.
    pub(super) fn render(
        &self,
        value: &Value,
        path: &str,
        waits_for: &mut BTreeSet<String>,
        faults: &mut Vec<ScoreFault>,
    ) -> Option<Value> {
        match value {
            Value::String(text) => {
                let parts = parse(text).map_err(|message| faults.push(ScoreFault::new(path, message))).ok()?;
                let mut rendered = String::new();
                for part in &parts {
                    let found = match part {
                        Part::Text(text) => {
                            rendered.push_str(text);
                            continue;
                        }
                        Part::Reference(reference) => self.find(reference),
                    };
                    match found {
                        Ok(Found::Text(text)) => rendered.push_str(&text),
                        Ok(Found::Later(name)) => drop(waits_for.insert(name.to_owned())),
                        Ok(Found::Secret { resource, .. }) => {
                            let message = format!("the output of {resource} is secret, and parameters are not");
                            faults.push(ScoreFault::new(path, message));
                            return None;
                        }
                        Err(message) => {
                            faults.push(ScoreFault::new(path, message));
                            return None;
                        }
                    }
                }
                Some(Value::String(rendered))
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(i, item)| self.render(item, &format!("{path}/{i}"), waits_for, faults));
                items.collect::<Option<Vec<_>>>().map(Value::Array)
            }
            Value::Object(fields) => {
                let mut rendered = Map::new();
                for (name, field) in fields {
                    let field = self.render(field, &format!("{path}/{}", escaped(name)), waits_for, faults)?;
                    rendered.insert(name.clone(), field);
                }
                Some(Value::Object(rendered))
            }
            other => Some(other.clone()),
        }
    }

    /// The environment variables of a container; nothing while one waits, or after a fault.
    pub(super) fn variables(
        &self,
        name: &str,
        container: &Container,
        faults: &mut Vec<ScoreFault>,
    ) -> Option<Vec<EnvVar>> {
        let mut secrets: BTreeMap<String, EnvVar> = BTreeMap::new();
        let mut variables = Vec::new();
        let mut is_known = true;
        for (variable, text) in &container.variables {
            let path = format!("/containers/{}/variables/{}", escaped(name), escaped(variable));
            let mut fault = |message: String| faults.push(ScoreFault::new(path.clone(), message));
            let parts = match parse(text) {
                Ok(parts) => parts,
                Err(message) => {
                    fault(message);
                    continue;
                }
            };
            let is_alone = parts.len() == 1;
            let mut value = String::new();
            let mut value_from = None;
            for part in &parts {
                let reference = match part {
                    Part::Text(text) => {
                        value.push_str(&literally(text));
                        continue;
                    }
                    Part::Reference(reference) => reference,
                };
                match self.find(reference) {
                    Ok(Found::Text(text)) => value.push_str(&literally(&text)),
                    Ok(Found::Later(_)) => is_known = false,
                    Ok(Found::Secret { resource, output, name, key }) => {
                        let from = json!({"secretKeyRef": {"name": name, "key": key}});
                        if is_alone {
                            value_from = Some(from);
                        } else {
                            // Kubernetes puts texts together, so that the secret is in no manifest.
                            let helper = helper_name(resource, &output);
                            value.push_str(&format!("$({helper})"));
                            let secret = EnvVar { name: helper.clone(), value: None, value_from: Some(from) };
                            secrets.insert(helper, secret);
                        }
                    }
                    Err(message) => fault(message),
                }
            }
            let value = value_from.is_none().then_some(value);
            variables.push(EnvVar { name: variable.clone(), value, value_from });
        }
        is_known.then(|| secrets.into_values().chain(variables).collect())
    }
}

/// Kubernetes takes `$(…)` apart in values, and `$$` for `$`.
fn literally(text: &str) -> String {
    text.replace("$(", "$$(")
}

fn helper_name(resource: &str, output: &str) -> String {
    let name = format!("SCORE_{resource}_{output}");
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
