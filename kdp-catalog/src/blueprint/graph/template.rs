//! Templates: JSON with CEL in its texts, compiled once and rendered often.

use std::collections::{BTreeSet, HashMap};

use kdp_core::cel::{Environment, Expression};
use serde_json::{Map, Value};

use super::{
    infer::{Variables, infer},
    text::{self, Part},
    types::{Field, Type, field_of, resolved},
};
use crate::blueprint::{fault::Fault, path::Path};

/// How deep a template may be nested.
const MAX_DEPTH: usize = 100;

/// A compiled template.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    /// Without CEL.
    Plain(Value),
    /// The value of an expression, with its type.
    Cel(Expression),
    /// A text with the values of expressions in it.
    Text(Vec<Piece>),
    Object(Vec<(String, Self)>),
    List(Vec<Self>),
}

/// A part of a text.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Plain(String),
    Cel(Expression),
}

impl Template {
    /// Writes values in; fails at the first that cannot be told.
    pub(crate) fn render(&self, among: &Environment<'_>, at: &Path<'_>) -> Result<Value, Fault> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::Cel(expression) => expression.evaluate_in(among).map_err(|message| Fault::new(at, message))?,
            Self::Text(pieces) => render_text(pieces, among).map_err(|message| Fault::new(at, message))?.into(),
            Self::Object(fields) => {
                let render = |(name, field): &(String, Self)| Ok((name.clone(), field.render(among, &at.field(name))?));
                Value::Object(fields.iter().map(render).collect::<Result<_, _>>()?)
            }
            Self::List(items) => {
                let render = |(position, item): (usize, &Self)| item.render(among, &at.index(position));
                items.iter().enumerate().map(render).collect::<Result<_, _>>()?
            }
        })
    }

    /// Writes in what can be told and leaves out the fields that cannot, and the objects in which none can.
    pub(crate) fn render_known(&self, among: &Environment<'_>) -> Option<Value> {
        match self {
            Self::Plain(value) => Some(value.clone()),
            Self::Cel(expression) => expression.evaluate_in(among).ok().filter(|value| !value.is_null()),
            Self::Text(pieces) => render_text(pieces, among).ok().map(Value::from),
            Self::Object(fields) => {
                let known: Map<_, _> = fields
                    .iter()
                    .filter_map(|(name, field)| Some((name.clone(), field.render_known(among)?)))
                    .collect();
                (!known.is_empty() || fields.is_empty()).then_some(Value::Object(known))
            }
            // A list with gaps would shift its elements.
            Self::List(items) => items.iter().map(|item| item.render_known(among)).collect(),
        }
    }

    /// A list; plain when all its elements are.
    fn list(items: Vec<Self>) -> Self {
        if !items.iter().all(Self::is_plain) {
            return Self::List(items);
        }
        Self::Plain(items.into_iter().filter_map(Self::into_plain).collect())
    }

    /// An object; plain when all its fields are.
    fn object(fields: Vec<(String, Self)>) -> Self {
        if !fields.iter().all(|(_, field)| field.is_plain()) {
            return Self::Object(fields);
        }
        let fields = fields.into_iter().filter_map(|(name, field)| Some((name, field.into_plain()?)));
        Self::Plain(Value::Object(fields.collect()))
    }

    fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    fn into_plain(self) -> Option<Value> {
        if let Self::Plain(value) = self { Some(value) } else { None }
    }

    /// One of the fields, when this is an object.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(known, _)| known == name).map(|(_, field)| field),
            _ => None,
        }
    }

    /// Whether some expression in it uses a variable.
    pub(super) fn uses(&self, variable: &str) -> bool {
        let in_expression = |expression: &Expression| expression.variables().any(|name| name == variable);
        match self {
            Self::Plain(_) => false,
            Self::Cel(expression) => in_expression(expression),
            Self::Text(pieces) => pieces.iter().any(|piece| matches!(piece, Piece::Cel(cel) if in_expression(cel))),
            Self::Object(fields) => fields.iter().any(|(_, field)| field.uses(variable)),
            Self::List(items) => items.iter().any(|item| item.uses(variable)),
        }
    }
}

fn render_text(pieces: &[Piece], among: &Environment<'_>) -> Result<String, String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => text.push_str(plain),
            Piece::Cel(expression) => match expression.evaluate_in(among)? {
                Value::String(value) => text.push_str(&value),
                value @ (Value::Number(_) | Value::Bool(_)) => text.push_str(&value.to_string()),
                value => return Err(format!("{value} cannot be part of a text")),
            },
        }
    }
    Ok(text)
}

/// Expressions by their text, for many are written more than once.
#[derive(Debug, Default)]
pub(super) struct Programs(HashMap<String, Result<Expression, String>>);

impl Programs {
    fn compile(&mut self, text: &str) -> Result<Expression, String> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let compiled = Expression::compile_open(text.trim());
        self.0.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

/// What is known of the place a value is written to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'s> {
    /// It has this schema.
    Field(&'s Value),
    /// Nothing.
    Open,
}

impl<'s> Target<'s> {
    fn field(self, name: &str) -> Option<Self> {
        let field = match self {
            Self::Field(schema) => field_of(schema, name),
            Self::Open => Field::Open,
        };
        match field {
            Field::Known(schema) => Some(Self::Field(schema)),
            Field::Open => Some(Self::Open),
            Field::Missing => None,
        }
    }

    fn item(self) -> Self {
        match self {
            Self::Field(schema) => resolved(schema).get("items").map_or(Self::Open, Self::Field),
            Self::Open => Self::Open,
        }
    }

    /// Why a value of a type cannot stand here.
    fn misfit(self, type_: &Type<'_>) -> Option<String> {
        match self {
            Self::Field(schema) => type_.misfit(&Type::of(schema), 0),
            Self::Open => None,
        }
    }
}

/// Compiles templates with one set of variables.
#[derive(Debug)]
pub(super) struct Compiler<'c, 's> {
    pub(super) programs: &'c mut Programs,
    pub(super) variables: Variables<'c, 's>,
    /// Nodes by their ids.
    pub(super) nodes: &'c HashMap<&'s str, usize>,
    /// The nodes whose values were used.
    pub(super) used: BTreeSet<usize>,
    pub(super) faults: &'c mut Vec<Fault>,
}

impl<'s> Compiler<'_, 's> {
    /// Compiles what is written to a place. A part with a fault becomes null.
    pub(super) fn template(&mut self, value: &Value, target: Target<'s>, at: &Path<'_>) -> Template {
        self.template_at(value, target, at, 0)
    }

    /// Compiles the fields of an object.
    pub(super) fn fields(&mut self, fields: &Map<String, Value>, target: Target<'s>, at: &Path<'_>) -> Template {
        self.object(fields, target, at, 0)
    }

    /// Compiles what is between `${` and `}`; also tells its type.
    pub(super) fn expression(&mut self, text: &str, at: &Path<'_>) -> Option<(Expression, Type<'s>)> {
        let expression = match self.programs.compile(text) {
            Ok(expression) => expression,
            Err(message) => {
                self.faults.push(Fault::new(at, message));
                return None;
            }
        };
        let mut is_complete = true;
        for name in expression.variables() {
            if self.variables.get(name).is_none() {
                let message = format!("there is no {name} here, only {}", self.variables.list());
                self.faults.push(Fault::new(at, message));
                is_complete = false;
            } else if let Some(node) = self.nodes.get(name) {
                self.used.insert(*node);
            }
        }
        let mut messages = Vec::new();
        let type_ = infer(expression.syntax(), &self.variables, &mut messages);
        self.faults.extend(messages.into_iter().map(|message| Fault::new(at, message)));
        is_complete.then_some((expression, type_))
    }

    fn template_at(&mut self, value: &Value, target: Target<'s>, at: &Path<'_>, depth: usize) -> Template {
        if depth > MAX_DEPTH {
            self.faults.push(Fault::new(at, format!("it is nested more than {MAX_DEPTH} deep")));
            return Template::Plain(Value::Null);
        }
        match value {
            Value::Object(fields) => self.object(fields, target, at, depth),
            Value::Array(items) => {
                self.check(&Type::List(Box::new(Type::Any)), target, at);
                let compile = |(position, item)| self.template_at(item, target.item(), &at.index(position), depth + 1);
                Template::list(items.iter().enumerate().map(compile).collect())
            }
            Value::String(text) => self.text(text, target, at),
            Value::Null => Template::Plain(Value::Null),
            Value::Bool(_) => self.plain(value, &Type::Bool, target, at),
            Value::Number(number) => {
                let type_ = if number.is_f64() { Type::Double } else { Type::Int };
                self.plain(value, &type_, target, at)
            }
        }
    }

    fn object(&mut self, fields: &Map<String, Value>, target: Target<'s>, at: &Path<'_>, depth: usize) -> Template {
        if !self.check(&Type::Map(Box::new(Type::Any)), target, at) {
            return Template::Plain(Value::Null);
        }
        let mut compiled = Vec::with_capacity(fields.len());
        for (name, field) in fields {
            let path = at.field(name);
            let target = target.field(name).unwrap_or_else(|| {
                self.faults.push(Fault::new(path, "there is no such field"));
                Target::Open
            });
            compiled.push((name.clone(), self.template_at(field, target, &path, depth + 1)));
        }
        Template::object(compiled)
    }

    fn text(&mut self, text: &str, target: Target<'s>, at: &Path<'_>) -> Template {
        let parts = match text::parts(text) {
            Ok(parts) => parts,
            Err(message) => {
                self.faults.push(Fault::new(at, message));
                return Template::Plain(Value::Null);
            }
        };
        if let [Part::Cel(cel)] = parts.as_slice() {
            let Some((expression, type_)) = self.expression(cel, at) else { return Template::Plain(Value::Null) };
            self.check(&type_, target, at);
            return Template::Cel(expression);
        }
        self.check(&Type::String, target, at);
        if !parts.iter().any(|part| matches!(part, Part::Cel(_))) {
            return Template::Plain(text.into());
        }
        Template::Text(parts.into_iter().filter_map(|part| self.piece(part, at)).collect())
    }

    fn piece(&mut self, part: Part<'_>, at: &Path<'_>) -> Option<Piece> {
        let text = match part {
            Part::Plain(text) => return Some(Piece::Plain(text.to_owned())),
            Part::Cel(text) => text,
        };
        let (expression, type_) = self.expression(text, at)?;
        let misfit = match &type_ {
            Type::Optional(_) => Some("it may be missing; `.orValue('')` makes a text".to_owned()),
            type_ => type_.misfit(&Type::String, 0).map(|message| format!("{message}; `string(…)` makes one")),
        };
        if let Some(message) = misfit {
            self.faults.push(Fault::new(at, format!("{text:?} is part of a text: {message}")));
        }
        Some(Piece::Cel(expression))
    }

    fn plain(&mut self, value: &Value, type_: &Type<'_>, target: Target<'s>, at: &Path<'_>) -> Template {
        self.check(type_, target, at);
        Template::Plain(value.clone())
    }

    /// Notes a fault when a value of a type cannot stand here; whether it can.
    fn check(&mut self, type_: &Type<'_>, target: Target<'s>, at: &Path<'_>) -> bool {
        let misfit = target.misfit(type_);
        let is_fit = misfit.is_none();
        self.faults.extend(misfit.map(|message| Fault::new(at, message)));
        is_fit
    }
}
