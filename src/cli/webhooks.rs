//! `volley doctor --register-webhooks` and `--remove-webhooks`: tells the provider where to post its webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};
use url::Url;

use super::exit::Usage;
use super::out;
use super::words::{list, plural};
use super::{CommandContext, Exit};
use crate::base::config::{Config, Lane, reachable_by_all};
use crate::base::domain::{Channel, Reachable};
use crate::provider::client::Http;
use crate::rules::wire::{ACCOUNT_EVENTS, WebhookScope, WebhookSetting};

/// What is to be done with the webhooks of the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The provider posts to this installation.
    Register,
    /// The provider no longer posts to this installation.
    Remove,
}

/// An account at the provider, with the subaccounts that this installation sends from.
struct Account<'a> {
    id: &'a str,
    /// The lane whose key is used.
    lane: &'a Lane,
    sub_accounts: BTreeSet<&'a str>,
    has_whatsapp: bool,
}

/// Shows the webhooks of each account before, asks, and changes them.
pub(super) async fn run(context: &CommandContext, change: Change, yes: bool) -> anyhow::Result<Exit> {
    let config = &context.config;
    let url = address(config)?;
    let accounts = accounts(config)?;
    let authorization = match change {
        Change::Register => Some(authorization(config)?),
        Change::Remove => None,
    };
    for account in &accounts {
        let address = &account.lane.provider.base_url;
        let http = Http::new(&account.lane.name, &account.lane.provider)?;
        let asking = || format!("the webhooks of account {} at {address} cannot be read", account.id);
        let before = http.webhooks(account.id).await.with_context(asking)?;
        out::data(format_args!(
            "Account {} at {address}: {}",
            account.id,
            plural(before.len() as u64, "webhook", "webhooks")
        ))?;
        out::lines(before.iter().map(|setting| format!("  now:  {}", line(setting))))?;
        let changing = || format!("the webhooks of account {} at {address} were not changed", account.id);
        match &authorization {
            Some(authorization) => {
                let wanted = wanted(account, &url, authorization);
                out::lines(wanted.iter().map(|setting| format!("  then: {}", line(setting))))?;
                if !confirmed("Set these webhooks?", yes).await? {
                    return declined();
                }
                http.set_webhooks(account.id, &wanted).await.with_context(changing)?;
                out::data(format_args!("Account {}: the provider posts its webhooks to {url}", account.id))?;
            }
            None => {
                let ours = ours(&before, &url);
                if ours.is_empty() {
                    out::data(format_args!("Account {}: no webhook is posted to {url}", account.id))?;
                    continue;
                }
                if !confirmed(
                    &format!("Delete the {} to {url}?", plural(ours.len() as u64, "webhook", "webhooks")),
                    yes,
                )
                .await?
                {
                    return declined();
                }
                http.delete_webhooks(account.id, &ours).await.with_context(changing)?;
                out::data(format_args!("Account {}: the provider posts no webhook to {url} any more", account.id))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn declined() -> anyhow::Result<Exit> {
    out::talk("Nothing was changed.");
    Ok(Exit::Failed)
}

/// Where the provider is to post. It must reach that address.
fn address(config: &Config) -> anyhow::Result<String> {
    let public_url = &config.server.public_url;
    let is_practice = reachable_by_all(config.lanes.iter()) == Reachable::Any;
    let is_https = Url::parse(public_url).is_ok_and(|url| url.scheme() == "https");
    if !is_https && !is_practice {
        bail!(
            "the provider cannot post to {public_url}; set public_url under [server] to the https:// address at which it \
             reaches this server"
        );
    }
    Ok(format!("{public_url}/webhooks/8x8"))
}

/// What the provider is to send with each webhook.
fn authorization(config: &Config) -> anyhow::Result<String> {
    let valid = config.provider.webhook_authorization.as_ref().map(crate::base::config::Credential::valid);
    // While it is rotated, the new one is the last.
    let newest = valid.as_ref().and_then(|valid| valid.iter().last());
    let Some(secret) = newest else {
        let set =
            "set webhook_authorization_file under [provider], with a line such as `Bearer` and a long random text";
        if config.provider.webhook_secret.is_some() {
            bail!(
                "the provider's API registers webhooks with an Authorization header alone, and webhook_authorization is not \
                 set; {set}; or register the webhook with its signing key in the provider's portal"
            );
        }
        bail!("webhook_authorization is not set, so anyone could post webhooks; {set}");
    };
    Ok(secret.expose().to_owned())
}

/// The accounts of all lanes.
fn accounts(config: &Config) -> anyhow::Result<Vec<Account<'_>>> {
    let without: Vec<&str> =
        config.lanes.iter().filter(|lane| lane.provider.account_id.is_none()).map(|lane| lane.name.as_str()).collect();
    if !without.is_empty() || config.lanes.is_empty() {
        let whose = if without.is_empty() { "no lane".to_owned() } else { list(&without) };
        bail!("the account of {whose} is unknown; set account_id under [provider] to the account's id at the provider");
    }
    let mut found: BTreeMap<(&str, &str), Account<'_>> = BTreeMap::new();
    for lane in &config.lanes {
        let Some(id) = lane.provider.account_id.as_deref() else { continue };
        let key = (lane.provider.base_url.as_str(), id);
        let account = found.entry(key).or_insert_with(|| Account {
            id,
            lane,
            sub_accounts: BTreeSet::new(),
            has_whatsapp: false,
        });
        account.sub_accounts.insert(&lane.provider.sub_account);
        account.has_whatsapp |= lane.channel == Channel::WhatsApp;
    }
    Ok(found.into_values().collect())
}

/// The webhooks that an account needs: receipts and inbound messages of our subaccounts alone, because others may belong to
/// other programs; and the account's own events, which have no subaccount.
fn wanted(account: &Account<'_>, url: &str, authorization: &str) -> Vec<WebhookSetting> {
    let setting = |sub_account: &str, kind: Option<&str>| WebhookSetting {
        sub_account_id: sub_account.to_owned(),
        url: url.to_owned(),
        kind: kind.map(str::to_owned),
        enabled: Some(true),
        http_authorization: Some(authorization.to_owned()),
    };
    let mut wanted: Vec<_> = account.sub_accounts.iter().map(|sub_account| setting(sub_account, None)).collect();
    wanted.extend(account.has_whatsapp.then(|| setting("*", Some(ACCOUNT_EVENTS))));
    wanted
}

/// The webhooks that are posted to this installation.
fn ours(settings: &[WebhookSetting], url: &str) -> Vec<WebhookScope> {
    let ours = settings.iter().filter(|setting| setting.url == url);
    ours.map(|setting| WebhookScope { sub_account_id: setting.sub_account_id.clone(), kind: setting.kind.clone() })
        .collect()
}

/// A webhook in words, without its secret.
fn line(setting: &WebhookSetting) -> String {
    let of = match setting.sub_account_id.as_str() {
        "*" => "all subaccounts".to_owned(),
        name => format!("subaccount {name}"),
    };
    let kind = match setting.kind.as_deref() {
        None => "receipts and inbound messages",
        Some("CADR") => "receipts",
        Some("MSG") => "inbound messages",
        Some(ACCOUNT_EVENTS) => "account events",
        Some(other) => other,
    };
    let proof = if setting.http_authorization.is_some() { "with an Authorization" } else { "without an Authorization" };
    let off = if setting.enabled == Some(false) { ", disabled" } else { "" };
    format!("{kind} of {of} to {} ({proof}{off})", setting.url)
}

/// Asks on the terminal, unless the answer was given with the command.
async fn confirmed(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        let sentence = "this command asks before it changes anything; add --yes to answer without a terminal";
        return Err(Usage(sentence.to_owned()).into());
    }
    out::talk(format_args!("{question} [y/N]"));
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    Ok(matches!(answer.await??.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "[server]\npublic_url = \"https://volley.example\"\n\
             [provider]\nsub_account = \"acme\"\napi_key = \"k\"\n{more}\n\
             [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\n\
             [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsub_account = \"acme-sms\"\n"
        );
        let file = std::path::Path::new("volley.toml");
        let none = std::iter::empty::<(&str, String)>();
        Config::read(Some((file, &text)), std::iter::empty(), none).unwrap().config
    }

    #[test]
    fn each_subaccount_gets_its_webhook_and_the_account_its_events() {
        let config = config("account_id = \"a1\"");
        let accounts = accounts(&config).unwrap();
        let [account] = &accounts[..] else { panic!("{}", accounts.len()) };
        let wanted = wanted(account, &address(&config).unwrap(), "Bearer s3cret");
        let lines: Vec<String> = wanted.iter().map(line).collect();
        let to = "to https://volley.example/webhooks/8x8 (with an Authorization)";
        assert_eq!(
            lines,
            [
                format!("receipts and inbound messages of subaccount acme {to}"),
                format!("receipts and inbound messages of subaccount acme-sms {to}"),
                format!("account events of all subaccounts {to}"),
            ]
        );
        assert!(wanted.iter().all(|setting| setting.http_authorization.as_deref() == Some("Bearer s3cret")));
    }

    #[test]
    fn only_webhooks_to_this_installation_are_removed() {
        let setting = |sub_account: &str, url: &str| WebhookSetting {
            sub_account_id: sub_account.to_owned(),
            url: url.to_owned(),
            ..WebhookSetting::default()
        };
        let url = "https://volley.example/webhooks/8x8";
        let settings = [setting("acme", url), setting("*", "https://crm.example/8x8")];
        assert_eq!(ours(&settings, url), [WebhookScope { sub_account_id: "acme".to_owned(), kind: None }]);
    }

    #[test]
    fn a_signing_key_alone_is_registered_in_the_portal() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("hook.key");
        std::fs::write(&key, "s3cret").unwrap();
        let config = config(&format!("webhook_secret_file = {:?}", key.to_str().unwrap()));
        let said = authorization(&config).unwrap_err().to_string();
        assert!(!said.contains("anyone could post") && !said.contains("s3cret"), "{said}");
        assert!(
            said.contains("an Authorization header alone") && said.contains("set webhook_authorization_file"),
            "{said}"
        );
        assert!(said.ends_with("or register the webhook with its signing key in the provider's portal"), "{said}");
    }

    #[test]
    fn what_is_missing_for_webhooks_is_named() {
        let said = |error: anyhow::Error| error.to_string();
        let config_without = config("");
        assert!(said(accounts(&config_without).err().unwrap()).contains("the account of wa and sms is unknown"));
        let open = said(authorization(&config_without).unwrap_err());
        assert!(open.contains("anyone could post") && open.contains("set webhook_authorization_file"), "{open}");
        let mut local = config("");
        local.server.public_url = "http://127.0.0.1:8688".to_owned();
        assert!(said(address(&local).unwrap_err()).contains("set public_url under [server]"));
        for lane in &mut local.lanes {
            lane.provider.base_url = "http://127.0.0.1:8690".to_owned();
        }
        assert_eq!(address(&local).unwrap(), "http://127.0.0.1:8688/webhooks/8x8");
    }
}
