//! The grammar of gjson's paths, one step at a time: how a step reads depends on what it meets.

use std::borrow::Cow;

use super::{super::scan, modifiers};

/// What follows a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next<'p> {
    End,
    /// Further steps into the value found.
    Into(&'p str),
    /// A path of its own that the result of everything before is given to.
    Pipe(&'p str),
}

/// A step that meets an object.
#[derive(Debug)]
pub(super) struct Member<'p> {
    pub(super) key: String,
    pub(super) is_pattern: bool,
    pub(super) next: Next<'p>,
}

/// A step that meets a list.
#[derive(Debug)]
pub(super) struct Elements<'p> {
    pub(super) which: Which<'p>,
    pub(super) next: Next<'p>,
}

#[derive(Debug)]
pub(super) enum Which<'p> {
    None,
    At(usize),
    /// `#`: how many there are.
    Count,
    /// `#.path`: what the path finds in each.
    Each(&'p str),
    /// `#(…)`, and with `is_all` `#(…)#`.
    Matching {
        test: Test<'p>,
        is_all: bool,
    },
}

/// The inside of `#(…)`; everything is empty when it is malformed.
#[derive(Debug, Default)]
pub(super) struct Test<'p> {
    pub(super) path: &'p str,
    pub(super) operator: &'p str,
    pub(super) operand: Cow<'p, str>,
}

pub(super) fn member(path: &str) -> Member<'_> {
    let mut member = Member { key: String::new(), is_pattern: false, next: Next::End };
    let mut chars = path.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '|' => {
                member.next = Next::Pipe(&path[at + 1..]);
                break;
            }
            '.' => {
                member.next = after_dot(&path[at + 1..]);
                break;
            }
            '\\' => member.key.extend(chars.next().map(|(_, c)| c)),
            _ => {
                member.is_pattern |= matches!(c, '*' | '?');
                member.key.push(c);
            }
        }
    }
    member
}

pub(super) fn elements(path: &str) -> Elements<'_> {
    let bytes = path.as_bytes();
    let (mut part, mut next) = (path, Next::End);
    let (mut has_hash, mut each, mut matching) = (false, None, None);
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'|' => {
                (part, next) = (&path[..at], Next::Pipe(&path[at + 1..]));
                break;
            }
            b'.' => {
                let rest = &path[at + 1..];
                (part, next) = (&path[..at], if has_hash { Next::Into(rest) } else { after_dot(rest) });
                break;
            }
            b'#' => {
                has_hash = true;
                match bytes.get(1).filter(|_| at == 0) {
                    Some(b'.') => each = Some(&path[2..]),
                    Some(b'(' | b'[') => {
                        let Some((test, end)) = test(path) else {
                            matching = Some(Which::Matching { test: Test::default(), is_all: false });
                            break;
                        };
                        matching = Some(Which::Matching { test, is_all: bytes.get(end) == Some(&b'#') });
                        at = end - 1;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        at += 1;
    }
    let which = match (matching, each) {
        (Some(matching), _) => matching,
        (None, Some(each)) => Which::Each(each),
        (None, None) if part == "#" => Which::Count,
        (None, None) if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
            part.parse().map_or(Which::None, Which::At)
        }
        (None, None) => Which::None,
    };
    Elements { which, next }
}

/// What follows a dot: a modifier or multipath there starts a path of its own.
fn after_dot(rest: &str) -> Next<'_> {
    let is_own = match rest.as_bytes().first() {
        Some(b'[' | b'{') => true,
        Some(b'@') => modifiers::is_known(rest[1..].split(['.', '|', ':']).next().unwrap_or_default()),
        _ => false,
    };
    if is_own { Next::Pipe(rest) } else { Next::Into(rest) }
}

/// The test that a step starts with, and where it ends.
fn test(path: &str) -> Option<(Test<'_>, usize)> {
    let bytes = path.as_bytes();
    let (mut at, mut depth) = (2, 1_usize);
    let (mut operator_at, mut is_escaped) = (None, false);
    while at < bytes.len() {
        match bytes[at] {
            b'!' | b'=' | b'<' | b'>' | b'%' if depth == 1 && operator_at.is_none() => operator_at = Some(at),
            b'\\' => at += 1,
            b'[' | b'(' => depth += 1,
            b']' | b')' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            b'"' => {
                let end = scan::group_end(bytes, at);
                is_escaped |= bytes[at..end].contains(&b'\\');
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    if depth > 0 {
        return None;
    }
    let Some(operator_at) = operator_at else {
        return Some((Test { path: trim(&path[2..at]), ..Test::default() }, at + 1));
    };
    let comparison = trim(&path[operator_at..at]);
    let (operator, operand) = match comparison.as_bytes() {
        [b'=', b'=', _, ..] => ("=", &comparison[2..]),
        [b'!', b'=' | b'%', ..] | [b'<' | b'>', b'=', ..] => comparison.split_at(2),
        [b'!', _, ..] => ("", comparison),
        _ => comparison.split_at(1),
    };
    let operand = trim(operand);
    let is_quoted = operand.len() >= 2 && operand.starts_with('"') && operand.ends_with('"');
    let operand = match (is_quoted, is_escaped) {
        (true, true) => scan::unquote(operand),
        (true, false) => Cow::Borrowed(&operand[1..operand.len() - 1]),
        (false, _) => Cow::Borrowed(operand),
    };
    Some((Test { path: trim(&path[2..operator_at]), operator, operand }, at + 1))
}

/// Takes off white space and control characters.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

/// Splits at the first pipe that is not inside of a test.
pub(super) fn split_pipe(path: &str) -> Option<(&str, &str)> {
    let bytes = path.as_bytes();
    if bytes.first() == Some(&b'{') {
        let end = scan::group_end(bytes, 0);
        return path[end..].strip_prefix('|').map(|rest| (&path[..end], rest));
    }
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'|' => return Some((&path[..at], &path[at + 1..])),
            b'.' if bytes.get(at + 1) == Some(&b'#') => {
                at += 2;
                if matches!(bytes.get(at), Some(b'(' | b'[')) {
                    at = test_end(bytes, at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the bracket at `start` is closed by one of its own kind.
fn test_end(bytes: &[u8], start: usize) -> usize {
    let (open, close) = if bytes[start] == b'[' { (b'[', b']') } else { (b'(', b')') };
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => at = scan::group_end(bytes, at) - 1,
            b if b == open => depth += 1,
            b if b == close => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

/// The name, if any, and path of each entry of a multipath.
pub(super) type Entries<'p> = Vec<(Option<&'p str>, &'p str)>;

/// The entries of a multipath, and what follows it.
pub(super) fn multipath(path: &str) -> Option<(Entries<'_>, &str)> {
    let bytes = path.as_bytes();
    let mut entries = Vec::new();
    let (mut start, mut colon, mut is_modifier, mut depth) = (1, None, false, 1_usize);
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'@' if matches!(bytes[at - 1], b'.' | b'|') => is_modifier = true,
            b':' if !is_modifier && colon.is_none() && depth == 1 => colon = Some(at),
            b'"' => at = scan::group_end(bytes, at) - 1,
            b'[' | b'(' | b'{' => depth += 1,
            c @ (b']' | b')' | b'}' | b',') => {
                if c != b',' {
                    depth -= 1;
                }
                if depth == usize::from(c == b',') {
                    entries.push(match colon.take() {
                        Some(colon) => {
                            (Some(&path[start..colon]).filter(|name| !name.is_empty()), &path[colon + 1..at])
                        }
                        None => (None, &path[start..at]),
                    });
                    (start, is_modifier) = (at + 1, false);
                    if c != b',' {
                        return Some((entries, &path[at + 1..]));
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The name of an entry that was given none.
pub(super) fn last_name(path: &str) -> &str {
    let is_split = |(at, c): &(usize, char)| matches!(c, '.' | '|') && !path[..*at].ends_with('\\');
    let name = path.char_indices().rev().find(is_split).map_or(path, |(at, _)| &path[at + 1..]);
    let is_simple = !name.contains(|c: char| c < ' ' || "[]{}()#|!".contains(c));
    if is_simple { name } else { "_" }
}
