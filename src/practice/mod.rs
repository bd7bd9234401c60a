//! The practice provider. It knows the types and the rules, and nothing of Volley itself.

// A provider simulator.
pub mod simulator;
