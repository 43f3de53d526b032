use clap::Parser;

use super::{super::flags::Flags, *};

const REQUIRED: [&str; 3] =
    ["--kcp-kubeconfig=kcp.yaml", "--namespace=agents", "--apiexportendpointslice-ref=databases"];

fn settings(flags: &[&str]) -> Result<Settings, Vec<String>> {
    let flags = Flags::try_parse_from([&["kdp-syncagent"], flags].concat()).map_err(|e| vec![e.to_string()])?;
    Settings::try_from(flags.agent)
}

fn with(flags: &[&str]) -> Settings {
    settings(&[&REQUIRED, flags].concat()).unwrap()
}

#[track_caller]
fn check_fault(flags: &[&str], expected: &str) {
    let faults = settings(&[&REQUIRED, flags].concat()).unwrap_err();
    assert!(faults.iter().any(|fault| fault.contains(expected)), "{faults:?}");
}

#[test]
fn what_is_not_said_is_as_in_the_existing_agent() {
    let settings = with(&[]);
    assert_eq!(settings.agent_name, "databases-syncagent");
    assert_eq!(settings.published_resources, None);
    assert!(!settings.is_elected);
    assert!(settings.disabled.is_empty());
    assert_eq!(settings.metrics.unwrap().to_string(), "127.0.0.1:8085");
    assert_eq!(settings.health, None);
    assert_eq!(settings.logging.format, LogFormat::Json);
    assert!(!settings.logging.is_verbose);
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let expected =
        ["--kcp-kubeconfig is required", "--apiexportendpointslice-ref is required", "--namespace is required"];
    assert_eq!(settings(&[]).unwrap_err(), expected);
}

#[test]
fn a_reference_to_an_export_will_do() {
    let settings = settings(&["--kcp-kubeconfig", "k", "--namespace", "n", "--apiexport-ref", "old"]).unwrap();
    let reference = Reference::Export("old".into());
    assert_eq!(settings.tenants, Tenants::Kcp { kubeconfig: "k".into(), reference });
    assert_eq!(settings.agent_name, "old-syncagent");
}

#[test]
fn a_plain_cluster_takes_the_place_of_kcp() {
    let flags = ["--tenant-kubeconfig=t", "--namespace=n", "--agent-name=a"];
    let given = settings(&[&flags[..], &["--tenant-cluster-name=main"]].concat()).unwrap();
    let name = Some("main".parse().unwrap());
    assert_eq!(given.tenants, Tenants::Cluster { kubeconfig: "t".into(), name });
    assert_eq!(settings(&flags).unwrap().tenants, Tenants::Cluster { kubeconfig: "t".into(), name: None });
    let faults = settings(&[&flags[..], &["--tenant-cluster-name=a-b"]].concat()).unwrap_err();
    assert!(faults[0].contains("--tenant-cluster-name \"a-b\""), "{faults:?}");
    assert!(settings(&["--tenant-kubeconfig=t", "--namespace=n"]).unwrap_err()[0].contains("--agent-name"));
    assert!(settings(&[&REQUIRED, &["--tenant-kubeconfig=t"][..]].concat()).is_err());
    assert!(settings(&[&REQUIRED, &["--tenant-cluster-name=t"][..]].concat()).is_err());
}

#[test]
fn switches_take_the_forms_that_go_takes() {
    for (flags, expected) in [
        (&["--enable-leader-election"][..], true),
        (&["--enable-leader-election=true"], true),
        (&["--enable-leader-election=false"], false),
        (&[], false),
    ] {
        assert_eq!(with(flags).is_elected, expected, "{flags:?}");
    }
}

#[test]
fn controllers_are_disabled_one_by_one_or_together() {
    for (flags, expected) in [
        (&["--disabled-controllers=apiexport"][..], &[Controller::Export][..]),
        (&["--disabled-controllers=apiexport,sync"], &[Controller::Export, Controller::Sync]),
        (
            &["--disabled-controllers=apiexport", "--disabled-controllers=apiresourceschema"],
            &[Controller::Export, Controller::Schemas],
        ),
        (&["--disabled-controllers="], &[]),
    ] {
        assert!(with(flags).disabled.iter().eq(expected), "{flags:?}");
    }
}

#[test]
fn the_log_format_may_be_written_in_any_case() {
    for name in ["Console", "console", "CONSOLE"] {
        assert_eq!(with(&["--log-format", name]).logging.format, LogFormat::Console);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_flag() {
    for (flags, expected) in [
        (&["--disabled-controllers=apiexprot"][..], "--disabled-controllers \"apiexprot\""),
        (&["--agent-name=Big"], "--agent-name \"Big\""),
        (&["--agent-name=1st"], "--agent-name \"1st\""),
        (&["--apiexport-hostport-override=a"], "--apiexport-hostport-override \"a\""),
        (&["--drift-interval=soon"], "--drift-interval \"soon\""),
        (&["--drift-interval=é"], "--drift-interval"),
        (&["--drift-interval=0s"], "--drift-interval"),
        (&["--plan", "--drift"], "--drift"),
        (&["--output=yaml"], "--output"),
        (&["--workspace-shards=0"], "--workspace-shards"),
        (&["--log-format=xml"], "--log-format \"xml\""),
        (&["--metrics-address=8085"], "--metrics-address \"8085\""),
        (&["--health-address=localhost:http"], "--health-address \"localhost:http\""),
        (&["--enable-leader-election=maybe"], "--enable-leader-election"),
        (&["--kubconfig=x"], "--kubconfig"),
        (&["--apiexport-ref=x"], "--apiexport-ref"),
    ] {
        check_fault(flags, expected);
    }
}

#[test]
fn addresses_are_read_as_go_reads_them() {
    for (value, expected) in [
        ("127.0.0.1:8085", Some("127.0.0.1:8085")),
        (":8085", Some(":8085")),
        ("localhost:0", Some("localhost:0")),
        ("[::1]:80", Some("::1:80")),
        ("0", None),
        ("", None),
    ] {
        let address = ListenAddress::parse("metrics-address", value).unwrap();
        assert_eq!(address.map(|address| address.to_string()).as_deref(), expected, "{value:?}");
    }
    for value in ["::1:80", ":", "host", "host:99999"] {
        assert!(ListenAddress::parse("metrics-address", value).is_err(), "{value:?}");
    }
}
