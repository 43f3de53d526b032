//! Orders in all workspaces that use an export.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kdp_core::{
    ControlPlane, Endpoint, Identity,
    api::apis::{APIBinding, APIExport, APIResourceSchema},
    provider::Weight,
    runner::{Home, Reach, Runner},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};

use crate::site::{HOME, Site, eventually, kind, options, schema, start, thing, things};

const TENANTS: [&str; 3] = ["root:t1", "root:t2", "root:t3"];

/// A site with an export of things in the home, which the tenants use.
async fn site() -> Site {
    let site = Site::new().await;
    create::<APIResourceSchema>(
        &site,
        HOME,
        json!({
            "metadata": {"name": "v1.things.things.example.com"},
            "spec": {
                "group": "things.example.com", "scope": "Namespaced",
                "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": schema(),
                }],
            },
        }),
    )
    .await;
    let claims = ["secrets", "events"].map(|resource| json!({"group": "", "resource": resource, "verbs": ["*"]}));
    create::<APIExport>(
        &site,
        HOME,
        json!({"metadata": {"name": "things"}, "spec": {
            "resources": [{
                "name": "things", "group": "things.example.com", "schema": "v1.things.things.example.com",
                "storage": {"crd": {}},
            }],
            "permissionClaims": claims,
        }}),
    )
    .await;
    for tenant in TENANTS {
        site.add_workspace(tenant).await;
        let accepted = claims.each_ref().map(|claim| {
            let mut claim = claim.clone();
            (claim["selector"], claim["state"]) = (json!({"matchAll": true}), json!("Accepted"));
            claim
        });
        create::<APIBinding>(
            &site,
            tenant,
            json!({"metadata": {"name": "things"}, "spec": {
                "reference": {"export": {"path": HOME, "name": "things"}}, "permissionClaims": accepted,
            }}),
        )
        .await;
        eventually("things are served", async || {
            things(site.system(tenant)).list(&Default::default()).await.ok().map(drop)
        })
        .await;
    }
    site
}

async fn create<K>(site: &Site, path: &str, object: Value)
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    let object: K = serde_json::from_value(object).unwrap();
    Api::<K>::all(site.system(path)).create(&PostParams::default(), &object).await.unwrap();
}

async fn runner(site: &Site) -> Runner {
    let exports: Api<APIExport> = Api::all(site.system(HOME));
    let cluster = exports.get("things").await.unwrap().annotations()["kcp.io/cluster"].parse().unwrap();
    let endpoint = Endpoint::ApiExport { cluster, export: "things".into(), consumer: None };
    let home = Home::new(site.system(HOME), "default");
    Runner::new("things", site.shelf.clone(), kind(), Reach::endpoint(endpoint, Identity::system_masters()), home)
}

async fn place(site: &Site, tenant: &str, name: &str) -> String {
    let order = thing(name, &json!({"size": 1}), &json!({}));
    things(site.system(tenant)).create(&PostParams::default(), &order).await.unwrap().uid().unwrap()
}

async fn ready(site: &Site, tenant: &str, name: &str) {
    eventually(&format!("{name} of {tenant} is ready"), async || {
        let order = things(site.system(tenant)).get(name).await.unwrap();
        (order.data["status"]["phase"] == "Ready").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_one_name_in_many_workspaces_are_apart() {
    let site = site().await;
    let runner = start(runner(&site).await.with_options(options()), site.shared());
    let mut uids = Vec::new();
    for tenant in TENANTS {
        uids.push(place(&site, tenant, "app").await);
    }
    for tenant in TENANTS {
        ready(&site, tenant, "app").await;
        let secrets: Api<Secret> = Api::namespaced(site.system(tenant), "default");
        eventually("it is delivered", async || secrets.get_opt("app-credentials").await.unwrap()).await;
    }
    things(site.system(TENANTS[0])).delete("app", &DeleteParams::default()).await.unwrap();
    eventually("it is gone", async || {
        things(site.system(TENANTS[0])).get_opt("app").await.unwrap().is_none().then_some(())
    })
    .await;
    let left = uids.iter().map(|uid| site.shelf.of(uid).len()).collect::<Vec<_>>();
    assert_eq!(left, [0, 1, 1]);
    assert_eq!(site.records().await.len(), 2);
    runner.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_full_of_orders_does_not_hold_up_another() {
    let site = site().await;
    site.shelf.world().delay = Duration::from_millis(30);
    let limited = options().with_concurrency(4, 2);
    let runner = start(runner(&site).await.with_options(limited), site.shared());
    for number in 0..60 {
        place(&site, TENANTS[0], &format!("app-{number}")).await;
    }
    place(&site, TENANTS[1], "app").await;
    ready(&site, TENANTS[1], "app").await;
    assert!(site.shelf.world().things.len() < 50, "the other workspace was not served last");
    for number in 0..60 {
        ready(&site, TENANTS[0], &format!("app-{number}")).await;
    }
    runner.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_operations_share_the_memory_there_is() {
    let site = site().await;
    site.shelf.world().weight = 700;
    let runner = start(runner(&site).await.with_options(options().with_memory(Weight::mib(1500))), site.shared());
    for tenant in TENANTS {
        for number in 0..5 {
            place(&site, tenant, &format!("app-{number}")).await;
        }
    }
    for tenant in TENANTS {
        for number in 0..5 {
            ready(&site, tenant, &format!("app-{number}")).await;
        }
    }
    assert_eq!(site.shelf.world().most_at_once, 2);
    runner.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_reaches_no_record_and_no_other_tenants_thing() {
    let site = site().await;
    let runner = start(runner(&site).await.with_options(options()), site.shared());
    let theirs = place(&site, TENANTS[0], "app").await;
    ready(&site, TENANTS[0], "app").await;
    // The attacker does what a tenant can: claims another order's workspace, identity and owner.
    let annotations =
        json!({"kcp.io/cluster": "root", "orders.kdp.k8c.io/import": "0", "orders.kdp.k8c.io/approve": "0"});
    let order = thing("app", &json!({"size": 1}), &annotations);
    let mine = things(site.system(TENANTS[1])).create(&PostParams::default(), &order).await;
    if mine.is_ok() {
        eventually("it is judged", async || {
            let order = things(site.system(TENANTS[1])).get("app").await.unwrap();
            order.data["status"]["phase"].is_string().then_some(())
        })
        .await;
        things(site.system(TENANTS[1])).delete("app", &DeleteParams::default()).await.unwrap();
    }
    let tenant = site.control_plane.client(
        &Endpoint::Workspace(HOME.parse().unwrap()),
        &Identity { username: "tenant".into(), ..Identity::default() },
    );
    let records = Api::<Secret>::namespaced(tenant.unwrap(), "default").list(&Default::default()).await;
    assert!(records.is_err());
    assert_eq!(site.shelf.of(&theirs).len(), 1);
    runner.stop().await.unwrap();
}
