//! Rules: what they allow, and when one rule includes another.

use std::fmt;

use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::embedded::auth::{Attributes, ResourceAttributes};

const ALL: &str = "*";

/// What a role allows: all combinations of its verbs and either its resources or its paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Rule {
    /// API groups; `*` is every group.
    pub api_groups: Vec<String>,
    /// Resources: `pods`, `pods/log`, `*/scale`, or `*`.
    pub resources: Vec<String>,
    /// Paths that are not resources; a trailing `*` matches any rest.
    pub non_resource_urls: Vec<String>,
    /// Names of objects; empty means every name, and requests without one.
    pub resource_names: Vec<String>,
    /// Verbs; `*` is every verb.
    pub verbs: Vec<String>,
}

impl Rule {
    /// A rule that allows `verbs` on `resources` of `api_groups`.
    #[must_use]
    pub fn resources(verbs: &[&str], api_groups: &[&str], resources: &[&str]) -> Self {
        Self { verbs: owned(verbs), api_groups: owned(api_groups), resources: owned(resources), ..Self::default() }
    }

    /// A rule that allows `verbs` on paths that are not resources.
    #[must_use]
    pub fn paths(verbs: &[&str], paths: &[&str]) -> Self {
        Self { verbs: owned(verbs), non_resource_urls: owned(paths), ..Self::default() }
    }

    /// The same rule for the objects of these names only.
    #[must_use]
    pub fn with_names(mut self, names: &[&str]) -> Self {
        self.resource_names = owned(names);
        self
    }

    /// The two rules that together allow everything.
    #[must_use]
    pub fn everything() -> [Self; 2] {
        [Self::resources(&[ALL], &[ALL], &[ALL]), Self::paths(&[ALL], &[ALL])]
    }

    /// Whether the rule by itself allows this.
    #[must_use]
    pub fn allows(&self, attributes: &Attributes<'_>) -> bool {
        includes(&self.verbs, attributes.verb())
            && match attributes {
                Attributes::Path { path, .. } => self.non_resource_urls.iter().any(|own| path_covers(own, path)),
                Attributes::Resource(ResourceAttributes { group, resource, subresource, name, .. }) => {
                    includes(&self.api_groups, group)
                        && self.has_resource(resource, subresource)
                        && (self.resource_names.is_empty() || has(&self.resource_names, name))
                }
            }
    }

    fn has_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|own| {
            own == ALL
                || match own.split_once('/') {
                    None => subresource.is_empty() && own == resource,
                    Some((of, own)) => !subresource.is_empty() && own == subresource && (of == ALL || of == resource),
                }
        })
    }

    /// Whether everything that `atom`, a rule made by [`Rule::atoms`], allows is allowed by this.
    fn covers_atom(&self, atom: &Self) -> bool {
        let names = self.resource_names.is_empty()
            || (!atom.resource_names.is_empty()
                && atom.resource_names.iter().all(|name| has(&self.resource_names, name)));
        atom.verbs.iter().all(|verb| includes(&self.verbs, verb))
            && atom.api_groups.iter().all(|group| includes(&self.api_groups, group))
            && atom.resources.iter().all(|resource| self.covers_resource(resource))
            && names
            && atom.non_resource_urls.iter().all(|path| self.non_resource_urls.iter().any(|own| path_covers(own, path)))
    }

    fn covers_resource(&self, wanted: &str) -> bool {
        includes(&self.resources, wanted)
            || wanted.split_once('/').is_some_and(|(_, subresource)| {
                self.resources.iter().any(|own| own.strip_prefix("*/") == Some(subresource))
            })
    }

    /// The same rule in parts that each have one verb and one target.
    fn atoms(&self) -> Vec<Self> {
        let mut atoms = Vec::new();
        let one = |value: &String| vec![value.clone()];
        for verb in &self.verbs {
            for path in &self.non_resource_urls {
                atoms.push(Self { verbs: one(verb), non_resource_urls: one(path), ..Self::default() });
            }
            for group in &self.api_groups {
                for resource in &self.resources {
                    let atom =
                        Self { verbs: one(verb), api_groups: one(group), resources: one(resource), ..Self::default() };
                    if self.resource_names.is_empty() {
                        atoms.push(atom);
                    } else {
                        let named = |name| Self { resource_names: one(name), ..atom.clone() };
                        atoms.extend(self.resource_names.iter().map(named));
                    }
                }
            }
        }
        atoms
    }
}

impl From<PolicyRule> for Rule {
    fn from(rule: PolicyRule) -> Self {
        Self {
            api_groups: rule.api_groups.unwrap_or_default(),
            resources: rule.resources.unwrap_or_default(),
            non_resource_urls: rule.non_resource_urls.unwrap_or_default(),
            resource_names: rule.resource_names.unwrap_or_default(),
            verbs: rule.verbs,
        }
    }
}

impl From<Rule> for PolicyRule {
    fn from(rule: Rule) -> Self {
        let some = |values: Vec<String>| (!values.is_empty()).then_some(values);
        Self {
            api_groups: some(rule.api_groups),
            resources: some(rule.resources),
            non_resource_urls: some(rule.non_resource_urls),
            resource_names: some(rule.resource_names),
            verbs: rule.verbs,
        }
    }
}

/// The rule on one line, in the form of Kubernetes' messages.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ];
        let texts: Vec<String> = fields
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| format!("{name}:{}", quoted(values)))
            .collect();
        write!(f, "{{{}}}", texts.join(", "))
    }
}

/// Whether everything that `wanted` allows is allowed by `owned`, as far as single rules of `owned`
/// tell.
#[must_use]
pub fn covers(owned: &[Rule], wanted: &[Rule]) -> bool {
    uncovered(owned, wanted).is_empty()
}

/// The parts of `wanted` that no rule of `owned` allows, each part once, those that differ in the
/// verb only put together.
#[must_use]
pub fn uncovered(owned: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let mut missing: Vec<Rule> = Vec::new();
    for atom in wanted.iter().flat_map(Rule::atoms) {
        if owned.iter().any(|rule| rule.covers_atom(&atom)) {
            continue;
        }
        let is_same_target = |rule: &&mut Rule| {
            rule.api_groups == atom.api_groups
                && rule.resources == atom.resources
                && rule.resource_names == atom.resource_names
                && rule.non_resource_urls == atom.non_resource_urls
        };
        match missing.iter_mut().find(is_same_target) {
            Some(rule) => rule.verbs.extend(atom.verbs),
            None => missing.push(atom),
        }
    }
    for rule in &mut missing {
        rule.verbs.sort();
        rule.verbs.dedup();
    }
    missing.sort();
    missing
}

/// A list as Go's `%q` writes it.
pub(super) fn quoted(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("[{}]", values.join(" "))
}

fn has(values: &[String], wanted: &str) -> bool {
    values.iter().any(|value| value == wanted)
}

fn includes(values: &[String], wanted: &str) -> bool {
    values.iter().any(|value| value == ALL || value == wanted)
}

fn path_covers(own: &str, path: &str) -> bool {
    own == path || (own.ends_with('*') && path.starts_with(own.trim_end_matches('*')))
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}
