//! Tokens of service accounts.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";

fn account_subject(name: &str) -> Value {
    json!({"kind": "ServiceAccount", "namespace": "default", "name": name})
}

impl Served {
    async fn account(&self, path: &str, name: &str) {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
        self.system(path, Method::POST, ACCOUNTS, &account).await;
    }

    async fn token_request(&self, path: &str, name: &str, spec: Value) -> Result<Value, u16> {
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
        let url = format!("{ACCOUNTS}/{name}/token");
        ask(&system(&self.control_plane, path), Method::POST, &url, &request).await
    }

    async fn token(&self, path: &str, name: &str, spec: Value) -> String {
        let answer = self.token_request(path, name, spec).await.unwrap();
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    async fn cluster(&self, path: &str) -> String {
        let url = "/apis/core.kcp.io/v1alpha1/logicalclusters/cluster";
        let cluster = self.system(path, Method::GET, url, &Value::Null).await;
        cluster["metadata"]["annotations"]["kcp.io/cluster"].as_str().unwrap().to_owned()
    }
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn every_namespace_has_a_service_account_and_the_certificate_of_the_server() {
    let served = Served::start(EmbeddedOptions::new()).await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}});
    served.system("root:victim", Method::POST, "/api/v1/namespaces", &namespace).await;
    for namespace in ["default", "other"] {
        let url = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
        let account = served.system("root:victim", Method::GET, &url, &Value::Null).await;
        assert!(account["metadata"]["uid"].is_string());
        let url = format!("/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt");
        let authority = served.system("root:victim", Method::GET, &url, &Value::Null).await;
        assert!(authority["data"]["ca.crt"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        // What every workspace costs more for it; beside four other objects of half a kilobyte each.
        let size = account.to_string().len() + authority.to_string().len();
        assert!(size < 1500, "{size} bytes");
    }
}

#[tokio::test]
async fn a_token_acts_as_its_service_account_at_home_with_and_without_the_prefix() {
    let served = Served::start(EmbeddedOptions::new()).await;
    let token = served.token("root:victim", "default", json!({"expirationSeconds": 600})).await;
    let cluster = served.cluster("root:victim").await;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    assert_eq!((&header["alg"], header["kid"].is_string()), (&json!("ES256"), true));
    assert_eq!(claims["kubernetes.io"]["clusterName"], cluster.as_str());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    for path in ["root:victim", "", &cluster] {
        let user = served.who(path, &token).await.unwrap();
        assert_eq!(user["username"], "system:serviceaccount:default:default");
        assert_eq!(user["uid"], claims["kubernetes.io"]["serviceaccount"]["uid"]);
        let groups = json!(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]);
        assert_eq!(user["groups"], groups);
        let credential = format!("JTI={}", claims["jti"].as_str().unwrap());
        let extra = json!({"authentication.kcp.io/cluster-name": [cluster], "authentication.kubernetes.io/credential-id": [credential]});
        assert_eq!(user["extra"], extra);
    }
    let client = served.client("", &token).await;
    assert_eq!(ask(&client, Method::GET, SECRETS, &Value::Null).await, Err(403));
    served.grant("root:victim", "robot", account_subject("default")).await;
    assert!(ask(&client, Method::GET, SECRETS, &Value::Null).await.is_ok());
}

#[tokio::test]
async fn a_service_account_is_a_stranger_elsewhere_and_only_its_full_name_opens() {
    let served = Served::start(EmbeddedOptions::new()).await;
    // The victim's own account of that name may do everything there, and so may every one of its own.
    served.grant("root:victim", "own", account_subject("default")).await;
    let group = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"});
    served.grant("root:victim", "group", group).await;
    let token = served.token("root:attacker", "default", json!({})).await;
    let (victim, attacker) = (served.cluster("root:victim").await, served.cluster("root:attacker").await);
    for path in ["root:victim", &victim] {
        let client = served.client(path, &token).await;
        for url in [SECRETS, "/api", "/version", "/openapi/v3", "/apis/tenancy.kcp.io/v1alpha1/workspaces"] {
            assert_eq!(ask(&client, Method::GET, url, &Value::Null).await, Err(403), "{path} {url}");
        }
        let url = format!("{ACCOUNTS}/default/token");
        assert_eq!(ask(&client, Method::POST, &url, &json!({})).await, Err(403));
    }
    let name = format!("system:kcp:serviceaccount:{attacker}:default:default");
    served.grant("root:victim", "foreign", user_subject(&name)).await;
    let client = served.client("root:victim", &token).await;
    assert!(ask(&client, Method::GET, SECRETS, &Value::Null).await.is_ok());
}

#[tokio::test]
async fn a_namesake_of_an_account_that_may_bind_an_export_may_not() {
    let served = Served::start(EmbeddedOptions::new()).await;
    let export =
        json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "e"}, "spec": {}});
    served.system("root:victim", Method::POST, "/apis/apis.kcp.io/v1alpha2/apiexports", &export).await;
    served.grant("root:victim", "own", account_subject("default")).await;
    served.grant("root:victim", "admin", user_subject("victims-admin")).await;
    served.grant("root:attacker", "own", account_subject("default")).await;
    let client = served.client("root:attacker", &served.token("root:attacker", "default", json!({})).await).await;
    let binding = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "b"},
        "spec": {"reference": {"export": {"path": "root:victim", "name": "e"}}}});
    let url = "/apis/apis.kcp.io/v1alpha2/apibindings";
    assert_eq!(ask(&client, Method::POST, url, &binding).await, Err(403));
    // Nor does making somebody up at home help.
    let request =
        Request::post(url).header("content-type", "application/json").header("impersonate-user", "victims-admin");
    let answer = client.request::<Value>(request.body(binding.to_string().into_bytes()).unwrap()).await;
    assert_eq!(crate::support::refusal(answer).0, 403);
}

#[tokio::test]
async fn a_token_ends_with_its_service_account_and_not_even_its_namesake_revives_it() {
    let served = Served::start(EmbeddedOptions::new()).await;
    served.account("root:victim", "robot").await;
    let old = served.token("root:victim", "robot", json!({})).await;
    assert!(served.who("root:victim", &old).await.is_ok());
    served.system("root:victim", Method::DELETE, &format!("{ACCOUNTS}/robot"), &Value::Null).await;
    assert_eq!(served.who("root:victim", &old).await, Err(401));
    served.account("root:victim", "robot").await;
    assert_eq!(served.who("root:victim", &old).await, Err(401));
    let new = served.token("root:victim", "robot", json!({})).await;
    assert!(served.who("root:victim", &new).await.is_ok());
}

#[tokio::test]
async fn a_bound_token_ends_with_its_secret() {
    let served = Served::start(EmbeddedOptions::new()).await;
    let bound = |kind: &str, name: &str, uid: &str| json!({"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name, "uid": uid}});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
    served.system("root:victim", Method::POST, SECRETS, &secret).await;
    for (spec, code) in [
        (bound("Secret", "missing", ""), 404),
        (bound("Secret", "s", "other"), 409),
        (bound("Pod", "s", ""), 400),
        (json!({"expirationSeconds": 5}), 422),
    ] {
        assert_eq!(served.token_request("root:victim", "default", spec.clone()).await, Err(code), "{spec}");
    }
    assert_eq!(served.token_request("root:victim", "missing", json!({})).await, Err(404));
    let token = served.token("root:victim", "default", bound("Secret", "s", "")).await;
    assert!(served.who("root:victim", &token).await.is_ok());
    served.system("root:victim", Method::DELETE, &format!("{SECRETS}/s"), &Value::Null).await;
    assert_eq!(served.who("root:victim", &token).await, Err(401));
    served.system("root:victim", Method::POST, SECRETS, &secret).await;
    assert_eq!(served.who("root:victim", &token).await, Err(401));
}

#[tokio::test]
async fn keys_rotate_are_published_and_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::of(Embedded::open(directory.path()).await.unwrap()).await;
    let old = served.token("root:victim", "default", json!({})).await;
    served.control_plane.rotate_token_key().unwrap();
    let new = served.token("root:victim", "default", json!({})).await;
    assert_ne!(part(&old, 0)["kid"], part(&new, 0)["kid"]);
    for token in [&old, &new] {
        assert!(served.who("root:victim", token).await.is_ok());
    }
    let nobody = served.client("", "").await;
    let discovery = ask(&nobody, Method::GET, "/.well-known/openid-configuration", &Value::Null).await.unwrap();
    assert_eq!(discovery["issuer"], part(&new, 1)["iss"]);
    let keys = ask(&nobody, Method::GET, "/openid/v1/jwks", &Value::Null).await.unwrap();
    let ids: Vec<&Value> = keys["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert_eq!(ids, [&part(&new, 0)["kid"], &part(&old, 0)["kid"]]);
    assert!(!keys.to_string().contains("\"d\""), "a private key is published");
    served.control_plane.close().await.unwrap();
    drop(served);

    let control_plane = Embedded::open(directory.path()).await.unwrap();
    let server = control_plane.server(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let running = Platform::builder(Arc::new(control_plane.clone())).component(server).start().await.unwrap();
    let served = Served { control_plane, _running: running };
    for token in [&old, &new] {
        assert!(served.who("root:victim", token).await.is_ok());
    }
    served.control_plane.retire_old_token_keys().unwrap();
    assert_eq!(served.who("root:victim", &old).await, Err(401));
    assert!(served.who("root:victim", &new).await.is_ok());
}

#[tokio::test]
async fn a_token_is_good_only_for_its_audience() {
    let served = Served::start(EmbeddedOptions::new()).await;
    let vault = served.token("root:victim", "default", json!({"audiences": ["vault"]})).await;
    assert_eq!(served.who("root:victim", &vault).await, Err(401));
    let review = served.review("root:victim", &vault, &[]).await;
    assert_eq!((&review["authenticated"], review["user"].is_object()), (&Value::Null, false));
    let review = served.review("root:victim", &vault, &["vault", "other"]).await;
    assert_eq!((&review["authenticated"], &review["audiences"]), (&json!(true), &json!(["vault"])));
    assert_eq!(review["user"]["username"], "system:serviceaccount:default:default");
    let default = served.token("root:victim", "default", json!({})).await;
    assert_eq!(served.review("root:victim", &default, &[]).await["authenticated"], true);
    assert_eq!(served.review("root:victim", &default, &["vault"]).await["authenticated"], Value::Null);
}

#[tokio::test]
async fn tokens_that_were_tampered_with_are_refused() {
    let served = Served::start(EmbeddedOptions::new()).await;
    let token = served.token("root:attacker", "default", json!({})).await;
    let victim = served.cluster("root:victim").await;
    let mut claims = part(&token, 1);
    claims["kubernetes.io"]["clusterName"] = victim.into();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let parts: Vec<&str> = token.split('.').collect();
    let none = encode(&json!({"alg": "none", "kid": part(&token, 0)["kid"]}));
    for forged in [
        format!("{}.{}.{}", parts[0], encode(&claims), parts[2]),
        format!("{none}.{}.", encode(&claims)),
        format!("{none}.{}.", parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{token}.{}", parts[2]),
    ] {
        for path in ["root:victim", "root:attacker", ""] {
            assert_eq!(served.who(path, &forged).await, Err(401), "{forged}");
        }
    }
}

#[tokio::test]
async fn a_secret_of_the_token_type_holds_a_token_that_ends_with_it() {
    let served = Served::start(EmbeddedOptions::new()).await;
    let secret = |account: Value| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": account}}})
    };
    let client = system(&served.control_plane, "root:victim");
    for account in ["", "missing"] {
        assert_eq!(ask(&client, Method::POST, SECRETS, &secret(json!(account))).await, Err(422), "{account}");
    }
    let made = served.system("root:victim", Method::POST, SECRETS, &secret(json!("default"))).await;
    let data = |key: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(made["data"][key].as_str().unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    assert!(data("ca.crt").starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(data("namespace"), "default");
    let token = data("token");
    let user = served.who("root:victim", &token).await.unwrap();
    assert_eq!(user["username"], "system:serviceaccount:default:default");
    assert_eq!(made["metadata"]["annotations"]["kubernetes.io/service-account.uid"], user["uid"]);
    served.system("root:victim", Method::DELETE, &format!("{SECRETS}/t"), &Value::Null).await;
    assert_eq!(served.who("root:victim", &token).await, Err(401));
}

#[tokio::test]
async fn kubectl_creates_a_token_and_lives_on_it() {
    let Some(program) = crate::kubectl::program() else { return };
    let served = Served::start(EmbeddedOptions::new()).await;
    served.grant("root:victim", "robot", account_subject("default")).await;
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    let victim = Endpoint::Workspace("root:victim".parse().unwrap());
    let yaml = served.control_plane.kubeconfig(&victim, &Identity::system_masters()).unwrap();
    std::fs::write(&config, &yaml).unwrap();
    let run = async |args: &str| {
        let mut command = tokio::process::Command::new(&program);
        command.args(args.split_whitespace()).env("KUBECONFIG", &config).env("HOME", home.path()).kill_on_drop(true);
        let output = command.output().await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {args}\n{out}\n{err}");
        out.trim().to_owned()
    };
    // kubectl has known the subresource since 1.24; before, users posted the request themselves.
    let token = if run("create --help").await.contains("\n  token ") {
        run("create token default --duration=20m").await
    } else {
        let request = home.path().join("request.json");
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 1200}});
        std::fs::write(&request, body.to_string()).unwrap();
        // A raw path is one of the server, not of the kubeconfig's workspace.
        let path = "/clusters/root:victim/api/v1/namespaces/default/serviceaccounts/default/token";
        let answer = run(&format!("create --raw {path} -f {}", request.display())).await;
        serde_json::from_str::<Value>(&answer).unwrap()["status"]["token"].as_str().unwrap().to_owned()
    };
    let claims = part(&token, 1);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 1200);
    let mut kubeconfig = Kubeconfig::from_yaml(&yaml).unwrap();
    kubeconfig.auth_infos[0].auth_info = Some(AuthInfo { token: Some(token.into()), ..AuthInfo::default() });
    std::fs::write(&config, json!(kubeconfig).to_string()).unwrap();
    assert_eq!(run("get sa -o name").await, "serviceaccount/default");
    assert_eq!(run("get cm -o name").await, "configmap/kube-root-ca.crt");
    assert_eq!(run("auth can-i delete secrets").await, "yes");
}

/// Everything that is logged while it is the subscriber of this thread.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_token_is_ever_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("kdp_tenancy=trace,kdp_core=trace")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let served = Served::start(EmbeddedOptions::new()).await;
    let token = served.token("root:victim", "default", json!({})).await;
    let vault = served.token("root:victim", "default", json!({"audiences": ["vault"]})).await;
    let tampered = format!("{}x", &token[..token.len() - 2]);
    for token in [&token, &vault, &tampered, "hunter2-is-no-token"] {
        let _ = served.who("root:victim", token).await;
        let _ = served.who("", token).await;
        let review = served.review("root:victim", token, &[]).await;
        assert!(!review["error"].to_string().contains(&token[..12]), "{review}");
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("bearer token rejected"), "{text}");
    for token in [&token, &vault, &tampered, "hunter2-is-no-token"] {
        let secret = token.rsplit('.').next().unwrap();
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_watch_ends_with_its_service_account_at_home_and_elsewhere() {
    use futures::AsyncReadExt;
    let served = Served::start(EmbeddedOptions::new()).await;
    let home = served.cluster("root:victim").await;
    let stranger = user_subject(&format!("system:kcp:serviceaccount:{home}:default:robot"));
    for (path, subject) in [("root:victim", account_subject("robot")), ("root:attacker", stranger)] {
        served.account("root:victim", "robot").await;
        let token = served.token("root:victim", "robot", json!({})).await;
        served.grant(path, "robot", subject).await;
        let request = Request::get("/api/v1/secrets?watch=true&labelSelector=none").body(Vec::new()).unwrap();
        let watch = served.client(path, &token).await.request_stream(request).await.unwrap();
        served.system("root:victim", Method::DELETE, &format!("{ACCOUNTS}/robot"), &Value::Null).await;
        let mut rest = Vec::new();
        let mut watch = std::pin::pin!(watch);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(10), watch.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the watch in {path} goes on");
    }
}
