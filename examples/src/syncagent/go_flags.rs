//! The forms of flags that programs written in Go take.

use std::ffi::OsString;

/// The arguments, with `-name` as `--name`.
///
/// Go's flag package makes no difference between the two. What follows `--` is left alone, and so
/// are single letters.
pub(super) fn accepted(arguments: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut are_flags_over = false;
    arguments.into_iter().map(move |argument| {
        are_flags_over |= argument == "--";
        match argument.to_str() {
            Some(text) if !are_flags_over && is_long_with_one_dash(text) => format!("-{text}").into(),
            _ => argument,
        }
    })
}

fn is_long_with_one_dash(argument: &str) -> bool {
    let name = argument.strip_prefix('-').unwrap_or_default();
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dash_is_as_good_as_two() {
        for (given, accepted_as) in [
            ("-namespace=kcp", "--namespace=kcp"),
            ("--namespace=kcp", "--namespace=kcp"),
            ("-namespace", "--namespace"),
            ("-h", "-h"),
            ("-V", "-V"),
            ("-", "-"),
            ("--", "--"),
            ("-1", "-1"),
            ("file-name", "file-name"),
            ("", ""),
        ] {
            let accepted: Vec<_> = accepted([given.into()]).collect();
            assert_eq!(accepted, [accepted_as], "{given}");
        }
    }

    #[test]
    fn what_follows_two_dashes_is_not_a_flag() {
        let arguments = ["validate", "--", "-namespace"].map(OsString::from);
        assert_eq!(accepted(arguments.clone()).collect::<Vec<_>>(), arguments);
    }
}
