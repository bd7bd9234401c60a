//! The settings in effect, and where each comes from: what `volley config show` prints.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::base::config::{Setting, Source};
use crate::base::domain::OverridableSetting;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Query};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::{with_cursor, without_cursor};
use crate::http::api::web::frame::page;
use crate::http::pages::{Place, SettingChange, SettingRow, SettingSection, SettingsPage};
use crate::sending::throttle::is_over;
use crate::store::Override;

/// Settings of a page: sections are added until it has so many.
const SHOWN: usize = 250;

/// Which settings are shown.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct SettingsQuery {
    find: String,
    /// Only those that differ from the default.
    set: bool,
    #[serde(skip_serializing)]
    cursor: String,
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Query(query): Query<SettingsQuery>,
    session: Session,
    uri: Uri,
) -> Answer<Response> {
    let cursors = shared.cursors("setting-pages", &query).await?;
    let first: usize = cursors.position(&query.cursor)?.unwrap_or(0);
    let mut overrides = shared.store.overrides().await?;
    overrides.retain(|overridden| !is_over(&shared.config, overridden));
    let find = query.find.trim().to_lowercase();
    let chosen = shared.loaded.sections().map(|settings| chosen(settings, &find, query.set));
    let mut rest = chosen.filter(|settings| !settings.is_empty()).skip(first);
    let mut sections = Vec::new();
    let mut count = 0;
    let mut follows = false;
    for settings in rest.by_ref() {
        if count > 0 && count + settings.len() > SHOWN {
            follows = true;
            break;
        }
        count += settings.len();
        sections.push(section(&settings, &overrides));
    }
    let next = follows.then(|| cursors.write(&(first + sections.len()))).transpose()?;
    page(&SettingsPage {
        frame: session.frame(Place::Settings),
        file: shared.loaded.file.as_ref().map(|file| file.display().to_string()),
        changes: if find.is_empty() && first == 0 { changes(&overrides) } else { Vec::new() },
        sections,
        find: query.find.trim().to_owned(),
        set: query.set,
        is_later: first > 0,
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// The settings of a section that an operator looks for.
fn chosen<'a>(settings: &'a [Setting], find: &str, only_set: bool) -> Vec<&'a Setting> {
    let has = |text: &str| text.to_lowercase().contains(find);
    let is_found = |setting: &&Setting| {
        let in_value = setting.value.as_deref().is_some_and(|value| !setting.is_secret && has(value));
        has(&setting.section) || has(setting.key) || in_value
    };
    let is_wanted = |setting: &&Setting| !only_set || setting.source != Source::Default;
    settings.iter().filter(is_found).filter(is_wanted).collect()
}

fn section(settings: &[&Setting], overrides: &[Override]) -> SettingSection {
    let title = settings.first().map(|setting| setting.section.clone()).unwrap_or_default();
    let row = |setting: &&Setting| SettingRow {
        key: setting.key,
        value: setting.value.clone(),
        is_secret: setting.is_secret,
        source: (setting.source != Source::Default).then(|| setting.source.to_string()),
        line: setting.line,
        now: overrides.iter().find(|overridden| is_about(overridden, setting)).map(|known| known.value.clone()),
    };
    SettingSection { rows: settings.iter().map(row).collect(), title }
}

/// Whether an override changes this setting.
fn is_about(overridden: &Override, setting: &Setting) -> bool {
    let (section, key) = match overridden.setting {
        OverridableSetting::Rate => ("lane", "rate"),
        OverridableSetting::Burst => ("lane", "burst"),
        OverridableSetting::AccountRate => ("account", "rate"),
        // The tier of a portfolio is on each of its lanes.
        OverridableSetting::Tier => return false,
    };
    setting.key == key && setting.section.strip_prefix(section).is_some_and(|name| name.trim() == overridden.name)
}

/// What operators and the throttle have changed while the server runs.
fn changes(overrides: &[Override]) -> Vec<SettingChange> {
    let change = |overridden: &Override| SettingChange {
        what: format!("{} of {}", overridden.setting.what(), overridden.subject()),
        value: overridden.value.clone(),
        in_file: overridden.in_file.clone(),
        why: overridden.origin.after("set"),
        since: overridden.since,
    };
    overrides.iter().map(change).collect()
}
