use std::time::Duration;

use super::*;

#[test]
fn workspaces_are_spread_the_same_everywhere_and_evenly() {
    let shard = |name: &str, count| shard_of(&name.parse().unwrap(), count);
    let names = ["root", "2okdry95y5lkv", "a", "b"];
    assert_eq!(names.map(|name| shard(name, 16)), [2, 0, 7, 14]);
    assert_eq!(names.map(|name| shard(name, 1)), [0; 4]);
    let mut counts = [0; 8];
    for number in 0..8000 {
        counts[shard(&format!("w{number}"), 8)] += 1;
    }
    assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
}

#[tokio::test]
async fn a_shard_is_closed_only_when_no_work_is_under_way() {
    let ownership = Ownership::new([Tenure::forever()]);
    let workspace = "a".parse().unwrap();
    let turn = ownership.begin(&workspace).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(5), ownership.close(0)).await.is_err());
    assert!(!ownership.is_mine(&workspace) && ownership.begin(&workspace).is_none());
    assert_eq!(turn.within(async { 1 }).await, Some(1));
    ownership.close(0).await;
    ownership.open(0);
    assert!(ownership.is_mine(&workspace) && ownership.begin(&workspace).is_some());
}
