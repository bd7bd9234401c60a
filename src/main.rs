//! Parses the command line, runs the command and returns its exit code.

use std::process::ExitCode;

use volley::audience::hush_stumbling_readers;
use volley::cli::{Cli, Exit};

/// An import allocates on one thread and frees on another, millions of times. In allocators whose threads share arenas,
/// these threads block each other.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    hush_stumbling_readers();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the worker threads");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(cli.run());
    // Tasks that still read a file or wait for a response do not delay the exit.
    runtime.shutdown_background();
    exit.into()
}
