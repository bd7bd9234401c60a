//! What operators plan, launch, decide and read. It knows nothing of HTTP.

// What became of a campaign: figures, rows, messages.
pub mod report;

// What happened to a message, and whether it holds.
pub mod story;

// Plan, launch, schedule, pause, resume, cancel, finish.
pub mod campaign;

// What servers, campaigns and lanes do now, and what keeps messages from being sent.
pub mod status;
