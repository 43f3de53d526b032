//! What an OpenTelemetry collector is told of the work on orders.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kdp_core::api::install_crd;
use kube::ResourceExt;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value, trace::v1::Span,
};
use prost::{Message, bytes::Bytes};
use serde_json::json;
use tokio::{net::TcpListener, sync::Mutex};

use super::{
    case::definition,
    object::{api, create, create_secret, delete, gone, patch, secrets, seen, value},
    program::{NAMESPACE, Program},
    shared::{eventually, run},
    site::{PROVIDER, Site},
};

const GROUP: &str = "inside.example.com";
const OFFERED: &str = "outside.example.com/v1";
const PASSWORD: &str = "correct-horse-battery-staple";
/// A value that the service cluster refuses, and quotes.
const REFUSED: &str = "tr0ub4d";

/// A collector that keeps what it is sent.
#[derive(Clone, Debug)]
struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let collector = Self { address: listener.local_addr().unwrap(), received: Arc::default() };
        let received = collector.received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let received = received.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let received = received.clone();
                    async move {
                        assert_eq!(request.uri().path(), "/v1/traces");
                        received.lock().await.push(request.into_body().collect().await.unwrap().to_bytes());
                        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        collector
    }

    async fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().await;
        let requests = received.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|of| of.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    async fn services(&self) -> Vec<String> {
        let received = self.received.lock().await;
        let requests = received.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans).filter_map(|of| of.resource);
        let names = resources.flat_map(|resource| resource.attributes).filter(|pair| pair.key == "service.name");
        names.filter_map(|pair| text(pair.value?.value?)).collect()
    }
}

fn text(value: any_value::Value) -> Option<String> {
    if let any_value::Value::StringValue(text) = value { Some(text) } else { None }
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    text(pair.value.clone()?.value?)
}

fn flags(site: &Site) -> Vec<String> {
    [
        format!("--tenant-kubeconfig={}", site.kcp_kubeconfig.display()),
        "--tenant-cluster-name=plain".to_owned(),
        format!("--kubeconfig={}", site.service_kubeconfig.display()),
        format!("--namespace={NAMESPACE}"),
        "--agent-name=traced".to_owned(),
        "--metrics-address=0".to_owned(),
        "--otlp".to_owned(),
    ]
    .into()
}

/// Runs an order from its beginning to its end while spans go to `collector`, and stops the agent.
async fn live(site: &Site, collector: SocketAddr) {
    let mut definition = definition(GROUP);
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["x-kubernetes-validations"] = json!([{"rule": "!has(self.spec.secret) || size(self.spec.secret) < 9", "messageExpression": "'too long: ' + self.spec.secret"}]);
    schema["properties"]["spec"]["properties"] = json!({"secret": {"type": "string"}});
    let definition = serde_json::from_value(definition).unwrap();
    install_crd(&site.service(), &definition, "test").await.unwrap();
    let resources = api(site.service(), None, "syncagent.kcp.io/v1alpha1", "PublishedResource", "publishedresources");
    let resource = json!({
        "apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource", "metadata": {"name": "widgets"},
        "spec": {
            "resource": {"apiGroup": GROUP, "kind": "Widget"},
            "projection": {"group": "outside.example.com"},
            "mutation": {"spec": [{"regex": {"path": "spec.secret", "pattern": "^", "replacement": "refused-"}}]},
            "related": [{
                "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
                "object": {"template": {"template": "{{ .Object.metadata.name }}-credentials"}},
            }],
        },
    });
    create(&resources, resource).await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}")),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test".to_owned()),
    ];
    let agent = Program::start_with(&environment, site, "agent", &flags(site));
    let orders = api(site.workspace(PROVIDER), Some("default"), OFFERED, "Widget", "widgets");
    let order = json!({"apiVersion": OFFERED, "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}});
    eventually("it can be ordered", async || {
        orders.create(&Default::default(), &serde_json::from_value(order.clone()).unwrap()).await.ok()
    })
    .await;
    let copies = api(site.service(), Some("plain"), &format!("{GROUP}/v1"), "Widget", "widgets");
    let copy = eventually("there is a copy", async || {
        copies.list(&Default::default()).await.unwrap().items.first().map(ResourceExt::name_any)
    })
    .await;
    create_secret(&secrets(site.service(), "plain"), &format!("{copy}-credentials"), PASSWORD, json!({})).await;
    let delivered = secrets(site.workspace(PROVIDER), "default");
    assert_eq!(value(&seen(&delivered, "w-credentials", |_| true).await), PASSWORD);
    patch(&orders, "w", json!({"spec": {"secret": REFUSED}})).await;
    let events = api(site.workspace(PROVIDER), Some("default"), "v1", "Event", "events");
    eventually("the tenant is told that it is refused", async || {
        let events = events.list(&Default::default()).await.unwrap();
        events.items.iter().any(|event| event.data["type"] == "Warning").then_some(())
    })
    .await;
    delete(&orders, "w").await;
    gone(&orders, "w").await;
    assert!(agent.terminate().await.success());
}

#[test]
fn the_work_on_an_order_is_told_as_a_tree_of_spans_without_secrets() {
    run(async {
        let site = Site::start("otlp").await;
        let collector = Collector::start().await;
        live(&site, collector.address).await;
        let spans = collector.spans().await;
        let passes: Vec<_> = spans.iter().filter(|span| span.name == "order.sync").collect();
        for pass in &passes {
            for (key, expected) in [
                ("resource", "widgets"),
                ("kind", "Widget"),
                ("agent", "traced"),
                ("workspace", "plain"),
                ("namespace", "default"),
                ("name", "w"),
            ] {
                assert_eq!(attribute(pass, key).as_deref(), Some(expected), "{pass:?}");
            }
        }
        assert!(passes.iter().any(|pass| attribute(pass, "outcome").as_deref() == Some("gone")), "{passes:?}");
        let children = |verb: &str, kind: &str| {
            let is_it = |span: &&Span| {
                span.name == "api.request"
                    && attribute(span, "verb").as_deref() == Some(verb)
                    && attribute(span, "kind").as_deref() == Some(kind)
                    && passes.iter().any(|pass| pass.span_id == span.parent_span_id && pass.trace_id == span.trace_id)
            };
            spans.iter().filter(is_it).count()
        };
        assert_eq!(children("create", "Widget"), 1, "{spans:?}");
        assert!(children("create", "Secret") >= 2 && children("patch", "Widget") >= 2, "{spans:?}");
        assert_eq!(collector.services().await.first().map(String::as_str), Some("kdp-syncagent"));
        let received = collector.received.lock().await;
        let encoded = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";
        for secret in [PASSWORD, encoded, REFUSED] {
            let is_told = |body: &Bytes| body.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!received.iter().any(is_told), "{secret} is told");
        }
    });
}

#[test]
fn a_collector_that_is_not_there_changes_nothing() {
    run(async {
        let site = Site::start("otlp-nowhere").await;
        // A port that was free a moment ago.
        let nowhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        live(&site, nowhere).await;
    });
}
