//! Writes a text that matches a pattern.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Texts a person would write, tried before one is made up.
const FAMILIAR: [&str; 14] = [
    "example",
    "example.com",
    "1Gi",
    "1",
    "v1",
    "1.0",
    "1.0.0",
    "1h",
    "https://example.com",
    "user@example.com",
    "10.0.0.0/24",
    "2030-01-01",
    "EXAMPLE",
    "a",
];

/// Repetitions tried beyond the least number when the text must be longer.
const LONGEST_STRETCH: u32 = 64;

/// Where a made-up text is given up, in bytes.
const LONGEST_TEXT: usize = 4096;

/// A text that matches `pattern` and has a length within `min` and `max`; `None` when none is found.
pub(crate) fn text_matching(pattern: &str, min: usize, max: usize) -> Option<String> {
    let regex = Regex::new(pattern).ok()?;
    let fits = |text: &str| (min..=max).contains(&text.chars().count()) && regex.is_match(text);
    if let Some(familiar) = FAMILIAR.iter().find(|text| fits(text)) {
        return Some((*familiar).to_owned());
    }
    let hir = regex_syntax::parse(pattern).ok()?;
    (0..=LONGEST_STRETCH).map(|stretch| sample(&hir, stretch)).find(|text| fits(text))
}

/// The plainest text that `hir` matches, with every repetition `stretch` times longer than it must be.
fn sample(hir: &Hir, stretch: u32) -> String {
    let mut text = String::new();
    write_sample(hir, stretch, &mut text);
    text
}

fn write_sample(hir: &Hir, stretch: u32, text: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(plainest(class)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            for _ in 0..repetition.min.saturating_add(stretch).min(most) {
                let before = text.len();
                write_sample(&repetition.sub, stretch, text);
                // Nested repetitions multiply: a round that adds nothing, or too much already, is the last.
                if text.len() == before || text.len() > LONGEST_TEXT {
                    break;
                }
            }
        }
        HirKind::Capture(capture) => write_sample(&capture.sub, stretch, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write_sample(part, stretch, text)),
        HirKind::Alternation(branches) => {
            if let Some(branch) = branches.first() {
                write_sample(branch, stretch, text);
            }
        }
    }
}

/// A letter or digit of the class when it has one.
fn plainest(class: &Class) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let holds = |wanted: &char| ranges.iter().any(|(start, end)| (start..=end).contains(&wanted));
    ['a', '1', 'A', '0'].into_iter().find(holds).or_else(|| ranges.first().map(|(start, _)| *start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_for_the_patterns_kinds_use() {
        let check = |pattern, min, max, expected: &str| {
            assert_eq!(text_matching(pattern, min, max).as_deref(), Some(expected), "{pattern}");
        };
        check("^[a-z]+$", 0, 63, "example");
        check(r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$", 0, 20, "1Gi");
        check("^[0-9]+$", 0, 20, "1");
        check("^[a-z]{3}-[0-9]{4}$", 0, 20, "aaa-1111");
        check("^(Accepted|Rejected)$", 0, 20, "Accepted");
        check("^x+$", 5, 8, "xxxxx");
        check(r"^\w+@\w+$", 0, 20, "a@a");
        check("^[^a-zA-Z0-9]$", 1, 1, "\0");
    }

    #[test]
    fn nested_repetitions_stay_small() {
        assert_eq!(text_matching("^((((x*)*)*)*)*y$", 9000, 9001), None);
        assert_eq!(text_matching("^(((((())*)*)*)*)*y$", 2, 9), None);
    }

    #[test]
    fn what_cannot_be_matched_yields_nothing() {
        assert_eq!(text_matching("^ab$", 3, 9), None);
        assert_eq!(text_matching("(?=lookahead)", 0, 9), None);
    }
}
