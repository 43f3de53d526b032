use super::*;

const NOW: &str = "2026-11-25T12:00:00Z";

fn item(id: &str, order: Option<&str>, created: &str) -> InventoryItem {
    InventoryItem { id: id.into(), order: order.map(Into::into), created: created.parse().unwrap() }
}

fn report(inventory: &[InventoryItem], orders: &[(&str, Option<&str>)], coverage: Coverage) -> Vec<String> {
    let living = orders.iter().map(|(uid, since)| ((*uid).to_owned(), since.map(|it| it.parse().unwrap()))).collect();
    let orders = Orders { living, coverage };
    let found = orphans(inventory, &orders, SignedDuration::from_hours(1), NOW.parse().unwrap());
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn what_no_order_asks_for_is_reported_with_age_and_reason() {
    let (old, older) = ("2026-11-24T10:00:00Z", "2026-11-20T12:00:00Z");
    let inventory = [
        item("db-1", Some("u1"), older),
        item("db-2", Some("gone"), older),
        item("db-3", None, old),
        item("db-4", Some("u1"), old),
        item("db-5", Some("stuck"), old),
        item("db-6", Some("leaving"), old),
        item("db-7", Some("new"), "2026-11-25T11:30:00Z"),
        item("db-2", Some("gone"), older),
    ];
    let orders = [("u1", None), ("stuck", Some("2026-11-25T01:00:00Z")), ("leaving", Some("2026-11-25T11:30:00Z"))];
    let mut expected = vec![
        "db-2 (5 days 0 hours old): order gone does not exist",
        "db-3 (1 days 2 hours old): does not say which order it was made for",
        "db-4 (1 days 2 hours old): order u1 has db-1 already",
        "db-5 (1 days 2 hours old): order stuck is being deleted since 2026-11-25T01:00:00Z",
    ];
    assert_eq!(report(&inventory, &orders, Coverage::Complete), expected);
    let mut turned = inventory.to_vec();
    turned.reverse();
    assert_eq!(report(&turned, &orders, Coverage::Complete), expected);
    expected.remove(0);
    assert_eq!(report(&inventory, &orders, Coverage::Partial), expected, "who is not listed may still be there");
}
