use std::{fs, sync::Mutex, time::Duration};

use kdp_core::{
    Error,
    provider::{
        Provider,
        conformance::{self, Fixture, Orders},
        terraform::TerraformProvider,
    },
};
use serde_json::json;

use super::{
    is_here,
    place::{Place, SECRET, spec},
};

/// A place for each provider; those of one place are told apart by nothing but their name.
#[derive(Default)]
struct Places(Mutex<Vec<Place>>);

impl Places {
    fn with<T>(&self, provider: &TerraformProvider, act: impl FnOnce(&Place) -> T) -> T {
        let places = self.0.lock().unwrap();
        let number: usize = provider.name().rsplit('-').next().unwrap().parse().unwrap();
        act(&places[number])
    }
}

impl Fixture for Places {
    type Provider = TerraformProvider;

    fn orders(&self) -> Orders {
        Orders::new(spec("a"), spec("b"), json!({"note": 1, "password": SECRET}), "note")
            .with_secret_input(SECRET)
            .with_sensitive_output("key")
            .with_larger(json!({"note": "a", "password": SECRET, "extra": true}))
    }

    async fn open(&self) -> Result<TerraformProvider, Error> {
        let place = Place::new();
        let number = self.0.lock().unwrap().len();
        let provider = place.opening(&format!("things-{number}"), place.options()).await;
        self.0.lock().unwrap().push(place);
        provider
    }

    async fn reopen(&self, provider: &TerraformProvider) -> Result<TerraformProvider, Error> {
        let opening = self.with(provider, |place| place.opening(provider.name(), place.options()));
        opening.await
    }

    async fn cut_off(&self, provider: &TerraformProvider) {
        self.with(provider, |place| fs::rename(place.path("states"), place.path("away")).unwrap());
    }

    async fn reconnect(&self, provider: &TerraformProvider) {
        self.with(provider, |place| fs::rename(place.path("away"), place.path("states")).unwrap());
    }

    async fn existing(&self, _: &TerraformProvider) -> Option<String> {
        Some(format!("terraform_data.main={:032x}", rand::random::<u128>()))
    }

    async fn count(&self, provider: &TerraformProvider) -> Option<usize> {
        self.with(provider, |place| Some(place.things().unwrap().len()))
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_promises_of_every_provider() {
    if is_here() {
        assert_eq!(conformance::run(&Places::default()).await, []);
    }
}
