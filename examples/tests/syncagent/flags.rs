//! The command line.

use serde_json::Value;

use super::{
    case::Case,
    object::api,
    program::{Program, flags, run},
    shared::{eventually, pause, shared},
};

/// Runs the agent with these flags; it has to fail and to say `expected`.
fn refuses(flags: &[String], expected: &str) {
    let output = run(flags);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn every_flag_that_is_missing_is_named_at_once() {
    for flag in ["--kcp-kubeconfig", "--namespace", "--apiexportendpointslice-ref"] {
        refuses(&[], flag);
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let output = run(&["--log-format=xml".to_owned(), "--agent-name=Big".to_owned()]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in ["--kcp-kubeconfig is required", "--namespace is required", "--log-format", "--agent-name"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
}

#[test]
fn a_flag_that_is_wrong_is_named() {
    shared(async |s| {
        for (flag, expected) in [
            ("--agent-name=Not/A/Name", "--agent-name"),
            ("--disabled-controllers=sync,lunch", "lunch"),
            ("--log-format=xml", "--log-format"),
            ("--metrics-address=nowhere", "--metrics-address"),
            ("--health-address=nowhere", "--health-address"),
        ] {
            let flags: Vec<_> = flags(&s.site, "anything", "flags", &[])
                .into_iter()
                .filter(|given| given.split('=').next() != flag.split('=').next())
                .chain([flag.to_owned()])
                .collect();
            refuses(&flags, expected);
        }
    });
}

#[test]
fn a_published_resource_selector_that_is_none_is_refused() {
    shared(async |s| {
        let flags = flags(&s.site, "anything", "flags", &["--published-resource-selector=a in (b"]);
        let output = tokio::task::spawn_blocking(move || run(&flags)).await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("unable to parse requirement"));
    });
}

#[test]
fn a_flag_that_nobody_knows_is_refused() {
    let output = run(&["--frobnicate".to_owned()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--frobnicate"));
}

#[test]
fn help_names_every_flag_of_the_existing_agent() {
    let output = run(&["--help".to_owned()]);
    assert!(output.status.success());
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for flag in [
        "kcp-kubeconfig",
        "namespace",
        "apiexportendpointslice-ref",
        "agent-name",
        "published-resource-selector",
        "enable-leader-election",
        "kubeconfig",
        "kubeconfig-host-override",
        "kubeconfig-ca-file-override",
        "metrics-address",
        "health-address",
        "disabled-controllers",
        "log-debug",
        "log-format",
    ] {
        assert!(help.contains(&format!("--{flag}")), "{flag}");
    }
}

#[test]
fn a_kubeconfig_that_is_not_there_is_named() {
    shared(async |s| {
        let missing = s.site.folder.join("missing.kubeconfig").display().to_string();
        let mut flags = flags(&s.site, "anything", "flags", &[]);
        flags[0] = format!("--kcp-kubeconfig={missing}");
        refuses(&flags, &missing);
    });
}

#[test]
fn a_kubeconfig_without_a_workspace_is_refused() {
    shared(async |s| {
        let text = std::fs::read_to_string(&s.site.kcp_kubeconfig).unwrap();
        let file = s.site.folder.join("no-workspace.kubeconfig");
        std::fs::write(&file, text.replace("/clusters/root:provider", "")).unwrap();
        let mut flags = flags(&s.site, "anything", "flags", &[]);
        flags[0] = format!("--kcp-kubeconfig={}", file.display());
        refuses(&flags, "/clusters/");
    });
}

#[test]
fn an_endpoint_slice_that_is_not_there_is_named_and_waited_for() {
    shared(async |s| {
        let selector = "--published-resource-selector=agent=flagslate";
        let agent = Program::start(&s.site, "flagslate", &flags(&s.site, "flagslate", "flagslate", &[selector]));
        eventually("it is told", async || agent.log_tail().contains("flagslate\\\" not found").then_some(())).await;
        s.site.create_export("flagslate").await;
        let case = Case::on(&s.site, "flagslate", "flagslate", "flagslate", |_| {}).await;
        case.publish(serde_json::json!({})).await;
        case.published().await;
        assert!(agent.terminate().await.success());
    });
}

#[test]
fn an_export_may_be_named_in_place_of_a_slice_and_single_dashes_do() {
    shared(async |s| {
        s.site.create_export("flagsexport").await;
        let mut flags = flags(&s.site, "", "flagsexport", &["-published-resource-selector=agent=flagsexport"]);
        flags[3] = "-apiexport-ref=flagsexport".to_owned();
        let agent = Program::start(&s.site, "flagsexport", &flags);
        let case = Case::on(&s.site, "flagsexport", "flagsexport", "flagsexport", |_| {}).await;
        case.publish(serde_json::json!({})).await;
        case.published().await;
        assert!(agent.terminate().await.success());
    });
}

#[test]
fn a_host_override_with_its_certificate_authority_leads_to_the_service_cluster() {
    shared(async |s| {
        let text = std::fs::read_to_string(&s.site.service_kubeconfig).unwrap();
        let kubeconfig: kube::config::Kubeconfig = kube::config::Kubeconfig::from_yaml(&text).unwrap();
        let cluster = kubeconfig.clusters[0].cluster.clone().unwrap();
        let server = cluster.server.unwrap();
        let data = cluster.certificate_authority_data.unwrap();
        let secrets = super::object::secrets(s.site.service(), "default");
        // A Secret decodes the certificate.
        let decoded = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "flags-ca"}, "data": {"ca": data},
        });
        super::object::create(&secrets, decoded).await;
        let secret: k8s_openapi::api::core::v1::Secret = secrets.get("flags-ca").await.unwrap().try_parse().unwrap();
        let ca = s.site.folder.join("override-ca.pem");
        std::fs::write(&ca, &secret.data.unwrap()["ca"].0).unwrap();
        let broken = s.site.folder.join("broken.kubeconfig");
        std::fs::write(&broken, text.replace(&server, "https://127.0.0.1:1/clusters/root")).unwrap();
        s.site.create_export("flagshost").await;
        let host = format!("--kubeconfig-host-override={server}");
        let ca = format!("--kubeconfig-ca-file-override={}", ca.display());
        let selector = "--published-resource-selector=agent=flagshost";
        let mut flags = flags(&s.site, "flagshost", "flagshost", &[&host, &ca, selector]);
        flags[1] = format!("--kubeconfig={}", broken.display());
        let agent = Program::start(&s.site, "flagshost", &flags);
        let case = Case::on(&s.site, "flagshost", "flagshost", "flagshost", |_| {}).await;
        case.publish(serde_json::json!({})).await;
        case.published().await;
        agent.terminate().await;
    });
}

#[test]
fn controllers_that_are_disabled_do_nothing() {
    shared(async |s| {
        s.site.create_export("flagsoff").await;
        let selector = "--published-resource-selector=agent=flagsoff";
        let more = [selector, "--disabled-controllers=sync"];
        let without_sync = Program::start(&s.site, "flagsoff-sync", &flags(&s.site, "flagsoff", "flagsoff", &more));
        let case = Case::on(&s.site, "flagsoff", "flagsoff", "flagsoff", |_| {}).await;
        case.offer(serde_json::json!({})).await;
        case.order("one", serde_json::json!({})).await;
        pause().await;
        assert!(case.copies().list(&Default::default()).await.unwrap().items.is_empty());
        without_sync.terminate().await;
        let more = [selector, "--disabled-controllers=apiexport,apiresourceschema"];
        let only_sync = Program::start(&s.site, "flagsoff-only", &flags(&s.site, "flagsoff", "flagsoff", &more));
        case.copy("one", |_| true).await;
        let exported = case.exported().await;
        case.publish_as("flagsoff-2", serde_json::json!({"projection": {"group": "second.flagsoff.com"}})).await;
        pause().await;
        assert_eq!(case.exported().await, exported);
        let second = case.published_resources().get("flagsoff-2").await.unwrap();
        assert!(second.data["status"]["resourceSchemaName"].is_null());
        only_sync.terminate().await;
    });
}

#[test]
fn two_agents_with_disjoint_selectors_share_a_service_cluster() {
    shared(async |s| {
        let mut agents = Vec::new();
        let mut cases = Vec::new();
        for name in ["flagsfirst", "flagssecond"] {
            s.site.create_export(name).await;
            let selector = format!("--published-resource-selector=agent={name}");
            agents.push(Program::start(&s.site, name, &flags(&s.site, name, name, &[&selector])));
            let case = Case::on(&s.site, name, name, name, |_| {}).await;
            case.offer(serde_json::json!({})).await;
            case.order("one", serde_json::json!({})).await;
            cases.push(case);
        }
        for case in &cases {
            let copy = case.copy("one", |_| true).await;
            assert_eq!(copy.metadata.labels.unwrap()["syncagent.kcp.io/agent-name"], case.name);
            assert_eq!(case.exported().await.len(), 1);
        }
        for agent in agents {
            assert!(agent.terminate().await.success());
        }
    });
}

#[test]
fn logs_are_lines_of_json_unless_another_format_is_asked_for() {
    shared(async |s| {
        for (format, is_json) in [("JSON", true), ("json", true), ("Console", false)] {
            let format = format!("--log-format={format}");
            let mut flags = flags(&s.site, "anything", "flagslog", &[&format]);
            flags[0] = "--kcp-kubeconfig=missing.kubeconfig".to_owned();
            let output = run(&flags);
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            let failed = log.lines().find(|line| line.contains("agent.failed")).unwrap();
            assert_eq!(serde_json::from_str::<Value>(failed).is_ok(), is_json, "{failed}");
        }
    });
}

#[test]
fn a_lease_lets_only_one_of_two_agents_work() {
    shared(async |s| {
        s.site.create_export("flagslease").await;
        let more = ["--published-resource-selector=agent=flagslease", "--enable-leader-election"];
        let first = Program::start(&s.site, "flagslease-1", &flags(&s.site, "flagslease", "flagslease", &more));
        let case = Case::on(&s.site, "flagslease", "flagslease", "flagslease", |_| {}).await;
        case.publish(serde_json::json!({})).await;
        case.published().await;
        let second = Program::start(&s.site, "flagslease-2", &flags(&s.site, "flagslease", "flagslease", &more));
        let leases =
            api(s.site.service(), Some(super::program::NAMESPACE), "coordination.k8s.io/v1", "Lease", "leases");
        let holder = async || {
            let lease = leases.get_opt("syncagent.flagslease").await.unwrap()?;
            lease.data["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).map(str::to_owned)
        };
        let held_by = eventually("there is a lease", &holder).await;
        pause().await;
        assert_eq!(holder().await.as_ref(), Some(&held_by));
        first.terminate().await;
        // The second takes over, and works.
        eventually("somebody else holds the lease", async || holder().await.filter(|now| *now != held_by)).await;
        case.publish_as("flagslease-2", serde_json::json!({"projection": {"group": "second.flagslease.com"}})).await;
        eventually("the second works", async || (case.exported().await.len() == 2).then_some(())).await;
        second.terminate().await;
    });
}

#[test]
fn a_terminated_agent_finishes_what_it_has_begun() {
    shared(async |s| {
        s.site.create_export("flagsterm").await;
        let selector = "--published-resource-selector=agent=flagsterm";
        let agent = Program::start(&s.site, "flagsterm", &flags(&s.site, "flagsterm", "flagsterm", &[selector]));
        let case = Case::on(&s.site, "flagsterm", "flagsterm", "flagsterm", |_| {}).await;
        case.offer(serde_json::json!({})).await;
        for number in 0..20 {
            case.order(&format!("order-{number}"), serde_json::json!({"a": number})).await;
        }
        assert!(agent.terminate().await.success(), "it ends well");
        // Every copy that there is has its order's state kept: none is half made.
        let states = super::object::secrets(case.service(), super::program::NAMESPACE);
        let prefix = format!("obj-state-{}-", case.cluster("flagsterm").await);
        let kept = super::object::names(&states).await.into_iter().filter(|name| name.starts_with(&prefix)).count();
        let copies = case.copies().list(&Default::default()).await.unwrap().items.len();
        assert!(kept >= copies, "{copies} copies, {kept} states");
    });
}
