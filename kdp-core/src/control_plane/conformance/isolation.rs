//! Isolation: what one workspace, and one user, cannot see or do of another.

use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    core::v1::{ConfigMap, Secret},
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    definitions::{define, widget_group},
    ensure,
    stand::{self, Outcome, Stand, eventually, from, groups, ready, refusal, refused, widgets},
};
use crate::{Endpoint, Identity, WorkspacePath, api::tenancy::Workspace};

fn map(data: &str) -> Outcome<ConfigMap> {
    from(json!({"metadata": {"name": "same"}, "data": {"in": data}}))
}

fn everything() -> Value {
    json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}])
}

pub(super) async fn equal_names_in_two_workspaces_are_two_objects(stand: &Stand<'_>) -> Outcome {
    let (a, b) = (stand.place().await?, stand.place().await?);
    let of = |place| Ok::<Api<ConfigMap>, stand::Failure>(Api::default_namespaced(stand.system(place)?));
    let (in_a, in_b) = (of(&a)?, of(&b)?);
    in_a.create(&PostParams::default(), &map("a")?).await?;
    ensure!(in_b.get_opt("same").await?.is_none(), "an object is seen from another workspace");
    in_b.create(&PostParams::default(), &map("b")?).await?;
    in_a.delete("same", &DeleteParams::default()).await?;
    let data = in_b.get("same").await?.data.unwrap_or_default();
    ensure!(data.get("in").is_some_and(|value| value == "b"), "the other object is now {data:?}");
    Ok(())
}

pub(super) async fn a_definition_serves_its_own_workspace_only(stand: &Stand<'_>) -> Outcome {
    let (a, b) = (stand.place().await?, stand.place().await?);
    let group = widget_group();
    define(stand, &a, &group).await?;
    ensure!(!groups(&stand.system(&b)?).await?.contains(&group), "the group is discovered from another workspace");
    refused("a list", widgets(stand.system(&b)?, &group).list(&Default::default()).await, &[404])
}

pub(super) async fn a_user_has_only_the_rights_that_were_granted(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    let client = stand.user(&place.path, "carol")?;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let secrets: Api<Secret> = Api::default_namespaced(client);
    refused("a list before any grant", maps.list(&Default::default()).await, &[403])?;
    stand.grant(&place, "carol", json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}])).await?;
    eventually("the grant works", async || Ok(maps.list(&Default::default()).await.ok().map(drop))).await?;
    refused("a verb that was not granted", maps.create(&PostParams::default(), &map("x")?).await, &[403])?;
    refused("a resource that was not granted", secrets.list(&Default::default()).await, &[403])
}

pub(super) async fn rights_in_one_workspace_are_none_in_another(stand: &Stand<'_>) -> Outcome {
    let (own, other) = (stand.place().await?, stand.place().await?);
    stand.grant(&own, "dave", everything()).await?;
    let at =
        |path: &WorkspacePath| Ok::<Api<ConfigMap>, stand::Failure>(Api::default_namespaced(stand.user(path, "dave")?));
    eventually("the grant works", async || Ok(at(&own.path)?.list(&Default::default()).await.ok().map(drop))).await?;
    for path in [&other.path, &other.cluster.path()] {
        refused("a list", at(path)?.list(&Default::default()).await, &[403])?;
        refused("a create", at(path)?.create(&PostParams::default(), &map("x")?).await, &[403])?;
        let groups = stand.user(path, "dave")?.list_api_groups().await;
        refused("discovery", groups, &[403])?;
    }
    let child: Api<Workspace> = Api::all(stand.user(&other.path, "dave")?);
    let made = child.create(&PostParams::default(), &Workspace::new("child", Default::default())).await;
    refused("a child workspace", made, &[403])
}

pub(super) async fn what_is_denied_and_what_is_absent_look_alike(stand: &Stand<'_>) -> Outcome {
    let (own, other) = (stand.place().await?, stand.place().await?);
    stand.grant(&own, "erin", everything()).await?;
    let absent: WorkspacePath = "1a2b3c4d5e6f7a8b".parse()?;
    let denied = other.cluster.path();
    let answers = async |path: &WorkspacePath| {
        let maps: Api<ConfigMap> = Api::default_namespaced(stand.user(path, "erin")?);
        let discovery = stand.user(path, "erin")?.list_api_groups().await;
        let statuses = [
            refusal("a list", maps.list(&Default::default()).await)?,
            refusal("a get", maps.get("x").await)?,
            refusal("a create", maps.create(&PostParams::default(), &map("x")?).await)?,
            refusal("a delete", maps.delete("x", &DeleteParams::default()).await)?,
            refusal("discovery", discovery)?,
        ];
        let shown = statuses.map(|status| format!("{} {} {}", status.code, status.reason, status.message));
        Ok::<_, stand::Failure>(shown.map(|text| text.replace(path.as_str(), "NAME")))
    };
    let (denied, absent) = (answers(&denied).await?, answers(&absent).await?);
    ensure!(denied == absent, "denied: {denied:?}; absent: {absent:?}");
    Ok(())
}

pub(super) async fn the_creator_of_a_workspace_is_its_administrator(stand: &Stand<'_>) -> Outcome {
    let parent = stand.place().await?;
    let rules = json!([{"apiGroups": ["tenancy.kcp.io"], "resources": ["workspaces"], "verbs": ["create", "get"]}]);
    stand.grant(&parent, "frank", rules).await?;
    let workspaces: Api<Workspace> = Api::all(stand.user(&parent.path, "frank")?);
    eventually("the creator may create", async || {
        match workspaces.create(&PostParams::default(), &Workspace::new("mine", Default::default())).await {
            Ok(_) => Ok(Some(())),
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    let mine = ready(&workspaces, &parent.path, "mine").await?;
    let maps: Api<ConfigMap> = Api::default_namespaced(stand.user(&mine.path, "frank")?);
    eventually("the creator may do everything there", async || {
        Ok(maps.create(&PostParams::default(), &map("x")?).await.ok().map(drop))
    })
    .await?;
    let other: Api<ConfigMap> = Api::default_namespaced(stand.user(&mine.path, "grace")?);
    refused("a read by somebody else", other.get("same").await, &[403])
}

pub(super) async fn a_client_acts_as_whom_it_was_made_for(stand: &Stand<'_>) -> Outcome {
    let place = stand.place().await?;
    stand.grant(&place, "heidi", everything()).await?;
    let identity = Identity {
        username: "heidi".into(),
        groups: vec!["conformance:one".into(), "conformance:two".into()],
        extra: [("conformance.kdp.io/a%b".into(), vec!["1".into(), "2".into()])].into(),
        ..Identity::default()
    };
    let client = stand.control_plane.client(&Endpoint::Workspace(place.path.clone()), &identity)?;
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let user = eventually("the client may ask who it is", async || {
        let asked = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
        Ok(asked.ok().and_then(|review| review.status?.user_info))
    })
    .await?;
    ensure!(user.username.as_deref() == Some("heidi"), "the username is {:?}", user.username);
    let told = user.groups.unwrap_or_default();
    ensure!(identity.groups.iter().all(|group| told.contains(group)), "the groups are {told:?}");
    ensure!(!told.iter().any(|group| group == "system:masters"), "the groups are {told:?}");
    let extra = user.extra.unwrap_or_default();
    let expected = identity.extra.first_key_value().map(|(key, values)| (key.as_str(), values.as_slice()));
    let found = extra.get_key_value("conformance.kdp.io/a%b").map(|(key, values)| (key.as_str(), values.as_slice()));
    ensure!(found == expected, "the extra facts are {extra:?}");
    Ok(())
}
