//! Properties of all graphs.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Cluster, instance};
use crate::blueprint::{
    Graph,
    definition::{GraphSchema, Resource, ResourceGraph},
    fixtures::schema_of,
    plan::{Observed, Situation, deletion_waves},
};

/// Resources that use some of those before them, in any order of the list.
fn any_graph() -> impl Strategy<Value = ResourceGraph> {
    let node = (prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0..4_u8);
    prop::collection::vec(node, 1..12)
        .prop_map(|nodes| {
            let resource = |(position, (uses, shape)): (usize, &(Vec<prop::sample::Index>, u8))| {
                let used = uses.iter().filter(|_| position > 0).map(|index| index.index(position));
                let data: BTreeMap<_, _> = used
                    .map(|on| {
                        let is_list = nodes[on].1 == 1;
                        let cel = if is_list {
                            format!("${{string(size(n{on}))}}")
                        } else {
                            format!("${{n{on}.metadata.name}}")
                        };
                        (format!("k{on}"), cel)
                    })
                    .collect();
                let name = if *shape == 1 { format!("n{position}-${{item1}}") } else { format!("n{position}") };
                Resource {
                    id: format!("n{position}"),
                    template:
                        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
                            .as_object()
                            .cloned(),
                    for_each: if *shape == 1 {
                        vec![[("item1".to_owned(), "${schema.spec.list}".to_owned())].into()]
                    } else {
                        vec![]
                    },
                    include_when: if *shape == 2 { vec!["${schema.spec.on}".into()] } else { vec![] },
                    ready_when: if *shape == 3 {
                        vec![format!("${{n{position}.data.ready == 'yes'}}")]
                    } else {
                        vec![]
                    },
                    ..Resource::default()
                }
            };
            nodes.iter().enumerate().map(resource).collect::<Vec<_>>()
        })
        .prop_shuffle()
        .prop_map(|resources| {
            let spec = json!({"list": "[]string", "on": "boolean"});
            ResourceGraph {
                schema: GraphSchema { api_version: "v1".into(), kind: "Test".into(), spec, ..GraphSchema::default() },
                resources,
            }
        })
}

fn any_spec() -> impl Strategy<Value = Value> {
    (prop::collection::btree_set("[a-c]", 0..3), any::<bool>(), 0..4_u8).prop_map(|(list, on, broken)| match broken {
        0 => json!({"list": list}),
        _ => json!({"list": list, "on": on}),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn order_respects_dependencies_and_deletion_is_its_reverse(definition in any_graph(), spec in any_spec()) {
        let graph = Graph::compile(&definition, schema_of).unwrap();
        let order: Vec<_> = graph.order().collect();
        prop_assert_eq!(order.len(), definition.resources.len());
        let place = |id: &str| order.iter().position(|known| *known == id).unwrap();
        let mut cluster = Cluster::new(&graph, &spec);
        let plan = cluster.settle();
        let waves = deletion_waves(&plan.inventory, None);
        let wave = |id: &str| waves.iter().position(|wave| wave.iter().any(|entry| entry.id == id));
        for id in &order {
            for on in graph.dependencies(id) {
                prop_assert!(place(on) < place(id));
                if let (Some(mine), Some(other)) = (wave(id), wave(on)) {
                    prop_assert!(mine < other, "{} before {}", id, on);
                }
            }
        }
    }

    #[test]
    fn a_plan_depends_on_what_is_seen_and_not_on_its_order(definition in any_graph(), spec in any_spec(), steps in 0..6_u8) {
        let graph = Graph::compile(&definition, schema_of).unwrap();
        let mut cluster = Cluster::new(&graph, &spec);
        (0..steps).for_each(|_| drop(cluster.reconcile()));
        let plan = cluster.plan();
        prop_assert_eq!(&plan, &cluster.plan());
        cluster.objects.reverse();
        cluster.inventory.reverse();
        prop_assert_eq!(&plan, &cluster.plan());
        let again = Graph::compile(&definition, schema_of).unwrap();
        cluster.graph = &again;
        prop_assert_eq!(&plan, &cluster.plan());
    }

    #[test]
    fn nothing_is_made_and_removed_at_once_and_all_that_is_made_is_remembered(
        definition in any_graph(), before in any_spec(), after in any_spec(), steps in 0..6_u8,
    ) {
        let graph = Graph::compile(&definition, schema_of).unwrap();
        let mut cluster = Cluster::new(&graph, &before);
        (0..steps).for_each(|_| drop(cluster.reconcile()));
        cluster.instance = instance(&after);
        for _ in 0..steps {
            let plan = cluster.reconcile();
            for desired in &plan.apply {
                prop_assert!(!plan.remove.iter().flatten().any(|entry| super::names(entry, &desired.object)));
                prop_assert!(plan.inventory.iter().any(|entry| super::names(entry, &desired.object)));
            }
            for (id, _) in &cluster.objects {
                // What goes first is never what something that is still there was made with.
                let is_going = |id: &str| plan.remove.iter().flatten().any(|entry| entry.id == id);
                for on in graph.dependencies(id).filter(|_| !is_going(id) && !plan.apply.iter().any(|d| d.id == *id)) {
                    prop_assert!(!is_going(on), "{} before {}", on, id);
                }
            }
            for (_, object) in &cluster.objects {
                prop_assert!(cluster.inventory.iter().any(|entry| super::names(entry, object)), "{} is forgotten", object);
            }
        }
    }

    #[test]
    fn no_observation_makes_it_panic(objects in prop::collection::vec((0..4_u8, any_object()), 0..6), spec in any_object()) {
        let graph = crate::blueprint::fixtures::graph(crate::blueprint::fixtures::WEB_APP);
        let ids = ["deployment", "service", "ingress", "nope"];
        let observed = objects.into_iter().fold(Observed::new(), |seen, (id, object)| seen.with(ids[usize::from(id)], object));
        let _ = graph.plan(&Situation::new(&instance(&spec), &observed));
        let _ = graph.plan(&Situation::new(&spec, &observed));
    }
}

fn any_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from)
    ];
    let names = vec![
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "namespace",
        "spec",
        "status",
        "ingress",
        "enabled",
        "conditions",
        "replicas",
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(names.clone()).prop_map(String::from), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Two hundred Deployments, each of which uses the instance and some of those before it.
fn large() -> ResourceGraph {
    let resource = |position: usize| {
        let mut env = vec![json!({"name": "APP", "value": "${schema.spec.name}-${schema.metadata.name}"})];
        for back in [1, 7, 31].into_iter().filter(|back| *back <= position) {
            let on = position - back;
            env.push(json!({"name": format!("N{back}"), "value": format!("${{n{on}.metadata.name + ':' + string(n{on}.spec.replicas)}}")}));
        }
        let template = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": format!("${{schema.spec.name}}-{position}"), "labels": {"app": "${schema.spec.name}"}},
            "spec": {
                "replicas": "${schema.spec.replicas}",
                "selector": {"matchLabels": {"app": format!("${{schema.spec.name}}-{position}")}},
                "template": {
                    "metadata": {"labels": {"app": format!("${{schema.spec.name}}-{position}")}},
                    "spec": {"containers": [{"name": "app", "image": "registry/${schema.spec.name}:1", "env": env}]},
                },
            },
        });
        Resource {
            id: format!("n{position}"),
            template: template.as_object().cloned(),
            ready_when: vec![format!("${{n{position}.status.availableReplicas >= n{position}.spec.replicas}}")],
            ..Resource::default()
        }
    };
    let spec = json!({"name": "string", "replicas": "integer"});
    let schema = GraphSchema { api_version: "v1".into(), kind: "Large".into(), spec, ..GraphSchema::default() };
    ResourceGraph { schema, resources: (0..200).map(resource).collect() }
}

#[test]
fn two_hundred_resources_are_one_plan() {
    let definition = large();
    let spec = json!({"name": "x", "replicas": 1});
    let graph = Graph::compile(&definition, schema_of).unwrap();
    let mut cluster = Cluster::new(&graph, &spec);
    cluster.objects = (0..200)
        .map(|n| (format!("n{n}"), json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": format!("x-{n}"), "namespace": "team-a"},
            "spec": {"replicas": 1}, "status": {"availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]},
        })))
        .collect();
    let plan = cluster.plan();
    assert!(plan.is_ready, "{:?}", plan.waiting);
    assert_eq!(plan.apply.len(), 200);
    assert_eq!(graph.wave("n199"), Some(199));
}
