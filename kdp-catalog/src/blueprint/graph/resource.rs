//! One resource of a definition.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::{
    Condition, Dimension, Node, Source, Template,
    infer::Variables,
    names,
    template::{Compiler, Programs, Target},
    text,
    types::{OBJECT_META, Type},
};
use crate::blueprint::{
    definition::{ExternalReference, Resource},
    fault::Fault,
    path::Path,
};

/// How many lists a collection may combine.
const MAX_DIMENSIONS: usize = 5;

/// The API version and kind a resource names; empty where it does not, or with CEL.
pub(super) fn kind_of(resource: &Resource) -> (&str, &str) {
    let is_plain = |text: &str| !text.contains("${");
    let (api_version, kind) = match (&resource.template, &resource.external_ref) {
        (Some(template), _) => (text_of(template, "apiVersion"), text_of(template, "kind")),
        (None, Some(external)) => (external.api_version.as_str(), external.kind.as_str()),
        (None, None) => ("", ""),
    };
    if is_plain(api_version) && is_plain(kind) { (api_version, kind) } else { ("", "") }
}

fn text_of<'t>(template: &'t Map<String, Value>, field: &str) -> &'t str {
    template.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// What CEL sees of a resource.
pub(super) fn type_of<'s>(resource: &Resource, schema: Option<&'s Value>) -> Type<'s> {
    let object = object_type(schema);
    let is_selected = resource.external_ref.as_ref().is_some_and(|external| external.metadata.selector.is_some());
    if resource.for_each.is_empty() && !is_selected { object } else { Type::List(Box::new(object)) }
}

/// An object of a kind, also when its schema says nothing.
fn object_type(schema: Option<&Value>) -> Type<'_> {
    schema.map_or(Type::Any, |schema| match Type::of(schema) {
        object @ Type::Object(_) => object,
        _ => Type::Any,
    })
}

/// What the resources of a definition have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'c, 's> {
    pub(super) shared: &'c HashMap<&'s str, Type<'s>>,
    pub(super) nodes: &'c HashMap<&'s str, usize>,
}

impl<'c, 's> Surroundings<'c, 's> {
    /// Compiles the resource at a position. A part with a fault is left out.
    pub(super) fn compile(
        &self,
        resource: &'s Resource,
        position: usize,
        schema: Option<&'s Value>,
        programs: &mut Programs,
        faults: &mut Vec<Fault>,
    ) -> Node {
        let list = Path::Root("resources");
        let at = list.index(position);
        let mut part = Part { around: *self, resource, schema, programs, faults, used: BTreeSet::new() };
        part.check_kind(&at);
        let (for_each, elements) = part.for_each(&at);
        let source = part.source(elements, &at);
        part.check_identity(&source, &for_each, &at);
        let include_when = part.include_when(&at);
        let ready_when = part.ready_when(&at);
        let (api_version, kind) = kind_of(resource);
        Node {
            id: resource.id.clone(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            source,
            for_each,
            include_when,
            ready_when,
            dependencies: part.used.into_iter().collect(),
        }
    }
}

/// A resource being compiled.
struct Part<'c, 's, 'p> {
    around: Surroundings<'c, 's>,
    resource: &'s Resource,
    schema: Option<&'s Value>,
    programs: &'p mut Programs,
    faults: &'p mut Vec<Fault>,
    used: BTreeSet<usize>,
}

impl<'c, 's> Part<'c, 's, '_> {
    fn fault(&mut self, at: &Path<'_>, message: impl Into<String>) {
        self.faults.push(Fault::new(at, message));
    }

    fn check_kind(&mut self, at: &Path<'_>) {
        let resource = self.resource;
        let source = match (&resource.template, &resource.external_ref) {
            (Some(_), None) => at.field("template"),
            (None, Some(_)) => at.field("externalRef"),
            (Some(_), Some(_)) => {
                return self.fault(at, "there is a template and an externalRef; one of them is wanted");
            }
            (None, None) => return self.fault(at, "there is neither a template nor an externalRef"),
        };
        let (api_version, kind) = kind_of(resource);
        for (field, text) in [("apiVersion", api_version), ("kind", kind)] {
            if text.is_empty() {
                self.fault(&source.field(field), "it must be there, and without CEL");
            }
        }
        if self.schema.is_none() && !api_version.is_empty() && !kind.is_empty() {
            self.fault(&source, format!("the kind {kind} of {api_version} is not known here"));
        }
        if let (Some(_), false) = (&resource.external_ref, resource.for_each.is_empty()) {
            self.fault(&at.field("forEach"), "somebody else's objects cannot be made for each; a selector finds many");
        }
    }

    /// Runs a compiler with some variables; what it uses becomes dependencies.
    fn compile<T>(&mut self, variables: Variables<'_, 's>, run: impl FnOnce(&mut Compiler<'_, 's>) -> T) -> T {
        let mut compiler = Compiler {
            programs: self.programs,
            variables,
            nodes: self.around.nodes,
            used: std::mem::take(&mut self.used),
            faults: self.faults,
        };
        let result = run(&mut compiler);
        self.used = compiler.used;
        result
    }

    /// The dimensions of a collection, and the names and types of their elements.
    fn for_each(&mut self, at: &Path<'_>) -> (Vec<Dimension>, Vec<(&'s str, Type<'s>)>) {
        let at = at.field("forEach");
        let entries = &self.resource.for_each;
        if entries.len() > MAX_DIMENSIONS {
            self.fault(&at, format!("there are {} lists, more than {MAX_DIMENSIONS}", entries.len()));
        }
        let (mut dimensions, mut elements) = (Vec::new(), Vec::<(&str, Type<'_>)>::new());
        for (position, entry) in entries.iter().enumerate() {
            let at = at.index(position);
            let mut pairs = entry.iter();
            let (Some((name, list)), None) = (pairs.next(), pairs.next()) else {
                self.fault(&at, "each entry is one name and its list");
                continue;
            };
            let at = at.field(name);
            if let Some(message) = names::unfit(name) {
                self.fault(&at, message);
            }
            if self.around.nodes.contains_key(name.as_str()) {
                self.fault(&at, format!("{name:?} is the id of a resource"));
            }
            if elements.iter().any(|(known, _)| known == name) {
                self.fault(&at, format!("{name:?} is there twice"));
            }
            let list = self.whole(list, &at);
            let shared = Variables::new(self.around.shared);
            let compiled = list.and_then(|list| self.compile(shared, |compiler| compiler.expression(list, &at)));
            let type_ = compiled.as_ref().map_or(Type::Any, |(_, type_)| type_.clone());
            if let Some(message) = type_.misfit(&Type::List(Box::new(Type::Any)), 0) {
                self.fault(&at, message);
            }
            let element = if let Type::List(items) = type_ { *items } else { Type::Any };
            elements.push((name, element));
            dimensions.extend(compiled.map(|(list, _)| Dimension { name: name.clone(), list }));
        }
        (dimensions, elements)
    }

    /// The expression a text is; anything else is a fault.
    fn whole(&mut self, text: &'s str, at: &Path<'_>) -> Option<&'s str> {
        text::whole(text).map_err(|message| self.fault(at, message)).ok()
    }

    fn source(&mut self, elements: Vec<(&'s str, Type<'s>)>, at: &Path<'_>) -> Source {
        let mut variables = Variables::new(self.around.shared);
        for (name, type_) in elements {
            variables = variables.with(name, type_);
        }
        let resource = self.resource;
        match (&resource.template, &resource.external_ref) {
            (Some(template), _) => {
                let at = at.field("template");
                let target = self.schema.map_or(Target::Open, Target::Field);
                Source::Made(self.compile(variables, |compiler| compiler.fields(template, target, &at)))
            }
            (None, Some(external)) => self.external(external, variables, &at.field("externalRef")),
            (None, None) => Source::Made(Template::Plain(Value::Null)),
        }
    }

    fn external(&mut self, external: &'s ExternalReference, variables: Variables<'_, 's>, at: &Path<'_>) -> Source {
        let at = at.field("metadata");
        let metadata = &external.metadata;
        if metadata.name.is_some() == metadata.selector.is_some() {
            self.fault(&at, "there must be either a name or a selector");
        }
        if metadata.selector.as_ref().is_some_and(|selector| !is_selector(selector)) {
            self.fault(&at.field("selector"), "a selector has matchLabels or matchExpressions and nothing else");
        }
        self.compile(variables, |compiler| {
            let mut text = |text: &Option<String>, field| {
                let text = Value::from(text.as_deref()?);
                Some(compiler.template(&text, Target::Field(&OBJECT_META["properties"][field]), &at.field(field)))
            };
            let (name, namespace) = (text(&metadata.name, "name"), text(&metadata.namespace, "namespace"));
            match (&metadata.selector, name) {
                (Some(selector), _) => {
                    let selector = compiler.template(selector, Target::Open, &at.field("selector"));
                    Source::Selected { selector, namespace }
                }
                (None, name) => Source::Named { name: name.unwrap_or(Template::Plain(Value::Null)), namespace },
            }
        })
    }

    /// Every object needs a name, and those of a collection need different ones.
    fn check_identity(&mut self, source: &Source, for_each: &[Dimension], at: &Path<'_>) {
        let Source::Made(template) = source else { return };
        let at = at.field("template");
        let at = at.field("metadata");
        let metadata = self.resource.template.as_ref().and_then(|template| template.get("metadata"));
        let Some(name) = metadata.and_then(|metadata| metadata.get("name")) else {
            return self.fault(&at.field("name"), "every object needs a name");
        };
        if name.as_str().is_none_or(str::is_empty) {
            return self.fault(&at.field("name"), "a name is a text");
        }
        for Dimension { name, .. } in for_each {
            let of = |field| template.field("metadata").and_then(|metadata| metadata.field(field));
            if ![of("name"), of("namespace")].into_iter().flatten().any(|field| field.uses(name)) {
                self.fault(
                    &at.field("name"),
                    format!("it does not use {name}, so that objects would have the same name"),
                );
            }
        }
    }

    fn include_when(&mut self, at: &Path<'_>) -> Vec<Condition> {
        let at = at.field("includeWhen");
        let mut conditions = Vec::new();
        for (position, text) in self.resource.include_when.iter().enumerate() {
            let variables = Variables::new(self.around.shared).without(&self.resource.id);
            conditions.extend(self.condition(text, variables, &at.index(position)));
        }
        self.used.extend(conditions.iter().flat_map(|condition| &condition.uses));
        conditions
    }

    fn ready_when(&mut self, at: &Path<'_>) -> Vec<Condition> {
        let at = at.field("readyWhen");
        let nothing = HashMap::new();
        let is_collection = matches!(type_of(self.resource, self.schema), Type::List(_));
        let name = if is_collection { "each" } else { self.resource.id.as_str() };
        let mut conditions = Vec::new();
        for (position, text) in self.resource.ready_when.iter().enumerate() {
            let variables = Variables::new(&nothing).with(name, object_type(self.schema));
            conditions.extend(self.condition(text, variables, &at.index(position)));
        }
        conditions
    }

    fn condition(&mut self, text: &'s str, variables: Variables<'_, 's>, at: &Path<'_>) -> Option<Condition> {
        let text = self.whole(text, at)?;
        let before = std::mem::take(&mut self.used);
        let compiled = self.compile(variables, |compiler| compiler.expression(text, at));
        let uses = std::mem::replace(&mut self.used, before).into_iter().collect();
        let (expression, type_) = compiled?;
        let misfit = match &type_ {
            Type::Optional(_) => Some("it may be missing; `.orValue(false)` makes a boolean".to_owned()),
            type_ => type_.misfit(&Type::Bool, 0),
        };
        if let Some(message) = misfit {
            self.fault(at, message);
        }
        Some(Condition { expression, text: text.to_owned(), uses })
    }
}

fn is_selector(selector: &Value) -> bool {
    selector
        .as_object()
        .is_some_and(|fields| fields.keys().all(|key| key == "matchLabels" || key == "matchExpressions"))
        || selector.as_str().is_some_and(|text| text::whole(text).is_ok())
}
