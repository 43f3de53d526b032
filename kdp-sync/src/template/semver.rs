//! Versions and constraints with the semantics of Masterminds/semver 3.

use std::{cmp::Ordering, fmt};

use super::value::{IntType, Val};

/// A version; a leading `v` and missing numbers are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    original: String,
    numbers: [u64; 3],
    prerelease: String,
    metadata: String,
}

impl Version {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is not a semantic version");
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = rest.split_once('+').map_or((rest, None), |(rest, meta)| (rest, Some(meta)));
        let (core, prerelease) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
        let has_leading_zero = |part: &str| part.len() > 1 && part.starts_with('0');
        let is_word =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let mut numbers = [0; 3];
        let parts: Vec<_> = core.split('.').collect();
        if parts.len() > 3 {
            return Err(invalid());
        }
        for (number, part) in numbers.iter_mut().zip(&parts) {
            if !is_number(part) {
                return Err(invalid());
            }
            *number = part.parse().map_err(|_| invalid())?;
        }
        let fits = |part: &str| is_word(part) && !(is_number(part) && has_leading_zero(part));
        if !prerelease.is_none_or(|pre| pre.split('.').all(fits))
            || !metadata.is_none_or(|meta| meta.split('.').all(is_word))
        {
            return Err(invalid());
        }
        Ok(Self {
            original: text.into(),
            numbers,
            prerelease: prerelease.unwrap_or_default().into(),
            metadata: metadata.unwrap_or_default().into(),
        })
    }

    /// The result of a method that takes no arguments.
    pub(super) fn method<'v>(&self, name: &str) -> Result<Val<'v>, String> {
        let number = |at: usize| {
            let number = i64::try_from(self.numbers[at]).map_err(|_| "a version has too large a number")?;
            Ok::<_, String>(Val::Int(number, IntType::Uint64))
        };
        match name {
            "Major" => number(0),
            "Minor" => number(1),
            "Patch" => number(2),
            "Prerelease" => Ok(Val::text(self.prerelease.as_str())),
            "Metadata" => Ok(Val::text(self.metadata.as_str())),
            "Original" => Ok(Val::text(self.original.as_str())),
            "String" => Ok(Val::text(self.to_string())),
            _ => Err(format!("a version has no method {name:?}")),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_prereleases(&self.prerelease, &other.prerelease),
        })
    }
}

/// Numbers by value and before words, words by spelling; the longer of two is the later.
fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// Alternatives, each of constraints that must all hold.
#[derive(Debug)]
pub(super) struct Constraints(Vec<Vec<Constraint>>);

#[derive(Debug)]
struct Constraint {
    operator: &'static str,
    version: Version,
    /// How many numbers were given; wildcards and what follows them do not count.
    given: usize,
}

/// Longer operators first.
const OPERATORS: [&str; 11] = ["!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"];

impl Constraints {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        text.split("||").map(alternative).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn accept(&self, version: &Version) -> bool {
        self.0.iter().any(|all| all.iter().all(|constraint| constraint.accepts(version)))
    }
}

fn alternative(text: &str) -> Result<Vec<Constraint>, String> {
    let mut constraints = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (constraint, after) = Constraint::parse(rest)?;
        // "1.2 - 1.4" is a range.
        let trimmed = after.trim_start();
        let range_end = trimmed.strip_prefix('-').filter(|_| trimmed.len() < after.len());
        let separated = match range_end.filter(|end| end.starts_with(char::is_whitespace)) {
            Some(end) if constraint.operator == "=" => {
                let (last, after) = Constraint::parse(end.trim_start())?;
                constraints.push(Constraint { operator: ">=", ..constraint });
                constraints.push(Constraint { operator: "<=", ..last });
                after
            }
            _ => {
                constraints.push(constraint);
                after
            }
        };
        let next = separated.trim_start();
        if next.is_empty() {
            return Ok(constraints);
        }
        rest = match next.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if next.len() < separated.len() => next,
            None => return Err(format!("improper constraint: {text:?}")),
        };
    }
}

impl Constraint {
    /// A constraint, and the text after it.
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let improper = || format!("improper constraint: {text:?}");
        let operator = OPERATORS.into_iter().find(|operator| text.starts_with(operator));
        let rest = text[operator.map_or(0, str::len)..].trim_start();
        let operator = match operator {
            Some("=>") => ">=",
            Some("=<") => "<=",
            Some("~>") => "~",
            Some(operator) => operator,
            None => "=",
        };
        let end = rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let bare = word.strip_prefix('v').unwrap_or(word);
        let core_end = bare.find(['-', '+']).unwrap_or(bare.len());
        let (core, suffix) = bare.split_at(core_end);
        let parts: Vec<_> = core.split('.').collect();
        if parts.len() > 3 || parts.iter().any(|part| part.is_empty()) {
            return Err(improper());
        }
        let given = parts.iter().position(|part| matches!(*part, "x" | "X" | "*")).unwrap_or(parts.len());
        let numbers = parts[..given].iter().copied().chain(["0", "0", "0"]).take(3).collect::<Vec<_>>().join(".");
        let version = Version::parse(&format!("{numbers}{suffix}")).map_err(|_| improper())?;
        Ok((Self { operator, version, given }, after))
    }

    fn accepts(&self, version: &Version) -> bool {
        // Prereleases are meant only where a prerelease is named, or a version is excluded.
        let is_exact = self.given == 3;
        if !version.prerelease.is_empty() && self.version.prerelease.is_empty() && !(is_exact && self.operator == "!=")
        {
            return false;
        }
        let order = version.compare(&self.version);
        // The order of the leftmost numbers only.
        let leftmost = |count: usize| version.numbers[..count].cmp(&self.version.numbers[..count]);
        match (self.operator, self.given) {
            ("!=", 1) => leftmost(1).is_ne(),
            ("!=", 2) => leftmost(2).is_ne() || version.prerelease != self.version.prerelease,
            ("!=", _) => order.is_ne(),
            (">", 1 | 2) => leftmost(self.given).is_gt(),
            (">", _) => order.is_gt(),
            (">=", _) => order.is_ge(),
            ("<", _) => order.is_lt(),
            ("<=", 3) => order.is_le(),
            ("<=", 1) => leftmost(1).is_le(),
            ("<=", _) => leftmost(2).is_le(),
            ("^", _) => order.is_ge() && leftmost(self.compatible_numbers()).is_eq(),
            ("=", 3) => order.is_eq(),
            // What is left open lies between this version and the next of what was given; zeros
            // leave everything open.
            (_, 0 | 3) if self.version.numbers == [0; 3] => order.is_ge(),
            (_, given) => order.is_ge() && leftmost(given.min(2)).is_eq(),
        }
    }

    /// How many numbers must be the same: up to the leftmost that is not zero.
    fn compatible_numbers(&self) -> usize {
        match (self.version.numbers, self.given) {
            ([1..=u64::MAX, ..], _) | (_, 1) => 1,
            ([_, 1..=u64::MAX, _], _) | (_, 2) => 2,
            _ => 3,
        }
    }
}
