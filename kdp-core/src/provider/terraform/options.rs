//! What a platform decides about the orders of a module.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    time::Duration,
};

use serde_json::Value;

use crate::provider::{OrderId, Weight};

/// What a platform decides about the orders of a module.
#[derive(Clone)]
#[non_exhaustive]
pub struct TerraformOptions {
    pub(super) environment: BTreeMap<String, String>,
    pub(super) plugins: Plugins,
    pub(super) given: BTreeMap<String, Given>,
    pub(super) sensitive: BTreeSet<String>,
    pub(super) endpoints: BTreeMap<String, String>,
    pub(super) plan_timeout: Duration,
    pub(super) apply_timeout: Duration,
    pub(super) grace: Duration,
    pub(super) parallelism: u32,
    pub(super) memory: Weight,
    pub(super) ambiguous: Ambiguous,
    pub(super) imports: bool,
}

impl Default for TerraformOptions {
    /// Plugins from the registry, ten minutes to plan, an hour to apply, a minute to come to an end,
    /// ten resources at once, 700 MiB for a run, no imports.
    fn default() -> Self {
        Self {
            environment: BTreeMap::new(),
            plugins: Plugins::Registry,
            given: BTreeMap::new(),
            sensitive: BTreeSet::new(),
            endpoints: BTreeMap::new(),
            plan_timeout: Duration::from_secs(600),
            apply_timeout: Duration::from_secs(3600),
            grace: Duration::from_secs(60),
            parallelism: 10,
            memory: Weight::mib(700),
            ambiguous: Ambiguous::Retry,
            imports: false,
        }
    }
}

impl TerraformOptions {
    /// The same; the engine finds this variable in its environment, such as a credential of the cloud.
    ///
    /// It inherits nothing of the environment of the platform but `PATH`.
    #[must_use]
    pub fn with_environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// The same with another place where the plugins of the engine come from.
    #[must_use]
    pub fn with_plugins(mut self, plugins: Plugins) -> Self {
        self.plugins = plugins;
        self
    }

    /// The same; the platform says what this variable of the module is, and no order can.
    #[must_use]
    pub fn with_given(mut self, variable: impl Into<String>, given: Given) -> Self {
        self.given.insert(variable.into(), given);
        self
    }

    /// The same; this variable is sensitive, even where the module does not say so.
    #[must_use]
    pub fn with_sensitive(mut self, variable: impl Into<String>) -> Self {
        self.sensitive.insert(variable.into());
        self
    }

    /// The same; this output of the module is the address of an endpoint.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>, output: impl Into<String>) -> Self {
        self.endpoints.insert(endpoint.into(), output.into());
        self
    }

    /// The same with other limits of how long planning and applying may take.
    #[must_use]
    pub fn with_timeouts(mut self, plan: Duration, apply: Duration) -> Self {
        (self.plan_timeout, self.apply_timeout) = (plan, apply);
        self
    }

    /// The same with another time that an interrupted engine has to come to an end, before it is killed.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The same; one run works on this many resources at once.
    #[must_use]
    pub fn with_parallelism(mut self, parallelism: u32) -> Self {
        self.parallelism = parallelism.max(1);
        self
    }

    /// The same with the memory that one run needs.
    #[must_use]
    pub fn with_memory(mut self, memory: Weight) -> Self {
        self.memory = memory;
        self
    }

    /// The same with another answer to creations of which nobody knows how they ended.
    #[must_use]
    pub fn with_ambiguous(mut self, ambiguous: Ambiguous) -> Self {
        self.ambiguous = ambiguous;
        self
    }

    /// The same; what exists is taken over where the platform asks for it.
    #[must_use]
    pub fn with_imports(mut self) -> Self {
        self.imports = true;
        self
    }
}

impl fmt::Debug for TerraformOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of the environment are credentials.
        f.debug_struct("TerraformOptions")
            .field("environment", &self.environment.keys())
            .field("plugins", &self.plugins)
            .field("given", &self.given.keys())
            .finish_non_exhaustive()
    }
}

/// Where the plugins of the engine come from, which it calls providers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plugins {
    /// From their registry, and kept for all orders.
    Registry,
    /// From a directory in the layout of a filesystem mirror, and from nowhere else. It is never written to.
    Mirror(PathBuf),
}

/// What the platform says a variable is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Given {
    /// The UID of the order: what is named by it belongs to no other order.
    Uid,
    /// The name of the ordering object.
    Name,
    /// The namespace of the ordering object; empty when it has none.
    Namespace,
    /// The logical cluster of the ordering object; empty when there is none.
    Workspace,
    /// This value.
    Value(Value),
}

impl Given {
    pub(super) fn value(&self, id: &OrderId) -> Value {
        match self {
            Self::Uid => id.uid.clone().into(),
            Self::Name => id.name.clone().into(),
            Self::Namespace => id.namespace.clone().into(),
            Self::Workspace => id.workspace.as_ref().map(ToString::to_string).unwrap_or_default().into(),
            Self::Value(value) => value.clone(),
        }
    }
}

/// What to do when the engine was killed while it was creating something, and nobody knows whether that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ambiguous {
    /// Create it again: right for modules that name what they make by [`Given::Uid`], because a name
    /// that is taken is an error and no second thing.
    #[default]
    Retry,
    /// Change nothing until somebody has looked and [said so](super::TerraformProvider::clear_doubt).
    Hold,
}
