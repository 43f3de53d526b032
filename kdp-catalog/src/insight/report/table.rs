//! The lines and columns of a report, however they are drawn.

use super::Report;
use crate::insight::measures::{Measures, Timing};

/// A heading, the names of columns, and lines.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) lines: Vec<Vec<String>>,
}

/// One line of a report: whose it is, and how it does.
type Line<'a> = (String, &'a Measures);

/// A table's heading, its columns, and what is in each of them for one line.
type Columns = (&'static str, &'static [&'static str], fn(&Measures) -> Vec<String>);

const TABLES: [Columns; 4] = [
    ("Adoption", &["", "orders", "ready", "created", "deleted", "workspaces", "bound by"], |it| {
        let adoption = it.adoption;
        let counts = [adoption.live, adoption.ready, adoption.created, adoption.deleted, adoption.workspaces];
        counts.iter().map(u64::to_string).chain([count(adoption.binders)]).collect()
    }),
    ("Time to provision", &["", "orders", "p50", "p95", "max", "first order p50", "first order p95"], |it| {
        let Timing { p50, p95, .. } = it.first_order;
        timing(it.provisioning).into_iter().chain([seconds(p50), seconds(p95)]).collect()
    }),
    (
        "Trouble",
        &["", "now", "failures", "retries", "failed provisions", "drifted", "drift found", "orphans", "stuck"],
        |it| {
            vec![
                it.failures.now.to_string(),
                it.failures.count.to_string(),
                it.failures.retries.to_string(),
                percent(it.failures.provision_rate),
                it.drift.now.to_string(),
                it.drift.found.to_string(),
                count(it.orphans),
                it.stuck_deletions.to_string(),
            ]
        },
    ),
    (
        "Delivery",
        &["", "deployments", "per day", "lead p50", "lead p95", "failed changes", "restore p50", "restore p95"],
        |it| {
            let delivery = it.delivery;
            vec![
                delivery.deployments.to_string(),
                format!("{:.2}", delivery.deployments_per_day),
                seconds(delivery.lead_time.p50),
                seconds(delivery.lead_time.p95),
                percent(delivery.change_failure_rate),
                seconds(delivery.time_to_restore.p50),
                seconds(delivery.time_to_restore.p95),
            ]
        },
    ),
];

/// Everything in the report, as tables.
pub(super) fn tables(report: &Report) -> Vec<Table> {
    let lines = lines(report);
    let table = |(title, columns, cells): &Columns| {
        let lines = lines.iter().map(|(name, it)| [vec![name.clone()], cells(it)].concat()).collect();
        Table { title, columns, lines }
    };
    let mut tables: Vec<Table> = TABLES.iter().map(table).collect();
    let versions = report.services.iter().flat_map(|(service, it)| {
        it.versions.iter().map(move |(version, age)| {
            let longest = seconds(Some(age.longest_seconds));
            vec![named(service), version.clone(), age.orders.to_string(), longest, seconds(age.released_seconds)]
        })
    });
    let lines: Vec<_> = versions.collect();
    if !lines.is_empty() {
        let columns = &["service", "version", "orders", "longest", "released ago"];
        tables.push(Table { title: "Versions", columns, lines });
    }
    tables
}

/// What the numbers leave out, as sentences.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let total = &report.total;
    let untold = total.untold;
    let notes = [
        (
            total.provisioning_rebuilt,
            "times to provision were read from timestamps afterwards: each took at most so long",
        ),
        (untold.provisions, "orders were first ready at a time that nobody saw"),
        (untold.changes, "changes passed unseen"),
        (untold.lead_times, "changes became ready, and nobody saw when they were made"),
    ];
    notes.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}.")).collect()
}

fn lines(report: &Report) -> Vec<Line<'_>> {
    let mut lines = vec![("total".to_owned(), &report.total)];
    for (service, measures) in &report.services {
        lines.push((format!("service {}", named(service)), measures));
        let offerings = report.offerings.get(service);
        let selected = offerings.into_iter().flatten().filter(|(offering, _)| !offering.is_empty());
        lines.extend(selected.map(|(offering, it)| (format!("offering {offering} of {}", named(service)), it)));
    }
    lines.extend(report.workspaces.iter().map(|(path, measures)| (format!("workspace {}", named(path)), measures)));
    lines
}

fn named(name: &str) -> String {
    if name.is_empty() { "(none)".into() } else { name.into() }
}

fn timing(timing: Timing) -> Vec<String> {
    vec![timing.count.to_string(), seconds(timing.p50), seconds(timing.p95), seconds(timing.max)]
}

fn count(count: Option<u64>) -> String {
    count.map_or_else(|| "-".into(), |count| count.to_string())
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".into(), |rate| format!("{:.1}%", rate * 100.0))
}

/// A time in the unit that people would use for it.
fn seconds(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".into(),
        Some(s) if s < 60.0 => format!("{s:.1}s"),
        Some(s) if s < 3600.0 => format!("{:.1}min", s / 60.0),
        Some(s) if s < 86_400.0 => format!("{:.1}h", s / 3600.0),
        Some(s) => format!("{:.1}d", s / 86_400.0),
    }
}
