use std::sync::Arc;

use super::*;
use crate::store::conformance;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract() {
    conformance::run(async || Arc::new(MemoryStore::new()) as _).await;
}
