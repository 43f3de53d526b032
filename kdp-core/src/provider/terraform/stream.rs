//! What the engine says while it works, line by line.

use serde_json::Value;

use crate::provider::{Redactor, Step, StepState};

/// One message of the engine that matters here.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// It works on a resource.
    Resource(Work),
    /// It has found something wrong.
    Diagnostic(Diagnostic),
}

/// What the engine does to a resource.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Work {
    pub(super) address: String,
    pub(super) is_deletion: bool,
    pub(super) state: StepState,
    /// What identifies the real thing, where the engine tells.
    pub(super) id: Option<String>,
    message: String,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnostic {
    pub(super) is_error: bool,
    pub(super) summary: String,
    pub(super) detail: String,
    address: String,
    /// The variables that the expression it is about refers to.
    variables: Vec<String>,
}

impl Event {
    /// The event of a line. Lines of other kinds, of later versions, and what is no JSON are nothing.
    ///
    /// What programs print that a resource runs is left out on purpose: nobody knows what is in it.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let state = match line["type"].as_str()? {
            "diagnostic" => return Some(Self::Diagnostic(Diagnostic::of(&line["diagnostic"]))),
            "apply_start" => StepState::Started,
            "apply_progress" => StepState::Running,
            "apply_complete" => StepState::Done,
            "apply_errored" => StepState::Failed,
            _ => return None,
        };
        let hook = &line["hook"];
        let action = hook["action"].as_str().unwrap_or_default();
        let message = match hook["elapsed_seconds"].as_u64() {
            Some(seconds) => format!("{action}, {seconds} s"),
            None => action.to_owned(),
        };
        Some(Self::Resource(Work {
            address: hook["resource"]["addr"].as_str()?.to_owned(),
            is_deletion: action == "delete",
            state,
            id: hook["id_value"].as_str().filter(|id| !id.is_empty()).map(Into::into),
            message,
        }))
    }

    /// The event as a step that people hear of.
    pub(super) fn step(&self, redactor: &Redactor) -> Option<Step> {
        match self {
            Self::Resource(work) => {
                Some(Step::new(work.state, redactor.redact(&work.address)).with_message(work.message.clone()))
            }
            Self::Diagnostic(diagnostic) if diagnostic.is_error && !diagnostic.address.is_empty() => {
                let step = Step::new(StepState::Failed, redactor.redact(&diagnostic.address));
                Some(step.with_message(redactor.redact(&diagnostic.summary)))
            }
            Self::Diagnostic(_) => None,
        }
    }
}

impl Diagnostic {
    fn of(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let values = value["snippet"]["values"].as_array().into_iter().flatten();
        let traversals = values.filter_map(|value| value["traversal"].as_str());
        Self {
            is_error: value["severity"] == "error",
            summary: text(&value["summary"]),
            detail: text(&value["detail"]),
            address: text(&value["address"]),
            variables: traversals.filter_map(|name| Some(name.strip_prefix("var.")?.to_owned())).collect(),
        }
    }

    /// The variable whose value is wrong, if that is what is wrong.
    pub(super) fn variable(&self) -> Option<&str> {
        let is_about_value =
            matches!(&*self.summary, "Invalid value for variable" | "Invalid value for input variable");
        self.variables.first().filter(|_| is_about_value).map(String::as_str)
    }

    /// Whether a condition of the module says that the order is not to be.
    pub(super) fn is_refusal(&self) -> bool {
        self.summary.ends_with("precondition failed")
    }

    /// Whether the plan was made from a state that is no longer current.
    pub(super) fn is_stale_plan(&self) -> bool {
        self.summary == "Saved plan is stale"
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.address.is_empty() {
            write!(f, "{}: ", self.address)?;
        }
        f.write_str(&self.summary)?;
        let detail = self.detail.split_whitespace().collect::<Vec<_>>().join(" ");
        if detail.is_empty() { Ok(()) } else { write!(f, ": {detail}") }
    }
}

/// What is known of the resources of a run from what the engine said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Journal(pub(super) Vec<Work>);

impl Journal {
    /// The journal in the output of a run; the last line may be cut off.
    pub(super) fn read(output: &str) -> Self {
        let events = output.lines().filter_map(Event::parse);
        Self(events.filter_map(|event| if let Event::Resource(work) = event { Some(work) } else { None }).collect())
    }
}

#[cfg(test)]
mod tests;
