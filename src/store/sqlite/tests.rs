//! What is SQLite's own: its files, its plans, its lock.
