//! What names may look like, in the words of Kubernetes.

use std::sync::LazyLock;

use regex::Regex;

/// How the objects of a kind may be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum NameRule {
    /// A DNS-1123 subdomain, up to 253 characters: most kinds.
    #[default]
    Subdomain,
    /// A DNS-1123 label, up to 63 characters: namespaces.
    Label,
    /// Anything that can be one segment of a URL path: RBAC kinds.
    PathSegment,
}

impl NameRule {
    /// What is wrong with `name`; nothing when it is valid.
    #[must_use]
    pub(crate) fn faults(self, name: &str) -> Vec<String> {
        match self {
            Self::Subdomain => dns1123_subdomain(name),
            Self::Label => dns1123_label(name),
            Self::PathSegment => path_segment(name),
        }
    }

    /// What is wrong with `prefix` as the start of a generated name, which may end with a dash.
    #[must_use]
    pub(crate) fn prefix_faults(self, prefix: &str) -> Vec<String> {
        match (self, prefix.strip_suffix('-')) {
            (Self::PathSegment, _) => path_prefix(prefix),
            (_, Some(start)) if !start.is_empty() => self.faults(&format!("{start}a")),
            _ => self.faults(prefix),
        }
    }
}

macro_rules! label {
    () => {
        "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    };
}
const LABEL: &str = label!();
const SUBDOMAIN: &str = concat!(label!(), r"(\.", label!(), ")*");
const DNS1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

static LABEL_REGEX: LazyLock<Regex> = LazyLock::new(|| whole(LABEL));
static SUBDOMAIN_REGEX: LazyLock<Regex> = LazyLock::new(|| whole(SUBDOMAIN));
static DNS1035_REGEX: LazyLock<Regex> = LazyLock::new(|| whole(DNS1035));
static KEY_REGEX: LazyLock<Regex> = LazyLock::new(|| whole(KEY));
static LABEL_VALUE_REGEX: LazyLock<Regex> = LazyLock::new(|| whole(LABEL_VALUE));

fn whole(pattern: &str) -> Regex {
    Regex::new(&format!("^(?:{pattern})$")).expect("a constant that the tests compile")
}

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

fn mismatch(words: &str, examples: &[&str], pattern: &str) -> String {
    let examples: Vec<_> = examples.iter().map(|example| format!("'{example}'")).collect();
    format!("{words} (e.g. {}, regex used for validation is '{pattern}')", examples.join(",  or "))
}

/// What keeps `value` from being a DNS-1123 label.
pub(crate) fn dns1123_label(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > 63 {
        faults.push(too_long(63));
    }
    if !LABEL_REGEX.is_match(value) {
        faults.push(if SUBDOMAIN_REGEX.is_match(value) {
            "must not contain dots".to_owned()
        } else {
            mismatch(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
                 and end with an alphanumeric character",
                &["my-name", "123-abc"],
                LABEL,
            )
        });
    }
    faults
}

/// What keeps `value` from being a DNS-1123 subdomain.
pub(crate) fn dns1123_subdomain(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > 253 {
        faults.push(too_long(253));
    }
    if !SUBDOMAIN_REGEX.is_match(value) {
        faults.push(mismatch(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character",
            &["example.com"],
            SUBDOMAIN,
        ));
    }
    faults
}

/// What keeps `value` from being a DNS-1035 label.
pub(crate) fn dns1035_label(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > 63 {
        faults.push(too_long(63));
    }
    if !DNS1035_REGEX.is_match(value) {
        faults.push(mismatch(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
            &["my-name", "abc-123"],
            DNS1035,
        ));
    }
    faults
}

fn path_segment(value: &str) -> Vec<String> {
    if matches!(value, "." | "..") { vec![format!("may not be '{value}'")] } else { path_prefix(value) }
}

fn path_prefix(value: &str) -> Vec<String> {
    let illegal = ["/", "%"].into_iter().filter(|illegal| value.contains(illegal));
    illegal.map(|illegal| format!("may not contain '{illegal}'")).collect()
}

/// What keeps `value` from being a qualified name, `[prefix/]name`: keys of labels and annotations,
/// finalizers.
pub(crate) fn qualified_name(value: &str) -> Vec<String> {
    const WORDS: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let examples = &["MyName", "my.name", "123-abc"];
    let mut faults = Vec::new();
    let name = match value.split_once('/') {
        None => value,
        Some((_, name)) if name.contains('/') => {
            let words = format!("a valid label key {}", mismatch(WORDS, examples, KEY));
            return vec![format!("{words} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")];
        }
        Some(("", name)) => {
            faults.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            faults.extend(dns1123_subdomain(prefix).into_iter().map(|fault| format!("prefix part {fault}")));
            name
        }
    };
    if name.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        faults.push(format!("name part {}", too_long(63)));
    }
    if !KEY_REGEX.is_match(name) {
        faults.push(format!("name part {}", mismatch(WORDS, examples, KEY)));
    }
    faults
}

/// What keeps `value` from being the value of a label.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > 63 {
        faults.push(too_long(63));
    }
    if !LABEL_VALUE_REGEX.is_match(value) {
        faults.push(mismatch(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
            &["MyValue", "my_value", "12345"],
            LABEL_VALUE,
        ));
    }
    faults
}
