//! Plans that Crossplane's own program renders.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::process::Command;

use kdp_core::{
    ErrorKind, Provider,
    api::install_crd,
    provider::{
        ChangeAction, Phase,
        crossplane::{Renderer, Shape},
    },
};
use kube::api::{ApiResource, GroupVersionKind, PostParams};
use serde_json::{Value, json};

use super::{
    core::api,
    place::{Journey, Site, definition, options},
};

const GROUP: &str = "apiextensions.crossplane.io";
/// Where function-patch-and-transform answers plain gRPC; without it nothing is composed.
const FUNCTION: &str = "KDP_TEST_CROSSPLANE_FUNCTION";
/// Makes the test fail where it would be skipped.
const REQUIRE: &str = "KDP_REQUIRE_CROSSPLANE";

/// Whether the program is there; says so when it is not.
fn is_there() -> bool {
    let asked = Command::new("crossplane").args(["internal", "render", "--help"]).output();
    let is_there = asked.is_ok_and(|asked| asked.status.success());
    if !is_there {
        assert!(std::env::var(REQUIRE).is_err(), "{REQUIRE} is set, and there is no crossplane 2.3 on the path");
        eprintln!("SKIPPED: there is no program crossplane with `internal render` on the path");
    }
    is_there
}

async fn create(site: &Site, version: &str, kind: &str, plural: &str, name: &str, spec: Value) {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut crd = definition(GROUP, kind, plural, "Cluster", &open);
    crd["spec"]["versions"][0]["name"] = json!(version);
    install_crd(&site.client(), &serde_json::from_value(crd).unwrap(), "test").await.unwrap();
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, version, kind), plural);
    let object = json!({"apiVersion": resource.api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
    let objects = api(&site.client(), &resource, None);
    objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// Has the cluster know the definition of buckets, and the Composition `small` of them.
async fn define(site: &Site, pipeline: Value) {
    let bucket = json!({
        "group": "v2.example.org", "scope": "Namespaced", "names": {"kind": "Bucket", "plural": "buckets"},
        "versions": [{"name": "v1", "served": true, "referenceable": true}],
        "defaultCompositionRef": {"name": "small"},
    });
    let plural = "compositeresourcedefinitions";
    create(site, "v2", "CompositeResourceDefinition", plural, "buckets.v2.example.org", bucket).await;
    let small = json!({
        "compositeTypeRef": {"apiVersion": "v2.example.org/v1", "kind": "Bucket"},
        "mode": "Pipeline", "pipeline": pipeline,
    });
    create(site, "v1", "Composition", "compositions", "small", small).await;
}

#[tokio::test]
async fn a_plan_tells_what_the_object_would_be_composed_of() {
    if !is_there() {
        return;
    }
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let function = std::env::var(FUNCTION).ok();
    let (mut renderer, mut pipeline) = (Renderer::new(), json!([]));
    if let Some(address) = &function {
        let volume = json!({"apiVersion": "managed.example.org/v1", "kind": "Volume", "spec": {"forProvider": {}}});
        let patch = json!({
            "type": "FromCompositeFieldPath", "fromFieldPath": "spec.size", "toFieldPath": "spec.forProvider.size",
        });
        let secret = json!({
            "type": "FromCompositeFieldPath", "fromFieldPath": "spec.password", "toFieldPath": "spec.forProvider.key",
        });
        let input = json!({
            "apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources",
            "resources": [{"name": "volume", "base": volume, "patches": [patch, secret]}],
        });
        pipeline = json!([{"step": "compose", "functionRef": {"name": "patch"}, "input": input}]);
        renderer = renderer.with_function("patch", address);
    }
    define(&site, pipeline).await;
    let mut journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace).with_renderer(renderer));
    let spec = |size: u64| json!({"size": size, "password": "what-nobody-may-see"});
    let told = async |journey: &Journey, size| {
        let plan = journey.provider.plan(&journey.order(spec(size)), &journey.run).await.unwrap();
        assert!(!serde_json::to_string(&plan.changes).unwrap().contains("nobody"));
        let again = journey.provider.plan(&journey.order(spec(size)), &journey.run).await.unwrap();
        assert_eq!(plan.hash(), again.hash());
        let changes = plan.changes.into_iter().map(|change| (change.action, change.subject));
        changes.skip(1).collect::<Vec<_>>()
    };
    let is_composed = function.is_some();
    let volume = |action| if is_composed { vec![(action, "volume (Volume)".to_owned())] } else { vec![] };
    assert_eq!(told(&journey, 1).await, volume(ChangeAction::Create));
    journey.reach(spec(1), Phase::Ready).await;
    let changed = told(&journey, 2).await;
    assert!(volume(ChangeAction::Update).iter().all(|change| changed.contains(change)), "{changed:?}");
    let plan = journey.provider.plan(&journey.order(spec(1)), &journey.run).await.unwrap();
    assert_eq!(plan.changes, [], "what is as ordered is not rendered");
}

#[tokio::test]
async fn what_cannot_be_rendered_is_refused_and_not_left_out() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let step = json!([{"step": "compose", "functionRef": {"name": "nobody"}}]);
    define(&site, step).await;
    for (shape, message) in [(Shape::Namespaced, "nobody"), (Shape::Claim, "claims cannot be rendered")] {
        let journey = Journey::new(site.client(), options(shape, &namespace).with_renderer(Renderer::new()));
        let error = journey.provider.plan(&journey.order(json!({"size": 1})), &journey.run).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains(message), "{error}");
    }
}

/// Composes a volume as large as the composite resource says.
#[cfg(feature = "functions")]
struct Volumes;

#[cfg(feature = "functions")]
#[async_trait::async_trait]
impl kdp_core::functions::CompositionFunction for Volumes {
    async fn run(
        &self,
        request: kdp_core::functions::FunctionRequest,
    ) -> Result<kdp_core::functions::FunctionResponse, kdp_core::functions::Fatal> {
        let size = request.composite.resource["spec"]["size"].clone();
        let prefix = request.input["prefix"].as_str().unwrap_or_default().to_owned();
        let volume = json!({
            "apiVersion": "managed.example.org/v1", "kind": "Volume",
            "spec": {"forProvider": {"size": size, "prefix": prefix}},
        });
        let response = kdp_core::functions::FunctionResponse::to(&request);
        Ok(response.with("volume", volume, kdp_core::functions::Readiness::Ready))
    }
}

#[cfg(feature = "functions")]
#[tokio::test]
async fn crossplane_asks_a_function_of_the_platform() {
    if !is_there() {
        return;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(kdp_core::functions::serve(listener, None, Volumes, std::future::pending()));
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let input = json!({"apiVersion": "fn.example.org/v1", "kind": "Input", "prefix": "ours"});
    define(&site, json!([{"step": "compose", "functionRef": {"name": "ours"}, "input": input}])).await;
    let renderer = Renderer::new().with_function("ours", address);
    let journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace).with_renderer(renderer));
    let plan = journey.provider.plan(&journey.order(json!({"size": 7})), &journey.run).await.unwrap();
    let volume = plan.changes.iter().find(|change| change.subject == "volume (Volume)");
    let volume = volume.unwrap_or_else(|| panic!("{plan:?}"));
    assert_eq!(volume.action, ChangeAction::Create);
    let shown = serde_json::to_string(&volume.values).unwrap();
    assert!(shown.contains("\"ours\"") && shown.contains('7'), "{shown}");
}
