//! Regular expressions that rewrite text, with Go's expansion of `$1` and `${name}`.

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
        let pattern = if pattern.is_empty() {
            None
        } else {
            // The last line of the error says what is wrong; those before draw the pattern.
            let last_line = |e: regex::Error| e.to_string().lines().last().unwrap_or_default().trim().to_owned();
            Some(Regex::new(pattern).map_err(last_line)?)
        };
        Ok(Self { pattern, replacement: replacement.into() })
    }

    /// Whether the result is the same for every text.
    pub(crate) fn is_independent(&self) -> bool {
        self.pattern.is_none()
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        match &self.pattern {
            Some(pattern) => pattern.replace_all(text, self.replacement.as_str()).into_owned(),
            None => self.replacement.clone(),
        }
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
