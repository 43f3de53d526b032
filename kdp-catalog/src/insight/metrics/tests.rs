use super::*;
use crate::{
    GroupKind,
    insight::{Event, Sighting, Snapshot},
};
use kdp_core::condition::{Condition, set_condition};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// Orders that were ready after three seconds.
fn journal(orders: impl IntoIterator<Item = (String, String)>) -> Journal {
    let mut journal = Journal::default();
    for (index, (offering, workspace)) in orders.into_iter().enumerate() {
        let kind = GroupKind::new("w.example.com", "Widget");
        let place = Place::new("widgets", offering, workspace);
        let mut order = Snapshot::new(index.to_string(), place, kind, at(0));
        journal.fold(&Event::Seen(Box::new(order.clone()), Sighting::Live), at(0));
        set_condition(&mut order.conditions, Condition::holds("Ready"), at(3));
        journal.fold(&Event::Seen(Box::new(order), Sighting::Live), at(3));
    }
    journal
}

fn text(journal: &Journal, options: MetricsOptions) -> String {
    prometheus(families(journal, &Facts::default(), options, at(10)))
}

#[test]
fn the_text_is_as_prometheus_reads_it() {
    let text = text(&journal([("small".into(), "a".into())]), MetricsOptions::default());
    for line in [
        "# TYPE kdp_catalog_orders_created counter",
        "kdp_catalog_orders_created_total{service=\"widgets\",offering=\"small\"} 1",
        "# UNIT kdp_catalog_provision_seconds seconds",
        "kdp_catalog_provision_seconds_sum{service=\"widgets\",offering=\"small\"} 3.0",
        "kdp_catalog_provision_seconds_bucket{le=\"2.0\",service=\"widgets\",offering=\"small\"} 0",
        "kdp_catalog_provision_seconds_bucket{le=\"5.0\",service=\"widgets\",offering=\"small\"} 1",
        "kdp_catalog_provision_seconds_bucket{le=\"+Inf\",service=\"widgets\",offering=\"small\"} 1",
        "kdp_catalog_live_orders{service=\"widgets\",offering=\"small\"} 1.0",
        "kdp_catalog_workspaces{service=\"widgets\"} 1.0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn no_tenant_makes_series_or_is_named_in_one() {
    let tenants = (0..500).map(|number| (format!("offering-{number}"), format!("tenant-{number}")));
    let journal = journal(tenants);
    let text = text(&journal, MetricsOptions::default().with_offerings(3));
    assert!(!text.contains("tenant-"), "{text}");
    let created = text.lines().filter(|line| line.starts_with("kdp_catalog_orders_created_total"));
    assert_eq!(created.count(), 4);
    assert!(text.contains("kdp_catalog_live_orders{service=\"widgets\",offering=\"other\"} 497.0"), "{text}");
}

#[test]
fn workspaces_are_told_to_who_asks_and_not_more_than_asked_for() {
    let orders = [("", "a"), ("", "b"), ("", "b"), ("", "c")].map(|(it, workspace)| (it.into(), workspace.into()));
    let text = text(&journal(orders), MetricsOptions::default().with_workspaces(2));
    let told: Vec<_> = text.lines().filter(|line| line.starts_with("kdp_catalog_workspace_orders{")).collect();
    assert_eq!(
        told,
        ["kdp_catalog_workspace_orders{workspace=\"b\"} 2.0", "kdp_catalog_workspace_orders{workspace=\"a\"} 1.0"]
    );
}

#[test]
fn a_name_does_not_break_out_of_its_label() {
    let text = text(&journal([("a\"} 7\nevil".into(), "a".into())]), MetricsOptions::default());
    assert!(text.lines().all(|line| !line.starts_with("evil")), "{text}");
}

#[test]
fn a_sink_is_given_what_prometheus_is() {
    #[derive(Default)]
    struct Names(Vec<&'static str>);
    impl MeasureSink for Names {
        fn family(&mut self, family: &MeasureFamily) {
            self.0.push(family.name);
        }
    }
    let families =
        families(&journal([(String::new(), "a".into())]), &Facts::default(), MetricsOptions::default(), at(9));
    let mut names = Names::default();
    emit(&families, &mut names);
    assert_eq!(names.0.len(), families.len());
    assert!(names.0.contains(&"kdp_catalog_provision"));
}
