//! String and number formats, as far as Kubernetes checks them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use regex::Regex;

use super::node::Type;

/// A format that is checked; all others are ignored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    String(Check),
    Int32,
    Int64,
    Float,
    Double,
}

type Check = fn(&str) -> bool;

/// The string formats by name.
const STRINGS: &[(&str, Check)] = &[
    ("byte", is_base64),
    ("cidr", is_cidr),
    ("creditcard", is_credit_card),
    ("date", is_date),
    ("date-time", is_date_time),
    ("datetime", is_date_time),
    ("duration", is_duration),
    ("email", is_email),
    ("hexcolor", |text| matches(&HEX_COLOR, text)),
    ("hostname", is_hostname),
    ("ipv4", is_ipv4),
    ("ipv6", |text| text.parse::<Ipv6Addr>().is_ok()),
    ("isbn", |text| is_isbn10(text) || is_isbn13(text)),
    ("isbn10", is_isbn10),
    ("isbn13", is_isbn13),
    ("k8s-long-name", |text| text.len() <= 253 && matches(&LONG_NAME, text)),
    ("k8s-short-name", |text| text.len() <= 63 && matches(&SHORT_NAME, text)),
    ("mac", |text| matches(&MAC, text)),
    ("password", |_| true),
    ("rgbcolor", |text| matches(&RGB_COLOR, text)),
    ("ssn", |text| matches(&SSN, text)),
    ("uri", is_uri),
    ("uuid", |text| matches(&UUID, text)),
    ("uuid3", |text| matches(&UUID3, text)),
    ("uuid4", |text| matches(&UUID4, text)),
    ("uuid5", |text| matches(&UUID5, text)),
];

impl Format {
    /// The format called `name`, when it means something for `type_`.
    pub(super) fn for_type(name: &str, type_: Type) -> Option<Self> {
        match (type_, name) {
            (Type::String | Type::Any, _) => {
                let (name, check) = *STRINGS.iter().find(|(known, _)| *known == name)?;
                Some(Self { name, kind: Kind::String(check) })
            }
            (Type::Integer, "int32") => Some(Self { name: "int32", kind: Kind::Int32 }),
            (Type::Integer, "int64") => Some(Self { name: "int64", kind: Kind::Int64 }),
            (Type::Number, "float") => Some(Self { name: "float", kind: Kind::Float }),
            (Type::Number, "double") => Some(Self { name: "double", kind: Kind::Double }),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Whether `text` has the format; formats of numbers do not look at text.
    pub(super) fn matches(self, text: &str) -> bool {
        if let Kind::String(check) = self.kind { check(text) } else { true }
    }

    /// Whether `number` fits the format; formats of strings do not look at numbers.
    pub(super) fn fits(self, number: f64) -> bool {
        match self.kind {
            Kind::Int32 => (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number),
            Kind::Int64 => number.abs() < 9_223_372_036_854_775_808.0,
            Kind::Float => number.abs() <= f64::from(f32::MAX),
            Kind::Double | Kind::String(_) => true,
        }
    }
}

macro_rules! regexes {
    ($($name:ident = $pattern:expr;)*) => {
        $(static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($pattern).expect("a constant that a test compiles"));)*
        #[cfg(test)]
        pub(super) fn compile_all() {
            $(LazyLock::force(&$name);)*
        }
    };
}

regexes! {
    DATE_TIME = r"(?i)^([0-9]{4}-[0-9]{2}-[0-9]{2})t([0-9]{2}):([0-9]{2}):([0-9]{2})(?:.[0-9]+)?(?:z|[+-][0-9]{2}:[0-9]{2})$";
    GO_DURATION = r"^[+-]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$";
    WORD_DURATION = r"(?i)[0-9]+\s*(?:ns|nano[a-zµ]*|us|µs|micro[a-zµ]*|ms|milli[a-zµ]*|s|sec[a-zµ]*|m|min[a-zµ]*|h|hr|hour[a-zµ]*|d|day[a-zµ]*|w|wk|week[a-zµ]*)(?:[^a-zµ]|$)";
    HOSTNAME = r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$";
    UUID = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$";
    UUID3 = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$";
    UUID4 = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$";
    UUID5 = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$";
    CREDIT_CARD = r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35[0-9]{3})[0-9]{11})$";
    SSN = r"^[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}$";
    HEX_COLOR = r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$";
    RGB_COLOR = r"^rgb\(\s*(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])\s*,\s*(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])\s*,\s*(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])\s*\)$";
    MAC = r"^(?:[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){7}|[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){5}|[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){7}|(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}|(?:[0-9a-fA-F]{4}\.){3}[0-9a-fA-F]{4})$";
    SHORT_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    LONG_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    EMAIL_LOCAL = r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u{80}-\u{10FFFF}-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u{80}-\u{10FFFF}-]+)*$";
}

fn matches(regex: &LazyLock<Regex>, text: &str) -> bool {
    regex.is_match(text)
}

fn is_base64(text: &str) -> bool {
    !text.is_empty() && BASE64_STANDARD.decode(text).is_ok()
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.is_ascii() && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    DATE_TIME
        .captures(text)
        .is_some_and(|found| is_date(&found[1]) && &found[2] <= "23" && &found[3] <= "59" && &found[4] <= "59")
}

/// Go's durations (`1h30m`), or words as Scala writes them (`5 minutes`).
fn is_duration(text: &str) -> bool {
    GO_DURATION.is_match(text) || WORD_DURATION.is_match(text)
}

/// An address as in a mail header: `ada@example.com`, or `Ada <ada@example.com>`.
fn is_email(text: &str) -> bool {
    let address = match text.trim().strip_suffix('>') {
        Some(named) => named.rsplit_once('<').map_or("", |(_, address)| address),
        None => text.trim(),
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    (quoted || EMAIL_LOCAL.is_match(local)) && EMAIL_LOCAL.is_match(domain)
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 255 && HOSTNAME.is_match(text) && text.split('.').all(|label| label.len() <= 63)
}

/// Leading zeros are tolerated, as old Go versions did.
fn is_ipv4(text: &str) -> bool {
    let plain: Vec<&str> = text
        .split('.')
        .map(|part| if part.len() > 1 { part.trim_start_matches('0') } else { part })
        .map(|part| if part.is_empty() { "0" } else { part })
        .collect();
    !text.contains("..") && plain.join(".").parse::<Ipv4Addr>().is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let limit = match (is_ipv4(address), address.parse::<Ipv6Addr>()) {
        (true, _) => 32,
        (_, Ok(_)) => 128,
        _ => return false,
    };
    bits.bytes().all(|byte| byte.is_ascii_digit()) && bits.parse::<u32>().is_ok_and(|bits| bits <= limit)
}

/// What may stand in a request line: an absolute URL, or a path.
fn is_uri(text: &str) -> bool {
    if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return false;
    }
    text.starts_with('/') || url::Url::parse(text).is_ok()
}

fn is_isbn10(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')).collect();
    let [head @ .., last] = &digits[..] else { return false };
    if head.len() != 9 || !head.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let check = match last {
        b'X' => 10,
        b'0'..=b'9' => u32::from(last - b'0'),
        _ => return false,
    };
    let sum: u32 = (1..).zip(head).map(|(weight, digit)| weight * u32::from(digit - b'0')).sum();
    (sum + 10 * check).is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')).collect();
    digits.len() == 13
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().zip([1, 3].iter().cycle()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum::<u32>()
            % 10
            == 0
}

fn is_credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let luhn = digits.bytes().rev().enumerate().map(|(place, digit)| {
        let digit = u32::from(digit - b'0');
        let doubled = if place % 2 == 1 { digit * 2 } else { digit };
        if doubled > 9 { doubled - 9 } else { doubled }
    });
    CREDIT_CARD.is_match(&digits) && luhn.sum::<u32>() % 10 == 0
}
