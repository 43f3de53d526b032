//! The steps of a run, each with the time it took.

use std::{
    fmt,
    future::Future,
    time::{Duration, Instant},
};

use kdp_core::Error;

use super::screen;

/// What has been done so far.
#[derive(Debug, Default)]
pub(crate) struct Steps(Vec<(String, Duration)>);

impl Steps {
    /// Does the next step, and says so.
    pub(crate) async fn take<T>(
        &mut self,
        title: impl Into<String>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let title = title.into();
        screen::line(format_args!("\n▸ {title}"));
        let started = Instant::now();
        let result = work.await?;
        let took = started.elapsed();
        screen::line(format_args!("  done in {}", Millis(took)));
        self.0.push((title, took));
        Ok(result)
    }
}

/// The table of all steps.
impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = ("total".to_owned(), self.0.iter().map(|(_, took)| *took).sum());
        let width = self.0.iter().map(|(title, _)| title.chars().count()).max().unwrap_or_default();
        for (title, took) in self.0.iter().chain([&total]) {
            writeln!(f, "  {title:width$}  {:>10}", Millis(*took).to_string())?;
        }
        Ok(())
    }
}

struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_and_ends_with_the_total() {
        let steps = Steps(vec![
            ("short".into(), Duration::from_micros(1500)),
            ("a longer one, über".into(), Duration::from_secs(1)),
        ]);
        let expected =
            "  short                   1.5 ms\n  a longer one, über   1000.0 ms\n  total                1001.5 ms\n";
        assert_eq!(steps.to_string(), expected);
    }
}
