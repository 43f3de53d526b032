//! What an agent says about itself.

use std::sync::Arc;

use tokio::sync::watch;

/// What an agent is doing, for health checks and people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentStatus {
    /// Whether it publishes. An agent without a Lease always does.
    pub is_leader: bool,
    /// The identity of who holds the agent's Lease, if somebody does.
    pub leader: Option<String>,
    /// The shards of workspaces that it works on; `None` when workspaces are not sharded, and the
    /// leader works on all.
    pub shards: Option<Vec<usize>>,
    /// At how many addresses the export is reached. With none, nothing is synced.
    pub endpoints: usize,
    /// Whether it has taken in the PublishedResources that were there at the start.
    pub has_published: bool,
    /// What it waits for before it can start, such as a workspace that does not exist yet.
    pub waits_for: Option<String>,
}

impl AgentStatus {
    /// Whether it only stands by until the leader is gone.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        !self.is_leader && self.leader.is_some() && self.shards.as_ref().is_none_or(Vec::is_empty)
    }

    /// Whether others may rely on it: it works, or stands by for one that does.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_passive() || self.has_published && self.endpoints > 0
    }
}

/// Where the parts of an agent say what they do.
#[derive(Clone, Debug)]
pub(crate) struct Board(Arc<watch::Sender<AgentStatus>>);

impl Board {
    pub(super) fn new(status: AgentStatus) -> Self {
        Self(Arc::new(watch::Sender::new(status)))
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut AgentStatus)) {
        self.0.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    pub(super) fn follow(&self) -> watch::Receiver<AgentStatus> {
        self.0.subscribe()
    }

    /// Completes once the agent is ready. Cancel-safe.
    pub(super) async fn ready(&self) {
        // The sender lives as long as the board.
        let _ = self.follow().wait_for(AgentStatus::is_ready).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_ready_when_it_works_or_stands_by() {
        let check = |status: AgentStatus, expected: bool| assert_eq!(status.is_ready(), expected, "{status:?}");
        let working = AgentStatus { is_leader: true, has_published: true, endpoints: 1, ..AgentStatus::default() };
        check(AgentStatus::default(), false);
        check(working.clone(), true);
        check(AgentStatus { endpoints: 0, ..working.clone() }, false);
        check(AgentStatus { has_published: false, ..working.clone() }, false);
        let passive = AgentStatus { leader: Some("other".into()), ..AgentStatus::default() };
        check(passive.clone(), true);
        check(AgentStatus { shards: Some(vec![]), ..passive.clone() }, true);
        check(AgentStatus { shards: Some(vec![1]), ..passive }, false);
    }
}
