//! Tokens of OpenID Connect issuers, of the whole installation and of workspaces by their type.

use kdp_core::api::authentication::AuthenticationConfiguration;
use kube::CustomResourceExt;

use super::{issuer::Issuer, *};
use crate::support::{dynamic, eventually, object, refusal};

fn jwt(issuer: &Issuer) -> Value {
    json!({
        "issuer": {"url": issuer.url, "certificateAuthority": issuer.authority, "audiences": ["kdp", "kubectl"],
            "audienceMatchPolicy": "MatchAny"},
        "claimMappings": {
            "username": {"claim": "sub", "prefix": "oidc:"},
            "groups": {"claim": "groups", "prefix": "oidc:"},
            "extra": [{"key": "example.com/issuer", "valueExpression": "claims.iss"}],
        },
        "userValidationRules": [{"expression": "user.username != 'oidc:banned'", "message": "banned"}],
    })
}

fn options(issuer: &Issuer) -> EmbeddedOptions {
    let configuration = json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [jwt(issuer)]});
    let configuration: AuthenticationConfiguration = serde_json::from_value(configuration).unwrap();
    EmbeddedOptions::new().with_oidc(&configuration).unwrap()
}

async fn served(issuer: &Issuer) -> Served {
    let served = Served::start(options(issuer)).await;
    served.grant("root:victim", "ann", user_subject("oidc:ann")).await;
    served
}

#[tokio::test]
async fn a_token_of_the_issuer_is_a_user_and_everything_else_is_nobody() {
    let issuer = Issuer::start().await;
    let served = served(&issuer).await;
    let ann = served.who("root:victim", &issuer.token()).await.unwrap();
    assert_eq!(
        ann,
        json!({"username": "oidc:ann", "groups": ["oidc:devs", "system:authenticated"], "extra": {"example.com/issuer": [issuer.url]}})
    );
    assert_eq!(served.review("root:victim", &issuer.token(), &[]).await["user"], ann);
    // The token was made for this server, not for whoever else asks about it.
    assert_eq!(served.review("root:victim", &issuer.token(), &["kdp"]).await["authenticated"], Value::Null);

    let now = jiff::Timestamp::now().as_second();
    let refused: [(&str, Value); 8] = [
        ("/aud", json!("other")),
        ("/aud", json!([])),
        ("/iss", json!("https://localhost:1")),
        ("/exp", json!(now - 1)),
        ("/exp", Value::Null),
        ("/nbf", json!(now + 600)),
        ("/sub", json!("banned")),
        ("/sub", Value::Null),
    ];
    for (pointer, value) in refused {
        let claims = issuer.claims(|claims| claims[&pointer[1..]] = value.clone());
        assert_eq!(served.who("root:victim", &issuer.signed(&claims)).await, Err(401), "{pointer} {value}");
    }
    for forgery in issuer.forgeries() {
        assert_eq!(served.who("root:victim", &forgery).await, Err(401), "{forgery}");
    }
    assert!(served.who("root:victim", &issuer.token()).await.is_ok());
}

#[tokio::test]
async fn a_rotated_key_is_found_and_the_old_one_ends() {
    let issuer = Issuer::start().await;
    let served = served(&issuer).await;
    let old = issuer.token();
    assert!(served.who("root:victim", &old).await.is_ok());
    issuer.rotate();
    assert!(served.who("root:victim", &issuer.token()).await.is_ok());
    assert_eq!(served.who("root:victim", &old).await, Err(401));
}

#[tokio::test]
async fn while_the_issuer_is_away_its_tokens_are_refused_and_others_are_not() {
    let issuer = Issuer::start().await;
    issuer.stop();
    let token = issuer.token();
    let served = served(&issuer).await;
    assert_eq!(served.who("root:victim", &token).await, Err(401));
    let error = served.review("root:victim", &token, &[]).await["error"].clone();
    assert_eq!(error, "the keys of the issuer cannot be fetched");
    let elsewhere = served.system("root:victim", Method::GET, "/api/v1/secrets", &Value::Null).await;
    assert_eq!(elsewhere["items"], json!([]));
}

#[test]
fn a_faulty_configuration_is_refused() {
    let configuration: AuthenticationConfiguration = serde_json::from_value(json!({"jwt": [{
        "issuer": {"url": "http://issuer.example", "audiences": ["a"]}, "claimMappings": {"username": {"claim": "sub"}},
    }]}))
    .unwrap();
    let error = EmbeddedOptions::new().with_oidc(&configuration).unwrap_err().to_string();
    assert!(error.contains("jwt[0].issuer.url") && error.contains("jwt[0].claimMappings.username.prefix"), "{error}");
}

/// A WorkspaceType `members` in the root whose workspaces accept the tokens of `issuer`.
async fn members_type(served: &Served, issuer: &Issuer) {
    let root = system(&served.control_plane, "root");
    let group = "tenancy.kcp.io";
    let types = dynamic(root.clone(), "", group, "v1alpha1", "WorkspaceType", "workspacetypes");
    if types.list(&Default::default()).await.is_err() {
        let mut definition = kdp_core::api::tenancy::Workspace::crd();
        let names = &mut definition.spec.names;
        (names.kind, names.plural, names.singular) = ("WorkspaceType".into(), "workspacetypes".into(), None);
        (names.short_names, names.list_kind) = (None, None);
        definition.metadata.name = Some("workspacetypes.tenancy.kcp.io".into());
        let mut definition = serde_json::to_value(definition).unwrap();
        let annotations = json!({"api-approved.kubernetes.io": "unapproved, for a test"});
        definition["metadata"]["annotations"] = annotations;
        definition["spec"]["versions"][0]["schema"] =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        definition["spec"]["versions"][0]["additionalPrinterColumns"] = json!([]);
        served
            .system("root", Method::POST, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition)
            .await;
        eventually(async || types.list(&Default::default()).await.is_ok()).await;
    }
    let plural = "workspaceauthenticationconfigurations";
    let configurations = dynamic(root, "", group, "v1alpha1", "WorkspaceAuthenticationConfiguration", plural);
    let mut wanted = jwt(issuer);
    wanted["claimMappings"]["username"]["prefix"] = json!("");
    wanted["claimMappings"]["groups"]["prefix"] = json!("");
    let configuration = json!({"apiVersion": format!("{group}/v1alpha1"), "kind": "WorkspaceAuthenticationConfiguration",
        "metadata": {"name": "members"}, "spec": {"jwt": [wanted]}});
    let mut faulty = configuration.clone();
    faulty["spec"]["jwt"][0]["issuer"]["url"] = json!("http://x");
    assert_eq!(refusal(configurations.create(&Default::default(), &object(faulty)).await).0, 422);
    configurations.create(&Default::default(), &object(configuration)).await.unwrap();
    let type_ = json!({"apiVersion": format!("{group}/v1alpha1"), "kind": "WorkspaceType", "metadata": {"name": "members"},
        "spec": {"authenticationConfigurations": [{"name": "members"}]}});
    types.create(&Default::default(), &object(type_)).await.unwrap();
}

#[tokio::test]
async fn a_type_opens_its_workspaces_to_an_issuer_and_only_those() {
    let issuer = Issuer::start().await;
    let served = Served::start(EmbeddedOptions::new()).await;
    members_type(&served, &issuer).await;
    for name in ["club", "other-club"] {
        let workspace = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name},
            "spec": {"type": {"name": "members", "path": "root"}}});
        served.system("root", Method::POST, "/apis/tenancy.kcp.io/v1alpha1/workspaces", &workspace).await;
    }
    for path in ["root:club", "root:victim"] {
        served.grant(path, "ann", user_subject("ann")).await;
    }
    let token = issuer.token();
    let ann = served.who("root:club", &token).await.unwrap();
    assert_eq!((&ann["username"], &ann["groups"]), (&json!("ann"), &json!(["devs", "system:authenticated"])));
    let scopes = ann["extra"]["authentication.kcp.io/scopes"][0].as_str().unwrap();
    assert!(scopes.starts_with("cluster:"), "{scopes}");
    assert_eq!(served.review("root:club", &token, &[]).await["user"]["username"], "ann");
    // Not let in, since nobody let that user of the other workspace in.
    assert_eq!(served.who("root:other-club", &token).await, Err(403));
    // In workspaces of other types the token is no token, whoever has the rights there.
    for path in ["root:victim", "root", ""] {
        assert_eq!(served.who(path, &token).await, Err(401), "{path}");
    }
    let mighty = issuer.claims(|claims| claims["groups"] = json!(["system:masters", "system:kcp:admin"]));
    assert_eq!(served.who("root:other-club", &issuer.signed(&mighty)).await, Err(403));
    for name in ["system:admin", "system:serviceaccount:default:default"] {
        let claims = issuer.claims(|claims| claims["sub"] = json!(name));
        assert_eq!(served.who("root:club", &issuer.signed(&claims)).await, Err(401), "{name}");
    }
}

#[tokio::test]
async fn who_takes_the_place_of_a_types_workspace_vouches_for_nobody_in_workspaces_of_the_old_type() {
    let issuer = Issuer::start().await;
    let served = Served::start(EmbeddedOptions::new()).await;
    let tenancy = |plural: &str| format!("/apis/tenancy.kcp.io/v1alpha1/{plural}");
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let open = async || {
        workspace(&served.control_plane, "root", "org").await;
        let mut entry = jwt(&issuer);
        entry["claimMappings"]["username"]["prefix"] = json!("");
        let configuration = object("WorkspaceAuthenticationConfiguration", "members", json!({"jwt": [entry]}));
        let url = tenancy("workspaceauthenticationconfigurations");
        served.system("root:org", Method::POST, &url, &configuration).await;
        let type_ = object("WorkspaceType", "members", json!({"authenticationConfigurations": [{"name": "members"}]}));
        served.system("root:org", Method::POST, &tenancy("workspacetypes"), &type_).await;
    };
    open().await;
    let club = object("Workspace", "club", json!({"type": {"name": "members", "path": "root:org"}}));
    served.system("root", Method::POST, &tenancy("workspaces"), &club).await;
    served.grant("root:club", "ann", user_subject("ann")).await;
    assert_eq!(served.who("root:club", &issuer.token()).await.unwrap()["username"], "ann");
    served.system("root", Method::DELETE, &format!("{}/org", tenancy("workspaces")), &Value::Null).await;
    let root = system(&served.control_plane, "root");
    let org = format!("{}/org", tenancy("workspaces"));
    eventually(async || ask(&root, Method::GET, &org, &Value::Null).await == Err(404)).await;
    assert_eq!(served.who("root:club", &issuer.token()).await, Err(401));
    open().await;
    assert_eq!(served.who("root:club", &issuer.token()).await, Err(401), "the workspace of the type is another one");
}
