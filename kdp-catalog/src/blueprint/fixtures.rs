//! Kinds and definitions for tests.

use serde_json::{Value, json};

use super::{Fault, Graph, ResourceGraph};

/// A definition as people write it.
pub(super) fn definition(yaml: &str) -> ResourceGraph {
    let value: Value = serde_saphyr::from_str(yaml).unwrap();
    serde_json::from_value(value).unwrap()
}

pub(super) fn graph(yaml: &str) -> Graph {
    Graph::compile(&definition(yaml), schema_of).unwrap_or_else(|faults| panic!("{faults}"))
}

pub(super) fn faults(yaml: &str) -> Vec<Fault> {
    Graph::compile(&definition(yaml), schema_of).err().map(super::Faults::into_vec).unwrap_or_default()
}

/// What the cluster of the tests knows.
pub(super) fn schema_of(api_version: &str, kind: &str) -> Option<Value> {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    let whole = json!({"type": "integer"});
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let conditions = json!({"type": "array", "items": {
        "type": "object", "properties": {"type": text, "status": text, "reason": text},
    }});
    let container = json!({"type": "object", "properties": {
        "name": text, "image": text,
        "env": {"type": "array", "items": {"type": "object", "properties": {"name": text, "value": text}}},
        "ports": {"type": "array", "items": {"type": "object", "properties": {"containerPort": whole}}},
    }});
    let pod_spec = json!({"type": "object", "properties": {"containers": {"type": "array", "items": container}}});
    let properties = match (api_version, kind) {
        ("apps/v1", "Deployment") => json!({
            "spec": {"type": "object", "properties": {
                "replicas": whole,
                "paused": {"type": "boolean"},
                "selector": {"type": "object", "properties": {"matchLabels": texts}},
                "template": {"type": "object", "properties": {
                    "metadata": {"type": "object", "properties": {"labels": texts, "name": text}},
                    "spec": pod_spec,
                }},
            }},
            "status": {"type": "object", "properties": {
                "replicas": whole, "availableReplicas": whole, "observedGeneration": whole, "conditions": conditions,
            }},
        }),
        ("v1", "Service") => json!({
            "spec": {"type": "object", "properties": {
                "clusterIP": text,
                "selector": texts,
                "ports": {"type": "array", "items": {"type": "object", "properties": {
                    "port": whole, "targetPort": {"x-kubernetes-int-or-string": true},
                }}},
            }},
            "status": {"type": "object", "properties": {
                "loadBalancer": {"type": "object", "properties": {
                    "ingress": {"type": "array", "items": {"type": "object", "properties": {"hostname": text}}},
                }},
            }},
        }),
        ("networking.k8s.io/v1", "Ingress") => json!({"spec": open}),
        ("v1", "ConfigMap") => json!({"metadata": {"type": "object"}, "data": texts, "immutable": {"type": "boolean"}}),
        ("v1", "Pod") => json!({"spec": pod_spec, "status": {"type": "object", "properties": {"phase": text}}}),
        ("db.example.com/v1", "Database") => json!({
            "spec": {"type": "object", "properties": {"storage": text, "version": text}},
            "status": {"type": "object", "properties": {
                "endpoint": text, "port": whole, "ready": {"type": "boolean"}, "conditions": conditions,
                "shards": {"type": "array", "items": {"type": "object", "properties": {"name": text, "id": whole}}},
            }},
        }),
        _ => return None,
    };
    Some(json!({"type": "object", "properties": properties}))
}

/// A Deployment, a Service and an Ingress that not everybody wants.
pub(super) const WEB_APP: &str = r#"
schema:
  apiVersion: v1alpha1
  kind: WebApp
  group: example.com
  spec:
    name: string | required=true
    image: string | default="nginx"
    replicas: integer | default=2 minimum=1
    ingress:
      enabled: boolean | default=false
      host: string | default="example.com"
    env: "[]EnvVar"
  types:
    EnvVar:
      name: string | required=true
      value: string | default=""
  status:
    available: ${deployment.status.availableReplicas}
    address: "http://${service.metadata.name}.${service.metadata.namespace}:${string(service.spec.ports[0].port)}"
    isHealthy: ${deployment.status.conditions.exists(c, c.type == "Available" && c.status == "True")}
    connection:
      host: ${service.spec.clusterIP}
    host: ${ingress.spec.rules[0].host}
resources:
  - id: ingress
    includeWhen: ["${schema.spec.ingress.enabled}"]
    template:
      apiVersion: networking.k8s.io/v1
      kind: Ingress
      metadata:
        name: ${schema.spec.name}
      spec:
        rules:
          - host: ${schema.spec.ingress.host}
            http:
              paths:
                - path: /
                  backend:
                    service:
                      name: ${service.metadata.name}
                      port:
                        number: ${service.spec.ports[0].port}
  - id: service
    template:
      apiVersion: v1
      kind: Service
      metadata:
        name: ${schema.spec.name}-svc
      spec:
        selector: ${deployment.spec.selector.matchLabels}
        ports:
          - port: 80
            targetPort: 8080
  - id: deployment
    readyWhen:
      - ${deployment.status.availableReplicas == deployment.spec.replicas}
    template:
      apiVersion: apps/v1
      kind: Deployment
      metadata:
        name: ${schema.spec.name}
        labels:
          app.kubernetes.io/name: ${schema.spec.name}
      spec:
        replicas: ${schema.spec.replicas}
        selector:
          matchLabels:
            app: ${schema.spec.name}
        template:
          metadata:
            labels:
              app: ${schema.spec.name}
          spec:
            containers:
              - name: app
                image: "registry.local/${schema.spec.image}:stable"
                env: ${schema.spec.env}
"#;
