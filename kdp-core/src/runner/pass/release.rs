//! Removes the real thing of an order that was deleted, and lets the order go.

use super::*;
use crate::{
    provider::Teardown,
    runner::{judge::is_over, outputs},
};

impl Worker {
    /// Removes the real thing, then the outputs, then the record, then the finalizer.
    ///
    /// The record goes before the finalizer: an order that is still there without a record is asked
    /// for at the provider, whereas a record without its order would be nobody's.
    pub(super) async fn release(
        &self,
        subject: Subject<'_>,
        id: &OrderId,
        kept: Option<Kept>,
    ) -> Result<Option<Duration>, Failure> {
        let mut kept = kept.unwrap_or_else(|| self.records.fresh(id));
        let sealed = match kept.record.sealed.clone() {
            Some(sealed) => Some(sealed),
            None => {
                // Nothing was begun, or the record was lost: the provider knows as long as anything exists.
                let seen = self.observe(subject, id, &kept).await?;
                if seen.phase != Phase::Gone && seen.teardown.is_none() {
                    let message = format!("what there is to remove is not known: {}", seen.message);
                    let report = Report::of(Phase::Unknown, message).because("RecordMissing");
                    self.report(subject, report.next(self.options.next_look)).await?;
                    return Ok(Some(self.options.next_look));
                }
                seen.teardown
            }
        };
        if let Some(sealed) = sealed {
            check_own(Operation::Delete, id, Some(&sealed))?;
            if kept.record.deleting_since.is_none() {
                kept.record.sealed = Some(sealed.clone());
                kept.record.deleting_since = Some(Timestamp::now());
                self.records.save(&mut kept).await?;
                self.report(subject, Report::of(Phase::Deleting, "").next(SOON)).await?;
            }
            tracing::info!(order = %id, "order.delete");
            let removed = self.delete(subject, &sealed).await?;
            if removed.phase != Phase::Gone {
                return self.report_deleting(subject, &kept, removed).await;
            }
        }
        self.confirm_fence().await?;
        outputs::withdraw(&self.orders, subject.key, subject.object, &self.options.secret_suffix).await?;
        self.records.remove(&kept).await?;
        if !subject.key.is_gone() {
            self.let_go(subject).await?;
        }
        Ok(None)
    }

    pub(super) async fn delete(&self, subject: Subject<'_>, sealed: &Teardown) -> Result<Observation, Failure> {
        let remove = |run: Run| async move { self.provider.delete(sealed, &run).await };
        self.operate(Operation::Delete, subject, remove).await
    }

    async fn report_deleting(
        &self,
        subject: Subject<'_>,
        kept: &Kept,
        removed: Observation,
    ) -> Result<Option<Duration>, Failure> {
        let next = removed.next_look.unwrap_or(SOON);
        let limit = self.options.deadlines.order;
        let is_overdue = kept.record.deleting_since.is_some_and(|since| is_over(since, limit, Timestamp::now()));
        let mut report = Report::new(removed).next(next);
        if is_overdue {
            report.reason = Some("DeadlineExceeded");
            report.observation.message = format!("it is not gone after {limit:?}: {}", report.observation.message);
        }
        self.report(subject, report).await?;
        Ok(Some(next))
    }
}
