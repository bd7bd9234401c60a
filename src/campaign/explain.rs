//! Why: the story of one message, derived by running the engine over the facts once more.
