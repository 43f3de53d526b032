//! A place where a module makes directories, one for each order, named by its UID.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kdp_core::{
    Error,
    provider::{
        Lease, Observation, Order, OrderId, Provider, Run,
        terraform::{
            Binary, Given, Module, TerraformOptions, TerraformProvider,
            state::{DirectoryStates, StateKey, StateOptions, StateServer},
        },
    },
};
use serde_json::{Value, json};

pub(super) const SECRET: &str = "tr0ub4dor-and-3";

pub(super) const MODULE: &str = r#"
variable "uid" { type = string }
variable "things" { type = string }
variable "note" { type = string }
variable "password" { type = string }
variable "extra" {
  type    = bool
  default = false
}
variable "pause" {
  type    = number
  default = 0
}

resource "terraform_data" "main" {
  input = {
    path = "${var.things}/${var.uid}"
    note = var.note
  }
  provisioner "local-exec" {
    command     = "mkdir -p \"$THING\" && sleep \"$PAUSE\""
    environment = { THING = self.input.path, PAUSE = var.pause }
  }
  provisioner "local-exec" {
    when        = destroy
    command     = "rm -rf \"$THING\""
    environment = { THING = try(self.input.path, "") }
  }
}

resource "terraform_data" "extra" {
  count = var.extra ? 1 : 0
  input = terraform_data.main.id
}

output "path" { value = "${var.things}/${var.uid}" }
output "key" {
  value     = terraform_data.main.id
  sensitive = true
}
output "login" {
  value     = var.password
  sensitive = true
}
"#;

/// Directories of one provider after the other.
#[derive(Debug)]
pub(super) struct Place {
    base: PathBuf,
    /// None for a place that somebody else removes.
    _temporary: Option<tempfile::TempDir>,
    module: Module,
}

impl Place {
    pub(super) fn new() -> Self {
        Self::of(MODULE)
    }

    pub(super) fn of(module: &str) -> Self {
        let module = Module::from_files([("main.tf".to_owned(), module.as_bytes().to_vec())]).unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path().to_owned();
        for name in ["things", "states", "work"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        Self { base, _temporary: Some(temporary), module }
    }

    /// A place that another process has made.
    pub(super) fn at(base: PathBuf) -> Self {
        Self { base, _temporary: None, module: Module::from_files([("main.tf".to_owned(), MODULE.into())]).unwrap() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.base
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// Options for modules that are told where things are and what they are called.
    pub(super) fn given(&self) -> TerraformOptions {
        TerraformOptions::default()
            .with_given("uid", Given::Uid)
            .with_given("things", Given::Value(json!(self.path("things"))))
    }

    pub(super) fn options(&self) -> TerraformOptions {
        self.given().with_sensitive("password").with_grace(Duration::from_secs(10)).with_imports()
    }

    pub(super) async fn open(&self) -> Result<TerraformProvider, Error> {
        self.opening("things", self.options()).await
    }

    /// Opens a provider later, without the place.
    pub(super) fn opening(
        &self,
        name: &str,
        options: TerraformOptions,
    ) -> impl Future<Output = Result<TerraformProvider, Error>> + Send + use<> {
        let (name, module, work, path) = (name.to_owned(), self.module.clone(), self.path("work"), self.path("states"));
        async move {
            let states = states(&path).await?;
            TerraformProvider::open(name, module, Binary::find().await?, states, work, options).await
        }
    }

    /// The names of what there is.
    pub(super) fn things(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.path("things"))?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}

pub(super) async fn states(path: &Path) -> Result<StateServer, Error> {
    let options = StateOptions::default().with_lease(Duration::from_secs(3));
    StateServer::start(Arc::new(DirectoryStates::open(path)?), StateKey::new([7; 32]), options).await
}

pub(super) fn spec(note: &str) -> Value {
    json!({"note": note, "password": SECRET})
}

pub(super) fn order(uid: &str, spec: Value) -> Order {
    Order::new(OrderId::new(uid, "team", "order"), 1, spec)
}

/// Plans and applies.
pub(super) async fn make(provider: &TerraformProvider, order: &Order) -> Result<Observation, Error> {
    let run = Run::new(Lease(1)).with_holder("a test");
    let plan = provider.plan(order, &run).await?;
    let order = order.clone().with_sealed(Some(plan.teardown.clone().on_top_of(order.sealed.as_ref())));
    provider.apply(&order, &plan.hash(), &run).await
}
