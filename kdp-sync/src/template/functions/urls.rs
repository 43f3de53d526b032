//! Functions of sprig on URLs.

use std::collections::BTreeMap;

use super::{Args, Function, function};
use crate::template::value::Val;

pub(super) const FUNCTIONS: &[Function] = &[function("urlParse", "s", parse), function("urlJoin", "m", join)];

/// Which characters of a part are written as they are, beside letters, digits and `-_.~`.
const PATH: &str = "$&+,/:;=@";
const USER: &str = "$&+,;=";
const FRAGMENT: &str = "$&+,/:;=?@!()*";
const HOST: &str = "!$&'()*+,;=:[]<>\"";

fn parse<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let text = args.text(0);
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err("a URL has no control characters".into());
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (scheme, rest) = scheme(text)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parts = BTreeMap::new();
    let mut put = |key: &str, value: String| drop(parts.insert(key.into(), Val::text(value)));
    for key in ["userinfo", "host", "hostname", "path", "opaque"] {
        put(key, String::new());
    }
    if !rest.starts_with('/') && !scheme.is_empty() {
        put("opaque", rest.into());
    } else {
        let first = rest.split('/').next().unwrap_or_default();
        if scheme.is_empty() && !rest.starts_with('/') && first.contains(':') {
            return Err("the first segment of a path has no colon".into());
        }
        let (authority, path) = match rest.strip_prefix("//") {
            Some(after) if !scheme.is_empty() || !rest.starts_with("///") => {
                after.split_at(after.find('/').unwrap_or(after.len()))
            }
            _ => ("", rest),
        };
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        if let Some(user) = user {
            put("userinfo", user_info(user)?);
        }
        put("host", self::host(host)?);
        put("hostname", host_name(&self::host(host)?).into());
        put("path", unescape(path)?);
    }
    put("scheme", scheme.to_ascii_lowercase());
    put("query", query.into());
    put("fragment", unescape(fragment)?);
    Ok(Val::map(parts))
}

fn scheme(text: &str) -> Result<(&str, &str), String> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    match end.map(|end| (end, &text[end..])) {
        Some((0, after)) if after.starts_with(':') => Err("a URL's scheme is missing".into()),
        Some((end, after)) if after.starts_with(':') && text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            Ok((&text[..end], &after[1..]))
        }
        _ => Ok(("", text)),
    }
}

fn user_info(text: &str) -> Result<String, String> {
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c)) {
        return Err("a URL's user has a character that it must not have".into());
    }
    let (name, password) = text.split_once(':').map_or((text, None), |(name, password)| (name, Some(password)));
    let name = escape(&unescape(name)?, USER);
    Ok(match password {
        Some(password) => format!("{name}:{}", escape(&unescape(password)?, USER)),
        None => name,
    })
}

fn host(text: &str) -> Result<String, String> {
    let port = match text.strip_prefix('[') {
        Some(rest) => rest.rsplit_once(']').ok_or("a URL's host lacks ']'")?.1,
        None => text.find(':').map_or("", |colon| &text[colon..]),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    if (!port.is_empty() && !port.starts_with(':')) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a URL's port is not a number".into());
    }
    if text.chars().any(|c| c.is_ascii() && !(c.is_ascii_alphanumeric() || "-_.~%".contains(c) || HOST.contains(c))) {
        return Err("a URL's host has a character that it must not have".into());
    }
    if text.to_ascii_uppercase().split('%').skip(1).any(|code| code < "80") {
        return Err("a URL's host has an escape that it must not have".into());
    }
    unescape(text)
}

fn host_name(host: &str) -> &str {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.split_once(']').map_or(inner, |(name, _)| name);
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let code = digit(rest.next()).zip(digit(rest.next())).and_then(|(a, b)| u8::try_from(a * 16 + b).ok());
        bytes.push(code.ok_or("a URL has a wrong escape")?);
    }
    String::from_utf8(bytes).map_err(|_| "a URL's text is not UTF-8".into())
}

fn escape(text: &str, plain: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || "-_.~".contains(c) || plain.contains(c) {
            out.push(c);
        } else {
            out.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    out
}

fn join<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let part = |key: &str| match args.map(0).and_then(|map| map.get(key)) {
        None => Ok(String::new()),
        Some(Val::Text(text)) => Ok(text.to_string()),
        Some(other) => Err(format!("{key} must be a string, not a {}", other.kind())),
    };
    let mut url = String::new();
    let (scheme, opaque, host, path) = (part("scheme")?, part("opaque")?, part("host")?, part("path")?);
    if !scheme.is_empty() {
        url += &format!("{scheme}:");
    }
    if !opaque.is_empty() {
        url += &opaque;
    } else {
        let user = part("userinfo")?;
        let user = if user.is_empty() { None } else { Some(user_info(&user)?) };
        if !host.is_empty() || user.is_some() || (!scheme.is_empty() && path.starts_with("//")) {
            url += "//";
        }
        if let Some(user) = user {
            url += &format!("{user}@");
        }
        url += &escape(&host, HOST);
        let path = if path == "*" { "*".into() } else { escape(&path, PATH) };
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            url.push('/');
        }
        if url.is_empty() && path.split('/').next().is_some_and(|first| first.contains(':')) {
            url += "./";
        }
        url += &path;
    }
    let (query, fragment) = (part("query")?, part("fragment")?);
    if !query.is_empty() {
        url += &format!("?{query}");
    }
    if !fragment.is_empty() {
        url += &format!("#{}", escape(&fragment, FRAGMENT));
    }
    Ok(Val::text(url))
}
