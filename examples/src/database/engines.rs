//! One provider for a kind that several providers make.

use std::sync::Arc;

use async_trait::async_trait;
use kdp_core::{
    Error, ErrorKind, Provider,
    provider::{Observation, Order, OrderId, Output, Phase, Plan, PlanHash, Run, Teardown},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{Engine, Offer};

/// Hands each order to the provider of the engine that its `spec` names, and notes the engine in
/// what is sealed, because deleting knows nothing but that.
#[derive(Debug, Default)]
pub(super) struct Engines(Vec<(Offer, Arc<dyn Provider>)>);

/// What is sealed: the engine, and what its provider seals.
#[derive(Serialize, Deserialize)]
struct Sealed {
    engine: Engine,
    #[serde(default)]
    data: Value,
}

impl Engines {
    pub(super) fn add(&mut self, offer: Offer, provider: impl Provider) {
        self.0.push((offer, Arc::new(provider)));
    }

    pub(super) fn offers(&self) -> Vec<Offer> {
        self.0.iter().map(|(offer, _)| offer.clone()).collect()
    }

    fn provider(&self, engine: Engine) -> Result<&dyn Provider, Error> {
        let found = self.0.iter().find(|(offer, _)| offer.engine == engine);
        found.map(|(_, provider)| &**provider).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "provide", engine, format!("{engine} is not offered on this machine"))
        })
    }

    /// The provider of an order, the engine, and the order as that provider knows it.
    fn ordered(&self, order: &Order) -> Result<(&dyn Provider, Engine, Order), Error> {
        let engine = Engine::deserialize(&order.spec["engine"])
            .map_err(|e| Error::new(ErrorKind::Invalid, "read", &order.id, format!("engine: {e}")))?;
        let sealed = order.sealed.as_ref().map(|sealed| unwrap(sealed).map(|(_, inner)| inner)).transpose()?;
        Ok((self.provider(engine)?, engine, order.clone().with_sealed(sealed)))
    }
}

#[async_trait]
impl Provider for Engines {
    fn name(&self) -> &str {
        "databases"
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        let (provider, engine, order) = self.ordered(order)?;
        let mut plan = provider.plan(&order, run).await?;
        plan.teardown = wrap(engine, plan.teardown)?;
        Ok(plan)
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        let (provider, engine, order) = self.ordered(order)?;
        wrapped(engine, provider.apply(&order, plan, run).await?)
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        if let Some(sealed) = sealed {
            let (engine, inner) = unwrap(sealed)?;
            return wrapped(engine, self.provider(engine)?.observe(order, Some(&inner)).await?);
        }
        // Names are made of the order's UID, so that one engine at most knows it.
        for (offer, provider) in &self.0 {
            let seen = provider.observe(order, None).await?;
            if seen.phase != Phase::Gone {
                return wrapped(offer.engine, seen);
            }
        }
        Ok(Observation::new(Phase::Gone))
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        let (engine, inner) = unwrap(sealed)?;
        wrapped(engine, self.provider(engine)?.delete(&inner, run).await?)
    }
}

/// The observation as an order's consumer gets it: with the engine, which no single provider needs to tell.
fn wrapped(engine: Engine, mut observation: Observation) -> Result<Observation, Error> {
    observation.teardown = observation.teardown.map(|inner| wrap(engine, inner)).transpose()?;
    if !observation.outputs.is_empty() {
        observation.outputs.insert("engine".into(), Output::plain(engine.as_str()));
    }
    Ok(observation)
}

fn wrap(engine: Engine, mut teardown: Teardown) -> Result<Teardown, Error> {
    let sealed = Sealed { engine, data: teardown.data.take() };
    teardown.data = serde_json::to_value(sealed).map_err(|e| {
        Error::new(ErrorKind::Internal, "seal", &teardown.id, "it cannot be written as JSON").with_source(e)
    })?;
    Ok(teardown)
}

fn unwrap(sealed: &Teardown) -> Result<(Engine, Teardown), Error> {
    let Sealed { engine, data } = Sealed::deserialize(&sealed.data).map_err(|e| {
        Error::new(ErrorKind::Invalid, "read the record of", &sealed.id, "it names no engine").with_source(e)
    })?;
    Ok((engine, sealed.clone().with_data(data)))
}

#[cfg(test)]
mod tests;
