//! The machine as a table.
