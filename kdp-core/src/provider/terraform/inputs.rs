//! What the module of an order is given, and all of it in a form that can be kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{module::Module, options::TerraformOptions, stored::Stored};
use crate::{
    Error, ErrorKind,
    provider::{Order, OrderId, Redactor},
};

/// A module and what it is given.
#[derive(Clone)]
pub(super) struct Inputs {
    pub(super) module: Module,
    pub(super) variables: Map<String, Value>,
    /// Names of the variables that the platform calls sensitive.
    pub(super) sensitive: Vec<String>,
}

impl Inputs {
    /// The inputs of an order.
    ///
    /// # Errors
    /// `Invalid` with all fields that are wrong.
    pub(super) fn of(order: &Order, module: &Module, options: &TerraformOptions) -> Result<Self, Error> {
        let invalid = |message| Error::new(ErrorKind::Invalid, "plan", &order.id, message);
        let empty = Map::new();
        let spec = match &order.spec {
            Value::Object(spec) => spec,
            Value::Null => &empty,
            _ => return Err(invalid("spec: must be an object".into())),
        };
        let mut faults = Vec::new();
        let is_open = |name: &&String| module.variables().contains_key(*name) && !options.given.contains_key(*name);
        faults.extend(spec.keys().filter(|name| !is_open(name)).map(|name| format!("{name}: there is no such field")));
        for (name, variable) in module.variables() {
            if !options.given.contains_key(name) {
                variable.check(name, spec.get(name), &mut faults);
            }
        }
        if !faults.is_empty() {
            return Err(invalid(faults.join("; ")));
        }
        let given = options.given.iter().map(|(name, given)| (name.clone(), given.value(&order.id)));
        let variables = spec.clone().into_iter().chain(given).collect();
        Ok(Self { module: module.clone(), variables, sensitive: options.sensitive.iter().cloned().collect() })
    }

    /// All of it, with the lock file of the plugins.
    pub(super) fn to_bytes(&self, lock_file: Option<Vec<u8>>) -> Vec<u8> {
        let module = match lock_file {
            Some(content) => self.module.clone().with_file(super::place::LOCK_FILE, content),
            None => self.module.clone(),
        };
        let kept = json!({"module": module.to_json(), "variables": self.variables, "sensitive": self.sensitive});
        kept.to_string().into_bytes()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub(super) fn from_bytes(bytes: &[u8], id: &OrderId) -> Result<Self, Error> {
        let kept: Option<Self> = serde_json::from_slice(bytes).ok().and_then(|kept: Value| {
            let sensitive = kept["sensitive"].as_array()?.iter().map(|name| Some(name.as_str()?.to_owned()));
            Some(Self {
                module: Module::from_json(&kept["module"])?,
                variables: kept["variables"].as_object()?.clone(),
                sensitive: sensitive.collect::<Option<_>>()?,
            })
        });
        kept.ok_or_else(|| Error::new(ErrorKind::Internal, "read", id, "the inputs that were kept cannot be read"))
    }

    /// What goes with a plan that has the other variables in it; none when that is nothing.
    pub(super) fn ephemeral(&self) -> Option<Map<String, Value>> {
        let is_ephemeral = |name: &str| self.module.variables().get(name).is_some_and(|one| one.is_ephemeral);
        let ephemeral: Map<_, _> =
            self.variables.iter().filter(|(name, _)| is_ephemeral(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
        (!ephemeral.is_empty()).then_some(ephemeral)
    }

    /// Takes the secrets among them, and those of the state, out of texts.
    pub(super) fn redactor(&self, state: Option<&Stored>) -> Redactor {
        let declared: BTreeMap<_, _> = self.module.variables().iter().collect();
        let is_secret = |name: &String| {
            self.sensitive.contains(name) || declared.get(name).is_some_and(|one| one.is_sensitive || one.is_ephemeral)
        };
        let secrets = self.variables.iter().filter(|(name, _)| is_secret(name));
        let known = secrets.fold(Redactor::new(), |known, (_, value)| with_texts(known, value));
        let outputs = state.into_iter().flat_map(Stored::outputs).filter(|(_, output)| output.sensitive);
        outputs.fold(known, |known, (_, output)| known.with(output.value))
    }
}

fn with_texts(known: Redactor, value: &Value) -> Redactor {
    match value {
        Value::String(text) => known.with(text),
        Value::Array(items) => items.iter().fold(known, with_texts),
        Value::Object(fields) => fields.values().fold(known, with_texts),
        Value::Number(number) => known.with(number.to_string()),
        _ => known,
    }
}
