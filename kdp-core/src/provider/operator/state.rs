//! The state of an order, from the objects it has.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    identity,
    inventory::Reference,
    offering::{Compiled, compile},
    settings::ObjectTemplate,
};
use crate::{
    cel::{Expression, Scope},
    condition::Condition,
    provider::{
        Phase,
        readiness::{Facts, Kinds, Rules, Verdict, View},
    },
};

const VARIABLES: [&str; 4] = ["object", "metadata", "spec", "status"];

/// How the state of one object of an offering is told.
#[derive(Debug)]
pub(super) struct Readiness {
    rules: Rules,
    message: Option<Expression>,
}

/// A [`Thing`] of an order: an object that it has, had, or should have.
#[derive(Debug)]
pub(super) struct Thing {
    pub(super) reference: Reference,
    pub(super) is_wanted: bool,
    /// Whether its kind has a status, as far as that is known.
    pub(super) has_status: Option<bool>,
    /// None when it is certain that there is none of this order.
    pub(super) object: Option<Value>,
}

/// The state of all of them.
#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// The state of those that are wanted, whatever else is still there.
    pub(super) wanted: Phase,
    pub(super) message: String,
    pub(super) conditions: Vec<Condition>,
}

impl Readiness {
    pub(super) fn compile(template: &ObjectTemplate, path: &str, faults: &mut Vec<String>) -> Self {
        let expressions = &template.readiness;
        let mut of = |field: &str, text: &Option<String>| {
            compile(text.as_ref()?, &format!("{path}.{field}"), &VARIABLES, faults)
        };
        let (ready, failed) = (of("ready", &expressions.ready), of("failed", &expressions.failed));
        let (progressing, paused) = (of("progressing", &expressions.progressing), of("paused", &expressions.paused));
        let message = of("message", &expressions.message);
        let (builtin, pause) = (Rules::builtin(), template.pause.clone());
        let rules = builtin.clone().with_first(Kinds::new("*", "*"), move |view| {
            if let Some(pause) = &pause
                && view.annotation(&pause.name) == pause.value
            {
                return Some(Verdict::paused(format!("it has the annotation {}", pause.name)));
            }
            let scope = scope(view.object());
            let holds = |expression: &Option<Expression>| expression.as_ref().is_some_and(|e| e.holds(&scope));
            let said = |phase| Some(Verdict::new(phase, explanation(view)));
            if holds(&paused) {
                return said(Phase::Paused);
            } else if holds(&failed) {
                return said(Phase::Failing);
            } else if holds(&progressing) {
                return said(Phase::Progressing);
            } else if ready.is_none() {
                return None;
            } else if holds(&ready) {
                return Some(Verdict::ready());
            }
            let otherwise = builtin.judge(view.object(), view.facts());
            Some(match otherwise.phase {
                Phase::Ready => Verdict::progressing("what the offering calls ready is not true yet"),
                _ => otherwise,
            })
        });
        Self { rules, message }
    }

    fn judge(&self, object: &Value, facts: &Facts) -> Verdict {
        let verdict = self.rules.judge(object, facts);
        match self.message.as_ref().and_then(|message| message.text(&scope(object))) {
            Some(message) if verdict.phase != Phase::Ready => Verdict::new(verdict.phase, message),
            _ => verdict,
        }
    }
}

fn scope(object: &Value) -> Scope {
    let empty = Value::Object(Map::new());
    let part = |name: &str| object.get(name).filter(|part| !part.is_null()).unwrap_or(&empty);
    Scope::new()
        .with("object", object)
        .with("metadata", part("metadata"))
        .with("spec", part("spec"))
        .with("status", part("status"))
}

/// What an object says where conventions have it say it.
fn explanation(view: &View<'_>) -> String {
    let ready = view.condition("Ready");
    let texts = [ready.text("message"), view.text("/status/message"), view.text("/status/phase"), ready.reason()];
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}

/// The state of an order, of which there is at least one thing.
pub(super) fn judge(offering: &Compiled, things: &[Thing], now: Timestamp) -> State {
    let (mut all, mut wanted, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    for thing in things {
        let Some(verdict) = verdict(offering, thing, now) else { continue };
        let message = if verdict.message.is_empty() {
            thing.reference.to_string()
        } else {
            format!("{}: {}", thing.reference, verdict.message)
        };
        if thing.is_wanted {
            wanted.push(verdict.phase);
            conditions.extend(condition(thing, verdict.phase, &message));
        }
        all.push((verdict.phase, message));
    }
    let phase = worst(all.iter().map(|(phase, _)| *phase));
    let messages = all.into_iter().filter(|(each, _)| *each == phase && phase != Phase::Ready);
    let message = messages.map(|(_, message)| message).collect::<Vec<_>>().join("; ");
    State { phase, wanted: worst(wanted.into_iter()), message, conditions }
}

fn verdict(offering: &Compiled, thing: &Thing, now: Timestamp) -> Option<Verdict> {
    let Some(object) = &thing.object else {
        return thing.is_wanted.then(|| Verdict::failing("it is missing"));
    };
    let template = identity::annotation(object, identity::OBJECT).and_then(|id| offering.object(id));
    let facts = Facts::at(now).with_has_status(thing.has_status);
    let verdict = match template {
        Some(template) => template.readiness.judge(object, &facts),
        // The offering no longer has it.
        None => Rules::builtin().judge(object, &facts),
    };
    if thing.is_wanted || verdict.phase == Phase::Deleting {
        return Some(verdict);
    }
    Some(Verdict::progressing("it is no longer wanted, and is removed once what is wanted is ready"))
}

/// One aspect for each object, such as `MainReady` for the one with the id `main`.
fn condition(thing: &Thing, phase: Phase, message: &str) -> Option<Condition> {
    let id = identity::annotation(thing.object.as_ref()?, identity::OBJECT)?;
    let mut letters = id.chars();
    let type_ = format!("{}{}Ready", letters.next()?.to_ascii_uppercase(), letters.as_str());
    Some(match phase {
        Phase::Ready => Condition { reason: phase.as_str().into(), ..Condition::holds(type_) },
        _ => Condition::fails(type_, phase.as_str(), message),
    })
}

/// A whole is as its worst part.
fn worst(phases: impl Iterator<Item = Phase>) -> Phase {
    let rank = |phase: &Phase| match phase {
        Phase::Ready => 0,
        Phase::Paused => 1,
        Phase::Progressing => 2,
        Phase::Degraded => 3,
        Phase::Blocked => 4,
        Phase::Failing => 5,
        Phase::Deleting => 6,
        Phase::Unknown | Phase::Gone => 7,
    };
    phases.max_by_key(rank).unwrap_or(Phase::Ready)
}
