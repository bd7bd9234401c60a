//! `volley.toml`, checked.
//!
//! In: the configuration file, `VOLLEY_…` variables, and flags. Out: a complete [`Config`], in which each lane has the
//! provider's defaults; the source of each value for `config show` ([`Loaded::settings`]); and steps as they are written
//! here and in campaign files ([`DraftStep`]), both read by [`Table`].
//! Promises: default < file < environment < flag. An unknown name is refused with the nearest known one, an invalid value
//! with a sentence that says what, where and what to do. A secret never prints.
//! May not: use any room but `domain`; open databases or sockets; read files other than `volley.toml` and the secrets
//! and certificates that it names.

mod changes;
mod confirmation;
mod credential;
mod error;
mod file_mode;
mod hosts;
mod keys;
mod keywords;
mod lanes;
mod layers;
mod lines;
mod network;
mod outgoing;
mod provider;
mod quality;
mod reach;
mod read;
mod receiver;
mod route;
mod secret;
mod sentence;
mod server;
mod syntax;
mod tls;

use std::path::{Path, PathBuf};

use crate::base::domain::{Channel, Plan, Span, Step, Tier, WishSenders, hint};

pub use confirmation::Confirmation;
pub use credential::{Credential, Invalid, SecretFile, Valid, key_in};
pub use error::{At, Error, UnknownLane};
pub use keywords::Keywords;
pub use lanes::{Account, IN_APP_RATE, Lane};
pub use layers::Source;
pub use network::{Network, ProxyUrl, TrustedRoots};
pub use outgoing::{Alert, AlertTarget, Outgoing};
pub use provider::{LaneProvider, Provider, SendMode};
pub use quality::{GuardAction, QualityGuard};
pub use reach::{is_private, is_private_host, reachable_by_all};
pub use read::Setting;
pub use receiver::{Unsendable, check_receiver};
pub use route::{
    DraftStep, Most, NotBuilt, Problem, Route, Table, Wanted, countries_named, steps, stretches, text_problem, to_json,
};
pub use secret::Secret;
pub use sentence::{NamedKey, Sentence};
pub use server::{Database, Server};
pub use syntax::{NotToml, parse_toml};
pub use tls::{InvalidTls, TlsFiles, TlsIdentity};

use layers::Layers;
use lines::Lines;
use read::Reader;

/// The default path of the file.
pub const DEFAULT_PATH: &str = "volley.toml";

/// The whole configuration of an installation.
#[derive(Debug, Clone)]
pub struct Config {
    pub database: Database,
    pub server: Server,
    pub provider: Provider,
    /// In the order of the file.
    pub lanes: Vec<Lane>,
    /// Every account that a lane belongs to, also those without an `[[account]]`.
    pub accounts: Vec<Account>,
    /// Steps that campaigns share.
    pub routes: Vec<Route>,
    /// The installation's own keywords for opting out and in.
    pub opt_out: Keywords,
    /// The price list.
    pub prices: Option<PathBuf>,
    /// How long a settled campaign is kept; `None` means forever.
    pub retention: Option<Span>,
    /// How long an entry of the audit log is kept; `None` means forever.
    pub audit_retention: Option<Span>,
    /// A campaign with more recipients is started by another operator than its author; `None` means by any.
    pub approval_above: Option<u32>,
    /// Where webhooks may go.
    pub outgoing: Outgoing,
    /// In the order of the file.
    pub alerts: Vec<Alert>,
}

/// A configuration with its sources.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Every key with its value and the source of it, section by section.
    pub settings: Vec<Setting>,
    /// Settings that are allowed but probably mistakes, one sentence each.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// A configuration that was made and not read, so that its values have no sources.
    pub const fn without_sources(config: Config) -> Self {
        Self { config, file: None, settings: Vec::new(), warnings: Vec::new() }
    }

    /// The address at which others reach the server, if it was set: the assumed one may have another port.
    pub fn configured_public_url(&self) -> Option<&str> {
        let is_it = |setting: &&Setting| (setting.section.as_str(), setting.key) == ("server", "public_url");
        let is_set = self.settings.iter().find(is_it).is_some_and(|setting| setting.source != Source::Default);
        is_set.then(|| self.config.server.public_url.trim_end_matches('/'))
    }

    /// The settings of each section, in the order of the configuration.
    pub fn sections(&self) -> impl Iterator<Item = &[Setting]> {
        self.settings.chunk_by(|one, next| one.section == next.section)
    }
}

/// Reads `[prices]`: the path of the price list.
fn prices(reader: &mut Reader<'_>) -> Result<Option<PathBuf>, Error> {
    Ok(reader.text("file")?.map(|path| reader.resolve("file", &path)))
}

/// The shortest retention. Windows of up to 72 hours, tier slots and questions to the provider need younger data.
pub const SHORTEST_RETENTION: Span = Span::from_secs(4 * 86_400);

/// The shortest retention of the audit log, which the database holds too.
pub const SHORTEST_AUDIT_RETENTION: Span = Span::from_secs(30 * 86_400);

/// Reads one key of `[retention]`.
fn retention(reader: &mut Reader<'_>, key: &'static str, shortest: Span) -> Result<Option<Span>, Error> {
    let Some(after) = reader.parsed::<Span>(key)? else { return Ok(None) };
    if after < shortest {
        let problem = format!("{after} is too short, because purged data cannot be restored; use {shortest} or more");
        return Err(reader.wrong(key, problem));
    }
    Ok(Some(after))
}

/// Reads `[campaigns]`: the most recipients of a campaign that needs no second operator.
fn approval_above(reader: &mut Reader<'_>) -> Result<Option<u32>, Error> {
    let Some(text) = reader.text("approval_above")? else { return Ok(None) };
    let number = text.parse().map(Some);
    number.map_err(|_| {
        let problem = format!("invalid number \"{text}\"; use a whole number, such as 10000");
        reader.wrong("approval_above", problem)
    })
}

impl Config {
    /// Reads the file at `path`, else at `VOLLEY_CONFIG`, else `volley.toml` in the current folder. Only the
    /// last may be missing.
    pub fn load(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Loaded, Error> {
        Self::load_with(path, env, std::iter::empty::<(&str, String)>())
    }

    /// The same with flags, such as `("server.listen", "127.0.0.1:9000")`.
    pub fn load_with<'a>(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Loaded, Error> {
        let mut env: Vec<(String, String)> = env.filter(|(variable, _)| variable.starts_with("VOLLEY_")).collect();
        let named = env.iter().position(|(variable, _)| variable == "VOLLEY_CONFIG").map(|at| env.swap_remove(at).1);
        let named = path.map(Path::to_owned).or(named.filter(|path| !path.is_empty()).map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => None,
            Err(source) => return Err(Error::Read { path, source }),
        };
        Self::read(text.as_deref().map(|text| (path.as_path(), text)), env.into_iter(), flags)
    }

    /// The same from a text. `path` names the file in errors, and relative paths in it start from there.
    pub fn read<'a>(
        file: Option<(&Path, &str)>,
        env: impl Iterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Loaded, Error> {
        let mut layers = Layers::default();
        if let Some((path, text)) = file {
            layers.add_file(path, text)?;
        }
        layers.add_environment(env)?;
        for (dotted, text) in flags {
            layers.add_flag(dotted, text)?;
        }

        let mut settings = Vec::new();
        let database = Database::read(&mut Reader::new(layers.plain(&keys::DATABASE), &mut settings))?;
        let server = Server::read(&mut Reader::new(layers.plain(&keys::SERVER), &mut settings))?;
        let provider = Provider::read(&mut Reader::new(layers.plain(&keys::PROVIDER), &mut settings))?;
        let opt_out = Keywords::read(&mut Reader::new(layers.plain(&keys::OPT_OUT), &mut settings), &provider)?;
        let prices = prices(&mut Reader::new(layers.plain(&keys::PRICES), &mut settings))?;
        let mut kept = Reader::new(layers.plain(&keys::RETENTION), &mut settings);
        let campaigns_kept = retention(&mut kept, "after", SHORTEST_RETENTION)?;
        let audit_retention = retention(&mut kept, "audit_log", SHORTEST_AUDIT_RETENTION)?;
        let approval_above = approval_above(&mut Reader::new(layers.plain(&keys::CAMPAIGNS), &mut settings))?;
        let quality = QualityGuard::read(&mut Reader::new(layers.plain(&keys::QUALITY), &mut settings))?;
        let outgoing = Outgoing::read(&mut Reader::new(layers.plain(&keys::OUTGOING), &mut settings))?;
        let alerts = outgoing::alerts(&layers, &mut settings)?;
        let found = lanes::read(&layers, &provider, quality, &mut settings)?;
        let routes = route::read(layers.routes(), provider.sub_account.as_deref(), &found.lanes, &mut settings)?;
        if let Some((_, text)) = file {
            Lines::of(text).note(&mut settings);
        }
        let mut warnings = found.warnings;
        warnings.extend(server.warning());
        warnings.extend(provider::placeholders(&provider, &found.lanes));
        let config = Self {
            database,
            server,
            provider,
            lanes: found.lanes,
            accounts: found.accounts,
            routes,
            opt_out,
            prices,
            retention: campaigns_kept,
            audit_retention,
            approval_above,
            outgoing,
            alerts,
        };
        Ok(Loaded { config, file: file.map(|(path, _)| path.to_owned()), settings, warnings })
    }

    /// Whether a lane sends on a channel for a subaccount; any subaccount will do if none is named.
    pub fn has_sender(&self, senders: &WishSenders) -> bool {
        let sends_for = |name: &String| self.lanes_on(senders.channel).any(|lane| lane.provider.sub_account == *name);
        senders.sub_account.as_ref().is_none_or(sends_for)
    }

    pub fn lane(&self, name: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.name == name)
    }

    /// Finds a lane by its name. The error suggests the nearest name.
    pub fn named_lane(&self, name: &str) -> Result<&Lane, UnknownLane> {
        self.lane(name).ok_or_else(|| {
            let names: Vec<&str> = self.lanes.iter().map(|lane| lane.name.as_str()).collect();
            let hint = (!names.is_empty()).then(|| hint(name, names));
            UnknownLane { name: name.to_owned(), hint }
        })
    }

    /// The lanes of a step that are still configured.
    pub fn lanes_of<'a, 's>(&'a self, step: &'s Step) -> impl Iterator<Item = &'a Lane> + use<'a, 's> {
        step.lanes.names().filter_map(|name| self.lane(name))
    }

    /// The number of messages that the lanes of a route may submit in a second. Lanes of an account share its rate.
    pub fn allowed_per_s(&self, plan: &Plan) -> f64 {
        let mut lanes: Vec<&Lane> = plan.steps.iter().flat_map(|step| self.lanes_of(step)).collect();
        lanes.sort_by(|a, b| (&a.account, &a.name).cmp(&(&b.account, &b.name)));
        lanes.dedup_by(|a, b| a.name == b.name);
        let account_rate = |lanes: &[&Lane]| {
            let own: f64 = lanes.iter().map(|lane| lane.rate.each_second()).sum();
            let account = lanes.first().and_then(|lane| self.account(&lane.account)?.rate);
            account.map_or(own, |rate| rate.each_second().min(own))
        };
        lanes.chunk_by(|a, b| a.account == b.account).map(account_rate).sum()
    }

    pub fn lanes_on(&self, channel: Channel) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(move |lane| lane.channel == channel)
    }

    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// Each portfolio with its tier, by name. Only WhatsApp has tiers.
    pub fn portfolios(&self) -> impl Iterator<Item = (&str, Tier)> {
        let counted = self.lanes.iter().filter_map(|lane| Some((lane.tiered()?, lane.tier)));
        counted.collect::<std::collections::BTreeMap<_, _>>().into_iter()
    }

    /// The credentials of files, which a server reads again, each once.
    pub fn credentials_in_files(&self) -> Vec<Credential> {
        let provider = &self.provider;
        let of_provider = [&provider.api_key, &provider.webhook_authorization, &provider.webhook_secret];
        let all = of_provider.into_iter().chain(self.lanes.iter().map(|lane| &lane.provider.api_key)).flatten();
        let mut found: Vec<Credential> = Vec::new();
        for credential in all.filter(|credential| credential.file().is_some()) {
            if !found.iter().any(|one| one.is(credential)) {
                found.push(credential.clone());
            }
        }
        found
    }

    /// Checks what only a server needs: a webhook secret unless it listens on loopback, a key on every lane, and its
    /// certificate.
    pub fn check_serve(&self) -> Result<(), Error> {
        let listen = self.server.listen;
        let proven = self.provider.webhook_authorization.is_some() || self.provider.webhook_secret.is_some();
        if !proven && !listen.ip().is_loopback() {
            return Err(Error::Unproven { listen });
        }
        match self.lanes.iter().find(|lane| lane.provider.api_key.is_none()) {
            Some(lane) => Err(Error::NoKey { lane: lane.name.clone() }),
            None => Ok(()),
        }?;
        self.server.tls.as_ref().map_or(Ok(()), |files| Ok(files.load().map(drop)?))
    }
}

#[cfg(test)]
mod tests;
