//! The two stages in which a workspace waits for controllers of its types, and those controllers.

use kdp_core::{Identity, LogicalClusterName, api::tenancy::PHASE_LABEL};
use serde_json::{Map, Value};
use sha2::{Digest, Sha224};

use crate::embedded::object::object_at;

/// The longest that the name of a label may be.
const LABEL_LENGTH: usize = 63;

/// A stage in which a workspace waits for the controllers of its types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Before it is ready.
    Initializing,
    /// Before its content is deleted.
    Terminating,
}

impl Stage {
    pub(crate) const ALL: [Self; 2] = [Self::Initializing, Self::Terminating];

    /// The phase of a workspace in this stage.
    pub(crate) fn phase(self) -> &'static str {
        match self {
            Self::Initializing => "Initializing",
            Self::Terminating => "Terminating",
        }
    }

    /// The field with the names of those who are waited for.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Initializing => "initializers",
            Self::Terminating => "terminators",
        }
    }

    /// What the virtual workspace of this stage is called in URLs.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Initializing => "initializingworkspaces",
            Self::Terminating => "terminatingworkspaces",
        }
    }

    /// The stage of a virtual workspace.
    pub(crate) fn of_service(service: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.service() == service)
    }

    /// What the URL of this stage is for, as a WorkspaceType says it.
    pub(crate) fn url_type(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Terminating => "terminating",
        }
    }

    /// The verb on a WorkspaceType that its controller needs.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Initializing => "initialize",
            Self::Terminating => "terminate",
        }
    }

    fn label_prefix(self) -> &'static str {
        match self {
            Self::Initializing => "initializer.internal.kcp.io/",
            Self::Terminating => "terminator.internal.kcp.io/",
        }
    }

    fn group_prefix(self) -> &'static str {
        match self {
            Self::Initializing => "system:kcp:initializer:",
            Self::Terminating => "system:kcp:terminator:",
        }
    }

    /// The label of a workspace that has `name` in its list.
    pub(crate) fn label(self, name: &str) -> (String, String) {
        let hash = format!("{:x}", Sha224::digest(name));
        let prefix = self.label_prefix();
        (format!("{prefix}{}", &hash[..LABEL_LENGTH - prefix.len()]), hash)
    }

    /// Whether a label is one of those.
    pub(crate) fn owns_label(self, key: &str) -> bool {
        key.starts_with(self.label_prefix())
    }

    /// Whether these are the labels of a workspace in this stage.
    pub(crate) fn is_in(self, labels: &Map<String, Value>) -> bool {
        labels.get(PHASE_LABEL).and_then(Value::as_str) == Some(self.phase())
    }

    /// Those who are waited for in this stage.
    pub(crate) fn waiting(self, object: &Value) -> &[Value] {
        object["status"][self.list()].as_array().map_or(&[], Vec::as_slice)
    }

    /// Whether a LogicalCluster is in this stage and waits for `name`.
    pub(crate) fn is_waiting_for(self, object: &Value, name: &str) -> bool {
        object["status"]["phase"] == self.phase() && self.waiting(object).iter().any(|other| other == name)
    }
}

/// Brings the labels of an object to what its lists say.
pub(crate) fn label_stages(object: &mut Value) {
    let labels: Vec<_> = Stage::ALL
        .into_iter()
        .flat_map(|stage| stage.waiting(object).iter().filter_map(Value::as_str).map(move |name| stage.label(name)))
        .collect();
    let map = object_at(&mut object["metadata"], "labels");
    map.retain(|key, _| !Stage::ALL.iter().any(|stage| stage.owns_label(key)));
    map.extend(labels.into_iter().map(|(key, value)| (key, value.into())));
}

/// The controller of a WorkspaceType in one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Controller {
    stage: Stage,
    cluster: LogicalClusterName,
    type_name: String,
}

impl Controller {
    /// The controller called `<logical cluster>:<type>`; `None` for what no type can be called.
    pub(crate) fn parse(stage: Stage, name: &str) -> Option<Self> {
        let (cluster, type_name) = name.rsplit_once(':')?;
        let cluster: LogicalClusterName =
            cluster.parse().ok().filter(|cluster: &LogicalClusterName| !cluster.is_system())?;
        (!type_name.is_empty()).then(|| Self { stage, cluster, type_name: type_name.into() })
    }

    /// The controller as which an identity acts: one that a virtual workspace let in.
    pub(crate) fn acting(identity: &Identity) -> Option<Self> {
        identity.groups.iter().find_map(|group| {
            Stage::ALL.into_iter().find_map(|stage| Self::parse(stage, group.strip_prefix(stage.group_prefix())?))
        })
    }

    /// The group of an identity that acts as this controller.
    pub(crate) fn group(&self) -> String {
        format!("{}{}", self.stage.group_prefix(), self.name())
    }

    /// Takes away what nobody can be: only a virtual workspace lets somebody act as a controller.
    pub(crate) fn disown(identity: &mut Identity) {
        identity.groups.retain(|group| !Stage::ALL.iter().any(|stage| group.starts_with(stage.group_prefix())));
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.cluster, self.type_name)
    }

    /// Where the type is.
    pub(crate) fn cluster(&self) -> &LogicalClusterName {
        &self.cluster
    }

    pub(crate) fn type_name(&self) -> &str {
        &self.type_name
    }
}
