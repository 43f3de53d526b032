use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: &[Result<&str, &[&str]>]) {
    let expected = expected.iter().map(|part| match part {
        Ok(text) => Part::Text((*text).into()),
        Err(names) => Part::Reference(names.iter().map(|name| (*name).into()).collect()),
    });
    assert_eq!(parse(text), Ok(expected.collect()), "{text}");
}

#[test]
fn texts_are_taken_apart_at_placeholders() {
    check("", &[]);
    check("plain", &[Ok("plain")]);
    check("${resources.db.host}", &[Err(&["resources", "db", "host"])]);
    check(
        "a ${metadata.name}:${resources.db.port}",
        &[Ok("a "), Err(&["metadata", "name"]), Ok(":"), Err(&["resources", "db", "port"])],
    );
    check("$${x} costs 5$ or $5", &[Ok("${x} costs 5$ or $5")]);
    check(r"${metadata.annotations.a\.b/c}", &[Err(&["metadata", "annotations", "a.b/c"])]);
}

#[test]
fn placeholders_that_are_none_are_faults() {
    for text in ["${a", "${}", "${a..b}", "${.a}"] {
        assert!(parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,40}") {
        drop(parse(&text));
    }

    #[test]
    fn what_is_escaped_comes_back(text in ".{0,40}") {
        let parts = parse(&text.replace('$', "$$")).unwrap();
        let expected: Vec<_> = (!text.is_empty()).then_some(Part::Text(text)).into_iter().collect();
        prop_assert_eq!(parts, expected);
    }
}
