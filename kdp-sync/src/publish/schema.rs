//! The APIResourceSchema of a projected kind.

use kdp_core::api::apis::{APIResourceSchema, APIResourceSchemaSpec};
use serde_json::{Value, json};

use super::{Projection, crd_json};
use crate::{diagnostic::Diagnostic, wire};

/// The schema, named after its content: the same kind always gets the same name, and a changed one
/// gets a new one.
///
/// # Errors
/// When the definition is not one, such as a version without a name.
pub(crate) fn resource_schema(projection: &Projection, agent: &str) -> Result<APIResourceSchema, Diagnostic> {
    let spec = &projection.spec;
    let name = format!("v{}.{}.{}", crd_json::digest(spec), projection.remote.plural, projection.remote.group);
    let versions: Vec<Value> = spec["versions"].as_array().into_iter().flatten().map(version).collect();
    let mut document =
        json!({"group": spec["group"], "names": spec["names"], "scope": spec["scope"], "versions": versions});
    if versions.len() > 1 {
        document["conversion"] = json!({"strategy": "None"});
    }
    let spec: APIResourceSchemaSpec = serde_json::from_value(document).map_err(|e| {
        Diagnostic::new("spec.resource", format!("the CustomResourceDefinition cannot be published: {e}"))
    })?;
    let mut schema = APIResourceSchema::new(&name, spec);
    schema.metadata.labels = Some([(wire::AGENT_NAME.into(), agent.into())].into());
    schema.metadata.annotations = Some(
        [(wire::AGENT_NAME.into(), agent.into()), (wire::SOURCE_GENERATION.into(), projection.generation.to_string())]
            .into(),
    );
    Ok(schema)
}

/// A version as in the definition, but with the schema unwrapped.
fn version(version: &Value) -> Value {
    let mut version = version.clone();
    version["schema"] = version["schema"]["openAPIV3Schema"].take();
    version
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::project;

    fn schema(generation: i64, description: &str) -> APIResourceSchema {
        let crd = json!({
            "metadata": {"generation": generation},
            "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
                "versions": [
                    {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "description": description}}},
                    {"name": "v2", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}},
                ],
            }
        });
        let published =
            serde_json::from_value(json!({"resource": {"apiGroup": "example.com", "kind": "Thing"}})).unwrap();
        resource_schema(&project(&crd, &published).unwrap(), "agent").unwrap()
    }

    #[test]
    fn the_name_follows_the_content_and_nothing_else() {
        let name = |schema: APIResourceSchema| schema.metadata.name.unwrap();
        let first = name(schema(1, "a"));
        assert!(first.starts_with('v') && first.ends_with(".things.example.com"), "{first}");
        assert_eq!(first.find('.'), Some(9));
        assert_eq!(name(schema(2, "a")), first);
        assert_ne!(name(schema(1, "b")), first);
    }

    #[test]
    fn schemas_are_unwrapped_and_several_versions_need_a_conversion() {
        let schema = schema(3, "a");
        assert_eq!(schema.spec.versions[0].schema, json!({"type": "object", "description": "a"}));
        assert_eq!(schema.spec.conversion.unwrap().strategy, "None");
        assert_eq!(schema.metadata.annotations.unwrap()[wire::SOURCE_GENERATION], "3");
    }
}
