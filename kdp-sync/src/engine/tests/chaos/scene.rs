//! People, operators and agents at work on both sides.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    action::{Action, Fate},
    agent::{Agent, Step, written},
    guard,
    model::Copy,
    shape::{CONFIGS, Shape, config_name},
};
use crate::{
    engine::{
        Command, ObjectKey, OrderKey, Problem,
        tests::sides::{Refused, Sides},
    },
    object, wire,
};

/// Fields that people write; the last one is none of the tenants'.
pub(super) const FIELDS: [&str; 6] = [
    "/spec/size",
    "/spec/tier",
    "/spec/nested/depth",
    "/metadata/labels/team",
    "/metadata/annotations/note",
    "/spec/node",
];
const CONFIG: &str = "/spec/config";
const PASSWORD: &str = "/data/password";
const EXTRA: &str = "/data/extra";
const OPERATOR: &str = "example.com/operator";
/// More agents than this are not started at once.
const MOST_AGENTS: usize = 3;
/// Rounds in which everything has to come to rest.
const ROUNDS: usize = 60;

pub(super) struct Scene {
    pub(super) shape: Shape,
    pub(super) sides: Sides,
    /// Each with the number of its plan; the youngest comes first.
    agents: Vec<(usize, Agent)>,
    /// Writes on their way, whose writers have given up on them.
    late: Vec<(OrderKey, Command)>,
    /// What people want, by the object that has to say it: the copy of an order, delivered
    /// credentials, or the copy of a ConfigMap.
    pub(super) orders: BTreeMap<usize, Copy>,
    pub(super) credentials: BTreeMap<usize, Copy>,
    pub(super) configs: BTreeMap<(usize, usize), Copy>,
    /// Objects of others, as they last left them.
    pub(super) foreign: BTreeMap<ObjectKey, Value>,
    pub(super) problems: BTreeMap<OrderKey, Vec<Problem>>,
}

impl Scene {
    pub(super) fn new(shape: Shape) -> Self {
        let mut scene = Self {
            sides: Sides::new(),
            agents: Vec::new(),
            late: Vec::new(),
            orders: BTreeMap::new(),
            credentials: BTreeMap::new(),
            configs: BTreeMap::new(),
            foreign: BTreeMap::new(),
            problems: BTreeMap::new(),
            shape,
        };
        for order in 0..scene.shape.orders.len() {
            if let Some(namespace) = scene.shape.namespace(order) {
                scene.sides.put(&namespace, json!({"metadata": {"labels": {"open": "yes"}}}));
            }
        }
        for (at, plan) in scene.shape.plans.iter().enumerate() {
            scene.agents.push((at, Agent::start(plan.clone(), &scene.sides)));
        }
        scene
    }

    pub(super) fn step(&mut self, action: Action) -> Result<(), String> {
        self.act(action)?;
        self.spread();
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        let order = |order: usize| order % self.shape.orders.len();
        match action {
            Action::Order { order: at, field, value } => {
                self.write_order(order(at), FIELDS[field % (FIELDS.len() - 1)], value)
            }
            Action::Refer { order: at, config } => self.refer(order(at), config % (CONFIGS + 1)),
            Action::DeleteOrder { order: at } => self.delete_order(order(at)),
            Action::Label { order: at, is_gold } => self.label(order(at), is_gold),
            Action::Open { order: at, is_open } => self.open(order(at), is_open),
            Action::Config { order: at, config, value } => self.write_config(order(at), config % CONFIGS, value),
            Action::DropConfig { order: at, config } => self.drop_config(order(at), config % CONFIGS),
            Action::EditDelivered { order: at, field, value } => self.edit_delivered(order(at), field, value),
            Action::DropDelivered { order: at } => self.drop_delivered(order(at)),
            Action::EditCopy { order: at, field, value } => {
                self.edit_copy(order(at), FIELDS[field % FIELDS.len()], value)
            }
            Action::DropCopy { order: at } => self.drop_copy(order(at)),
            Action::DropConfigCopy { order: at, config } => self.drop_config_copy(order(at), config % CONFIGS),
            Action::Operate { order: at } => self.operate(order(at)),
            Action::Provide { order: at, value } => self.provide(order(at), value),
            Action::Withdraw { order: at } => self.withdraw(order(at)),
            Action::Foreign { which, value } => self.meddle(which, value),
            Action::Hear { agent, which, count } => {
                let agent = self.agent(agent);
                (0..count).for_each(|at| agent.hear(which + at));
            }
            Action::HearAgain { agent, which } => self.agent(agent).hear_again(which),
            Action::List { agent, which, is_complete } => {
                let at = agent % self.agents.len();
                self.agents[at].1.list(&self.sides, which, is_complete);
            }
            Action::Work { agent, order: at, steps, fate } => return self.work(agent, order(at), steps, fate),
            Action::TakeOver { agent } => {
                let plan = self.agents[agent % self.agents.len()].0;
                if self.agents.len() < MOST_AGENTS * self.shape.plans.len() {
                    self.agents.insert(0, (plan, Agent::start(self.shape.plans[plan].clone(), &self.sides)));
                }
            }
            Action::Retire => self.retire(),
            Action::Arrive { which } => {
                if !self.late.is_empty() {
                    let (order, command) = self.late.remove(which % self.late.len());
                    // Refused or not, nobody hears of it.
                    let _ = self.write(&order, &command)?;
                }
            }
            Action::Settle => return self.settle(),
        }
        Ok(())
    }

    fn agent(&mut self, which: usize) -> &mut Agent {
        let at = which % self.agents.len();
        &mut self.agents[at].1
    }

    // What tenants do.

    fn write_order(&mut self, at: usize, pointer: &'static str, value: u8) {
        let key = self.shape.order(at);
        let value = value_of(pointer, value);
        match self.sides.get(&key) {
            // A deleted order cannot be saved, and what is said on it is of no more use.
            Some(order) if object::is_deleting(&order) => {}
            Some(_) => {
                self.sides.change(&key, &patch(pointer, value.clone()));
                self.orders.entry(at).or_default().say(pointer, value);
            }
            None => {
                let place = self.shape.orders[at].namespace.clone().unwrap_or_default();
                let mut order = json!({"spec": {"place": place}, "metadata": {"labels": self.shape.labels(at)}});
                crate::engine::merge::apply(&mut order, &patch(pointer, value.clone()));
                self.sides.put(&key, order);
                let copy = self.orders.entry(at).or_default();
                copy.begin();
                copy.say(pointer, value);
            }
        }
    }

    fn live_order(&self, at: usize) -> Option<(ObjectKey, Value)> {
        let key = self.shape.order(at);
        let order = self.sides.get(&key).filter(|order| !object::is_deleting(order))?;
        Some((key, order))
    }

    fn refer(&mut self, at: usize, config: usize) {
        let Some((key, _)) = self.live_order(at) else { return };
        let value = if config == CONFIGS { Value::Null } else { config_name(config).into() };
        self.sides.change(&key, &patch(CONFIG, value.clone()));
        self.orders.entry(at).or_default().say(CONFIG, value);
    }

    fn delete_order(&mut self, at: usize) {
        self.sides.delete(&self.shape.order(at));
    }

    fn label(&mut self, at: usize, is_gold: bool) {
        let Some((key, _)) = self.live_order(at) else { return };
        let value = if is_gold { "gold" } else { "tin" };
        self.sides.change(&key, &json!({"metadata": {"labels": {"plan": value}}}));
    }

    fn open(&mut self, at: usize, is_open: bool) {
        let value = if is_open { "yes" } else { "no" };
        if let Some(namespace) = self.shape.namespace(at) {
            self.sides.change(&namespace, &json!({"metadata": {"labels": {"open": value}}}));
        }
    }

    fn write_config(&mut self, at: usize, config: usize, value: u8) {
        let key = self.shape.config(at, config);
        if !self.shape.has_configs || self.sides.get(&key).is_some_and(|source| object::is_deleting(&source)) {
            return;
        }
        let value = value_of(PASSWORD, value.max(1));
        self.sides.put(&key, patch(PASSWORD, value.clone()));
        self.configs.entry(self.config_id(at, config)).or_default().say(PASSWORD, value);
    }

    fn drop_config(&mut self, at: usize, config: usize) {
        self.sides.delete(&self.shape.config(at, config));
    }

    /// Orders of one namespace have their ConfigMaps in common.
    pub(super) fn config_id(&self, at: usize, config: usize) -> (usize, usize) {
        let key = self.shape.config(at, config);
        let first = (0..at).find(|other| self.shape.config(*other, config) == key);
        (first.unwrap_or(at), config)
    }

    fn edit_delivered(&mut self, at: usize, field: usize, value: u8) {
        let key = self.shape.delivered(at);
        if self.foreign.contains_key(&key) || self.sides.get(&key).is_none_or(|secret| object::is_deleting(&secret)) {
            return;
        }
        let pointer = if field.is_multiple_of(2) { PASSWORD } else { EXTRA };
        let value = value_of(pointer, value);
        self.sides.change(&key, &patch(pointer, value.clone()));
        self.credentials.entry(at).or_default().put(pointer, value);
    }

    fn drop_delivered(&mut self, at: usize) {
        let key = self.shape.delivered(at);
        if !self.foreign.contains_key(&key) {
            self.sides.delete(&key);
        }
    }

    // What happens on the service cluster.

    /// The copy of an order, which another order of the same name may have.
    pub(super) fn own_copy(&self, at: usize) -> Option<(ObjectKey, Value)> {
        let key = self.shape.copy(at);
        let copy = self.sides.get(&key)?;
        crate::engine::copy::belongs_to(&copy, &self.shape.orders[at]).then_some((key, copy))
    }

    fn edit_copy(&mut self, at: usize, pointer: &'static str, value: u8) {
        let Some((key, copy)) = self.own_copy(at) else { return };
        if !object::is_deleting(&copy) {
            let value = value_of(pointer, value);
            self.sides.change(&key, &patch(pointer, value.clone()));
            self.orders.entry(at).or_default().put(pointer, value);
        }
    }

    fn drop_copy(&mut self, at: usize) {
        if let Some((key, _)) = self.own_copy(at) {
            self.sides.delete(&key);
        }
    }

    fn drop_config_copy(&mut self, at: usize, config: usize) {
        let key = self.shape.config_copy(at, config);
        if !self.foreign.contains_key(&key) {
            self.sides.delete(&key);
        }
    }

    fn operate(&mut self, at: usize) {
        let Some((key, copy)) = self.own_copy(at) else { return };
        if object::is_deleting(&copy) {
            self.sides.delete(&self.shape.credentials(at));
            self.sides.change(&key, &json!({"metadata": {"finalizers": null}}));
        } else {
            let status = json!({"phase": "Ready", "size": copy["spec"]["size"]});
            self.sides.change(&key, &json!({"metadata": {"finalizers": [OPERATOR]}, "status": status}));
        }
    }

    fn provide(&mut self, at: usize, value: u8) {
        let Some((key, copy)) = self.own_copy(at) else { return };
        if object::is_deleting(&copy) {
            return;
        }
        // An operator does not make what it could not remove.
        self.sides.change(&key, &json!({"metadata": {"finalizers": [OPERATOR]}}));
        let value = value_of(PASSWORD, value.max(1));
        let mut secret = patch(PASSWORD, value.clone());
        let labels = json!({"for": self.shape.orders[at].cluster.as_str(), "of": self.shape.copy(at).name});
        secret["metadata"] = json!({"labels": labels});
        self.sides.put(&self.shape.credentials(at), secret);
        self.credentials.entry(at).or_default().say(PASSWORD, value);
    }

    fn withdraw(&mut self, at: usize) {
        self.sides.delete(&self.shape.credentials(at));
    }

    /// Somebody else uses the names of copies.
    fn meddle(&mut self, which: usize, value: u8) {
        let at = which % self.shape.orders.len();
        let key = match which / self.shape.orders.len() % 3 {
            0 => self.shape.copy(at),
            1 => self.shape.delivered(at),
            _ => self.shape.config_copy(at, which % CONFIGS),
        };
        let is_foreign = self.foreign.contains_key(&key);
        if is_foreign && value == 0 {
            self.sides.delete(&key);
            self.foreign.remove(&key);
        } else if is_foreign || self.sides.get(&key).is_none() {
            // It looks like a copy of an order that is not, as far as anybody can make it look so.
            let labels = json!({wire::CLUSTER_LABEL: "other", wire::AGENT_NAME: "agent-0"});
            self.sides.put(&key, json!({"metadata": {"labels": labels}, "data": {"value": value}}));
            self.foreign.insert(key.clone(), self.sides.get(&key).unwrap());
        }
    }

    // What agents do.

    fn step_of(&mut self, who: usize, order: &OrderKey) -> Step {
        let is_quiet = self.late.iter().all(|(of, _)| of != order)
            && self.agents.iter().enumerate().all(|(at, (_, agent))| at == who || !agent.is_about(order));
        let agent = &mut self.agents[who].1;
        if is_quiet {
            agent.quiet.insert(order.clone());
        } else {
            agent.quiet.remove(order);
        }
        agent.step(order, &self.sides)
    }

    fn work(&mut self, agent: usize, at: usize, steps: usize, fate: Fate) -> Result<(), String> {
        let who = agent % self.agents.len();
        let order = self.shape.orders[at].clone();
        for left in (0..steps).rev() {
            let fate = if left == 0 { fate } else { Fate::Done };
            let command = match self.step_of(who, &order) {
                Step::Looked => continue,
                Step::Ended(_) => return Ok(()),
                Step::Write(command) => command,
            };
            let is_done = matches!(fate, Fate::Done | Fate::Unanswered | Fate::CrashAfter);
            let result = if is_done { self.write(&order, &command)? } else { Err(Refused) };
            if matches!(fate, Fate::Late | Fate::CrashDuring) {
                self.late.push((order.clone(), command.clone()));
            }
            match fate {
                Fate::CrashBefore | Fate::CrashAfter | Fate::CrashDuring => {
                    self.agents[who].1.crash(&self.sides);
                    return Ok(());
                }
                Fate::Done => self.agents[who].1.answered(&order, &command, result),
                Fate::Refused => self.agents[who].1.answered(&order, &command, Err(Refused)),
                Fate::Unanswered | Fate::Late => {
                    self.agents[who].1.doubt(&order);
                    self.agents[who].1.answered(&order, &command, Err(Refused));
                }
            }
        }
        Ok(())
    }

    /// A write of an agent; what it must never do is an error.
    fn write(&mut self, order: &OrderKey, command: &Command) -> Result<Result<Option<Arc<Value>>, Refused>, String> {
        let Some(key) = written(command) else { return Ok(Ok(None)) };
        let before = self.sides.get(key);
        let result = self.sides.carry_out(command);
        let after = self.sides.objects().get(key).cloned();
        if before.as_ref() != after.as_deref() {
            guard::check(self, order, key, before.as_ref(), after.as_deref())
                .map_err(|fault| format!("{order}: {fault}, by {command:?}"))?;
        }
        self.spread();
        Ok(result.map(|()| after))
    }

    fn retire(&mut self) {
        // The last of each plan stays.
        let is_alone = |plan: usize, agents: &[(usize, Agent)]| agents.iter().filter(|(p, _)| *p == plan).count() == 1;
        let oldest = (0..self.agents.len()).rev().find(|at| !is_alone(self.agents[*at].0, &self.agents));
        if let Some(oldest) = oldest {
            self.agents.remove(oldest);
        }
    }

    /// Everybody gets to know what has happened, sooner or later.
    fn spread(&mut self) {
        for change in self.sides.take_changes() {
            self.agents.iter_mut().for_each(|(_, agent)| agent.send(&change));
            if !change.is_gone {
                continue;
            }
            for at in 0..self.shape.orders.len() {
                if change.key == self.shape.copy(at) {
                    self.orders.entry(at).or_default().lose();
                } else if change.key == self.shape.delivered(at) {
                    self.credentials.entry(at).or_default().lose();
                } else if change.key == self.shape.credentials(at) {
                    self.credentials.entry(at).or_default().fall_silent();
                }
                for config in 0..CONFIGS {
                    let id = self.config_id(at, config);
                    if change.key == self.shape.config(at, config) {
                        self.configs.entry(id).or_default().fall_silent();
                    } else if change.key == self.shape.config_copy(at, config) {
                        self.configs.entry(id).or_default().lose();
                    }
                }
            }
        }
    }

    // How it ends.

    /// The faults stop: what is on its way arrives, agents that were replaced notice, everything
    /// is heard. Then both sides have to come to rest, as the specification says.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        for (order, command) in std::mem::take(&mut self.late) {
            // Refused or not, nobody hears of it.
            let _ = self.write(&order, &command)?;
        }
        while self.agents.len() > self.shape.plans.len() {
            self.retire();
        }
        self.rest()?;
        super::fixed_point::check(self)?;
        Ok(())
    }

    fn rest(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS {
            let before = self.sides.revision();
            (0..self.shape.orders.len()).for_each(|at| self.operate(at));
            self.spread();
            self.problems.clear();
            let mut is_refused = false;
            for who in 0..self.agents.len() {
                for at in 0..self.shape.orders.len() {
                    self.agents[who].1.hear_everything();
                    is_refused |= !self.pass(who, at)?;
                }
            }
            if self.sides.revision() == before && !is_refused {
                return Ok(());
            }
        }
        Err("it does not come to rest".into())
    }

    /// A whole pass of which nothing fails that need not; whether nothing was refused.
    fn pass(&mut self, who: usize, at: usize) -> Result<bool, String> {
        let order = self.shape.orders[at].clone();
        loop {
            match self.step_of(who, &order) {
                Step::Looked => {}
                Step::Ended(ended) => {
                    self.problems.entry(order).or_default().extend(ended.problems);
                    return Ok(!ended.is_refused);
                }
                Step::Write(command) => {
                    let result = self.write(&order, &command)?;
                    let is_over = result.is_err();
                    self.agents[who].1.answered(&order, &command, result);
                    if is_over {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Tenants delete all they have ordered; nothing of it may be left.
    pub(super) fn end(&mut self) -> Result<(), String> {
        (0..self.shape.orders.len()).for_each(|at| self.delete_order(at));
        self.spread();
        self.settle()?;
        super::fixed_point::check_nothing_is_left(self)
    }
}

/// Zero stands for nothing.
fn value_of(pointer: &str, value: u8) -> Value {
    match value {
        0 => Value::Null,
        // Labels, annotations and data are text.
        _ if pointer.starts_with("/spec") => value.into(),
        _ => value.to_string().into(),
    }
}

/// The merge patch that sets the field.
fn patch(pointer: &str, value: Value) -> Value {
    pointer.rsplit('/').filter(|key| !key.is_empty()).fold(value, |inner, key| json!({key: inner}))
}
