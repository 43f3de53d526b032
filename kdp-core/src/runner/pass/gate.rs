//! Asks whoever may approve, and waits.

use tokio::time::timeout;

use super::{provide::Found, *};
use crate::{
    provider::{Plan, PlanHash},
    runner::{
        ACTION, IMPORT,
        approval::{Approvable, ApprovalRequest},
        report::Pending,
    },
};

/// How many of the losses of a plan are told in a message; all are in the plan.
const MOST_LOSSES: usize = 10;

impl Worker {
    /// Whether somebody who may has approved this.
    ///
    /// Where the platform approves, nothing in the order counts: it is its tenant's.
    pub(super) async fn is_approved(
        &self,
        subject: Subject<'_>,
        kept: &Kept,
        what: Approvable<'_>,
    ) -> Result<bool, Failure> {
        let request = ApprovalRequest::new(&kept.record.id, what);
        let Some(approver) = &self.options.approver else {
            let hash = request.hash();
            let is_spent = kept.record.spent.as_ref().is_some_and(|spent| spent.0 == hash);
            return Ok(!is_spent && subject.annotation(APPROVE) == Some(&hash));
        };
        let limit = self.options.deadlines.observe;
        let answer = timeout(limit, approver.is_approved(&request)).await.map_err(|_| {
            let message = format!("whoever approves did not answer within {limit:?}");
            Error::new(ErrorKind::Unavailable, "ask about", &kept.record.id, message)
        })?;
        answer.map_err(|error| {
            let message = "whoever approves cannot be asked";
            Failure::Platform(
                Error::new(ErrorKind::Unavailable, "ask about", request.order, message).with_source(error),
            )
        })
    }

    /// Uses an approval up, and returns what the record has to say of it.
    pub(super) async fn spend(&self, id: &OrderId, hash: PlanHash) -> Result<Option<PlanHash>, Error> {
        let Some(approver) = &self.options.approver else { return Ok(Some(hash)) };
        let limit = self.options.deadlines.observe;
        let failed = |message| Error::new(ErrorKind::Unavailable, "spend the approval of", id, message);
        match timeout(limit, approver.spend(id, &hash.0)).await {
            Ok(Ok(())) => Ok(None),
            Ok(Err(error)) => Err(failed("whoever approves cannot be told").with_source(error)),
            Err(_) => Err(failed("whoever approves did not answer")),
        }
    }

    /// Lets an approval that was used up count again once the orderer has approved anything else,
    /// or nothing, in between.
    pub(super) async fn renew_approval(&self, subject: Subject<'_>, kept: &mut Kept) -> Result<(), Error> {
        let is_still_there = |spent: &PlanHash| subject.annotation(APPROVE) == Some(&spent.0);
        if kept.record.spent.as_ref().is_none_or(is_still_there) {
            return Ok(());
        }
        kept.record.spent = None;
        self.records.save(kept).await
    }

    pub(super) async fn wait_for_approval(
        &self,
        subject: Subject<'_>,
        id: &OrderId,
        kept: &Kept,
        plan: Plan,
    ) -> Result<Found, Failure> {
        let mut observation = if kept.record.sealed.is_some() {
            self.observe(subject, id, kept).await?
        } else {
            Observation::new(Phase::Blocked)
        };
        if kept.record.ready_generation != Some(subject.generation()) || observation.phase != Phase::Ready {
            let hash = plan.hash();
            let how = match (&self.options.approver, &kept.record.spent) {
                (Some(_), _) => format!("waits until the platform approves {hash}"),
                (None, Some(spent)) if *spent == hash => {
                    format!(
                        "waits for approval; that by the annotation {APPROVE} is used up: remove it, then set it again"
                    )
                }
                (None, _) => {
                    format!("waits for approval; look at status.plan, then annotate it with {APPROVE}={hash}")
                }
            };
            observation.phase = Phase::Blocked;
            observation.message = format!("{}{}: {how}", plan.summary(), losses(&plan));
        }
        Ok(Found { observation, pending: Some(Pending::Approval(plan)) })
    }

    pub(super) async fn wait_to_import(
        &self,
        subject: Subject<'_>,
        id: &OrderId,
        existing: &str,
    ) -> Result<Option<Duration>, Failure> {
        let next = self.options.next_look;
        let message = self.how_to_approve(IMPORT, &ApprovalRequest::new(id, Approvable::Import(existing)));
        let report = Report::of(Phase::Blocked, message).because("ApprovalNeeded").next(next);
        self.report(subject, report).await?;
        Ok(Some(next))
    }

    /// What has to be done about what an annotation asks for.
    pub(super) fn how_to_approve(&self, annotation: &str, request: &ApprovalRequest<'_>) -> String {
        let hash = request.hash();
        match &self.options.approver {
            Some(_) => format!("what the annotation {annotation} asks for waits until the platform approves {hash}"),
            None => format!("what the annotation {annotation} asks for waits for the annotation {APPROVE}={hash}"),
        }
    }

    /// Whether an action waits for approval: one by which something is lost, where plans like that do
    /// and the platform approves. That an orderer asks for it is his approval.
    pub(super) fn action_needs_approval(&self, name: &str) -> bool {
        let is_destructive =
            || self.provider.actions().iter().any(|action| action.name == name && action.is_destructive);
        self.options.approver.is_some() && self.options.approval != super::super::Approval::Never && is_destructive()
    }

    pub(super) async fn wait_to_act(
        &self,
        subject: Subject<'_>,
        request: &ApprovalRequest<'_>,
        id: &str,
    ) -> Result<(), Error> {
        let message = self.how_to_approve(ACTION, request);
        self.tell_outcome(subject, id, "ApprovalNeeded", &message, Value::Null).await
    }
}

fn losses(plan: &Plan) -> String {
    let lost = plan.changes.iter().filter(|change| change.action.is_destructive());
    let mut lost: Vec<_> = lost.map(|change| format!("{} {}", change.action, change.subject)).collect();
    let more = lost.len().saturating_sub(MOST_LOSSES);
    lost.truncate(MOST_LOSSES);
    match (lost.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" ({})", lost.join(", ")),
        (false, more) => format!(" ({} and {more} more)", lost.join(", ")),
    }
}
