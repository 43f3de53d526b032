//! The Terraform provider, with the real program.

mod attacks;
mod driven;
mod kills;
mod life;
mod place;
mod races;
mod states;
mod suite;

/// Whether there is a program to test with; says so when there is none.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn is_here() -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|directory| ["terraform", "tofu"].iter().any(|name| directory.join(name).is_file()));
    let is_required = std::env::var_os("KDP_REQUIRE_TERRAFORM").is_some();
    assert!(found || !is_required, "KDP_REQUIRE_TERRAFORM is set, and neither terraform nor tofu is on the PATH");
    if !found {
        eprintln!("SKIPPED: neither terraform nor tofu is on the PATH; KDP_REQUIRE_TERRAFORM makes them required");
    }
    found
}
