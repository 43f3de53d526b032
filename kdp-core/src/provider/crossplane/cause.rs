//! Why something is not ready: the way from a composite resource down to what the cloud says.

use serde_json::Value;

use super::{
    record::Composed,
    secret::RESOURCE_NAME,
    state::{Verdict, judge, shortened},
};
use crate::{condition::Condition, provider::Phase};

/// The most causes that are told; who has mended these sees the others.
const MOST_CAUSES: usize = 4;

/// A composed object, and what it is composed of itself.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Such as `bucket (Bucket app-x7k2p)`.
    pub(super) title: String,
    pub(super) verdict: Verdict,
    pub(super) below: Vec<Self>,
}

impl Node {
    /// A composed object that exists.
    pub(super) fn of(composed: &Composed, object: &Value) -> Self {
        let name = object["metadata"]["annotations"][RESOURCE_NAME].as_str();
        let title = name.map_or_else(|| composed.title(), |name| format!("{name} ({})", composed.title()));
        Self { title, verdict: judge_composed(object), below: Vec::new() }
    }

    /// A composed object that was not seen, or that is not to be looked into.
    pub(super) fn blank(composed: &Composed, phase: Phase, reason: &str, message: &str) -> Self {
        let verdict = Verdict { phase, reason: reason.into(), message: shortened(message) };
        Self { title: composed.title(), verdict, below: Vec::new() }
    }

    fn is_ready(&self) -> bool {
        self.verdict.phase == Phase::Ready && self.below.iter().all(Self::is_ready)
    }
}

/// Judges a composed object, which may be of any kind.
///
/// What has none of Crossplane's conditions is not judged by them: its Composition says when it is ready.
fn judge_composed(object: &Value) -> Verdict {
    let conditions = object["status"]["conditions"].as_array();
    let is_crossplanes = conditions.into_iter().flatten().any(|condition| condition["type"] == "Synced");
    let is_leaving = !object["metadata"]["deletionTimestamp"].is_null();
    if is_crossplanes || is_leaving {
        return judge(object);
    }
    let is_false = |condition: &&Value| condition["type"] == "Ready" && condition["status"] != "True";
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match conditions.into_iter().flatten().find(is_false) {
        Some(not_ready) => {
            let (reason, message) = (text(&not_ready["reason"]), shortened(&text(&not_ready["message"])));
            Verdict { phase: Phase::Progressing, reason, message }
        }
        None => Verdict { phase: Phase::Ready, reason: String::new(), message: String::new() },
    }
}

/// One reason why something is not ready.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cause {
    pub(super) phase: Phase,
    pub(super) reason: String,
    /// The way down, and what the last one says.
    pub(super) message: String,
}

/// The reasons, the gravest first: each is the lowest object on its way that is not ready.
pub(super) fn causes(nodes: &[Node]) -> Vec<Cause> {
    let mut found = Vec::new();
    for node in nodes {
        collect(node, &mut Vec::new(), &mut found);
    }
    found.sort_by_key(|cause: &Cause| gravity(cause.phase));
    found
}

fn collect<'a>(node: &'a Node, way: &mut Vec<&'a str>, found: &mut Vec<Cause>) {
    if node.is_ready() {
        return;
    }
    way.push(&node.title);
    let below = found.len();
    for next in &node.below {
        collect(next, way, found);
    }
    if found.len() == below {
        let Verdict { phase, reason, message } = node.verdict.clone();
        let said = [reason.as_str(), message.as_str()].into_iter().filter(|said| !said.is_empty());
        let message = format!("{}: {}", way.join(" → "), said.collect::<Vec<_>>().join(": "));
        found.push(Cause { phase, reason, message });
    }
    way.pop();
}

/// What needs a person comes first, then what fails, then what takes time.
fn gravity(phase: Phase) -> u8 {
    match phase {
        Phase::Blocked => 0,
        Phase::Failing | Phase::Degraded => 1,
        Phase::Paused => 2,
        _ => 3,
    }
}

/// The causes in one text; empty when there are none.
pub(super) fn told(causes: &[Cause]) -> String {
    let mut told: Vec<_> = causes.iter().take(MOST_CAUSES).map(|cause| cause.message.as_str()).collect();
    let more = format!("and {} more", causes.len().saturating_sub(MOST_CAUSES));
    if causes.len() > MOST_CAUSES {
        told.push(&more);
    }
    told.join("; ")
}

/// The causes as one condition, which exists whether there are any or not, so that none stays behind.
pub(super) fn condition(causes: &[Cause]) -> Condition {
    match causes.first() {
        None => Condition { reason: "Composed".into(), ..Condition::holds(super::state::COMPOSED_READY) },
        Some(first) => {
            let reason = if first.reason.is_empty() { "NotReady" } else { &first.reason };
            Condition::fails(super::state::COMPOSED_READY, reason, told(causes))
        }
    }
}

#[cfg(test)]
mod tests;
