//! The query parameters of a request.

use super::super::status::{Result, StatusError};

/// The query parameters that the API understands; unknown ones are ignored, as Kubernetes does.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Query {
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) limit: Option<usize>,
    pub(crate) continue_token: String,
    pub(crate) resource_version: String,
    pub(crate) resource_version_match: String,
    pub(crate) watch: bool,
    pub(crate) allow_watch_bookmarks: bool,
    pub(crate) send_initial_events: bool,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) dry_run: bool,
    pub(crate) field_manager: String,
    pub(crate) field_validation: FieldValidation,
    pub(crate) force: bool,
    pub(crate) propagation_policy: String,
    pub(crate) include_object: String,
    pub(crate) pretty: bool,
}

/// What happens to fields that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, and the answer warns.
    #[default]
    Warn,
    /// The request is refused.
    Strict,
}

const MAX_FIELD_MANAGER: usize = 128;

impl Query {
    pub(crate) fn parse(query: &str) -> Result<Self> {
        let mut parsed = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let text = || value.clone().into_owned();
            match &*key {
                "labelSelector" => parsed.label_selector = text(),
                "fieldSelector" => parsed.field_selector = text(),
                "limit" => {
                    let limit: i64 = number("limit", &value)?;
                    parsed.limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
                }
                "continue" => parsed.continue_token = text(),
                "resourceVersion" => parsed.resource_version = text(),
                "resourceVersionMatch" => parsed.resource_version_match = text(),
                "watch" => parsed.watch = boolean(&value),
                "allowWatchBookmarks" => parsed.allow_watch_bookmarks = boolean(&value),
                "sendInitialEvents" => parsed.send_initial_events = boolean(&value),
                "timeoutSeconds" => {
                    let seconds: i64 = number("timeoutSeconds", &value)?;
                    parsed.timeout_seconds = u64::try_from(seconds).ok().filter(|s| *s > 0);
                }
                "dryRun" => match &*value {
                    "All" => parsed.dry_run = true,
                    "" => {}
                    other => {
                        return Err(StatusError::bad_request(format!(
                            "invalid dryRun {other:?}: supported values are \"All\""
                        )));
                    }
                },
                "fieldManager" => parsed.field_manager = text(),
                "fieldValidation" => {
                    parsed.field_validation = match &*value {
                        "Strict" => FieldValidation::Strict,
                        "Warn" | "" => FieldValidation::Warn,
                        "Ignore" => FieldValidation::Ignore,
                        other => {
                            return Err(StatusError::bad_request(format!(
                                "invalid fieldValidation {other:?}: supported values are \"Ignore\", \"Strict\", \"Warn\""
                            )));
                        }
                    };
                }
                "force" => parsed.force = boolean(&value),
                "propagationPolicy" => parsed.propagation_policy = text(),
                "includeObject" => parsed.include_object = text(),
                "pretty" => parsed.pretty = boolean(&value),
                _ => {}
            }
        }
        if parsed.field_manager.len() > MAX_FIELD_MANAGER {
            return Err(StatusError::bad_request(format!(
                "invalid fieldManager: must not be longer than {MAX_FIELD_MANAGER} characters"
            )));
        }
        Ok(parsed)
    }
}

/// As Go's `strconv.ParseBool`, with an unreadable value taken for `true` as Kubernetes does.
fn boolean(value: &str) -> bool {
    !matches!(value, "" | "0" | "f" | "F" | "false" | "FALSE" | "False")
}

fn number(name: &str, value: &str) -> Result<i64> {
    if value.is_empty() {
        return Ok(0);
    }
    value.parse().map_err(|_| StatusError::bad_request(format!("invalid {name} {value:?}: must be a number")))
}
