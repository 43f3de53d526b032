//! Platform programs built from KDP, and the database service they share.
//!
//! - [`database`]: a real operator. It makes SQLite files and PostgreSQL instances.
//! - [`quickstart`]: a whole platform around it, in one process.
//!
//! The programs are in `src/bin`; each is a thin `main`.

pub mod database;
pub mod quickstart;
