//! Names, labels and tags that portals accept, out of any text.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The longest name, label value or tag.
pub const NAME_MAX: usize = 63;

/// Digits of the hash that tells equal names apart.
const HASH_DIGITS: usize = 10;

/// A name for each subject, given as `(key, wanted name)`.
///
/// Names are at most [`NAME_MAX`] characters of `[a-z0-9-_.]`, start and end with a letter or digit,
/// and differ from each other; portals compare them without regard to case, so all are lower case.
/// A subject gets the wanted name when it is such a name and nobody else wants it. Otherwise it gets
/// what is left of it and a hash of its key, so that names depend only on the set of subjects, not
/// on their order. Keys that are given twice count once.
pub fn assign(subjects: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let wanted: BTreeMap<String, String> = subjects.into_iter().collect();
    let mut wanting: BTreeMap<String, usize> = BTreeMap::new();
    for name in wanted.values() {
        *wanting.entry(slug(name)).or_default() += 1;
    }
    let is_free = |name: &str| {
        let slug = slug(name);
        slug == name.to_ascii_lowercase() && slug.len() <= NAME_MAX && wanting.get(&slug) == Some(&1)
    };

    let (plain, rest): (Vec<_>, Vec<_>) = wanted.iter().partition(|(_, name)| is_free(name));
    let mut taken: BTreeMap<String, &str> = plain.into_iter().map(|(key, name)| (slug(name), key.as_str())).collect();
    for (key, name) in rest {
        // Somebody may want what looks like a name with a hash; then another hash is taken.
        let mut salt = 0_u32;
        let mut name = with_hash(&slug(name), key, salt);
        while taken.contains_key(&name) {
            salt += 1;
            name = with_hash(&slug(&wanted[key]), key, salt);
        }
        taken.insert(name, key);
    }
    taken.into_iter().map(|(name, key)| (key.to_owned(), name)).collect()
}

/// What is left of a text when only lower-case letters, digits, `-`, `_` and `.` are kept.
///
/// Never empty, but of any length.
#[must_use]
pub fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '-' | '_' | '.') => slug.push(c),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = trim(&slug);
    if slug.is_empty() { "x".into() } else { slug.into() }
}

/// The value of a label that says `text`.
#[must_use]
pub fn label_value(text: &str) -> String {
    let kept: String = text.chars().map(|c| if is_name_character(c) { c } else { '-' }).take(NAME_MAX).collect();
    let kept = trim(&kept);
    if kept.is_empty() { "x".into() } else { kept.into() }
}

/// Whether `key` may be the key of a label: a name, after a DNS name and a slash or on its own.
#[must_use]
pub fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    is_name(name) && prefix.is_none_or(is_dns_subdomain)
}

/// The tag that says `text`: words of `[a-z0-9+#]` joined by `-`; `None` when there is no such word.
#[must_use]
pub fn tag(text: &str) -> Option<String> {
    let words = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '#'))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>();
    let mut tag = words.join("-").to_ascii_lowercase();
    tag.truncate(NAME_MAX);
    let tag = tag.trim_end_matches('-');
    (!tag.is_empty()).then(|| tag.to_owned())
}

/// A text without the characters that only deceive or break readers: controls and changes of direction.
#[must_use]
pub fn readable(text: &str) -> String {
    let deceives = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.replace("\r\n", "\n").chars().filter(|&c| !deceives(c)).collect::<String>().trim().to_owned()
}

/// Whether `name` is a valid name as it is.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(is_name_character) && trim(name).len() == name.len()
}

/// Whether `label` is a label of RFC 1123.
#[must_use]
pub fn is_dns_label(label: &str) -> bool {
    is_name(label) && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether `name` is labels of RFC 1123, joined by dots.
#[must_use]
pub fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

/// Whether `url` is an absolute address of HTTP that may become a link.
#[must_use]
pub fn is_web_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && !host.contains('@'))
        && url.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '`' | '\\' | '{' | '}'))
}

fn with_hash(slug: &str, key: &str, salt: u32) -> String {
    let mut digest = Sha256::new();
    digest.update(key.as_bytes());
    if salt > 0 {
        digest.update(salt.to_be_bytes());
    }
    let hash: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = &slug[..slug.len().min(NAME_MAX - HASH_DIGITS - 1)];
    format!("{}-{}", trim(kept), &hash[..HASH_DIGITS])
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
