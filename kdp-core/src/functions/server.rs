//! `FunctionRunnerService` over gRPC.

use std::{
    convert::Infallible,
    fmt, fs,
    future::Future,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use http::Request;
use tokio::net::TcpListener;
use tonic::{
    body::Body,
    server::{Grpc, NamedService, UnaryService},
    transport::{Certificate, Identity, Server, ServerTlsConfig, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower::Service;

use super::{
    request::FunctionRequest,
    response::{Audience, FunctionResponse, Severity},
    wire::{RunFunctionRequest, RunFunctionResponse},
};
use crate::{Error, ErrorKind};

/// Observed states can be large; Crossplane's own limit is 4 MiB, and platforms raise it.
const LARGEST: usize = 32 << 20;

/// A composition function in the platform's own code.
#[async_trait]
pub trait CompositionFunction: Send + Sync + 'static {
    /// Answers a request. Equal requests have equal answers, and nothing is changed by asking.
    ///
    /// # Errors
    /// A sentence for people: nothing of what is wanted is carried out then.
    async fn run(&self, request: FunctionRequest) -> Result<FunctionResponse, Fatal>;
}

/// Why nothing is to be carried out, as a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// The certificates with which Crossplane and a function know each other.
#[derive(Clone)]
pub struct FunctionTls {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Vec<u8>,
}

impl FunctionTls {
    /// Reads `tls.crt`, `tls.key` and `ca.crt`, as Crossplane mounts them. Only clients with a certificate
    /// of that authority are let in.
    ///
    /// # Errors
    /// `Unavailable` with the file that cannot be read.
    pub fn read(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let read = |name: &str| {
            let path = directory.as_ref().join(name);
            fs::read(&path)
                .map_err(|e| Error::new(ErrorKind::Unavailable, "read", path.display(), e.to_string()).with_source(e))
        };
        Ok(Self { certificate: read("tls.crt")?, key: read("tls.key")?, authority: read("ca.crt")? })
    }

    /// These certificates and this key, in PEM.
    pub fn from_pem(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>, authority: impl Into<Vec<u8>>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), authority: authority.into() }
    }
}

impl fmt::Debug for FunctionTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionTls").finish_non_exhaustive()
    }
}

/// Serves a function until `stop` is done, and then answers what is under way. Without certificates
/// everybody who reaches the port can ask: for development.
///
/// # Errors
/// `Invalid` when the certificates cannot be used, `Unavailable` when the port cannot be served.
pub async fn serve(
    listener: TcpListener,
    tls: Option<FunctionTls>,
    function: impl CompositionFunction,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let failed = |kind, e: tonic::transport::Error| {
        Error::new(kind, "serve", "the composition function", crate::reconcile::Chain(&e).to_string()).with_source(e)
    };
    let mut server = Server::builder();
    if let Some(FunctionTls { certificate, key, authority }) = tls {
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(authority));
        server = server.tls_config(tls).map_err(|e| failed(ErrorKind::Invalid, e))?;
    }
    let function: Arc<dyn CompositionFunction> = Arc::new(function);
    server
        .add_service(V1(function.clone()))
        .add_service(V1Beta1(function))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop)
        .await
        .map_err(|e| failed(ErrorKind::Unavailable, e))
}

/// The service under one of its names.
macro_rules! service {
    ($name:ident, $full:literal) => {
        #[derive(Clone)]
        struct $name(Arc<dyn CompositionFunction>);

        impl NamedService for $name {
            const NAME: &'static str = $full;
        }

        impl Service<Request<Body>> for $name {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = Answer;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: Request<Body>) -> Answer {
                answer(self.0.clone(), request)
            }
        }
    };
}

service!(V1, "apiextensions.fn.proto.v1.FunctionRunnerService");
service!(V1Beta1, "apiextensions.fn.proto.v1beta1.FunctionRunnerService");

type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

fn answer(function: Arc<dyn CompositionFunction>, request: Request<Body>) -> Answer {
    Box::pin(async move {
        if !request.uri().path().ends_with("/RunFunction") {
            return Ok(tonic::Status::unimplemented("a function is run with RunFunction").into_http());
        }
        let codec = ProstCodec::<RunFunctionResponse, RunFunctionRequest>::default();
        let mut grpc = Grpc::new(codec).max_decoding_message_size(LARGEST).max_encoding_message_size(LARGEST);
        Ok(grpc.unary(Run(function), request).await)
    })
}

struct Run(Arc<dyn CompositionFunction>);

impl UnaryService<RunFunctionRequest> for Run {
    type Response = RunFunctionResponse;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<RunFunctionResponse>, tonic::Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<RunFunctionRequest>) -> Self::Future {
        let function = self.0.clone();
        Box::pin(async move {
            let request = FunctionRequest::from_wire(request.into_inner());
            let unchanged = FunctionResponse::to(&request);
            let response = match function.run(request).await {
                Ok(response) => response,
                Err(Fatal(why)) => unchanged.with_result(Severity::Fatal, why, Audience::Composite),
            };
            Ok(tonic::Response::new(response.into_wire()))
        })
    }
}
