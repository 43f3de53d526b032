//! What is known of an order beyond its object, written down before anything is made.
//!
//! Records are Secrets in the runner's home, out of every tenant's reach: whoever writes a record
//! decides what is deleted. An annotation of the order would be in its tenant's hands, and is lost
//! with the order.

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, PostParams, Preconditions},
};
use serde::{Deserialize, Serialize};

use super::home::Home;
use crate::{
    Error, ErrorKind,
    provider::{ChangeAction, Lease, OrderId, Plan, PlanHash, Teardown},
};

/// Label of the Secrets: which runner's they are.
const RUNNER_LABEL: &str = "orders.kdp.k8c.io/runner";
const FIELD: &str = "record";
/// A Secret may hold 1 MiB in all.
const LARGEST: usize = 900 << 10;

/// What is known of one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) id: OrderId,
    /// The lease it was last written under.
    pub(crate) lease: Lease,
    /// All that was ever begun for the order and may exist.
    pub(crate) sealed: Option<Teardown>,
    /// What is being made.
    pub(crate) begun: Option<Begun>,
    /// The last generation that was ready.
    pub(crate) ready_generation: Option<i64>,
    /// How often a creation was begun that never became ready.
    pub(crate) attempts: u32,
    /// What becomes of a creation that failed.
    pub(crate) failed: Option<Failed>,
    /// When it was first tried to delete it.
    pub(crate) deleting_since: Option<Timestamp>,
    /// The last action that was asked for and is done.
    pub(crate) acted: Option<String>,
    /// The approval by the orderer that was used last: until he approves anything else, or nothing, it
    /// is none.
    #[serde(default)]
    pub(crate) spent: Option<PlanHash>,
}

/// A generation that is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) generation: i64,
    /// When work on this generation began.
    pub(crate) since: Timestamp,
    /// When the last apply began.
    pub(crate) last: Timestamp,
    pub(crate) plan: PlanHash,
    /// What the plan changes. What is left of it after a part was carried out is approved as well.
    pub(crate) changes: Vec<(ChangeAction, String)>,
    /// The hash that was approved, of this plan or of the one that it is the rest of.
    #[serde(default)]
    pub(crate) approval: Option<PlanHash>,
}

/// A creation that was not ready in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) state: FailedCreation,
    /// The generation that could not be made.
    pub(crate) generation: i64,
}

/// What becomes of a [`Failed`] creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailedCreation {
    /// It is being removed.
    Removing,
    /// It waits for somebody who inspects it.
    Held,
    /// It was removed, and waits for somebody who changes the order or asks for another try.
    GivenUp,
}

impl Record {
    pub(crate) fn new(id: OrderId, lease: Lease) -> Self {
        Self {
            id,
            lease,
            sealed: None,
            begun: None,
            ready_generation: None,
            attempts: 0,
            failed: None,
            deleting_since: None,
            acted: None,
            spent: None,
        }
    }

    /// Notes that this plan is about to be carried out; the clock of a generation starts once.
    pub(crate) fn begin(&mut self, generation: i64, plan: &Plan, approval: Option<PlanHash>, now: Timestamp) {
        let since = match &self.begun {
            Some(begun) if begun.generation == generation => begun.since,
            _ => now,
        };
        let changes = plan.changes.iter().map(|change| (change.action, change.subject.clone())).collect();
        self.sealed = Some(plan.teardown.clone().on_top_of(self.sealed.as_ref()));
        self.begun = Some(Begun { generation, since, last: now, plan: plan.hash(), changes, approval });
    }

    /// Whether it was ready in any generation.
    pub(crate) fn was_ready(&self) -> bool {
        self.ready_generation.is_some()
    }
}

/// A record together with the version of its Secret; no version before it is first written.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) record: Record,
    version: Option<String>,
}

/// The records of one runner.
#[derive(Debug)]
pub(crate) struct Records {
    api: Api<Secret>,
    runner: String,
    lease: Lease,
}

impl Records {
    pub(crate) fn new(home: &Home, runner: &str, lease: Lease) -> Self {
        Self { api: Api::namespaced(home.client.clone(), &home.namespace), runner: runner.into(), lease }
    }

    /// The record of an order, if there is one.
    ///
    /// `Stale` when it was written under a newer lease.
    pub(crate) async fn load(&self, id: &OrderId) -> Result<Option<Kept>, Error> {
        let found = self.api.get_opt(&self.name(id)).await.map_err(|e| failed("read the record of", id, e))?;
        let Some(secret) = found else { return Ok(None) };
        let content = secret.data.as_ref().and_then(|data| data.get(FIELD));
        let damaged = || {
            let message = "its record is damaged; whoever runs the platform has to restore it";
            Error::new(ErrorKind::Internal, "read the record of", id, message)
        };
        let record: Record = content
            .ok_or_else(damaged)
            .and_then(|content| serde_json::from_slice(&content.0).map_err(|e| damaged().with_source(e)))?;
        if record.lease > self.lease {
            return Err(Error::new(ErrorKind::Stale, "work on", id, "another runner has taken over"));
        }
        Ok(Some(Kept { record, version: secret.resource_version() }))
    }

    /// Tells of all records.
    pub(crate) async fn each(&self, page: u32, mut tell: impl FnMut(Record)) -> Result<(), Error> {
        let op = "list the records of";
        let mut params = ListParams::default().labels(&format!("{RUNNER_LABEL}={}", self.runner)).limit(page);
        loop {
            let list = self.api.list(&params).await.map_err(|e| Error::from_kube(op, &self.runner, e))?;
            for secret in list.items {
                let content = secret.data.as_ref().and_then(|data| data.get(FIELD));
                let record = content.and_then(|content| serde_json::from_slice::<Record>(&content.0).ok());
                tell(record.ok_or_else(|| {
                    let message = format!("the Secret {} in its home is damaged; restore it", secret.name_any());
                    Error::new(ErrorKind::Internal, op, &self.runner, message)
                })?);
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(()),
            }
        }
    }

    /// A record for an order that has none yet; not written.
    pub(crate) fn fresh(&self, id: &OrderId) -> Kept {
        Kept { record: Record::new(id.clone(), self.lease), version: None }
    }

    /// Writes a record unless somebody else has written it since it was loaded.
    ///
    /// `Stale` when somebody has; `Invalid` when it is too large.
    pub(crate) async fn save(&self, kept: &mut Kept) -> Result<(), Error> {
        kept.record.lease = self.lease;
        let id = &kept.record.id;
        let content = serde_json::to_vec(&kept.record).map_err(|e| {
            Error::new(ErrorKind::Internal, "record", id, "the record cannot be written as JSON").with_source(e)
        })?;
        if content.len() > LARGEST {
            let message = format!("its teardown record has {} KiB, more than {}", content.len() >> 10, LARGEST >> 10);
            return Err(Error::new(ErrorKind::Invalid, "record", id, message));
        }
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.name(id)),
                resource_version: kept.version.clone(),
                labels: Some([(RUNNER_LABEL.to_owned(), self.runner.clone())].into()),
                ..ObjectMeta::default()
            },
            data: Some([(FIELD.to_owned(), ByteString(content))].into()),
            ..Secret::default()
        };
        let params = PostParams::default();
        let written = match kept.version {
            None => self.api.create(&params, &secret).await,
            Some(_) => self.api.replace(&self.name(id), &params, &secret).await,
        };
        match written {
            Ok(written) => kept.version = written.resource_version(),
            Err(error) => {
                let error = failed("record", id, error);
                // A record that is gone has been worked off by somebody else.
                let is_gone = error.kind() == ErrorKind::NotFound && kept.version.is_some();
                return Err(if is_gone {
                    Error::new(ErrorKind::Stale, "record", id, "somebody has removed its record").with_source(error)
                } else {
                    error
                });
            }
        }
        Ok(())
    }

    /// Removes a record that has been worked off.
    pub(crate) async fn remove(&self, kept: &Kept) -> Result<(), Error> {
        let Some(version) = kept.version.clone() else { return Ok(()) };
        let preconditions = Preconditions { uid: None, resource_version: Some(version) };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let id = &kept.record.id;
        match self.api.delete(&self.name(id), &params).await {
            Ok(_) => Ok(()),
            Err(error) => match failed("remove the record of", id, error) {
                error if error.kind() == ErrorKind::NotFound => Ok(()),
                error => Err(error),
            },
        }
    }

    pub(crate) fn name(&self, id: &OrderId) -> String {
        format!("{}-{}", self.runner, id.uid)
    }
}

/// An error of the home. Its tenant reads the message, and learns nothing of the home by it.
fn failed(op: &'static str, id: &OrderId, error: kube::Error) -> Error {
    let error = Error::from_kube(op, id, error);
    Error::new(error.kind(), op, id, "the platform's records cannot be used").with_source(error)
}
