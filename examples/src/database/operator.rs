//! The operator: has a [`Runner`] drive the providers for every [`Database`] of a service cluster.

use std::fmt;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Namespace;
use kdp_core::{
    Component, ComponentContext, Error, Provider, Runner,
    api::install_crd,
    runner::{Home, Reach, RunnerOptions},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, ObjectMeta, Patch, PatchParams},
};

use super::{
    engines::Engines,
    spec::{Database, Offer, crd},
};

/// Of the operator, and of the namespace that keeps its records: tenants do not reach the service cluster.
const NAME: &str = "database-operator";

/// Drives one provider for each engine, for every `Database` of a service cluster.
///
/// It installs the kind, in which only the engines of its providers can be ordered; the rest is
/// what a [`Runner`] does for any kind.
pub struct DatabaseOperator {
    client: Client,
    engines: Engines,
}

impl DatabaseOperator {
    /// An operator that works on the cluster behind `client`, without providers yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, engines: Engines::default() }
    }

    /// The same with a provider that makes what `offer` says.
    #[must_use]
    pub fn with_provider(mut self, offer: Offer, provider: impl Provider) -> Self {
        self.engines.add(offer, provider);
        self
    }
}

impl fmt::Debug for DatabaseOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseOperator").field("engines", &self.engines).finish_non_exhaustive()
    }
}

#[async_trait]
impl Component for DatabaseOperator {
    fn name(&self) -> &str {
        NAME
    }

    async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
        let Self { client, engines } = *self;
        install_crd(&client, &crd(&engines.offers()), NAME).await?;
        ensure_namespace(&client).await?;
        let mut options = RunnerOptions::default();
        for output in ["endpoint", "version", "storage"] {
            options = options.with_status_output(output);
        }
        let kind = ApiResource::erase::<Database>(&());
        let home = Home::new(client.clone(), NAME);
        let runner = Runner::new(NAME, engines, kind, Reach::cluster(client), home).with_options(options);
        Box::new(runner).run(context).await
    }
}

async fn ensure_namespace(client: &Client) -> Result<(), Error> {
    let metadata = ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let applied = Api::<Namespace>::all(client.clone())
        .patch(&namespace.name_any(), &PatchParams::apply(NAME), &Patch::Apply(&namespace))
        .await;
    applied.map(drop).map_err(|e| Error::from_kube("make the namespace", NAME, e))
}
