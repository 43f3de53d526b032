#![doc = include_str!("../docs/score.md")]

mod cycle;
mod deploy;
mod fault;
mod needs;
mod order;
mod placeholder;
mod scope;
mod workload;

pub use self::{
    deploy::{Deployment, ScoreDeployer},
    fault::{ScoreFault, ScoreFaults},
    needs::{EnvVar, Known, KnownOutputs, Need, Outputs, Setting, WORKLOAD, WorkloadPlan},
    workload::{Container, Metadata, Resource, ServicePort, ServicePorts, Workload},
};
