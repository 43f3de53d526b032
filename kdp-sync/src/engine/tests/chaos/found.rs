//! Scripts that once led where they must not.

use super::{
    SHAPES, Shape,
    action::{Action, Fate},
    run,
};

#[track_caller]
fn check(shape: &str, script: &[Action]) {
    let shape = (0..SHAPES).find(|at| Shape::new(*at).name == shape).expect("there is such a shape");
    run(shape, script).unwrap();
}

#[test]
fn an_order_that_stops_matching_while_it_ends_ends() {
    check(
        "filters",
        &[
            Action::Order { order: 5, field: 7, value: 3 },
            Action::Foreign { which: 29, value: 2 },
            Action::Label { order: 45, is_gold: true },
            Action::Settle,
            Action::DeleteOrder { order: 37 },
            Action::Hear { agent: 0, which: 47, count: 8 },
            Action::Work { agent: 0, order: 37, steps: 3, fate: Fate::Done },
            Action::Open { order: 5, is_open: false },
        ],
    );
}

#[test]
fn an_agent_that_hears_late_of_a_copy_does_not_forget_what_was_noted_since() {
    check(
        "cluster-scoped",
        &[
            Action::Order { order: 7, field: 43, value: 1 },
            Action::Settle,
            Action::Provide { order: 39, value: 2 },
            Action::Order { order: 51, field: 58, value: 0 },
            Action::TakeOver { agent: 0 },
            Action::Work { agent: 0, order: 35, steps: 12, fate: Fate::Done },
            Action::List { agent: 1, which: 3, is_complete: true },
            Action::EditCopy { order: 35, field: 23, value: 3 },
            Action::Work { agent: 1, order: 59, steps: 14, fate: Fate::Refused },
        ],
    );
}

#[test]
fn an_order_has_a_copy_that_another_one_no_longer_needs() {
    check(
        "related objects in both directions",
        &[
            Action::Order { order: 1, field: 48, value: 4 },
            Action::Config { order: 8, config: 11, value: 5 },
            Action::Order { order: 32, field: 12, value: 2 },
            Action::Refer { order: 57, config: 40 },
            Action::Settle,
            Action::Config { order: 56, config: 11, value: 4 },
            Action::Refer { order: 32, config: 22 },
            Action::Refer { order: 17, config: 17 },
        ],
    );
}

#[test]
fn agents_that_exclude_each_other_do_not_take_copies_from_each_other_for_ever() {
    check(
        "two agents with filters that exclude each other",
        &[
            Action::Order { order: 31, field: 39, value: 2 },
            Action::Order { order: 38, field: 26, value: 5 },
            Action::Refer { order: 46, config: 49 },
            Action::Config { order: 6, config: 1, value: 2 },
            Action::Refer { order: 15, config: 55 },
        ],
    );
}

#[test]
fn credentials_that_arrive_when_there_are_none_any_more_are_taken_away() {
    for steps in 1..16 {
        check(
            "related objects in both directions",
            &[
                Action::Order { order: 0, field: 0, value: 1 },
                Action::Settle,
                Action::Provide { order: 0, value: 2 },
                Action::TakeOver { agent: 0 },
                Action::Work { agent: 0, order: 0, steps, fate: Fate::CrashDuring },
                Action::Withdraw { order: 0 },
                Action::Hear { agent: 0, which: 0, count: 30 },
                Action::Work { agent: 0, order: 0, steps: 40, fate: Fate::Done },
            ],
        );
    }
}
