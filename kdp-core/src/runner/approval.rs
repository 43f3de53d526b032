//! Who lets be done what waits for approval.

use std::fmt;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use sha2::{Digest, Sha256};

use super::Home;
use crate::{
    Error, ErrorKind,
    provider::{ActionCall, OrderId, Plan},
};

/// Something that is done once somebody approves it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ApprovalRequest<'a> {
    /// For which order.
    pub order: &'a OrderId,
    /// What would be done.
    pub what: Approvable<'a>,
}

/// What an [`ApprovalRequest`] asks for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Approvable<'a> {
    /// That this plan is carried out.
    Plan(&'a Plan),
    /// That this action is done.
    Action(&'a ActionCall),
    /// That what this name stands for becomes the order's.
    Import(&'a str),
}

impl<'a> ApprovalRequest<'a> {
    pub(super) fn new(order: &'a OrderId, what: Approvable<'a>) -> Self {
        Self { order, what }
    }

    /// Identifies what is asked for, and for which order, in lower hex; that of a plan is its
    /// [hash](Plan::hash). Whoever approves it approves nothing else.
    #[must_use]
    pub fn hash(&self) -> String {
        let parts = match self.what {
            Approvable::Plan(plan) => return plan.hash().0,
            Approvable::Action(call) => {
                ["action", &call.id, &call.name, &call.parameters.to_string()].map(str::to_owned)
            }
            Approvable::Import(existing) => ["import", existing, "", ""].map(str::to_owned),
        };
        let mut hash = Sha256::new();
        for part in std::iter::once(&self.order.uid).chain(&parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        format!("{:x}", hash.finalize())
    }
}

/// Decides on the platform's side about what waits for approval.
///
/// Nothing that a tenant writes into his order counts then, the annotation [`APPROVE`](super::APPROVE)
/// included. It is asked again and again until it says yes, so it answers from what somebody
/// has decided, and does not wait for him.
#[async_trait]
pub trait Approver: fmt::Debug + Send + Sync + 'static {
    /// Whether this may be done now. Cancel-safe; changes nothing.
    ///
    /// # Errors
    /// Of any kind when that is not known; then it is not done.
    async fn is_approved(&self, request: &ApprovalRequest<'_>) -> Result<bool, Error>;

    /// Forgets the approval with this [hash](ApprovalRequest::hash): what it was for is done. When the
    /// same is asked for another time, it waits for another approval. Idempotent; cancel-safe.
    ///
    /// # Errors
    /// Of any kind; then it is told again.
    async fn spend(&self, order: &OrderId, hash: &str) -> Result<(), Error>;
}

/// Approvals that are ConfigMaps in a runner's [`Home`], where tenants cannot write.
///
/// That with the name `<runner>-approves-<hash>` is the approval of what has this hash; it is removed
/// once that is done. Whoever may create ConfigMaps there may approve:
/// `kubectl create configmap <runner>-approves-<hash>`.
#[derive(Clone)]
pub struct HomeApprovals {
    client: Client,
    namespace: String,
    runner: String,
}

impl HomeApprovals {
    /// The approvals for the runner of this name.
    pub fn new(home: &Home, runner: impl Into<String>) -> Self {
        Self { client: home.client.clone(), namespace: home.namespace.clone(), runner: runner.into() }
    }

    /// Approves what has this hash.
    ///
    /// # Errors
    /// `Invalid` when it is not 64 hexadecimal digits; otherwise as the home's server answers.
    pub async fn approve(&self, hash: &str) -> Result<(), Error> {
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hash {
            let message = "it is not the hash in an order's status.plan";
            return Err(Error::new(ErrorKind::Invalid, "approve", hash, message));
        }
        let metadata = ObjectMeta { name: Some(self.name(hash)), ..ObjectMeta::default() };
        let approval = ConfigMap { metadata, ..ConfigMap::default() };
        match self.api().create(&PostParams::default(), &approval).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => Err(Error::from_kube("approve", hash, error)),
            Ok(_) => Ok(()),
        }
    }

    fn api(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn name(&self, hash: &str) -> String {
        format!("{}-approves-{hash}", self.runner)
    }
}

impl fmt::Debug for HomeApprovals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HomeApprovals").field("runner", &self.runner).finish_non_exhaustive()
    }
}

#[async_trait]
impl Approver for HomeApprovals {
    async fn is_approved(&self, request: &ApprovalRequest<'_>) -> Result<bool, Error> {
        let found = self.api().get_opt(&self.name(&request.hash())).await;
        Ok(found.map_err(|e| Error::from_kube("read the approval of", request.order, e))?.is_some())
    }

    async fn spend(&self, order: &OrderId, hash: &str) -> Result<(), Error> {
        match self.api().delete(&self.name(hash), &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(error) => match Error::from_kube("spend the approval of", order, error) {
                error if error.kind() == ErrorKind::NotFound => Ok(()),
                error => Err(error),
            },
        }
    }
}
