//! `x-kubernetes-validations`: rules in CEL.

use std::sync::Arc;

use kube_cel::cel::objects::OptionalValue;
use kube_cel::cel::{Context, ExecutionError, ResolveResult, Value as CelValue};
use kube_cel::{CompilationError, CompilationResult, KubeCelExt};
use serde_json::{Map, Value, json};

use super::cel_regex;
use super::cel_value::{self, Largest};
use super::correlate::{self, OldItems};
use super::expression::{self, BUDGET, Fields, Outline};
use super::node::Node;
use super::path::Path;
use super::prune::Place;
use crate::embedded::status::{FieldError, FieldErrorKind};

thread_local! {
    /// What rules may call; making it takes longer than most rules.
    static LIBRARY: Context<'static> = library();
}

/// The functions of Kubernetes, and those of the CEL standard that the engine lacks: `dyn`, and
/// `type` with the names of types, which are texts here.
fn library() -> Context<'static> {
    let mut library = Context::default().with_all();
    cel_regex::register(&mut library);
    library.add_function("dyn", |value: CelValue| -> ResolveResult { Ok(value) });
    library.add_function("type", |value: CelValue| type_name(&value).to_owned());
    for name in expression::TYPES {
        library.add_variable_from_value(*name, *name);
    }
    library
}

fn type_name(value: &CelValue) -> &'static str {
    match value {
        CelValue::List(_) => "list",
        CelValue::Map(_) => "map",
        CelValue::Int(_) => "int",
        CelValue::UInt(_) => "uint",
        CelValue::Float(_) => "double",
        CelValue::String(_) => "string",
        CelValue::Bytes(_) => "bytes",
        CelValue::Bool(_) => "bool",
        CelValue::Null => "null_type",
        _ => "unknown",
    }
}

/// The rules of one node.
#[derive(Debug)]
pub(super) struct Rules {
    list: Vec<Result<Rule, CompilationError>>,
    /// What any of them reads.
    fields: Fields,
}

/// A compiled rule.
#[derive(Debug)]
struct Rule {
    compiled: CompilationResult,
    outline: Outline,
    message: Option<Outline>,
}

impl Rules {
    /// The rules of `schema`; `None` when it has none.
    pub(super) fn compile(schema: &Map<String, Value>) -> Option<Self> {
        let rules = schema.get("x-kubernetes-validations")?.as_array().filter(|rules| !rules.is_empty())?;
        let compiled = kube_cel::compile_schema(&json!({ "x-kubernetes-validations": rules }));
        let rules = compiled.validations.into_iter().map(|result| {
            result.map(|compiled| Rule {
                outline: Outline::of(compiled.program.expression()),
                message: compiled.message_program.as_ref().map(|program| Outline::of(program.expression())),
                compiled,
            })
        });
        let list: Vec<_> = rules.collect();
        let mut fields = Fields::default();
        for rule in list.iter().flatten() {
            fields.join(&rule.outline.fields);
            rule.message.iter().for_each(|message| fields.join(&message.fields));
        }
        Some(Self { list, fields })
    }

    /// Why each rule that cannot be used cannot: its index, the part at fault and the reason.
    pub(super) fn faults(&self) -> impl Iterator<Item = (usize, &'static str, String)> {
        self.list.iter().enumerate().filter_map(|(index, rule)| match rule {
            Err(error @ CompilationError::MessageExpressionParse { .. }) => {
                Some((index, "messageExpression", format!("compilation failed: {error}")))
            }
            Err(error) => Some((index, "rule", format!("compilation failed: {error}"))),
            Ok(rule) => rule.undeclared().map(|(part, name)| {
                (index, part, format!("compilation failed: ERROR: undeclared reference to '{name}' (in container '')"))
            }),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether rule `index` compares with the old value.
    pub(super) fn is_transition(&self, index: usize) -> bool {
        matches!(self.list.get(index), Some(Ok(rule)) if rule.is_transition())
    }
}

/// A value and what it was before, as far as the two can be told to be the same thing.
#[derive(Clone, Copy)]
struct Change<'a> {
    new: &'a Value,
    old: Option<&'a Value>,
}

/// Adds the faults that the rules at and below `node` find in `value`.
pub(super) fn validate(
    node: &Node,
    value: &Value,
    old: Option<&Value>,
    place: Place,
    path: Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let change = Change { new: value, old };
    LIBRARY.with(|library| Walk { library, errors }.node(node, change, change, place, path));
}

struct Walk<'w> {
    library: &'w Context<'static>,
    errors: &'w mut Vec<FieldError>,
}

impl Walk<'_> {
    /// `nearest` is the closest change at or above this one that has an old value to compare with.
    fn node(&mut self, node: &Node, change: Change<'_>, nearest: Change<'_>, place: Place, path: Path<'_>) {
        // Rules about null belong to the surrounding object.
        if !node.below.rules || change.new.is_null() {
            return;
        }
        let nearest = if change.old.is_some() { change } else { nearest };
        if let Some(rules) = &node.rules {
            self.rules(rules, node, change, nearest, place, path);
        }
        match change.new {
            Value::Object(fields) => {
                for (name, new) in fields {
                    let path = if node.properties.contains_key(name) { path.field(name) } else { path.key(name) };
                    if let Some(shape) = node.field(name) {
                        let old = correlate::field(node, change.old, name);
                        self.node(shape, Change { new, old }, nearest, Place::Inside, path);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(shape) = node.items.as_deref() {
                    let old_items = OldItems::new(node, change.old);
                    for (index, new) in items.iter().enumerate() {
                        let old = old_items.find(index, new);
                        self.node(shape, Change { new, old }, nearest, Place::Inside, path.index(index));
                    }
                }
            }
            _ => {}
        }
    }

    fn rules(
        &mut self,
        rules: &Rules,
        node: &Node,
        change: Change<'_>,
        nearest: Change<'_>,
        place: Place,
        path: Path<'_>,
    ) {
        let old = change.old.filter(|old| !old.is_null());
        let applies = |rule: &Rule| old.is_some() || rule.is_optional() || !rule.is_transition();
        if rules.list.iter().all(|rule| rule.as_ref().is_ok_and(|rule| !applies(rule))) {
            return;
        }
        let mut largest = Largest::default();
        let mut convert = |value| cel_value::convert(node, value, place, &rules.fields, &mut largest);
        let new = convert(change.new);
        let old_self = rules.list.iter().flatten().any(Rule::is_transition).then_some(old).flatten().map(convert);

        let mut scope = self.library.new_inner_scope();
        scope.add_variable_from_value("self", new);
        if let Some(old_self) = &old_self {
            scope.add_variable_from_value("oldSelf", old_self.clone());
        }
        // A rule with optionalOldSelf asks `oldSelf.hasValue()`, on create too.
        let mut optional = scope.new_inner_scope();
        let old_self = old_self.map_or_else(OptionalValue::none, OptionalValue::of);
        optional.add_variable_from_value("oldSelf", CelValue::Opaque(Arc::new(old_self)));

        for rule in &rules.list {
            let rule = match rule {
                Ok(rule) if applies(rule) => rule,
                Ok(_) => continue,
                Err(error) => {
                    self.errors.push(fault(path, node, format!("rule compile error: {error}")));
                    continue;
                }
            };
            let scope = if rule.is_optional() { &optional } else { &scope };
            let Some(error) = rule.evaluate(scope, largest, node, change.new, path) else { continue };
            // What was wrong before the update and is untouched by it may stay.
            if rule.is_transition() || nearest.old != Some(nearest.new) {
                self.errors.push(error);
            }
        }
    }
}

impl Rule {
    /// Whether it compares with the old value.
    fn is_transition(&self) -> bool {
        self.outline.uses("oldSelf")
    }

    /// Whether it is asked also when there is no old value.
    fn is_optional(&self) -> bool {
        self.compiled.rule.optional_old_self == Some(true)
    }

    fn undeclared(&self) -> Option<(&'static str, String)> {
        LIBRARY.with(|library| {
            let rule = self.outline.undeclared(library).map(|name| ("rule", name));
            let message = || Some(("messageExpression", self.message.as_ref()?.undeclared(library)?));
            rule.or_else(message)
        })
    }

    fn evaluate(
        &self,
        scope: &Context<'_>,
        largest: Largest,
        node: &Node,
        value: &Value,
        path: Path<'_>,
    ) -> Option<FieldError> {
        if self.outline.cost(largest) > BUDGET {
            let detail = "validation failed due to running out of cost budget, no further validation rules will be run";
            return Some(fault(path, node, detail.into()));
        }
        match self.compiled.program.execute(scope) {
            Ok(CelValue::Bool(true)) => None,
            Ok(CelValue::Bool(false)) => Some(self.broken(self.message(scope, largest), value, path)),
            Ok(_) => Some(fault(path, node, format!("rule did not evaluate to bool: {}", self.text()))),
            Err(error) => Some(fault(path, node, self.failure(&error))),
        }
    }

    fn failure(&self, error: &ExecutionError) -> String {
        match error {
            ExecutionError::NoSuchKey(key) => format!("no such key: {key} evaluating rule: {}", self.text()),
            ExecutionError::NoSuchOverload => format!(
                "'no such overload': call arguments did not match a supported operator, function or macro \
                 signature for rule: {}",
                self.text()
            ),
            other => format!("{other} evaluating rule: {}", self.text()),
        }
    }

    /// The message of a broken rule: computed, given, or the rule itself.
    fn message(&self, scope: &Context<'_>, largest: Largest) -> String {
        if let (Some(program), Some(outline)) = (&self.compiled.message_program, &self.message)
            && outline.cost(largest) <= BUDGET
            && let Ok(CelValue::String(text)) = program.execute(scope)
            && !text.trim().is_empty()
            && !text.contains('\n')
        {
            return text.trim().to_owned();
        }
        match &self.compiled.rule.message {
            Some(message) if !message.trim().is_empty() => message.trim().to_owned(),
            _ => format!("failed rule: {}", self.compiled.rule.rule.trim()),
        }
    }

    fn text(&self) -> &str {
        let rule = &self.compiled.rule;
        rule.message.as_deref().filter(|message| !message.is_empty()).unwrap_or(&rule.rule).trim()
    }

    fn broken(&self, detail: String, value: &Value, path: Path<'_>) -> FieldError {
        let rule = &self.compiled.rule;
        let mut field = path.to_string();
        if let Some(below) = rule.field_path.as_deref().map(|below| below.trim().trim_start_matches('.'))
            && !below.is_empty()
        {
            if !field.is_empty() && !below.starts_with('[') {
                field.push('.');
            }
            field.push_str(below);
        }
        let value = match value {
            Value::Object(_) => "object".into(),
            Value::Array(_) => "array".into(),
            scalar => scalar.clone(),
        };
        match rule.reason.as_deref() {
            Some("FieldValueRequired") => FieldError::required(field, detail),
            Some("FieldValueForbidden") => FieldError::forbidden(field, detail),
            Some("FieldValueDuplicate") => FieldError::new(field, FieldErrorKind::Duplicate, value, detail),
            _ => FieldError::invalid(field, value, detail),
        }
    }
}

fn fault(path: Path<'_>, node: &Node, detail: String) -> FieldError {
    FieldError::invalid(path.to_string(), node.type_.name(), detail)
}
