//! Which commands a server runs for its callers, and the scope that each needs.

use crate::cli::{SharedCommand, audience, campaign, lane, message, optout, reply, template};
use crate::domain::Scope;

/// Where a command can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Reach {
    /// On a server, for a caller with this scope.
    Server(Scope),
    /// Only on the computer where it is typed, for this reason.
    Here(&'static str),
}

/// Why the commands about an installation run on its computer alone.
pub(in crate::cli) const LOCAL: &str = "it is about the computer on which it runs; run it there";
const READS: &str = "it reads a file; run it on the computer of the server";
const WRITES: &str = "it writes a file; run it on the computer of the server";

const READ: Reach = Reach::Server(Scope::Read);
const MANAGE: Reach = Reach::Server(Scope::Manage);

impl SharedCommand {
    pub(in crate::cli) fn reach(&self) -> Reach {
        match self {
            Self::Audience(command) => of_audience(command),
            Self::Campaign(command) => of_campaign(command),
            Self::Lane(command) => of_lane(command),
            Self::Template(command) => of_template(command),
            Self::Message(command) => of_message(command),
            Self::OptOut(command) => of_opt_out(command),
            Self::Reply(reply::Command::Export(_)) => Reach::Here(WRITES),
            Self::Reply(reply::Command::List(_)) | Self::Audit(_) | Self::Events(_) => READ,
        }
    }
}

const fn of_audience(command: &audience::Command) -> Reach {
    use audience::Command;
    match command {
        Command::Check(_) | Command::Import(_) => Reach::Here(READS),
        Command::Export { .. } => Reach::Here(WRITES),
        Command::List { .. } | Command::Show { .. } | Command::Sample { .. } => READ,
        Command::Delete { .. } => MANAGE,
    }
}

fn of_campaign(command: &campaign::Command) -> Reach {
    use campaign::Command;
    match command {
        Command::Plan(args) if args.writes_page() => Reach::Here(WRITES),
        Command::Export(_) => Reach::Here(WRITES),
        Command::Plan(_)
        | Command::List { .. }
        | Command::Calendar { .. }
        | Command::Show { .. }
        | Command::Watch(_)
        | Command::Report(_) => READ,
        Command::Launch(_)
        | Command::Start { .. }
        | Command::Test(_)
        | Command::Set(_)
        | Command::Rename { .. }
        | Command::Delete { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Cancel { .. }
        | Command::Retry(_)
        | Command::Clone(_) => MANAGE,
    }
}

const fn of_lane(command: &lane::Command) -> Reach {
    use lane::Command;
    match command {
        Command::List { .. } | Command::Show { .. } => READ,
        Command::Set(_) | Command::Pause { .. } | Command::Resume { .. } | Command::CancelBatch { .. } => MANAGE,
    }
}

fn of_template(command: &template::Command) -> Reach {
    use template::Command;
    match command {
        Command::Preview(_) | Command::Check { .. } | Command::Push(_) => Reach::Here(READS),
        Command::List(_) | Command::Show { .. } => READ,
        Command::Pull { .. } | Command::Remove(_) | Command::Hold { .. } | Command::Resume { .. } => MANAGE,
    }
}

const fn of_message(command: &message::Command) -> Reach {
    use message::Command;
    match command {
        Command::List(_) | Command::Show { .. } | Command::Explain { .. } | Command::Strays(_) => READ,
    }
}

const fn of_opt_out(command: &optout::Command) -> Reach {
    use optout::Command;
    match command {
        Command::Add(args) | Command::Remove(args) if args.has_file() => Reach::Here(READS),
        Command::Add(_) | Command::Remove(_) | Command::Push(_) => MANAGE,
        Command::List { .. } | Command::Show { .. } => READ,
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn reach(line: &str) -> Reach {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        read(&words).unwrap().0.reach()
    }

    #[test]
    fn each_shared_command_has_a_scope_or_says_why_not() {
        for reads in [
            "campaign list",
            "campaign plan promo.toml --preview",
            "campaign watch latest",
            "audience sample members",
            "message explain --rules",
            "audit latest",
            "events --follow",
            "reply list --unmasked",
        ] {
            assert_eq!(reach(reads), READ, "{reads}");
        }
        for changes in [
            "campaign launch promo.toml",
            "campaign set latest --budget 5",
            "campaign pause latest --step 2",
            "lane resume promo-sg",
            "opt-out add +6591234567",
            "template pull",
            "audience delete members",
        ] {
            assert_eq!(reach(changes), MANAGE, "{changes}");
        }
        for files in [
            "campaign plan promo.toml --html page.html",
            "campaign export latest x.csv",
            "audience check x.csv",
            "opt-out add --file x.csv",
            "template push x.toml",
            "reply export x.csv",
        ] {
            assert!(matches!(reach(files), Reach::Here(_)), "{files}");
        }
    }

    #[test]
    fn other_commands_and_options_of_this_computer_are_refused() {
        for line in ["serve", "backup x.db", "bench engine", "key list", "demo", "config show", "doctor", "man"] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert!(read(&words).unwrap_err().contains("about the computer"), "{line}");
        }
        for line in ["--config x.toml campaign list", "campaign list --server http://127.0.0.1", "campaign list --help"]
        {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert!(read(&words).is_err(), "{line}");
        }
        assert!(read(&["lunch".to_owned()]).unwrap_err().contains("unknown command \"lunch\""));
        assert!(read(&[]).is_err());
    }
}
