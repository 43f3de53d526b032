use kdp_core::{ControlPlane, Endpoint, Error, ErrorKind, Identity};
use serde_json::json;

use super::*;
use crate::{api::Side, driver::cache::Scope, object::ResourceType};

/// Nobody is ever asked.
#[derive(Debug)]
struct Nowhere;

impl ControlPlane for Nowhere {
    fn client(&self, endpoint: &Endpoint, _: &Identity) -> Result<kube::Client, Error> {
        Err(Error::new(ErrorKind::Unsupported, "reach", endpoint, "there is nothing"))
    }

    fn url(&self, _: &Endpoint) -> Option<String> {
        None
    }
}

struct Stage {
    cache: Arc<Cache>,
    endpoints: Endpoints,
    merge: Merge,
}

impl Stage {
    fn new(addresses: &[&str]) -> Self {
        let scope = Scope { side: Side::Kcp, types: Arc::new(ResourceType::secrets()), part: None };
        let cache = Arc::new(Cache::new(scope));
        let endpoints = Endpoints::new(Arc::new(Nowhere), Identity::system_masters());
        let merge = Merge::new(cache.clone(), endpoints.clone());
        let mut stage = Self { cache, endpoints, merge };
        stage.follow(addresses);
        stage
    }

    fn follow(&mut self, addresses: &[&str]) {
        let addresses: BTreeSet<_> = addresses.iter().map(|name| address(name)).collect();
        self.endpoints.set(addresses.clone());
        self.merge.follow(addresses);
    }

    fn lists(&mut self, at: &str, objects: &[(&str, &str)]) {
        self.merge.hear(&address(at), Event::Init);
        for (cluster, version) in objects {
            self.merge.hear(&address(at), Event::InitApply(object(cluster, version)));
        }
        self.merge.hear(&address(at), Event::InitDone);
    }

    fn is_filled(&self) -> bool {
        use futures::FutureExt;
        self.cache.synced().now_or_never().is_some()
    }

    /// The clusters of the objects that are known.
    fn known(&self) -> Vec<String> {
        let cluster = |key: ObjectKey| match key.place {
            Place::Workspace(cluster) => cluster.to_string(),
            Place::Service => "?".into(),
        };
        self.cache.keys().into_iter().map(cluster).collect()
    }
}

fn address(shard: &str) -> Address {
    Address::Shard(format!("https://{shard}/services/apiexport/c/e").parse().unwrap())
}

fn object(cluster: &str, version: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "metadata": {
            "name": "s", "namespace": "n", "resourceVersion": version, "uid": cluster,
            "annotations": {CLUSTER_ANNOTATION: cluster},
        },
    }))
    .unwrap()
}

#[test]
fn a_cache_is_filled_once_every_address_was_listed_and_there_is_one() {
    let mut stage = Stage::new(&[]);
    assert!(!stage.is_filled());
    stage.follow(&["one", "two"]);
    stage.lists("one", &[("a", "1")]);
    assert!(!stage.is_filled());
    stage.lists("two", &[("b", "1")]);
    assert!(stage.is_filled());
    assert_eq!(stage.known(), ["a", "b"]);
}

#[test]
fn an_address_that_is_never_listed_holds_up_nobody_once_it_is_gone() {
    let mut stage = Stage::new(&["one", "two"]);
    stage.lists("one", &[]);
    assert!(!stage.is_filled());
    stage.follow(&["one"]);
    assert!(stage.is_filled());
}

#[test]
fn a_new_list_takes_away_only_what_lives_at_its_address() {
    let mut stage = Stage::new(&["one", "two"]);
    stage.lists("one", &[("a", "1"), ("c", "1")]);
    stage.lists("two", &[("b", "1")]);
    stage.lists("one", &[("c", "1")]);
    assert_eq!(stage.known(), ["b", "c"]);
}

#[test]
fn what_was_written_during_a_list_that_does_not_have_it_stays() {
    let mut stage = Stage::new(&["one"]);
    stage.lists("one", &[("a", "1"), ("b", "1")]);
    stage.merge.hear(&address("one"), Event::Init);
    stage.cache.apply(Event::Apply(object("a", "2")));
    stage.merge.hear(&address("one"), Event::InitDone);
    assert_eq!(stage.known(), ["a"]);
}

#[test]
fn what_an_address_told_stays_when_it_goes_but_is_out_of_reach() {
    let mut stage = Stage::new(&["one", "two"]);
    stage.lists("one", &[("a", "1")]);
    stage.lists("two", &[("b", "1")]);
    stage.follow(&["one"]);
    stage.merge.hear(&address("two"), Event::Delete(object("b", "2")));
    assert_eq!(stage.known(), ["a", "b"]);
    let reach = |cluster: &str| stage.endpoints.client(&cluster.parse().unwrap()).err().map(|error| error.kind());
    // The control plane of this test has no clients for anybody.
    assert_eq!(reach("a"), Some(ErrorKind::Unsupported));
    assert_eq!(reach("b"), Some(ErrorKind::Unavailable));
    assert_eq!(reach("never-heard-of"), Some(ErrorKind::Unavailable));
    stage.follow(&["one", "two"]);
    stage.lists("two", &[]);
    assert_eq!(stage.known(), ["a"]);
}

#[test]
fn one_address_cannot_delete_what_lives_at_another() {
    let mut stage = Stage::new(&["one", "two"]);
    stage.lists("one", &[("a", "1")]);
    stage.lists("two", &[]);
    stage.merge.hear(&address("two"), Event::Delete(object("a", "2")));
    assert_eq!(stage.known(), ["a"]);
}
