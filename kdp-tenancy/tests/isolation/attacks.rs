//! What a tenant with every right at home tries against another one, over HTTPS.
//!
//! Each row of the table is one attempt. Whatever it is, of each of them holds:
//! - Nothing of the victim is in the answer: no value, no name of an object, no UID, and no name of
//!   a logical cluster that the attempt did not name itself.
//! - Nothing of the victim has changed, as a dump of all its workspaces before and after shows.
//! - The server does not fail.
//! - An attempt that names the victim is answered, byte for byte, as if there were no such
//!   workspace; only the name differs.
//!
//! A new surface gets its rows by a module under `attacks` and a line in [`table`].

mod attempt;
mod bodies;
mod identities;
mod paths;
mod protocols;
mod sharing;
mod surfaces;
mod tenants;
mod verbs;
mod wire;

use std::collections::BTreeSet;

use self::{
    attempt::Attempt,
    tenants::{Subject, Tenants},
};

fn table() -> Vec<Attempt> {
    [
        verbs::rows(),
        paths::rows(),
        identities::rows(),
        sharing::rows(),
        surfaces::rows(),
        bodies::rows(),
        protocols::rows(),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attempt_reads_or_changes_anything_of_another_tenant() {
    let cases = table();
    let names: BTreeSet<&str> = cases.iter().map(|attempt| &*attempt.name).collect();
    assert_eq!(names.len(), cases.len(), "each attempt has a name of its own");
    assert!(cases.len() >= 150, "only {} attempts", cases.len());
    let tenants = Tenants::new().await;
    let mut world = tenants.dump().await;
    let mut failures = Vec::new();
    for attempt in &cases {
        let answer = tenants.make(attempt, Subject::Victim).await;
        let mut faults = attempt.faults(&answer, &tenants.secrets_beyond(attempt));
        if attempt.is_repeatable() && tenants.names_the_victim(attempt) {
            let absent = tenants.make(attempt, Subject::Nobody).await;
            let (present, absent) = (tenants.anonymous(&answer), tenants.anonymous(&absent));
            if present != absent {
                faults.push(format!("an absent workspace is answered with\n{absent}\nnot\n{present}"));
            }
        }
        let after = tenants.dump().await;
        if after != world {
            faults.push(format!("the victim's world changed:\n{}", changed(&world, &after)));
            world = after;
        }
        if !faults.is_empty() {
            failures.push(format!("{}: {}\n{:.600}", attempt.name, faults.join("\n"), answer.text()));
        }
    }
    assert!(failures.is_empty(), "{} of {} attempts:\n{}", failures.len(), cases.len(), failures.join("\n\n"));
}

fn changed(before: &[String], after: &[String]) -> String {
    let pairs = before.iter().zip(after).filter(|(before, after)| before != after);
    pairs.map(|(before, after)| format!("- {before}\n+ {after}\n")).collect()
}
