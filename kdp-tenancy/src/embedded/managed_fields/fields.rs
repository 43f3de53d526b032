//! Sets of field paths, and their FieldsV1 form.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::PathElement;

/// A set of field paths, as the tree of their steps.
///
/// A parent is not implied by its children: `.spec.replicas` may be in the set without `.spec`.
/// No subtree without a member is kept, so equal sets are equal trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    member: bool,
    children: BTreeMap<PathElement, Self>,
}

impl FieldSet {
    /// The set of the one path that ends here.
    pub(crate) fn here() -> Self {
        Self { member: true, children: BTreeMap::new() }
    }

    /// The set of these paths of map keys.
    pub(crate) fn of_fields(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let leaf = path.iter().rev().fold(Self::here(), |child, name| Self {
                member: false,
                children: BTreeMap::from([(PathElement::Field((*name).to_owned()), child)]),
            });
            set.extend(&leaf);
        }
        set
    }

    /// Whether the path that ends here is in the set.
    pub(crate) fn is_member(&self) -> bool {
        self.member
    }

    /// Adds the path that ends here.
    pub(crate) fn add_self(&mut self) {
        self.member = true;
    }

    /// Whether no path is in the set.
    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    /// The paths below `element`, seen from there.
    pub(crate) fn child(&self, element: &PathElement) -> Option<&Self> {
        self.children.get(element)
    }

    /// The first steps of the paths, each with the paths below it.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&PathElement, &Self)> {
        self.children.iter()
    }

    /// Puts the paths of `child` below `element`.
    pub(crate) fn insert_child(&mut self, element: PathElement, child: Self) {
        if !child.is_empty() {
            self.children.entry(element).or_default().absorb(child);
        }
    }

    /// Rewrites each first step's subtree; emptied ones are dropped.
    pub(crate) fn update_children(&mut self, mut update: impl FnMut(&PathElement, &mut Self)) {
        self.children.retain(|element, child| {
            update(element, child);
            !child.is_empty()
        });
    }

    /// Union with `other`.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.member |= other.member;
        for (element, child) in &other.children {
            match self.children.get_mut(element) {
                Some(mine) => mine.extend(child),
                None => _ = self.children.insert(element.clone(), child.clone()),
            }
        }
    }

    /// Takes away the paths of `other`; a parent's removal leaves its children.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.member &= !other.member;
        for (element, child) in &other.children {
            if let Some(mine) = self.children.get_mut(element) {
                mine.subtract(child);
                if mine.is_empty() {
                    self.children.remove(element);
                }
            }
        }
    }

    /// Takes away these top-level fields and everything below them.
    pub(crate) fn forget(&mut self, names: &[&str]) {
        for name in names {
            self.children.remove(&PathElement::Field((*name).to_owned()));
        }
    }

    /// The paths in both sets.
    #[must_use]
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut both = Self { member: self.member && other.member, children: BTreeMap::new() };
        for (element, child) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                both.insert_child(element.clone(), child.intersection(theirs));
            }
        }
        both
    }

    /// Read as the fields of an object: those left when `gone`, and all below it, is removed.
    ///
    /// A container that loses everything in it is left as a field of its own.
    #[must_use]
    pub(crate) fn after_removal(&self, gone: &Self) -> Self {
        let mut left = Self { member: self.member, children: BTreeMap::new() };
        for (element, child) in &self.children {
            match gone.children.get(element) {
                Some(gone) if gone.member => {}
                Some(gone) => {
                    let mut child_left = child.after_removal(gone);
                    child_left.member |= child_left.children.is_empty();
                    left.insert_child(element.clone(), child_left);
                }
                None => left.insert_child(element.clone(), child.clone()),
            }
        }
        left
    }

    /// Whether every path of this set is in `other`.
    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.member <= other.member
            && self
                .children
                .iter()
                .all(|(element, child)| other.children.get(element).is_some_and(|theirs| child.is_subset(theirs)))
    }

    /// Every path as text, members of a level before what is below them.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths(&mut String::new(), &mut paths);
        paths
    }

    /// The FieldsV1 form.
    pub(crate) fn to_json(&self) -> Value {
        let mut node = Map::new();
        if self.member && !self.children.is_empty() {
            node.insert(".".into(), Value::Object(Map::new()));
        }
        node.extend(self.children.iter().map(|(element, child)| (element.encode(), child.to_json())));
        Value::Object(node)
    }

    /// Reads the FieldsV1 form; elements of unknown kinds are left out.
    ///
    /// # Errors
    /// When a node is no object, or an element is malformed.
    pub(crate) fn from_json(json: &Value) -> Result<Self, String> {
        let mut set = Self::node_from_json(json)?;
        // Nobody owns "the entire object".
        set.member = false;
        Ok(set)
    }

    fn node_from_json(json: &Value) -> Result<Self, String> {
        let node = json.as_object().ok_or_else(|| format!("expected an object, got {json}"))?;
        let mut set = Self::default();
        for (key, below) in node {
            if key == "." {
                set.member = true;
            } else if let Some(element) = PathElement::decode(key)? {
                set.insert_child(element, Self::node_from_json(below)?);
            }
        }
        set.member |= set.children.is_empty();
        Ok(set)
    }

    fn absorb(&mut self, other: Self) {
        if self.is_empty() { *self = other } else { self.extend(&other) }
    }

    fn collect_paths(&self, prefix: &mut String, paths: &mut Vec<String>) {
        let members = self.children.iter().filter(|(_, child)| child.member);
        paths.extend(members.map(|(element, _)| format!("{prefix}{element}")));
        for (element, child) in &self.children {
            let length = prefix.len();
            prefix.push_str(&element.to_string());
            child.collect_paths(prefix, paths);
            prefix.truncate(length);
        }
    }
}
