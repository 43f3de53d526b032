//! What must not work.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use kdp_examples::selfservice::Demo;
use serde_json::{Value, json};

use crate::visitor::{Visitor, demo, new_order, order_path};

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_told_nothing_of_another_by_any_address() {
    let (demo, _directory) = demo().await;
    let [a, b] = demo.guests() else { panic!("there are two tenants") };
    let (ann, bob) = (Visitor::signed_in(&demo, a).await, Visitor::signed_in(&demo, b).await);
    let order = ann.order("crown-jewels").await;
    let uid = order["uid"].as_str().unwrap();
    let credentials = format!("{}/credentials", order_path("crown-jewels"));
    assert_eq!(ann.post(&format!("{credentials}/reveal"), Value::Null).await.status, StatusCode::NO_CONTENT);

    // The same of a workspace that exists, and of one that does not.
    let attempts = |workspace: &str| {
        let at = |path: &str| format!("{path}?workspace={workspace}");
        [
            (Method::GET, at("/api/catalog"), None),
            (Method::GET, at("/api/orders"), None),
            (Method::GET, at("/api/topology"), None),
            (Method::GET, at(&order_path("crown-jewels")), None),
            (Method::GET, at(&format!("{}/events", order_path("crown-jewels"))), None),
            (Method::GET, at(&credentials), None),
            (Method::POST, at(&format!("{credentials}/reveal")), None),
            (Method::DELETE, format!("{}&uid={uid}", at(&order_path("crown-jewels"))), None),
            (Method::POST, at("/api/orders"), Some(new_order("intruder"))),
            (Method::POST, at("/api/catalog/databases/binding"), Some(Value::Null)),
            (Method::GET, at("/api/catalog/databases/kinds/databases/form"), None),
        ]
    };
    for ((method, path, body), (_, elsewhere, _)) in attempts("root:team-a").into_iter().zip(attempts("root:team-x")) {
        let answer = bob.ask(method.clone(), &path, body.clone()).await;
        let nowhere = bob.ask(method.clone(), &elsewhere, body).await;
        assert!(matches!(answer.status.as_u16(), 403 | 404), "{method} {path}: {answer:?}");
        assert_eq!(answer.status, nowhere.status, "{method} {path}: {answer:?} {nowhere:?}");
        assert_eq!(answer.text.replace("team-a", "team-x"), nowhere.text, "{method} {path}");
        assert!(!answer.text.contains("sqlite") && !answer.text.contains(uid), "{method} {path}: {answer:?}");
    }
    // Not in the own workspace, either: there is nothing of that name.
    bob.post("/api/catalog/databases/binding", Value::Null).await;
    for path in [order_path("crown-jewels"), credentials.clone()] {
        assert_eq!(bob.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/api/orders", "/api/topology"] {
        let answer = bob.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.text.contains("crown-jewels") && !answer.text.contains("team-a"), "{path}: {}", answer.text);
    }
    // And nothing happened to the order.
    assert_eq!(ann.get(&order_path("crown-jewels")).await.json()["uid"], uid);
    assert_eq!(ann.get(&credentials).await.status, StatusCode::OK);
    assert_eq!(ann.get("/api/orders").await.json()["orders"].as_array().unwrap().len(), 1);
    demo.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_told_once_after_they_were_asked_for() {
    let (demo, _directory) = demo().await;
    let guest = &demo.guests()[0];
    let (visitor, other) = (Visitor::signed_in(&demo, guest).await, Visitor::signed_in(&demo, guest).await);
    visitor.order("app").await;
    let path = format!("{}/credentials", order_path("app"));
    assert_eq!(visitor.get(&path).await.status, StatusCode::FORBIDDEN, "not asked for");
    let mut shown = None;
    for _ in 0..100 {
        assert_eq!(visitor.post(&format!("{path}/reveal"), Value::Null).await.status, StatusCode::NO_CONTENT);
        assert_eq!(other.get(&path).await.status, StatusCode::FORBIDDEN, "asked for in another session");
        let answer = visitor.get(&path).await;
        if answer.status == StatusCode::OK {
            shown = Some(answer);
            break;
        }
        // The Secret travels by itself.
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let shown = shown.expect("the credentials arrive");
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    let values = shown.json()["values"].clone();
    assert!(
        values.as_array().unwrap().iter().any(|one| one["key"] == "engine" && one["value"] == "sqlite"),
        "{values}"
    );
    assert_eq!(visitor.get(&path).await.status, StatusCode::FORBIDDEN, "told already");
    for path in ["/api/orders", &order_path("app"), "/api/topology"] {
        assert!(!visitor.get(path).await.text.contains("PRAGMA"), "{path} tells the credentials");
    }
    demo.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_changes_something_must_come_from_the_page() {
    let (demo, _directory) = demo().await;
    let [a, b] = demo.guests() else { panic!("there are two tenants") };
    let (good, foreign) = (Visitor::signed_in(&demo, a).await, Visitor::signed_in(&demo, b).await);
    good.order("app").await;
    let with = |change: &dyn Fn(&mut Visitor)| {
        let mut visitor = good.clone();
        change(&mut visitor);
        visitor
    };
    let cases: [(&str, Visitor, u16); 8] = [
        ("no token", with(&|v| v.csrf.clear()), 403),
        ("a made-up token", with(&|v| v.csrf = "0".repeat(32)), 403),
        ("the token of another session", with(&|v| v.csrf.clone_from(&foreign.csrf)), 403),
        ("no origin", with(&|v| v.origin.clear()), 403),
        ("a foreign origin", with(&|v| v.origin = "https://evil.example.com".into()), 403),
        ("an origin that only begins the same", with(&|v| v.origin = format!("{}.evil.example.com", v.url)), 403),
        ("a foreign name that leads here", with(&|v| v.host = Some("evil.example.com".into())), 403),
        ("no session", with(&|v| v.cookie.clear()), 401),
    ];
    for (what, visitor, expected) in cases {
        for (method, path, body) in [
            (Method::POST, "/api/orders".to_owned(), Some(new_order("forged"))),
            (Method::POST, format!("{}/credentials/reveal", order_path("app")), None),
            (Method::DELETE, format!("{}?uid=x", order_path("app")), None),
            (Method::POST, "/api/catalog/databases/binding".into(), None),
            (Method::DELETE, "/api/session".into(), None),
        ] {
            let answer = visitor.ask(method.clone(), &path, body).await;
            assert_eq!(answer.status, expected, "{what}: {method} {path}: {answer:?}");
        }
    }
    assert_eq!(good.get("/api/orders").await.json()["orders"].as_array().unwrap().len(), 1, "nothing was done");

    // Nor may another page sign a browser in as somebody else.
    let mut stranger = Visitor::stranger(&demo);
    stranger.origin = "https://evil.example.com".into();
    let body = json!({"token": a.token.expose(), "workspace": a.workspace});
    assert_eq!(stranger.post("/api/session", body).await.status, StatusCode::FORBIDDEN);
    demo.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_that_opens_the_workspace_signs_in() {
    let (demo, _directory) = demo().await;
    let [a, b] = demo.guests() else { panic!("there are two tenants") };
    let stranger = Visitor::stranger(&demo);
    for path in ["/api/session", "/api/catalog", "/api/orders", "/api/topology"] {
        assert_eq!(stranger.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let mut told = Vec::new();
    for (token, workspace) in [
        ("wrong", "root:team-a"),
        (b.token.expose(), "root:team-a"),
        (b.token.expose(), "root:nowhere"),
        ("", "root:team-a"),
        ("two words", "root:team-a"),
    ] {
        let answer = stranger.post("/api/session", json!({"token": token, "workspace": workspace})).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{workspace}: {answer:?}");
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        told.push(answer.text);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "what was wrong is not told: {told:?}");

    let body = json!({"token": a.token.expose(), "workspace": a.workspace});
    let answer = stranger.post("/api/session", body).await;
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!answer.text.contains(a.token.expose()), "the token does not come back");

    let visitor = Visitor::signed_in(&demo, a).await;
    assert_eq!(visitor.ask(Method::DELETE, "/api/session", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        visitor.get("/api/orders").await.status,
        StatusCode::UNAUTHORIZED,
        "a session that was ended opens nothing"
    );

    // Guessing is slow.
    let guess = json!({"token": "guess", "workspace": "root:team-a"});
    let mut refused = 0;
    for _ in 0..60 {
        let answer = stranger.post("/api/session", guess.clone()).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.headers.contains_key(header::RETRY_AFTER));
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused} of 60 guesses were refused");
    demo.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_an_order_end_with_the_session_and_with_the_order() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let (demo, _directory) = demo().await;
    let guest = &demo.guests()[0];
    let (stays, leaves) = (Visitor::signed_in(&demo, guest).await, Visitor::signed_in(&demo, guest).await);
    let order = stays.order("app").await;
    let events = format!("{}/events", order_path("app"));
    let follow = |visitor: &Visitor| {
        let (visitor, events) = (visitor.clone(), events.clone());
        tokio::spawn(async move { visitor.get(&events).await })
    };
    let (to_the_end, cut_off) = (follow(&stays), follow(&leaves));
    // Eight at once are enough for a person.
    let mut refused = false;
    let mut more = Vec::new();
    while !refused && more.len() < 20 {
        let one = follow(&leaves);
        let early = tokio::time::timeout(Duration::from_millis(500), one);
        match early.await {
            Ok(answer) => refused = answer.unwrap().status == StatusCode::TOO_MANY_REQUESTS,
            Err(_) => more.push(()),
        }
    }
    assert!(refused, "the number of followed orders is limited");
    assert_eq!(leaves.ask(Method::DELETE, "/api/session", None).await.status, StatusCode::NO_CONTENT);
    let cut_off = tokio::time::timeout(PATIENCE, cut_off).await.expect("the news end with the session").unwrap();
    assert!(cut_off.text.contains("event: order") && !cut_off.text.contains("event: gone"), "{}", cut_off.text);

    let uid = order["uid"].as_str().unwrap();
    let answer = stays.ask(Method::DELETE, &format!("{}?uid={uid}", order_path("app")), None).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let news = tokio::time::timeout(PATIENCE, to_the_end).await.expect("the news end with the order").unwrap();
    assert!(news.text.trim_end().ends_with("event: gone\ndata: {}"), "{}", news.text);
    demo.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_checked_and_what_is_answered_is_no_markup() {
    let (demo, _directory) = demo().await;
    let visitor = Visitor::signed_in(&demo, &demo.guests()[0]).await;
    check_headers(&demo).await;
    visitor.order("app").await;

    let markup = "<img src=x onerror=alert(1)>";
    let mut order = new_order(markup);
    let answer = visitor.post("/api/orders", order.clone()).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.json()["causes"][0]["field"], "metadata.name", "{}", answer.text);

    for namespace in ["", "../team-b", "a/b", "-", markup] {
        order = new_order("fine");
        order["namespace"] = namespace.into();
        let answer = visitor.post("/api/orders", order.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{namespace}: {}", answer.text);
    }
    for workspace in ["..", "root:team-a/../team-b", "*", "root:*", "root%3Ateam-a%2F", "%00"] {
        let answer = visitor.get(&format!("/api/orders?workspace={workspace}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{workspace}: {}", answer.text);
    }
    for name in ["..%2F..%2Fsecrets", "%2E%2E", "a%00b", "app%2Fstatus", "app%3FlabelSelector=x"] {
        let answer = visitor.get(&order_path(name)).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{name}: {answer:?}");
        let answer = visitor.get(&format!("/api/catalog/{name}/kinds/databases/form")).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{name}: {answer:?}");
    }
    // What is no part of an order is not taken over from the form.
    order = new_order("fields");
    order["values"]["metadata"] = json!({"finalizers": ["example.com/stay"], "namespace": "kube-system"});
    order["values"]["kind"] = "Secret".into();
    assert_eq!(visitor.post("/api/orders", order).await.status, StatusCode::CREATED);
    assert_eq!(visitor.get(&order_path("fields")).await.json()["kind"], "Database");

    // A fault of the order is told at its field, as the API server says it.
    let mut wrong = new_order("wrong");
    wrong["values"]["spec"]["engine"] = "oracle".into();
    let answer = visitor.post("/api/orders", wrong).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["causes"][0]["field"]), (422, &json!("spec.engine")));

    let mut huge = new_order("huge");
    huge["values"]["spec"]["version"] = "x".repeat(100_000).into();
    let answer = visitor.post("/api/orders", huge).await;
    assert!(matches!(answer.status.as_u16(), 400 | 413), "{answer:?}");

    // An order of the same name that came later is not the one that was seen.
    let answer = visitor.ask(Method::DELETE, &format!("{}?uid=another", order_path("app")), None).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    demo.stop().await.unwrap();
}

async fn check_headers(demo: &Demo) {
    let stranger = Visitor::stranger(demo);
    let check = |path: &str, headers: &HeaderMap| {
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer", "{path}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
    };
    for path in ["/", "/app.js", "/style.css", "/nowhere", "/api/nowhere", "/api/session", "/..%2f..%2fetc/passwd"] {
        check(path, &stranger.get(path).await.headers);
    }
    let html = stranger.get("/").await.text;
    assert!(!html.contains(" style=") && !html.contains("onclick") && !html.contains("<script>"), "nothing is inline");
    for path in ["/app.js", "/api.js", "/dom.js", "/form.js", "/orders.js", "/topology.js"] {
        let script = stranger.get(path).await;
        assert_eq!(script.status, StatusCode::OK);
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
            assert!(!script.text.contains(sink), "{path} makes markup with {sink}");
        }
    }
}
