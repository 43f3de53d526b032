//! What becomes of orders: why they are not ready, what people can do, what they are told.

use kdp_core::{
    ErrorKind, Provider,
    condition::find_condition,
    provider::{
        ActionCall, Lease, Phase, Run,
        crossplane::{Connection, Namespaces, Pin, SecretSource, Shape, Target},
    },
};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::{
    core::{api, buckets, disks, stores, value, xstores},
    place::{Journey, Site, options},
};

#[tokio::test]
async fn what_the_cloud_says_comes_up_to_the_order() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    for shape in [Shape::Namespaced, Shape::Claim] {
        site.core.behaviour().cloud_error = Some("create failed: AccessDenied");
        let mut journey = Journey::new(site.client(), options(shape, &namespace));
        journey.apply(json!({"size": 1})).await.unwrap();
        let seen = journey.see(Phase::Progressing, "AccessDenied").await;
        assert!(seen.message.contains("volume ("), "{}", seen.message);
        let composed = find_condition(&seen.conditions, "ComposedReady").unwrap();
        assert_eq!((composed.status.as_str(), composed.reason.as_str()), ("False", "ReconcileError"));
        assert!(composed.message.ends_with("ReconcileError: create failed: AccessDenied"), "{}", composed.message);

        site.core.behaviour().cloud_error = None;
        let seen = journey.see(Phase::Ready, "").await;
        assert!(find_condition(&seen.conditions, "ComposedReady").unwrap().is_true());
        assert!(find_condition(&seen.conditions, "Ready").is_none(), "that of the order is its own");
        assert_eq!(seen.outputs["host"].value, "db.example.org");
        journey.delete_until(Phase::Gone, "").await;
    }
}

#[tokio::test]
async fn nothing_is_ready_without_the_connection_details_it_must_have() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    site.core.behaviour().forgets_password = true;
    let mut journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    journey.apply(json!({"size": 1})).await.unwrap();
    let seen = journey.see(Phase::Progressing, "waits for the connection details password").await;
    assert_eq!(seen.outputs["host"].value, "db.example.org");
}

#[tokio::test]
async fn a_secret_is_found_by_its_path_and_by_a_label() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let by_path = SecretSource::Path("status.secretName".into());
    let mut journey = Journey::new(
        site.client(),
        options(Shape::Namespaced, &namespace)
            .with_connection(Connection::new(by_path).with_key("password", "pw").with_required("pw")),
    );
    let seen = journey.reach(json!({"size": 1}), Phase::Ready).await;
    assert_eq!(seen.outputs.keys().collect::<Vec<_>>(), ["pw"]);

    let by_label = SecretSource::Label("crossplane.io/composite".into(), journey.name());
    let mut labelled = Journey::new(
        site.client(),
        options(Shape::Namespaced, &namespace).with_connection(Connection::new(by_label).with_required("password")),
    );
    labelled.id = journey.id.clone();
    let found = labelled.reach(json!({"size": 1}), Phase::Ready).await;
    assert_eq!(found.outputs["password"].value, seen.outputs["pw"].value);
}

#[tokio::test]
async fn an_order_is_paused_resumed_and_reconciled_once_for_each_call() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    for shape in [Shape::Namespaced, Shape::Claim] {
        let mut journey = Journey::new(site.client(), options(shape, &namespace));
        journey.reach(json!({"size": 1}), Phase::Ready).await;
        let act = async |id: &str, name: &str| {
            let call = ActionCall::new(id, name);
            journey.provider.act(&journey.order(json!({"size": 1})), &call, &journey.run).await
        };
        act("1", "pause").await.unwrap();
        journey.see(Phase::Paused, "").await;
        let error = act("2", "reconcile").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        act("3", "resume").await.unwrap();
        // The same call again is the same request, and does not pause it anew.
        act("1", "pause").await.unwrap();
        journey.see(Phase::Ready, "").await;
        for _ in 0..2 {
            assert_eq!(act("4", "reconcile").await.unwrap().message, "Crossplane has looked at it");
        }
        for wrong in ["", "a,b", "a b"] {
            assert_eq!(act(wrong, "pause").await.unwrap_err().kind(), ErrorKind::Invalid, "{wrong:?}");
        }

        journey.provider.pause(&journey.id, journey.sealed.as_ref(), &journey.run).await.unwrap();
        journey.see(Phase::Paused, "").await;
        let stale = journey.provider.resume(&journey.id, None, &Run::new(Lease(0))).await.unwrap_err();
        assert_eq!(stale.kind(), ErrorKind::Stale);
        // What is paused is deleted all the same.
        journey.delete_until(Phase::Gone, "").await;
    }
}

#[tokio::test]
async fn fields_that_others_own_are_left_to_them_and_named() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    let theirs = json!({
        "apiVersion": buckets().api_version, "kind": "Bucket",
        "metadata": {"name": journey.name()}, "spec": {"size": 5},
    });
    let bucket = api(&site.client(), &buckets(), Some(&namespace));
    bucket.patch(&journey.name(), &PatchParams::apply("theirs").force(), &Patch::Apply(theirs)).await.unwrap();
    let error = journey.apply(json!({"size": 2})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("theirs") && error.message().contains("spec.size"), "{error}");
}

#[tokio::test]
async fn what_was_deleted_behind_its_back_is_made_anew() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    let bucket = api(&site.client(), &buckets(), Some(&namespace));
    let before = bucket.get(&journey.name()).await.unwrap().uid();
    bucket.delete(&journey.name(), &DeleteParams::default()).await.unwrap();
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    let started = std::time::Instant::now();
    while bucket.get_opt(&journey.name()).await.unwrap().is_none_or(|bucket| bucket.uid() == before) {
        assert!(started.elapsed() < super::place::DEADLINE, "it was not made anew");
        drop(journey.apply(json!({"size": 1})).await);
        tokio::time::sleep(super::place::PAUSE).await;
    }
    journey.reach(json!({"size": 1}), Phase::Ready).await;
}

#[tokio::test]
async fn a_plan_tells_what_changes_and_hides_what_is_sensitive() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let options = options(Shape::Namespaced, &namespace).with_pin(Pin::Revision("small-1".into()));
    let mut journey = Journey::new(site.client(), options);
    journey.reach(json!({"size": 1, "password": "what-nobody-may-see"}), Phase::Ready).await;
    let bucket = api(&site.client(), &buckets(), Some(&namespace)).get(&journey.name()).await.unwrap();
    assert_eq!(bucket.data["spec"]["crossplane"]["compositionRevisionRef"], json!({"name": "small-1"}));
    assert_eq!(bucket.data["spec"]["crossplane"]["compositionUpdatePolicy"], "Manual");
    let changed = journey.order(json!({"size": 2, "password": "what-nobody-may-guess"}));
    let plan = journey.provider.plan(&changed, &journey.run).await.unwrap();
    let told = serde_json::to_string(&plan.changes).unwrap();
    assert_eq!(
        plan.changes[0].values.iter().map(|value| value.path.as_str()).collect::<Vec<_>>(),
        ["spec.password", "spec.size"]
    );
    assert!(!told.contains("nobody"), "{told}");
}

#[tokio::test]
async fn each_workspace_gets_a_namespace_of_its_own_when_it_is_first_needed() {
    let site = Site::new().await;
    let target = Target::new("v2.example.org", "v1", "Bucket", "buckets", Shape::Namespaced);
    let namespaces = Namespaces::PerWorkspace { prefix: "ws".into() };
    let options = kdp_core::provider::crossplane::CrossplaneOptions::new(target, namespaces);
    let mut journey = Journey::new(site.client(), options);
    journey.id = journey.id.clone().in_workspace("2okdry95y5lkv".parse().unwrap());
    let refused = journey.provider.plan(&journey.order(json!({"size": 0})), &journey.run).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    let bucket = api(&site.client(), &buckets(), Some("ws-2okdry95y5lkv")).get_opt(&journey.name()).await.unwrap();
    assert!(bucket.is_some());
    journey.delete_until(Phase::Gone, "").await;
}

#[tokio::test]
async fn what_was_taken_over_is_found_again_by_its_label() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    let found = json!({
        "apiVersion": buckets().api_version, "kind": "Bucket", "metadata": {"name": "found"}, "spec": {"size": 1},
    });
    let bucket = api(&site.client(), &buckets(), Some(&namespace));
    bucket.create(&Default::default(), &serde_json::from_value(found).unwrap()).await.unwrap();
    journey.provider.import(&journey.order(json!({"size": 1})), "found", &journey.run).await.unwrap();
    for wrong in ["../found", "", "a/b"] {
        let error = journey.provider.import(&journey.order(json!({})), wrong, &journey.run).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong:?}");
    }
    // Nothing was sealed, or that was lost.
    journey.sealed = None;
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    assert!(bucket.get_opt(&journey.name()).await.unwrap().is_none(), "no second one was made");
    journey.delete_until(Phase::Gone, "").await;
    assert!(bucket.get_opt("found").await.unwrap().is_none());
}

#[tokio::test]
async fn a_claim_is_gone_when_its_composite_resource_and_what_that_is_composed_of_are() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut journey = Journey::new(site.client(), options(Shape::Claim, &namespace));
    let ready = journey.reach(json!({"size": 1}), Phase::Ready).await;
    let known = ready.teardown.unwrap().data.to_string();
    for kind in ["XStore", "Disk", "Secret"] {
        assert!(known.contains(kind), "{kind} is not remembered: {known}");
    }
    let claim = value(api(&site.client(), &stores(), Some(&namespace)).get(&journey.name()).await.unwrap());
    assert_eq!(claim["spec"]["compositeDeletePolicy"], "Foreground");
    journey.delete_until(Phase::Gone, "").await;
    let composite = claim["spec"]["resourceRef"]["name"].as_str().unwrap();
    assert!(api(&site.client(), &xstores(), None).get_opt(composite).await.unwrap().is_none());
    assert!(api(&site.client(), &disks(), None).list(&Default::default()).await.unwrap().items.is_empty());
}
