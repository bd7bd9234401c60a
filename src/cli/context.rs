//! The context of a command: the configuration, the store, the clock and the operator.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::sync::mpsc::Sender;

use super::callers::ForCaller;
use super::exit::Usage;
use super::operator::Operator;
use crate::base::clock::{Chance, Clock, RealClock};
use crate::base::config::{self, Config, Database, Keywords, Loaded, Source};
use crate::base::domain::Timestamp;
use crate::base::events::Origin;
use crate::campaigns::campaign::{Draft, FileError, Launcher, refuse_campaign_file};
use crate::http::api::Printed;
use crate::recipients::audience::{self, UploadedSource};
use crate::recipients::optout::Words;
use crate::sending::throttle::with_overrides;
use crate::store::{self, Lanes, Store};

#[derive(Debug, Clone)]
pub(super) struct CommandContext {
    pub(super) loaded: Loaded,
    pub(super) config: Arc<Config>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<Chance>,
    /// The operator, as recorded with decisions.
    pub(super) by: String,
    /// The caller of the API that the command runs for; `None` for a command of this process.
    caller: Option<Arc<ForCaller>>,
}

/// The largest file that is read as a text.
const TEXT_MAX: u64 = 1 << 20;

fn sent<'a>(caller: &'a ForCaller, path: &Path) -> anyhow::Result<&'a UploadedSource> {
    caller.files.sent(path).with_context(|| format!("{} was not sent along with the command", path.display()))
}

impl CommandContext {
    /// Loads the configuration from the file, the environment and `flags`.
    pub(super) fn new(file: Option<&Path>, flags: Vec<(&'static str, String)>) -> anyhow::Result<Self> {
        let loaded = Config::load_with(file, std::env::vars(), flags).map_err(|error| match error {
            config::Error::Value { at, problem } if at.source == Source::Flag => {
                anyhow::Error::from(Usage(format!("--{}: {problem}", at.key)))
            }
            error => error.into(),
        });
        Ok(Self::on(loaded?))
    }

    pub(super) fn on(mut loaded: Loaded) -> Self {
        let Keywords { stop, start, ignore, .. } = &loaded.config.opt_out;
        loaded.warnings.extend(Words::warnings(stop, start, ignore));
        let named = |variable| std::env::var(variable).ok().filter(|name: &String| !name.trim().is_empty());
        let by = ["VOLLEY_OPERATOR", "USER", "LOGNAME"].into_iter().find_map(named);
        Self {
            config: Arc::new(loaded.config.clone()),
            loaded,
            clock: Arc::new(RealClock::new()),
            chance: Arc::new(Chance::from_entropy()),
            by: by.unwrap_or_else(|| "an operator".to_owned()),
            caller: None,
        }
    }

    /// The same context for a command that names its operator.
    pub(super) fn acting(&self, operator: &Operator) -> Self {
        let by = match (operator.name(), &self.caller) {
            (Some(name), None) => name.to_owned(),
            // A caller may name an operator, but not hide whose key it is.
            (Some(name), Some(caller)) => format!("{name} (key {})", caller.name),
            (None, _) => self.by.clone(),
        };
        Self { by, ..self.clone() }
    }

    /// The same context for a command that runs for a caller of the API.
    pub(super) fn for_caller(&self, caller: ForCaller) -> Self {
        Self { by: caller.name.clone(), caller: Some(Arc::new(caller)), ..self.clone() }
    }

    /// Whether the command may request addresses that its words name. A server does not do that for its callers: they could
    /// reach what only the server can.
    pub(super) const fn may_request(&self) -> bool {
        self.caller.is_none()
    }

    /// Reads the campaign file that the command names. A caller has sent it along.
    pub(super) fn campaign_file(&self, path: &Path) -> Result<Draft, FileError> {
        let Some(caller) = &self.caller else { return Draft::load(path) };
        let missing = || FileError::Read { path: path.to_owned(), source: ErrorKind::NotFound.into() };
        caller.campaign.clone().ok_or_else(missing)
    }

    /// Refuses a campaign file in place of a recipient file. A caller's file was looked at before it was sent.
    pub(super) fn refuse_campaign_file(&self, path: &Path) -> Result<(), FileError> {
        if self.caller.is_none() { refuse_campaign_file(path) } else { Ok(()) }
    }

    /// The file that the command names, as a source of recipients. A caller has sent it along.
    pub(super) fn source(&self, path: &Path) -> anyhow::Result<audience::Source> {
        Ok(match &self.caller {
            None => audience::Source::File(path.to_owned()),
            Some(caller) => audience::Source::Upload(sent(caller, path)?.clone()),
        })
    }

    /// The text of a file that the command names.
    pub(super) fn text(&self, path: &Path) -> anyhow::Result<String> {
        let at = match &self.caller {
            None => path,
            Some(caller) => &sent(caller, path)?.path,
        };
        let cannot = || format!("cannot read {}", path.display());
        // A caller may have sent anything.
        if std::fs::metadata(at).with_context(cannot)?.len() > TEXT_MAX {
            bail!("{} is larger than 1 MiB, and no request for a template is", path.display());
        }
        std::fs::read_to_string(at).with_context(cannot)
    }

    /// Where to write a file that the command names. A caller gets it when the command has succeeded.
    pub(super) fn output(&self, path: &Path) -> PathBuf {
        self.caller.as_ref().map_or_else(|| path.to_owned(), |caller| caller.files.output(path))
    }

    /// Sends a caller what the command has written.
    pub(super) async fn deliver(&self, printed: &Sender<Printed>) -> std::io::Result<()> {
        match &self.caller {
            Some(caller) => caller.files.deliver(printed).await,
            None => Ok(()),
        }
    }

    /// Whether the command names a campaign file, and not a campaign.
    pub(super) fn is_campaign_file(&self, path: &Path) -> bool {
        self.caller.as_ref().map_or_else(|| path.is_file(), |caller| caller.campaign.is_some())
    }

    /// The operator, with the reason given.
    pub(super) fn origin(&self, reason: Option<&str>) -> Origin {
        Origin::operator(self.by.clone(), reason.map(str::trim).filter(|reason| !reason.is_empty()))
    }

    /// The same context with a new clock, started from the wall clock.
    pub(super) fn with_new_clock(self) -> Self {
        Self { clock: Arc::new(RealClock::new()), ..self }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn database(&self) -> &Path {
        let Database::Sqlite { path } = &self.config.database;
        path
    }

    /// Opens the store and creates it if it is missing: for commands that write.
    pub(super) async fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        let url = format!("sqlite://{}", self.database().display());
        Ok(store::open(&url, Arc::clone(&self.clock)).await?)
    }

    /// Prints on stderr which database was written to: it may be a new one, or not the one that the operator meant.
    pub(super) fn print_database(&self, was_there: bool) {
        // The path of the server's database means nothing on the computer of a caller.
        if self.caller.is_some() {
            return;
        }
        let path = self.database();
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let created = if was_there { "" } else { " (created)" };
        super::out::talk(format_args!("Stored in the database {}{created}.", whole.display()));
    }

    /// Opens the existing store: for commands that would find nothing in a new one.
    pub(super) async fn existing_store(&self) -> anyhow::Result<Arc<dyn Store>> {
        let path = self.database();
        if !path.exists() {
            match self.loaded.file {
                Some(_) => bail!(
                    "the database {} does not exist yet; `volley serve`, `volley audience import` and `volley campaign \
                     launch` create it",
                    path.display()
                ),
                None => bail!(
                    "there is no volley.toml in this folder, and no database {}; change to the folder of volley.toml, or \
                     name it with --config",
                    path.display()
                ),
            }
        }
        self.store().await
    }

    /// Opens the existing store, else an empty one in memory: for commands that only read, and need no data.
    pub(super) async fn store_for_reading(&self) -> anyhow::Result<Arc<dyn Store>> {
        if self.database().exists() {
            return self.store().await;
        }
        Ok(store::open("sqlite::memory:", Arc::clone(&self.clock)).await?)
    }

    /// Returns the launcher, which plans, launches and changes campaigns.
    pub(super) fn launcher<'a>(&'a self, store: &'a dyn Store) -> Launcher<'a> {
        Launcher {
            store,
            clock: self.clock.as_ref(),
            chance: &self.chance,
            config: &self.config,
            by: self.origin(None),
        }
    }

    /// The same context, with the overrides of `volley lane set` and the like applied.
    pub(super) async fn with_overrides(&self, store: &dyn Lanes) -> store::Result<Self> {
        Ok(Self { config: Arc::new(with_overrides(&self.config, &store.overrides().await?)), ..self.clone() })
    }

    /// The `--config` flag that another command needs; empty for the default file.
    pub(super) fn config_flag(&self) -> String {
        match &self.loaded.file {
            // The file of the server is none of the caller's.
            Some(_) if self.caller.is_some() => String::new(),
            Some(file) if file != &PathBuf::from(config::DEFAULT_PATH) => {
                format!(" --config {}", super::words::shell(&file.display().to_string()))
            }
            Some(_) | None => String::new(),
        }
    }
}
