//! The cases, each named as the sentence it proves.

use std::time::Duration;

use super::{
    Fixture, ensure, seen,
    stand::{Outcome, Stand, describe, new_uid},
};
use crate::{
    Error, ErrorKind,
    provider::{Lease, Observation, Order, OrderId, Phase, Plan, PlanHash, Provider, Teardown},
};

pub(super) const LEASE: Lease = Lease(1);
/// Shorter than any secret worth guessing; a value this short may occur in another by chance.
pub(super) const SHORTEST_SECRET: usize = 8;

pub(super) async fn a_plan_changes_nothing_and_has_a_stable_hash<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let order = stand.valid();
    let (first, second) = (stand.plan(&order).await?, stand.plan(&order).await?);
    ensure!(first == second, "the plan was {first:?}, then {second:?}");
    ensure!(!first.changes.is_empty(), "the plan of something new has no changes");
    let other = stand.plan(&stand.changed()).await?;
    ensure!(first.hash() != other.hash(), "two different orders have one plan hash");
    expect_gone(&stand.observe().await?)
}

pub(super) async fn an_impossible_order_is_invalid_and_names_the_field<F: Fixture>(
    stand: &mut Stand<'_, F>,
) -> Outcome {
    let order = Order::new(stand.id.clone(), 1, stand.orders.impossible.clone());
    let field = &stand.orders.impossible_field;
    let Err(error) = stand.provider.plan(&order, &LEASE.into()).await else { return Err("it was planned".into()) };
    ensure!(error.kind() == ErrorKind::Invalid, "{}", describe("plan", &error));
    ensure!(error.message().contains(field), "the message does not name {field:?}: {}", error.message());
    let applied = stand.provider.apply(&stand.with_seal(&order), &nobodys_plan(), &LEASE.into()).await;
    ensure!(applied.is_err(), "it was applied");
    expect_gone(&stand.observe().await?)
}

pub(super) async fn nothing_is_there_before_apply<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let observation = stand.observe().await?;
    expect_gone(&observation)?;
    ensure!(observation.outputs.is_empty(), "nothing has outputs");
    Ok(())
}

pub(super) async fn a_plan_that_is_not_current_is_refused<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let order = stand.valid();
    let refused = stand.provider.apply(&stand.with_seal(&order), &nobodys_plan(), &LEASE.into()).await;
    expect_refusal("apply of a plan nobody made", refused, &[ErrorKind::Stale])?;
    expect_gone(&stand.observe().await?)?;

    let outdated = stand.plan(&order).await?;
    let changed = stand.changed();
    stand.converge(&changed, LEASE).await?;
    let refused = stand.provider.apply(&stand.with_seal(&order), &outdated.hash(), &LEASE.into()).await;
    // An order that can no longer be fulfilled is as good a reason as the plan.
    expect_refusal("apply of an outdated plan", refused, &[ErrorKind::Stale, ErrorKind::Invalid])?;
    let plan = stand.plan(&changed).await?;
    ensure!(plan.changes.is_empty(), "the outdated plan changed something: {:?}", plan.changes);
    Ok(())
}

pub(super) async fn apply_is_idempotent_and_converges_to_ready<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let order = stand.valid();
    let plan = stand.plan(&order).await?;
    stand
        .provider
        .apply(&stand.with_seal(&order), &plan.hash(), &LEASE.into())
        .await
        .map_err(|e| describe("apply", &e))?;
    match stand.provider.apply(&stand.with_seal(&order), &plan.hash(), &LEASE.into()).await {
        Err(error) if error.kind() != ErrorKind::Stale => {
            return Err(describe("apply with the same arguments", &error));
        }
        _ => {}
    }
    let ready = stand.converge(&order, LEASE).await?;
    let plan = stand.plan(&order).await?;
    ensure!(plan.changes.is_empty(), "a ready order still has changes: {:?}", plan.changes);
    let again = stand.converge(&order, LEASE).await?;
    expect_same(&ready, &again)?;
    expect_same(&ready, &stand.observe().await?)
}

pub(super) async fn a_change_is_planned_and_carried_out<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let (order, changed) = (stand.valid(), stand.changed());
    stand.converge(&order, LEASE).await?;
    let plan = stand.plan(&changed).await?;
    ensure!(!plan.changes.is_empty(), "the plan of a change has no changes");
    stand.converge(&changed, LEASE).await?;
    let observation = stand.observe().await?;
    ensure!(observation.phase == Phase::Ready, "after the change it is {}", seen(&observation));
    let plan = stand.plan(&changed).await?;
    ensure!(plan.changes.is_empty(), "changes are left: {:?}", plan.changes);
    Ok(())
}

pub(super) async fn outputs_are_complete_and_marked_sensitive<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let order = stand.valid();
    let ready = stand.converge(&order, LEASE).await?;
    for name in &stand.orders.sensitive {
        let Some(output) = ready.outputs.get(name) else { return Err(format!("there is no output {name:?}")) };
        ensure!(output.sensitive, "the output {name:?} is not marked sensitive");
        if output.value.len() < SHORTEST_SECRET {
            continue;
        }
        let leak = ready.outputs.iter().find(|(_, other)| !other.sensitive && other.value.contains(&output.value));
        ensure!(leak.is_none(), "the output {leak:?} tells the value of {name:?}");
        let shown = format!("{ready:?}");
        ensure!(!shown.contains(&output.value), "debug output of the observation tells the value of {name:?}");
    }
    Ok(())
}

pub(super) async fn the_teardown_record_exists_as_soon_as_anything_does<F: Fixture>(
    stand: &mut Stand<'_, F>,
) -> Outcome {
    let order = stand.valid();
    let plan = stand.plan(&order).await?;
    ensure!(plan.teardown.id == order.id, "the teardown record of the plan is of another order");
    let applied = stand
        .provider
        .apply(&stand.with_seal(&order), &plan.hash(), &LEASE.into())
        .await
        .map_err(|e| describe("apply", &e))?;
    let ready = stand.converge(&order, LEASE).await?;
    for (when, observation) in [("the first apply", applied), ("ready", ready), ("observe", stand.observe().await?)] {
        let Some(teardown) = &observation.teardown else { return Err(format!("there is no record after {when}")) };
        ensure!(*teardown == through_json(teardown)?, "the record after {when} does not survive JSON");
        ensure!(!teardown.inventory.is_empty(), "the record after {when} names nothing");
    }
    Ok(())
}

pub(super) async fn an_apply_cut_short_can_be_repeated_or_torn_down<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let patience = [0, 1, 8, 64, 256].map(Duration::from_millis);
    for patience in patience {
        stand.id.uid = new_uid();
        cut_short(stand, patience, LEASE).await?;
        stand.converge(&stand.valid(), LEASE).await?;
    }
    for (patience, epoch) in patience.into_iter().zip(1..) {
        stand.id.uid = new_uid();
        let plan = cut_short(stand, patience, Lease(epoch)).await?;
        stand.vanish(&plan.teardown, Lease(epoch + 1)).await?;
        let late = stand.provider.apply(&stand.valid(), &plan.hash(), &Lease(epoch).into()).await;
        expect_refusal("a late apply", late, &[ErrorKind::Stale])?;
        expect_gone(&stand.observe().await?)?;
    }
    Ok(())
}

/// Begins an apply, drops it after `patience`, and goes on as another process would.
async fn cut_short<F: Fixture>(stand: &mut Stand<'_, F>, patience: Duration, lease: Lease) -> Outcome<Plan> {
    let order = stand.valid();
    let plan = stand.plan(&order).await?;
    let (hash, run) = (plan.hash(), lease.into());
    if let Ok(Err(error)) =
        tokio::time::timeout(patience, stand.provider.apply(&stand.with_seal(&order), &hash, &run)).await
    {
        return Err(describe("apply", &error));
    }
    stand.restart().await?;
    Ok(plan)
}

pub(super) async fn a_restarted_process_finds_all_of_it<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let order = stand.valid();
    let before = stand.converge(&order, LEASE).await?;
    stand.restart().await?;
    expect_same(&before, &stand.observe().await?)?;
    let plan = stand.plan(&order).await?;
    ensure!(plan.changes.is_empty(), "after a restart there are changes: {:?}", plan.changes);
    Ok(())
}

pub(super) async fn what_cannot_be_reached_is_never_gone<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let order = stand.valid();
    let ready = stand.converge(&order, LEASE).await?;
    let plan = stand.plan(&order).await?;
    stand.fixture.cut_off(&stand.provider).await;
    let observed = stand.observe().await;
    let deleted = stand.provider.delete(&plan.teardown, &LEASE.into()).await;
    stand.fixture.reconnect(&stand.provider).await;

    let observed = observed?;
    ensure!(observed.phase != Phase::Gone, "observe said Gone");
    ensure!(observed.phase != Phase::Ready, "observe said Ready without any evidence");
    if let Ok(deleted) = deleted {
        ensure!(deleted.phase != Phase::Gone, "delete said Gone");
    } else {
        let again = stand.converge(&order, LEASE).await?;
        expect_same(&ready, &again)?;
    }
    Ok(())
}

pub(super) async fn delete_needs_only_the_teardown_record_and_is_idempotent<F: Fixture>(
    stand: &mut Stand<'_, F>,
) -> Outcome {
    let order = stand.valid();
    let never_made = stand.plan(&order).await?.teardown;
    stand.vanish(&never_made, LEASE).await?;

    let ready = stand.converge(&order, LEASE).await?;
    let Some(teardown) = ready.teardown else { return Err("there is no teardown record".into()) };
    let teardown = through_json(&teardown)?;
    stand.restart().await?;
    for _ in 0..2 {
        stand.vanish(&teardown, LEASE).await?;
        expect_gone(&stand.observe().await?)?;
    }
    Ok(())
}

pub(super) async fn an_older_lease_is_refused<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let (older, newer) = (Lease(7), Lease(8));
    let order = stand.valid();
    stand.converge(&order, older).await?;
    let paused = stand.restart().await?;
    let ready = stand.converge(&order, newer).await?;
    let plan = stand.plan(&order).await?;

    expect_refusal("apply", paused.apply(&order, &plan.hash(), &older.into()).await, &[ErrorKind::Stale])?;
    expect_refusal("delete", paused.delete(&plan.teardown, &older.into()).await, &[ErrorKind::Stale])?;
    expect_same(&ready, &stand.observe().await?)?;

    stand.vanish(&plan.teardown, newer).await?;
    let plan = stand.plan(&order).await?;
    expect_refusal(
        "apply after deletion",
        paused.apply(&order, &plan.hash(), &older.into()).await,
        &[ErrorKind::Stale],
    )?;
    expect_gone(&stand.observe().await?)
}

pub(super) async fn another_order_of_the_same_name_starts_fresh<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let first = stand.valid();
    let ready = stand.converge(&first, LEASE).await?;
    let Some(teardown) = ready.teardown.clone() else { return Err("there is no teardown record".into()) };

    stand.id = OrderId { uid: new_uid(), ..first.id.clone() };
    expect_gone(&stand.observe().await?)?;
    let second = stand.valid();
    let fresh = stand.converge(&second, LEASE).await?;
    for name in &stand.orders.sensitive {
        let shared = ready.outputs.get(name) == fresh.outputs.get(name);
        ensure!(!shared, "both orders have the same {name:?}");
    }
    stand.vanish(&teardown, LEASE).await?;
    expect_same(&fresh, &stand.observe().await?)
}

pub(super) fn nobodys_plan() -> PlanHash {
    PlanHash("0".repeat(64))
}

pub(super) fn through_json(teardown: &Teardown) -> Outcome<Teardown> {
    let text = serde_json::to_string(teardown).map_err(|e| format!("the record cannot be written: {e}"))?;
    serde_json::from_str(&text).map_err(|e| format!("the record cannot be read back: {e}"))
}

pub(super) fn expect_gone(observation: &Observation) -> Outcome {
    ensure!(observation.phase == Phase::Gone, "instead of Gone it is {}", seen(observation));
    ensure!(observation.teardown.is_none(), "what is gone has a teardown record");
    Ok(())
}

/// Compares what lasts: the message and the next look may differ from one look to the next.
pub(super) fn expect_same(before: &Observation, after: &Observation) -> Outcome {
    ensure!(before.phase == after.phase, "it was {}, then {}", seen(before), seen(after));
    ensure!(before.outputs == after.outputs, "the outputs changed: {:?}, then {:?}", before.outputs, after.outputs);
    ensure!(before.teardown == after.teardown, "the teardown record changed");
    Ok(())
}

pub(super) fn expect_refusal(what: &str, result: Result<Observation, Error>, kinds: &[ErrorKind]) -> Outcome {
    match result {
        Ok(observation) => Err(format!("{what} was not refused; it is {}", seen(&observation))),
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        Err(error) => Err(describe(what, &error)),
    }
}
