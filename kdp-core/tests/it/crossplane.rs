//! The Crossplane provider on a served control plane.

mod attacks;
mod bare;
mod core;
mod discovery;
mod driven;
mod life;
mod place;
mod real;
mod rendered;

use kdp_core::provider::{conformance, crossplane::Shape};

use self::place::Places;

#[tokio::test]
async fn composite_resources_in_namespaces_are_provided_as_any_provider_must() {
    assert_eq!(conformance::run(&Places::new(Shape::Namespaced).await).await, []);
}

#[tokio::test]
async fn claims_are_provided_as_any_provider_must() {
    assert_eq!(conformance::run(&Places::new(Shape::Claim).await).await, []);
}

#[tokio::test]
async fn composite_resources_of_v1_are_provided_as_any_provider_must() {
    assert_eq!(conformance::run(&Places::new(Shape::LegacyCluster).await).await, []);
}
