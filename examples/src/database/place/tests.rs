use super::*;

fn id(uid: &str) -> OrderId {
    OrderId::new(uid, "default", "app")
}

fn open(directory: &tempfile::TempDir) -> Place {
    Place::open(&directory.path().join("place"), "test", 0o700).unwrap()
}

#[test]
fn a_uid_that_is_no_file_name_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let place = open(&directory);
    let long = "a".repeat(64);
    for uid in ["", ".", "..", "../x", "a/b", "a b", "a\0", long.as_str()] {
        let error = place.look::<()>(&id(uid)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{uid:?}");
        assert_eq!(place.turn(&id(uid), Lease(1)).unwrap_err().kind(), ErrorKind::Invalid, "{uid:?}");
    }
}

#[test]
fn a_place_of_another_provider_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let place = open(&directory);
    assert_eq!(Place::open(place.base(), "other", 0o700).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_newer_lease_waits_for_the_work_of_an_older_one_and_then_shuts_it_out() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (open(&directory), open(&directory));
    let turn = old.turn(&id("a"), Lease(1)).unwrap();
    assert_eq!(new.turn(&id("b"), Lease(2)).unwrap_err().kind(), ErrorKind::Unavailable);
    drop(turn);
    drop(new.turn(&id("b"), Lease(2)).unwrap());
    assert_eq!(old.turn(&id("a"), Lease(1)).unwrap_err().kind(), ErrorKind::Stale);
}

#[test]
fn what_is_found_follows_the_life_of_an_order() {
    let directory = tempfile::tempdir().unwrap();
    let place = open(&directory);
    let (id, plan) = (id("a"), PlanHash("p".into()));
    assert!(matches!(place.look::<u8>(&id).unwrap(), Found::Nothing));
    fs::create_dir(place.directory(&id)).unwrap();
    assert!(matches!(place.look::<u8>(&id).unwrap(), Found::Begun));
    let turn = place.turn(&id, Lease(1)).unwrap();
    turn.record(&plan, &7_u8).unwrap();
    assert!(matches!(place.look::<u8>(&id).unwrap(), Found::Recorded(record) if record.state == 7));
    fs::rename(place.directory(&id), place.trash(&id)).unwrap();
    assert!(matches!(place.look::<u8>(&id).unwrap(), Found::Deleting));
    turn.remove().unwrap();
    assert!(matches!(place.look::<u8>(&id).unwrap(), Found::Nothing));
}
