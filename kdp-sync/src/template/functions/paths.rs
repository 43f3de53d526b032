//! Functions of sprig on slash-separated paths, which touch no file.

use super::{Function, function};
use crate::template::value::Val;

pub(super) const FUNCTIONS: &[Function] = &[
    function("base", "s", |a| Ok(Val::text(base(a.text(0))))),
    function("osBase", "s", |a| Ok(Val::text(base(a.text(0))))),
    function("dir", "s", |a| Ok(Val::text(dir(a.text(0))))),
    function("osDir", "s", |a| Ok(Val::text(dir(a.text(0))))),
    function("clean", "s", |a| Ok(Val::text(clean(a.text(0))))),
    function("osClean", "s", |a| Ok(Val::text(clean(a.text(0))))),
    function("ext", "s", |a| Ok(Val::text(ext(a.text(0))))),
    function("osExt", "s", |a| Ok(Val::text(ext(a.text(0))))),
    function("isAbs", "s", |a| Ok(Val::Bool(a.text(0).starts_with('/')))),
    function("osIsAbs", "s", |a| Ok(Val::Bool(a.text(0).starts_with('/')))),
];

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let path = path.trim_end_matches('/');
    if path.is_empty() { "/" } else { path.rsplit('/').next().unwrap_or(path) }
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |dot| &name[dot..])
}

fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let cleaned = parts.join("/");
    match (is_absolute, cleaned.is_empty()) {
        (true, _) => format!("/{cleaned}"),
        (false, true) => ".".into(),
        (false, false) => cleaned,
    }
}
