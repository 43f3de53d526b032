//! The CEL in a text: where `${` begins an expression and which `}` ends it.

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// As it stands.
    Plain(&'a str),
    /// What is between `${` and `}`.
    Cel(&'a str),
}

/// The parts of a text in order; a text without CEL is one plain part, an empty one has none.
pub(super) fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if start > 0 {
            parts.push(Part::Plain(&rest[..start]));
        }
        let expression = &rest[start + 2..];
        let end = end_of(expression).ok_or_else(|| format!("{:?} is not closed by a brace", &rest[start..]))?;
        parts.push(Part::Cel(&expression[..end]));
        rest = &expression[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Plain(rest));
    }
    Ok(parts)
}

/// The one expression a text consists of.
pub(super) fn whole(text: &str) -> Result<&str, String> {
    match parts(text)?.as_slice() {
        [Part::Cel(expression)] => Ok(expression),
        _ => Err(format!("{text:?} is not one `${{…}}` and nothing else")),
    }
}

/// The position of the brace that closes an expression. Braces in maps, strings and comments do not.
fn end_of(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            b'"' | b'\'' => {
                at = end_of_string(bytes, at, is_raw(bytes, at))?;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes[at..].iter().position(|&byte| byte == b'\n')?;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether the quote follows a prefix that takes backslashes as they are: `r"…"`, `br'…'`.
fn is_raw(bytes: &[u8], quote: usize) -> bool {
    let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let prefix_length = bytes[..quote].iter().rev().take_while(is_letter).count();
    matches!(
        &bytes[quote - prefix_length..quote],
        b"r" | b"R" | b"br" | b"bR" | b"Br" | b"BR" | b"rb" | b"rB" | b"Rb" | b"RB"
    )
}

/// The position after the string literal that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize, is_raw: bool) -> Option<usize> {
    let quote = bytes[start];
    let triple = [quote; 3];
    let closing: &[u8] = if bytes[start..].starts_with(&triple) { &triple } else { &triple[..1] };
    let mut at = start + closing.len();
    while at < bytes.len() {
        if bytes[at] == b'\\' && !is_raw {
            at += 2;
        } else if bytes[at..].starts_with(closing) {
            return Some(at + closing.len());
        } else {
            at += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Part, parts, whole};

    fn check(text: &str, expected: &[Part<'_>]) {
        assert_eq!(parts(text).as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn texts_are_plain_cel_or_mixed() {
        check("", &[]);
        check("plain $x } {", &[Part::Plain("plain $x } {")]);
        check("${a.b}", &[Part::Cel("a.b")]);
        check("é${a}-${b}\n", &[Part::Plain("é"), Part::Cel("a"), Part::Plain("-"), Part::Cel("b"), Part::Plain("\n")]);
    }

    #[test]
    fn braces_of_the_expression_do_not_end_it() {
        check("${{'a': {'b': 1}}}", &[Part::Cel("{'a': {'b': 1}}")]);
        check(r#"${"${USER}"}"#, &[Part::Cel(r#""${USER}""#)]);
        check(r#"${'}' + "\"}" + r'\' }"#, &[Part::Cel(r#"'}' + "\"}" + r'\' "#)]);
        check(r#"${"""a"}"""}!"#, &[Part::Cel(r#""""a"}""""#), Part::Plain("!")]);
        check("${a // }\n}", &[Part::Cel("a // }\n")]);
    }

    #[test]
    fn what_is_not_closed_is_a_fault() {
        for text in ["${", "${a", "${'a}", "x${ {} ", "${a // }"] {
            assert!(parts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn conditions_are_one_expression_and_nothing_else() {
        assert_eq!(whole("${a}"), Ok("a"));
        for text in ["", "a", "${a}\n", "${a}${b}"] {
            assert!(whole(text).is_err(), "{text:?}");
        }
    }
}
