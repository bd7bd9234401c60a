//! `volley operator`: operators who sign in with a password.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::operator::Operator;
use super::out::{self, To};
use super::table::Table;
use super::words::shell;
use super::{CommandContext, Exit};
use crate::base::clock::format_time;
use crate::base::config::Secret;
use crate::base::domain::Scope;
use crate::http::access::{Access, By, NewOperator, OperatorView, all_operators};
use crate::store::OperatorAccount;

/// The largest password file, in bytes.
const FILE_MAX: u64 = 4 << 10;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create an operator, with a password and scopes.
    ///
    /// Operators sign in on pages. Programs use keys; see `volley key`.
    #[command(after_help = "\
The password is asked for without showing it. Without a terminal, it is the first line of standard input.

Examples:
  volley operator create ann --scope manage
  volley operator create ben --scope read --password-file ben.password")]
    Create {
        /// The operator's name.
        name: String,
        /// What the operator may do: read, send, manage or admin. Several are separated by commas.
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
        scopes: Vec<Scope>,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: name, state, scopes, created_at, created_by, password_set_at, disabled_at.
        #[arg(long)]
        json: bool,
    },
    /// List operators.
    List {
        /// Print a JSON list of objects, as `operator create`.
        #[arg(long)]
        json: bool,
    },
    /// Set a new password for an operator.
    #[command(after_help = "Example:\n  volley operator password ann")]
    Password {
        /// The operator's name.
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object, as `operator create`.
        #[arg(long)]
        json: bool,
    },
    /// Set the scopes of an operator, from the next request on.
    #[command(after_help = "\
The scopes replace the present ones. The last operator with the scope admin keeps it.

Example:
  volley operator scopes ann --scope read,manage")]
    Scopes {
        /// The operator's name.
        name: String,
        /// What the operator may do: read, send, manage or admin. Several are separated by commas.
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
        scopes: Vec<Scope>,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object, as `operator create`.
        #[arg(long)]
        json: bool,
    },
    /// Disable an operator, who can then no longer sign in.
    #[command(after_help = "Example:\n  volley operator disable ann")]
    Disable(ChangeArgs),
    /// Enable an operator again.
    #[command(after_help = "Example:\n  volley operator enable ann")]
    Enable(ChangeArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct PasswordArgs {
    /// File whose first line is the password; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ChangeArgs {
    /// The operator's name.
    name: String,
    #[command(flatten)]
    operator: Operator,
    /// Print one JSON object, as `operator create`.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::Create { name, scopes, password, operator, json } => {
            let context = &context.acting(&operator);
            let password = password.read()?;
            let new = NewOperator { name, scopes: scopes.into_iter().collect(), password };
            let was_there = context.database().exists();
            let store = context.store().await?;
            let by = By::command(&context.by);
            let created = Access::new(Arc::clone(&store)).create_operator(new, &by, context.now()).await;
            store.close().await;
            print(&created?, "is created", json)?;
            if !json {
                context.print_database(was_there);
            }
        }
        Command::List { json } => list(context, json).await?,
        Command::Password { name, password, operator, json } => {
            let context = &context.acting(&operator);
            let password = password.read()?;
            let store = context.existing_store().await?;
            let by = By::command(&context.by);
            let set = Access::new(Arc::clone(&store)).set_password(&name, password, &by, context.now()).await;
            store.close().await;
            print(&set?, "has a new password", json)?;
        }
        Command::Scopes { name, scopes, operator, json } => {
            let context = &context.acting(&operator);
            let store = context.existing_store().await?;
            let (by, scopes) = (By::command(&context.by), scopes.into_iter().collect());
            let set = Access::new(Arc::clone(&store)).set_scopes(&name, scopes, &by, context.now()).await;
            store.close().await;
            let (operator, is_changed) = set?;
            print(&operator, if is_changed { "has new scopes" } else { "has these scopes already" }, json)?;
        }
        Command::Disable(args) => set_disabled(context, args, true).await?,
        Command::Enable(args) => set_disabled(context, args, false).await?,
    }
    Ok(Exit::Done)
}

async fn set_disabled(context: &CommandContext, args: ChangeArgs, is_disabled: bool) -> anyhow::Result<()> {
    let context = &context.acting(&args.operator);
    let store = context.existing_store().await?;
    let by = By::command(&context.by);
    let set = Access::new(Arc::clone(&store)).set_disabled(&args.name, is_disabled, &by, context.now()).await;
    store.close().await;
    let (operator, is_changed) = set?;
    let what = match (is_disabled, is_changed) {
        (true, true) => "is disabled",
        (true, false) => "was already disabled",
        (false, true) => "is enabled",
        (false, false) => "was not disabled",
    };
    print(&operator, what, args.json)
}

fn print(operator: &OperatorAccount, what: &str, json: bool) -> anyhow::Result<()> {
    if json {
        return out::json(&OperatorView::new(operator));
    }
    out::data(format_args!("The operator {} {what}.", shell(&operator.name)))
}

async fn list(context: &CommandContext, json: bool) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let operators = all_operators(store.as_ref()).await?;
    store.close().await;
    if json {
        return out::json(&operators.iter().map(OperatorView::new).collect::<Vec<_>>());
    }
    if operators.is_empty() {
        out::talk("No operators; to create one: volley operator create NAME --scope admin");
        return Ok(());
    }
    let paint = To::Stdout.paint();
    let mut table = Table::new(&["name", "scopes", "state", "password set", "created"]);
    for operator in &operators {
        let state = match operator.disabled_at {
            Some(at) => paint.bad(format_args!("disabled since {}", format_time(at, None))),
            None => paint.good("active"),
        };
        table.row([
            operator.name.clone(),
            operator.scopes.given().map(Scope::as_str).collect::<Vec<_>>().join(", "),
            state,
            format_time(operator.password_set_at, None),
            format!("{} by {}", format_time(operator.created_at, None), operator.created_by),
        ]);
    }
    out::lines(table.lines(paint))
}

impl PasswordArgs {
    /// Reads the password: from the file, else from the terminal, else from standard input.
    fn read(&self) -> anyhow::Result<Secret> {
        match &self.password_file {
            Some(file) if !out::is_stdout(file) => read_file(file),
            None if io::stdin().is_terminal() => ask(),
            _ => first_line(&mut io::stdin().lock()).context("cannot read the password from standard input"),
        }
    }
}

fn read_file(file: &Path) -> anyhow::Result<Secret> {
    let read = || first_line(&mut io::BufReader::new(std::fs::File::open(file)?));
    read().with_context(|| format!("cannot read the password file {}", file.display()))
}

fn first_line(from: &mut dyn io::BufRead) -> io::Result<Secret> {
    let mut line = String::new();
    io::Read::take(from, FILE_MAX).read_line(&mut line)?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

fn ask() -> anyhow::Result<Secret> {
    let password = out::ask_secret("Password: ")?;
    if out::ask_secret("Again: ")? != password {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(password)
}
