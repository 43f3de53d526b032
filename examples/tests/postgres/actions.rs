//! Day-2 actions.

use std::{fs, os::unix::fs::PermissionsExt};

use kdp_core::{
    ErrorKind, Provider,
    provider::{ActionCall, Phase},
};
use serde_json::json;

use super::place::{Place, connect, files, order, reach, run_of};

#[tokio::test(flavor = "multi_thread")]
async fn the_password_before_works_until_the_next_rotation() {
    let Some(place) = Place::new().await else { return };
    let provider = place.open().await;
    let order = order("u", json!({"roles": [{"name": "reports", "access": "read"}]}));
    let first = reach(&provider, &order, Phase::Ready).await;
    let rotate = |id: &str| ActionCall::new(id, "rotate-password");
    let mut uris = vec![first.outputs["uri"].value.clone()];
    for id in ["1", "1", "2"] {
        provider.act(&order, &rotate(id), &run_of(1)).await.unwrap();
        let seen = provider.observe(&order.id, None).await.unwrap();
        uris.push(seen.outputs["uri"].value.clone());
    }
    assert_eq!(uris[1], uris[2], "the same call is the same rotation");
    connect(&uris[0]).await.map(drop).unwrap_err();
    let before = connect(&uris[1]).await.unwrap();
    before.batch_execute("CREATE TABLE notes (id int)").await.unwrap();
    let now = connect(&uris[3]).await.unwrap();
    now.batch_execute("DROP TABLE notes").await.unwrap();

    let call = rotate("3").with_parameters(json!({"role": "reports"}));
    provider.act(&order, &call, &run_of(1)).await.unwrap();
    connect(&first.outputs["reports-uri"].value).await.map(drop).unwrap_err();
    let seen = reach(&provider, &order, Phase::Ready).await;
    connect(&seen.outputs["reports-uri"].value).await.unwrap();
    let call = rotate("4").with_parameters(json!({"role": "postgres"}));
    assert_eq!(provider.act(&order, &call, &run_of(1)).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_goes_back_to_its_backup_and_to_no_other() {
    let Some(place) = Place::new().await else { return };
    let provider = place.open().await;
    let (mine, other) = (order("u", json!({})), order("v", json!({})));
    let seen = reach(&provider, &mine, Phase::Ready).await;
    reach(&provider, &other, Phase::Ready).await;
    let uri = seen.outputs["uri"].value.clone();
    let client = connect(&uri).await.unwrap();
    client.batch_execute("CREATE TABLE notes (id int); INSERT INTO notes VALUES (1)").await.unwrap();
    let backup = ActionCall::new("../../etc/1", "backup");
    let outcome = provider.act(&mine, &backup, &run_of(1)).await.unwrap();
    assert_eq!(provider.act(&mine, &backup, &run_of(1)).await.unwrap(), outcome);
    assert_eq!(files(place.directory.path(), ".dump"), 1);
    let dump = fs::read_dir(place.directory.path()).unwrap().map(|entry| entry.unwrap());
    let dump = dump.into_iter().find(|entry| entry.file_name().to_string_lossy().ends_with(".dump")).unwrap();
    assert_eq!(dump.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    client.batch_execute("DELETE FROM notes").await.unwrap();

    let name = outcome.outputs["backup"].value.clone();
    let restore = |id: &str, name: &str| ActionCall::new(id, "restore").with_parameters(json!({"backup": name}));
    for (order, name) in [(&other, name.as_str()), (&mine, "../x"), (&mine, "")] {
        let error = provider.act(order, &restore("2", name), &run_of(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    for _ in 0..2 {
        provider.act(&mine, &restore("3", &name), &run_of(1)).await.unwrap();
        reach(&provider, &mine, Phase::Ready).await;
    }
    let client = connect(&uri).await.unwrap();
    assert_eq!(client.query("SELECT * FROM notes", &[]).await.unwrap().len(), 1);
    client.batch_execute("INSERT INTO notes VALUES (2)").await.unwrap();

    let seen = provider.observe(&mine.id, None).await.unwrap();
    assert_eq!(provider.delete(&seen.teardown.unwrap(), &run_of(1)).await.unwrap().phase, Phase::Gone);
    assert_eq!(files(place.directory.path(), ".dump"), 0);
    let error = provider.act(&mine, &ActionCall::new("9", "backup"), &run_of(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
