use std::num::NonZeroUsize;

use kdp_core::condition::Condition;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    CatalogEntry, ExportLocation,
    portal::{KindInput, OrderInput, ServiceInput},
};

fn spec(of: &str, rules: &[(&str, &str, &str)]) -> ScorecardSpec {
    let rules: Vec<_> = rules
        .iter()
        .map(|(name, level, expression)| {
            json!({"name": name, "level": level, "expression": expression, "message": format!("Mind {name}.")})
        })
        .collect();
    let levels = ["bronze", "silver", "gold"];
    serde_json::from_value(json!({"name": "card", "of": of, "levels": levels, "rules": rules})).unwrap()
}

fn card(rules: &[(&str, &str, &str)]) -> Scorecard {
    Scorecard::compile(spec("order", rules)).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn a_level_needs_all_levels_below() {
    let card = card(&[("b", "bronze", "order.a"), ("s", "silver", "order.b"), ("g", "gold", "order.c")]);
    let level = |a, b, c| card.score("x", &json!({"a": a, "b": b, "c": c})).level;
    assert_eq!(level(false, true, true), None);
    assert_eq!(level(true, false, true).as_deref(), Some("bronze"));
    assert_eq!(level(true, true, false).as_deref(), Some("silver"));
    assert_eq!(level(true, true, true).as_deref(), Some("gold"));
}

#[test]
fn what_fails_is_told_from_the_lowest_level_up() {
    let card = card(&[("g", "gold", "order.size > 3"), ("b2", "bronze", "order.b"), ("b1", "bronze", "false")]);
    let score = card.score("x", &json!({"size": 3}));
    let failed: Vec<_> = score.failed.iter().map(|failed| (failed.rule.as_str(), failed.message.as_str())).collect();
    assert_eq!(failed, [("b2", "Mind b2."), ("b1", "Mind b1."), ("g", "Mind g.")]);
    assert_eq!((score.rank, score.passed, score.total), (0, 0, 3));
    assert_eq!((score.level, score.next.as_deref()), (None, Some("bronze")));
    assert!(score.failed[0].fault.is_some(), "the field is not there");
    assert_eq!(score.failed[1].fault, None);
}

#[test]
fn what_is_neither_true_nor_false_does_not_hold() {
    let score = card(&[("a", "bronze", "order.size")]).score("x", &json!({"size": 1}));
    assert_eq!(score.failed[0].fault.as_deref(), Some("it gives neither true nor false"));
}

#[test]
fn a_level_without_rules_comes_with_the_one_below() {
    let score = card(&[("g", "gold", "false")]).score("x", &json!({}));
    assert_eq!(score.level.as_deref(), Some("silver"));
    assert_eq!(card(&[]).score("x", &json!({})).level.as_deref(), Some("gold"));
}

#[test]
fn a_scorecard_that_contradicts_itself_is_refused() {
    let check = |spec: ScorecardSpec, expected: &str| {
        let error = Scorecard::compile(spec).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    let rule = ("r", "bronze", "true");
    check(ScorecardSpec { levels: Vec::new(), ..spec("order", &[]) }, "scorecard \"card\": there is no level");
    check(
        ScorecardSpec { levels: vec!["a".into(); 2], ..spec("order", &[]) },
        "scorecard \"card\": there are two levels \"a\"",
    );
    check(spec("order", &[rule, rule]), "scorecard \"card\": there are two rules \"r\"");
    check(
        spec("order", &[("r", "tin", "true")]),
        "scorecard \"card\": rule \"r\" is for the level \"tin\", which is not there",
    );
    check(spec("order", &[("r", "gold", "1 +")]), "scorecard \"card\", rule \"r\": ");
    check(
        spec("order", &[("r", "gold", "service.owned")]),
        "scorecard \"card\", rule \"r\": \"service.owned\": there is no service here",
    );
    check(ScorecardSpec { when: Some("x".into()), ..spec("order", &[]) }, "scorecard \"card\", rule \"\": ");
}

#[test]
fn everything_on_a_site_is_scored_by_what_is_for_it() {
    let location = ExportLocation::new("root:p".parse().unwrap(), "c1".parse().unwrap(), "db.example.com");
    let kind = KindInput::new("db.example.com", "v1", "Postgres", "postgreses").unwrap();
    let mut site = Site::new("https://kdp.example.com", "file:/catalog-info.yaml").unwrap();
    site.services.push(ServiceInput::new(CatalogEntry::at(location)).with_kinds([kind]).with_owner("dba"));
    for (name, condition) in [("a", Condition::holds("Ready")), ("b", Condition::fails("Ready", "No", "secret"))] {
        let mut order = OrderInput::new("root:acme".parse().unwrap(), "db.example.com", "Postgres", name);
        order.conditions = vec![condition];
        order.created = Some(at(0));
        site.orders.push(order);
    }
    let rules = [
        ("owned", "bronze", "service.owned && service.owner == 'dba'"),
        ("kinds", "silver", "service.kinds.exists(k, k.kind == 'Postgres' && k.namespaced)"),
        ("works", "silver", "service.orders.ready * 2 >= service.orders.total"),
        ("read", "gold", "has(service.documentation)"),
    ];
    let orders =
        spec("order", &[("young", "bronze", "order.ageSeconds < 100"), ("ready", "silver", "order.ready == 'True'")]);
    let orders = ScorecardSpec { when: Some("order.name != 'a'".into()), ..orders };
    let cards = [Scorecard::compile(spec("service", &rules)).unwrap(), Scorecard::compile(orders).unwrap()];

    let scores = score(&cards, &site, at(60));
    let told: Vec<_> = scores.iter().map(|score| (score.subject.as_str(), score.level.as_deref())).collect();
    assert_eq!(
        told,
        [("root:p:db.example.com", Some("silver")), ("root:acme/db.example.com/Postgres//b", Some("bronze"))]
    );
    assert!(!order_facts(&site.orders[1], at(60)).to_string().contains("secret"));
}

#[test]
fn a_history_keeps_the_last_and_tells_where_they_go() {
    let card = card(&[("a", "bronze", "order.n > 0"), ("b", "silver", "order.n > 1"), ("c", "silver", "order.n > 2")]);
    let mut history = ScorecardHistory::new(NonZeroUsize::new(2).unwrap());
    assert_eq!(history.trend(), Trend::Unknown);
    let mut append = |second, n| {
        history.append(at(second), &card.score("x", &json!({"n": n})));
        (history.scores().len(), history.trend())
    };
    assert_eq!(append(1, 1), (1, Trend::Unknown));
    assert_eq!(append(2, 2), (2, Trend::Rising), "no new level, but one more rule");
    assert_eq!(append(3, 2), (2, Trend::Steady));
    assert_eq!(append(4, 0), (2, Trend::Falling));
    assert_eq!(append(4, 3), (2, Trend::Rising), "the later word counts");
    assert_eq!(append(1, 3), (2, Trend::Rising), "what is too old is forgotten");
    assert_eq!(history.last().unwrap().level.as_deref(), Some("gold"));

    let stored = serde_json::to_value(&history).unwrap();
    assert_eq!(serde_json::from_value::<ScorecardHistory>(stored).unwrap(), history);
    assert!(serde_json::from_value::<ScorecardHistory>(json!({"keep": 0, "scores": []})).is_err());
}

proptest! {
    #[test]
    fn more_that_holds_never_scores_less(rules in proptest::collection::vec((0..3_usize, any::<bool>(), any::<bool>()), 0..12)) {
        let names: Vec<_> = (0..rules.len()).map(|i| format!("r{i}")).collect();
        let expressions: Vec<_> = (0..rules.len()).map(|i| format!("order.r{i}")).collect();
        let levels = ["bronze", "silver", "gold"];
        let configured: Vec<_> = (0..rules.len()).map(|i| (names[i].as_str(), levels[rules[i].0], expressions[i].as_str())).collect();
        let card = card(&configured);
        let facts = |holds: &dyn Fn(bool, bool) -> bool| {
            let facts = rules.iter().zip(&names).map(|((_, a, b), name)| (name.clone(), holds(*a, *b).into()));
            Value::Object(facts.collect())
        };
        let (less, more) = (card.score("x", &facts(&|a, b| a && b)), card.score("x", &facts(&|a, _| a)));
        prop_assert!(less.rank <= more.rank && less.passed <= more.passed);
        prop_assert_eq!(less.passed + less.failed.len(), less.total);
        let mut history = ScorecardHistory::new(NonZeroUsize::new(5).unwrap());
        history.append(at(2), &more);
        history.append(at(1), &less);
        prop_assert_ne!(history.trend(), Trend::Falling);
    }

    #[test]
    fn a_history_is_the_same_in_whatever_order_it_is_told(seconds in proptest::collection::btree_set(0..50_i64, 0..12)) {
        let score = card(&[]).score("x", &json!({}));
        let told = |seconds: Vec<i64>| {
            let mut history = ScorecardHistory::new(NonZeroUsize::new(4).unwrap());
            seconds.into_iter().for_each(|second| history.append(at(second), &score));
            history
        };
        let kept: Vec<_> = seconds.iter().rev().take(4).rev().map(|second| at(*second)).collect();
        let history = told(seconds.iter().rev().copied().collect());
        prop_assert_eq!(&history, &told(seconds.iter().copied().collect()));
        prop_assert_eq!(history.scores().iter().map(|score| score.at).collect::<Vec<_>>(), kept);
    }
}
