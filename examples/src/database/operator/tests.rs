use kdp_core::{
    condition::find_condition,
    provider::{Output, Teardown},
};

use super::*;
use crate::database::DatabaseSpec;

fn database() -> Database {
    let spec = DatabaseSpec { engine: Engine::Sqlite, version: None, storage: "1Mi".into() };
    let mut database = Database::new("app", spec);
    database.metadata.namespace = Some("default".into());
    database.metadata.uid = Some("u".into());
    database.metadata.generation = Some(3);
    database
}

fn ready() -> Observation {
    Observation::new(Phase::Ready)
        .with_output("uri", Output::sensitive("file:/x?max_page_count=9"))
        .with_output("endpoint", Output::plain("/x"))
        .with_output("version", Output::plain("3"))
        .with_output("storage", Output::plain("1Mi"))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn the_status_sums_up_what_was_observed() {
    let status = report::status(&database(), &ready(), at(0));
    assert_eq!(status.phase, "Ready");
    assert_eq!((status.endpoint.as_str(), status.version.as_str(), status.storage.as_str()), ("/x", "3", "1Mi"));
    assert_eq!(status.secret_name, "app-credentials");
    assert_eq!(status.observed_generation, Some(3));
    let condition = find_condition(&status.conditions, "Ready").unwrap();
    assert!(condition.is_true());
    assert_eq!(condition.observed_generation, Some(3));
}

#[test]
fn an_equal_observation_later_leaves_the_status_as_it_is() {
    let mut database = database();
    database.status = Some(report::status(&database, &ready(), at(0)));
    assert_eq!(Some(report::status(&database, &ready(), at(60))), database.status);
}

#[test]
fn what_is_unknown_is_neither_true_nor_false() {
    let status = report::status(&database(), &Observation::new(Phase::Unknown), at(0));
    assert_eq!(find_condition(&status.conditions, "Ready").unwrap().status, "Unknown");
}

#[test]
fn a_sensitive_output_never_reaches_the_status() {
    let secretive = Observation::new(Phase::Ready).with_output("endpoint", Output::sensitive("s3cret"));
    let status = report::status(&database(), &secretive, at(0));
    assert!(!serde_json::to_string(&status).unwrap().contains("s3cret"));
}

#[test]
fn the_secret_has_all_outputs_and_the_engine_and_belongs_to_the_database() {
    let secret = credentials::secret(&database(), &ready()).unwrap();
    let keys: Vec<_> = secret.string_data.as_ref().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["endpoint", "engine", "storage", "uri", "version"]);
    assert_eq!(secret.owner_references()[0].uid, "u");
    assert_eq!(credentials::secret(&database(), &Observation::new(Phase::Progressing)), None);
}

#[test]
fn a_sealed_record_is_read_back_and_a_damaged_one_is_none() {
    let record = Teardown::new(&order_id(&database()).unwrap());
    let mut sealed = database();
    sealed.annotations_mut().insert(seal::ANNOTATION.into(), serde_json::to_string(&record).unwrap());
    assert_eq!(seal::open(&sealed), Some(record));
    sealed.annotations_mut().insert(seal::ANNOTATION.into(), "{".into());
    assert_eq!(seal::open(&sealed), None);
    assert!(!seal::is_sealed(&sealed), "only the finalizer keeps the object");
}
