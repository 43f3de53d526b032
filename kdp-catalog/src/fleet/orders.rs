//! The orders of a service in all workspaces, and their releases.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use kdp_core::{Endpoint, Error, SharedControlPlane, api::CLUSTER_ANNOTATION};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    runtime::watcher::Event,
};
use semver::Version;
use serde_json::json;

use crate::{
    lifecycle::waves::{Instance, Phase},
    provision::RELEASE_OUTPUT,
    reach::Reach,
    resolution::RELEASE,
};

/// What is known of all orders.
pub(super) struct Orders {
    reach: Reach,
    /// By UID.
    known: HashMap<String, Known>,
    /// What a list that is under way has told so far.
    listed: Option<HashMap<String, Known>>,
    is_complete: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Known {
    cluster: String,
    namespace: Option<String>,
    name: String,
    resource_version: String,
    labels: BTreeMap<String, String>,
    /// Which release it is led to, and which it has.
    release: Option<(Version, Phase)>,
    since: Timestamp,
    message: String,
}

impl Orders {
    pub(super) fn new(control_plane: SharedControlPlane, endpoint: Endpoint, kind: ApiResource) -> Self {
        let reach = Reach { control_plane, endpoint, kind };
        Self { reach, known: HashMap::new(), listed: None, is_complete: false }
    }

    pub(super) fn all(&self) -> Result<Api<DynamicObject>, Error> {
        self.reach.all()
    }

    /// Whether all orders were heard of.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Notes a change, and says whether it matters.
    pub(super) fn hear(&mut self, event: Event<DynamicObject>) -> bool {
        match event {
            Event::Init => {
                self.listed = Some(HashMap::new());
                false
            }
            Event::InitApply(object) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(object.uid().unwrap_or_default(), Known::of(&object));
                }
                false
            }
            Event::InitDone => {
                self.known = self.listed.take().unwrap_or_default();
                self.is_complete = true;
                true
            }
            Event::Apply(object) => {
                let known = Known::of(&object);
                let is_same = |before: &Known| (&before.release, &before.labels) == (&known.release, &known.labels);
                let uid = object.uid().unwrap_or_default();
                let is_news = !self.known.get(&uid).is_some_and(is_same);
                self.known.insert(uid, known);
                is_news
            }
            Event::Delete(object) => self.known.remove(&object.uid().unwrap_or_default()).is_some(),
        }
    }

    pub(super) fn fleet(&self) -> Vec<Instance> {
        let instance = |(uid, known): (&String, &Known)| {
            let (version, phase) = known.release.clone()?;
            let instance = Instance::new(uid, version, phase, known.since).with_labels(known.labels.clone());
            Some(instance.with_message(known.message.clone()))
        };
        self.known.iter().filter_map(instance).collect()
    }

    /// Leads an order to a release, unless it has changed meanwhile.
    pub(super) async fn lead(&self, uid: &str, to: &Version) -> Result<(), Error> {
        let Some(known) = self.known.get(uid) else { return Ok(()) };
        let orders = self.reach.of(&known.cluster, known.namespace.as_deref())?;
        let patch = Patch::Merge(json!({"metadata": {
            "resourceVersion": known.resource_version, "annotations": {RELEASE: to.to_string()},
        }}));
        match orders.patch(&known.name, &PatchParams::default(), &patch).await {
            Ok(_) => Ok(()),
            // It is heard of again, and then decided anew.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
            Err(error) => Err(Error::from_kube("upgrade", &known.name, error)),
        }
    }
}

impl Known {
    fn of(object: &DynamicObject) -> Self {
        let status = &object.data["status"];
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready");
        let changed = ready.and_then(|ready| ready["lastTransitionTime"].as_str()?.parse().ok());
        let created = object.creation_timestamp().map(|created| created.0);
        Self {
            cluster: object.annotations().get(CLUSTER_ANNOTATION).cloned().unwrap_or_default(),
            namespace: object.namespace(),
            name: object.name_any(),
            resource_version: object.resource_version().unwrap_or_default(),
            labels: object.labels().clone(),
            release: release(object),
            since: changed.or(created).unwrap_or(Timestamp::UNIX_EPOCH),
            message: status["message"].as_str().unwrap_or_default().into(),
        }
    }
}

/// Which release an order is led to, and how it is there; none when it has none.
fn release(object: &DynamicObject) -> Option<(Version, Phase)> {
    let status = &object.data["status"];
    let has: Version = status[RELEASE_OUTPUT].as_str()?.parse().ok()?;
    let led_to = object.annotations().get(RELEASE).and_then(|text| text.parse().ok()).unwrap_or_else(|| has.clone());
    let is_current = status["observedGeneration"].as_i64() == object.metadata.generation;
    let phase = match status["phase"].as_str() {
        _ if object.metadata.deletion_timestamp.is_some() => Phase::Gone,
        // It was ready when it was led there, so that is about the new release.
        Some("Blocked") => Phase::Failed,
        Some("Ready") if is_current && has == led_to => Phase::Ready,
        _ => Phase::Progressing,
    };
    Some((led_to, phase))
}
