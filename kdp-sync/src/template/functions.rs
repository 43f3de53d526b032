//! The functions a template may call, by name.
//!
//! Semantics and types are those of Go's builtins and of sprig 3.3. Where Go would make text that
//! is not UTF-8, which no object can hold, there is an error.

mod builtin;
mod dicts;
mod digests;
mod encode;
mod lists;
mod math;
mod paths;
mod reflect;
mod refused;
mod regexes;
mod strings;
mod urls;
mod words;

use std::rc::Rc;

use super::{
    Dialect, TemplateError,
    fuel::Fuel,
    value::{IntType, List, Map, Val},
};

/// A function and the types of its parameters.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// A letter for each parameter: `a`ny value, `s`tring, `i`nt, `f`loat, `b`ool, `m`ap; a `*`
    /// at the end says that the last one may be given any number of times.
    parameters: &'static str,
    body: Body,
}

type Plain = for<'a, 'v> fn(&Args<'a, 'v>) -> Result<Val<'v>, String>;

#[derive(Debug)]
enum Body {
    Plain(Plain),
    /// Gives the first argument whose truth is this, or the last one.
    Until(bool),
}

const fn function(name: &'static str, parameters: &'static str, body: Plain) -> Function {
    Function { name, parameters, body: Body::Plain(body) }
}

/// Functions of both dialects. What sprig defines hides what Go defines.
static COMMON: [&[Function]; 12] = [
    strings::FUNCTIONS,
    words::FUNCTIONS,
    lists::FUNCTIONS,
    dicts::FUNCTIONS,
    math::FUNCTIONS,
    reflect::FUNCTIONS,
    encode::FUNCTIONS,
    digests::FUNCTIONS,
    regexes::FUNCTIONS,
    paths::FUNCTIONS,
    urls::FUNCTIONS,
    builtin::FUNCTIONS,
];

/// The function of this name.
pub(super) fn find(name: &str, dialect: Dialect) -> Result<&'static Function, TemplateError> {
    let naming: &[Function] = if dialect == Dialect::Text { digests::NAMING } else { &[] };
    let mut all = naming.iter().chain(COMMON.into_iter().flatten());
    if let Some(function) = all.find(|function| function.name == name) {
        return Ok(function);
    }
    let message = match refused::reason(name) {
        Some(reason) => format!("function {name:?} is refused: {reason}"),
        None if digests::NAMING.iter().any(|function| function.name == name) => {
            format!("function {name:?} is not defined in mutation templates")
        }
        None => format!("function {name:?} is not defined"),
    };
    Err(TemplateError::new(message))
}

/// The names of all functions.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMON.into_iter().flatten().chain(digests::NAMING).map(|function| function.name)
}

impl Function {
    /// The letter of the parameter at this place.
    pub(super) fn parameter(&self, at: usize) -> char {
        let letters = self.parameters.trim_end_matches('*').as_bytes();
        letters.get(at).or_else(|| letters.last()).map_or('a', |letter| char::from(*letter))
    }

    pub(super) fn check_count(&self, given: usize) -> Result<(), String> {
        let least = self.parameters.trim_end_matches('*').len();
        let fits = match self.parameters.ends_with('*') {
            true => given + 1 >= least,
            false => given == least,
        };
        if fits {
            return Ok(());
        }
        Err(format!("wrong number of arguments for {}: {given}", self.name))
    }

    /// The truth at which arguments are no longer evaluated, for `and` and `or`.
    pub(super) fn stops_at(&self) -> Option<bool> {
        match self.body {
            Body::Until(truth) => Some(truth),
            Body::Plain(_) => None,
        }
    }

    /// Calls the function; the number of arguments was checked before.
    pub(super) fn call<'v>(&self, args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
        let body = match self.body {
            Body::Plain(body) => body,
            Body::Until(_) => return Ok(Val::Nil),
        };
        let error = |message: String| format!("{}: {message}", self.name);
        for (at, value) in args.values.iter().enumerate() {
            self.check_type(at, value).map_err(error)?;
            let size = match value {
                Val::Text(text) => text.len(),
                Val::List(list) => list.items().len(),
                Val::Map(map) => map.len(),
                _ => 1,
            };
            args.fuel.burn(size)?;
        }
        body(args).map_err(error)
    }

    fn check_type(&self, at: usize, value: &Val<'_>) -> Result<(), String> {
        let wanted = match (self.parameter(at), value) {
            ('s', Val::Text(_))
            | ('i', Val::Int(_, IntType::Int))
            | ('f', Val::Float(_))
            | ('b', Val::Bool(_))
            | ('m', Val::Nil)
            | ('a', _) => return Ok(()),
            ('m', Val::Map(map)) if map.holds_anything() => return Ok(()),
            ('s', Val::Found(_)) => return Err("needs a string; use .Value.String".into()),
            ('s', _) => "string",
            ('i', _) => "int",
            ('f', _) => "float64",
            ('b', _) => "bool",
            _ => "map[string]interface {}",
        };
        let given = if value.is_nil() { "missing value" } else { value.type_name() };
        Err(format!("needs a {wanted}, not a {given}"))
    }
}

/// Checked access to arguments; numbers and types are checked before.
pub(super) struct Args<'a, 'v> {
    pub(super) fuel: &'a Fuel,
    pub(super) values: &'a [Val<'v>],
}

impl<'a, 'v> Args<'a, 'v> {
    fn any(&self, at: usize) -> &'a Val<'v> {
        self.values.get(at).unwrap_or(&Val::Nil)
    }

    fn rest(&self, from: usize) -> &'a [Val<'v>] {
        self.values.get(from..).unwrap_or_default()
    }

    fn text(&self, at: usize) -> &'a str {
        match self.any(at) {
            Val::Text(text) => text,
            _ => "",
        }
    }

    fn int(&self, at: usize) -> i64 {
        match self.any(at) {
            Val::Int(int, _) => *int,
            _ => 0,
        }
    }

    fn map(&self, at: usize) -> Option<&'a Map<'v>> {
        match self.any(at) {
            Val::Map(map) => Some(map),
            _ => None,
        }
    }

    fn list(&self, at: usize) -> Result<&'a List<'v>, String> {
        match self.any(at) {
            Val::List(list) => Ok(list),
            other => Err(format!("needs a list, not a {}", other.kind())),
        }
    }

    /// Text of a known length, which is about to be made.
    fn making(&self, length: usize) -> Result<(), String> {
        self.fuel.burn(length)
    }

    /// What sprig makes text of: strings as they are, everything else as printed.
    fn strval(&self, value: &Val<'v>) -> Result<Rc<str>, String> {
        match value {
            Val::Text(text) => Ok(Rc::clone(text)),
            other => super::fmt::text(self.fuel, other).map(Into::into),
        }
    }

    /// A list of strings out of anything, nil left out.
    fn strings(&self, value: &Val<'v>) -> Result<Vec<Rc<str>>, String> {
        match value {
            Val::Nil => Ok(Vec::new()),
            Val::List(list) => {
                list.items().iter().filter(|item| !item.is_nil()).map(|item| self.strval(item)).collect()
            }
            other => Ok(vec![self.strval(other)?]),
        }
    }
}
