//! Importing: taking what exists as what was ordered.

use std::sync::Arc;

use super::{
    Shop,
    draft::read_state,
    inputs::Inputs,
    notes::{self, IMPORTED, INPUTS, Notes},
    repair::state_of,
    state::StateSession,
    stored::Stored,
};
use crate::{
    Error, ErrorKind,
    provider::{Order, OrderId, Run},
};

impl Shop {
    /// Takes over what `existing` names as `ADDRESS=ID`, both in the terms of the engine.
    pub(super) async fn take_over(self: Arc<Self>, order: Order, existing: String, run: Run) -> Result<(), Error> {
        let id = &order.id;
        let invalid = |message: String| Error::new(ErrorKind::Invalid, "import", id, message);
        let Some((address, real)) =
            existing.split_once('=').filter(|(address, real)| !address.is_empty() && !real.is_empty())
        else {
            return Err(invalid(format!(
                "{existing:?} names nothing; write ADDRESS=ID, such as aws_s3_bucket.main=logs"
            )));
        };
        let Some(kind) = kind_of(address) else {
            return Err(invalid(format!("{address:?} is no address of a resource")));
        };
        let inputs = Inputs::of(&order, &self.module, &self.options)?;
        // One after the other: two orders would both find that nobody has it.
        let _importing = self.importing.lock().await;
        self.check_nobodys(id, kind, real).await?;
        let session = self.begin(id, &run).await?;
        let outcome = self.import(&session, id, &inputs, &existing, (address, real), &run).await;
        outcome.and(session.end().await)
    }

    async fn import(
        &self,
        session: &StateSession,
        id: &OrderId,
        inputs: &Inputs,
        existing: &str,
        (address, real): (&str, &str),
        run: &Run,
    ) -> Result<(), Error> {
        self.settle(session, id, run).await?;
        let mut imported = Notes::of(&session.notes().await?).imported;
        let state = state_of(session, id).await?.unwrap_or_default();
        let there = state.ids(address);
        if !imported.contains(existing) && !there.contains(&real) {
            if !there.is_empty() {
                let message = format!("there is another one at {address} already");
                return Err(Error::new(ErrorKind::Forbidden, "import", id, message));
            }
            let module = self.prepared(session, inputs, id).await?;
            let lock_file = module.lock_file().map_err(|e| super::engine::unavailable("import", id, e))?;
            session.keep(INPUTS, inputs.to_bytes(lock_file).into()).await?;
            self.take_in(session, id, inputs, run, address, real).await?;
        }
        if imported.insert(existing.into()) {
            session.note(IMPORTED, notes::value(&imported)).await?;
        }
        Ok(())
    }

    /// # Errors
    /// `Forbidden` when another order has it. All states are read for this, as importing is rare.
    async fn check_nobodys(&self, id: &OrderId, kind: &str, real: &str) -> Result<(), Error> {
        for other in self.states.orders().await? {
            if other == *id {
                continue;
            }
            let snapshot = self.states.latest(&other).await?;
            let state = read_state(snapshot.as_ref(), &other)?;
            if state.as_ref().is_some_and(|state| Stored::real_things(state).any(|thing| thing == (kind, real))) {
                let message = format!("{kind} {real:?} is another order's");
                return Err(Error::new(ErrorKind::Forbidden, "import", id, message));
            }
        }
        Ok(())
    }
}

/// The kind in an address such as `module.a["x.y"].aws_s3_bucket.main[0]`.
fn kind_of(address: &str) -> Option<&str> {
    let mut rest = address;
    while let Some(module) = rest.strip_prefix("module.") {
        let name = module.find(['.', '[']).filter(|end| *end > 0)?;
        rest = &module[name..];
        if rest.starts_with('[') {
            rest = rest.split_once(']')?.1;
        }
        rest = rest.strip_prefix('.')?;
    }
    let (kind, name) = rest.split_once('.')?;
    let is_name =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    (is_name(kind) && kind != "data" && !name.is_empty()).then_some(kind)
}
