//! What an offering is described by: data that a person writes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What an order makes, as data.
///
/// It is the platform's: whoever writes it decides what an order can reach. Expressions are
/// [CEL](https://cel.dev) with the functions of Kubernetes; each field says which variables it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Offering {
    /// Where the objects are.
    pub placement: Placement,
    /// The objects an order makes, in the order they are created in; they are removed in the opposite one.
    pub objects: Vec<ObjectTemplate>,
    /// What the consumer gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputsFrom>,
    /// Where the thing can be reached: expressions over `objects` by the names of endpoints. One that
    /// gives nothing yet is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, String>,
    /// Whether an order may take over an object that exists, by its name.
    #[serde(default)]
    pub imports: bool,
}

impl Offering {
    /// An offering that makes nothing yet.
    #[must_use]
    pub fn new(placement: Placement) -> Self {
        Self { placement, objects: Vec::new(), outputs: Vec::new(), endpoints: BTreeMap::new(), imports: false }
    }

    /// The commonest case: one object, whose `spec` is the `spec` of the order.
    ///
    /// Everything its kind understands can be ordered then. Where that is too much, such as a reference to
    /// a Secret by name, give its [body](ObjectTemplate::with_body) field by field.
    pub fn of_spec(api_version: impl Into<String>, kind: impl Into<String>, placement: Placement) -> Self {
        Self::new(placement).with_object(ObjectTemplate::of_spec("main", api_version, kind))
    }

    /// The same with one more object.
    #[must_use]
    pub fn with_object(mut self, object: ObjectTemplate) -> Self {
        self.objects.push(object);
        self
    }

    /// The same with outputs from one more source.
    #[must_use]
    pub fn with_outputs(mut self, outputs: OutputsFrom) -> Self {
        self.outputs.push(outputs);
        self
    }

    /// The same with one more place where it can be reached.
    #[must_use]
    pub fn with_endpoint(mut self, name: impl Into<String>, expression: impl Into<String>) -> Self {
        self.endpoints.insert(name.into(), expression.into());
        self
    }

    /// The same; an order may take over an object that exists.
    #[must_use]
    pub fn with_imports(mut self) -> Self {
        self.imports = true;
        self
    }
}

/// In which namespace the objects are. No order has a say in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Placement {
    /// All in this one, which exists.
    Namespace(String),
    /// One for each workspace: this prefix and a digest of the workspace's name. It is made when it is
    /// first needed, and stays.
    PerWorkspace(String),
}

/// One object an order makes.
///
/// Its name follows from `id` and the UID of the order. Its namespace, its finalizers, its owners and all
/// else in `metadata` are out of an order's reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct ObjectTemplate {
    /// Which of the offering's objects it is: at most 20 lower-case letters and digits, a letter first.
    /// Changing it later makes other objects.
    pub id: String,
    /// Group and version of its kind, such as `postgresql.cnpg.io/v1`.
    pub api_version: String,
    /// Its kind, such as `Cluster`.
    pub kind: String,
    /// An expression over `order` that says whether an order has this object; it always has by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Labels; the values are templates like the body.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations; the values are templates like the body.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Everything else of the object but its `status`, such as its `spec`.
    ///
    /// `${…}` in a text is an expression over `order` (`order.id.uid`, `.name`, `.namespace`, `.workspace`
    /// and `order.spec`) and `objects` (`objects.<id>.name` and `.namespace` of each object of the
    /// offering). A text that is one expression and nothing else becomes what it gives, of whatever type,
    /// and its field is left out when that is null. `$${` stands for `${`. What an expression gives is
    /// never looked at again, so nothing in an order is ever an expression.
    pub body: Value,
    /// Fields nobody may see in a plan, such as `spec.password`, with all below them. `data` and
    /// `stringData` of a Secret always are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<String>,
    /// How to tell its state, where the [built-in rules](crate::provider::readiness) do not know better.
    #[serde(default)]
    pub readiness: ReadinessExpressions,
    /// The annotation by which its operator leaves it alone; with it the provider has the actions `pause`
    /// and `resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseAnnotation>,
}

impl ObjectTemplate {
    /// An object with an empty body.
    pub fn new(id: impl Into<String>, api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            api_version: api_version.into(),
            kind: kind.into(),
            when: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            body: json!({}),
            sensitive: Vec::new(),
            readiness: ReadinessExpressions::default(),
            pause: None,
        }
    }

    /// An object whose `spec` is the `spec` of the order.
    pub fn of_spec(id: impl Into<String>, api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self::new(id, api_version, kind).with_body(json!({"spec": "${order.spec}"}))
    }

    /// The same with this body.
    #[must_use]
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }

    /// The same; only orders for which the expression is true have it.
    #[must_use]
    pub fn when(mut self, expression: impl Into<String>) -> Self {
        self.when = Some(expression.into());
        self
    }

    /// The same with one more label.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// The same with one more annotation.
    #[must_use]
    pub fn with_annotation(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(name.into(), value.into());
        self
    }

    /// The same with one more field that nobody may see.
    #[must_use]
    pub fn with_sensitive(mut self, field: impl Into<String>) -> Self {
        self.sensitive.push(field.into());
        self
    }

    /// The same with expressions that tell its state.
    #[must_use]
    pub fn with_readiness(mut self, readiness: ReadinessExpressions) -> Self {
        self.readiness = readiness;
        self
    }

    /// The same with the annotation by which it is left alone.
    #[must_use]
    pub fn with_pause(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.pause = Some(PauseAnnotation { name: name.into(), value: value.into() });
        self
    }
}

/// An annotation by which an operator leaves an object alone, such as `crossplane.io/paused` with `true`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PauseAnnotation {
    /// Its name.
    pub name: String,
    /// The value with which the object is left alone.
    pub value: String,
}

/// Expressions that tell the state of an object, asked in this order: `paused`, `failed`, `progressing`,
/// `ready`. Without one that is true the built-in rules decide, but what has a `ready` that is not true
/// is on its way.
///
/// Variables are `object`, and `metadata`, `spec` and `status` of it. An expression about a field that
/// is not there yet is not true. None is asked about a status of an older generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct ReadinessExpressions {
    /// Whether it is usable as its spec says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// Whether the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Whether it is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progressing: Option<String>,
    /// Whether it is left alone on request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// The message for people, a text, whichever expression or rule decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl ReadinessExpressions {
    /// It is usable when this is true, and on its way otherwise.
    pub fn ready_when(expression: impl Into<String>) -> Self {
        Self { ready: Some(expression.into()), ..Self::default() }
    }

    /// The same; it has failed when this is true.
    #[must_use]
    pub fn failed_when(mut self, expression: impl Into<String>) -> Self {
        self.failed = Some(expression.into());
        self
    }

    /// The same; it is on its way when this is true.
    #[must_use]
    pub fn progressing_when(mut self, expression: impl Into<String>) -> Self {
        self.progressing = Some(expression.into());
        self
    }

    /// The same; it is left alone when this is true.
    #[must_use]
    pub fn paused_when(mut self, expression: impl Into<String>) -> Self {
        self.paused = Some(expression.into());
        self
    }

    /// The same with the message for people.
    #[must_use]
    pub fn with_message(mut self, expression: impl Into<String>) -> Self {
        self.message = Some(expression.into());
        self
    }
}

/// Outputs that come from one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputsFrom {
    /// Where they come from.
    pub from: Source,
    /// What is taken from there, by the names of outputs.
    pub values: BTreeMap<String, OutputRule>,
}

impl OutputsFrom {
    /// No outputs from this source yet.
    #[must_use]
    pub fn new(from: Source) -> Self {
        Self { from, values: BTreeMap::new() }
    }

    /// The same with one more output.
    #[must_use]
    pub fn with(mut self, output: impl Into<String>, rule: OutputRule) -> Self {
        self.values.insert(output.into(), rule);
        self
    }
}

/// Where outputs come from. All of it is in the namespace of the objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Source {
    /// The object of the offering with this id.
    Object(String),
    /// A Secret; what comes from there is sensitive unless it is declared plain.
    Secret(Locator),
    /// A ConfigMap.
    ConfigMap(Locator),
    /// A Service.
    Service(Locator),
}

/// Which Secret, ConfigMap or Service it is.
///
/// Whichever is found, it is only used if it belongs to the order: an object of the order owns it, or the
/// name of one, which no other order has, is part of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Locator {
    /// The one with this name: an expression over `objects`, where `objects.<id>` has `metadata` with
    /// `name`, `namespace` and `uid`, and `status`. There is no `spec`, which an order may write.
    Name(String),
    /// The first, by name, that the object with this id owns and that has all keys and these labels, whose
    /// values are expressions over `objects`. Without labels everything in the namespace is looked through.
    Owned {
        /// Id of the object.
        by: String,
        /// Labels it has.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
    },
}

/// How one output is taken from its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputRule {
    /// A key of the Secret or ConfigMap. Either this or `value` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// An expression over `object`, which is the source, over `data`, its data as text, and over `objects`
    /// as in [`Locator::Name`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether an order can be ready without it.
    #[serde(default)]
    pub optional: bool,
    /// Who may see it; as its source is if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// Who may see an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Visibility {
    /// Anybody.
    Plain,
    /// The consumer alone.
    Sensitive,
}

impl OutputRule {
    /// What is under a key of a Secret or ConfigMap.
    pub fn key(key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..Self::default() }
    }

    /// What an expression gives.
    pub fn value(expression: impl Into<String>) -> Self {
        Self { value: Some(expression.into()), ..Self::default() }
    }

    /// The same; an order can be ready without it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The same; this is who may see it.
    #[must_use]
    pub fn visible(mut self, visibility: Visibility) -> Self {
        self.visibility = Some(visibility);
        self
    }
}
