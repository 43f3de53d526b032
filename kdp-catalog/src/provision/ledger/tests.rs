use serde_json::json;

use super::*;
use crate::resolution::ORDERS;

fn assignment(cluster: &str) -> Assignment {
    let assignment = json!({
        "offering": "o", "provider": {"name": "p"}, "cluster": cluster, "workspace": "root:a",
        "demand": {"disks": 2}, "apart": {"app": "shop"},
    });
    serde_json::from_value(assignment).unwrap()
}

fn check(books: &Books, cluster: &str, orders: u64) {
    let used = ["disks", ORDERS].map(|unit| books.usage.used(cluster, unit));
    assert_eq!(used, [2 * orders, orders], "{cluster}");
    let labelled = books.usage.labelled(cluster, "root:a", "app", "shop");
    assert_eq!(u64::from(labelled), orders, "{cluster}");
}

#[test]
fn each_order_counts_once_where_it_is() {
    let mut books = Books::default();
    for cluster in ["one", "one", "two"] {
        books.reserve("a", &assignment(cluster));
    }
    books.reserve("b", &assignment("two"));
    check(&books, "one", 0);
    check(&books, "two", 2);
    books.begun("a");
    books.forget("a");
    books.forget("a");
    books.forget("never heard of");
    check(&books, "two", 1);
}

#[test]
fn only_what_was_never_begun_expires() {
    let mut books = Books::default();
    books.reserve("planned", &assignment("one"));
    books.reserve("begun", &assignment("one"));
    books.begun("begun");
    assert!(!books.expire());
    check(&books, "one", 2);
    for entry in books.orders.values_mut() {
        entry.until = entry.until.map(|until| until - RESERVED * 2);
    }
    assert!(books.expire());
    check(&books, "one", 1);
    // What was begun stays so when it is planned again.
    books.reserve("begun", &assignment("one"));
    assert_eq!(books.orders["begun"].until, None);
}
