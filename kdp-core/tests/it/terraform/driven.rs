//! Orders of a workspace that a runner has Terraform make.

use std::sync::Arc;

use kdp_core::{
    Identity,
    runner::{APPROVE, Approval, Home, Reach, Runner},
    workspace::WorkspacePath,
};
use serde_json::json;

use super::{
    is_here,
    place::{Place, SECRET},
};
use crate::site::{HOME, PLACE, Site, eventually, kind, options, start};

/// Orders of the kind `Thing` have a `size` and a `colour`.
const MODULE: &str = r#"
variable "uid" { type = string }
variable "things" { type = string }
variable "size" { type = number }
variable "colour" {
  type    = string
  default = "red"
}
resource "terraform_data" "main" {
  input            = "${var.things}/${var.uid}"
  triggers_replace = var.colour
  provisioner "local-exec" {
    command     = "mkdir -p \"$THING\""
    environment = { THING = self.input }
  }
  provisioner "local-exec" {
    when        = destroy
    command     = "rm -rf \"$THING\""
    environment = { THING = self.input }
  }
}
output "path" { value = terraform_data.main.output }
output "password" {
  value     = "tr0ub4dor-and-3"
  sensitive = true
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_approved_made_delivered_and_removed() {
    if !is_here() {
        return;
    }
    let (orders, place) = (Site::new().await, Place::of(MODULE));
    let provider = place.opening("things", place.given()).await.unwrap();
    let path = |path: &str| path.parse::<WorkspacePath>().unwrap();
    let reach = Reach::endpoint(path(PLACE).into(), Identity::system_masters());
    let home = Home::new(orders.system(HOME), "default");
    let runner = Runner::new("things", provider, kind(), reach, home)
        .with_options(options().with_approval(Approval::Destructive));
    let runner = start(runner, Arc::new(orders.control_plane.clone()));

    let uid = orders.order("app", json!({"size": 1})).await;
    let status = orders.phase("app", "Ready").await;
    assert!(!status.to_string().contains(SECRET), "{status}");
    let secret = orders.secret("app-credentials").await.unwrap().data.unwrap();
    assert_eq!(secret["password"].0, SECRET.as_bytes());
    assert_eq!(secret["path"].0, place.path("things").join(&uid).to_string_lossy().as_bytes());

    // Another colour is another thing, so what there is would be lost.
    orders.change("app", json!({"size": 1, "colour": "blue"})).await;
    let waiting = eventually("the plan waits for approval", async || {
        let status = orders.things().get("app").await.unwrap().data["status"].clone();
        status["plan"]["hash"].is_string().then_some(status)
    })
    .await;
    assert!(waiting.to_string().contains("terraform_data.main"), "{waiting}");
    orders.annotate("app", APPROVE, waiting["plan"]["hash"].as_str().unwrap()).await;
    eventually("the change is made", async || {
        let thing = orders.things().get("app").await.unwrap();
        let is_current = thing.data["status"]["observedGeneration"] == json!(thing.metadata.generation);
        (is_current && thing.data["status"]["phase"] == "Ready" && thing.data["status"]["plan"].is_null()).then_some(())
    })
    .await;
    assert_eq!(place.things().unwrap(), [uid]);

    orders.order("wrong", json!({"colour": "red"})).await;
    eventually("what is wrong is told", async || {
        let status = orders.things().get("wrong").await.ok()?.data["status"].clone();
        status["message"].as_str().filter(|message| message.contains("size: is required")).map(drop)
    })
    .await;
    for name in ["app", "wrong"] {
        orders.delete(name).await;
        orders.is_gone(name).await;
    }
    assert_eq!(place.things().unwrap(), Vec::<String>::new());
    runner.stop().await.unwrap();
}
