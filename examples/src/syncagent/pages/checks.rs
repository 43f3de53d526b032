//! How checks are told, as the components of Kubernetes tell them.

use std::fmt::Write;

use kdp_sync::Check;

/// The answer to a probe.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) is_ok: bool,
    pub(super) text: String,
}

/// What a probe named `name` answers; none when `only` names no check of it.
///
/// `only` is the name of a single check, or nothing for all. Of the query, `verbose` and `exclude=<check>`
/// are understood. What is wrong is always told.
pub(super) fn report(name: &str, mut checks: Vec<Check>, only: &str, query: &str) -> Option<Report> {
    let parameters = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let is_excluded = |check: &str| parameters().any(|(key, value)| key == "exclude" && value == check);
    if !only.is_empty() {
        checks.retain(|check| check.name == only);
        if checks.is_empty() {
            return None;
        }
    }
    let is_ok = checks.iter().all(|check| check.is_ok() || is_excluded(&check.name));
    if is_ok && !parameters().any(|(key, _)| key == "verbose") {
        return Some(Report { is_ok, text: "ok\n".into() });
    }
    let mut text = String::new();
    for check in &checks {
        let Check { name, fault, .. } = check;
        let told = match fault {
            _ if is_excluded(name) => writeln!(text, "[+]{name} excluded: ok"),
            None => writeln!(text, "[+]{name} ok"),
            Some(fault) => writeln!(text, "[-]{name} failed: {fault}"),
        };
        told.expect("a string takes everything that is written to it");
    }
    text += name;
    text += if is_ok { " check passed\n" } else { " check failed\n" };
    Some(Report { is_ok, text })
}
