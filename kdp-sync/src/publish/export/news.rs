//! What is told about an export when it changes.

use std::collections::BTreeSet;

use serde_json::Value;

/// What a change of an export is called, as the existing agent calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExportNews {
    /// `Normal` or `Warning`.
    pub(crate) type_: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) note: String,
}

/// What is to be told about an export that is changed by a patch.
pub(crate) fn export_news(export: &Value, patch: &Value) -> Vec<ExportNews> {
    let schemas = |of: &Value| set(&of["spec"]["resources"], |resource| text(resource, "schema").to_owned());
    let claims = |of: &Value| {
        set(&of["spec"]["permissionClaims"], |claim| {
            let (group, resource) = (text(claim, "group"), text(claim, "resource"));
            if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
        })
    };
    let mut news = Vec::new();
    let mut tell = |type_, reason, what: &str, names: Vec<String>| {
        if !names.is_empty() {
            news.push(ExportNews { type_, reason, note: format!("{what}: {}", names.join(", ")) });
        }
    };
    let (before, after) = (schemas(export), schemas(patch));
    tell("Normal", "AddingResourceSchemas", "adding schemas", only_in(&after, &before));
    tell("Warning", "RemovingResourceSchemas", "removing schemas", only_in(&before, &after));
    let added = only_in(&claims(patch), &claims(export));
    tell("Normal", "AddingPermissionClaims", "adding permission claims", added);
    news
}

fn only_in(these: &BTreeSet<String>, others: &BTreeSet<String>) -> Vec<String> {
    these.difference(others).cloned().collect()
}

fn set(list: &Value, name: impl Fn(&Value) -> String) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(name).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_and_claims_that_come_and_go_are_told() {
        let export = json!({"spec": {
            "resources": [{"schema": "v1.things.x"}, {"schema": "v1.others.x"}],
            "permissionClaims": [{"group": "", "resource": "events"}],
        }});
        let patch = json!({"spec": {
            "resources": [{"schema": "v2.things.x"}, {"schema": "v1.others.x"}],
            "permissionClaims": [{"group": "", "resource": "events"}, {"group": "a.b", "resource": "cs"}],
        }});
        let told: Vec<_> = export_news(&export, &patch).into_iter().map(|n| (n.type_, n.reason, n.note)).collect();
        assert_eq!(
            told,
            [
                ("Normal", "AddingResourceSchemas", "adding schemas: v2.things.x".to_owned()),
                ("Warning", "RemovingResourceSchemas", "removing schemas: v1.things.x".to_owned()),
                ("Normal", "AddingPermissionClaims", "adding permission claims: cs.a.b".to_owned()),
            ]
        );
        assert_eq!(export_news(&patch, &patch), []);
    }
}
