use std::collections::BTreeSet;

use super::*;
use crate::{
    GroupKind,
    insight::{Event, Sighting, Snapshot, WorkspaceFact},
};
use kdp_core::condition::{Condition, set_condition};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn journal(orders: &[(&str, &str, &str)]) -> Journal {
    let mut journal = Journal::default();
    for (index, (service, offering, workspace)) in orders.iter().enumerate() {
        let kind = GroupKind::new("w.example.com", "Widget");
        let mut order = Snapshot::new(index.to_string(), Place::new(*service, *offering, *workspace), kind, at(10));
        order.version = Some("1.2.0".into());
        journal.fold(&Event::Seen(Box::new(order.clone()), Sighting::Live), at(10));
        set_condition(&mut order.conditions, Condition::holds("Ready"), at(14));
        journal.fold(&Event::Seen(Box::new(order), Sighting::Live), at(14));
    }
    journal
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.workspaces.insert("c1".into(), WorkspaceFact::new("root:one", at(4)));
    facts.binders = Some(BTreeMap::from([("db".into(), BTreeSet::from(["c1".into(), "c2".into()]))]));
    facts
}

#[test]
fn each_order_is_in_the_total_its_service_its_offering_and_its_workspace() {
    let report = Report::new(&journal(&[("db", "big", "c1"), ("db", "", "c2"), ("mq", "", "c2")]), &facts(), 7, at(20));
    assert_eq!((report.days, report.total.adoption.live), (7, 3));
    assert_eq!(report.total.provisioning, report.services["db"].provisioning_with(3));
    let live = |measures: &BTreeMap<String, Measures>| -> Vec<_> {
        measures.iter().map(|(name, it)| (name.clone(), it.adoption.live, it.adoption.binders)).collect()
    };
    assert_eq!(live(&report.services), [("db".into(), 2, Some(2)), ("mq".into(), 1, Some(0))]);
    assert_eq!(live(&report.workspaces), [("c2".into(), 2, Some(1)), ("root:one".into(), 1, Some(1))]);
    assert_eq!(live(&report.offerings["db"]), [(String::new(), 1, None), ("big".into(), 1, None)]);
    // The workspace was there for ten seconds; of the other it is not known since when.
    assert_eq!((report.total.first_order.count, report.total.first_order.max), (1, Some(10.0)));
}

impl Measures {
    fn provisioning_with(&self, count: u64) -> crate::insight::Timing {
        crate::insight::Timing { count, ..self.provisioning }
    }
}

#[test]
fn a_report_comes_back_from_json_as_it_was() {
    let report = Report::new(&journal(&[("db", "big", "c1")]), &facts(), 7, at(20));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn people_read_columns() {
    let report = Report::new(&journal(&[("db", "big", "c1")]), &facts(), 1, at(20));
    let text = report.to_string();
    assert!(text.starts_with("Orders of the last day until 2023-11-14 22:13 UTC, known from 2023-11-14\n"), "{text}");
    let line = text.lines().find(|line| line.starts_with("service db")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["service", "db", "1", "1", "1", "0", "1", "2"]);
    assert!(text.contains("VERSIONS") && text.contains("1.2.0"), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
}

#[test]
fn no_name_breaks_out_of_a_table() {
    let report = Report::new(&journal(&[("db", "a|b![x](y)<i>\n\u{1b}[2J", "c1")]), &Facts::default(), 1, at(20));
    let markdown = report.markdown();
    assert!(markdown.contains("a\\|b\\!\\[x\\](y)\\<i\\>"), "{markdown}");
    assert!(!report.to_string().contains('\u{1b}') && !markdown.contains('\u{1b}'));
}
