//! Kinds that a workspace defines itself.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{
    ensure,
    stand::{self, Outcome, Place, Stand, eventually, from, groups, refusal, refused, widget, widget_schema, widgets},
};

/// A group that nobody else defines.
pub(super) fn widget_group() -> String {
    format!("g{:08x}.conformance.kdp.io", rand::random::<u32>())
}

/// Defines the kind `Widget` of `group`, and returns once it is served.
pub(super) async fn define(stand: &Stand<'_>, place: &Place, group: &str) -> Outcome<Client> {
    let client = stand.system(place)?;
    let definition = from(json!({
        "metadata": {"name": format!("widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": widget_schema()},
            }],
        },
    }))?;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions.create(&PostParams::default(), &definition).await?;
    eventually("the definition is established", async || {
        let conditions = definitions.get(&definition.name_any()).await?.status.and_then(|status| status.conditions);
        let established = |c: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionCondition| c.type_ == "Established" && c.status == "True";
        Ok(conditions.unwrap_or_default().iter().any(established).then_some(()))
    })
    .await?;
    eventually("the kind is served", async || {
        Ok(widgets(client.clone(), group).list(&Default::default()).await.ok().map(drop))
    })
    .await?;
    Ok(client)
}

pub(super) async fn a_definition_is_served_until_it_is_deleted(stand: &Stand<'_>) -> Outcome {
    let (place, group) = (stand.place().await?, widget_group());
    let client = define(stand, &place, &group).await?;
    eventually("the group is discovered", async || Ok(groups(&client).await?.contains(&group).then_some(()))).await?;
    let api = widgets(client.clone(), &group);
    api.create(&PostParams::default(), &widget("one", &group)?).await?;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions.delete(&format!("widgets.{group}"), &DeleteParams::default()).await?;
    eventually("the kind is no longer served", async || {
        Ok(refused("a get", api.get("one").await, &[404]).is_ok().then_some(()))
    })
    .await?;
    eventually("the group is no longer discovered", async || {
        Ok((!groups(&client).await?.contains(&group)).then_some(()))
    })
    .await?;
    eventually("the definition is gone", async || {
        Ok(definitions.get_opt(&format!("widgets.{group}")).await?.is_none().then_some(()))
    })
    .await?;
    define(stand, &place, &group).await?;
    ensure!(api.get_opt("one").await?.is_none(), "the object outlived its definition");
    Ok(())
}

pub(super) async fn objects_are_held_to_their_schema(stand: &Stand<'_>) -> Outcome {
    let (place, group) = (stand.place().await?, widget_group());
    let api = widgets(define(stand, &place, &group).await?, &group);
    for (what, size) in [("a wrong type", json!("large")), ("a value below the minimum", json!(0))] {
        let mut wrong = widget("one", &group)?;
        wrong.data["spec"]["size"] = size;
        let status = refusal(what, api.create(&PostParams::default(), &wrong).await)?;
        let named = status.details.as_ref().is_some_and(|d| d.causes.iter().any(|cause| cause.field == "spec.size"));
        ensure!(status.code == 422 && named, "{what}: {status:?}");
    }
    let mut unknown = widget("one", &group)?;
    unknown.data["spec"]["colour"] = json!("red");
    let made = api.create(&PostParams::default(), &unknown).await?;
    ensure!(
        made.data["spec"] == json!({"size": 1}),
        "a field that is not in the schema is kept: {}",
        made.data["spec"]
    );
    Ok(())
}

pub(super) async fn status_is_changed_through_its_subresource_only(stand: &Stand<'_>) -> Outcome {
    let (place, group) = (stand.place().await?, widget_group());
    let api = widgets(define(stand, &place, &group).await?, &group);
    let mut with_status = widget("one", &group)?;
    with_status.data["status"] = json!({"ready": true});
    let made = api.create(&PostParams::default(), &with_status).await?;
    ensure!(made.data.get("status").is_none(), "a create sets the status");
    let change = json!({"spec": {"size": 2}, "status": {"ready": true}});
    let changed = api.patch("one", &PatchParams::default(), &Patch::Merge(&change)).await?;
    ensure!(changed.data.get("status").is_none() && changed.data["spec"]["size"] == 2, "patched: {}", changed.data);
    ensure!(changed.metadata.generation > made.metadata.generation, "a new spec keeps the generation");
    let change = json!({"spec": {"size": 3}, "status": {"ready": true}});
    let stated = api.patch_status("one", &PatchParams::default(), &Patch::Merge(&change)).await?;
    ensure!(stated.data["spec"]["size"] == 2 && stated.data["status"]["ready"] == true, "stated: {}", stated.data);
    ensure!(stated.metadata.generation == changed.metadata.generation, "a new status counts the generation up");
    Ok(())
}
