//! What a function answers.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{
    request::{FunctionRequest, Secrets, json},
    wire,
};
use crate::{condition::Condition, protobuf::to_struct};

/// What a function answers. It begins as [what the functions before it want](Self::to).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FunctionResponse {
    /// What is wanted from here on.
    pub desired: Desired,
    /// What the next functions are told; null for nothing.
    pub context: Value,
    tag: String,
    ttl: Option<Duration>,
    results: Vec<wire::Outcome>,
    conditions: Vec<wire::Condition>,
    required: BTreeMap<String, Selector>,
}

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Desired {
    /// The composite resource, of which only the `status` counts.
    pub composite: DesiredResource,
    /// Composed resources, by their names in the composition.
    pub resources: BTreeMap<String, DesiredResource>,
}

/// A resource that is wanted, as far as the functions have an opinion.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DesiredResource {
    /// The fields that are wanted; null for none.
    pub resource: Value,
    /// Connection details; only those of the composite resource count.
    pub connection: Secrets,
    /// Whether it is ready; of the composite resource, instead of all that it is composed of.
    pub ready: Readiness,
}

/// Whether something is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// Nothing is said; somebody else decides.
    #[default]
    Unsaid,
    /// It is ready.
    Ready,
    /// It is not ready.
    NotReady,
}

/// How bad a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Nothing of what is wanted is carried out.
    Fatal,
    /// Becomes a warning Event.
    Warning,
    /// Becomes an Event.
    Normal,
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Whoever looks at the composite resource.
    Composite,
    /// Whoever looks at the claim, too.
    CompositeAndClaim,
}

/// Which resources a function wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selector {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    matching: Matching,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Matching {
    Name(String),
    Labels(BTreeMap<String, String>),
}

impl Selector {
    /// The resource of this kind and name.
    pub fn named(api_version: impl Into<String>, kind: impl Into<String>, name: impl Into<String>) -> Self {
        let (api_version, kind) = (api_version.into(), kind.into());
        Self { api_version, kind, namespace: None, matching: Matching::Name(name.into()) }
    }

    /// All resources of this kind with these labels.
    pub fn labelled(
        api_version: impl Into<String>,
        kind: impl Into<String>,
        labels: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let matching = Matching::Labels(labels.into_iter().collect());
        Self { api_version: api_version.into(), kind: kind.into(), namespace: None, matching }
    }

    /// The same in this namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    fn into_wire(self) -> wire::ResourceSelector {
        let matching = match self.matching {
            Matching::Name(name) => wire::Match::Name(name),
            Matching::Labels(labels) => wire::Match::Labels(wire::Labels { labels }),
        };
        wire::ResourceSelector {
            api_version: self.api_version,
            kind: self.kind,
            matching: Some(matching),
            namespace: self.namespace,
        }
    }
}

impl FunctionResponse {
    /// The answer that changes nothing.
    #[must_use]
    pub fn to(request: &FunctionRequest) -> Self {
        Self {
            desired: request.desired.clone(),
            context: request.context.clone(),
            tag: request.tag.clone(),
            ..Self::default()
        }
    }

    /// The same; this composed resource is wanted, and is ready or not.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, resource: Value, ready: Readiness) -> Self {
        self.desired.resources.insert(name.into(), DesiredResource { resource, connection: Secrets::default(), ready });
        self
    }

    /// The same with a result, which becomes an Event.
    #[must_use]
    pub fn with_result(mut self, severity: Severity, message: impl Into<String>, audience: Audience) -> Self {
        let severity = match severity {
            Severity::Fatal => 1,
            Severity::Warning => 2,
            Severity::Normal => 3,
        };
        let target = Some(audience.number());
        self.results.push(wire::Outcome { severity, message: message.into(), reason: None, target });
        self
    }

    /// The same with a condition of the composite resource.
    #[must_use]
    pub fn with_condition(mut self, condition: Condition, audience: Audience) -> Self {
        let status = match condition.status.as_str() {
            "True" => 2,
            "False" => 3,
            _ => 1,
        };
        self.conditions.push(wire::Condition {
            r#type: condition.type_,
            status,
            reason: condition.reason,
            message: Some(condition.message).filter(|message| !message.is_empty()),
            target: Some(audience.number()),
        });
        self
    }

    /// The same; the function is asked again with these resources.
    #[must_use]
    pub fn require(mut self, name: impl Into<String>, selector: Selector) -> Self {
        self.required.insert(name.into(), selector);
        self
    }

    /// The same; the answer holds for so long, after which the function is asked again.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    pub(super) fn into_wire(self) -> wire::RunFunctionResponse {
        let resources: BTreeMap<_, _> =
            self.required.into_iter().map(|(name, selector)| (name, selector.into_wire())).collect();
        let ttl = self.ttl.map(|ttl| wire::Span {
            seconds: i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(ttl.subsec_nanos()).unwrap_or_default(),
        });
        wire::RunFunctionResponse {
            meta: Some(wire::ResponseMeta { tag: self.tag, ttl }),
            desired: Some(self.desired.into_wire()),
            results: self.results,
            context: (!self.context.is_null()).then(|| to_struct(&self.context)),
            // Cores of either generation read theirs.
            requirements: (!resources.is_empty())
                .then(|| wire::Requirements { extra_resources: resources.clone(), resources }),
            conditions: self.conditions,
        }
    }
}

impl Audience {
    fn number(self) -> i32 {
        match self {
            Self::Composite => 1,
            Self::CompositeAndClaim => 2,
        }
    }
}

impl Desired {
    pub(super) fn from_wire(wire: wire::State) -> Self {
        let resources = wire.resources.into_iter().map(|(name, one)| (name, DesiredResource::from_wire(one)));
        Self {
            composite: wire.composite.map(DesiredResource::from_wire).unwrap_or_default(),
            resources: resources.collect(),
        }
    }

    fn into_wire(self) -> wire::State {
        let resources = self.resources.into_iter().map(|(name, one)| (name, one.into_wire()));
        wire::State { composite: Some(self.composite.into_wire()), resources: resources.collect() }
    }
}

impl DesiredResource {
    fn from_wire(wire: wire::Resource) -> Self {
        let ready = match wire.ready {
            1 => Readiness::Ready,
            2 => Readiness::NotReady,
            _ => Readiness::Unsaid,
        };
        Self { resource: json(wire.resource), connection: Secrets(wire.connection_details), ready }
    }

    fn into_wire(self) -> wire::Resource {
        let ready = match self.ready {
            Readiness::Unsaid => 0,
            Readiness::Ready => 1,
            Readiness::NotReady => 2,
        };
        let resource = (!self.resource.is_null()).then(|| to_struct(&self.resource));
        wire::Resource { resource, connection_details: self.connection.0, ready }
    }
}
