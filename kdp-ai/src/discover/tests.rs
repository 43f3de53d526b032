use std::sync::Arc;

use kdp_core::{
    SharedControlPlane,
    testing::{FakeResponse, FakeServer},
};
use serde_json::{Value, json};

use super::*;

/// A provider with databases and queues, both for everybody; the workspace binds databases, and
/// something that the catalog does not show.
fn server() -> FakeServer {
    FakeServer::new(|request| {
        let service = |name: &str, title: &str, category: &str, description: &str| {
            json!({
                "apiVersion": "core.kdp.k8c.io/v1alpha1", "kind": "Service",
                "metadata": {"name": name, "annotations": {"kcp.io/cluster": "abc"}},
                "spec": {"apiGroup": name, "catalogMetadata": {"title": title, "category": category, "description": description}},
            })
        };
        let export = |name: &str, schema: &str| {
            let resources: Value = json!([{"name": "databases", "group": name, "schema": schema}]);
            json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": name}, "spec": {"resources": resources}})
        };
        let binding = |name: &str, export: &str| {
            json!({
                "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": name},
                "spec": {"reference": {"export": {"path": "root:p", "name": export}}},
                "status": {"phase": "Bound", "boundResources": [{"group": "x.com", "resource": "things", "schema": {"name": "v1.things.x.com"}}]},
            })
        };
        let (_, last) = request.path.rsplit_once('/').unwrap();
        match last {
            "subjectaccessreviews" => {
                let mut review = request.body.clone();
                let attributes = &review["spec"]["resourceAttributes"];
                let denied = attributes["verb"] == "bind" && attributes["name"] == "queues.example.com";
                review["status"] = json!({"allowed": !denied});
                FakeResponse::ok(&review)
            }
            "services" => FakeResponse::list(&[
                service("db.example.com", "Databases", "Data", "SQL for everybody, next to your queues."),
                service("queues.example.com", "Queues", "Messaging", "Hand work over."),
            ]),
            "apiexports" => FakeResponse::list(&[
                export("db.example.com", "v1.databases.db.example.com"),
                export("queues.example.com", "none.yet"),
            ]),
            "apiresourceschemas" => FakeResponse::list(&[json!({
                "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
                "metadata": {"name": "v1.databases.db.example.com"},
                "spec": {
                    "group": "db.example.com", "scope": "Namespaced", "names": {"plural": "databases", "kind": "Database"},
                    "versions": [{"name": "v1", "served": true, "storage": true, "schema": {}}],
                },
            })]),
            "apibindings" => {
                FakeResponse::list(&[binding("db.example.com", "db.example.com"), binding("private", "hidden")])
            }
            other => panic!("unexpected request for {other}: {}", request.line()),
        }
    })
}

async fn found(query: Option<&str>) -> Vec<ServiceSummary> {
    let server = server();
    let control_plane: SharedControlPlane = Arc::new(server.clone());
    let catalog = Catalog::new(control_plane, ["root:p".parse().unwrap()]);
    discover(&server.client(), &catalog, &Identity::default(), query).await.unwrap()
}

#[tokio::test]
async fn everything_that_can_be_ordered_or_is_bound_is_listed_with_what_stands_in_the_way() {
    let lines: Vec<_> =
        found(None).await.iter().map(|s| format!("{} {:?} {:?}", s.name, s.availability, s.kinds)).collect();
    assert_eq!(
        lines,
        [
            r#"db.example.com Bound ["Database"]"#,
            r#"queues.example.com NotPermitted []"#,
            r#"private Bound ["things.x.com"]"#,
        ]
    );
}

#[tokio::test]
async fn a_query_keeps_what_holds_all_its_words_and_puts_the_best_match_first() {
    let check = |query, expected: &'static [&str]| async move {
        let names: Vec<_> = found(Some(query)).await.into_iter().map(|service| service.name).collect();
        assert_eq!(names, expected, "{query}");
    };
    check("DATABASE", &["db.example.com"]).await;
    check("queue", &["queues.example.com", "db.example.com"]).await;
    check("sql queue", &["db.example.com"]).await;
    check("messaging", &["queues.example.com"]).await;
    check("weather", &[]).await;
    check("  ", &["db.example.com", "queues.example.com", "private"]).await;
}

#[test]
fn answers_have_a_schema_and_survive_the_wire() {
    let schema = serde_json::to_value(schemars::schema_for!(ServiceSummary)).unwrap();
    assert_eq!(schema["required"], json!(["name", "kinds", "availability"]));
    let summary: ServiceSummary =
        serde_json::from_value(json!({"name": "a", "kinds": [], "availability": "Bindable"})).unwrap();
    assert_eq!(serde_json::to_value(summary).unwrap(), json!({"name": "a", "kinds": [], "availability": "Bindable"}));
}
