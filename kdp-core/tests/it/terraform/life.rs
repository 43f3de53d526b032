use std::fs;

use super::{
    is_here,
    place::{Place, SECRET, make, order, spec},
};
use kdp_core::provider::{ChangeAction, Lease, Order, Phase, Provider, Run, Teardown, terraform::TerraformProvider};

async fn remove(provider: &TerraformProvider, sealed: &Teardown) -> Phase {
    provider.delete(sealed, &Run::new(Lease(1))).await.unwrap().phase
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_made_changed_and_removed() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    let provider = place.open().await.unwrap();
    let first = order("u-1", spec("a"));
    let ready = make(&provider, &first).await.unwrap();
    assert_eq!(ready.phase, Phase::Ready, "{}", ready.message);
    assert_eq!(place.things().unwrap(), ["u-1"]);
    assert_eq!(ready.outputs["path"].value, place.path("things").join("u-1").to_string_lossy());
    assert!(ready.outputs["login"].sensitive && ready.outputs["login"].value == SECRET);

    let changed = Order::new(first.id.clone(), 2, spec("b"));
    let plan = provider.plan(&changed, &Run::new(Lease(1))).await.unwrap();
    assert_eq!(
        plan.changes.iter().map(|c| (c.action, &*c.subject)).collect::<Vec<_>>(),
        [(ChangeAction::Update, "terraform_data.main")]
    );
    let ready = make(&provider, &changed).await.unwrap();
    assert!(ready.is_ready_for(2));

    // Neither the module nor the order is needed for this.
    let sealed = ready.teardown.unwrap();
    fs::remove_dir_all(place.path("work")).unwrap();
    drop(provider);
    let provider = place.open().await.unwrap();
    assert_eq!(remove(&provider, &sealed).await, Phase::Gone);
    assert_eq!(place.things().unwrap(), Vec::<String>::new());
}
