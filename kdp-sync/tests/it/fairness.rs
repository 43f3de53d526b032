//! One tenant's orders do not hold up those of another.

use kube::{ResourceExt, api::DynamicObject};
use serde_json::json;

use crate::support::{World, databases_with_credentials};

const MANY: usize = 150;
/// More than are worked on at once.
const FEW: usize = 70;

#[tokio::test]
async fn a_single_order_does_not_wait_for_the_many_of_another_tenant() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    agent.stop().await;
    for number in 0..MANY {
        world.order("root:a", &format!("db-{number}"), json!({"size": number})).await;
    }
    world.order("root:b", "single", json!({"size": 1})).await;
    let agent = world.agent().await;
    world.copy("root:a", &format!("db-{}", MANY - 1), |_| true).await;
    let single = version(&world.copy("root:b", "single", |_| true).await);
    let copies = world.copies().list(&Default::default()).await.unwrap();
    let before = copies.items.iter().filter(|copy| version(copy) < single).count();
    assert!(before < FEW, "{before} of {MANY} came first");
    agent.stop().await;
}

fn version(object: &DynamicObject) -> u64 {
    object.resource_version().unwrap().parse().unwrap()
}
