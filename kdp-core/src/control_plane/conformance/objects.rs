//! Objects: created, changed, applied, deleted, and refused.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::json;

use super::{
    ensure,
    stand::{self, Outcome, Stand, from, refusal, refused},
};

async fn maps(stand: &Stand<'_>) -> Outcome<Api<ConfigMap>> {
    Ok(Api::default_namespaced(stand.system(&stand.place().await?)?))
}

fn map(name: &str) -> Outcome<ConfigMap> {
    from(json!({"metadata": {"name": name}, "data": {"a": "1"}}))
}

pub(super) async fn an_object_is_created_changed_and_deleted(stand: &Stand<'_>) -> Outcome {
    let maps = maps(stand).await?;
    let made = maps.create(&PostParams::default(), &map("one")?).await?;
    let metadata = &made.metadata;
    ensure!(metadata.uid.is_some() && metadata.creation_timestamp.is_some(), "the server set {metadata:?}");
    ensure!(maps.get("one").await? == made, "a get answers something else than the create");
    let mut changed = made.clone();
    changed.data = Some([("a".into(), "2".into())].into());
    let changed = maps.replace("one", &PostParams::default(), &changed).await?;
    ensure!(changed.resource_version() != made.resource_version(), "a change keeps the revision");
    ensure!(changed.uid() == made.uid(), "a change makes another object");
    let merge = json!({"data": {"b": "3"}});
    let merged = maps.patch("one", &PatchParams::default(), &Patch::Merge(&merge)).await?.data.unwrap_or_default();
    ensure!(merged.len() == 2 && merged["a"] == "2" && merged["b"] == "3", "merged: {merged:?}");
    maps.delete("one", &DeleteParams::default()).await?;
    ensure!(maps.get_opt("one").await?.is_none(), "it is still there");
    Ok(())
}

pub(super) async fn an_outdated_change_is_a_conflict(stand: &Stand<'_>) -> Outcome {
    let maps = maps(stand).await?;
    let outdated = maps.create(&PostParams::default(), &map("one")?).await?;
    let mut change = outdated.clone();
    change.data = None;
    maps.replace("one", &PostParams::default(), &change).await?;
    let status = refusal("a replace", maps.replace("one", &PostParams::default(), &outdated).await)?;
    ensure!((status.code, &*status.reason) == (409, "Conflict"), "{status:?}");
    let other = Preconditions { uid: Some("another".into()), resource_version: None };
    let delete = DeleteParams { preconditions: Some(other), ..DeleteParams::default() };
    refused("a delete of another object", maps.delete("one", &delete).await, &[409])
}

pub(super) async fn names_are_generated(stand: &Stand<'_>) -> Outcome {
    let maps = maps(stand).await?;
    let unnamed: ConfigMap = from(json!({"metadata": {"generateName": "some-"}}))?;
    let one = maps.create(&PostParams::default(), &unnamed).await?.name_any();
    let two = maps.create(&PostParams::default(), &unnamed).await?.name_any();
    ensure!(one != two && one.starts_with("some-") && one.len() > 5, "the names are {one:?} and {two:?}");
    Ok(())
}

pub(super) async fn appliers_own_their_fields(stand: &Stand<'_>) -> Outcome {
    let maps = maps(stand).await?;
    let apply = async |manager: &str, force: bool, data: serde_json::Value| {
        let params = PatchParams { force, ..PatchParams::apply(manager) };
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": data});
        maps.patch("one", &params, &Patch::Apply(&map)).await
    };
    apply("first", false, json!({"a": "1", "b": "1"})).await?;
    apply("second", false, json!({"c": "2"})).await?;
    let status = refusal("a field of another", apply("second", false, json!({"a": "2", "c": "2"})).await)?;
    ensure!((status.code, &*status.reason) == (409, "Conflict"), "{status:?}");
    let named =
        status.details.as_ref().is_some_and(|details| details.causes.iter().any(|cause| cause.field == ".data.a"));
    ensure!(named, "the conflict does not name the field: {status:?}");
    apply("second", true, json!({"a": "2", "c": "2"})).await?;
    let data = apply("first", false, json!({})).await?.data.unwrap_or_default();
    ensure!(data.len() == 2 && data["a"] == "2" && data["c"] == "2", "what nobody applies any more stays: {data:?}");
    Ok(())
}

pub(super) async fn a_finalizer_holds_an_object(stand: &Stand<'_>) -> Outcome {
    let maps = maps(stand).await?;
    let held: ConfigMap = from(json!({"metadata": {"name": "one", "finalizers": ["conformance.kdp.io/hold"]}}))?;
    maps.create(&PostParams::default(), &held).await?;
    maps.delete("one", &DeleteParams::default()).await?;
    ensure!(maps.get("one").await?.metadata.deletion_timestamp.is_some(), "it is not marked as being deleted");
    let another = json!({"metadata": {"finalizers": ["conformance.kdp.io/hold", "conformance.kdp.io/late"]}});
    let late = maps.patch("one", &PatchParams::default(), &Patch::Merge(&another)).await;
    refused("a finalizer on what is being deleted", late, &[422])?;
    let release = json!({"metadata": {"finalizers": null}});
    maps.patch("one", &PatchParams::default(), &Patch::Merge(&release)).await?;
    ensure!(maps.get_opt("one").await?.is_none(), "it is still there without a finalizer");
    Ok(())
}

pub(super) async fn secrets_keep_what_was_put_in(stand: &Stand<'_>) -> Outcome {
    let secrets: Api<Secret> = Api::default_namespaced(stand.system(&stand.place().await?)?);
    let put = from(json!({"metadata": {"name": "one"}, "stringData": {"password": "p\u{e4}ss"}, "immutable": true}))?;
    secrets.create(&PostParams::default(), &put).await?;
    let secret = secrets.get("one").await?;
    ensure!(secret.type_.as_deref() == Some("Opaque"), "its type is {:?}", secret.type_);
    ensure!(secret.string_data.is_none(), "stringData is answered");
    let data = secret.data.unwrap_or_default();
    ensure!(data.len() == 1 && data["password"].0 == "p\u{e4}ss".as_bytes(), "its keys are {:?}", data.keys());
    let change = json!({"data": {"password": "eA=="}});
    let changed = secrets.patch("one", &PatchParams::default(), &Patch::Merge(&change)).await;
    refused("a change of an immutable secret", changed, &[422])
}

pub(super) async fn refusals_are_statuses(stand: &Stand<'_>) -> Outcome {
    let maps = maps(stand).await?;
    let absent = refusal("a get of what is not there", maps.get("absent").await)?;
    ensure!((absent.code, &*absent.reason) == (404, "NotFound"), "{absent:?}");
    ensure!(absent.message == "configmaps \"absent\" not found", "{:?}", absent.message);
    let about = absent.details.map(|details| (details.name, details.kind));
    ensure!(about == Some(("absent".into(), "configmaps".into())), "it is about {about:?}");

    maps.create(&PostParams::default(), &map("one")?).await?;
    let twice = refusal("a second create", maps.create(&PostParams::default(), &map("one")?).await)?;
    ensure!((twice.code, &*twice.reason) == (409, "AlreadyExists"), "{twice:?}");

    let invalid = refusal("a name in capitals", maps.create(&PostParams::default(), &map("Capital")?).await)?;
    ensure!((invalid.code, &*invalid.reason) == (422, "Invalid"), "{invalid:?}");
    let causes = invalid.details.map(|details| details.causes).unwrap_or_default();
    ensure!(causes.iter().any(|cause| cause.field == "metadata.name"), "no cause names the field: {causes:?}");

    let unknown = stand::widgets(maps.clone().into_client(), "absent.kdp.io").list(&Default::default()).await;
    refused("a kind that is not served", unknown, &[404])
}
