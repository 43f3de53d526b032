//! Go's regular expressions in terms of the `regex` crate.
//!
//! Both have the same theory and nearly the same syntax. In Go `\d`, `\s`, `\w` and `\b` know ASCII
//! only, `{` and `[` may stand for themselves, and `\Q…\E` quotes.

use regex::{Captures, Regex, RegexBuilder};

/// The most memory that a compiled pattern may take.
const LARGEST: usize = 1 << 20;

/// # Errors
/// When the pattern is not a regular expression, or too large a one.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    // The last line of the error says what is wrong; those before draw the pattern.
    let last_line = |e: regex::Error| e.to_string().lines().last().unwrap_or_default().trim().to_owned();
    RegexBuilder::new(&translate(pattern)).size_limit(LARGEST).build().map_err(last_line)
}

/// Gives the pieces of a replacement, with `$1` and `${name}` replaced by what the groups matched.
///
/// # Errors
/// Those of `push`.
pub(crate) fn expand<E>(
    replacement: &str,
    groups: &Captures<'_>,
    push: &mut impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        push(before)?;
        if let Some(after) = after.strip_prefix('$') {
            push("$")?;
            rest = after;
            continue;
        }
        let Some((name, after)) = group(after) else {
            push("$")?;
            rest = after;
            continue;
        };
        let found = match name.parse::<usize>() {
            // A number does not begin with a zero; it would be a name.
            Ok(at) if name == "0" || !name.starts_with('0') => groups.get(at),
            _ => groups.name(name),
        };
        push(found.map_or("", |found| found.as_str()))?;
        rest = after;
    }
    push(rest)
}

/// The name of a group, and what follows.
fn group(text: &str) -> Option<(&str, &str)> {
    let (inner, is_braced) = text.strip_prefix('{').map_or((text, false), |inner| (inner, true));
    let end = inner.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, after) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    if is_braced { Some((name, after.strip_prefix('}')?)) } else { Some((name, after)) }
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = after;
        match c {
            '\\' => rest = escape(&mut out, after, in_class),
            '[' if in_class => match after.find(":]").filter(|_| after.starts_with(':')) {
                // A named class such as [:alpha:].
                Some(end) => {
                    out.push('[');
                    out.push_str(&after[..end + 2]);
                    rest = &after[end + 2..];
                }
                None => out.push_str("\\["),
            },
            '[' => {
                in_class = true;
                out.push('[');
                if let Some(negated) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = negated;
                }
                // First of all, a closing bracket is one of the characters.
                if let Some(closed) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = closed;
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Doubled, these would be operators on sets.
            '&' | '~' if in_class => out.extend(['\\', c]),
            '-' if in_class && after.starts_with('-') => out.push_str("\\-"),
            '{' if !in_class && !is_repetition(after) => out.push_str("\\{"),
            c => out.push(c),
        }
    }
    out
}

/// Writes what stands for the escape, and gives what follows it.
fn escape<'p>(out: &mut String, after: &'p str, in_class: bool) -> &'p str {
    let Some(c) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    let rest = &after[c.len_utf8()..];
    let class = match c {
        'd' | 'D' => "0-9",
        's' | 'S' => r"\t\n\f\r ",
        'w' | 'W' => "0-9A-Za-z_",
        _ => "",
    };
    match c {
        'd' | 's' | 'w' if in_class => out.push_str(class),
        'd' | 's' | 'w' => out.push_str(&format!("[{class}]")),
        'D' | 'S' | 'W' => out.push_str(&format!("[^{class}]")),
        'b' | 'B' if !in_class => out.push_str(&format!(r"(?-u:\{c})")),
        'Q' if !in_class => {
            let (quoted, rest) = rest.split_once(r"\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(quoted));
            return rest;
        }
        // Go takes any other sign for itself, where the crate knows more escapes than Go.
        '<' | '>' => out.push(c),
        _ => out.extend(['\\', c]),
    }
    rest
}

/// Whether what follows a `{` makes it a repetition.
fn is_repetition(after: &str) -> bool {
    let Some((inner, _)) = after.split_once('}') else { return false };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

#[cfg(test)]
mod tests;
