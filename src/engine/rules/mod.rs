//! The design's rules, one test for each sentence that the machine answers for. Rule 3 is the plan's: what a channel
//! can never report never gets into a route.

mod conditions;
mod going_on;
mod late;
mod stopping;
