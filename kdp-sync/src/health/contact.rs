//! Looks whether both sides answer.

use std::time::Duration;

use kdp_core::api::core::{LOGICAL_CLUSTER_NAME, LogicalCluster};
use kube::{Api, Client, api::ListParams};
use tokio_util::sync::CancellationToken;

use super::Health;
use crate::{
    api::{PublishedResource, Side},
    driver::in_time,
};

/// Watches may be silent for long; that is why somebody asks.
const PERIOD: Duration = Duration::from_secs(15);

/// Asks both sides for something every agent may see, again and again until `shutdown`.
pub(crate) async fn keep_in_touch(health: &Health, service: &Client, provider: &Client, shutdown: &CancellationToken) {
    health.answered(Side::Service);
    health.answered(Side::Kcp);
    let resources: Api<PublishedResource> = Api::all(service.clone());
    let clusters: Api<LogicalCluster> = Api::all(provider.clone());
    let one = ListParams::default().limit(1);
    while !shutdown.is_cancelled() {
        let asked = async {
            tokio::time::sleep(PERIOD).await;
            tokio::join!(
                in_time("list", "PublishedResources", resources.list(&one)),
                in_time("get", "LogicalCluster", clusters.get(LOGICAL_CLUSTER_NAME)),
            )
        };
        let (from_service, from_kcp) = tokio::select! {
            answers = asked => answers,
            () = shutdown.cancelled() => return,
        };
        if from_service.is_ok() {
            health.answered(Side::Service);
        }
        if from_kcp.is_ok() {
            health.answered(Side::Kcp);
        }
    }
}
