use super::*;

fn id(name: &str) -> Id {
    (Place::Service, Some("n".into()), name.into())
}

fn object(name: &str, version: u32, size: usize) -> Arc<Value> {
    let labels = json!({"app": name});
    let metadata =
        json!({"name": name, "namespace": "n", "uid": name, "resourceVersion": version.to_string(), "labels": labels});
    Arc::new(json!({"metadata": metadata, "data": "x".repeat(size)}))
}

fn labelled(app: &str) -> Selector {
    [("app".to_owned(), app.to_owned())].into_iter().collect()
}

fn is_full(store: &mut Store, name: &str) -> bool {
    matches!(store.get(&id(name)), Answer::Known(Some(_)))
}

#[test]
fn what_was_put_is_found_again_however_many_came_after() {
    let mut store = Store::new(Keeps::Everything, false);
    for number in 0..2 * RECENT {
        let name = number.to_string();
        assert_eq!(store.put(&id(&name), &object(&name, 1, 1)), Some(None));
    }
    assert!(store.recent.len() <= RECENT);
    for number in 0..2 * RECENT {
        let name = number.to_string();
        assert_eq!(store.get(&id(&name)), Answer::Known(Some(object(&name, 1, 1))));
    }
}

#[test]
fn of_what_nobody_asked_about_only_a_little_is_kept_beyond_the_labels() {
    let mut store = Store::new(Keeps::WhatIsAsked, false);
    store.ask(id("asked"));
    for name in ["1", "2", "3", "asked"] {
        store.put(&id(name), &object(name, 1, SPARE / 2 - 1000));
    }
    assert!(is_full(&mut store, "1") && is_full(&mut store, "2") && is_full(&mut store, "asked"));
    assert_eq!(store.get(&id("3")), Answer::Unread);
    assert_eq!(store.get(&id("4")), Answer::Known(None));

    let listed = |store: &mut Store, app| store.list(&Place::Service, None, &labelled(app));
    assert!(matches!(listed(&mut store, "1"), Answer::Known(found) if found.len() == 1));
    assert_eq!(listed(&mut store, "3"), Answer::Unread);
    assert_eq!(listed(&mut store, "4"), Answer::Known(Vec::new()));

    assert!(store.complete(&id("3"), &object("3", 1, 10)));
    assert!(is_full(&mut store, "3"));
    assert!(!store.complete(&id("3"), &object("3", 2, 10)), "that one is news");
}

#[test]
fn what_is_released_gives_way() {
    let mut store = Store::new(Keeps::WhatIsAsked, false);
    store.put(&id("other"), &object("other", 1, SPARE / 2));
    store.ask(id("asked"));
    store.ask(id("asked"));
    store.put(&id("asked"), &object("asked", 1, SPARE));
    store.release(&id("asked"));
    assert!(is_full(&mut store, "asked"));
    store.release(&id("asked"));
    assert_eq!(store.get(&id("asked")), Answer::Unread);
    let before = store.put(&id("asked"), &object("asked", 2, 10)).unwrap().unwrap();
    assert_eq!(object::labels(&before), object::labels(&object("asked", 1, 1)));
    for name in ["asked", "other"] {
        assert!(store.remove(&id(name), None).is_some());
    }
    assert_eq!(store.spare, 0);
    assert!(store.asked.is_empty());
}
