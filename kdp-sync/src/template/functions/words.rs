//! Functions of sprig on words and lines.

use super::{
    Args, Function, function,
    strings::{lower_char, piece, upper_char},
};
use crate::template::{fuel::Text, value::Val};

pub(super) const FUNCTIONS: &[Function] = &[
    function("title", "s", |a| {
        let mut before = ' ';
        Ok(Val::text(
            a.text(0)
                .chars()
                .map(|c| {
                    let starts = is_separator(before);
                    before = c;
                    if starts { upper_char(c) } else { c }
                })
                .collect::<String>(),
        ))
    }),
    function("untitle", "s", |a| {
        let mut before = ' ';
        Ok(Val::text(
            a.text(0)
                .chars()
                .map(|c| {
                    let starts = before.is_whitespace();
                    before = c;
                    if starts { lower_char(c) } else { c }
                })
                .collect::<String>(),
        ))
    }),
    function("swapcase", "s", |a| {
        Ok(Val::text(
            a.text(0)
                .chars()
                .map(|c| match c {
                    _ if c.is_uppercase() => lower_char(c),
                    _ if c.is_lowercase() => upper_char(c),
                    _ => c,
                })
                .collect::<String>(),
        ))
    }),
    function("nospace", "s", |a| {
        ascii(a.text(0))?;
        Ok(Val::text(a.text(0).chars().filter(|c| !c.is_whitespace()).collect::<String>()))
    }),
    function("initials", "s", |a| {
        ascii(a.text(0))?;
        Ok(Val::text(a.text(0).split_whitespace().filter_map(|word| word.chars().next()).collect::<String>()))
    }),
    function(
        "abbrev",
        "is",
        |a| {
            if a.int(0) < 4 { Ok(Val::text(a.text(1))) } else { abbreviate(a.text(1), 0, a.int(0)) }
        },
    ),
    function("abbrevboth", "iis", |a| {
        let (left, right) = (a.int(0), a.int(1));
        if right < 4 || (left > 0 && right < 7) { Ok(Val::text(a.text(2))) } else { abbreviate(a.text(2), left, right) }
    }),
    function("wrap", "is", |a| wrap(a, LongWords::Stay, "", a.text(1))),
    function("wrapWith", "iss", |a| wrap(a, LongWords::Break, a.text(1), a.text(2))),
];

/// Go takes these strings apart into bytes, and makes characters of those.
fn ascii(text: &str) -> Result<(), String> {
    if text.is_ascii() { Ok(()) } else { Err("takes ASCII only".into()) }
}

/// Whether a word of a title may start after this character.
fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric() && c != '_';
    }
    c.is_whitespace()
}

/// Cuts the middle of a text out of its surroundings, of which dots remain.
fn abbreviate<'v>(text: &str, offset: i64, width: i64) -> Result<Val<'v>, String> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if length <= width {
        return Ok(Val::text(text));
    }
    let kept = width - 3;
    let cut = |start, end| match piece(text, start, end)? {
        Val::Text(text) => Ok::<_, String>(text),
        _ => Err("has no text".into()),
    };
    let offset = offset.min(length).min(length - kept);
    if offset <= 4 {
        return Ok(Val::text(format!("{}...", cut(0, kept)?)));
    }
    if width < 7 {
        return Ok(Val::text(""));
    }
    if offset + kept >= length {
        return Ok(Val::text(format!("...{}", cut(length - kept, length)?)));
    }
    // What is left of the text is cut again, with the width that the dots leave; too small a width
    // leaves nothing.
    let rest = &*cut(offset, length)?;
    match kept {
        ..4 => Ok(Val::text("...")),
        _ => match abbreviate(rest, 0, kept)? {
            Val::Text(inner) => Ok(Val::text(format!("...{inner}"))),
            other => Ok(other),
        },
    }
}

/// What becomes of words that are longer than a line.
#[derive(Clone, Copy)]
enum LongWords {
    Stay,
    Break,
}

/// Breaks lines at spaces.
fn wrap<'v>(args: &Args<'_, 'v>, long: LongWords, line_break: &str, text: &str) -> Result<Val<'v>, String> {
    let width = usize::try_from(args.int(0)).unwrap_or(1).max(1);
    let line_break = if line_break.is_empty() { "\n" } else { line_break };
    let mut out = Text::new(args.fuel);
    let mut offset = 0;
    let get = |start: usize, end: usize| text.get(start..end).ok_or("would cut a character in two");
    while text.len() - offset > width {
        if text.as_bytes()[offset] == b' ' {
            offset += 1;
            continue;
        }
        let line = &text.as_bytes()[offset..=offset + width];
        let space = line.iter().rposition(|byte| *byte == b' ').map(|space| offset + space);
        let (end, next) = match (space, long) {
            (Some(space), _) => (space, space + 1),
            (None, LongWords::Break) => (offset + width, offset + width),
            (None, LongWords::Stay) => match get(offset + width, text.len())?.find(' ') {
                Some(space) => (offset + width + space, offset + width + space + 1),
                None => break,
            },
        };
        out.push(get(offset, end)?)?;
        out.push(line_break)?;
        offset = next;
    }
    out.push(get(offset, text.len())?)?;
    Ok(Val::text(out.finish()))
}
