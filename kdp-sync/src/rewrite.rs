//! Regular expressions that rewrite text, with Go's expansion of `$1` and `${name}`.

pub(crate) mod pattern;

use std::convert::Infallible;

use regex::Regex;

/// Replaces every match of a pattern, or the whole text when there is no pattern.
#[derive(Clone, Debug)]
pub(crate) struct RegexReplace {
    pattern: Option<Regex>,
    replacement: String,
}

impl RegexReplace {
    /// # Errors
    /// When the pattern is not a regular expression.
    pub(crate) fn new(pattern: &str, replacement: &str) -> Result<Self, String> {
        let pattern = if pattern.is_empty() { None } else { Some(pattern::compile(pattern)?) };
        Ok(Self { pattern, replacement: replacement.into() })
    }

    /// Whether the result is the same for every text.
    pub(crate) fn is_independent(&self) -> bool {
        self.pattern.is_none()
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let Some(pattern) = &self.pattern else { return self.replacement.clone() };
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for groups in pattern.captures_iter(text) {
            let Some(whole) = groups.get(0) else { continue };
            out.push_str(&text[copied..whole.start()]);
            copied = whole.end();
            let Ok(()) = pattern::expand(&self.replacement, &groups, &mut |piece| {
                out.push_str(piece);
                Ok::<(), Infallible>(())
            });
        }
        out.push_str(&text[copied..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_expand_as_in_go() {
        let check = |pattern, replacement, text, expected| {
            assert_eq!(RegexReplace::new(pattern, replacement).unwrap().apply(text), expected, "{replacement}");
        };
        check("(a)(b)", "$2-$1", "xab", "xb-a");
        check("(a)", "${1}x", "a", "ax");
        check("(a)", "$1x", "a", "");
        check("(?P<n>a)", "<$n>", "aa", "<a><a>");
        check("a", "$$", "a", "$");
        check("(a)", r"\1", "a", r"\1");
        check("", "new", "old", "new");
    }

    #[test]
    fn a_bad_pattern_is_refused() {
        assert!(RegexReplace::new("(", "").is_err());
    }
}
