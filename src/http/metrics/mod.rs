//! The figures of a running server, for Prometheus.
//!
//! In: the lanes and timers of a server, its store, and what its HTTP server counts. Out: a page of metrics ([`scrape`]).
//! Promises: what a room knows already is read when it is scraped and not counted twice; labels are lanes, steps,
//! portfolios, routes and fixed words, so their number does not grow with messages or campaigns.
//! May not: change anything.

mod gather;
mod page;
mod table;

pub use gather::{HttpFigures, NoPage, Sources, scrape};
pub use page::CONTENT_TYPE;
pub use table::{ALL, Kind, Metric};
