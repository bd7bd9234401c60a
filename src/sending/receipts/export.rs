//! Exports messages from recipients as a table: a row for each, with a column for each kind of value.

use std::collections::HashMap;

use super::content::{
    ButtonView, CallPermissionView, ContentData, ContentView, FlowView, LocationView, MediaView, RowView, plain,
};
use super::view::ReplyViews;
use crate::base::domain::{Channel, Keyword};
use crate::store::{Cursor, Inbound, InboundOf, Result, Store};

/// Messages that one store call reads.
const PAGE: u32 = 2_000;
/// Fields of forms that get a column of their own. A sheet has 16,384 columns.
const FIELDS_MAX: usize = 1_000;
/// The column of the fields beyond those, as JSON.
const MORE: &str = "more answers";

/// The columns before those of the forms' fields.
const COLUMNS: [&str; 32] = [
    "umid",
    "received",
    "sent",
    "number",
    "channel user",
    "channel",
    "kind",
    "keyword",
    "campaign",
    "message",
    "step",
    "text",
    "url",
    "caption",
    "latitude",
    "longitude",
    "place",
    "address",
    "button",
    "button id",
    "payload",
    "list row",
    "list row id",
    "list row description",
    "call permission",
    "call permission until",
    "order",
    "order catalog",
    "order note",
    "order items",
    "flow token",
    "other",
];

/// An export whose columns are known: those of every message, and one for each field of a form.
#[derive(Debug)]
pub struct ReplyExport {
    of: InboundOf,
    /// The last message that it contains; later ones may have other fields.
    last: Cursor,
    fields: Vec<String>,
    /// The place of each of these fields.
    places: HashMap<String, usize>,
    /// Whether some fields have no column of their own.
    has_more: bool,
}

impl ReplyExport {
    /// Reads the names of the forms' fields, in the order in which they first came.
    pub async fn read(store: &dyn Store, of: InboundOf) -> Result<Self> {
        let mut export = Self { of, last: Cursor::START, fields: Vec::new(), places: HashMap::new(), has_more: false };
        loop {
            let page = store.inbound(export.of.clone(), export.last, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(export) };
            export.last = *last;
            for (_, inbound) in &page {
                let Some(ContentData::Flow(flow)) = data_of(inbound) else { continue };
                for (name, _) in flow.fields {
                    if export.places.contains_key(&name) {
                        continue;
                    }
                    if export.fields.len() < FIELDS_MAX {
                        export.places.insert(name.clone(), export.fields.len());
                        export.fields.push(name);
                    } else {
                        export.has_more = true;
                    }
                }
            }
        }
    }

    /// The names of the columns; a field of a form is `answer.` and its name.
    pub fn names(&self) -> Vec<String> {
        let fields = self.fields.iter().map(|name| format!("answer.{name}"));
        let more = self.has_more.then(|| MORE.to_owned());
        COLUMNS.map(str::to_owned).into_iter().chain(fields).chain(more).collect()
    }

    /// Passes every message to `row`, in order of arrival. Stops at the first row for which it returns an error.
    pub async fn rows<E>(
        &self,
        store: &dyn Store,
        unmasked: bool,
        mut row: impl FnMut(Vec<String>) -> std::result::Result<(), E>,
    ) -> Result<std::result::Result<u64, E>> {
        let (mut after, mut count) = (Cursor::START, 0);
        let mut views = ReplyViews::new(store, unmasked);
        while after != self.last {
            let page = store.inbound(self.of.clone(), after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (position, inbound) in &page {
                let cells = self.cells(&mut views, inbound).await?;
                if let Err(error) = row(cells) {
                    return Ok(Err(error));
                }
                count += 1;
                if *position == self.last {
                    return Ok(Ok(count));
                }
            }
        }
        Ok(Ok(count))
    }

    async fn cells(&self, views: &mut ReplyViews<'_>, inbound: &Inbound) -> Result<Vec<String>> {
        let shown = views.of(inbound).await?;
        let mut cells = vec![
            shown.umid.to_owned(),
            shown.received_at,
            shown.written_at,
            shown.msisdn.unwrap_or_default(),
            shown.channel_user.unwrap_or_default(),
            shown.channel.map(Channel::as_str).unwrap_or_default().to_owned(),
            shown.kind.to_owned(),
            shown.keyword.map(Keyword::as_str).unwrap_or_default().to_owned(),
            shown.campaign.unwrap_or_default(),
            shown.message.unwrap_or_default(),
            shown.step.map(|step| step.to_string()).unwrap_or_default(),
        ];
        let mut values = Values::default();
        match shown.data {
            None => values.text = shown.text.unwrap_or_default(),
            Some(data) => values.add(data),
        }
        cells.extend(values.cells());
        let first = cells.len();
        cells.resize(first + self.fields.len(), String::new());
        let mut more = serde_json::Map::new();
        for (name, value) in values.fields {
            match self.places.get(&name).and_then(|place| cells.get_mut(first + place)) {
                Some(cell) => *cell = plain(&value),
                None => drop(more.insert(name, value)),
            }
        }
        if self.has_more {
            cells.push(if more.is_empty() { String::new() } else { serde_json::Value::Object(more).to_string() });
        }
        Ok(cells)
    }
}

fn data_of(inbound: &Inbound) -> Option<ContentData> {
    ContentView::of(&inbound.raw)?.data
}

/// The cells of a content, one for each kind of value.
#[derive(Debug, Default)]
struct Values {
    text: String,
    media: [String; 2],
    location: [String; 4],
    button: [String; 3],
    row: [String; 3],
    call: [String; 2],
    order: [String; 4],
    token: String,
    other: String,
    fields: Vec<(String, serde_json::Value)>,
}

impl Values {
    fn add(&mut self, data: ContentData) {
        let text = Option::unwrap_or_default;
        match data {
            ContentData::Media(MediaView { url, caption }) => self.media = [url, text(caption)],
            ContentData::Location(LocationView { latitude_deg, longitude_deg, name, address }) => {
                self.location = [latitude_deg.to_string(), longitude_deg.to_string(), text(name), text(address)];
            }
            ContentData::Button(ButtonView { id, title, payload }) => {
                self.button = [text(title), text(id), text(payload)];
            }
            ContentData::Row(RowView { id, title, description }) => {
                self.row = [text(title), text(id), text(description)];
            }
            ContentData::Flow(FlowView { token, fields, body, .. }) => {
                (self.token, self.text, self.fields) = (text(token), text(body), fields);
            }
            ContentData::CallPermission(CallPermissionView { response, expires_at, .. }) => {
                self.call = [text(response), expires_at.map(|at| at.rfc3339()).unwrap_or_default()];
            }
            ContentData::Order(order) => {
                // Plain structs are always JSON.
                let items = serde_json::to_string(&order.items).unwrap_or_default();
                self.order = [order.items_on_line(), text(order.catalog_id), text(order.note), items];
            }
            ContentData::Content(raw) => raw.get().clone_into(&mut self.other),
        }
    }

    /// In the order of [`COLUMNS`].
    fn cells(&mut self) -> Vec<String> {
        let Self { text, media, location, button, row, call, order, token, other, fields: _ } = self;
        let mut cells = vec![std::mem::take(text)];
        for group in [&mut media[..], location, button, row, call, order] {
            cells.extend(group.iter_mut().map(std::mem::take));
        }
        cells.extend([std::mem::take(token), std::mem::take(other)]);
        cells
    }
}
