//! Finds the Secret with the connection details of an object, and none that is somebody else's.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::api::ApiResource;
use serde_json::Value;

use super::{
    cluster::{Cluster, Look},
    connection::SecretSource,
    desired::Place,
    record::{Composed, composed_by},
    target::Shape,
};
use crate::Error;

/// Crossplane's name of a composed resource, on that resource.
pub(super) const RESOURCE_NAME: &str = "crossplane.io/composition-resource-name";

/// What came of looking for a Secret.
pub(super) enum Found {
    Secret(Box<Secret>),
    /// There is none yet, and why.
    None(String),
    /// It cannot be told whether there is one, and why.
    Unseen(String),
}

/// Looks for the Secret of `object`, which exists.
pub(super) async fn find(cluster: &Cluster, source: &SecretSource, object: &Value, shape: Shape) -> Found {
    let finder = Finder { cluster, object, composed: composed_by(object, shape), shape };
    match source {
        SecretSource::Native => finder.native().await,
        SecretSource::Composed(name) => finder.composed(name).await,
        SecretSource::Path(path) => finder.at_path(path).await,
        SecretSource::Label(key, value) => match finder.labelled(&format!("{key}={value}")).await {
            Ok(found) => found,
            Err(error) => Found::Unseen(format!("the Secrets cannot be listed: {}", error.message())),
        },
    }
}

struct Finder<'a> {
    cluster: &'a Cluster,
    object: &'a Value,
    composed: BTreeSet<Composed>,
    shape: Shape,
}

impl Finder<'_> {
    async fn native(&self) -> Found {
        let reference = &self.shape.machine_fields(self.object)["writeConnectionSecretToRef"];
        // A claim's is in its own namespace, whatever it says.
        let namespace = self.namespace().or_else(|| reference["namespace"].as_str());
        match (namespace, reference["name"].as_str()) {
            (Some(namespace), Some(name)) => {
                let place = Place { namespace: Some(namespace.into()), name: name.into() };
                self.owned_at(&place).await
            }
            _ => Found::None("the object names no connection Secret".into()),
        }
    }

    async fn composed(&self, name: &str) -> Found {
        for composed in &self.composed {
            let object = match self.cluster.look_at(composed).await {
                Look::There(object) => object,
                Look::Absent => continue,
                Look::Unseen(why) => return Found::Unseen(why),
            };
            let is_it = object["metadata"]["annotations"][RESOURCE_NAME] == name && is_owner(self.object, &object);
            if !is_it {
                continue;
            }
            if is_secret(composed) {
                return as_secret(object);
            }
            return self.written_by(&object).await;
        }
        Found::None(format!("it has no composed resource {name:?} yet"))
    }

    /// The Secret that a managed resource writes: in its own namespace, or for one without a
    /// namespace where it says.
    async fn written_by(&self, managed: &Value) -> Found {
        let reference = &managed["spec"]["writeConnectionSecretToRef"];
        let namespace = managed["metadata"]["namespace"].as_str().or_else(|| reference["namespace"].as_str());
        let (Some(namespace), Some(name)) = (namespace, reference["name"].as_str()) else {
            return Found::None("the composed resource writes no connection Secret".into());
        };
        let place = Place { namespace: Some(namespace.into()), name: name.into() };
        match self.cluster.look(&secrets(), &place).await {
            Look::There(secret) if is_owner(managed, &secret) => as_secret(secret),
            Look::There(_) => Found::None(format!("the Secret {} is not that of the composed resource", place.id())),
            Look::Absent => Found::None(format!("the Secret {} is not there yet", place.id())),
            Look::Unseen(why) => Found::Unseen(why),
        }
    }

    async fn at_path(&self, path: &str) -> Found {
        let name = path.split('.').fold(self.object, |value, part| &value[part]).as_str();
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Found::None(format!("{path} does not name the Secret yet"));
        };
        let namespace = match self.namespace() {
            Some(namespace) => Some(namespace.to_owned()),
            // Of an object in no namespace, the reference to the Secret says where it is.
            None => {
                self.composed.iter().find(|one| is_secret(one) && one.name == name).and_then(|c| c.namespace.clone())
            }
        };
        match namespace {
            Some(namespace) => self.owned_at(&Place { namespace: Some(namespace), name: name.into() }).await,
            None => Found::None(format!("the Secret {name} is none of the composed resources")),
        }
    }

    async fn labelled(&self, label: &str) -> Result<Found, Error> {
        let Some(namespace) = self.namespace() else {
            return Ok(Found::None("an object in no namespace has no Secrets that a label could tell".into()));
        };
        for secret in self.cluster.labelled(&secrets(), namespace, label).await? {
            match self.is_ours(&secret).await {
                Ok(true) => return Ok(as_secret(secret)),
                Ok(false) => {}
                Err(why) => return Ok(Found::Unseen(why)),
            }
        }
        Ok(Found::None(format!("none of its Secrets bears the label {label} yet")))
    }

    async fn owned_at(&self, place: &Place) -> Found {
        let secret = match self.cluster.look(&secrets(), place).await {
            Look::There(secret) => secret,
            Look::Absent => return Found::None(format!("the Secret {} is not there yet", place.id())),
            Look::Unseen(why) => return Found::Unseen(why),
        };
        match self.is_ours(&secret).await {
            Ok(true) => as_secret(secret),
            Ok(false) => Found::None(format!("the Secret {} belongs to something else", place.id())),
            Err(why) => Found::Unseen(why),
        }
    }

    /// Whether a Secret belongs to the object: the object owns it, or it is composed, or something
    /// composed owns it. A name alone proves nothing, because tenants may choose names.
    async fn is_ours(&self, secret: &Value) -> Result<bool, String> {
        if is_owner(self.object, secret) {
            return Ok(true);
        }
        let owners: Vec<_> = owners(secret).collect();
        for composed in self.composed.iter().filter(|one| owners.iter().any(|owner| owner["name"] == one.name)) {
            match self.cluster.look_at(composed).await {
                Look::There(owner) if is_owner(self.object, &owner) && is_owner(&owner, secret) => return Ok(true),
                // The composite resource of a claim, which refers to it and is not owned by it.
                Look::There(owner) if self.is_bound(&owner) && is_owner(&owner, secret) => return Ok(true),
                Look::There(_) | Look::Absent => {}
                Look::Unseen(why) => return Err(why),
            }
        }
        Ok(false)
    }

    fn is_bound(&self, composite: &Value) -> bool {
        self.shape == Shape::Claim && is_bound(self.object, composite)
    }

    fn namespace(&self) -> Option<&str> {
        self.object["metadata"]["namespace"].as_str()
    }
}

/// Whether a composite resource stands for this claim.
pub(super) fn is_bound(claim: &Value, composite: &Value) -> bool {
    let bound = &composite["spec"]["claimRef"];
    let place = &claim["metadata"];
    bound["name"].is_string()
        && bound["namespace"].is_string()
        && bound["name"] == place["name"]
        && bound["namespace"] == place["namespace"]
}

/// Whether `object` is among the owners of `other`, by UID.
pub(super) fn is_owner(object: &Value, other: &Value) -> bool {
    let uid = &object["metadata"]["uid"];
    uid.is_string() && owners(other).any(|owner| owner["uid"] == *uid)
}

fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

fn is_secret(composed: &Composed) -> bool {
    composed.api_version == "v1" && composed.kind == "Secret"
}

fn secrets() -> ApiResource {
    ApiResource::erase::<Secret>(&())
}

fn as_secret(object: Value) -> Found {
    match serde_json::from_value(object) {
        Ok(secret) => Found::Secret(Box::new(secret)),
        Err(error) => Found::Unseen(format!("the Secret cannot be read: {error}")),
    }
}
