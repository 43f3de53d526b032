use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{EnvironmentSpec, GroupKind, Offering, Placement, Release};

fn database() -> GroupKind {
    GroupKind::new("db.example.com", "Database")
}

/// An offering of databases, with more in its `spec`.
fn offering(name: &str, more: Value) -> Offering {
    let mut spec = json!({
        "service": "db.example.com", "kind": {"group": "db.example.com", "kind": "Database"},
        "provider": {"name": "postgres"},
    });
    let Value::Object(more) = more else { panic!("it is no object") };
    spec.as_object_mut().unwrap().extend(more);
    Offering::new(name, serde_json::from_value(spec).unwrap())
}

fn release(offering: &str, version: &str, more: Value) -> Release {
    let mut spec = json!({"offering": offering, "version": version});
    let Value::Object(more) = more else { panic!("it is no object") };
    spec.as_object_mut().unwrap().extend(more);
    Release::new(&format!("{offering}-{version}"), serde_json::from_value(spec).unwrap())
}

fn stock(offerings: Vec<Offering>) -> Stock {
    Stock { offerings, ..Stock::default() }
}

fn stocked(stock: Stock) -> Shelf {
    let (shelf, faults) = Shelf::stock(stock);
    assert_eq!(faults, []);
    shelf
}

/// Everything around an order.
#[derive(Clone, Debug, Default)]
struct Around {
    workspace: WorkspaceFacts,
    environment: Option<EnvironmentFacts>,
    order: OrderFacts,
    usage: Usage,
}

impl Around {
    fn order(spec: Value) -> Self {
        let workspace = WorkspaceFacts { path: "root:acme".into(), ..WorkspaceFacts::default() };
        Self { workspace, order: OrderFacts { uid: "u-1".into(), spec, ..OrderFacts::default() }, ..Self::default() }
    }

    fn in_environment(mut self, name: &str, spec: Value) -> Self {
        let spec: EnvironmentSpec = serde_json::from_value(spec).unwrap();
        self.environment = Some(EnvironmentFacts { name: name.into(), labels: BTreeMap::new(), spec });
        self
    }

    fn in_workspace(mut self, label: &str, value: &str) -> Self {
        self.workspace.labels.insert(label.into(), value.into());
        self
    }

    fn labelled(mut self, label: &str, value: &str) -> Self {
        self.order.labels.insert(label.into(), value.into());
        self
    }

    fn selecting(mut self, annotations: &[(&str, &str)]) -> Self {
        let annotations = annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.order.selection = Selection::of(&annotations.collect()).unwrap();
        self
    }

    fn having(mut self, resolution: &Resolution) -> Self {
        self.order.current = Some(Current {
            offering: resolution.offering.clone(),
            provider: resolution.provider.name.clone(),
            version: resolution.version.clone(),
            cluster: resolution.placed.as_ref().map(|placed| placed.cluster.clone()),
        });
        self
    }

    fn resolve(&self, shelf: &Shelf) -> Result<Resolution, Refusal> {
        self.with(|request| shelf.resolve(request))
    }

    fn with<T>(&self, use_it: impl FnOnce(&Request<'_>) -> T) -> T {
        use_it(&Request {
            kind: &database(),
            workspace: &self.workspace,
            environment: self.environment.as_ref(),
            order: &self.order,
            usage: &self.usage,
            now: "2026-06-01T00:00:00Z".parse().unwrap(),
        })
    }
}

#[test]
fn the_offering_that_fits_most_closely_is_taken() {
    let shelf = stocked(stock(vec![
        offering("any", json!({})),
        offering("preferred", json!({"priority": 5})),
        offering("production", json!({"criteria": {"environmentTypes": ["production"]}})),
        offering("personal", json!({"criteria": {"environmentTypes": ["production"], "dataClasses": ["personal"]}})),
        offering("gold", json!({"criteria": {"workspaces": {"matchLabels": {"tier": "gold", "paid": "yes"}}}})),
    ]));
    let check = |around: Around, expected: &str| assert_eq!(around.resolve(&shelf).unwrap().offering, expected);
    let order = || Around::order(json!({}));
    check(order(), "preferred");
    check(order().in_environment("dev", json!({"type": "development"})), "preferred");
    check(order().in_environment("live", json!({"type": "production"})), "production");
    check(order().in_environment("live", json!({"type": "production", "dataClass": "personal"})), "personal");
    check(order().in_workspace("tier", "gold"), "preferred");
    let gold = || order().in_workspace("tier", "gold").in_workspace("paid", "yes");
    check(gold(), "gold");
    // As much is asked for; the names decide.
    check(gold().in_environment("live", json!({"type": "production", "dataClass": "personal"})), "gold");
    check(gold().selecting(&[(OFFERING, "any")]), "any");
}

#[test]
fn what_is_not_for_a_tenant_is_as_if_it_did_not_exist() {
    let shelf = stocked(stock(vec![
        offering("ours", json!({})),
        offering("secret-project", json!({"criteria": {"workspaces": {"matchLabels": {"team": "secret"}}}})),
    ]));
    let named = |name: &str| Around::order(json!({})).selecting(&[(OFFERING, name)]).resolve(&shelf).unwrap_err();
    let (hidden, missing) = (named("secret-project").to_string(), named("not-there-at-all").to_string());
    assert_eq!(hidden.replace("secret-project", "X"), missing.replace("not-there-at-all", "X"));
    assert!(hidden.contains("there is ours"), "{hidden}");
    let Refusal::NothingOffered { .. } = Around::order(json!({}))
        .resolve(&stocked(stock(vec![offering(
            "secret-project",
            json!({"criteria": {"workspaces": {"matchLabels": {"team": "secret"}}}}),
        )])))
        .unwrap_err()
    else {
        panic!("it is refused otherwise");
    };
}

#[test]
fn parameters_are_layered_and_say_where_they_come_from() {
    let mut stock = stock(vec![offering(
        "standard",
        json!({
            "parameters": {"engine": "postgres", "storage": {"class": "fast", "size": "1Gi"}, "tags": ["a"]},
            "plans": [{"name": "small"}, {"name": "large", "parameters": {"storage": {"size": "100Gi"}}}],
            "defaultPlan": "large",
        }),
    )]);
    stock.releases = vec![release("standard", "1.0.0", json!({"parameters": {"image": "pg:1"}}))];
    stock.defaults =
        HashMap::from([(database(), json!({"replicas": 1, "engine": "sqlite", "storage": {"size": "1Mi"}}))]);
    let shelf = stocked(stock);
    let environment = json!({"parameters": [
        {"kind": database(), "values": {"replicas": 3, "storage": {"class": "slow"}}},
        {"kind": {"group": "x", "kind": "Other"}, "values": {"replicas": 9}},
        {"kind": database(), "offering": "other", "values": {"replicas": 9}},
    ]});
    // The engine is the schema's default, which the API server filled in.
    let order = Around::order(json!({"engine": "sqlite", "tags": ["b"], "storage": {"class": null}}));
    let resolution = order.in_environment("live", environment).resolve(&shelf).unwrap();
    assert_eq!(
        resolution.parameters,
        json!({
            "engine": "postgres", "image": "pg:1", "replicas": 3, "storage": {"class": "slow", "size": "100Gi"},
            "tags": ["b"],
        })
    );
    let origins: Vec<_> = resolution.fields.iter().map(|field| format!("{} {}", field.path, field.origin)).collect();
    assert_eq!(
        origins,
        [
            "/engine offering standard",
            "/image release 1.0.0",
            "/replicas environment live",
            "/storage/class environment live",
            "/storage/size plan large",
            "/tags order",
        ]
    );
    let size = resolution.fields.iter().find(|field| field.path == "/storage/size").unwrap();
    let overridden = [(Origin::Offering("standard".into()), json!("1Gi")), (Origin::Default, json!("1Mi"))];
    assert_eq!(size.overridden, overridden);
}

#[test]
fn limits_hold_for_the_result_and_name_who_broke_them() {
    let shelf = stocked(stock(vec![offering(
        "standard",
        json!({
            "limits": {"properties": {"replicas": {"maximum": 3}, "engine": {"const": "postgres"}}},
            "parameters": {"engine": "postgres"},
            "plans": [{"name": "small", "limits": {"properties": {"replicas": {"maximum": 1}}}}, {"name": "large"}],
        }),
    )]));
    let fault = |around: Around| around.resolve(&shelf).unwrap_err().to_string();
    assert!(Around::order(json!({"replicas": 1})).resolve(&shelf).is_ok());
    let small = fault(Around::order(json!({"replicas": 2})));
    assert!(small.contains("/replicas") && !small.contains("from"), "{small}");
    assert!(Around::order(json!({"replicas": 2})).selecting(&[(PLAN, "large")]).resolve(&shelf).is_ok());
    let environment = json!({"parameters": [{"kind": database(), "values": {"replicas": 4, "engine": "mysql"}}]});
    let both = fault(Around::order(json!({})).in_environment("live", environment).selecting(&[(PLAN, "large")]));
    assert!(both.contains("/replicas") && both.contains("/engine") && both.contains("from environment live"), "{both}");
    let plan = fault(Around::order(json!({})).selecting(&[(PLAN, "huge")]));
    assert!(plan.contains("huge") && plan.contains("small, large"), "{plan}");
}

#[test]
fn what_is_made_keeps_its_offering_and_its_provider() {
    let before = stocked(stock(vec![offering("standard", json!({}))]));
    let made = Around::order(json!({})).resolve(&before).unwrap();
    let after = stocked(stock(vec![
        offering("standard", json!({"criteria": {"regions": ["eu"]}})),
        offering("better", json!({"priority": 9, "provider": {"name": "other"}})),
    ]));
    let order = Around::order(json!({})).having(&made);
    assert_eq!(order.resolve(&after).unwrap().offering, "standard");
    assert_eq!(order.clone().selecting(&[(OFFERING, "standard")]).resolve(&after).unwrap().offering, "standard");
    let moved = order.clone().selecting(&[(OFFERING, "better")]).resolve(&after).unwrap_err();
    assert!(matches!(&moved, Refusal::OtherProvider { from, to } if from == "postgres" && to == "other"), "{moved}");
    let gone = order.resolve(&stocked(stock(vec![]))).unwrap_err();
    assert_eq!(gone, Refusal::OfferingGone("standard".into()));
}

#[test]
fn releases_are_selected_by_version_range_and_channel() {
    let mut stock = stock(vec![offering(
        "standard",
        json!({"channels": [{"name": "stable", "releases": ["1.0.0", "1.1.0"]}], "version": {"channel": "stable"}}),
    )]);
    let deprecation =
        json!({"since": "2026-01-01T00:00:00Z", "replacement": "1.1.0", "retireAt": "2027-01-01T00:00:00Z"});
    stock.releases = vec![
        release("standard", "1.0.0", json!({"deprecation": deprecation})),
        release("standard", "1.1.0", json!({})),
        release("standard", "2.0.0", json!({})),
        release("standard", "0.9.0", json!({"retired": "2026-01-01T00:00:00Z"})),
    ];
    let shelf = stocked(stock);
    let version = |around: Around| around.resolve(&shelf).map(|resolution| resolution.version.unwrap().to_string());
    let order = || Around::order(json!({}));
    assert_eq!(version(order()).unwrap(), "1.1.0");
    assert_eq!(version(order().selecting(&[(VERSION, ">=1")])).unwrap(), "2.0.0");
    assert_eq!(version(order().in_environment("dev", json!({"version": {"range": "*"}}))).unwrap(), "2.0.0");
    assert_eq!(version(order().selecting(&[(VERSION, "1.0.0")])).unwrap(), "1.0.0");
    let warning = order().selecting(&[(VERSION, "1.0.0")]).resolve(&shelf).unwrap().warning.unwrap();
    assert!(warning.contains("Database 1.0.0 is deprecated") && warning.contains("1.1.0"), "{warning}");
    assert!(version(order().selecting(&[(VERSION, "0.9.0")])).is_err());
    assert!(version(order().selecting(&[(VERSION, "channel:nightly")])).is_err());
    // Nobody is led back, or on, because a channel moves.
    let newest = order().selecting(&[(VERSION, "2.0.0")]).resolve(&shelf).unwrap();
    assert_eq!(version(order().having(&newest)).unwrap(), "2.0.0");
    assert_eq!(version(order().having(&newest).selecting(&[(VERSION, "channel:stable")])).unwrap(), "2.0.0");
    let older = order().selecting(&[(VERSION, "1.0.0")]).resolve(&shelf).unwrap();
    assert_eq!(version(order().having(&older)).unwrap(), "1.0.0");
    assert_eq!(version(order().having(&older).selecting(&[(VERSION, ">=1.1")])).unwrap(), "2.0.0");
    // An upgrade leads on, and back.
    assert_eq!(version(order().having(&older).selecting(&[(RELEASE, "2.0.0")])).unwrap(), "2.0.0");
    assert_eq!(version(order().having(&newest).selecting(&[(RELEASE, "1.0.0")])).unwrap(), "1.0.0");
    let gone = order().having(&newest).selecting(&[(RELEASE, "3.0.0")]).resolve(&shelf).unwrap_err();
    assert!(matches!(gone, Refusal::ReleaseGone(_)), "{gone}");
    let retired = order().having(&newest).selecting(&[(RELEASE, "0.9.0")]).resolve(&shelf).unwrap_err();
    assert!(retired.to_string().contains("cannot be ordered"), "{retired}");
    let annotations = BTreeMap::from([(VERSION.to_owned(), "not a version".to_owned())]);
    assert!(Selection::of(&annotations).is_err());
}

fn placed(spec: Value) -> Stock {
    let mut stock = stock(vec![offering(
        "standard",
        json!({"placement": "clusters", "plans": [{"name": "small", "demand": {"disks": 2}}]}),
    )]);
    stock.placements = vec![Placement::new("clusters", serde_json::from_value(spec).unwrap())];
    stock
}

fn cluster_of(around: &Around, shelf: &Shelf) -> Option<String> {
    around.resolve(shelf).ok().and_then(|resolution| resolution.placed).map(|placed| placed.cluster)
}

#[test]
fn an_order_is_placed_where_it_may_be_and_where_it_is_best() {
    let shelf = stocked(placed(json!({
        "clusters": [
            {"name": "eu-1", "labels": {"region": "eu", "disk": "fast"}, "capacity": {"disks": 4}},
            {"name": "eu-2", "labels": {"region": "eu"}, "capacity": {"disks": 4}},
            {"name": "us-1", "labels": {"region": "us", "disk": "fast"}, "dataClasses": ["public"]},
            {"name": "old", "labels": {"region": "eu", "disk": "fast"}, "drained": true},
        ],
        "preferences": [{"clusters": {"matchLabels": {"disk": "fast"}}, "weight": 20}],
    })));
    let eu = || Around::order(json!({})).in_environment("live", json!({"region": "eu"}));
    assert_eq!(cluster_of(&eu(), &shelf).as_deref(), Some("eu-1"));
    let us = |data: &str| Around::order(json!({})).in_environment("live", json!({"region": "us", "dataClass": data}));
    assert_eq!(cluster_of(&us("public"), &shelf).as_deref(), Some("us-1"));
    assert!(matches!(us("personal").resolve(&shelf), Err(Refusal::NoPlace { .. })));

    let mut crowded = eu();
    let demand = BTreeMap::from([("disks".to_owned(), 3)]);
    crowded.usage.add("eu-1", "root:other", &BTreeMap::new(), &demand);
    assert_eq!(cluster_of(&crowded, &shelf).as_deref(), Some("eu-2"));
    crowded.usage.add("eu-2", "root:other", &BTreeMap::new(), &demand);
    let full = crowded.resolve(&shelf).unwrap_err();
    // Whose orders they are, and on which clusters, is nobody's business.
    assert_eq!(full.to_string(), "no service cluster can take it now; ask the owner of the service");
    crowded.usage.remove("eu-1", "root:other", &BTreeMap::new(), &demand);
    assert_eq!(cluster_of(&crowded, &shelf).as_deref(), Some("eu-1"));
    let explained = crowded.with(|request| shelf.explain(request)).to_string();
    for part in ["eu-1", "its disks do not suffice", "us, not in eu", "takes no new orders", "fits"] {
        assert!(explained.contains(part), "{part} in\n{explained}");
    }
}

#[test]
fn an_order_stays_where_it_is_until_its_cluster_is_evacuated() {
    let clusters = |one: Value| placed(json!({"clusters": [one, {"name": "two", "capacity": {"orders": 100}}]}));
    let order = Around::order(json!({}));
    let one = || json!({"name": "one", "capacity": {"orders": 1}});
    let mut at = order.clone();
    at.usage.add("two", "root:x", &BTreeMap::new(), &BTreeMap::new());
    let made = at.resolve(&stocked(clusters(one()))).unwrap();
    let placed_on_one = Placed { cluster: "one".into(), because: Because::Sticky };
    let having = order.having(&Resolution { placed: Some(placed_on_one.clone()), ..made });
    let check = |change: &str| {
        let mut changed = one();
        changed[change] = json!(true);
        having.resolve(&stocked(clusters(changed))).unwrap().placed.unwrap()
    };
    assert_eq!(check("drained"), placed_on_one);
    assert_eq!(check("evacuated").cluster, "two");
}

#[test]
fn orders_of_one_workspace_are_kept_apart_and_those_of_others_do_not_count() {
    let clusters = json!([
        {"name": "a", "labels": {"zone": "1"}}, {"name": "b", "labels": {"zone": "1"}}, {"name": "c", "labels": {"zone": "2"}},
    ]);
    let shelf = |penalty: Option<u32>| {
        let mut rule = json!({"label": "app", "topology": "zone"});
        if let Some(penalty) = penalty {
            rule["penalty"] = penalty.into();
        }
        stocked(placed(json!({"clusters": clusters, "antiAffinity": [rule]})))
    };
    let labels = BTreeMap::from([("app".to_owned(), "shop".to_owned())]);
    let mut order = Around::order(json!({})).labelled("app", "shop");
    order.usage.add("a", "root:acme", &labels, &BTreeMap::new());
    assert_eq!(cluster_of(&order, &shelf(None)).as_deref(), Some("c"));
    order.usage.add("c", "root:acme", &labels, &BTreeMap::new());
    assert_eq!(cluster_of(&order, &shelf(None)), None);
    assert!(cluster_of(&order, &shelf(Some(5))).is_some());

    let mut other = Around::order(json!({})).labelled("app", "shop");
    for cluster in ["a", "b", "c"] {
        other.usage.add(cluster, "root:rival", &labels, &BTreeMap::new());
    }
    assert!(cluster_of(&other, &shelf(None)).is_some());
}

#[test]
fn every_fault_names_the_object_and_the_field_and_takes_nothing_else_off_the_shelf() {
    let mut stock = stock(vec![
        offering("good", json!({})),
        offering("plan", json!({"defaultPlan": "none"})),
        offering("twice", json!({"plans": [{"name": "a"}, {"name": "a"}]})),
        offering("place", json!({"placement": "nowhere"})),
        offering("limits", json!({"limits": {"type": 7}})),
        offering("range", json!({"version": {"range": "what"}})),
        offering(
            "labels",
            json!({"criteria": {"workspaces": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}}),
        ),
    ]);
    let twice = json!({"clusters": [{"name": "a"}, {"name": "a"}]});
    stock.placements = vec![Placement::new("twice", serde_json::from_value(twice).unwrap())];
    let (shelf, faults) = Shelf::stock(stock);
    let faults: Vec<_> = faults.iter().map(|fault| format!("{} {} {}", fault.kind, fault.name, fault.field)).collect();
    assert_eq!(
        faults,
        [
            "placement twice clusters",
            "offering labels criteria.workspaces",
            "offering limits limits",
            "offering place placement",
            "offering plan defaultPlan",
            "offering range version",
            "offering twice plans[1].name",
        ]
    );
    assert_eq!(Around::order(json!({})).resolve(&shelf).unwrap().offering, "good");
}

#[test]
fn defaults_are_those_that_the_api_server_fills_in() {
    let schema = json!({"type": "object", "properties": {
        "replicas": {"type": "integer", "default": 1},
        "storage": {"type": "object", "properties": {"size": {"type": "string", "default": "1Gi"}}},
        "backup": {"type": "object", "default": {}, "properties": {"hour": {"type": "integer", "default": 3}}},
    }});
    assert_eq!(defaults_of(&schema), json!({"replicas": 1, "backup": {"hour": 3}}));
}

fn any_offering() -> impl Strategy<Value = Offering> {
    let list = |values: &'static [&'static str]| prop::sample::subsequence(values, 0..=values.len());
    let labels = prop::collection::btree_map(
        prop::sample::select(vec!["team", "tier"]),
        prop::sample::select(vec!["a", "b"]),
        0..3,
    );
    let kind = prop::sample::select(vec!["Database", "Cache"]);
    ("[a-e]{1,2}", list(&["dev", "prod"]), list(&["eu", "us"]), labels, -1..2, kind).prop_map(
        |(name, types, regions, labels, priority, kind)| {
            offering(
                &name,
                json!({
                    "kind": {"group": "db.example.com", "kind": kind}, "priority": priority,
                    "criteria": {
                        "environmentTypes": types, "regions": regions, "workspaces": {"matchLabels": labels},
                    },
                    "parameters": {"from": name},
                    "placement": "clusters",
                }),
            )
        },
    )
}

fn any_around() -> impl Strategy<Value = Around> {
    let text = |values: &'static [&'static str]| prop::sample::select(values);
    let labels = prop::collection::btree_map(text(&["team", "tier"]), text(&["a", "b"]), 0..3);
    ("[0-9a-f]{4}", text(&["", "dev", "prod"]), text(&["", "eu", "us"]), labels, any::<bool>()).prop_map(
        |(uid, type_, region, labels, has_environment)| {
            let mut around = Around::order(json!({"size": 1}));
            around.order.uid = uid;
            around.workspace.labels = labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            if has_environment {
                around = around.in_environment("env", json!({"type": type_, "region": region}));
            }
            around
        },
    )
}

fn distinct(offerings: Vec<Offering>) -> Vec<Offering> {
    use kube::ResourceExt;
    let by_name: BTreeMap<_, _> = offerings.into_iter().map(|offering| (offering.name_any(), offering)).collect();
    by_name.into_values().collect()
}

fn on_clusters(offerings: Vec<Offering>, clusters: &[&str]) -> Shelf {
    let clusters: Vec<_> = clusters.iter().map(|name| json!({"name": name})).collect();
    let placement = Placement::new("clusters", serde_json::from_value(json!({"clusters": clusters})).unwrap());
    stocked(Stock { offerings, placements: vec![placement], ..Stock::default() })
}

proptest! {
    #[test]
    fn the_index_finds_what_a_look_at_all_of_them_finds(
        offerings in prop::collection::vec(any_offering(), 0..12), around in any_around(),
    ) {
        let offerings = distinct(offerings);
        let shelf = on_clusters(offerings, &["a"]);
        let found = around.resolve(&shelf).ok().map(|resolution| resolution.offering);
        let explained = around.with(|request| shelf.explain(request));
        let first = explained.offerings.into_iter().find(|considered| considered.misfit.is_none());
        prop_assert_eq!(found, first.map(|considered| considered.offering));
    }

    #[test]
    fn the_order_of_the_stock_does_not_matter(
        offerings in prop::collection::vec(any_offering(), 0..12), around in any_around(),
    ) {
        let offerings = distinct(offerings);
        let mut reversed = offerings.clone();
        reversed.reverse();
        let clusters = ["a", "b", "c"];
        let backwards = ["c", "b", "a"];
        prop_assert_eq!(
            around.resolve(&on_clusters(offerings, &clusters)),
            around.resolve(&on_clusters(reversed, &backwards))
        );
    }

    #[test]
    fn what_an_order_does_not_get_changes_nothing_for_it(
        offerings in prop::collection::vec(any_offering(), 1..12), another in any_offering(), around in any_around(),
    ) {
        let mut offerings = distinct(offerings);
        let before = around.resolve(&on_clusters(offerings.clone(), &["a", "b"]));
        offerings.push(another);
        let offerings = distinct(offerings);
        let after = around.resolve(&on_clusters(offerings.clone(), &["a", "b"]));
        if let (Ok(before), Ok(after)) = (&before, &after) && before.offering == after.offering
            && before.parameters == after.parameters
        {
            prop_assert_eq!(before, after);
        }
        // One more cluster draws some orders to itself and moves no other.
        let more = around.resolve(&on_clusters(offerings, &["a", "b", "c"]));
        if let (Ok(after), Ok(more)) = (after, more) && more.placed.as_ref().unwrap().cluster != "c" {
            prop_assert_eq!(after, more);
        }
    }

    #[test]
    fn an_offering_that_does_not_fit_changes_nothing(
        offerings in prop::collection::vec(any_offering(), 0..12), around in any_around(),
    ) {
        let offerings = distinct(offerings);
        let before = around.resolve(&on_clusters(offerings.clone(), &["a"]));
        let fitting: Vec<String> = around.with(|request| {
            let shelf = on_clusters(offerings.clone(), &["a"]);
            shelf.selectable(request).into_iter().map(str::to_owned).collect()
        });
        use kube::ResourceExt;
        let only = offerings.into_iter().filter(|offering| fitting.contains(&offering.name_any())).collect();
        prop_assert_eq!(before, around.resolve(&on_clusters(only, &["a"])));
    }

    #[test]
    fn every_value_has_one_field_that_says_where_it_comes_from(
        layers in prop::collection::vec(any_object(), 1..5),
    ) {
        let origins = [Origin::Default, Origin::Offering("o".into()), Origin::Plan("p".into()), Origin::Environment("e".into()), Origin::Order];
        let given: Vec<_> = origins.iter().cloned().zip(&layers).collect();
        let (merged, fields) = layers::merge(&given);
        for field in &fields {
            prop_assert_eq!(merged.pointer(&field.path), Some(&field.value));
            let (_, source) = given.iter().find(|(origin, _)| *origin == field.origin).unwrap();
            prop_assert_eq!(source.pointer(&field.path), Some(&field.value));
        }
        // What the topmost layer says is so.
        let (again, _) = layers::merge(&[(Origin::Offering("o".into()), &merged), (Origin::Order, layers.last().unwrap())]);
        if layers.len() != 5 {
            prop_assert_eq!(again, merged);
        }
    }
}

fn any_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(1)), Just(json!("x")), Just(Value::Null), Just(json!([1, 2]))];
    let inner = leaf.prop_recursive(3, 16, 3, |inner| {
        prop::collection::btree_map("[a-c/~]", inner, 0..3).prop_map(|fields| json!(fields))
    });
    prop::collection::btree_map("[a-c/~]", inner, 0..4).prop_map(|fields| json!(fields))
}
