//! `volley completions` and `volley man`: generated from the command definitions.

use clap::CommandFactory;
use clap_complete::Shell;

use super::exit::Usage;
use super::{Cli, Exit, out};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  volley completions bash > /etc/bash_completion.d/volley
  volley completions zsh > ~/.zfunc/_volley
  volley completions fish > ~/.config/fish/completions/volley.fish")]
pub(super) struct Completions {
    /// The shell to complete for.
    shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  volley man > volley.1
  volley man campaign launch | man -l -")]
pub(super) struct Man {
    /// The command, such as `campaign launch`. Default: volley itself.
    command: Vec<String>,
}

pub(super) fn completions(args: &Completions) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "volley", &mut text);
    out::data(String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}

pub(super) fn man(args: &Man) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.build();
    for name in &args.command {
        let Some(found) = command.find_subcommand(name) else {
            let known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            return Err(Usage(format!("unknown command \"{name}\"; use one of {}", known.join(", "))).into());
        };
        command = found.clone();
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    out::data(String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}
