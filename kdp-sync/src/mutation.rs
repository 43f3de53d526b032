//! Rewrites of objects between the two sides.

use std::{fmt, sync::Arc};

use kube_cel::cel::{
    Context, Program, Value as Cel,
    objects::{Key, Map as CelMap},
};
use serde_json::Value;

use crate::{
    api::ResourceMutation,
    diagnostic::Diagnostics,
    path::{self, Path},
    rewrite::RegexReplace,
    template::{Dialect, Scope, Template},
};

/// Rewrites in the order they are applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mutations(Vec<Mutation>);

#[derive(Clone, Debug)]
struct Mutation {
    path: Path,
    action: Action,
}

#[derive(Clone)]
enum Action {
    Delete,
    Regex(RegexReplace),
    Template(Template),
    Cel(Arc<Program>),
}

impl Mutations {
    pub(crate) fn compile(list: &[ResourceMutation], field: &str, faults: &mut Diagnostics) -> Self {
        let compiled = list.iter().enumerate();
        Self(compiled.filter_map(|(at, mutation)| compile(mutation, &format!("{field}[{at}]"), faults)).collect())
    }

    /// Whether these decide the value at `path`.
    pub(crate) fn decide(&self, path: &Path) -> bool {
        self.0.iter().any(|mutation| mutation.path.leads_to(path))
    }

    /// The object with everything applied.
    ///
    /// # Errors
    /// When a template or expression fails on this object, or a path leads into a list.
    pub(crate) fn apply(&self, mut object: Value, other: &Value) -> Result<Value, String> {
        for mutation in &self.0 {
            mutation.apply(&mut object, other).map_err(|e| format!("mutation of {}: {e}", mutation.path))?;
        }
        Ok(object)
    }
}

fn compile(mutation: &ResourceMutation, field: &str, faults: &mut Diagnostics) -> Option<Mutation> {
    let ResourceMutation { delete, regex, template, cel } = mutation;
    let given = [delete.is_some(), regex.is_some(), template.is_some(), cel.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        faults.push(field, "exactly one of delete, regex, template and cel must be given");
        return None;
    }
    let (kind, path, action) = if let Some(delete) = delete {
        ("delete", &delete.path, Some(Action::Delete))
    } else if let Some(regex) = regex {
        let replace = RegexReplace::new(&regex.pattern, &regex.replacement);
        ("regex", &regex.path, faults.check(format!("{field}.regex.pattern"), replace).map(Action::Regex))
    } else if let Some(template) = template {
        let parsed = Template::parse(&template.template, Dialect::Html);
        ("template", &template.path, faults.check(format!("{field}.template.template"), parsed).map(Action::Template))
    } else {
        let cel = cel.as_ref()?;
        let program = compile_cel(&cel.expression);
        ("cel", &cel.path, faults.check(format!("{field}.cel.expression"), program).map(Action::Cel))
    };
    let path = faults.check(format!("{field}.{kind}.path"), path.parse())?;
    Some(Mutation { path, action: action? })
}

fn compile_cel(expression: &str) -> Result<Arc<Program>, String> {
    let program = Program::compile(expression).map_err(|e| e.to_string())?;
    let references = program.references();
    match references.variables().into_iter().find(|name| !["value", "self", "other"].contains(name)) {
        Some(unknown) => Err(format!("there is no {unknown} here, only value, self and other")),
        None => Ok(Arc::new(program)),
    }
}

impl Mutation {
    fn apply(&self, object: &mut Value, other: &Value) -> Result<(), String> {
        let value = match &self.action {
            Action::Delete => {
                self.path.delete(object);
                return Ok(());
            }
            Action::Regex(replace) => replace.apply(&path::text(self.path.get(object))).into(),
            Action::Template(template) => {
                let scope = Scope::default()
                    .with_found("Value", self.path.get(object))
                    .with_json("LocalObject", object)
                    .with_json("RemoteObject", other);
                template.render(&scope).map_err(|e| e.to_string())?.into()
            }
            Action::Cel(program) => evaluate(program, self.path.get(object).unwrap_or(&Value::Null), object, other)?,
        };
        self.path.set(object, value).map_err(|e| e.to_string())
    }
}

fn evaluate(program: &Program, value: &Value, object: &Value, other: &Value) -> Result<Value, String> {
    let mut context = Context::default();
    for (name, value) in [("value", value), ("self", object), ("other", other)] {
        context.add_variable_from_value(name, to_cel(value));
    }
    let result = program.execute(&context).map_err(|e| e.to_string())?;
    to_json(&result)
}

/// Whole numbers become `int`, as in Kubernetes' own expressions.
fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(truth) => Cel::Bool(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value)));
            Cel::Map(CelMap { map: Arc::new(pairs.collect()) })
        }
    }
}

fn to_json(value: &Cel) -> Result<Value, String> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(truth) => (*truth).into(),
        Cel::Int(number) => (*number).into(),
        Cel::UInt(number) => (*number).into(),
        Cel::Float(number) => (*number).into(),
        Cel::String(text) => text.as_str().into(),
        Cel::List(items) => items.iter().map(to_json).collect::<Result<_, _>>()?,
        Cel::Map(map) => {
            let pairs = map.map.iter().map(|(key, value)| Ok((key.to_string(), to_json(value)?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
        other => return Err(format!("the expression gives a {:?}, which JSON cannot hold", other.type_of())),
    })
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delete => "Delete",
            Self::Regex(_) => "Regex",
            Self::Template(_) => "Template",
            Self::Cel(_) => "Cel",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compile(list: Value) -> Result<Mutations, Vec<crate::Diagnostic>> {
        let mut faults = Diagnostics::default();
        let list: Vec<ResourceMutation> = serde_json::from_value(list).unwrap();
        let mutations = Mutations::compile(&list, "spec.mutation.spec", &mut faults);
        faults.finish(Some(mutations))
    }

    #[expect(clippy::needless_pass_by_value, reason = "the table reads better")]
    fn check(mutation: Value, expected: Value) {
        let object = json!({"spec": {"image": "old/app:1", "size": 3, "list": ["a"]}});
        let other = json!({"status": {"host": "h"}});
        let result = compile(json!([mutation])).unwrap().apply(object, &other).unwrap();
        assert_eq!(result["spec"], expected, "{mutation}");
    }

    #[test]
    fn each_kind_rewrites_its_path() {
        check(json!({"delete": {"path": "spec.size"}}), json!({"image": "old/app:1", "list": ["a"]}));
        check(
            json!({"regex": {"path": "spec.image", "pattern": "^old/", "replacement": "new/"}}),
            json!({"image": "new/app:1", "size": 3, "list": ["a"]}),
        );
        check(
            json!({"regex": {"path": "spec.size", "replacement": "none"}}),
            json!({"image": "old/app:1", "size": "none", "list": ["a"]}),
        );
        check(
            json!({"template": {"path": "spec.list.-1", "template": "{{ upper .RemoteObject.status.host }}-{{ .LocalObject.spec.size }}"}}),
            json!({"image": "old/app:1", "size": 3, "list": ["a", "H-3"]}),
        );
        check(
            json!({"template": {"path": "spec.image", "template": "{{ .Value.String | replace \"old\" \"my\" }}"}}),
            json!({"image": "my/app:1", "size": 3, "list": ["a"]}),
        );
        check(
            json!({"cel": {"path": "spec.size", "expression": "value + size(self.spec.list) + (has(other.status) ? 1 : 0)"}}),
            json!({"image": "old/app:1", "size": 5, "list": ["a"]}),
        );
    }

    #[test]
    fn faults_name_their_field() {
        let field = |mutation: Value| compile(json!([mutation])).unwrap_err()[0].field.clone();
        assert_eq!(field(json!({})), "spec.mutation.spec[0]");
        assert_eq!(
            field(json!({"delete": {"path": "a"}, "cel": {"path": "a", "expression": "1"}})),
            "spec.mutation.spec[0]"
        );
        assert_eq!(field(json!({"delete": {"path": "a.#.b"}})), "spec.mutation.spec[0].delete.path");
        assert_eq!(field(json!({"regex": {"path": "a", "pattern": "("}})), "spec.mutation.spec[0].regex.pattern");
        assert_eq!(
            field(json!({"template": {"path": "a", "template": "{{ env }}"}})),
            "spec.mutation.spec[0].template.template"
        );
        assert_eq!(field(json!({"cel": {"path": "a", "expression": "1 +"}})), "spec.mutation.spec[0].cel.expression");
        assert_eq!(
            field(json!({"cel": {"path": "a", "expression": "thing.a"}})),
            "spec.mutation.spec[0].cel.expression"
        );
    }
}
