//! Which orders an offering is for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use super::request::{Labels, Request};
use crate::offering::Criteria;

/// Something of an order's surroundings that an offering may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Fact {
    EnvironmentType,
    Region,
    DataClass,
    WorkspaceLabel(String),
    EnvironmentLabel(String),
    OrderLabel(String),
}

impl Fact {
    pub(super) fn of<'a>(&self, request: &Request<'a>) -> Option<&'a str> {
        let label = |labels: &'a Labels, name: &str| labels.get(name).map(String::as_str);
        match self {
            Self::EnvironmentType => stated(request.environment.map(|environment| &environment.spec.type_)),
            Self::Region => stated(request.environment.map(|environment| &environment.spec.region)),
            Self::DataClass => stated(request.environment.map(|environment| &environment.spec.data_class)),
            Self::WorkspaceLabel(name) => label(&request.workspace.labels, name),
            Self::EnvironmentLabel(name) => label(&request.environment?.labels, name),
            Self::OrderLabel(name) => label(&request.order.labels, name),
        }
    }
}

fn stated(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Criteria, ready to be compared.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    /// A fact and the values of which it has to be one.
    one_of: Vec<(Fact, Vec<String>)>,
    workspaces: Option<Selector>,
    environments: Option<Selector>,
    orders: Option<Selector>,
    /// How many things are asked for.
    pub(super) specificity: usize,
}

impl Compiled {
    /// # Errors
    /// The field and what is wrong with it.
    pub(super) fn compile(criteria: &Criteria) -> Result<Self, (String, String)> {
        let Criteria { workspaces, environments, orders, environment_types, regions, data_classes } = criteria;
        let lists =
            [(Fact::EnvironmentType, environment_types), (Fact::Region, regions), (Fact::DataClass, data_classes)];
        let mut one_of: Vec<_> = lists
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(fact, values)| (fact, values.clone()))
            .collect();
        let mut specificity = one_of.len();
        let mut selector = |name: &str, selector: &Option<LabelSelector>, fact: fn(String) -> Fact| {
            let Some(selector) = selector else { return Ok(None) };
            one_of.extend(wanted_values(selector).map(|(label, values)| (fact(label.to_owned()), values)));
            specificity += selector.match_labels.as_ref().map_or(0, std::collections::BTreeMap::len);
            specificity += selector.match_expressions.as_ref().map_or(0, Vec::len);
            let compiled = Selector::try_from(selector.clone());
            compiled.map(Some).map_err(|error| (format!("criteria.{name}"), error.to_string()))
        };
        let workspaces = selector("workspaces", workspaces, Fact::WorkspaceLabel)?;
        let environments = selector("environments", environments, Fact::EnvironmentLabel)?;
        let orders = selector("orders", orders, Fact::OrderLabel)?;
        Ok(Self { one_of, workspaces, environments, orders, specificity })
    }

    /// The facts by which it can be found, each with the values that it may have.
    pub(super) fn facts(&self) -> &[(Fact, Vec<String>)] {
        &self.one_of
    }

    pub(super) fn fit(&self, request: &Request<'_>) -> bool {
        self.misfit(request).is_none()
    }

    /// The first thing asked for that is not so.
    pub(super) fn misfit(&self, request: &Request<'_>) -> Option<String> {
        for (fact, values) in &self.one_of {
            let actual = fact.of(request);
            if !actual.is_some_and(|actual| values.iter().any(|value| value == actual)) {
                let actual = actual.unwrap_or("none");
                return Some(format!("{} is {actual}, not {}", describe(fact), values.join(" or ")));
            }
        }
        let none = Labels::new();
        let environment = request.environment.map_or(&none, |environment| &environment.labels);
        let selectors = [
            ("workspace", &self.workspaces, &request.workspace.labels),
            ("environment", &self.environments, environment),
            ("order", &self.orders, &request.order.labels),
        ];
        let misfit = selectors
            .into_iter()
            .find(|(_, selector, labels)| selector.as_ref().is_some_and(|selector| !selector.matches(labels)));
        misfit.map(|(what, ..)| format!("the labels of the {what} do not match"))
    }
}

/// Labels that have to have one of some values.
fn wanted_values(selector: &LabelSelector) -> impl Iterator<Item = (&String, Vec<String>)> {
    let equal = selector.match_labels.iter().flatten().map(|(label, value)| (label, vec![value.clone()]));
    let one_of = selector.match_expressions.iter().flatten().filter(|expression| expression.operator == "In");
    equal.chain(one_of.map(|expression| (&expression.key, expression.values.clone().unwrap_or_default())))
}

fn describe(fact: &Fact) -> String {
    match fact {
        Fact::EnvironmentType => "the type of the environment".into(),
        Fact::Region => "the region".into(),
        Fact::DataClass => "the class of data".into(),
        Fact::WorkspaceLabel(name) => format!("the label {name} of the workspace"),
        Fact::EnvironmentLabel(name) => format!("the label {name} of the environment"),
        Fact::OrderLabel(name) => format!("the label {name} of the order"),
    }
}
