//! Parses, starts, and tells the shell how it ended.

use std::process::ExitCode;

use clap::Parser;
use volley::audience::hush_stumbling_readers;
use volley::cli::{Cli, Exit};

/// An import allocates on one thread and frees on another, millions of times. Allocators whose threads share arenas
/// wait for each other there.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    hush_stumbling_readers();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the threads that everything runs on");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(cli.run());
    // Whatever still reads a file or waits for an answer holds nobody up any more.
    runtime.shutdown_background();
    exit.into()
}
