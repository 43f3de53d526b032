//! Who waits for an export or a type, by how they refer to it.
//!
//! A reference names a workspace by a path, which can be written in several ways and need not lead
//! anywhere yet. It is kept as it is written: whoever asks knows every way to write its own path, so
//! what happens in one workspace wakes nobody who waits for another.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::queue::Work;

/// What is waited for in a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// The APIExport of this name.
    Export(String),
    /// The WorkspaceType of this name.
    Type(String),
    /// Any WorkspaceType anywhere, for lack of knowing which one is missing; at the path "".
    AnyType,
}

/// Something in the workspace at a path.
pub(crate) type Awaited = (String, Topic);

/// See the module. Whoever waits for nothing takes no place here.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    by_topic: BTreeMap<Awaited, HashSet<Work>>,
    awaited: HashMap<Work, Vec<Awaited>>,
}

impl Waiting {
    /// Says what `who` waits for from now on; returns whether that is something new.
    pub(crate) fn set(&mut self, who: &Work, awaited: Vec<Awaited>) -> bool {
        if self.awaited.get(who).map_or(&[][..], Vec::as_slice) == awaited {
            return false;
        }
        for topic in self.awaited.remove(who).unwrap_or_default() {
            if let Some(waiting) = self.by_topic.get_mut(&topic) {
                waiting.remove(who);
                if waiting.is_empty() {
                    self.by_topic.remove(&topic);
                }
            }
        }
        if awaited.is_empty() {
            return false;
        }
        for topic in &awaited {
            self.by_topic.entry(topic.clone()).or_default().insert(who.clone());
        }
        self.awaited.insert(who.clone(), awaited);
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.awaited.is_empty()
    }

    /// Who waits for something in the workspace at `path`.
    pub(crate) fn on(&self, path: &str, topic: &Topic) -> impl Iterator<Item = &Work> {
        self.by_topic.get(&(path.to_owned(), topic.clone())).into_iter().flatten()
    }

    /// Who waits for anything in the workspace at `path`, or below it.
    pub(crate) fn at_or_below(&self, path: &str) -> impl Iterator<Item = &Work> {
        let from = |path: String| (path, Topic::Export(String::new()));
        // Right behind the colon comes the semicolon, so nothing but what is below lies between these two.
        let itself = self.by_topic.range(from(path.to_owned())..).take_while(move |((at, _), _)| at == path);
        let below = self.by_topic.range(from(format!("{path}:"))..from(format!("{path};")));
        itself.chain(below).flat_map(|(_, waiting)| waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(name: &str) -> Work {
        Work::Binding { cluster: "a".parse().unwrap(), name: name.into() }
    }

    fn export(path: &str, name: &str) -> Awaited {
        (path.into(), Topic::Export(name.into()))
    }

    #[test]
    fn only_who_refers_to_this_export_in_this_workspace_is_found() {
        let mut waiting = Waiting::default();
        waiting.set(&binding("x"), vec![export("root:p", "e")]);
        waiting.set(&binding("other-name"), vec![export("root:p", "f")]);
        waiting.set(&binding("other-place"), vec![export("root:q", "e")]);
        let found: Vec<_> = waiting.on("root:p", &Topic::Export("e".into())).collect();
        assert_eq!(found, [&binding("x")]);
        assert!(waiting.on("root:p", &Topic::Type("e".into())).next().is_none());
    }

    #[test]
    fn a_workspace_that_appears_wakes_who_waits_at_its_path_or_below() {
        let mut waiting = Waiting::default();
        for path in ["root:p", "root:p:q", "root:p-2", "root:pq", "root", "p"] {
            waiting.set(&binding(path), vec![export(path, "e")]);
        }
        let found: HashSet<_> = waiting.at_or_below("root:p").cloned().collect();
        assert_eq!(found, HashSet::from([binding("root:p"), binding("root:p:q")]));
    }

    #[test]
    fn what_is_awaited_is_replaced_and_nothing_is_left_behind() {
        let mut waiting = Waiting::default();
        assert!(waiting.set(&binding("x"), vec![export("p", "e"), export("p", "f")]));
        assert!(!waiting.set(&binding("x"), vec![export("p", "e"), export("p", "f")]));
        assert!(waiting.set(&binding("x"), vec![export("p", "f")]));
        assert!(waiting.on("p", &Topic::Export("e".into())).next().is_none());
        assert!(!waiting.set(&binding("x"), Vec::new()));
        assert!(waiting.is_empty() && waiting.by_topic.is_empty());
    }
}
