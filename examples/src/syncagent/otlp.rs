//! Spans for an OpenTelemetry collector.
//!
//! What is configured elsewhere by environment variables is configured by them here, too: the
//! collector's address and headers, the service's name, the sampler, the size of the queue. Spans
//! that find the queue full are dropped, so a collector out of reach costs nothing but its spans.
//!
//! Events are not exported: what an API server says of an object may quote it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use kdp_core::{ControlPlane, Endpoint, Error, ErrorKind, Identity, SharedControlPlane};
use kube::{Client, client::Body};
use opentelemetry::{propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_http::{Bytes, HeaderInjector, HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, Targets, filter_fn},
    registry::LookupSpan,
};

/// What the agent is called where `OTEL_SERVICE_NAME` does not say otherwise.
const SERVICE: &str = "kdp-syncagent";
/// Answers of collectors are short.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How long a collector may take to answer where nothing else is said.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long the last spans may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Spans on their way to a collector.
pub(super) struct Spans(SdkTracerProvider);

impl Spans {
    /// Begins to export. Nothing is contacted.
    ///
    /// # Errors
    /// `Invalid` when the environment does not lead to a collector.
    pub(super) fn export() -> Result<Self, Error> {
        let wrong = |message: &str| Error::new(ErrorKind::Invalid, "use", "the OTEL_ variables", message);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|e| wrong("the system has no certificate authorities").with_source(e))?;
        let connector = connector.https_or_http().enable_http1().build();
        let client = HyperClient::builder(TokioExecutor::new()).build(connector);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Carrier { client, runtime: Handle::current(), is_warned: Arc::default() })
            .build()
            .map_err(|e| wrong("no collector can be reached by them").with_source(e))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build()))
    }

    /// Takes in the spans of this platform, and no others: those of libraries have no end.
    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let tracer = self.0.tracer(SERVICE);
        let ours =
            Targets::new().with_target("kdp_sync", tracing::Level::DEBUG).and(filter_fn(|metadata| metadata.is_span()));
        layer_of(tracer).with_filter(ours)
    }

    /// Sends what is left.
    pub(super) async fn flush(self) {
        let flushed = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_WORDS)).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(%error, "spans.lost");
        }
    }
}

fn layer_of<S: Subscriber + for<'a> LookupSpan<'a>>(tracer: SdkTracer) -> OpenTelemetryLayer<S, SdkTracer> {
    tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false)
}

/// Carries spans to the collector. The exporter has a thread of its own, and no runtime.
#[derive(Clone, Debug)]
struct Carrier {
    client: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    /// Whether it was told that the collector is out of reach, since it last was not.
    is_warned: Arc<AtomicBool>,
}

#[async_trait]
impl HttpClient for Carrier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let send = async move {
            let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        // A collector that never answers must not be waited for for ever.
        let sent = self.runtime.spawn(async move { tokio::time::timeout(deadline(), send).await? }).await?;
        let is_well = sent.as_ref().is_ok_and(|answer: &Response<Bytes>| answer.status().is_success());
        if !self.is_warned.swap(!is_well, Ordering::Relaxed) && !is_well {
            let status = sent.as_ref().map(|answer| answer.status().as_u16()).ok();
            let error = sent.as_ref().err().map(ToString::to_string);
            tracing::warn!(status, error, "spans.refused");
        }
        sent
    }
}

/// How long a collector may take to answer, in the milliseconds that the environment gives.
fn deadline() -> Duration {
    let variables = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
    let given = variables.iter().find_map(|name| std::env::var(name).ok()?.parse().ok());
    given.map_or(DEADLINE, Duration::from_millis)
}

/// The same client, which tells API servers to which span a request belongs.
pub(super) fn traced(client: Client) -> Client {
    let service = tower::service_fn(move |mut request: Request<Body>| {
        let client = client.clone();
        let context = Span::current().context();
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(request.headers_mut()));
        async move { client.send(request).await }
    });
    Client::new(service, "default")
}

/// A control plane whose clients are [traced].
#[derive(Debug)]
pub(super) struct Traced(pub(super) SharedControlPlane);

impl Traced {
    pub(super) fn shared(inner: SharedControlPlane) -> SharedControlPlane {
        Arc::new(Self(inner))
    }
}

impl ControlPlane for Traced {
    fn client(&self, endpoint: &Endpoint, identity: &Identity) -> Result<Client, Error> {
        Ok(traced(self.0.client(endpoint, identity)?))
    }

    fn url(&self, endpoint: &Endpoint) -> Option<String> {
        self.0.url(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use opentelemetry::trace::TraceContextExt;
    use tracing::Instrument;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[tokio::test]
    async fn a_request_says_to_which_span_it_belongs() {
        let provider = SdkTracerProvider::builder().build();
        let subscriber = tracing_subscriber::registry().with(layer_of(provider.tracer("test")));
        let inner = tower::service_fn(|request: Request<Body>| async move {
            let parent = request.headers()["traceparent"].to_str().unwrap_or_default().to_owned();
            Ok::<_, Infallible>(Response::new(Body::from(parent.into_bytes())))
        });
        // The client has a task of its own, so it has to be everybody's.
        tracing::subscriber::set_global_default(subscriber).unwrap();
        let (trace, parent) = {
            let client = traced(Client::new(inner, "default"));
            let span = tracing::info_span!("order.sync");
            let trace = span.context().span().span_context().trace_id().to_string();
            let asked = async { client.request_text(Request::get("/").body(Vec::new()).unwrap()).await.unwrap() };
            (trace, asked.instrument(span).await)
        };
        assert!(parent.starts_with(&format!("00-{trace}-")), "{parent:?} is not in {trace}");
    }
}
