use serde_json::json;

use super::*;

fn state() -> Stored {
    let state = json!({
        "version": 4, "serial": 7, "lineage": "l", "terraform_version": "1.11.4",
        "outputs": {
            "url": {"value": "https://a", "type": "string"},
            "ports": {"value": [80, 443], "type": ["list", "number"]},
            "password": {"value": "hunter22", "type": "string", "sensitive": true},
        },
        "resources": [
            {"mode": "managed", "type": "net", "name": "a", "provider": "p", "instances": [
                {"attributes": {"id": "n-1"}, "dependencies": []},
            ]},
            {"mode": "managed", "type": "disk", "name": "d", "provider": "p", "module": "module.m", "instances": [
                {"index_key": 0, "attributes": {"id": "d-0"}, "dependencies": ["net.a"]},
                {"index_key": "x", "attributes": {"id": "d-x"}, "dependencies": ["net.a", "module.m.disk.d"]},
            ]},
            {"mode": "managed", "type": "vm", "name": "v", "provider": "p", "instances": [
                {"attributes": {"id": "v-2"}, "dependencies": ["module.m.disk.d", "net.a"]},
                {"deposed": "abcd", "attributes": {"id": "v-1"}, "dependencies": ["net.a"]},
            ]},
            {"mode": "data", "type": "ami", "name": "x", "provider": "p", "instances": [{"attributes": {"id": "i"}}]},
        ],
        "check_results": [
            {"object_kind": "check", "config_addr": "check.health", "status": "fail", "objects": [
                {"object_addr": "check.health", "status": "fail", "failure_messages": ["it is ill"]},
            ]},
            {"object_kind": "resource", "config_addr": "net.a", "status": "fail", "objects": null},
            {"object_kind": "check", "config_addr": "check.other", "status": "pass", "objects": null},
        ],
    });
    Stored::parse(state.to_string().as_bytes()).unwrap()
}

#[test]
fn dependents_go_first_and_data_is_nothing_that_goes() {
    let items: Vec<_> = state().inventory().into_iter().map(|item| item.id).collect();
    assert_eq!(items, ["vm.v", "vm.v (deposed abcd)", "module.m.disk.d[\"x\"]", "module.m.disk.d[0]", "net.a"]);
}

#[test]
fn outputs_are_texts_with_their_sensitivity() {
    let outputs: BTreeMap<_, _> = state().outputs().collect();
    assert_eq!(outputs["url"], Output::plain("https://a"));
    assert_eq!(outputs["ports"], Output::plain("[80,443]"));
    assert_eq!(outputs["password"], Output::sensitive("hunter22"));
}

#[test]
fn real_things_are_found_by_address_and_by_kind() {
    let state = state();
    assert_eq!(state.ids("module.m.disk.d[\"x\"]"), ["d-x"]);
    assert_eq!(state.ids("vm.v"), ["v-2"]);
    assert_eq!(state.ids("vm.w"), Vec::<&str>::new());
    assert!(state.real_things().any(|thing| thing == ("vm", "v-1")));
    assert!(!state.real_things().any(|thing| thing == ("ami", "i")));
}

#[test]
fn only_failed_checks_are_told() {
    assert_eq!(state().failed_checks(), ["check.health: it is ill"]);
}

#[test]
fn circles_end() {
    let state = json!({"resources": [
        {"mode": "managed", "type": "a", "name": "a", "instances": [{"dependencies": ["b.b"]}]},
        {"mode": "managed", "type": "b", "name": "b", "instances": [{"dependencies": ["a.a"]}]},
    ]});
    assert_eq!(Stored::parse(state.to_string().as_bytes()).unwrap().inventory().len(), 2);
}

#[test]
fn a_state_without_resources_is_empty() {
    assert!(Stored::default().is_empty());
    assert!(!state().is_empty());
    assert!(Stored::parse(b"no json").is_err());
}

#[test]
fn the_state_itself_goes_last() {
    let id = OrderId::new("uid", "", "name");
    let record = teardown(&id, [("vm".to_owned(), "vm.v".to_owned())]);
    let kinds: Vec<_> = record.inventory.iter().map(|item| item.kind.as_str()).collect();
    assert_eq!(kinds, ["vm", STATE]);
}
