//! Makes the real thing as ordered.

use super::*;
use crate::{
    provider::{Order, Plan, PlanHash},
    runner::{
        IMPORT,
        approval::{Approvable, ApprovalRequest},
        judge::{Resolution, after_removal, approval_of_rest, is_over, needs_approval, resolve},
        options::{DriftPolicy, Imports},
        outputs,
        record::{Failed, FailedCreation},
        report::Pending,
    },
};

/// Plans that became outdated before they were applied, until the pass counts as failed.
const PLANS: usize = 3;
/// An imported thing counts as ready before the first generation, so that it is never taken for a
/// creation that failed.
const BEFORE_THE_FIRST: i64 = 0;

/// What a pass has found out.
pub(super) struct Found {
    pub(super) observation: Observation,
    pub(super) pending: Option<Pending>,
}

impl Worker {
    pub(super) async fn provide(
        &self,
        subject: Subject<'_>,
        id: &OrderId,
        mut kept: Kept,
    ) -> Result<Option<Duration>, Failure> {
        let generation = subject.generation();
        if kept.record.sealed.is_none()
            && let Some(existing) = subject.annotation(IMPORT)
        {
            if self.options.imports == Imports::Refused {
                let message = format!("the annotation {IMPORT} is not allowed here");
                self.report(subject, Report::of(Phase::Blocked, message).because("ImportRefused")).await?;
                return Ok(None);
            }
            if self.options.imports == Imports::Approved
                && !self.is_approved(subject, &kept, Approvable::Import(existing)).await?
            {
                return self.wait_to_import(subject, id, existing).await;
            }
            self.import(subject, &mut kept, existing).await?;
        }
        if kept.record.begun.is_some() && !kept.record.was_ready() {
            // A creation was begun and is not known to be over: nothing is made before it was looked for.
            if let Some(next) = self.resolve_creation(subject, id, &mut kept).await? {
                return Ok(Some(next));
            }
        }
        let found = self.converge(subject, id, &mut kept).await?;
        self.settle(&mut kept, generation, &found.observation).await?;
        self.conclude(subject, &kept, found).await
    }

    async fn import(&self, subject: Subject<'_>, kept: &mut Kept, existing: &str) -> Result<(), Failure> {
        let order = order(subject, kept);
        let take = |run: Run| {
            let order = &order;
            async move { self.provider.import(order, existing, &run).await }
        };
        let observation = self.operate(Operation::Import, subject, take).await?;
        check_own(Operation::Import, &order.id, observation.teardown.as_ref())?;
        let Some(teardown) = observation.teardown else {
            let message = format!("{existing} cannot be seen yet");
            let error = Error::new(ErrorKind::Unavailable, "import", &order.id, message);
            return Err(Failure::Provider(Operation::Import, error));
        };
        kept.record.sealed = Some(teardown.on_top_of(None));
        kept.record.ready_generation = Some(BEFORE_THE_FIRST);
        self.records.save(kept).await?;
        if self.options.imports == Imports::Approved {
            let request = ApprovalRequest::new(&order.id, Approvable::Import(existing));
            self.spend(&order.id, PlanHash(request.hash())).await?;
        }
        self.tell(subject, Tone::Normal, "Imported", existing).await;
        Ok(())
    }

    /// Decides about a creation that was begun and never seen ready; `None` when the order is to be
    /// worked on as any other.
    async fn resolve_creation(
        &self,
        subject: Subject<'_>,
        id: &OrderId,
        kept: &mut Kept,
    ) -> Result<Option<Duration>, Failure> {
        let Some(begun) = kept.record.begun.clone() else { return Ok(None) };
        let seen = self.observe(subject, id, kept).await?;
        let now = Timestamp::now();
        let settle = self.options.settle;
        let is_settled = settle.is_zero() || is_over(begun.last, settle, now);
        let is_overdue =
            begun.generation == subject.generation() && is_over(begun.since, self.options.deadlines.order, now);
        let state = match resolve(seen.phase, is_settled, is_overdue, self.options.failed_creations) {
            Resolution::GoOn => return Ok(None),
            Resolution::Wait => {
                let seen = if seen.phase == Phase::Gone {
                    let message = "creating it was cut short, and may still take effect";
                    Observation { phase: Phase::Progressing, message: message.into(), ..seen }
                } else {
                    seen
                };
                let next = seen.next_look.unwrap_or(SOON);
                self.report(subject, Report::new(seen).because("CreationUnresolved").next(next)).await?;
                return Ok(Some(next));
            }
            Resolution::Remove => FailedCreation::Removing,
            Resolution::Hold => FailedCreation::Held,
        };
        kept.record.failed = Some(Failed { state, generation: begun.generation });
        self.records.save(kept).await?;
        let message = format!("it was not ready within {:?}: {}", self.options.deadlines.order, seen.message);
        self.tell(subject, Tone::Warning, "DeadlineExceeded", &message).await;
        Ok(Some(Duration::ZERO))
    }

    /// Removes, or leaves alone, a creation that failed.
    pub(super) async fn handle_failed(
        &self,
        subject: Subject<'_>,
        mut kept: Kept,
        failed: Failed,
    ) -> Result<Option<Duration>, Failure> {
        let again = |attempts: u32| format!("annotate it with {}={attempts} to have it tried again", RETRY);
        let attempts = kept.record.attempts;
        match failed.state {
            FailedCreation::Held => {
                let message = format!(
                    "it was not ready within {:?} and is left for inspection; {}",
                    self.options.deadlines.order,
                    again(attempts)
                );
                self.report(subject, Report::of(Phase::Blocked, message).because("HeldForInspection")).await?;
                Ok(None)
            }
            FailedCreation::GivenUp => {
                let message = format!(
                    "it was not ready within {:?}, {attempts} times, and was removed; change the order, or {}",
                    self.options.deadlines.order,
                    again(attempts)
                );
                self.report(subject, Report::of(Phase::Blocked, message).because("GivenUp")).await?;
                Ok(None)
            }
            FailedCreation::Removing => {
                if let Some(sealed) = kept.record.sealed.clone() {
                    let removed = self.delete(subject, &sealed).await?;
                    if removed.phase != Phase::Gone {
                        let next = removed.next_look.unwrap_or(SOON);
                        let report = Report::new(removed).because("RemovingFailedCreation").next(next);
                        self.report(subject, report).await?;
                        return Ok(Some(next));
                    }
                }
                after_removal(&mut kept.record, failed.generation, self.options.creation_attempts);
                self.records.save(&mut kept).await?;
                Ok(Some(Duration::ZERO))
            }
        }
    }

    /// Carries out the current plan where there is something to change, and observes.
    async fn converge(&self, subject: Subject<'_>, id: &OrderId, kept: &mut Kept) -> Result<Found, Failure> {
        let generation = subject.generation();
        let is_settled = kept.record.ready_generation == Some(generation);
        if is_settled && !self.is_check_due(subject.key) {
            let observation = self.observe(subject, id, kept).await?;
            // Without evidence there is nothing to compare with what was ordered.
            if observation.is_ready_for(generation) || observation.phase == Phase::Unknown {
                return Ok(Found { observation, pending: None });
            }
        }
        let mut outdated = None;
        for _ in 0..PLANS {
            let order = order(subject, kept);
            let draw_up = |run: Run| {
                let order = &order;
                async move { self.provider.plan(order, &run).await }
            };
            let plan = self.operate(Operation::Plan, subject, draw_up).await?;
            check_own(Operation::Plan, id, Some(&plan.teardown))?;
            self.note_check(subject.key);
            if plan.changes.is_empty() {
                self.seal_what_is_there(kept, generation, &plan).await?;
                return Ok(Found { observation: self.observe(subject, id, kept).await?, pending: None });
            }
            let hash = plan.hash();
            let standing = approval_of_rest(&plan, generation, kept.record.begun.as_ref()).cloned();
            let is_drift = is_settled && self.options.drift == DriftPolicy::Report;
            let approval = match standing.clone() {
                Some(standing) => Some(standing),
                None if is_drift || needs_approval(self.options.approval, &plan) => {
                    if !self.is_approved(subject, kept, Approvable::Plan(&plan)).await? {
                        if is_drift {
                            let observation = self.observe(subject, id, kept).await?;
                            return Ok(Found { observation, pending: Some(Pending::Drift(plan)) });
                        }
                        return self.wait_for_approval(subject, id, kept, plan).await;
                    }
                    Some(hash.clone())
                }
                None => None,
            };
            kept.record.begin(generation, &plan, approval, Timestamp::now());
            self.records.save(kept).await?;
            tracing::info!(order = %id, plan = %plan.summary(), "order.apply");
            let order = order.with_sealed(kept.record.sealed.clone());
            let carry_out = |run: Run| {
                let (order, hash) = (&order, &hash);
                async move { self.provider.apply(order, hash, &run).await }
            };
            match self.operate(Operation::Apply, subject, carry_out).await {
                Ok(observation) => {
                    check_own(Operation::Apply, id, observation.teardown.as_ref())?;
                    let redactor = Redactor::new().with_outputs_of(&observation);
                    self.with_memory(subject.key, |memory| memory.redactor = redactor);
                    return Ok(Found { observation, pending: None });
                }
                Err(Failure::Provider(operation, error)) if error.kind() == ErrorKind::Stale => {
                    // It has not begun, so nothing else is the rest of it.
                    if let Some(begun) = &mut kept.record.begun
                        && begun.approval != standing
                    {
                        begun.approval = standing;
                        self.records.save(kept).await?;
                    }
                    self.check_fence().await;
                    outdated = Some(Failure::Provider(operation, error));
                    if self.superseded.is_cancelled() {
                        break;
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(outdated.unwrap_or_else(|| {
            let error = Error::new(ErrorKind::Unavailable, "apply", id, "its plans keep becoming outdated");
            Failure::Provider(Operation::Apply, error)
        }))
    }

    /// Seals what is as ordered although no plan of this runner has made it so, such as after its
    /// record was lost, and starts the clock of its generation.
    async fn seal_what_is_there(&self, kept: &mut Kept, generation: i64, plan: &Plan) -> Result<(), Error> {
        let before = kept.record.clone();
        let is_begun = before.begun.as_ref().is_some_and(|begun| begun.generation == generation);
        if before.ready_generation == Some(generation) || is_begun {
            kept.record.sealed = Some(plan.teardown.clone().on_top_of(before.sealed.as_ref()));
        } else {
            kept.record.begin(generation, plan, None, Timestamp::now());
        }
        if kept.record == before {
            return Ok(());
        }
        self.records.save(kept).await
    }

    /// Notes that the order is ready, and what of it is left to be removed one day.
    async fn settle(&self, kept: &mut Kept, generation: i64, observation: &Observation) -> Result<(), Error> {
        if !observation.is_ready_for(generation) || kept.record.begun.is_none() && kept.record.was_ready() {
            return Ok(());
        }
        let before = kept.record.clone();
        // Before the record is written: for as long as that tells what was approved, it is spent again.
        if let Some(hash) = kept.record.begun.as_ref().and_then(|begun| begun.approval.clone()) {
            kept.record.spent = self.spend(&before.id, hash).await?;
        }
        let record = &mut kept.record;
        (record.begun, record.attempts, record.ready_generation) = (None, 0, Some(generation));
        if let (Some(sealed), Some(observed)) = (&record.sealed, &observation.teardown) {
            record.sealed = Some(sealed.settled(observed));
        }
        if kept.record == before {
            return Ok(());
        }
        self.records.save(kept).await
    }

    /// Delivers outputs, reports, and says when to look again.
    async fn conclude(&self, subject: Subject<'_>, kept: &Kept, found: Found) -> Result<Option<Duration>, Failure> {
        let Found { mut observation, pending } = found;
        let generation = subject.generation();
        let mut reason = None;
        if observation.phase == Phase::Ready && !observation.is_ready_for(generation) {
            observation.phase = Phase::Progressing;
            observation.message = "what was ordered earlier is ready; the change is on its way".into();
        }
        if observation.phase == Phase::Gone {
            observation.phase = Phase::Failing;
            observation.message = "there is nothing".into();
        }
        let limit = self.options.deadlines.order;
        let is_overdue = |begun: &super::super::record::Begun| is_over(begun.since, limit, Timestamp::now());
        if observation.phase == Phase::Progressing && kept.record.begun.as_ref().is_some_and(is_overdue) {
            reason = Some("DeadlineExceeded");
            observation.phase = Phase::Failing;
            observation.message = format!("it is not ready after {limit:?}: {}", observation.message);
        }
        if matches!(pending, Some(Pending::Approval(_))) && observation.phase == Phase::Blocked {
            reason = Some("ApprovalNeeded");
        }
        let delivered = {
            let (suffix, confirmed) = (&self.options.secret_suffix, self.confirm_fence());
            outputs::deliver(&self.orders, subject.key, subject.object, &observation, suffix, confirmed).await
        };
        let secret = match delivered {
            Ok(secret) => secret,
            Err(error) if error.kind() == ErrorKind::Invalid => {
                (observation.phase, reason) = (Phase::Blocked, Some("OutputsNotDelivered"));
                observation.message = error.message().into();
                None
            }
            Err(error) => return Err(error.into()),
        };
        if observation.phase == Phase::Ready {
            self.act_if_asked(subject, kept.clone()).await?;
        }
        let next = observation.next_look.unwrap_or(match observation.phase {
            Phase::Ready | Phase::Degraded | Phase::Blocked | Phase::Paused => self.options.next_look,
            _ => SOON,
        });
        let report = Report { observation, reason, pending, next: Some(next), secret };
        self.report(subject, report).await?;
        Ok(Some(next))
    }

    fn is_check_due(&self, key: &Key) -> bool {
        self.with_memory(key, |memory| memory.next_check.is_none_or(|at| Instant::now() >= at))
    }

    fn note_check(&self, key: &Key) {
        let at = Instant::now() + jittered(self.options.drift_interval);
        self.with_memory(key, |memory| memory.next_check = Some(at));
    }
}

/// The order as it is now, with what was sealed for it.
pub(super) fn order(subject: Subject<'_>, kept: &Kept) -> Order {
    let spec = subject.object.data.get("spec").cloned().unwrap_or_default();
    Order::new(kept.record.id.clone(), subject.generation(), spec).with_sealed(kept.record.sealed.clone())
}
