//! Whatever consumers grant and take back while they write, a provider that follows a watch ends up with
//! what a list shows.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::stage::{APIS, Events, Party, SECRETS, Stage, answer, secret};

const ALL: &str = "/api/v1/secrets";

/// What a provider knows: the content of each object, by logical cluster and name.
type Known = BTreeMap<(String, String), String>;

fn id(object: &Value) -> (String, String) {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&metadata["annotations"]["kcp.io/cluster"]), text(&metadata["name"]))
}

fn content(object: &Value) -> String {
    object["data"]["k"].to_string() + &object["metadata"]["labels"].to_string()
}

async fn listed(party: &Party, path: &str) -> (Known, String) {
    let list = party.get(path).await.done();
    let known = list["items"].as_array().unwrap().iter().map(|object| (id(object), content(object))).collect();
    (known, list["metadata"]["resourceVersion"].as_str().unwrap().to_owned())
}

/// Follows a watch until every workspace in `clusters` has told of its last object.
async fn followed(mut known: Known, mut events: Events, clusters: &[&str]) -> Known {
    let is_last = |known: &Known| clusters.iter().all(|c| known.contains_key(&((*c).to_owned(), "zz".to_owned())));
    while !is_last(&known) {
        let event = events.object().await;
        let object = &event["object"];
        match event["type"].as_str().unwrap() {
            "ADDED" | "MODIFIED" => known.insert(id(object), content(object)),
            "DELETED" => known.remove(&id(object)),
            other => panic!("{other}: {event}"),
        };
    }
    known
}

async fn act(stage: &Stage, random: &mut StdRng) {
    let path = *["root:a", "root:b"].choose(random).unwrap();
    let party = stage.at(path);
    let binding = format!("{APIS}/apibindings/claims");
    let name = *["w", "x", "y"].choose(random).unwrap();
    let object = format!("{SECRETS}/{name}");
    let mine = *["yes", "no"].choose(random).unwrap();
    let labels = json!({"mine": mine});
    match random.random_range(0..8) {
        0 => drop(party.post(SECRETS, secret(name, labels)).await),
        1 => drop(party.delete(&object).await),
        2 => drop(party.merge(&object, json!({"metadata": {"labels": labels}})).await),
        3 => {
            let text = random.random_range(0..1000).to_string();
            drop(party.merge(&object, json!({"stringData": {"k": text}})).await);
        }
        4 => drop(party.merge(&binding, json!({"spec": {"permissionClaims": null}})).await),
        5 if party.get(&binding).await.0 == 200 => drop(party.delete(&binding).await),
        _ => {
            let selectors = [json!({"matchAll": true}), json!({"matchLabels": {"mine": "yes"}})];
            consent(stage, path, selectors.choose(random).unwrap().clone()).await;
        }
    }
}

/// Grants the claim for what `selector` selects, whatever was granted before.
async fn consent(stage: &Stage, path: &str, selector: Value) {
    let (party, binding) = (stage.at(path), format!("{APIS}/apibindings/claims"));
    crate::support::eventually(async || {
        let found = party.get(&binding).await;
        found.0 == 404 || found.1["metadata"]["deletionTimestamp"].is_null()
    })
    .await;
    if party.get(&binding).await.0 == 404 {
        stage.accept(path, selector).await;
        return;
    }
    // A selector cannot be changed, but taken back and granted anew.
    party.merge(&binding, json!({"spec": {"permissionClaims": null}})).await.done();
    party.merge(&binding, json!({"spec": {"permissionClaims": [answer("secrets", selector)]}})).await.done();
}

#[tokio::test]
async fn a_watch_from_any_moment_ends_up_with_what_a_list_shows() {
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let stage = Stage::new().await;
        stage.claim("secrets", json!(["*"])).await;
        let everywhere = stage.everywhere();
        let (mut past, mut open) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            act(&stage, &mut random).await;
            if random.random_ratio(1, 4) {
                let (known, revision) = listed(&everywhere, ALL).await;
                past.push((known.clone(), revision.clone()));
                let path = format!("{ALL}?watch=true&resourceVersion={revision}");
                open.push((known, everywhere.watch(&path).await));
            }
        }
        // Those that come back with a revision they had long ago.
        for (known, revision) in past {
            let path = format!("{ALL}?watch=true&resourceVersion={revision}");
            open.push((known, everywhere.watch(&path).await));
        }
        for path in ["root:a", "root:b"] {
            consent(&stage, path, json!({"matchLabels": {"mine": "yes"}})).await;
            stage.at(path).post(SECRETS, secret("zz", json!({"mine": "yes"}))).await.done();
        }
        let (expected, _) = listed(&everywhere, ALL).await;
        for (known, events) in open {
            let known = followed(known, events, &[stage.a.as_str(), stage.b.as_str()]).await;
            assert_eq!(known, expected, "seed {seed}");
        }
    }
}
