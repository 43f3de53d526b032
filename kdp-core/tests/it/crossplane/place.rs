//! A control plane with kinds of both generations of Crossplane, a small core, and providers in
//! namespaces of their own.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Namespace;
use kdp_core::{
    ControlPlaneExt, Error, Provider,
    api::install_crd,
    provider::{
        Lease, Observation, Order, OrderId, Phase, Run, Teardown,
        conformance::{Fixture, Orders},
        crossplane::{Connection, CrossplaneOptions, CrossplaneProvider, Namespaces, SecretSource, Shape, Target},
    },
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, PostParams},
    client::Body,
};
use serde_json::{Value, json};

use super::core::{Core, api};

/// Long enough for a machine that is busy with other things.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
pub(crate) const PAUSE: Duration = Duration::from_millis(10);
pub(crate) const SECRET_INPUT: &str = "what-nobody-may-see";

/// A control plane where Crossplane works.
pub(crate) struct Site {
    control_plane: Embedded,
    pub(crate) core: Core,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        let client = control_plane.system_client(&"root".parse().unwrap()).unwrap();
        for definition in definitions() {
            install_crd(&client, &serde_json::from_value(definition).unwrap(), "test").await.unwrap();
        }
        Self { control_plane, core: Core::start(client) }
    }

    pub(crate) fn client(&self) -> Client {
        self.control_plane.system_client(&"root".parse().unwrap()).unwrap()
    }

    /// A namespace that nobody else has.
    pub(crate) async fn namespace(&self) -> String {
        namespace(&self.client()).await
    }
}

/// Target and connection of either generation.
pub(crate) fn options(shape: Shape, namespace: &str) -> CrossplaneOptions {
    let (target, source) = match shape {
        Shape::Claim => (Target::new("v1.example.org", "v1", "Store", "stores", shape), SecretSource::Native),
        Shape::LegacyCluster => (Target::new("v1.example.org", "v1", "XStore", "xstores", shape), SecretSource::Native),
        _ => (Target::new("v2.example.org", "v1", "Bucket", "buckets", shape), SecretSource::Composed("secret".into())),
    };
    CrossplaneOptions::new(target.with_sensitive("password"), Namespaces::Fixed(namespace.into()))
        .with_connection(Connection::new(source).with_required("password").with_plain("host"))
}

/// Providers for the conformance suite, each in a namespace of its own.
pub(crate) struct Places {
    client: Client,
    /// Where Crossplane is ours: it lives as long as the place.
    _site: Option<Site>,
    orders: Orders,
    /// By the name of a namespace.
    options: Box<dyn Fn(&str) -> CrossplaneOptions + Send + Sync>,
    /// By the provider's name, which is that of its namespace.
    cut_off: Mutex<HashMap<String, Arc<AtomicBool>>>,
}

impl Places {
    /// With a small Crossplane of our own.
    pub(crate) async fn new(shape: Shape) -> Self {
        let site = Site::new().await;
        let order = |size: i64| json!({"size": size, "password": SECRET_INPUT});
        let orders = Orders::new(order(1), order(2), order(0), "size")
            .with_secret_input(SECRET_INPUT)
            .with_sensitive_output("password");
        let places = Self::on(site.client(), orders, move |namespace| options(shape, namespace));
        Self { _site: Some(site), ..places }
    }

    /// On a cluster where Crossplane works.
    pub(crate) fn on(
        client: Client,
        orders: Orders,
        options: impl Fn(&str) -> CrossplaneOptions + Send + Sync + 'static,
    ) -> Self {
        Self { client, _site: None, orders, options: Box::new(options), cut_off: Mutex::default() }
    }

    fn provider(&self, namespace: &str) -> CrossplaneProvider {
        let cut_off = Arc::clone(self.cut_off.lock().unwrap().entry(namespace.into()).or_default());
        let client = self.client.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (client, cut_off) = (client.clone(), Arc::clone(&cut_off));
            async move {
                if cut_off.load(Ordering::SeqCst) {
                    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
                    return Err(tower::BoxError::from(refused));
                }
                Ok(client.send(request).await?)
            }
        });
        let client = Client::new(service, "default");
        CrossplaneProvider::new(client, "default", (self.options)(namespace).with_name(namespace))
    }

    fn set_cut_off(&self, provider: &CrossplaneProvider, is_cut_off: bool) {
        self.cut_off.lock().unwrap()[provider.name()].store(is_cut_off, Ordering::SeqCst);
    }

    /// The objects that the provider makes.
    fn objects(&self, provider: &CrossplaneProvider) -> (Api<DynamicObject>, ApiResource) {
        let kind = provider.target().resource().clone();
        let namespace = provider.target().shape().is_namespaced().then(|| provider.name());
        (api(&self.client, &kind, namespace), kind)
    }
}

impl Fixture for Places {
    type Provider = CrossplaneProvider;

    fn orders(&self) -> Orders {
        self.orders.clone()
    }

    async fn open(&self) -> Result<CrossplaneProvider, Error> {
        Ok(self.provider(&namespace(&self.client).await))
    }

    async fn reopen(&self, provider: &CrossplaneProvider) -> Result<CrossplaneProvider, Error> {
        Ok(self.provider(provider.name()))
    }

    async fn cut_off(&self, provider: &CrossplaneProvider) {
        self.set_cut_off(provider, true);
    }

    async fn reconnect(&self, provider: &CrossplaneProvider) {
        self.set_cut_off(provider, false);
    }

    async fn existing(&self, provider: &CrossplaneProvider) -> Option<String> {
        let (objects, kind) = self.objects(provider);
        let object = serde_json::from_value(json!({
            "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "found"}, "spec": {"size": 1},
        }));
        objects.create(&PostParams::default(), &object.unwrap()).await.unwrap();
        Some("found".into())
    }

    async fn count(&self, provider: &CrossplaneProvider) -> Option<usize> {
        Some(self.objects(provider).0.list(&ListParams::default()).await.unwrap().items.len())
    }
}

/// A namespace that nobody else has.
async fn namespace(client: &Client) -> String {
    let name = format!("place-{:016x}", rand::random::<u64>());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    name
}

fn definitions() -> Vec<Value> {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let parameters = |machine: Value| {
        let mut spec = json!({"type": "object", "properties": {
            "size": {"type": "integer", "minimum": 1, "default": 1},
            "password": {"type": "string", "format": "password"},
        }});
        for (name, schema) in machine.as_object().unwrap() {
            spec["properties"][name] = schema.clone();
        }
        spec
    };
    let any = json!({"type": "array", "items": open});
    let v2 = parameters(json!({"crossplane": open}));
    let legacy = parameters(json!({
        "resourceRef": open, "resourceRefs": any, "claimRef": open, "compositeDeletePolicy": {"type": "string", "default": "Background"},
        "writeConnectionSecretToRef": open, "compositionRef": open,
    }));
    vec![
        definition("v2.example.org", "Bucket", "buckets", "Namespaced", &v2),
        definition("v1.example.org", "Store", "stores", "Namespaced", &legacy),
        definition("v1.example.org", "XStore", "xstores", "Cluster", &legacy),
        definition("managed.example.org", "Volume", "volumes", "Namespaced", &open),
        definition("managed.example.org", "Disk", "disks", "Cluster", &open),
    ]
}

pub(crate) fn definition(group: &str, kind: &str, plural: &str, scope: &str, spec: &Value) -> Value {
    let status = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": scope,
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
            }],
        },
    })
}

/// An order under way: what a runner does, without the runner.
pub(crate) struct Journey {
    pub(crate) provider: CrossplaneProvider,
    pub(crate) id: OrderId,
    pub(crate) sealed: Option<Teardown>,
    pub(crate) run: Run,
    /// How long it may take to get anywhere.
    pub(crate) patience: Duration,
}

impl Journey {
    pub(crate) fn new(client: Client, options: CrossplaneOptions) -> Self {
        let id = OrderId::new(format!("{:032x}", rand::random::<u128>()), "default", "app");
        let provider = CrossplaneProvider::new(client, "default", options);
        Self { provider, id, sealed: None, run: Run::new(Lease(1)), patience: DEADLINE }
    }

    /// Another order of the same provider's kind.
    pub(crate) fn order(&self, spec: Value) -> Order {
        Order::new(self.id.clone(), 1, spec).with_sealed(self.sealed.clone())
    }

    /// Plans, seals and applies once.
    pub(crate) async fn apply(&mut self, spec: Value) -> Result<Observation, Error> {
        let plan = self.provider.plan(&self.order(spec.clone()), &self.run).await?;
        self.sealed = Some(plan.teardown.clone().on_top_of(self.sealed.as_ref()));
        let observation = self.provider.apply(&self.order(spec), &plan.hash(), &self.run).await?;
        if let (Some(sealed), Some(teardown)) = (&self.sealed, &observation.teardown) {
            self.sealed = Some(sealed.settled(teardown));
        }
        Ok(observation)
    }

    pub(crate) async fn observe(&self) -> Observation {
        self.provider.observe(&self.id, self.sealed.as_ref()).await.unwrap()
    }

    /// Applies until it is in this phase.
    pub(crate) async fn reach(&mut self, spec: Value, phase: Phase) -> Observation {
        let started = Instant::now();
        loop {
            let seen = match self.apply(spec.clone()).await {
                Ok(observation) if observation.phase == phase => return observation,
                other => other,
            };
            assert!(started.elapsed() < self.patience, "it does not become {phase}: {seen:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Observes until it is in this phase and says so.
    pub(crate) async fn see(&self, phase: Phase, message: &str) -> Observation {
        let started = Instant::now();
        loop {
            let seen = self.observe().await;
            if seen.phase == phase && seen.message.contains(message) {
                return seen;
            }
            assert!(started.elapsed() < self.patience, "it does not become {phase} ({message}): {seen:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Deletes until it is in this phase.
    pub(crate) async fn delete_until(&self, phase: Phase, message: &str) -> Observation {
        let sealed = self.sealed.as_ref().unwrap();
        let started = Instant::now();
        loop {
            let seen = self.provider.delete(sealed, &self.run).await;
            match seen {
                Ok(seen) if seen.phase == phase && seen.message.contains(message) => return seen,
                seen => assert!(started.elapsed() < self.patience, "it does not become {phase} ({message}): {seen:?}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Name of its object.
    pub(crate) fn name(&self) -> String {
        format!("kdp-{}", self.id.uid)
    }
}
