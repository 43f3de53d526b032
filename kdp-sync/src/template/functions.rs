//! The functions a template may call, by name.
//!
//! Semantics are those of Go's builtins and of sprig. A function that needs a string refuses
//! anything else, as Go does, so that a missing value never turns into part of a name.

mod printf;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Dialect, TemplateError,
    value::{Val, is_empty, print, type_name},
};
use crate::hash;

/// A function, and how many arguments it takes.
#[derive(Debug)]
pub(super) struct Function {
    name: &'static str,
    least: usize,
    most: usize,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Plain(fn(&Args<'_, '_>) -> Result<Value, String>),
    /// Gives the first argument whose truth is this, or the last one.
    Until(bool),
}

const MANY: usize = usize::MAX;

const fn function(
    name: &'static str,
    least: usize,
    most: usize,
    body: fn(&Args<'_, '_>) -> Result<Value, String>,
) -> Function {
    Function { name, least, most, body: Body::Plain(body) }
}

/// Functions of both dialects.
static COMMON: &[Function] = &[
    Function { name: "and", least: 1, most: MANY, body: Body::Until(false) },
    Function { name: "or", least: 1, most: MANY, body: Body::Until(true) },
    function("not", 1, 1, |a| Ok((!a.0[0].is_true()).into())),
    function("eq", 2, MANY, |a| {
        a.rest(1).iter().try_fold(false, |found, other| Ok(found || equal(a.get(0), other.json())?)).map(Value::from)
    }),
    function("ne", 2, 2, |a| Ok((!equal(a.get(0), a.get(1))?).into())),
    function("lt", 2, 2, |a| Ok(compare(a)?.is_lt().into())),
    function("le", 2, 2, |a| Ok(compare(a)?.is_le().into())),
    function("gt", 2, 2, |a| Ok(compare(a)?.is_gt().into())),
    function("ge", 2, 2, |a| Ok(compare(a)?.is_ge().into())),
    function("index", 1, MANY, index),
    function("len", 1, 1, |a| match a.get(0) {
        Value::String(text) => Ok(text.len().into()),
        Value::Array(items) => Ok(items.len().into()),
        Value::Object(map) => Ok(map.len().into()),
        other => Err(format!("a {} has no length", type_name(other))),
    }),
    function("print", 0, MANY, |a| Ok(a.print_all().concat().into())),
    function("println", 0, MANY, |a| Ok((a.print_all().join(" ") + "\n").into())),
    function("printf", 1, MANY, |a| printf::printf(a.str(0)?, a.rest(1)).map(Value::from)),
    function("lower", 1, 1, |a| Ok(a.str(0)?.to_lowercase().into())),
    function("upper", 1, 1, |a| Ok(a.str(0)?.to_uppercase().into())),
    function("trim", 1, 1, |a| Ok(a.str(0)?.trim().into())),
    function("trimAll", 2, 2, |a| {
        let cut: Vec<char> = a.str(0)?.chars().collect();
        Ok(a.str(1)?.trim_matches(cut.as_slice()).into())
    }),
    function("trimPrefix", 2, 2, |a| Ok(a.str(1)?.strip_prefix(a.str(0)?).unwrap_or(a.str(1)?).into())),
    function("trimSuffix", 2, 2, |a| Ok(a.str(1)?.strip_suffix(a.str(0)?).unwrap_or(a.str(1)?).into())),
    function("hasPrefix", 2, 2, |a| Ok(a.str(1)?.starts_with(a.str(0)?).into())),
    function("hasSuffix", 2, 2, |a| Ok(a.str(1)?.ends_with(a.str(0)?).into())),
    function("contains", 2, 2, |a| Ok(a.str(1)?.contains(a.str(0)?).into())),
    function("replace", 3, 3, |a| Ok(a.str(2)?.replace(a.str(0)?, a.str(1)?).into())),
    function("trunc", 2, 2, |a| Ok(trunc(a.int(0)?, a.str(1)?).into())),
    function("nospace", 1, 1, |a| Ok(a.str(0)?.chars().filter(|c| !c.is_whitespace()).collect::<String>().into())),
    function("quote", 0, MANY, |a| Ok(a.quoted(|text| format!("{text:?}")).into())),
    function("squote", 0, MANY, |a| Ok(a.quoted(|text| format!("'{text}'")).into())),
    function("default", 1, 2, |a| {
        Ok(a.rest(1)
            .first()
            .map_or_else(|| a.get(0), |given| if is_empty(given.json()) { a.get(0) } else { given.json() })
            .clone())
    }),
    function("empty", 1, 1, |a| Ok(is_empty(a.get(0)).into())),
    function("coalesce", 0, MANY, |a| {
        Ok(a.rest(0).iter().map(Val::json).find(|value| !is_empty(value)).cloned().unwrap_or_default())
    }),
    function("ternary", 3, 3, |a| match a.get(2) {
        Value::Bool(true) => Ok(a.get(0).clone()),
        Value::Bool(false) => Ok(a.get(1).clone()),
        other => Err(format!("needs a bool, not a {}", type_name(other))),
    }),
    function("join", 2, 2, |a| match a.get(1) {
        Value::Array(items) => {
            let texts: Vec<_> = items.iter().filter(|item| !item.is_null()).map(print).collect();
            Ok(texts.join(a.str(0)?).into())
        }
        other => Ok(print(other).into()),
    }),
    function("hasKey", 2, 2, |a| Ok(a.map(0)?.contains_key(a.str(1)?).into())),
    function("get", 2, 2, |a| Ok(a.map(0)?.get(a.str(1)?).cloned().unwrap_or_else(|| "".into()))),
    function("toString", 1, 1, |a| Ok(a.0[0].print().into())),
    function("toJson", 1, 1, |a| {
        let mut line = crate::go_json::line(a.get(0));
        line.pop();
        String::from_utf8(line).map(Value::from).map_err(|e| e.to_string())
    }),
    function("b64enc", 1, 1, |a| Ok(BASE64_STANDARD.encode(a.str(0)?).into())),
    function("b64dec", 1, 1, |a| {
        let bytes = BASE64_STANDARD.decode(a.str(0)?).map_err(|e| e.to_string())?;
        String::from_utf8(bytes).map(Value::from).map_err(|e| e.to_string())
    }),
    function("sha1sum", 1, 1, |a| Ok(hash::sha1(a.str(0)?).into())),
    function("sha256sum", 1, 1, |a| Ok(hash::hex(&Sha256::digest(a.str(0)?)).into())),
];

/// Functions of the text dialect only.
static NAMING: &[Function] = &[
    function("sha3sum", 1, 1, |a| Ok(hash::sha3(a.str(0)?).into())),
    function("sha3short", 1, 2, |a| {
        let length = if a.0.len() == 2 { a.int(1)? } else { 20 };
        let length = usize::try_from(length).ok().filter(|n| *n > 0).ok_or("the length must be positive")?;
        Ok(trunc_to(&hash::sha3(a.str(0)?), length).into())
    }),
    function("shortHash", 1, 1, |a| match a.get(0) {
        Value::String(text) => Ok(hash::sha1_short(text).into()),
        other => Ok(hash::sha1_of_json(other)[..hash::SHORT].into()),
    }),
];

/// Functions of sprig that would tell tenants about the agent's surroundings, or that give another
/// result each time and so would rewrite objects forever.
static REFUSED: &[&str] = &[
    "env",
    "expandenv",
    "getHostByName",
    "now",
    "ago",
    "date",
    "dateInZone",
    "date_in_zone",
    "htmlDate",
    "htmlDateInZone",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randNumeric",
    "randBytes",
    "randInt",
    "shuffle",
    "uuidv4",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "bcrypt",
    "htpasswd",
    "encryptAES",
    "derivePassword",
    "call",
];

/// The function of this name; none for a word that is a literal.
pub(super) fn find(name: &str, dialect: Dialect) -> Result<Option<&'static Function>, TemplateError> {
    if matches!(name, "true" | "false" | "nil") {
        return Ok(None);
    }
    let naming = if dialect == Dialect::Text { NAMING } else { &[] };
    if let Some(function) = COMMON.iter().chain(naming).find(|f| f.name == name) {
        return Ok(Some(function));
    }
    let message = if REFUSED.contains(&name) {
        format!("function {name:?} is refused: it reads the agent's surroundings or gives another result each time")
    } else if NAMING.iter().any(|f| f.name == name) {
        format!("function {name:?} is not defined in mutation templates")
    } else {
        format!("function {name:?} is not defined")
    };
    Err(TemplateError::new(message))
}

impl Function {
    pub(super) fn check_arity(&self, given: usize) -> Result<(), TemplateError> {
        if (self.least..=self.most).contains(&given) {
            return Ok(());
        }
        let wanted = match (self.least, self.most) {
            (least, MANY) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        Err(TemplateError::new(format!("{} takes {wanted} arguments, not {given}", self.name)))
    }

    /// The truth at which arguments are no longer evaluated, for `and` and `or`.
    pub(super) fn stops_at(&self) -> Option<bool> {
        match self.body {
            Body::Until(truth) => Some(truth),
            Body::Plain(_) => None,
        }
    }

    pub(super) fn call(&self, args: &[Val<'_>]) -> Result<Value, TemplateError> {
        let result = match self.body {
            Body::Plain(body) => body(&Args(args)),
            Body::Until(truth) => {
                let found = args.iter().find(|arg| arg.is_true() == truth).or_else(|| args.last());
                Ok(found.map(|arg| arg.json().clone()).unwrap_or_default())
            }
        };
        result.map_err(|message| TemplateError::new(format!("{}: {message}", self.name)))
    }
}

/// Checked access to arguments; the arity is checked before.
pub(super) struct Args<'a, 'v>(&'a [Val<'v>]);

impl<'a, 'v> Args<'a, 'v> {
    fn get(&self, at: usize) -> &'a Value {
        self.0[at].json()
    }

    fn rest(&self, from: usize) -> &'a [Val<'v>] {
        &self.0[from..]
    }

    fn str(&self, at: usize) -> Result<&'a str, String> {
        match &self.0[at] {
            Val::Json(value) => match value.as_ref() {
                Value::String(text) => Ok(text),
                other => Err(format!("needs a string, not a {}", type_name(other))),
            },
            Val::Found(_) => Err("needs a string; use .Value.String".into()),
        }
    }

    fn int(&self, at: usize) -> Result<i64, String> {
        self.get(at).as_i64().ok_or_else(|| format!("needs an int, not a {}", type_name(self.get(at))))
    }

    fn map(&self, at: usize) -> Result<&'a serde_json::Map<String, Value>, String> {
        self.get(at).as_object().ok_or_else(|| format!("needs a map, not a {}", type_name(self.get(at))))
    }

    fn print_all(&self) -> Vec<String> {
        self.0.iter().map(Val::print).collect()
    }

    /// Missing values are left out, as sprig does.
    fn quoted(&self, quote: fn(&str) -> String) -> String {
        let quoted: Vec<_> = self.0.iter().filter(|arg| !arg.is_missing()).map(|arg| quote(&arg.print())).collect();
        quoted.join(" ")
    }
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    if a.is_null() || b.is_null() || type_name(a) == type_name(b) {
        return Ok(a == b);
    }
    Err(format!("a {} cannot be compared with a {}", type_name(a), type_name(b)))
}

fn compare(args: &Args<'_, '_>) -> Result<std::cmp::Ordering, String> {
    match (args.get(0), args.get(1)) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (a @ Value::Number(x), b @ Value::Number(y)) if type_name(a) == type_name(b) => {
            let order = match (x.as_i64(), y.as_i64()) {
                (Some(x), Some(y)) => Some(x.cmp(&y)),
                _ => x.as_f64().and_then(|x| x.partial_cmp(&y.as_f64()?)),
            };
            order.ok_or_else(|| "the numbers have no order".into())
        }
        (a, b) => Err(format!("a {} cannot be ordered with a {}", type_name(a), type_name(b))),
    }
}

fn index(args: &Args<'_, '_>) -> Result<Value, String> {
    args.rest(1)
        .iter()
        .try_fold(args.get(0), |value, key| match (value, key.json()) {
            (Value::Object(map), Value::String(key)) => Ok(map.get(key).unwrap_or(&Value::Null)),
            (Value::Array(items), Value::Number(at)) => {
                let item = at.as_u64().and_then(|at| items.get(usize::try_from(at).ok()?));
                item.ok_or_else(|| format!("index {at} is out of range"))
            }
            (value, key) => Err(format!("a {} cannot be indexed with a {}", type_name(value), type_name(key))),
        })
        .cloned()
}

/// The first `length` characters, or the last ones when it is negative.
fn trunc(length: i64, text: &str) -> &str {
    let wanted = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    if length >= 0 {
        return trunc_to(text, wanted);
    }
    let skip = text.chars().count().saturating_sub(wanted);
    text.char_indices().nth(skip).map_or("", |(at, _)| &text[at..])
}

fn trunc_to(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(at, _)| &text[..at])
}
