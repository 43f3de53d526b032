//! How good services and orders are: rules in CEL, in levels one above the other.
//!
//! ```
//! use kdp_catalog::portal::scorecard::{Scorecard, ScorecardSpec};
//! use serde_json::json;
//!
//! let spec: ScorecardSpec = serde_json::from_value(json!({
//!     "name": "readiness", "of": "service", "levels": ["bronze", "silver"],
//!     "rules": [
//!         {"name": "owned", "level": "bronze", "expression": "service.owner != ''", "message": "Name a team."},
//!         {"name": "documented", "level": "silver", "expression": "has(service.documentation)",
//!          "message": "Say where to read more."},
//!     ],
//! }))?;
//! let score = Scorecard::compile(spec)?.score("db", &json!({"owner": "dba"}));
//! assert_eq!(score.level.as_deref(), Some("bronze"));
//! assert_eq!(score.failed[0].message, "Say where to read more.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A level is reached when all of its rules hold and all of those below; a level without rules comes
//! with the one below. A rule that fails to evaluate does not hold. What a rule can look at is in
//! [`service_facts`] and [`order_facts`].

use std::collections::BTreeSet;

use jiff::Timestamp;
use kdp_core::cel::{Expression, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Error, Site};

mod facts;
mod history;

pub use facts::{order_facts, service_facts};
pub use history::{DatedScore, ScorecardHistory, Trend};

/// What a scorecard is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Subject {
    /// Services; rules look at `service`.
    Service,
    /// Orders; rules look at `order`.
    Order,
}

/// A scorecard, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScorecardSpec {
    /// Name, unique among scorecards.
    pub name: String,
    /// What it is about.
    pub of: Subject,
    /// Levels, the lowest first.
    pub levels: Vec<String>,
    /// What is asked.
    pub rules: Vec<RuleSpec>,
    /// Whom it is for, in CEL; all when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A rule, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleSpec {
    /// Name, unique in the scorecard.
    pub name: String,
    /// The level it is needed for.
    pub level: String,
    /// What has to hold, in CEL.
    pub expression: String,
    /// What to do when it does not.
    pub message: String,
}

/// A scorecard whose rules can be asked.
#[derive(Clone, Debug)]
pub struct Scorecard {
    name: String,
    of: Subject,
    levels: Vec<String>,
    rules: Vec<Rule>,
    when: Option<Expression>,
}

#[derive(Clone, Debug)]
struct Rule {
    name: String,
    rank: usize,
    expression: Expression,
    message: String,
}

/// What a scorecard says of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Score {
    /// Name of the scorecard.
    pub scorecard: String,
    /// The subject.
    pub subject: String,
    /// The level it has reached, if any.
    pub level: Option<String>,
    /// How many levels it has reached.
    pub rank: usize,
    /// The level above, if there is one.
    pub next: Option<String>,
    /// How many rules hold.
    pub passed: usize,
    /// How many rules there are.
    pub total: usize,
    /// The others, those of the lowest level first.
    pub failed: Vec<FailedRule>,
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FailedRule {
    /// Its name.
    pub rule: String,
    /// The level it is needed for.
    pub level: String,
    /// What to do.
    pub message: String,
    /// Why it could not be asked, when that is so: a field is not there, or it is no question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl Scorecard {
    /// The scorecard of this configuration.
    ///
    /// # Errors
    /// When levels or rules share a name, a rule is for no level, or an expression is none.
    pub fn compile(spec: ScorecardSpec) -> Result<Self, Error> {
        let ScorecardSpec { name: scorecard, of, levels, rules, when } = spec;
        let wrong = |reason: String| Error::Scorecard { scorecard: scorecard.clone(), reason };
        if levels.is_empty() {
            return Err(wrong("there is no level".into()));
        }
        if let Some(level) = repeated(levels.iter()) {
            return Err(wrong(format!("there are two levels {level:?}")));
        }
        if let Some(rule) = repeated(rules.iter().map(|rule| &rule.name)) {
            return Err(wrong(format!("there are two rules {rule:?}")));
        }
        let compile = |rule: &str, text: &str| {
            Expression::compile(text, &[of.variable()]).map_err(|reason| Error::Rule {
                scorecard: scorecard.clone(),
                rule: rule.to_owned(),
                reason,
            })
        };
        let when = when.map(|text| compile("", &text)).transpose()?;
        let mut compiled = Vec::with_capacity(rules.len());
        for RuleSpec { name, level, expression, message } in rules {
            let Some(rank) = levels.iter().position(|known| *known == level) else {
                return Err(wrong(format!("rule {name:?} is for the level {level:?}, which is not there")));
            };
            let expression = compile(&name, &expression)?;
            compiled.push(Rule { name, rank, expression, message });
        }
        // A stable sort: within a level, rules stay in the order they are configured.
        compiled.sort_by_key(|rule| rule.rank);
        Ok(Self { name: scorecard, of, levels, rules: compiled, when })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is about.
    #[must_use]
    pub fn of(&self) -> Subject {
        self.of
    }

    /// Its levels, the lowest first.
    #[must_use]
    pub fn levels(&self) -> &[String] {
        &self.levels
    }

    /// Whether it is for somebody of whom these are the facts.
    #[must_use]
    pub fn is_for(&self, facts: &Value) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(&Scope::new().with(self.of.variable(), facts)))
    }

    /// What it says of `subject`, of whom these are the facts; whether it is for it or not.
    #[must_use]
    pub fn score(&self, subject: &str, facts: &Value) -> Score {
        let scope = Scope::new().with(self.of.variable(), facts);
        let mut rank = self.levels.len();
        let mut failed = Vec::new();
        for rule in &self.rules {
            let fault = match rule.expression.evaluate(&scope) {
                Ok(Value::Bool(true)) => continue,
                Ok(Value::Bool(false)) => None,
                Ok(_) => Some("it gives neither true nor false".to_owned()),
                Err(fault) => Some(fault),
            };
            rank = rank.min(rule.rank);
            failed.push(FailedRule {
                rule: rule.name.clone(),
                level: self.levels[rule.rank].clone(),
                message: rule.message.clone(),
                fault,
            });
        }
        Score {
            scorecard: self.name.clone(),
            subject: subject.to_owned(),
            level: rank.checked_sub(1).map(|last| self.levels[last].clone()),
            rank,
            next: self.levels.get(rank).cloned(),
            passed: self.rules.len() - failed.len(),
            total: self.rules.len(),
            failed,
        }
    }
}

impl Subject {
    /// What rules call it.
    fn variable(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Order => "order",
        }
    }
}

/// What scorecards say of everything on the site they are for, at the time `now`.
///
/// A subject is `<workspace path>:<name>` for a service, and for an order its workspace, service,
/// kind, namespace and name, joined by `/`.
#[must_use]
pub fn score(scorecards: &[Scorecard], site: &Site, now: Timestamp) -> Vec<Score> {
    let services = facts::facts_of_services(site).into_iter();
    let services = services.map(|(key, facts)| (Subject::Service, key, facts));
    let orders = site.orders_by_key().into_iter();
    let orders = orders.map(|(key, order)| (Subject::Order, key.replace('\n', "/"), order_facts(order, now)));
    let subjects: Vec<_> = services.chain(orders).collect();
    let mut scores = Vec::new();
    for scorecard in scorecards {
        for (of, subject, facts) in &subjects {
            if *of == scorecard.of && scorecard.is_for(facts) {
                scores.push(scorecard.score(subject, facts));
            }
        }
    }
    scores
}

fn repeated<'a>(names: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests;
