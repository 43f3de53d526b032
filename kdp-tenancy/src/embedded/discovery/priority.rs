//! The order of version names: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`, then all others.

use std::cmp::Reverse;

/// A version name that sorts by Kubernetes' priority, the preferred one greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Priority<'v> {
    // The derived order compares fields from the top. Names that are not Kubernetes-like have no
    // rank, so the name decides: the first of the alphabet is preferred.
    rank: Option<(Stability, u64, u64)>,
    name: Reverse<&'v str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stability {
    Alpha,
    Beta,
    Stable,
}

impl<'v> Priority<'v> {
    pub(super) fn of(version: &'v str) -> Self {
        Self { rank: rank(version), name: Reverse(version) }
    }

    pub(super) fn version(self) -> &'v str {
        self.name.0
    }
}

fn rank(version: &str) -> Option<(Stability, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let (major, rest) = number(rest)?;
    if rest.is_empty() {
        return Some((Stability::Stable, major, 0));
    }
    let (stability, rest) = rest
        .strip_prefix("alpha")
        .map(|rest| (Stability::Alpha, rest))
        .or_else(|| rest.strip_prefix("beta").map(|rest| (Stability::Beta, rest)))?;
    let (minor, rest) = number(rest)?;
    rest.is_empty().then_some((stability, major, minor))
}

/// The number at the start of `text`, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}
