//! `printf` with the verbs that make sense for names: `%s %d %v %q %t %x %%`.

use serde_json::Value;

use crate::template::value::{Val, type_name};

/// Formats as Go does, but an argument that does not fit its verb is an error and not a note in
/// the output.
pub(super) fn printf(format: &str, args: &[Val<'_>]) -> Result<String, String> {
    let mut out = String::new();
    let mut args = args.iter();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (directive, after) = Directive::parse(after)?;
        let arg = args.next().ok_or_else(|| format!("%{} has no argument", directive.verb))?;
        out.push_str(&directive.format(arg)?);
        rest = after;
    }
    out.push_str(rest);
    match args.count() {
        0 => Ok(out),
        extra => Err(format!("{extra} arguments have no verb")),
    }
}

struct Directive {
    left: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    verb: char,
}

/// No name is wider; a larger width could only exhaust memory.
const WIDEST: usize = 253;

impl Directive {
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let flags = text.len() - text.trim_start_matches(['-', '0']).len();
        let (flags, rest) = text.split_at(flags);
        let (width, rest) = number(rest)?;
        let (precision, rest) = match rest.strip_prefix('.') {
            Some(rest) => number(rest).map(|(precision, rest)| (Some(precision), rest))?,
            None => (None, rest),
        };
        let verb = rest.chars().next().ok_or("a % is not followed by a verb")?;
        let directive = Self { left: flags.contains('-'), zero: flags.contains('0'), width, precision, verb };
        Ok((directive, &rest[verb.len_utf8()..]))
    }

    fn format(&self, arg: &Val<'_>) -> Result<String, String> {
        let value = arg.json();
        let misfit = || format!("%{} does not print a {}", self.verb, type_name(value));
        let text = match (self.verb, value) {
            ('v', _) => arg.print(),
            ('s', Value::String(_)) => arg.print(),
            ('d', Value::Number(n)) if !n.is_f64() => n.to_string(),
            ('q', Value::String(text)) => format!("{text:?}"),
            ('t', Value::Bool(truth)) => truth.to_string(),
            ('x', Value::String(text)) => crate::hash::hex(text.as_bytes()),
            ('x', Value::Number(n)) => format!("{:x}", n.as_u64().ok_or_else(misfit)?),
            ('s' | 'd' | 'q' | 't' | 'x', _) => return Err(misfit()),
            (verb, _) => return Err(format!("%{verb} is not supported")),
        };
        let text = match (self.precision, value) {
            (Some(length), Value::String(_)) => text.chars().take(length).collect(),
            (Some(_), _) => return Err("a precision is supported for strings only".into()),
            (None, _) => text,
        };
        let pad = self.width.saturating_sub(text.chars().count());
        Ok(if self.left {
            text + &" ".repeat(pad)
        } else if self.zero && self.verb == 'd' && text.starts_with('-') {
            format!("-{}{}", "0".repeat(pad), &text[1..])
        } else {
            (if self.zero { "0" } else { " " }).repeat(pad) + &text
        })
    }
}

fn number(text: &str) -> Result<(usize, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number = if digits.is_empty() { Some(0) } else { digits.parse().ok().filter(|n| *n <= WIDEST) };
    Ok((number.ok_or_else(|| format!("a width must not be larger than {WIDEST}"))?, rest))
}
