//! How the objects of a related resource are found.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;
use serde_json::Value;

use crate::{
    api::{ObjectSpec, Side},
    diagnostic::Diagnostics,
    engine::{Facts, ListQuery, Stop, decide::Order},
    object::{self, ResourceType},
    path::{self, Path},
    rewrite::RegexReplace,
    template::{self, Dialect, Scope, Template, is_template},
};

use super::place;

#[derive(Clone, Debug)]
pub(super) enum Locator {
    Reference { path: Path, regex: Option<RegexReplace> },
    Selector { labels: Vec<(Text, Text)>, expressions: Selector, rewrite: Rewrite },
    Template(Template),
}

#[derive(Clone, Debug)]
pub(super) enum Text {
    Plain(String),
    Template(Template),
}

#[derive(Clone, Debug)]
pub(super) enum Rewrite {
    Regex(RegexReplace),
    Template(Template),
}

impl Locator {
    pub(super) fn compile(spec: &ObjectSpec, field: &str, faults: &mut Diagnostics) -> Option<Self> {
        if let Some(reference) = &spec.reference {
            let field = format!("{field}.reference");
            let path = faults.check(format!("{field}.path"), reference.path.parse());
            let regex = reference.regex.as_ref().map(|regex| {
                faults.check(format!("{field}.regex.pattern"), RegexReplace::new(&regex.pattern, &regex.replacement))
            });
            return Some(Self::Reference { path: path?, regex: regex.map_or(Some(None), |regex| regex.map(Some))? });
        }
        if let Some(selector) = &spec.selector {
            let field = format!("{field}.selector");
            let mut text = |text: &str| Text::compile(text, &format!("{field}.matchLabels"), faults);
            let labels: Option<Vec<_>> =
                selector.match_labels.iter().map(|(key, value)| text(key).zip(text(value))).collect();
            let expressions = LabelSelector {
                match_expressions: Some(selector.match_expressions.clone()),
                ..LabelSelector::default()
            };
            let expressions = faults.check(format!("{field}.matchExpressions"), Selector::try_from(expressions));
            let rewrite = match (&selector.rewrite.regex, &selector.rewrite.template) {
                (Some(regex), _) => faults
                    .check(
                        format!("{field}.rewrite.regex.pattern"),
                        RegexReplace::new(&regex.pattern, &regex.replacement),
                    )
                    .map(Rewrite::Regex),
                (None, Some(template)) => faults
                    .check(
                        format!("{field}.rewrite.template.template"),
                        Template::parse(&template.template, Dialect::Text),
                    )
                    .map(Rewrite::Template),
                (None, None) => {
                    faults.push(format!("{field}.rewrite"), "one of regex and template must be given");
                    None
                }
            };
            return Some(Self::Selector { labels: labels?, expressions: expressions?, rewrite: rewrite? });
        }
        if let Some(template) = &spec.template {
            let parsed = Template::parse(&template.template, Dialect::Text);
            return faults.check(format!("{field}.template.template"), parsed).map(Self::Template);
        }
        faults.push(field, "one of reference, selector and template must be given");
        None
    }
}

impl Text {
    fn compile(text: &str, field: &str, faults: &mut Diagnostics) -> Option<Self> {
        if is_template(text) {
            return faults.check(field, Template::parse(text, Dialect::Text)).map(Self::Template);
        }
        Some(Self::Plain(text.into()))
    }

    fn render(&self, scope: &Scope<'_>) -> Result<String, Stop> {
        match self {
            Self::Plain(text) => Ok(text.clone()),
            Self::Template(template) => template.render(scope).map_err(|e| Stop::Failed(e.to_string())),
        }
    }
}

/// Finds names for one order. Everything is rendered anew for each order: nothing of one workspace
/// can show up in another.
pub(super) struct Finder<'a> {
    pub(super) order: &'a Order<'a>,
    pub(super) origin: Side,
    pub(super) facts: &'a Facts<'a>,
}

impl Finder<'_> {
    /// Names on the origin, each with the name on the other side.
    pub(super) fn find(
        &self,
        locator: &Locator,
        types: &Arc<ResourceType>,
        namespace: Option<&str>,
    ) -> Result<Vec<(String, String)>, Stop> {
        let names = match locator {
            Locator::Reference { path, regex } => self.by_reference(path, regex.as_ref())?,
            Locator::Selector { labels, expressions, rewrite } => {
                let selector = self.selector(labels, expressions)?;
                let place = place(self.origin, self.order.key);
                let namespace = namespace.map(str::to_owned);
                let found = self.facts.list(ListQuery { place, types: types.clone(), namespace, selector })?;
                let is_namespace = types.kind == "Namespace";
                found.iter().map(|object| self.rewrite(rewrite, object, is_namespace)).collect::<Result<_, _>>()?
            }
            Locator::Template(template) => {
                let render = |side| {
                    let name = if side == Side::Kcp { "kcp" } else { "service" };
                    let scope = self.order.scope().with_text("Side", name).with_json("Object", self.order.on(side));
                    template.render(&scope).map_err(|e| e.to_string())
                };
                vec![(render(self.origin)?, render(self.origin.other())?)]
            }
        };
        let is_there = |name: &str| !name.is_empty() && !name.contains(template::NO_VALUE);
        let names: Vec<_> = names.into_iter().filter(|(from, to)| is_there(from) && is_there(to)).collect();
        if names.iter().any(|(from, to)| !object::can_be_name(from) || !object::can_be_name(to)) {
            return Err(Stop::Refused("it finds a name that no object can have"));
        }
        Ok(names)
    }

    fn by_reference(&self, path: &Path, regex: Option<&RegexReplace>) -> Result<Vec<(String, String)>, Stop> {
        let values = |side| {
            let values = match path.get(self.order.on(side)).as_deref() {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(items)) => items.iter().map(|item| path::text(Some(item))).collect(),
                single => vec![path::text(single)],
            };
            values
                .into_iter()
                .map(|value| match regex {
                    Some(regex) => regex.apply(value.trim()),
                    None => value.trim().to_owned(),
                })
                .collect::<Vec<_>>()
        };
        let (from, to) = (values(self.origin), values(self.origin.other()));
        // A side where the field is still missing has not got that far yet.
        if !from.is_empty() && !to.is_empty() && from.len() != to.len() {
            return Err(Stop::Failed(format!(
                "{path} has {} values on one side and {} on the other",
                from.len(),
                to.len()
            )));
        }
        Ok(from.into_iter().zip(to).collect())
    }

    fn selector(&self, labels: &[(Text, Text)], expressions: &Selector) -> Result<Selector, Stop> {
        let scope = self.primaries();
        let mut selector = BTreeMap::new();
        for (key, value) in labels {
            let key = key.render(&scope)?;
            if !key.is_empty() {
                selector.insert(key, value.render(&scope)?);
            }
        }
        let mut selector: Selector = selector.into_iter().collect();
        selector.extend(expressions.clone());
        Ok(selector)
    }

    fn rewrite(&self, rewrite: &Rewrite, found: &Value, is_namespace: bool) -> Result<(String, String), Stop> {
        let name = object::name(found).to_owned();
        let rewritten = match rewrite {
            Rewrite::Regex(regex) => regex.apply(&name),
            Rewrite::Template(template) => {
                let related = if is_namespace { &Value::Null } else { found };
                let scope = self.primaries().with_text("Value", &name).with_json("RelatedObject", related);
                template.render(&scope).map_err(|e| e.to_string())?
            }
        };
        Ok((name, rewritten))
    }

    fn primaries(&self) -> Scope<'_> {
        self.order.scope().with_json("LocalObject", self.order.copy).with_json("RemoteObject", self.order.order)
    }
}
