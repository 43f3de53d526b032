//! Exports, bindings, and what a provider reaches of its consumers.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

use super::{
    definitions::{define, widget_group},
    ensure,
    stand::{
        self, Outcome, Place, Stand, all_widgets, eventually, from, groups, refusal, refused, soon, widget,
        widget_schema, widgets,
    },
};
use crate::{
    Endpoint, Identity,
    api::apis::{APIBinding, APIExport, APIExportEndpointSlice, APIResourceSchema},
};

const EXPORT: &str = "widgets";

/// A workspace that exports widgets of a group of its own, and claims Secrets.
struct Provider {
    place: Place,
    group: String,
}

impl Provider {
    async fn new(stand: &Stand<'_>) -> Outcome<Self> {
        let (place, group) = (stand.place().await?, widget_group());
        let client = stand.system(&place)?;
        let schema = from(json!({
            "metadata": {"name": format!("v1.widgets.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": widget_schema(),
                }],
            },
        }))?;
        Api::<APIResourceSchema>::all(client.clone()).create(&PostParams::default(), &schema).await?;
        let export = from(json!({
            "metadata": {"name": EXPORT},
            "spec": {
                "resources": [{
                    "name": "widgets", "group": group, "schema": format!("v1.widgets.{group}"), "storage": {"crd": {}},
                }],
                "permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["*"]}],
            },
        }))?;
        let exports: Api<APIExport> = Api::all(client);
        exports.create(&PostParams::default(), &export).await?;
        eventually("the export has an identity", async || {
            let status = exports.get(EXPORT).await?.status.unwrap_or_default();
            Ok((status.identity_hash.len() == 64).then_some(()))
        })
        .await?;
        Ok(Self { place, group })
    }

    fn binding(&self, claims: &str) -> Outcome<APIBinding> {
        from(json!({"metadata": {"name": EXPORT}, "spec": {
            "reference": {"export": {"path": self.place.path, "name": EXPORT}},
            "permissionClaims": [{
                "group": "", "resource": "secrets", "verbs": ["*"], "selector": {"matchAll": true}, "state": claims,
            }],
        }}))
    }

    /// Binds the export in `consumer`, with its claim `Accepted` or `Rejected`, until it is served.
    async fn bind(&self, stand: &Stand<'_>, consumer: &Place, claims: &str) -> Outcome<Api<DynamicObject>> {
        let client = stand.system(consumer)?;
        let bindings: Api<APIBinding> = Api::all(client.clone());
        bindings.create(&PostParams::default(), &self.binding(claims)?).await?;
        eventually("the export is bound", async || {
            let status = bindings.get(EXPORT).await?.status.unwrap_or_default();
            Ok((status.phase == "Bound").then_some(()))
        })
        .await?;
        let api = widgets(client, &self.group);
        eventually("the kind is served", async || Ok(api.list(&Default::default()).await.ok().map(drop))).await?;
        Ok(api)
    }

    /// The provider's view of one consumer, or of all.
    fn view(&self, stand: &Stand<'_>, consumer: Option<&Place>) -> Outcome<Client> {
        let endpoint = Endpoint::ApiExport {
            cluster: self.place.cluster.clone(),
            export: EXPORT.into(),
            consumer: consumer.map(|place| place.cluster.clone()),
        };
        Ok(stand.control_plane.client(&endpoint, &Identity::system_masters())?)
    }
}

pub(super) async fn a_bound_kind_is_there_while_it_is_bound(stand: &Stand<'_>) -> Outcome {
    let provider = Provider::new(stand).await?;
    let (consumer, other) = (stand.place().await?, stand.place().await?);
    let api = provider.bind(stand, &consumer, "Accepted").await?;
    let client = stand.system(&consumer)?;
    eventually("the group is discovered", async || Ok(groups(&client).await?.contains(&provider.group).then_some(())))
        .await?;
    for place in [&other, &provider.place] {
        let found = groups(&stand.system(place)?).await?;
        ensure!(!found.contains(&provider.group), "{} serves what it did not bind", place.path);
    }
    api.create(&PostParams::default(), &widget("one", &provider.group)?).await?;
    let bindings: Api<APIBinding> = Api::all(client.clone());
    bindings.delete(EXPORT, &DeleteParams::default()).await?;
    eventually("the binding is gone", async || Ok(bindings.get_opt(EXPORT).await?.is_none().then_some(()))).await?;
    eventually("the kind is no longer served", async || {
        Ok(refused("a list", api.list(&Default::default()).await, &[404]).ok())
    })
    .await?;
    let api = provider.bind(stand, &consumer, "Accepted").await?;
    ensure!(api.get_opt("one").await?.is_none(), "the object outlived the binding");
    Ok(())
}

pub(super) async fn a_published_schema_never_changes(stand: &Stand<'_>) -> Outcome {
    let provider = Provider::new(stand).await?;
    let schemas: Api<APIResourceSchema> = Api::all(stand.system(&provider.place)?);
    let change = json!({"spec": {"scope": "Cluster"}});
    let name = format!("v1.widgets.{}", provider.group);
    let changed = schemas.patch(&name, &PatchParams::default(), &Patch::Merge(&change)).await;
    // kcp's admission forbids it; a validation rule would call it invalid.
    refused("a change of a schema", changed, &[403, 422])
}

pub(super) async fn an_endpoint_is_told_once_somebody_binds(stand: &Stand<'_>) -> Outcome {
    let provider = Provider::new(stand).await?;
    let slices: Api<APIExportEndpointSlice> = Api::all(stand.system(&provider.place)?);
    let urls = async || {
        let slice = slices.get_opt(EXPORT).await?;
        let endpoints = slice.and_then(|slice| slice.status).unwrap_or_default().endpoints;
        Ok::<_, stand::Failure>(endpoints.into_iter().map(|endpoint| endpoint.url).collect::<Vec<_>>())
    };
    let before = urls().await?;
    ensure!(before.is_empty(), "before anybody binds, the slice tells {before:?}");
    provider.bind(stand, &stand.place().await?, "Accepted").await?;
    let end = format!("/services/apiexport/{}/{EXPORT}", provider.place.cluster);
    eventually("the slice tells where the export is", async || {
        Ok(urls().await?.iter().any(|url| url.ends_with(&end)).then_some(()))
    })
    .await
}

pub(super) async fn a_provider_reaches_its_consumers_and_nobody_else(stand: &Stand<'_>) -> Outcome {
    let provider = Provider::new(stand).await?;
    let (a, b, other) = (stand.place().await?, stand.place().await?, stand.place().await?);
    let group = &provider.group;
    define(stand, &other, group).await?;
    let in_a = provider.bind(stand, &a, "Accepted").await?;
    let in_b = provider.bind(stand, &b, "Accepted").await?;
    let in_other = widgets(stand.system(&other)?, group);
    let seen = all_widgets(provider.view(stand, None)?, group);
    let start = eventually("the provider may list", async || {
        Ok(seen.list(&Default::default()).await.ok().and_then(|list| list.metadata.resource_version))
    })
    .await?;
    in_other.create(&PostParams::default(), &widget("foreign", group)?).await?;
    in_a.create(&PostParams::default(), &widget("in-a", group)?).await?;
    in_b.create(&PostParams::default(), &widget("in-b", group)?).await?;

    let mut events = seen.watch(&WatchParams::default().timeout(60), &start).await?.boxed();
    let mut watched = Vec::new();
    while watched.len() < 2 {
        match soon("the next event", events.next()).await? {
            Some(Ok(WatchEvent::Added(added))) => watched.push((added.name_any(), cluster_of(&added))),
            Some(Ok(WatchEvent::Bookmark(_))) => {}
            event => return Err(format!("after {watched:?} the watch brings {event:?}").into()),
        }
    }
    let expected = [("in-a".to_owned(), a.cluster.to_string()), ("in-b".to_owned(), b.cluster.to_string())];
    ensure!(watched == expected, "the watch sees {watched:?}");
    let list = seen.list(&Default::default()).await?;
    let mut listed: Vec<_> = list.iter().map(|widget| (widget.name_any(), cluster_of(widget))).collect();
    listed.sort();
    ensure!(listed == expected, "the list holds {listed:?}");

    let view = widgets(provider.view(stand, Some(&a))?, group);
    let status = json!({"status": {"ready": true}});
    view.patch_status("in-a", &PatchParams::default(), &Patch::Merge(&status)).await?;
    ensure!(in_a.get("in-a").await?.data["status"] == json!({"ready": true}), "the consumer does not see the status");
    view.create(&PostParams::default(), &widget("made", group)?).await?;
    ensure!(in_a.get_opt("made").await?.is_some(), "the consumer does not see what the provider made");
    ensure!(in_b.get_opt("made").await?.is_none(), "another consumer sees what the provider made");
    view.delete("made", &DeleteParams::default()).await?;
    ensure!(in_a.get_opt("made").await?.is_none(), "the consumer still sees what the provider deleted");

    let foreign = widgets(provider.view(stand, Some(&other))?, group);
    refused("a get in a workspace that did not bind", foreign.get("foreign").await, &[403, 404])
}

fn cluster_of(object: &DynamicObject) -> String {
    object.annotations().get("kcp.io/cluster").cloned().unwrap_or_default()
}

pub(super) async fn a_claim_opens_what_its_consumer_accepted(stand: &Stand<'_>) -> Outcome {
    let provider = Provider::new(stand).await?;
    let (accepting, rejecting) = (stand.place().await?, stand.place().await?);
    provider.bind(stand, &accepting, "Accepted").await?;
    provider.bind(stand, &rejecting, "Rejected").await?;
    let secret = |name: &str| from::<Secret>(json!({"metadata": {"name": name}, "stringData": {"k": "v"}}));
    for place in [&accepting, &rejecting] {
        let secrets: Api<Secret> = Api::default_namespaced(stand.system(place)?);
        secrets.create(&PostParams::default(), &secret("own")?).await?;
    }
    let view = |place| Ok::<_, stand::Failure>(Api::<Secret>::default_namespaced(provider.view(stand, Some(place))?));
    let (open, closed) = (view(&accepting)?, view(&rejecting)?);
    eventually("the claim works", async || Ok(open.get("own").await.ok().map(drop))).await?;
    open.create(&PostParams::default(), &secret("made")?).await?;
    let inside: Api<Secret> = Api::default_namespaced(stand.system(&accepting)?);
    ensure!(inside.get_opt("made").await?.is_some(), "the consumer does not see the provider's secret");
    refused("a get where the claim was rejected", closed.get("own").await, &[403, 404])?;
    refused("a create where it was", closed.create(&PostParams::default(), &secret("made")?).await, &[403, 404])?;
    let everywhere: Api<Secret> = Api::all(provider.view(stand, None)?);
    for secret in everywhere.list(&Default::default()).await? {
        let cluster = secret.annotations().get("kcp.io/cluster");
        ensure!(cluster.is_some_and(|cluster| cluster == accepting.cluster.as_str()), "listed from {cluster:?}");
    }
    Ok(())
}

pub(super) async fn binding_needs_the_right_and_hides_what_is_missing(stand: &Stand<'_>) -> Outcome {
    let provider = Provider::new(stand).await?;
    let consumer = stand.place().await?;
    let everything = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]);
    stand.grant(&consumer, "ivan", everything).await?;
    let bindings: Api<APIBinding> = Api::all(stand.user(&consumer.path, "ivan")?);
    eventually("the grant works", async || Ok(bindings.list(&Default::default()).await.ok().map(drop))).await?;
    let attempt = async |path: &str| {
        let mut binding = provider.binding("Accepted")?;
        path.clone_into(&mut binding.spec.reference.export.path);
        let status = refusal("a binding", bindings.create(&PostParams::default(), &binding).await)?;
        Ok::<_, stand::Failure>(format!("{} {} {}", status.code, status.reason, status.message).replace(path, "PATH"))
    };
    let forbidden = attempt(provider.place.path.as_str()).await?;
    let missing = attempt(&format!("{}:absent", provider.place.path)).await?;
    ensure!(forbidden.starts_with("403 ") && forbidden == missing, "forbidden: {forbidden}; missing: {missing}");
    let right = json!([{"apiGroups": ["apis.kcp.io"], "resources": ["apiexports"], "verbs": ["bind"]}]);
    stand.grant(&provider.place, "ivan", right).await?;
    eventually("the right to bind works", async || {
        Ok(bindings.create(&PostParams::default(), &provider.binding("Accepted")?).await.ok().map(drop))
    })
    .await
}
