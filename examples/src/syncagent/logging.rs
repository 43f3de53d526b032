//! Where the program says what it does.

use std::io;

use kdp_core::Error;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt};

#[cfg(feature = "otlp")]
use super::otlp::Spans;
use super::settings::{LogFormat, Logging};

/// Ends what was begun by [`init`].
#[must_use]
pub(super) struct Telling {
    #[cfg(feature = "otlp")]
    spans: Option<Spans>,
}

/// Logs to standard error. `RUST_LOG` says more finely than `--log-debug` what is logged.
///
/// # Errors
/// When spans are to be exported, and cannot be.
pub(super) fn init(logging: &Logging) -> Result<Telling, Error> {
    let level = if logging.is_verbose { "debug" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match logging.format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Console => lines.with_filter(filter).boxed(),
    };
    #[cfg(feature = "otlp")]
    {
        let spans = logging.has_spans.then(Spans::export).transpose()?;
        let layers = spans.iter().map(|spans| spans.layer().boxed()).chain([lines]).collect::<Vec<_>>();
        Registry::default().with(layers).init();
        Ok(Telling { spans })
    }
    #[cfg(not(feature = "otlp"))]
    {
        Registry::default().with(lines).init();
        Ok(Telling {})
    }
}

impl Telling {
    /// Tells what is left to be told.
    pub(super) async fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(spans) = self.spans {
            spans.flush().await;
        }
    }
}
