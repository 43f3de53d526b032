//! Rewrites of objects between the two sides.

mod cel;
mod identity;
mod numbers;

use std::fmt;

use serde_json::Value;

use self::cel::Expression;

use crate::{
    api::ResourceMutation,
    diagnostic::Diagnostics,
    path::{self, Path},
    rewrite::RegexReplace,
    template::{Dialect, Scope, Template},
};

/// Rewrites in the order they are applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mutations {
    /// The field they are from, for messages.
    field: String,
    rules: Vec<Mutation>,
}

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
    Cel(Expression),
}

impl Mutations {
    pub(crate) fn compile(list: &[ResourceMutation], field: &str, faults: &mut Diagnostics) -> Self {
        let compiled = list.iter().enumerate();
        let rules = compiled.filter_map(|(at, mutation)| compile(mutation, &format!("{field}[{at}]"), faults));
        Self { rules: rules.collect(), field: field.into() }
    }

    /// Whether the value at `path` certainly is what these say, whatever the object they are applied
    /// to holds.
    pub(crate) fn decide(&self, path: &Path) -> bool {
        self.rules.iter().fold(false, |is_decided, rule| {
            if rule.path.covers(path) {
                rule.action.is_independent()
            } else {
                is_decided && (rule.action.is_independent() || !rule.path.may_touch(path))
            }
        })
    }

    /// The object with everything applied, except for what identifies it: of the metadata, only
    /// labels and annotations can be rewritten.
    ///
    /// As in the existing agent, numbers are floats once a rule was applied: integers beyond 2^53
    /// lose precision. Whole numbers are integers again in the result.
    ///
    /// # Errors
    /// When a template or expression fails on this object, or a path leads into a list.
    pub(crate) fn apply(&self, object: Value, other: &Value) -> Result<Value, String> {
        if self.rules.is_empty() {
            return Ok(object);
        }
        let mut mutated = object.clone();
        for (at, rule) in self.rules.iter().enumerate() {
            rule.apply(&mut mutated, other).map_err(|e| format!("{}[{at}] at {}: {e}", self.field, rule.path))?;
            numbers::to_floats(&mut mutated);
        }
        numbers::to_integers(&mut mutated);
        identity::restore(&mut mutated, object);
        Ok(mutated)
    }
}

fn compile(mutation: &ResourceMutation, field: &str, faults: &mut Diagnostics) -> Option<Mutation> {
    let ResourceMutation { delete, regex, template, cel } = mutation;
    let (kind, path, action) = if let Some(delete) = delete {
        ("delete", &delete.path, Some(Action::Delete))
    } else if let Some(regex) = regex {
        let replace = RegexReplace::new(&regex.pattern, &regex.replacement);
        ("regex", &regex.path, faults.check(format!("{field}.regex.pattern"), replace).map(Action::Regex))
    } else if let Some(template) = template {
        let parsed = Template::parse(&template.template, Dialect::Html);
        ("template", &template.path, faults.check(format!("{field}.template.template"), parsed).map(Action::Template))
    } else {
        let Some(cel) = cel else {
            faults.push(field, "one of delete, regex, template and cel must be given");
            return None;
        };
        let program = Expression::compile(&cel.expression);
        ("cel", &cel.path, faults.check(format!("{field}.cel.expression"), program).map(Action::Cel))
    };
    let path: Path = faults.check(format!("{field}.{kind}.path"), path.parse())?;
    if delete.is_some() && path.is_written_by_query() {
        faults.push(format!("{field}.delete.path"), "a value cannot be deleted by a query");
        return None;
    }
    Some(Mutation { path, action: action? })
}

impl Mutation {
    fn apply(&self, object: &mut Value, other: &Value) -> Result<(), String> {
        let found = self.path.get(object);
        let value = match &self.action {
            Action::Delete => {
                self.path.delete(object);
                return Ok(());
            }
            Action::Regex(replace) => replace.apply(&path::text(found.as_deref())).into(),
            Action::Template(template) => {
                let scope = Scope::default()
                    .with_found("Value", found.as_deref())
                    .with_json("LocalObject", object)
                    .with_json("RemoteObject", other);
                template.render(&scope).map_err(|e| e.to_string())?.into()
            }
            Action::Cel(program) => program.evaluate(found.as_deref(), object, other)?,
        };
        self.path.set(object, value).map_err(|e| e.to_string())
    }
}

impl Action {
    /// Whether the result depends on nothing that the writer of the object chooses.
    fn is_independent(&self) -> bool {
        match self {
            Self::Delete => true,
            Self::Regex(replace) => replace.is_independent(),
            // The control plane chooses the uid.
            Self::Template(template) => template.reads().iter().all(|keys| *keys == ["LocalObject", "metadata", "uid"]),
            Self::Cel(program) => program.is_independent(),
        }
    }
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
mod tests;
