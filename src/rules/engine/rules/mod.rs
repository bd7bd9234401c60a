//! The design's rules: one test for each sentence that the machine implements. Rule 3 belongs to the plan: a route
//! never contains a status that its channel cannot report.

mod aside;
mod conditions;
mod going_on;
mod late;
mod own_expiry;
mod stopping;
