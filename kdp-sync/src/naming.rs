//! Names of copies on the service cluster.

use serde_json::Value;

use crate::{
    api::{ResourceNaming, Scope},
    diagnostic::Diagnostics,
    hash, object,
    template::{self, Dialect, Template, is_template},
};

/// How copies are named.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    name: Pattern,
    namespace: Pattern,
}

/// Where an order is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) cluster: &'a str,
    /// Empty unless the published resource asks for workspace paths.
    pub(crate) path: &'a str,
}

#[derive(Clone, Debug)]
enum Pattern {
    Default,
    Placeholders(String),
    Template(Template),
}

impl Naming {
    pub(crate) fn compile(naming: Option<&ResourceNaming>, faults: &mut Diagnostics) -> Self {
        let mut pattern = |field: &str, text: Option<&String>| {
            let compiled = text.filter(|text| !text.is_empty()).map(|text| Pattern::compile(text));
            compiled.and_then(|result| faults.check(format!("spec.naming.{field}"), result)).unwrap_or(Pattern::Default)
        };
        Self {
            name: pattern("name", naming.map(|naming| &naming.name)),
            namespace: pattern("namespace", naming.map(|naming| &naming.namespace)),
        }
    }

    /// Whether copies of orders of different workspaces may be in the same namespace.
    pub(crate) fn shares_namespace(&self) -> bool {
        !matches!(self.namespace, Pattern::Default) && !self.namespace.tells_workspace()
    }

    /// Whether orders of different workspaces never give the same name and namespace.
    pub(crate) fn keeps_workspaces_apart(&self, scope: Scope) -> bool {
        self.name.tells_workspace() || (scope == Scope::Namespaced && !self.shares_namespace())
    }

    /// Whether tenants choose the namespaces of copies, and may choose one that is not theirs.
    pub(crate) fn chooses_namespaces(&self) -> bool {
        self.namespace.is_chosen_by(|keys| keys != ["ClusterPath"])
    }

    /// Whether tenants choose the names of copies: not as digests, nor next to the name of their
    /// workspace.
    pub(crate) fn is_tenants_choice(&self) -> bool {
        self.name.is_chosen_by(|_| true)
    }

    /// The name of the copy; by default the short digests of the order's namespace and name.
    pub(crate) fn name(&self, origin: Origin<'_>, order: &Value) -> Result<String, String> {
        let default = || {
            let short = |text: &str| hash::sha3(text)[..hash::SHORT].to_owned();
            format!("{}-{}", short(object::namespace(order).unwrap_or_default()), short(object::name(order)))
        };
        self.name.render("spec.naming.name", origin, order, default)
    }

    /// The namespace of the copy; by default the logical cluster of the order.
    pub(crate) fn namespace(&self, origin: Origin<'_>, order: &Value) -> Result<String, String> {
        self.namespace.render("spec.naming.namespace", origin, order, || origin.cluster.to_owned())
    }
}

/// Whether what the template gives tells the order's workspace. The path does not count: it is
/// empty unless asked for, and another workspace may have it later.
pub(crate) fn names_workspace(template: &Template) -> bool {
    template.tells("ClusterName")
}

/// Longer names first, because some are the beginning of others.
const PLACEHOLDERS: [&str; 5] =
    ["$remoteNamespaceHash", "$remoteClusterName", "$remoteNamespace", "$remoteNameHash", "$remoteName"];

impl Pattern {
    fn compile(text: &str) -> Result<Self, String> {
        if is_template(text) {
            return Template::parse(text, Dialect::Text).map(Self::Template).map_err(|e| e.to_string());
        }
        let rest = PLACEHOLDERS.iter().fold(text.to_owned(), |rest, known| rest.replace(known, ""));
        match rest.split_once('$') {
            None => Ok(Self::Placeholders(text.into())),
            Some((_, unknown)) => {
                let unknown: String = unknown.chars().take_while(char::is_ascii_alphanumeric).collect();
                Err(format!("${unknown} is not a placeholder; known are {}", PLACEHOLDERS.join(", ")))
            }
        }
    }

    /// Whether it tells the order's workspace: placeholders at one end, and set off from the rest, for
    /// names of workspaces have neither dashes nor dots.
    fn tells_workspace(&self) -> bool {
        const CLUSTER: &str = "$remoteClusterName";
        let is_set_off = |rest: &str, end: Option<char>| rest.is_empty() || matches!(end, Some('-' | '.'));
        match self {
            Self::Default => false,
            Self::Placeholders(text) => {
                text.strip_prefix(CLUSTER).is_some_and(|rest| is_set_off(rest, rest.chars().next()))
                    || text.strip_suffix(CLUSTER).is_some_and(|rest| is_set_off(rest, rest.chars().last()))
            }
            Self::Template(template) => names_workspace(template),
        }
    }

    /// Whether it depends on more than digests and the UID, in what `counts`, and does not tell the
    /// workspace.
    fn is_chosen_by(&self, counts: impl Fn(&[&str]) -> bool) -> bool {
        let reads_words = match self {
            Self::Default => false,
            Self::Placeholders(text) => {
                let rest = text.replace("$remoteNamespaceHash", "").replace("$remoteNameHash", "");
                rest.contains("$remoteName")
            }
            Self::Template(template) => {
                template.reads().iter().any(|keys| *keys != ["Object", "metadata", "uid"] && counts(keys))
            }
        };
        reads_words && !self.tells_workspace()
    }

    fn render(
        &self,
        field: &str,
        origin: Origin<'_>,
        order: &Value,
        default: impl FnOnce() -> String,
    ) -> Result<String, String> {
        let text = match self {
            Self::Default => default(),
            Self::Placeholders(text) => PLACEHOLDERS
                .iter()
                .fold(text.clone(), |text, placeholder| text.replace(placeholder, &value(placeholder, origin, order))),
            Self::Template(template) => {
                let mut order = order.clone();
                // A cluster-scoped order has no namespace; templates may use it nevertheless.
                object::child(&mut order, "metadata").entry("namespace").or_insert_with(|| "".into());
                let scope = template::Scope::default()
                    .with_json("Object", &order)
                    .with_text("ClusterName", origin.cluster)
                    .with_text("ClusterPath", origin.path);
                template.render(&scope).map_err(|e| format!("{field}: {e}"))?
            }
        };
        if text.is_empty() { Err(format!("{field}: gives an empty name")) } else { Ok(text) }
    }
}

fn value(placeholder: &str, origin: Origin<'_>, order: &Value) -> String {
    let namespace = object::namespace(order).unwrap_or_default();
    match placeholder {
        "$remoteClusterName" => origin.cluster.to_owned(),
        "$remoteNamespace" => namespace.to_owned(),
        "$remoteNamespaceHash" => hash::sha1_short(namespace),
        "$remoteNameHash" => hash::sha1_short(object::name(order)),
        _ => object::name(order).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORIGIN: Origin<'_> = Origin { cluster: "abc", path: "root:abc" };

    fn compile(name: &str) -> Result<Naming, Vec<crate::Diagnostic>> {
        let mut faults = Diagnostics::default();
        let naming = ResourceNaming { name: name.into(), namespace: String::new() };
        let naming = Naming::compile(Some(&naming), &mut faults);
        faults.finish(Some(naming))
    }

    fn name(text: &str, order: &Value) -> Result<String, String> {
        compile(text).unwrap().name(ORIGIN, order)
    }

    #[test]
    fn the_default_is_the_existing_agents() {
        let order = json!({"metadata": {"namespace": "objnamespace", "name": "objname"}});
        assert_eq!(name("", &order).unwrap(), "2928c2aa0e510f017f07-73d08a1ba188f1340dae");
        assert_eq!(compile("").unwrap().namespace(ORIGIN, &order).unwrap(), "abc");
    }

    #[test]
    fn cluster_scoped_orders_get_names_too() {
        let order = json!({"metadata": {"name": "objname"}});
        assert!(name("", &order).unwrap().ends_with("-73d08a1ba188f1340dae"));
        assert_eq!(name("{{ .Object.metadata.namespace | sha3short }}", &order).unwrap().len(), 20);
    }

    #[test]
    fn placeholders_are_replaced_longest_first() {
        let order = json!({"metadata": {"namespace": "default", "name": "my-crontab"}});
        assert_eq!(name("$remoteClusterName-$remoteNamespace-$remoteName", &order).unwrap(), "abc-default-my-crontab");
        assert_eq!(
            name("$remoteNamespaceHash-$remoteNameHash", &order).unwrap(),
            "7505d64a54e061b7acd5-5e88753c0b240e552663"
        );
        assert_eq!(compile("$remoteKind").unwrap_err()[0].field, "spec.naming.name");
    }

    #[test]
    fn templates_see_the_order_and_its_workspace() {
        let order = json!({"metadata": {"namespace": "default", "name": "a"}});
        assert_eq!(name("{{ .ClusterName }}-{{ .Object.metadata.name }}", &order).unwrap(), "abc-a");
        assert_eq!(name("{{ replace \":\" \"-\" .ClusterPath }}", &order).unwrap(), "root-abc");
        assert!(name("{{ \"\" }}", &order).is_err());
        assert_eq!(compile("{{ env \"A\" }}").unwrap_err()[0].field, "spec.naming.name");
    }
}
