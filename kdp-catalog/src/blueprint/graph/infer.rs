//! The type of an expression, and the fields it selects that are not there.

use std::collections::HashMap;

use kdp_core::cel::has_function;
use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::types::Type;

/// The variables an expression can use.
#[derive(Debug)]
pub(super) struct Variables<'v, 's> {
    /// The instance and the resources.
    shared: &'v HashMap<&'s str, Type<'s>>,
    /// The one of those that cannot be used.
    without: Option<&'s str>,
    /// What is known in one place only; hides what is shared.
    own: Vec<(&'s str, Type<'s>)>,
}

impl<'v, 's> Variables<'v, 's> {
    pub(super) fn new(shared: &'v HashMap<&'s str, Type<'s>>) -> Self {
        Self { shared, without: None, own: Vec::new() }
    }

    pub(super) fn without(mut self, name: &'s str) -> Self {
        self.without = Some(name);
        self
    }

    pub(super) fn with(mut self, name: &'s str, type_: Type<'s>) -> Self {
        self.own.push((name, type_));
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&Type<'s>> {
        let own = self.own.iter().find(|(known, _)| *known == name).map(|(_, type_)| type_);
        own.or_else(|| self.shared.get(name).filter(|_| self.without != Some(name)))
    }

    /// All there are, for people.
    pub(super) fn list(&self) -> String {
        const MANY: usize = 12;
        let shared = self.shared.keys().copied().filter(|name| self.without != Some(*name));
        let mut names: Vec<_> = self.own.iter().map(|(name, _)| *name).chain(shared).collect();
        names.sort_unstable();
        let rest = names.len().saturating_sub(MANY);
        names.truncate(MANY);
        if rest > 0 { format!("{} and {rest} more", names.join(", ")) } else { names.join(", ") }
    }
}

/// The type of an expression; what is wrong in it is added to `faults`.
pub(super) fn infer<'s>(expression: &IdedExpr, variables: &Variables<'_, 's>, faults: &mut Vec<String>) -> Type<'s> {
    Inference { variables, bound: Vec::new(), faults }.of(expression)
}

struct Inference<'e, 's, 'v> {
    variables: &'v Variables<'v, 's>,
    /// Variables of macros around the expression.
    bound: Vec<(&'e str, Type<'s>)>,
    faults: &'v mut Vec<String>,
}

impl<'e, 's> Inference<'e, 's, '_> {
    fn of(&mut self, expression: &'e IdedExpr) -> Type<'s> {
        match &expression.expr {
            Expr::Unspecified | Expr::Struct(_) => Type::Any,
            Expr::Literal(literal) => of_literal(literal),
            Expr::Ident(name) => self.of_variable(name),
            Expr::Select(select) => {
                let found = self.select(&select.operand, &select.field);
                if select.test { Type::Bool } else { found }
            }
            Expr::List(list) => {
                let items = list.elements.iter().map(|element| self.of(element)).fold(Type::Nothing, Type::or);
                let items = if let Type::Optional(value) = items { *value } else { items };
                Type::List(Box::new(items))
            }
            Expr::Map(map) => {
                let values = map.entries.iter().map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        self.of(&entry.key);
                        self.of(&entry.value)
                    }
                    EntryExpr::StructField(field) => self.of(&field.value),
                });
                Type::Map(Box::new(values.fold(Type::Nothing, Type::or)))
            }
            Expr::Call(call) => self.of_call(call),
            Expr::Comprehension(comprehension) => self.of_macro(comprehension),
        }
    }

    fn of_variable(&self, name: &str) -> Type<'s> {
        let bound = self.bound.iter().rev().find(|(known, _)| *known == name).map(|(_, type_)| type_);
        bound.or_else(|| self.variables.get(name)).cloned().unwrap_or(Type::Any)
    }

    fn select(&mut self, operand: &'e IdedExpr, field: &str) -> Type<'s> {
        let of = self.of(operand);
        of.field(field).unwrap_or_else(|| {
            let chain = chain(operand).unwrap_or_else(|| of.name().into_owned());
            self.faults.push(match of {
                Type::Object(_) => format!("{chain} has no field {field}"),
                _ => format!("{chain} is {}, which has no field {field}", of.name()),
            });
            Type::Any
        })
    }

    fn of_call(&mut self, call: &'e CallExpr) -> Type<'s> {
        let target = call.target.as_ref().map(|target| self.of(target));
        let mut args = call.args.iter().map(|argument| self.of(argument)).collect::<Vec<_>>().into_iter();
        let mut next = || args.next().unwrap_or(Type::Any);
        match call.func_name.as_str() {
            operators::CONDITIONAL => {
                next();
                next().or(next())
            }
            operators::ADD => {
                let (left, right) = (next(), next());
                self.sum(left, right)
            }
            operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO => {
                match next().or(next()) {
                    number @ (Type::Int | Type::Double) => number,
                    _ => Type::Any,
                }
            }
            operators::NEGATE => next(),
            operators::INDEX => self.element(call, &next()),
            operators::OPT_INDEX => {
                // What may be missing is not looked for: that is what the optional index is for.
                let of = next();
                match literal_text(call.args.get(1)) {
                    Some(field) => of.field(field).unwrap_or(Type::Any).optional(),
                    None => element_of(&of).unwrap_or(Type::Any).optional(),
                }
            }
            operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::EQUALS
            | operators::NOT_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::IN
            | operators::NOT_STRICTLY_FALSE => Type::Bool,
            name => {
                if !is_known(call) {
                    self.faults.push(format!("there is no function {name}"));
                }
                of_function(name, target, next())
            }
        }
    }

    fn sum(&mut self, left: Type<'s>, right: Type<'s>) -> Type<'s> {
        let is_text_and_number =
            |a: &Type<'_>, b: &Type<'_>| matches!((a, b), (Type::String, Type::Int | Type::Double | Type::Bool));
        if is_text_and_number(&left, &right) || is_text_and_number(&right, &left) {
            self.faults.push(format!("{} and {} cannot be added; `string(…)` makes a text", left.name(), right.name()));
            return Type::Any;
        }
        match left.or(right) {
            known @ (Type::Int | Type::Double | Type::String | Type::List(_)) => known,
            _ => Type::Any,
        }
    }

    fn element(&mut self, call: &'e CallExpr, of: &Type<'s>) -> Type<'s> {
        if let (Some(operand), Some(field)) = (call.args.first(), literal_text(call.args.get(1)))
            && !matches!(of, Type::List(_))
        {
            return of.field(field).unwrap_or_else(|| {
                let chain = chain(operand).unwrap_or_else(|| of.name().into_owned());
                self.faults.push(format!("{chain} has no field {field}"));
                Type::Any
            });
        }
        element_of(of).unwrap_or_else(|| {
            let chain = call.args.first().and_then(chain).unwrap_or_else(|| "this".into());
            self.faults.push(format!("{chain} is {}, which has no elements", of.name()));
            Type::Any
        })
    }

    /// A macro has become a loop over `iter_range` with an accumulator.
    fn of_macro(&mut self, comprehension: &'e ComprehensionExpr) -> Type<'s> {
        let range = self.of(&comprehension.iter_range);
        let element = range.element().unwrap_or_else(|| {
            let chain = chain(&comprehension.iter_range).unwrap_or_else(|| "this".into());
            self.faults.push(format!("{chain} is {}, which has no elements", range.name()));
            Type::Any
        });
        let start = self.of(&comprehension.accu_init);
        let outer = self.bound.len();
        if let Some(second) = &comprehension.iter_var2 {
            self.bound.push((&comprehension.iter_var, Type::Any));
            self.bound.push((second, Type::Any));
        } else {
            self.bound.push((&comprehension.iter_var, element));
        }
        self.bound.push((&comprehension.accu_var, start));
        self.of(&comprehension.loop_cond);
        let after = self.of(&comprehension.loop_step);
        if let Some((_, accumulator)) = self.bound.last_mut() {
            *accumulator = after;
        }
        let result = self.of(&comprehension.result);
        self.bound.truncate(outer);
        result
    }
}

/// Whether there is such a function, in a library that is named before the dot or for the value before it.
fn is_known(call: &CallExpr) -> bool {
    let library = call.target.as_ref().and_then(|target| match &target.expr {
        Expr::Ident(library) => Some(library),
        _ => None,
    });
    has_function(&call.func_name)
        || library.is_some_and(|library| has_function(&format!("{library}.{}", call.func_name)))
}

fn of_literal(literal: &LiteralValue) -> Type<'static> {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) | LiteralValue::String(_) => Type::String,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Int,
        LiteralValue::Null => Type::Null,
    }
}

fn of_function<'s>(name: &str, target: Option<Type<'s>>, first: Type<'s>) -> Type<'s> {
    match (name, target) {
        ("string", None) => Type::String,
        ("int" | "uint", None) | ("size" | "indexOf" | "lastIndexOf", _) => Type::Int,
        ("double", None) => Type::Double,
        ("bool", None) => Type::Bool,
        ("startsWith" | "endsWith" | "contains" | "matches" | "hasValue", Some(_)) => Type::Bool,
        (
            "join" | "lowerAscii" | "upperAscii" | "replace" | "substring" | "trim" | "charAt" | "format",
            Some(Type::String | Type::List(_) | Type::Any),
        ) => Type::String,
        ("split", Some(_)) => Type::List(Box::new(Type::String)),
        ("range", Some(_)) => Type::List(Box::new(Type::Int)),
        ("sort" | "distinct" | "slice", Some(list @ Type::List(_))) => list,
        ("orValue", Some(Type::Optional(value))) => value.or(first),
        ("value", Some(Type::Optional(value))) => *value,
        _ => Type::Any,
    }
}

/// What an index finds; none where there is nothing to index.
fn element_of<'s>(of: &Type<'s>) -> Option<Type<'s>> {
    match of {
        Type::List(items) => Some(items.as_ref().clone()),
        Type::Map(values) => Some(values.as_ref().clone()),
        Type::Optional(value) => Some(element_of(value)?.optional()),
        Type::Object(_) | Type::Any | Type::Nothing | Type::Null => Some(Type::Any),
        Type::Bool | Type::Int | Type::Double | Type::String => None,
    }
}

fn literal_text(expression: Option<&IdedExpr>) -> Option<&str> {
    match &expression?.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// A chain of selections as it was written: `a.b[0].c`.
fn chain(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", chain(&select.operand)?, select.field)),
        Expr::Call(call) if matches!(call.func_name.as_str(), operators::INDEX | operators::OPT_INDEX) => {
            let operand = chain(call.args.first()?)?;
            match (&call.args.get(1)?.expr, literal_text(call.args.get(1))) {
                (_, Some(field)) => Some(format!("{operand}.{field}")),
                (Expr::Literal(LiteralValue::Int(position)), _) => Some(format!("{operand}[{}]", position.inner())),
                _ => Some(format!("{operand}[…]")),
            }
        }
        _ => None,
    }
}
