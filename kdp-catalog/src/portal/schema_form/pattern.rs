//! Which patterns mean something in a browser too.

/// Whether a pattern of Go's is one of ECMAScript's in its Unicode mode, as portals compile it.
///
/// The answer is no when in doubt: a form without a pattern still works, one with a pattern that
/// cannot be compiled does not.
pub(super) fn is_portable(pattern: &str) -> bool {
    let mut rest = pattern.chars().peekable();
    let mut groups = 0_usize;
    // Whether the next character may be a quantifier: there is something to repeat.
    let mut is_repeatable = false;
    while let Some(c) = rest.next() {
        is_repeatable = match c {
            '\\' => match rest.next() {
                Some('b' | 'B') => false,
                Some(c) if is_escape(c) => true,
                _ => return false,
            },
            '[' => {
                if !skip_class(&mut rest) {
                    return false;
                }
                true
            }
            '(' => {
                if rest.next_if_eq(&'?').is_some() && rest.next() != Some(':') {
                    return false;
                }
                groups += 1;
                false
            }
            ')' => {
                let Some(outer) = groups.checked_sub(1) else { return false };
                groups = outer;
                true
            }
            '*' | '+' | '?' | '{' => {
                if !is_repeatable || (c == '{' && !skip_counts(&mut rest)) {
                    return false;
                }
                rest.next_if_eq(&'?');
                false
            }
            ']' | '}' => return false,
            '^' | '$' | '|' => false,
            _ => true,
        };
    }
    groups == 0
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Escapes with the same meaning on both sides, inside and outside of brackets.
fn is_escape(c: char) -> bool {
    "dDwWsSnrtfv^$\\.*+?()[]{}|/".contains(c)
}

/// Reads the counts of `{n}`, `{n,}` or `{n,m}` up to the brace.
fn skip_counts(rest: &mut Rest<'_>) -> bool {
    let mut counts = String::new();
    for c in rest.by_ref() {
        if c == '}' {
            break;
        }
        counts.push(c);
    }
    let (low, high) = counts.split_once(',').map_or((counts.as_str(), None), |(low, high)| (low, Some(high)));
    let Ok(low) = low.parse::<u16>() else { return false };
    high.is_none_or(|high| high.is_empty() || high.parse::<u16>().is_ok_and(|high| low <= high))
}

/// Reads the rest of a class up to its bracket.
fn skip_class(rest: &mut Rest<'_>) -> bool {
    rest.next_if_eq(&'^');
    // Go takes a bracket that comes first as itself, ECMAScript as the end.
    if rest.peek() == Some(&']') {
        return false;
    }
    let mut previous: Option<Member> = None;
    loop {
        let Some(member) = member(rest) else { return false };
        match (member, previous) {
            (Member::End, _) => return true,
            (Member::Dash, Some(from)) if rest.peek() != Some(&']') => {
                // A range; both ends have to be characters.
                let (Member::One(from), Some(Member::One(to))) = (from, self::member(rest)) else { return false };
                if from > to {
                    return false;
                }
                previous = None;
            }
            (Member::Dash, _) => previous = Some(Member::One('-')),
            (member, _) => previous = Some(member),
        }
    }
}

#[derive(Clone, Copy)]
enum Member {
    One(char),
    Many,
    Dash,
    End,
}

fn member(rest: &mut Rest<'_>) -> Option<Member> {
    match rest.next()? {
        ']' => Some(Member::End),
        '-' => Some(Member::Dash),
        '[' if rest.peek() == Some(&':') => None,
        '\\' => match rest.next()? {
            '-' => Some(Member::One('-')),
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => Some(Member::Many),
            'n' => Some(Member::One('\n')),
            'r' => Some(Member::One('\r')),
            't' => Some(Member::One('\t')),
            'f' => Some(Member::One('\u{c}')),
            'v' => Some(Member::One('\u{b}')),
            c if is_escape(c) => Some(Member::One(c)),
            _ => None,
        },
        c => Some(Member::One(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_both_languages_are_kept() {
        for pattern in [
            "",
            "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            r"^\d{1,3}(?:\.\d+)?(m|Gi|[KMG])$",
            r"^[\w.-]+$",
            r"^[^\s/]{2,}?$",
            r"^[a-z\-_]+$",
            r"^[-+]?$",
            "^é+$",
        ] {
            assert!(is_portable(pattern), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_only_go_understands_are_not() {
        for pattern in [
            "(?i)abc",
            "(?P<x>a)",
            "[[:alpha:]]+",
            r"\pL",
            r"\p{Greek}",
            r"\Aabc\z",
            r"a\_b",
            r"a\-b",
            r"[\w-.]",
            r"[a-\d]",
            "[z-a]",
            "[]a]",
            "[]",
            "a{",
            "a{,3}",
            "a{3,1}",
            "a}",
            "a]",
            "(a",
            "a)",
            "*a",
            "a**",
            "^*",
            "[a",
            r"\",
        ] {
            assert!(!is_portable(pattern), "{pattern}");
        }
    }
}
