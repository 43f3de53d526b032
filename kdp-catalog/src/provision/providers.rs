//! The providers that offerings bind.

use std::{collections::BTreeMap, fmt, sync::Arc};

use kdp_core::{Error, ErrorKind, Provider};

use crate::offering::ProviderBinding;

/// Where the providers come from that offerings bind.
pub trait Providers: fmt::Debug + Send + Sync + 'static {
    /// The provider of a binding, on a service cluster where there is a placement.
    ///
    /// Equal arguments give providers of the same things, in every process and for as long as anything of
    /// theirs exists: what was made is found and removed through it, also when its offering is gone.
    ///
    /// # Errors
    /// `NotFound` when there is none, naming what there is.
    fn get(&self, binding: &ProviderBinding, cluster: Option<&str>) -> Result<Arc<dyn Provider>, Error>;

    /// All that can be enumerated, each once. They are asked for orders of which nothing is remembered: such an
    /// order is only made anew when none of them has anything of it.
    fn all(&self) -> Vec<Arc<dyn Provider>>;
}

/// Providers by their names, each for all service clusters or for one.
#[derive(Clone, Debug, Default)]
pub struct ProviderMap(BTreeMap<(String, Option<String>), Arc<dyn Provider>>);

impl ProviderMap {
    /// No providers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a provider that knows itself where things are made.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, provider: impl Provider) -> Self {
        self.0.insert((name.into(), None), Arc::new(provider));
        self
    }

    /// The same with the provider of this name on one service cluster.
    #[must_use]
    pub fn with_cluster(
        mut self,
        name: impl Into<String>,
        cluster: impl Into<String>,
        provider: impl Provider,
    ) -> Self {
        self.0.insert((name.into(), Some(cluster.into())), Arc::new(provider));
        self
    }
}

impl Providers for ProviderMap {
    fn get(&self, binding: &ProviderBinding, cluster: Option<&str>) -> Result<Arc<dyn Provider>, Error> {
        let on_cluster = (binding.name.clone(), cluster.map(str::to_owned));
        let anywhere = (binding.name.clone(), None);
        if let Some(provider) = self.0.get(&on_cluster).or_else(|| self.0.get(&anywhere)) {
            return Ok(provider.clone());
        }
        let known: Vec<_> = self.0.keys().map(describe).collect();
        let message = format!("the platform has only {}", known.join(", "));
        Err(Error::new(ErrorKind::NotFound, "find the provider", describe(&on_cluster), message))
    }

    fn all(&self) -> Vec<Arc<dyn Provider>> {
        self.0.values().cloned().collect()
    }
}

fn describe((name, cluster): &(String, Option<String>)) -> String {
    match cluster {
        Some(cluster) => format!("{name} on {cluster}"),
        None => name.clone(),
    }
}
