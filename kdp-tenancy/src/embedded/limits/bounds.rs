//! Which limits hold for which workspace: what the WorkspaceLimits of its parent say, what kcp's
//! annotation on its LogicalCluster says, and the default of the control plane.

use std::collections::HashMap;

use kdp_core::api::limits::{DEFAULT_LIMITS_NAME, WorkspaceLimitsSpec};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// For every workspace that no object in its parent speaks of.
    fallback: Option<WorkspaceLimitsSpec>,
    /// Every WorkspaceLimits, by the logical cluster it is in and its name.
    objects: HashMap<String, HashMap<String, WorkspaceLimitsSpec>>,
    /// Those of `objects` that have the name of a workspace, by its logical cluster.
    children: HashMap<String, WorkspaceLimitsSpec>,
    /// What the annotation says, by logical cluster.
    totals: HashMap<String, u64>,
}

impl Bounds {
    pub(super) fn new(fallback: Option<WorkspaceLimitsSpec>) -> Self {
        Self { fallback, ..Self::default() }
    }

    /// What holds where no object says anything.
    pub(super) fn fallback(&self) -> Option<WorkspaceLimitsSpec> {
        self.fallback
    }

    /// Whether there is any limit at all.
    pub(super) fn is_empty(&self) -> bool {
        self.fallback.is_none() && self.objects.is_empty() && self.totals.is_empty()
    }

    /// The limits of a logical cluster of its own; what is above it limits it too.
    pub(super) fn of(&self, cluster: &str, parent: Option<&str>) -> WorkspaceLimitsSpec {
        let named = || self.children.get(cluster).copied();
        let for_all = |parent: &str| self.objects.get(parent)?.get(DEFAULT_LIMITS_NAME).copied();
        let mut bounds =
            parent.and_then(|parent| named().or_else(|| for_all(parent)).or(self.fallback)).unwrap_or_default();
        if let Some(total) = self.totals.get(cluster) {
            bounds.objects = Some(bounds.objects.map_or(*total, |objects| objects.min(*total)));
        }
        bounds
    }

    /// A WorkspaceLimits in `parent` was written, or deleted; `child` is the workspace of its name.
    pub(super) fn set(&mut self, parent: &str, name: &str, child: Option<&str>, bounds: Option<WorkspaceLimitsSpec>) {
        match bounds {
            Some(bounds) => {
                self.objects.entry(parent.into()).or_default().insert(name.into(), bounds);
            }
            None => {
                if let Some(objects) = self.objects.get_mut(parent) {
                    objects.remove(name);
                    if objects.is_empty() {
                        self.objects.remove(parent);
                    }
                }
            }
        }
        if let Some(child) = child {
            self.attach(child, parent, name);
        }
    }

    /// The workspace `name` in `parent` is the logical cluster `child`.
    pub(super) fn attach(&mut self, child: &str, parent: &str, name: &str) {
        match self.objects.get(parent).and_then(|objects| objects.get(name)) {
            Some(bounds) => self.children.insert(child.into(), *bounds),
            None => self.children.remove(child),
        };
    }

    /// The workspace is gone.
    pub(super) fn detach(&mut self, child: &str) {
        self.children.remove(child);
    }

    /// What the annotation of a LogicalCluster says now.
    pub(super) fn set_total(&mut self, cluster: &str, total: Option<u64>) {
        match total {
            Some(total) => self.totals.insert(cluster.into(), total),
            None => self.totals.remove(cluster),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(objects: u64) -> WorkspaceLimitsSpec {
        WorkspaceLimitsSpec { objects: Some(objects), ..WorkspaceLimitsSpec::default() }
    }

    #[test]
    fn the_object_of_the_workspace_comes_before_that_for_all_and_that_before_the_default() {
        let mut bounds = Bounds::new(Some(objects(1)));
        assert_eq!(bounds.of("c", Some("p")), objects(1));
        bounds.set("p", "default", None, Some(objects(2)));
        assert_eq!(bounds.of("c", Some("p")), objects(2));
        bounds.set("p", "child", Some("c"), Some(objects(3)));
        assert_eq!(bounds.of("c", Some("p")), objects(3));
        assert_eq!(bounds.of("other", Some("p")), objects(2));
        assert_eq!(bounds.of("root", None), WorkspaceLimitsSpec::default());
        bounds.set("p", "child", Some("c"), None);
        assert_eq!(bounds.of("c", Some("p")), objects(2));
    }

    #[test]
    fn an_object_that_was_there_before_its_workspace_counts() {
        let mut bounds = Bounds::default();
        bounds.set("p", "child", None, Some(objects(3)));
        bounds.attach("c", "p", "child");
        assert_eq!(bounds.of("c", Some("p")), objects(3));
        bounds.detach("c");
        assert_eq!(bounds.of("c", Some("p")), WorkspaceLimitsSpec::default());
    }

    #[test]
    fn the_tighter_of_object_and_annotation_holds() {
        let mut bounds = Bounds::default();
        bounds.set_total("c", Some(5));
        assert_eq!(bounds.of("c", None), objects(5));
        bounds.set("p", "default", None, Some(objects(3)));
        assert_eq!(bounds.of("c", Some("p")), objects(3));
        bounds.set_total("c", None);
        bounds.set("p", "default", None, None);
        assert!(bounds.is_empty());
    }
}
