//! CEL over JSON, with the functions of Kubernetes.
//!
//! ```
//! use kdp_core::cel::{Expression, Scope};
//! use serde_json::json;
//!
//! let expression = Expression::compile("order.size * 2", &["order"])?;
//! let scope = Scope::new().with("order", &json!({"size": 21}));
//! assert_eq!(expression.evaluate(&scope)?, json!(42));
//! # Ok::<_, String>(())
//! ```

mod optional;
mod parse;

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use kube_cel::{
    KubeCelExt,
    cel::{
        Context, ExecutionError, ResolveResult, Value as Cel,
        common::ast::{CallExpr, EntryExpr, Expr, IdedExpr},
        objects::{Key, Map as CelMap, OptionalValue},
    },
};
use serde_json::Value;

thread_local! {
    static LIBRARY: Context<'static> = library();
}

/// How long a list `lists.range` may make.
const MAX_RANGE: i64 = 10_000;

/// All functions. The one that makes much of little is bounded.
fn library() -> Context<'static> {
    let mut library = Context::default();
    library.register_all();
    library.add_function("lists.range", |length: i64| -> ResolveResult {
        if !(0..=MAX_RANGE).contains(&length) {
            let message = format!("a range has between 0 and {MAX_RANGE} elements");
            return Err(ExecutionError::function_error("lists.range", message));
        }
        Ok(Cel::List(Arc::new((0..length).map(Cel::Int).collect())))
    });
    library
}

/// Names that stand for types, as in `type(x) == int`.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];
/// Words before the dot of a function's full name, which look like variables.
const NAMESPACES: [&str; 10] =
    ["base64", "cidr", "format", "ip", "jsonpatch", "lists", "math", "optional", "sets", "strings"];

/// A compiled expression.
#[derive(Clone)]
pub struct Expression {
    syntax: Arc<IdedExpr>,
    variables: Arc<BTreeSet<String>>,
    text: Arc<str>,
}

impl Expression {
    /// Compiles an expression over some variables.
    ///
    /// # Errors
    /// When the text is no expression, or uses a variable that is none of these.
    pub fn compile(text: &str, variables: &[&str]) -> Result<Self, String> {
        let expression = Self::compile_open(text)?;
        if let Some(name) = expression.variables().find(|name| !variables.contains(name)) {
            return Err(format!("{text:?}: there is no {name} here, only {}", variables.join(", ")));
        }
        Ok(expression)
    }

    /// Compiles an expression over whatever variables it uses.
    ///
    /// # Errors
    /// When the text is no expression, or one that is too long or too deep.
    pub fn compile_open(text: &str) -> Result<Self, String> {
        let mut syntax = parse::parse(text).map_err(|message| format!("{text:?}: {message}"))?;
        optional::rewrite(&mut syntax);
        let mut used = BTreeSet::new();
        free_variables(&syntax, &mut Vec::new(), &mut used);
        let variables = used.into_iter().map(str::to_owned).collect();
        Ok(Self { syntax: Arc::new(syntax), variables: Arc::new(variables), text: text.into() })
    }

    /// The variables it uses, in order. Names of types, such as `list`, are none.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// The syntax tree, for those who look into it before they evaluate. In it, `a.?b` is `a[?"b"]`.
    #[must_use]
    pub fn syntax(&self) -> &IdedExpr {
        &self.syntax
    }

    /// Its value.
    ///
    /// # Errors
    /// When the expression fails, or gives what JSON cannot hold.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, String> {
        LIBRARY.with(|library| {
            let mut context = library.new_inner_scope();
            for (name, value) in &scope.0 {
                context.add_variable_from_value(name.as_ref(), value.clone());
            }
            context.resolve(&self.syntax).map_err(|e| e.to_string()).and_then(|value| to_json(&value))
        })
    }

    /// Its value among variables that are used more than once.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub fn evaluate_in(&self, environment: &Environment<'_>) -> Result<Value, String> {
        environment.0.resolve(&self.syntax).map_err(|e| e.to_string()).and_then(|value| to_json(&value))
    }

    /// Whether it is true. What fails, usually because a field is not there yet, is not.
    #[must_use]
    pub fn holds(&self, scope: &Scope) -> bool {
        self.evaluate(scope) == Ok(Value::Bool(true))
    }

    /// The text it gives, unless it gives none or an empty one.
    #[must_use]
    pub fn text(&self, scope: &Scope) -> Option<String> {
        let text = match self.evaluate(scope).ok()? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.text)
    }
}

/// Whether expressions can call a function of this name; names in a library begin with it, as in `lists.range`.
#[must_use]
pub fn has_function(name: &str) -> bool {
    let call = CallExpr { func_name: name.to_owned(), ..CallExpr::default() };
    let call = IdedExpr { id: 0, expr: Expr::Call(call) };
    LIBRARY.with(|library| !matches!(library.resolve(&call), Err(ExecutionError::UndeclaredReference(_))))
}

/// The values of variables.
#[derive(Clone, Debug, Default)]
pub struct Scope(Vec<(Cow<'static, str>, Cel)>);

impl Scope {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: &Value) -> Self {
        self.0.push((name.into(), to_cel(value, Numbers::AsTheyAre)));
        self
    }

    /// The same with one more variable, all of whose numbers are floats.
    #[must_use]
    pub fn with_floats(mut self, name: impl Into<Cow<'static, str>>, value: &Value) -> Self {
        self.0.push((name.into(), to_cel(value, Numbers::Floats)));
        self
    }
}

/// The values of variables, converted once for many evaluations.
///
/// A [`Scope`] is cheap to make, but each evaluation copies it whole.
pub struct Environment<'p>(Context<'p>);

impl Environment<'_> {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self(library())
    }

    /// Sets a variable.
    pub fn insert(&mut self, name: &str, value: &Value) {
        self.0.add_variable_from_value(name, to_cel(value, Numbers::AsTheyAre));
    }

    /// The same variables, and those that are set in it alone.
    #[must_use]
    pub fn inner(&self) -> Environment<'_> {
        Environment(self.0.new_inner_scope())
    }
}

impl Default for Environment<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

fn free_variables<'e>(expression: &'e IdedExpr, bound: &mut Vec<&'e str>, used: &mut BTreeSet<&'e str>) {
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) => {}
        Expr::Ident(name) => {
            let is_known = name.starts_with('@') || TYPES.contains(&name.as_str()) || bound.contains(&name.as_str());
            if !is_known {
                used.insert(name);
            }
        }
        Expr::Select(select) => free_variables(&select.operand, bound, used),
        Expr::List(list) => list.elements.iter().for_each(|element| free_variables(element, bound, used)),
        Expr::Map(map) => map.entries.iter().for_each(|entry| free_in_entry(&entry.expr, bound, used)),
        Expr::Struct(value) => value.entries.iter().for_each(|entry| free_in_entry(&entry.expr, bound, used)),
        Expr::Call(call) => {
            let is_namespace =
                |target: &IdedExpr| matches!(&target.expr, Expr::Ident(name) if NAMESPACES.contains(&name.as_str()));
            call.target.iter().filter(|target| !is_namespace(target)).for_each(|t| free_variables(t, bound, used));
            call.args.iter().for_each(|argument| free_variables(argument, bound, used));
        }
        Expr::Comprehension(comprehension) => {
            free_variables(&comprehension.iter_range, bound, used);
            free_variables(&comprehension.accu_init, bound, used);
            let outer = bound.len();
            bound.push(&comprehension.iter_var);
            bound.extend(comprehension.iter_var2.as_deref());
            bound.push(&comprehension.accu_var);
            for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
                free_variables(part, bound, used);
            }
            bound.truncate(outer);
        }
    }
}

fn free_in_entry<'e>(entry: &'e EntryExpr, bound: &mut Vec<&'e str>, used: &mut BTreeSet<&'e str>) {
    match entry {
        EntryExpr::StructField(field) => free_variables(&field.value, bound, used),
        EntryExpr::MapEntry(entry) => {
            free_variables(&entry.key, bound, used);
            free_variables(&entry.value, bound, used);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Numbers {
    AsTheyAre,
    Floats,
}

fn to_cel(value: &Value, numbers: Numbers) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(truth) => Cel::Bool(*truth),
        Value::Number(number) => match number.as_i64().filter(|_| numbers == Numbers::AsTheyAre) {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(|item| to_cel(item, numbers)).collect())),
        Value::Object(fields) => {
            let key = |name: &String| Key::String(Arc::new(name.clone()));
            let pairs = fields.iter().map(|(name, value)| (key(name), to_cel(value, numbers)));
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
        Cel::Float(number) if !number.is_finite() => return Err(format!("it gives {number}")),
        Cel::Float(number) => (*number).into(),
        Cel::String(text) => text.as_str().into(),
        Cel::Bytes(bytes) => BASE64_STANDARD.encode(bytes.as_slice()).into(),
        Cel::List(items) => items.iter().map(to_json).collect::<Result<_, _>>()?,
        Cel::Map(map) => {
            let pairs = map.map.iter().map(|(key, value)| Ok((key.to_string(), to_json(value)?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
        other => match <&OptionalValue>::try_from(other) {
            Ok(optional) => optional.value().map_or(Ok(Value::Null), to_json)?,
            Err(_) => return Err(format!("it gives a {}, which JSON cannot hold", other.type_of())),
        },
    })
}

#[cfg(test)]
mod tests;
