//! Stores who gets the webhooks that Volley sends.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::batches::bump;
use super::facts::nonsense;
use super::rows::{from_json, maybe_json, maybe_timestamp, small, timestamp, to_json};
use super::{Work, deliveries, nodes};
use crate::base::domain::Timestamp;
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::store::{
    NewSubscription, Receiver, SigningSecret, Subscription, SubscriptionChange, SubscriptionId, WebhookFormat,
};

pub(super) async fn create(
    connection: &mut SqliteConnection,
    new: NewSubscription,
    origin: Origin,
    now: Timestamp,
) -> Work<Option<Subscription>> {
    let secrets = vec![SigningSecret { secret: new.secret, until: None }];
    let row = sqlx::query(
        "INSERT INTO subscription
             (name, url, format, types, sub_account, authorization, secrets, created_at, enabled_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT DO NOTHING RETURNING *",
    )
    .bind(&new.name)
    .bind(&new.url)
    .bind(new.format as i64)
    .bind(to_json(&new.types))
    .bind(&new.sub_account)
    .bind(&new.authorization)
    .bind(to_json(&secrets))
    .bind(now.millis())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let created = subscription(&row)?;
    decided(connection, &created.name, origin, EventKind::SubscriptionCreated, now).await?;
    Ok(Some(created))
}

pub(super) async fn all(connection: &mut SqliteConnection) -> Work<Vec<Subscription>> {
    let rows = sqlx::query("SELECT * FROM subscription ORDER BY name").fetch_all(connection).await?;
    rows.iter().map(subscription).collect()
}

fn subscription(row: &SqliteRow) -> Work<Subscription> {
    let format: u8 = small(row, "format")?;
    let disabled: Option<Origin> = maybe_json(row, "disabled")?;
    Ok(Subscription {
        id: SubscriptionId(row.try_get("id")?),
        name: row.try_get("name")?,
        url: row.try_get("url")?,
        format: match format {
            0 => WebhookFormat::Volley,
            1 => WebhookFormat::Provider,
            _ => return Err(nonsense("subscription.format").into()),
        },
        types: from_json(row, "types")?,
        sub_account: row.try_get("sub_account")?,
        authorization: row.try_get("authorization")?,
        secrets: from_json(row, "secrets")?,
        created_at: timestamp(row, "created_at")?,
        enabled_at: timestamp(row, "enabled_at")?,
        disabled: maybe_timestamp(row, "disabled_at")?.zip(disabled),
    })
}

/// Whether an enabled subscription wants changes of messages. One for the provider's webhooks wants only those of calls of
/// the API, which are always observed.
pub(super) async fn observes_messages(connection: &mut SqliteConnection) -> Work<bool> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM subscription, json_each(types) wanted
         WHERE disabled IS NULL AND format = 0 AND (wanted.value = '*' OR wanted.value LIKE 'message.%')) AS observes",
    )
    .fetch_one(connection)
    .await?;
    Ok(row.try_get("observes")?)
}

pub(super) async fn change(
    connection: &mut SqliteConnection,
    id: SubscriptionId,
    change: SubscriptionChange,
    origin: Origin,
    now: Timestamp,
) -> Work<bool> {
    let row = sqlx::query("SELECT * FROM subscription WHERE id = ?1").bind(id.0);
    let Some(row) = row.fetch_optional(&mut *connection).await? else { return Ok(false) };
    let before = subscription(&row)?;
    let kind = match change {
        SubscriptionChange::Enable if before.is_enabled() => return Ok(false),
        SubscriptionChange::Disable if !before.is_enabled() => return Ok(false),
        SubscriptionChange::Enable => {
            enable(connection, id, now).await?;
            // A day of failures before the pause must not disable it again at once.
            deliveries::begin_again(connection, &Receiver::Subscription(id), now).await?;
            EventKind::SubscriptionEnabled
        }
        SubscriptionChange::Disable => {
            disable(connection, id, &origin, now).await?;
            EventKind::SubscriptionDisabled
        }
        SubscriptionChange::Rotate { secret, overlap } => {
            let former_until = now + overlap;
            keep_secret(connection, &before, secret, former_until, now).await?;
            EventKind::SecretRotated { former_until }
        }
        SubscriptionChange::Remove => {
            sqlx::query("DELETE FROM subscription WHERE id = ?1").bind(id.0).execute(&mut *connection).await?;
            EventKind::SubscriptionRemoved
        }
    };
    decided(connection, &before.name, origin, kind, now).await?;
    Ok(true)
}

async fn enable(connection: &mut SqliteConnection, id: SubscriptionId, now: Timestamp) -> Work<()> {
    sqlx::query("UPDATE subscription SET disabled = NULL, disabled_at = NULL, enabled_at = ?2 WHERE id = ?1")
        .bind(id.0)
        .bind(now.millis())
        .execute(connection)
        .await?;
    Ok(())
}

async fn disable(connection: &mut SqliteConnection, id: SubscriptionId, origin: &Origin, now: Timestamp) -> Work<()> {
    sqlx::query("UPDATE subscription SET disabled = ?2, disabled_at = ?3 WHERE id = ?1")
        .bind(id.0)
        .bind(to_json(origin))
        .bind(now.millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts a new secret before the others. The former one ends after the overlap; an earlier one ends now, so no more than two
/// are valid.
async fn keep_secret(
    connection: &mut SqliteConnection,
    before: &Subscription,
    secret: String,
    former_until: Timestamp,
    now: Timestamp,
) -> Work<()> {
    let former = before.secrets.iter().find(|known| known.is_active(now)).cloned();
    let former = former.map(|known| SigningSecret {
        until: Some(known.until.map_or(former_until.millis(), |until| until.min(former_until.millis()))),
        ..known
    });
    let secrets: Vec<SigningSecret> = std::iter::once(SigningSecret { secret, until: None }).chain(former).collect();
    let query = sqlx::query("UPDATE subscription SET secrets = ?2 WHERE id = ?1").bind(before.id.0);
    query.bind(to_json(&secrets)).execute(connection).await?;
    Ok(())
}

/// Records the event of a decision, and makes the servers look.
async fn decided(
    connection: &mut SqliteConnection,
    name: &str,
    origin: Origin,
    kind: EventKind,
    now: Timestamp,
) -> Work<()> {
    let event = Event { at: now, subject: Subject::subscription(name), origin, kind };
    nodes::record_event(connection, event).await?;
    bump(connection).await?;
    Ok(())
}
