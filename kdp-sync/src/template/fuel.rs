//! The bound on what one rendering may cost.
//!
//! Templates are written by providers, but tenants choose the data: a list of a million items or a
//! number that ends up in `repeat` must end in an error, not in an agent that hangs or dies.

use std::cell::Cell;

/// How deep templates, branches and arguments may nest while rendering.
pub(super) const DEEPEST: usize = 100;

/// Deepest nesting of a value that is printed, compared, copied or written as JSON.
pub(super) const DEEPEST_VALUE: usize = 100;

/// About a second of work, and the most bytes a rendering may produce on its way.
const TANK: usize = 4 << 20;

/// Counts down with each step, each byte made and each item looked at.
#[derive(Debug)]
pub(super) struct Fuel(Cell<usize>);

impl Fuel {
    pub(super) fn full() -> Self {
        Self(Cell::new(TANK))
    }

    /// # Errors
    /// When the rendering has cost too much. Nothing that costs this much may be done then.
    pub(super) fn burn(&self, amount: usize) -> Result<(), String> {
        let left = self.0.get().checked_sub(amount);
        self.0.set(left.unwrap_or_default());
        left.map(drop).ok_or_else(|| "the template does too much work or makes too much text".into())
    }
}

/// Text that is made under a bound.
pub(super) struct Text<'f> {
    pub(super) fuel: &'f Fuel,
    text: String,
}

impl<'f> Text<'f> {
    pub(super) fn new(fuel: &'f Fuel) -> Self {
        Self { fuel, text: String::new() }
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), String> {
        self.fuel.burn(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    pub(super) fn push_repeated(&mut self, text: &str, times: usize) -> Result<(), String> {
        self.fuel.burn(text.len().saturating_mul(times))?;
        self.text.extend(std::iter::repeat_n(text, times));
        Ok(())
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}
