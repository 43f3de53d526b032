//! What can happen.

use rand::{Rng, rngs::StdRng};

/// One thing that happens; numbers choose among what there is at that time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// A tenant makes an order, or changes one of its fields.
    Order {
        order: usize,
        field: usize,
        value: u8,
    },
    /// A tenant has an order refer to one of the workspace's ConfigMaps.
    Refer {
        order: usize,
        config: usize,
    },
    /// A tenant deletes an order.
    DeleteOrder {
        order: usize,
    },
    /// A tenant labels an order, so that the filter finds it or does not.
    Label {
        order: usize,
        is_gold: bool,
    },
    /// A tenant labels a namespace, so that the filter finds it or does not.
    Open {
        order: usize,
        is_open: bool,
    },
    /// A tenant makes or changes a ConfigMap.
    Config {
        order: usize,
        config: usize,
        value: u8,
    },
    DropConfig {
        order: usize,
        config: usize,
    },
    /// A tenant meddles with the credentials that were delivered.
    EditDelivered {
        order: usize,
        field: usize,
        value: u8,
    },
    DropDelivered {
        order: usize,
    },
    /// Somebody on the service cluster changes a copy, or the copy of a ConfigMap.
    EditCopy {
        order: usize,
        field: usize,
        value: u8,
    },
    DropCopy {
        order: usize,
    },
    DropConfigCopy {
        order: usize,
        config: usize,
    },
    /// The operator looks at a copy: it reports, and ends deletions.
    Operate {
        order: usize,
    },
    /// The operator makes or changes credentials.
    Provide {
        order: usize,
        value: u8,
    },
    Withdraw {
        order: usize,
    },
    /// Somebody whose object has the name of a copy makes, changes or, at zero, deletes it.
    Foreign {
        which: usize,
        value: u8,
    },
    Hear {
        agent: usize,
        which: usize,
        count: usize,
    },
    HearAgain {
        agent: usize,
        which: usize,
    },
    /// The watch of a kind expired.
    List {
        agent: usize,
        which: usize,
        is_complete: bool,
    },
    /// An agent goes on with its pass over an order, and something happens to its last write.
    Work {
        agent: usize,
        order: usize,
        steps: usize,
        fate: Fate,
    },
    /// Another agent starts, while those before it do not know.
    TakeOver {
        agent: usize,
    },
    Retire,
    /// A write arrives whose writer did not wait for the answer.
    Arrive {
        which: usize,
    },
    /// The faults stop for a while.
    Settle,
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Done,
    /// 409, 429 or 500 before anything was done.
    Refused,
    /// It is done, but the answer is lost.
    Unanswered,
    /// It will be done some time, and the agent does not wait that long.
    Late,
    /// The agent crashes before it.
    CrashBefore,
    /// The agent crashes after it.
    CrashAfter,
    /// The agent crashes while it is on its way.
    CrashDuring,
}

const FATES: [Fate; 12] = [
    Fate::Done,
    Fate::Done,
    Fate::Done,
    Fate::Done,
    Fate::Done,
    Fate::Refused,
    Fate::Refused,
    Fate::Unanswered,
    Fate::Late,
    Fate::CrashBefore,
    Fate::CrashAfter,
    Fate::CrashDuring,
];

/// Highest number of each kind of thing; what there is less of is counted round.
const MANY: usize = 60;

impl Action {
    pub(super) fn any(rng: &mut StdRng) -> Self {
        let order = rng.random_range(0..MANY);
        let (which, field, config) = (rng.random_range(0..MANY), rng.random_range(0..MANY), rng.random_range(0..MANY));
        // Most of the time, the agent that came last is at work.
        let agent = rng.random_range(0..3usize).saturating_sub(1);
        let value = rng.random_range(0..6);
        match rng.random_range(0..100) {
            0..16 => Self::Order { order, field, value },
            16..18 => Self::Refer { order, config },
            18..20 => Self::DeleteOrder { order },
            20..22 => Self::Label { order, is_gold: rng.random_bool(0.7) },
            22 => Self::Open { order, is_open: rng.random_bool(0.7) },
            23..26 => Self::Config { order, config, value },
            26 => Self::DropConfig { order, config },
            27 => Self::EditDelivered { order, field, value },
            28 => Self::DropDelivered { order },
            29..33 => Self::EditCopy { order, field, value },
            33 => Self::DropCopy { order },
            34 => Self::DropConfigCopy { order, config },
            35..39 => Self::Operate { order },
            39..42 => Self::Provide { order, value },
            42 => Self::Withdraw { order },
            43 => Self::Foreign { which, value },
            44..58 => Self::Hear { agent, which, count: rng.random_range(1..20) },
            58..60 => Self::HearAgain { agent, which },
            60..63 => Self::List { agent, which, is_complete: rng.random_bool(0.7) },
            63..93 => {
                let fate = FATES[rng.random_range(0..FATES.len())];
                Self::Work { agent, order, steps: rng.random_range(1..16), fate }
            }
            93 => Self::TakeOver { agent },
            94 => Self::Retire,
            95..99 => Self::Arrive { which },
            _ => Self::Settle,
        }
    }
}
