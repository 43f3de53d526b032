//! Composition: one control plane, and components that start in order and stop in reverse.

use std::{
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, ErrorKind,
    component::{Component, ComponentContext},
    control_plane::SharedControlPlane,
    reconcile::Chain,
};

const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// A platform: components around one control plane.
///
/// Components start in the order they were added, each once its predecessor is ready, and stop in
/// reverse. The first one that ends by itself stops all others, and its error is the platform's.
pub struct Platform {
    control_plane: SharedControlPlane,
    components: Vec<Box<dyn Component>>,
    drain_deadline: Duration,
}

impl Platform {
    /// A platform without components yet.
    #[must_use]
    pub fn builder(control_plane: SharedControlPlane) -> Self {
        Self { control_plane, components: Vec::new(), drain_deadline: DRAIN_DEADLINE }
    }

    /// Adds a component; it may rely on all that were added before it.
    #[must_use]
    pub fn component(mut self, component: impl Component) -> Self {
        self.components.push(Box::new(component));
        self
    }

    /// How long a component may take to finish its work when told to stop; 30 s unless said.
    #[must_use]
    pub fn with_drain_deadline(mut self, deadline: Duration) -> Self {
        self.drain_deadline = deadline;
        self
    }

    /// Starts every component and returns once all are ready.
    ///
    /// Not cancel-safe: dropping the future cancels the components already started without draining them.
    ///
    /// # Errors
    /// When a component ends before it is ready; those already started are stopped first.
    pub async fn start(self) -> Result<RunningPlatform, Error> {
        let mut running = RunningPlatform::new(self.drain_deadline);
        match running.launch(self.components, &self.control_plane).await {
            Ok(()) => Ok(running),
            Err(error) => Err(running.stop().await.err().unwrap_or(error)),
        }
    }

    /// Starts, runs until `until` completes or a component ends, then stops.
    ///
    /// `until` also ends a start that is still under way.
    ///
    /// # Errors
    /// The error of the first component that failed, or that a component ended by itself or did
    /// not stop in time.
    pub async fn run(self, until: impl Future<Output = ()>) -> Result<(), Error> {
        let mut running = RunningPlatform::new(self.drain_deadline);
        let work = async {
            running.launch(self.components, &self.control_plane).await?;
            running.failed().await;
            Ok(())
        };
        let ended = tokio::select! {
            ended = work => ended,
            () = until => Ok(()),
        };
        running.stop().await.and(ended)
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.components.iter().map(|c| c.name()).collect();
        f.debug_struct("Platform")
            .field("control_plane", &self.control_plane)
            .field("components", &names)
            .finish_non_exhaustive()
    }
}

/// Remembers which component was the first to end although nobody told it to.
#[derive(Clone, Debug, Default)]
struct FirstEnd {
    part: Arc<OnceLock<usize>>,
    happened: CancellationToken,
}

/// Reports the end of a component's task when dropped, so that a panic counts as well.
struct EndReport {
    part: usize,
    told_to_stop: CancellationToken,
    first_end: FirstEnd,
}

impl Drop for EndReport {
    fn drop(&mut self) {
        if !self.told_to_stop.is_cancelled() {
            self.first_end.part.get_or_init(|| self.part);
            self.first_end.happened.cancel();
        }
    }
}

#[derive(Debug)]
struct Part {
    name: String,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

/// A platform whose components are all ready.
///
/// Dropping it cancels every component without waiting; [`RunningPlatform::stop`] drains them.
#[derive(Debug)]
pub struct RunningPlatform {
    parts: Vec<Part>,
    drain_deadline: Duration,
    first_end: FirstEnd,
}

impl RunningPlatform {
    fn new(drain_deadline: Duration) -> Self {
        Self { parts: Vec::new(), drain_deadline, first_end: FirstEnd::default() }
    }

    async fn launch(
        &mut self,
        components: Vec<Box<dyn Component>>,
        control_plane: &SharedControlPlane,
    ) -> Result<(), Error> {
        for component in components {
            let name = component.name().to_owned();
            let stop = CancellationToken::new();
            let (context, mut ready) = ComponentContext::new(control_plane.clone(), stop.clone());
            let report =
                EndReport { part: self.parts.len(), told_to_stop: stop.clone(), first_end: self.first_end.clone() };
            let task = tokio::spawn(async move {
                let _reports_when_dropped = report;
                component.run(context).await
            });
            // Known before the first wait, so that it is stopped even if this future is dropped there.
            self.parts.push(Part { name: name.clone(), stop, task });
            let became_ready = tokio::select! {
                // A component whose context is gone without a word of readiness will never be ready.
                heard = ready.wait_for(|ready| *ready) => heard.is_ok(),
                () = self.first_end.happened.cancelled() => false,
            };
            if !became_ready {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "start",
                    name,
                    "a component ended before this one was ready",
                ));
            }
        }
        Ok(())
    }

    /// Completes when a component ended by itself; cancel-safe.
    pub async fn failed(&self) {
        self.first_end.happened.cancelled().await;
    }

    /// Stops the components in reverse order, each drained before the next is told.
    ///
    /// # Errors
    /// The error of the component that ended first by itself, or that it ended although nobody
    /// stopped it; otherwise the first error met while stopping, such as a component that did not
    /// finish before the drain deadline.
    pub async fn stop(mut self) -> Result<(), Error> {
        let mut cause = None;
        let mut others = Vec::new();
        while let Some(part) = self.parts.pop() {
            let name = part.name.clone();
            let result = stop_part(part, self.drain_deadline).await;
            if self.first_end.part.get() == Some(&self.parts.len()) {
                cause = Some(result.err().unwrap_or_else(|| ended_unasked(&name)));
            } else {
                others.extend(result.err());
            }
        }
        let mut others = others.into_iter();
        let reported = cause.or_else(|| others.next());
        for error in others {
            tracing::error!(error = %Chain(&error), "component.failed");
        }
        reported.map_or(Ok(()), Err)
    }
}

impl Drop for RunningPlatform {
    fn drop(&mut self) {
        for part in &self.parts {
            part.stop.cancel();
        }
    }
}

fn ended_unasked(name: &str) -> Error {
    Error::new(ErrorKind::Internal, "run", name, "the component ended although nobody stopped it")
}

async fn stop_part(part: Part, deadline: Duration) -> Result<(), Error> {
    part.stop.cancel();
    let abort = part.task.abort_handle();
    match tokio::time::timeout(deadline, part.task).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            Err(Error::new(ErrorKind::Internal, "run", &part.name, "the component panicked").with_source(panic))
        }
        Err(_) => {
            abort.abort();
            Err(Error::new(
                ErrorKind::Internal,
                "stop",
                &part.name,
                format!("it did not finish within {deadline:?} and was aborted"),
            ))
        }
    }
}

#[cfg(test)]
mod tests;
