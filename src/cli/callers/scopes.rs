//! The scope that each command needs which a server runs for its callers, and why it does not run the others.

use crate::base::domain::Scope;
use crate::cli::{Command, SharedCommand, audience, campaign, lane, message, optout, template};

impl Command {
    /// Why this command does not run on another server.
    pub(in crate::cli) const fn stays_here(&self) -> &'static str {
        match self {
            Self::Key(_) => "run it beside the server, or use its API: /v1/keys",
            Self::Operator(_) => "run it beside the server, or use its API: /v1/operators",
            Self::Upload(_) => "run it beside the server, or use its API: /v1/uploads",
            Self::Subscription(_) => "run it beside the server, or use its API: /v1/webhooks",
            Self::AuditLog(_) => "run it beside the server, or use its API: /v1/audit-log",
            _ => "it is about the computer on which it runs; run it there",
        }
    }
}

const READ: Scope = Scope::Read;
const MANAGE: Scope = Scope::Manage;

impl SharedCommand {
    /// Whether it reads many recipients or tries out many times.
    pub(in crate::cli) const fn computes(&self) -> bool {
        match self {
            Self::Audience(command) => matches!(command, audience::Command::Check(_)),
            Self::Campaign(command) => {
                use campaign::Command;
                matches!(command, Command::Plan(_) | Command::Launch(_) | Command::Test(_) | Command::Set(_))
            }
            Self::Lane(_)
            | Self::Template(_)
            | Self::Message(_)
            | Self::OptOut(_)
            | Self::Reply(_)
            | Self::Audit(_)
            | Self::Events(_) => false,
        }
    }

    /// The scope that a caller needs who runs it on a server.
    pub(in crate::cli) fn scope(&self) -> Scope {
        match self {
            Self::Audience(command) => of_audience(command),
            Self::Campaign(command) => of_campaign(command),
            Self::Lane(command) => of_lane(command),
            Self::Template(command) => of_template(command),
            Self::Message(command) => of_message(command),
            Self::OptOut(command) => of_opt_out(command),
            Self::Reply(_) | Self::Audit(_) | Self::Events(_) => READ,
        }
    }
}

const fn of_audience(command: &audience::Command) -> Scope {
    use audience::Command;
    match command {
        Command::Check(_)
        | Command::Export { .. }
        | Command::List { .. }
        | Command::Show { .. }
        | Command::Sample { .. } => READ,
        Command::Import(_) | Command::Delete { .. } => MANAGE,
    }
}

fn of_campaign(command: &campaign::Command) -> Scope {
    use campaign::Command;
    match command {
        Command::Plan(_)
        | Command::Export(_)
        | Command::List { .. }
        | Command::Calendar { .. }
        | Command::Show { .. }
        | Command::Watch(_)
        | Command::Report(_) => READ,
        Command::Launch(_)
        | Command::Start { .. }
        | Command::Refuse { .. }
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

const fn of_lane(command: &lane::Command) -> Scope {
    use lane::Command;
    match command {
        Command::List { .. } | Command::Show { .. } => READ,
        Command::Set(_) | Command::Pause { .. } | Command::Resume { .. } | Command::CancelBatch { .. } => MANAGE,
    }
}

fn of_template(command: &template::Command) -> Scope {
    use template::Command;
    match command {
        Command::Preview(_) | Command::Check { .. } | Command::List(_) | Command::Show { .. } => READ,
        Command::Push(_)
        | Command::Pull { .. }
        | Command::Remove(_)
        | Command::Hold { .. }
        | Command::Resume { .. } => MANAGE,
    }
}

const fn of_message(command: &message::Command) -> Scope {
    use message::Command;
    match command {
        Command::List(_) | Command::Show { .. } | Command::Explain { .. } | Command::Strays(_) => READ,
        Command::Cancel(_) | Command::Release(_) => MANAGE,
    }
}

const fn of_opt_out(command: &optout::Command) -> Scope {
    use optout::Command;
    match command {
        Command::Add(_) | Command::Remove(_) | Command::Push(_) | Command::Narrow(_) => MANAGE,
        Command::List { .. } | Command::Show { .. } => READ,
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn scope(line: &str) -> Scope {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        read(&words).unwrap().0.scope()
    }

    #[test]
    fn each_shared_command_has_a_scope() {
        for reads in [
            "campaign list",
            "campaign plan promo.toml --preview",
            "campaign watch latest",
            "audience sample members",
            "message explain --rules",
            "audit latest",
            "events --follow",
            "reply list --unmasked",
            "reply export x.csv",
            "campaign plan promo.toml --html page.html",
            "campaign export latest x.csv",
            "audience check x.csv --rejects y.csv",
            "template preview x.toml",
        ] {
            assert_eq!(scope(reads), READ, "{reads}");
        }
        for changes in [
            "campaign launch promo.toml",
            "campaign set latest --budget 5",
            "campaign pause latest --step 2",
            "lane resume promo-sg",
            "opt-out add +6591234567",
            "template pull",
            "audience delete members",
            "audience import x.csv --name members",
            "opt-out add --file x.csv",
            "template push x.toml",
        ] {
            assert_eq!(scope(changes), MANAGE, "{changes}");
        }
    }

    #[test]
    fn plans_launches_and_checks_compute_and_watching_does_not() {
        let computes = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            read(&words).unwrap().0.computes()
        };
        for line in [
            "campaign plan promo.toml --preview",
            "campaign launch promo.toml",
            "campaign test promo.toml --to +6591234567",
            "campaign set latest --budget 5",
            "audience check x.csv",
        ] {
            assert!(computes(line), "{line}");
        }
        for line in ["campaign watch latest", "campaign cancel latest", "events --follow", "lane list"] {
            assert!(!computes(line), "{line}");
        }
    }

    #[test]
    fn other_commands_and_options_of_this_computer_are_refused() {
        let refused = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            read(&words).unwrap_err()
        };
        for line in ["serve", "backup x.db", "bench engine", "demo", "config show", "doctor", "man"] {
            assert!(refused(line).contains("about the computer"), "{line}");
        }
        for (line, path) in [
            ("key list", "/v1/keys"),
            ("operator list", "/v1/operators"),
            ("subscription list", "/v1/webhooks"),
            ("audit-log", "/v1/audit-log"),
        ] {
            assert!(refused(line).ends_with(path), "{line}");
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
