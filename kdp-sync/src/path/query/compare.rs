//! How tests compare.

use super::{
    super::scan::{Kind, kind, unquote},
    syntax::Test,
};

impl Test<'_> {
    /// Whether what was found, if anything, passes.
    pub(super) fn passes(&self, found: Option<&str>) -> bool {
        let (found, operand) = match self.operand.strip_prefix('~') {
            None => (found, &*self.operand),
            Some(like) => {
                let is_like = match like {
                    "*" => found.is_some(),
                    "null" => found.is_none_or(|raw| kind(raw) == Some(Kind::Null)),
                    "true" => truth(found) == Some(true),
                    "false" => found.is_none_or(|raw| kind(raw) == Some(Kind::Null)) || truth(found) == Some(false),
                    _ => return false,
                };
                (Some(if is_like { "true" } else { "false" }), "true")
            }
        };
        let Some(found) = found else { return false };
        if self.operator.is_empty() {
            return true;
        }
        match kind(found) {
            Some(Kind::String) => self.holds(&*unquote(found), operand),
            Some(Kind::Number) => self.holds(&number(found), &number(operand)),
            Some(Kind::True) => match self.operator {
                "=" => operand == "true",
                "!=" => operand != "true",
                ">" => operand == "false",
                operator => operator == ">=",
            },
            Some(Kind::False) => match self.operator {
                "=" => operand == "false",
                "!=" => operand != "false",
                "<" => operand == "true",
                operator => operator == "<=",
            },
            Some(Kind::Null | Kind::List | Kind::Object) | None => false,
        }
    }

    fn holds<T: PartialOrd + Matched + ?Sized>(&self, found: &T, operand: &T) -> bool {
        match self.operator {
            "=" => found == operand,
            "!=" => found != operand,
            "<" => found < operand,
            "<=" => found <= operand,
            ">" => found > operand,
            ">=" => found >= operand,
            "%" => found.is_matched(operand) == Some(true),
            "!%" => found.is_matched(operand) == Some(false),
            _ => false,
        }
    }
}

/// What may be compared with a pattern.
trait Matched {
    fn is_matched(&self, pattern: &Self) -> Option<bool>;
}

impl Matched for str {
    fn is_matched(&self, pattern: &Self) -> Option<bool> {
        Some(is_match(self, pattern))
    }
}

impl Matched for f64 {
    fn is_matched(&self, _: &Self) -> Option<bool> {
        None
    }
}

/// The truth that a value stands for, if it does.
fn truth(found: Option<&str>) -> Option<bool> {
    let found = found?;
    match kind(found)? {
        Kind::True => Some(true),
        Kind::False => Some(false),
        Kind::Number => Some(number(found) != 0.0),
        Kind::String => match unquote(found).to_lowercase().as_str() {
            "1" | "t" | "true" => Some(true),
            "0" | "f" | "false" => Some(false),
            _ => None,
        },
        Kind::Null | Kind::List | Kind::Object => None,
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

/// Whether a pattern with `*` and `?` matches the whole text; takes time in proportion to both.
pub(super) fn is_match(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern = parse(pattern);
    let (mut t, mut p) = (0, 0);
    // The last star met, and where its match ends for now.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Glob::Star) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Glob::Any) => (t, p) = (t + 1, p + 1),
            Some(Glob::Char(c)) if *c == text[t] => (t, p) = (t + 1, p + 1),
            _ => match star {
                Some((at, end)) => {
                    star = Some((at, end + 1));
                    (t, p) = (end + 1, at + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|glob| matches!(glob, Glob::Star))
}

enum Glob {
    Star,
    Any,
    Char(char),
}

fn parse(pattern: &str) -> Vec<Glob> {
    let mut globs = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        globs.push(match c {
            '*' => Glob::Star,
            '?' => Glob::Any,
            '\\' => Glob::Char(chars.next().unwrap_or('\\')),
            c => Glob::Char(c),
        });
    }
    globs
}
