//! Everything that is asked over HTTP, and what is told to others over it.

// Who may call the API, and what each caller may do.
pub mod access;

// Requests of the 8x8 API as messages of ours.
pub mod accept;

// The figures of a running server.
pub mod metrics;

// Webhooks that Volley sends, and alerts.
pub mod outgoing;

// Pages for operators, as HTML.
pub mod pages;

// The server's HTTP API.
pub mod api;
