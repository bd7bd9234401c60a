//! Tests of the 8x8 API.
