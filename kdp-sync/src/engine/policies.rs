//! What a published resource asks for by annotations, beyond the existing agent's fields.

use serde_json::Value;

use crate::{
    diagnostic::{Diagnostic, Diagnostics},
    object, wire,
};

/// How an agent behaves where the existing agent leaves no choice. The default is to behave alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policies {
    pub(super) conflict: Conflict,
    pub(super) waits_for_finalizers: bool,
    pub(super) is_paused: bool,
    pub(super) tenants_may_pause: bool,
    pub(super) generations: Generations,
}

/// What becomes of an object that has the name of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Conflict {
    /// It stays, and there is no copy.
    #[default]
    Refuse,
    /// It becomes the copy; the order's fields win.
    Adopt,
    /// It becomes the copy; its fields win, once.
    Import,
}

/// How `observedGeneration` comes up with a status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Generations {
    /// As it is: it counts the copy's generations.
    #[default]
    Verbatim,
    /// So that it counts the order's.
    Translate,
}

impl Policies {
    /// Reads the annotations of a published resource.
    ///
    /// # Errors
    /// Every value that means nothing, with the annotation it is in.
    pub(crate) fn of(published: &Value) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Diagnostics::default();
        let mut read = |key, known: &[&str]| {
            let value = object::annotation(published, key)?;
            let at = known.iter().position(|known| *known == value);
            if at.is_none() {
                faults.push(field(key), format!("{value:?} is not one of {}", known.join(", ")));
            }
            at
        };
        let truth = ["false", "true"];
        let policies = Self {
            conflict: match read(wire::CONFLICT_POLICY, &["refuse", "adopt", "import"]) {
                Some(1) => Conflict::Adopt,
                Some(2) => Conflict::Import,
                _ => Conflict::Refuse,
            },
            waits_for_finalizers: read(wire::WAIT_FOR_FINALIZERS, &truth) == Some(1),
            is_paused: read(wire::PAUSED, &truth) == Some(1),
            tenants_may_pause: read(wire::TENANT_PAUSE, &["ignored", "allowed"]) == Some(1),
            generations: match read(wire::OBSERVED_GENERATION, &["verbatim", "translate"]) {
                Some(1) => Generations::Translate,
                _ => Generations::Verbatim,
            },
        };
        faults.finish(Some(policies))
    }
}

impl Policies {
    /// Whether no change is to be written for an order. A tenant may hold up his own changes if he is
    /// allowed to, but never a deletion: that would keep what he no longer wants, and may not pay for.
    pub(super) fn is_held_up(&self, order: &Value) -> bool {
        self.is_paused || (self.tenants_may_pause && is_paused(order) && !object::is_deleting(order))
    }
}

/// Whether the service owner has asked that nothing be written for an object.
pub(super) fn is_paused(object: &Value) -> bool {
    object::annotation(object, wire::PAUSED) == Some("true")
}

/// How a fault in an annotation is called.
pub(super) fn field(annotation: &str) -> String {
    format!("metadata.annotations[{annotation}]")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_annotations_everything_is_as_with_the_existing_agent() {
        assert_eq!(Policies::of(&json!({"metadata": {}})).unwrap(), Policies::default());
    }

    #[test]
    fn a_value_that_means_nothing_is_a_fault_of_its_annotation() {
        let known = [wire::CONFLICT_POLICY, wire::WAIT_FOR_FINALIZERS, wire::OBSERVED_GENERATION];
        for key in known.into_iter().chain([wire::PAUSED, wire::TENANT_PAUSE]) {
            let published = json!({"metadata": {"annotations": {key: "maybe"}}});
            let faults = Policies::of(&published).unwrap_err();
            assert_eq!(faults.len(), 1);
            assert_eq!(faults[0].field, format!("metadata.annotations[{key}]"));
        }
    }

    #[test]
    fn annotations_are_read() {
        let annotations = json!({
            wire::CONFLICT_POLICY: "import", wire::WAIT_FOR_FINALIZERS: "true",
            wire::PAUSED: "false", wire::TENANT_PAUSE: "allowed", wire::OBSERVED_GENERATION: "translate",
        });
        let expected = Policies {
            conflict: Conflict::Import,
            waits_for_finalizers: true,
            is_paused: false,
            tenants_may_pause: true,
            generations: Generations::Translate,
        };
        assert_eq!(Policies::of(&json!({"metadata": {"annotations": annotations}})).unwrap(), expected);
    }
}
