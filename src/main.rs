//! Runs the command line of this process. Everything else is in the library.

use std::process::ExitCode;

/// An import allocates on one thread and frees on another, millions of times. In allocators whose threads share arenas,
/// these threads block each other.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    volley::cli::main()
}
