//! How orders become composite resources.

use std::{collections::BTreeMap, time::Duration};

use sha2::{Digest, Sha256};

use super::{connection::Connection, render::Renderer, target::Target};
use crate::{Error, ErrorKind, provider::OrderId};

/// The longest name of a namespace.
const LONGEST_LABEL: usize = 63;

/// What a [`CrossplaneProvider`](super::CrossplaneProvider) makes of orders.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CrossplaneOptions {
    pub(super) name: String,
    pub(super) target: Target,
    pub(super) namespaces: Namespaces,
    pub(super) composition: Option<String>,
    pub(super) pin: Option<Pin>,
    pub(super) connection: Option<Connection>,
    pub(super) collection: GarbageCollection,
    pub(super) limits: WalkLimits,
    pub(super) renderer: Option<Renderer>,
}

impl CrossplaneOptions {
    /// Orders become objects of this kind in these namespaces.
    ///
    /// Composite resources without a namespace use the namespace for their connection Secret alone.
    #[must_use]
    pub fn new(target: Target, namespaces: Namespaces) -> Self {
        Self {
            name: "crossplane".into(),
            target,
            namespaces,
            composition: None,
            pin: None,
            connection: None,
            collection: GarbageCollection::ByCluster,
            limits: WalkLimits::default(),
            renderer: None,
        }
    }

    /// The same under another name. Providers that are driven by different runners and use one
    /// cluster need different names, because each has a fence of its own. Lower case letters, digits,
    /// dashes and dots: it is part of the name of a Lease.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same; orders are composed by this Composition instead of the one that the definition,
    /// or the labels of Compositions, choose.
    #[must_use]
    pub fn with_composition(mut self, name: impl Into<String>) -> Self {
        self.composition = Some(name.into());
        self
    }

    /// The same; orders stay on the revision of their Composition that the pin says, so that a new one is rolled
    /// out when the platform says so and not when it is published.
    #[must_use]
    pub fn with_pin(mut self, pin: Pin) -> Self {
        self.pin = Some(pin);
        self
    }

    /// The same; orders have connection details.
    #[must_use]
    pub fn with_connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    /// The same; composed resources of what is deleted are removed like this.
    #[must_use]
    pub fn with_garbage_collection(mut self, collection: GarbageCollection) -> Self {
        self.collection = collection;
        self
    }

    /// The same; plans that change the object tell what becomes of what it is composed of as well. Such
    /// a plan is current as long as the functions of the Composition answer the same.
    ///
    /// Functions get neither credentials nor resources that they require beyond what is composed.
    /// Claims cannot be rendered: their plans are refused as `Unsupported`.
    #[must_use]
    pub fn with_renderer(mut self, renderer: Renderer) -> Self {
        self.renderer = Some(renderer);
        self
    }

    /// The same; the reason why something is not ready is looked for this far.
    #[must_use]
    pub fn with_walk_limits(mut self, limits: WalkLimits) -> Self {
        self.limits = limits;
        self
    }
}

/// In which namespace an order is made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Namespaces {
    /// All in one, which exists.
    Fixed(String),
    /// Each workspace has one of its own, named `<prefix>-<logical cluster>` and made when it is
    /// first needed. No other namespace may have that prefix.
    PerWorkspace {
        /// What the names begin with.
        prefix: String,
    },
}

impl Namespaces {
    /// The namespace of an order.
    ///
    /// `Invalid` when each workspace has its own and the order is in none.
    pub(super) fn of(&self, id: &OrderId) -> Result<String, Error> {
        match (self, &id.workspace) {
            (Self::Fixed(namespace), _) => Ok(namespace.clone()),
            (Self::PerWorkspace { prefix }, Some(workspace)) => {
                let name = format!("{prefix}-{workspace}");
                if name.len() <= LONGEST_LABEL && !name.contains(':') {
                    return Ok(name);
                }
                let digest = format!("{:x}", Sha256::digest(workspace.as_str()));
                Ok(format!("{prefix}-{}", &digest[..32]))
            }
            (Self::PerWorkspace { .. }, None) => {
                let message = "workspace: each workspace has a namespace of its own, and the order is in none";
                Err(Error::new(ErrorKind::Invalid, "place", id, message))
            }
        }
    }
}

/// Which revision of its Composition an order stays on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pin {
    /// On the CompositionRevision of this name, until the pin is another one.
    Revision(String),
    /// On the newest CompositionRevision with these labels: whoever labels revisions says how they
    /// are rolled out.
    Labels(BTreeMap<String, String>),
}

/// Who removes composed resources once their composite resource is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GarbageCollection {
    /// The garbage collector of the cluster, which is part of its controller manager.
    ByCluster,
    /// This provider: for API servers without a garbage collector. Composite resources get a
    /// finalizer, so that what they are composed of stays known until it is gone.
    ByProvider,
}

/// How far the reason why something is not ready is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalkLimits {
    /// Levels of composed resources below the object; 4 by default.
    pub depth: usize,
    /// Objects that are read; 50 by default.
    pub objects: usize,
    /// Time it may take; 5 s by default.
    pub time: Duration,
}

impl Default for WalkLimits {
    fn default() -> Self {
        Self { depth: 4, objects: 50, time: Duration::from_secs(5) }
    }
}

impl WalkLimits {
    /// Up to so many levels, and so many objects, for so long.
    #[must_use]
    pub fn new(depth: usize, objects: usize, time: Duration) -> Self {
        Self { depth, objects, time }
    }
}

#[cfg(test)]
mod tests;
