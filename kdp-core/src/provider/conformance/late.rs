//! Cases about what comes later or rarely: operations that are cut short, records that are lost,
//! things that are taken over or no longer wanted.

use std::{future::Future, pin::pin, task::Poll};

use super::{
    Fixture,
    cases::{LEASE, SHORTEST_SECRET, expect_gone, expect_same},
    ensure, seen,
    stand::{Outcome, Stand, describe, new_uid},
};
use crate::{
    ErrorKind,
    provider::{ActionCall, ChangeAction, Order, OrderId, Phase, Plan, Provider, Run},
};

/// After so many awaits an apply is cut short, unless it ends before.
const AWAITS: [usize; 7] = [1, 2, 3, 4, 6, 12, 24];

pub(super) async fn an_apply_dropped_at_any_await_makes_nothing_twice<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let before = stand.fixture.count(&stand.provider).await;
    for awaits in AWAITS {
        stand.id.uid = new_uid();
        let order = stand.valid();
        let plan = stand.plan(&order).await?;
        let (hash, run) = (plan.hash(), Run::new(LEASE));
        let order = stand.with_seal(&order);
        let ended = up_to(awaits, stand.provider.apply(&order, &hash, &run)).await;
        if let Some(Err(error)) = &ended {
            return Err(describe("apply", error));
        }
        if awaits.is_multiple_of(2) {
            stand.restart().await?;
        }
        stand.converge(&order, LEASE).await?;
        if let (Some(before), Some(after)) = (before, stand.fixture.count(&stand.provider).await) {
            ensure!(after == before + 1, "after an apply that was dropped there are {} more things", after - before);
        }
        stand.vanish(&stand.sealed()?, LEASE).await?;
        let left = stand.fixture.count(&stand.provider).await;
        ensure!(left == before, "there were {before:?} things, and {left:?} are left");
        if ended.is_some() {
            break;
        }
    }
    Ok(())
}

/// The outcome of the future, unless it has to wait more often than that.
async fn up_to<T>(awaits: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut waited) = (pin!(future), 0);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => {
            waited += 1;
            if waited >= awaits { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

pub(super) async fn a_lost_record_never_makes_anything_look_gone<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let order = stand.valid();
    let ready = stand.converge(&order, LEASE).await?;
    let blind = stand.provider.observe(&stand.id, None).await.map_err(|e| describe("observe", &e))?;
    ensure!(blind.phase != Phase::Gone, "without its record a ready order is Gone");
    if blind.phase == Phase::Unknown { Ok(()) } else { expect_same(&ready, &blind) }
}

pub(super) async fn a_plan_tells_no_secret<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let order = stand.valid();
    let mut plans = vec![stand.plan(&order).await?];
    let ready = stand.converge(&order, LEASE).await?;
    plans.push(stand.plan(&stand.changed()).await?);
    let outputs = ready.outputs.values().filter(|output| output.sensitive).map(|output| output.value.clone());
    let secrets = outputs.chain(stand.orders.secret_input.clone()).filter(|secret| secret.len() >= SHORTEST_SECRET);
    for secret in secrets {
        for plan in &plans {
            let shown = format!("{plan:?} {}", shown(plan)?);
            ensure!(!shown.contains(&secret), "a plan tells a secret, in {}", plan.summary());
        }
        ensure!(!ready.message.contains(&secret), "the message of an observation tells a secret");
    }
    Ok(())
}

/// All of a plan that is shown to people; its teardown record is not.
fn shown(plan: &Plan) -> Outcome<String> {
    let text = serde_json::to_string(&(&plan.basis, &plan.changes));
    text.map_err(|e| format!("the plan cannot be written: {e}"))
}

pub(super) async fn what_is_no_longer_wanted_is_planned_and_removed<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let Some(larger) = stand.orders.larger.clone() else { return Ok(()) };
    let larger = stand.order(1, larger);
    stand.converge(&larger, LEASE).await?;
    let before = stand.sealed()?;
    let smaller = Order::new(stand.id.clone(), 2, stand.orders.valid.clone());
    let plan = stand.plan(&smaller).await?;
    let is_planned = plan.changes.iter().any(|change| change.action == ChangeAction::Delete);
    ensure!(is_planned, "removing what is no longer wanted is not in the plan: {}", plan.summary());
    stand.converge(&smaller, LEASE).await?;
    let after = stand.sealed()?;
    ensure!(after.stale().next().is_none(), "the record still has what is not wanted: {:?}", after.inventory);
    ensure!(after.inventory.len() < before.inventory.len(), "nothing has left the record: {:?}", after.inventory);
    let observed = stand.observe().await?.teardown.map(|teardown| teardown.inventory.len());
    ensure!(
        observed == Some(after.inventory.len()),
        "observed are {observed:?} things, recorded {}",
        after.inventory.len()
    );

    // Back and forth, as quickly as people change their minds: what is wanted in the end is there.
    stand.plan(&larger).await?;
    stand.plan(&smaller).await?;
    stand.converge(&larger, LEASE).await?;
    let plan = stand.plan(&larger).await?;
    ensure!(plan.changes.is_empty(), "what is wanted again is not there: {}", plan.summary());
    Ok(())
}

pub(super) async fn what_exists_is_taken_over_by_one_order_only<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let run = Run::new(LEASE);
    let Some(existing) = stand.fixture.existing(&stand.provider).await else {
        let Err(error) = stand.provider.import(&stand.valid(), "no such thing", &run).await else {
            return Err("something that does not exist was taken over".into());
        };
        let kinds = [ErrorKind::Unsupported, ErrorKind::NotFound, ErrorKind::Invalid];
        ensure!(kinds.contains(&error.kind()), "{}", describe("import", &error));
        return expect_gone(&stand.observe().await?);
    };
    let order = stand.valid();
    let imported = stand.provider.import(&order, &existing, &run).await.map_err(|e| describe("import", &e))?;
    let Some(teardown) = imported.teardown.clone() else {
        return Err("there is no record of what was imported".into());
    };
    stand.seal(teardown);
    ensure!(imported.phase != Phase::Gone, "what was imported is {}", seen(&imported));
    if let Err(error) = stand.provider.import(&stand.valid(), &existing, &run).await {
        return Err(describe("import the same again", &error));
    }
    let thief = OrderId { uid: new_uid(), ..stand.id.clone() };
    let thief = Order::new(thief, 1, stand.orders.valid.clone());
    ensure!(stand.provider.import(&thief, &existing, &run).await.is_err(), "a second order has taken it over");
    stand.converge(&stand.valid(), LEASE).await?;
    stand.vanish(&stand.sealed()?, LEASE).await?;
    expect_gone(&stand.observe().await?)
}

pub(super) async fn an_action_that_does_not_exist_is_unsupported<F: Fixture>(stand: &mut Stand<'_, F>) -> Outcome {
    let actions = stand.provider.actions();
    for (index, action) in actions.iter().enumerate() {
        let is_unique = actions[..index].iter().all(|other| other.name != action.name);
        ensure!(is_unique, "there are two actions {:?}", action.name);
        ensure!(!action.description.is_empty(), "the action {:?} has no description", action.name);
    }
    let order = stand.valid();
    stand.converge(&order, LEASE).await?;
    let call = ActionCall::new(new_uid(), "no-such-action");
    match stand.provider.act(&stand.with_seal(&order), &call, &Run::new(LEASE)).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(error) => Err(describe("an action that does not exist", &error)),
        Ok(outcome) => Err(format!("an action that does not exist was done: {}", outcome.message)),
    }
}
