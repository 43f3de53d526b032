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
    cache.apply(Event::Delete(object("s", "11", "u")));
    assert_eq!(version(&cache, "s"), None);
}

#[test]
fn events_of_a_former_object_do_not_undo_the_one_that_has_its_name_now() {
    let cache = cache();
    cache.apply(Event::Apply(object("s", "12", "new")));
    cache.apply(Event::Apply(object("s", "10", "old")));
    assert_eq!(version(&cache, "s").unwrap(), "12");
    cache.apply(Event::Delete(object("s", "11", "old")));
    assert_eq!(version(&cache, "s").unwrap(), "12");
    cache.apply(Event::Delete(object("s", "13", "new")));
    assert_eq!(version(&cache, "s"), None);
}

#[test]
fn of_two_objects_of_a_name_the_one_created_later_counts_whatever_their_versions() {
    let cache = cache();
    let created = |version: &str, uid: &str, time: &str| {
        let mut sent = object("s", version, uid);
        sent.object["metadata"]["creationTimestamp"] = time.into();
        Event::Apply(sent)
    };
    cache.apply(created("900", "first", "2026-01-01T00:00:00Z"));
    cache.apply(created("5", "moved", "2026-01-02T00:00:00Z"));
    assert_eq!(version(&cache, "s").unwrap(), "5");
    cache.apply(created("901", "first", "2026-01-01T00:00:00Z"));
    assert_eq!(version(&cache, "s").unwrap(), "5");
}

#[test]
fn a_deletion_that_is_answered_late_leaves_the_object_that_has_the_name_by_then() {
    let mut store = Store::new(Keeps::Everything, false);
    let sent = object("s", "12", "new");
    let id = id(&key("s"));
    store.put(&id, &Arc::new(sent.object));
    assert_eq!(store.remove(&id, Some("old")), None);
    assert!(store.remove(&id, Some("new")).is_some());
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
