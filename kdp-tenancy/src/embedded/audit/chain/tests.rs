use super::*;

const EVENT: &str = r#"{"kind":"Event","annotations":{"a":"b"}}"#;

#[test]
fn each_line_is_an_event_that_names_the_hash_of_the_line_before() {
    let mut head = Head::start("a");
    let (start, mut lines) = (head, Vec::new());
    head.append(&mut lines, EVENT, None);
    head.append(&mut lines, r#"{"annotations":{}}"#, None);
    let text = String::from_utf8(lines).unwrap();
    let links: Vec<Link> = text.lines().map(|line| Link::read(line.as_bytes(), None).unwrap()).collect();
    assert_eq!((links[0].sequence, links[0].previous), (1, start.hash));
    assert_eq!((links[1].sequence, links[1].previous), (2, links[0].hash));
    assert_eq!(links[1].head(), head);
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["annotations"]["audit.kdp.k8c.io/hash"].as_str().unwrap().len(), HEX);
    }
}

#[test]
fn a_line_of_another_key_or_none_is_not_taken() {
    let key = |byte| ChainKey::new(&[byte; 32]);
    let mut lines = Vec::new();
    Head::start("a").append(&mut lines, EVENT, key(1).as_ref());
    let line = lines.strip_suffix(b"\n").unwrap();
    assert!(Link::read(line, key(1).as_ref()).is_some());
    assert!(Link::read(line, key(2).as_ref()).is_none());
    assert!(Link::read(line, None).is_none());
    assert!(ChainKey::new(&[0; 31]).is_none());
}
