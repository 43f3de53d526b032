//! Providers that are programs of their own, well-behaved and not.

mod hostile;
mod suite;
