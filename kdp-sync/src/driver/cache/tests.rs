use serde_json::json;

use super::*;
use crate::wire;

fn cache() -> Cache {
    Cache::new(Scope {
        side: Side::Service,
        types: Arc::new(ResourceType::secrets()),
        part: None,
        keeps: Keeps::Everything,
    })
}

fn object(name: &str, version: &str, uid: &str) -> Sent {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "n", "resourceVersion": version, "uid": uid, "labels": {wire::CLUSTER_LABEL: "a", wire::NAME_HASH_LABEL: crate::hash::sha1(name)}},
    }))
    .unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey {
        place: Place::Service,
        types: Arc::new(ResourceType::secrets()),
        namespace: Some("n".into()),
        name: name.into(),
    }
}

fn version(cache: &Cache, name: &str) -> Option<String> {
    let Answer::Known(object) = cache.get(&key(name)) else { panic!("it is not known") };
    object.map(|object| object::resource_version(&object).unwrap().to_owned())
}

#[test]
fn late_events_do_not_undo_newer_ones() {
    let cache = cache();
    cache.apply(Event::Apply(object("s", "10", "u")));
    cache.apply(Event::Apply(object("s", "9", "u")));
    assert_eq!(version(&cache, "s").unwrap(), "10");
    cache.apply(Event::Apply(object("s", "9", "another")));
    assert_eq!(version(&cache, "s").unwrap(), "9");
    cache.apply(Event::Delete(object("s", "11", "u")));
    assert!(version(&cache, "s").is_some(), "the deletion of the former object");
    cache.apply(Event::Delete(object("s", "12", "another")));
    assert_eq!(version(&cache, "s"), None);
}

#[test]
fn a_new_list_removes_what_is_not_in_it() {
    let cache = cache();
    for name in ["s", "t"] {
        cache.apply(Event::Apply(object(name, "1", "u")));
    }
    cache.apply(Event::Init);
    cache.apply(Event::InitApply(object("s", "1", "u")));
    cache.apply(Event::InitDone);
    assert!(version(&cache, "s").is_some());
    assert_eq!(version(&cache, "t"), None);
}

#[test]
fn listeners_hear_each_change_once() {
    let cache = cache();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    let listener: Arc<Listener> = Arc::new(move |_, change| {
        log.lock().push((change.before.is_some(), change.after.is_some()));
    });
    cache.subscribe(&listener);
    cache.apply(Event::Apply(object("s", "1", "u")));
    cache.apply(Event::Apply(object("s", "1", "u")));
    cache.apply(Event::Apply(object("s", "2", "u")));
    cache.apply(Event::Delete(object("s", "3", "u")));
    assert_eq!(*heard.lock(), [(false, true), (true, true), (true, false)]);
}

#[test]
fn copies_are_found_by_their_labels() {
    let cache = cache();
    let order = |namespace: Option<&str>| OrderKey {
        cluster: "a".parse().unwrap(),
        namespace: namespace.map(Into::into),
        name: "s".into(),
    };
    cache.apply(Event::Apply(object("s", "1", "u")));
    assert_eq!(cache.copies(&order(None)).len(), 1);
    assert_eq!(cache.copies(&order(Some("x"))).len(), 0);
    cache.apply(Event::Delete(object("s", "2", "u")));
    assert_eq!(cache.copies(&order(None)).len(), 0);
}
