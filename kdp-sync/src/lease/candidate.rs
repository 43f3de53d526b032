//! Competes for one Lease at the API server.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kdp_core::{Error, ErrorKind};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions},
};
use tokio::time::Instant;

use super::{
    Election, LeaseOptions, Tenure,
    election::{Bid, Record, Seen},
    tenure::Renewal,
};
use crate::{
    driver::{MANAGER, in_time},
    wire,
};

/// The Leases of an agent.
#[derive(Debug)]
pub(crate) struct Leases {
    api: Api<Lease>,
    options: LeaseOptions,
    agent: String,
    started: Instant,
}

/// One replica's candidacy for one Lease.
#[derive(Debug)]
pub(crate) struct Candidate {
    leases: Arc<Leases>,
    name: String,
    election: Election,
    /// The whole object as last told, of which others may have their share.
    lease: Option<Lease>,
    /// Whether it is as this candidate has just written it, and need not be read again.
    is_fresh: bool,
    renewal: Renewal,
}

impl Leases {
    /// The Leases of an agent in a namespace of its service cluster.
    pub(crate) fn new(service: Client, namespace: &str, agent: &str, options: LeaseOptions) -> Self {
        let api = Api::namespaced(service, namespace);
        Self { api, options, agent: agent.to_owned(), started: Instant::now() }
    }

    pub(crate) fn options(&self) -> &LeaseOptions {
        &self.options
    }

    pub(crate) fn agent(&self) -> &str {
        &self.agent
    }

    /// The time as elections count it.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The Leases that name the agent, by their names.
    ///
    /// # Errors
    /// As the API server answers, or does not in time.
    pub(crate) async fn list(&self) -> Result<BTreeMap<String, Lease>, Error> {
        let params = ListParams::default().labels(&format!("{}={}", wire::AGENT_NAME, self.agent));
        let list = self.soon("list Leases of", &self.agent, self.api.list(&params)).await?;
        Ok(list.items.into_iter().filter_map(|lease| Some((lease.metadata.name.clone()?, lease))).collect())
    }

    /// Deletes a Lease that nobody needs any more, if it is still of this version, when one is given.
    ///
    /// # Errors
    /// As the API server answers, or does not in time.
    pub(crate) async fn delete(&self, name: &str, version: Option<String>) -> Result<(), Error> {
        let preconditions = Preconditions { uid: None, resource_version: version };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.soon("delete Lease", name, self.api.delete(name, &params)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// A request that is of no use when it takes long.
    async fn soon<T>(
        &self,
        op: &'static str,
        name: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        let late = |_| Error::new(ErrorKind::Unavailable, op, name, "the API server did not answer in time");
        tokio::time::timeout(self.options.renew_deadline / 2, in_time(op, name, request)).await.map_err(late)?
    }
}

impl Candidate {
    pub(crate) fn new(leases: &Arc<Leases>, name: String) -> Self {
        let election = Election::new(&leases.options);
        let (lease, is_fresh, renewal) = (None, false, Renewal::new());
        Self { leases: leases.clone(), name, election, lease, is_fresh, renewal }
    }

    /// How long this replica may do what the Lease is about.
    pub(crate) fn tenure(&self) -> Tenure {
        self.renewal.tenure()
    }

    /// Who holds the Lease, as far as this replica knows.
    pub(crate) fn holder(&self) -> Option<&str> {
        self.election.holder(self.leases.now())
    }

    /// Whether nobody else holds the Lease, as far as this replica knows.
    pub(crate) fn is_free(&self) -> bool {
        self.election.is_free(self.leases.now())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Looks at the Lease, and takes or renews it unless somebody else holds it.
    ///
    /// May be dropped: the next call looks what has become of the write.
    ///
    /// # Errors
    /// `Stale` when somebody else was quicker, and as the API server answers, or does not in time.
    pub(crate) async fn campaign(&mut self) -> Result<(), Error> {
        if !self.is_fresh {
            let lease = self.leases.soon("get Lease", &self.name, self.leases.api.get_opt(&self.name)).await?;
            self.hear(lease);
        }
        self.bid().await
    }

    /// Takes in what the API server tells of the Lease.
    pub(crate) fn hear(&mut self, lease: Option<Lease>) {
        self.election.observe(lease.as_ref().map(seen), self.leases.now());
        self.lease = lease;
        if self.election.term().is_none() {
            self.renewal.end();
        }
    }

    /// Takes or renews the Lease unless somebody else holds it, as far as was heard.
    ///
    /// # Errors
    /// As [`Candidate::campaign`].
    pub(crate) async fn bid(&mut self) -> Result<(), Error> {
        let sent = self.leases.now();
        let Some(bid) = self.election.bid(sent, Timestamp::now()) else { return Ok(()) };
        let written = self.write(bid).await?;
        self.election.won(seen(&written), sent, self.leases.now());
        self.lease = Some(written);
        self.is_fresh = true;
        if let Some(term) = self.election.term() {
            let at = |time| self.leases.started + time;
            self.renewal.until(at(term.begins_until), at(term.works_until));
        }
        Ok(())
    }

    /// Leaves the Lease to others. Whoever works under it must have stopped.
    ///
    /// # Errors
    /// As the API server answers, or does not in time; others then have to wait until it runs out.
    pub(crate) async fn resign(&mut self) -> Result<(), Error> {
        self.renewal.end();
        let Some(bid) = self.election.resign(Timestamp::now()) else { return Ok(()) };
        match self.write(bid).await {
            // A renewal whose answer was lost may have come between.
            Err(error) if error.kind() == ErrorKind::Stale => {}
            written => return written.map(|lease| self.hear(Some(lease))),
        }
        let lease = self.leases.soon("get Lease", &self.name, self.leases.api.get_opt(&self.name)).await?;
        self.hear(lease);
        let Some(bid) = self.election.resign(Timestamp::now()) else { return Ok(()) };
        self.write(bid).await.map(|lease| self.hear(Some(lease)))
    }

    async fn write(&mut self, bid: Bid) -> Result<Lease, Error> {
        self.is_fresh = false;
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let Leases { api, agent, .. } = &*self.leases;
        match bid {
            Bid::Create(record) => {
                let labels = BTreeMap::from([(wire::AGENT_NAME.to_owned(), agent.clone())]);
                let metadata = ObjectMeta { name: Some(self.name.clone()), labels: Some(labels), ..Default::default() };
                let lease = Lease { metadata, spec: Some(spec(None, &record)) };
                self.leases.soon("create Lease", &self.name, api.create(&params, &lease)).await
            }
            Bid::Update(record, version) => {
                let mut lease = self.lease.clone().unwrap_or_default();
                lease.metadata.name = Some(self.name.clone());
                lease.metadata.resource_version = Some(version);
                lease.spec = Some(spec(lease.spec, &record));
                self.leases.soon("update Lease", &self.name, api.replace(&self.name, &params, &lease)).await
            }
        }
    }
}

pub(crate) fn seen(lease: &Lease) -> Seen {
    let version = lease.metadata.resource_version.clone().unwrap_or_default();
    let Some(spec) = &lease.spec else { return Seen { record: Record::default(), version } };
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    let record = Record {
        holder: spec.holder_identity.clone().unwrap_or_default(),
        duration: Duration::from_secs(seconds.try_into().unwrap_or_default()),
        acquired: spec.acquire_time.as_ref().map(|time| time.0),
        renewed: spec.renew_time.as_ref().map(|time| time.0),
        transitions: spec.lease_transitions.unwrap_or_default(),
    };
    Seen { record, version }
}

fn spec(before: Option<LeaseSpec>, record: &Record) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(record.holder.clone()),
        lease_duration_seconds: Some(record.duration.as_secs().try_into().unwrap_or(i32::MAX)),
        acquire_time: record.acquired.map(MicroTime),
        renew_time: record.renewed.map(MicroTime),
        lease_transitions: Some(record.transitions),
        ..before.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_is_written_as_client_go_reads_it() {
        let time = "2026-03-04T05:06:07.890123Z".parse().unwrap();
        let record = Record {
            holder: "pod_1".into(),
            duration: Duration::from_secs(15),
            acquired: Some("2026-03-04T05:06:07Z".parse().unwrap()),
            renewed: Some(time),
            transitions: 3,
        };
        let foreign = LeaseSpec { strategy: Some("OldestEmulationVersion".into()), ..LeaseSpec::default() };
        let lease = Lease { metadata: ObjectMeta::default(), spec: Some(spec(Some(foreign), &record)) };
        let expected = json!({
            "holderIdentity": "pod_1", "leaseDurationSeconds": 15, "leaseTransitions": 3,
            "acquireTime": "2026-03-04T05:06:07.000000Z", "renewTime": "2026-03-04T05:06:07.890123Z",
            "strategy": "OldestEmulationVersion",
        });
        assert_eq!(serde_json::to_value(&lease).unwrap()["spec"], expected);
        assert_eq!(seen(&lease).record, record);
        assert_eq!(seen(&Lease::default()).record, Record::default());
    }
}
