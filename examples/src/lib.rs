//! Platform programs built from KDP, and the database service they share.
//!
//! - [`database`]: a real operator. It makes SQLite files and PostgreSQL instances.
//! - [`quickstart`]: a whole platform around it, in one process.
//! - [`postgres`]: a plugin as a third party writes one. It makes databases in a PostgreSQL server.
//! - [`report`]: tells how orders fare, to whoever may see them.
//! - [`selfservice`]: a page where tenants order with a browser.
//! - [`syncagent`]: the agent of a service owner, in the place of kcp's api-syncagent.
//!
//! The programs are in `src/bin`; each is a thin `main`.

pub mod database;
pub mod postgres;
pub mod quickstart;
pub mod report;
pub mod selfservice;
pub mod syncagent;
