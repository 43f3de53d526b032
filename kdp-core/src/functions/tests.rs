use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};
use tonic::{
    client::Grpc,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_prost::ProstCodec;

use super::{
    wire::{RequestMeta, Resource, Resources, RunFunctionRequest, RunFunctionResponse, State},
    *,
};
use crate::protobuf::{from_struct, to_struct};

/// Wants a bucket as large as the composite resource says, and no other.
struct Buckets;

#[async_trait]
impl CompositionFunction for Buckets {
    async fn run(&self, request: FunctionRequest) -> Result<FunctionResponse, Fatal> {
        let Some(size) = request.composite.resource["spec"]["size"].as_i64() else {
            return Err(Fatal("spec.size: must be a number".into()));
        };
        let ready = match request.resources.contains_key("bucket") {
            true => Readiness::Ready,
            false => Readiness::NotReady,
        };
        let bucket = json!({"apiVersion": "example.com/v1", "kind": "Bucket", "spec": {"size": size}});
        let mut response = FunctionResponse::to(&request)
            .with("bucket", bucket, ready)
            .with_result(Severity::Normal, "there is a bucket", Audience::CompositeAndClaim)
            .require("settings", Selector::named("v1", "ConfigMap", "settings").in_namespace("team"))
            .with_ttl(Duration::from_millis(1500));
        response.desired.composite.resource = json!({"status": {"settings": request.required.get("settings")}});
        response.context = json!({"seen": true});
        Ok(response)
    }
}

fn resource(value: &Value) -> Resource {
    Resource { resource: Some(to_struct(value)), ..Resource::default() }
}

fn request(spec: &Value) -> RunFunctionRequest {
    let composite = resource(&json!({"spec": spec}));
    let before = BTreeMap::from([("network".to_owned(), resource(&json!({"kind": "Network"})))]);
    RunFunctionRequest {
        meta: Some(RequestMeta { tag: "t".into() }),
        observed: Some(State { composite: Some(composite), resources: BTreeMap::new() }),
        desired: Some(State { composite: None, resources: before }),
        ..RunFunctionRequest::default()
    }
}

async fn ask(
    channel: &Channel,
    package: &str,
    request: RunFunctionRequest,
) -> Result<RunFunctionResponse, tonic::Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|e| tonic::Status::unavailable(e.to_string()))?;
    let path = format!("/apiextensions.fn.proto.{package}.FunctionRunnerService/RunFunction").parse().unwrap();
    let codec = ProstCodec::<RunFunctionRequest, RunFunctionResponse>::default();
    Ok(grpc.unary(tonic::Request::new(request), path, codec).await?.into_inner())
}

#[tokio::test]
async fn crossplane_of_either_generation_is_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, None, Buckets, async { drop(stopped.await) }));
    let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
    for package in ["v1", "v1beta1"] {
        let mut asked = request(&json!({"size": 3}));
        let settings = Resources { items: vec![resource(&json!({"kind": "ConfigMap"}))] };
        let known = BTreeMap::from([("settings".to_owned(), settings)]);
        match package {
            "v1" => asked.required_resources = known,
            _ => asked.extra_resources = known,
        }
        let answer = ask(&channel, package, asked).await.unwrap();
        let meta = answer.meta.unwrap();
        assert_eq!((meta.tag.as_str(), meta.ttl.map(|ttl| (ttl.seconds, ttl.nanos))), ("t", Some((1, 500_000_000))));
        let desired = answer.desired.unwrap();
        // What others want is passed on.
        assert_eq!(desired.resources.keys().collect::<Vec<_>>(), ["bucket", "network"]);
        assert_eq!(desired.resources["bucket"].ready, 2);
        let bucket = from_struct(desired.resources["bucket"].resource.clone().unwrap());
        assert_eq!(bucket["spec"], json!({"size": 3}));
        let status = from_struct(desired.composite.unwrap().resource.unwrap());
        assert_eq!(status, json!({"status": {"settings": [{"kind": "ConfigMap"}]}}));
        let required = answer.requirements.unwrap();
        assert_eq!(required.extra_resources, required.resources);
        assert_eq!((answer.results[0].severity, answer.results[0].target), (3, Some(2)));
    }
    let fatal = ask(&channel, "v1", request(&json!({}))).await.unwrap();
    assert_eq!((fatal.results[0].severity, fatal.results[0].message.as_str()), (1, "spec.size: must be a number"));
    assert_eq!(fatal.desired.unwrap().resources.keys().collect::<Vec<_>>(), ["network"]);
    let unknown = ask(&channel, "v9", request(&json!({}))).await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::Unimplemented);
    drop(stop);
    serving.await.unwrap().unwrap();
}

#[test]
fn the_bytes_are_those_of_the_protocol() {
    // { meta { tag: "t" } observed { composite { resource { a: "b" } ready: READY_TRUE } } }
    let bytes = b"\x0a\x03\x0a\x01t\x12\x10\x0a\x0e\x0a\x0a\x0a\x08\x0a\x01a\x12\x03\x1a\x01b\x18\x01";
    let request = FunctionRequest::from_wire(RunFunctionRequest::decode(&bytes[..]).unwrap());
    assert_eq!((request.tag.as_str(), &request.composite.resource), ("t", &json!({"a": "b"})));
    let answer = FunctionResponse::to(&request).with("x", json!({"a": "b"}), Readiness::Ready).into_wire();
    // { meta { tag: "t" } desired { composite {} resources { key: "x" value { resource { a: "b" } ready: READY_TRUE } } } }
    let expected =
        b"\x0a\x03\x0a\x01t\x12\x17\x0a\x00\x12\x13\x0a\x01x\x12\x0e\x0a\x0a\x0a\x08\x0a\x01a\x12\x03\x1a\x01b\x18\x01";
    assert_eq!(answer.encode_to_vec(), expected);
}

#[test]
fn credentials_are_not_shown() {
    let secrets = Secrets(BTreeMap::from([("password".to_owned(), b"hunter22".to_vec())]));
    assert_eq!(format!("{secrets:?}"), "{\"password\"}");
}

/// A certificate and its key, in PEM.
type Pair = (Vec<u8>, Vec<u8>);

/// An authority with a certificate of its own for each end.
fn certificates() -> (Vec<u8>, [Pair; 2]) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let ends = [(); 2].map(|()| {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
        (certificate.pem().into_bytes(), key.serialize_pem().into_bytes())
    });
    (authority.pem().into_bytes(), ends)
}

#[tokio::test]
async fn only_clients_of_the_same_authority_are_let_in() {
    let (authority, [(certificate, key), (client, client_key)]) = certificates();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let tls = FunctionTls::from_pem(certificate, key, authority.clone());
    tokio::spawn(serve(listener, Some(tls), Buckets, std::future::pending()));
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)).domain_name("localhost");
    let connect = async |tls: ClientTlsConfig| {
        let channel = Endpoint::from_shared(address.clone()).unwrap().tls_config(tls).unwrap().connect_lazy();
        ask(&channel, "v1", request(&json!({"size": 1}))).await
    };
    connect(trusting.clone().identity(Identity::from_pem(client, client_key))).await.unwrap();
    connect(trusting.clone()).await.unwrap_err();
    let (_, [(stranger, stranger_key), _]) = certificates();
    connect(trusting.identity(Identity::from_pem(stranger, stranger_key))).await.unwrap_err();
    let bad = FunctionTls::from_pem("x", "y", "z");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(serve(listener, Some(bad), Buckets, std::future::pending()).await.is_err());
}
