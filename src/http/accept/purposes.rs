//! What the provider's templates are for, by their categories: calls of a key that does not say it go by their template.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::domain::{Category, Purpose, Span, Timestamp};
use crate::rules::wire::Content;
use crate::store::{FetchedTemplates, Result, Store};

/// How long a list is used before the stored one is read again.
const FRESH: Span = Span::from_secs(60);

/// What each template is for, by name and language.
#[derive(Debug, Default)]
pub(super) struct Purposes(HashMap<String, HashMap<String, Purpose>>);

impl Purposes {
    fn of(all: &[FetchedTemplates]) -> Self {
        let mut known = HashMap::<String, HashMap<String, Purpose>>::new();
        for template in all.iter().flat_map(|fetched| &fetched.templates) {
            let purpose = template.category.parse().map_or(Purpose::Marketing, Category::purpose);
            let of_name = known.entry(template.name.clone()).or_default();
            // Two senders may have a template of this name. An opt-out counts if it counts for one of them.
            let is_first = !of_name.contains_key(&template.language);
            let of_language = of_name.entry(template.language.clone()).or_insert(purpose);
            if !is_first && purpose == Purpose::Marketing {
                *of_language = purpose;
            }
        }
        Self(known)
    }

    /// What a message is for: what the category of its template says, else marketing.
    pub(super) fn of_content(&self, content: &Content<'_>) -> Purpose {
        let of_template = || {
            let template = content.template.as_ref()?;
            self.0.get(&*template.name)?.get(&*template.language).copied()
        };
        of_template().unwrap_or(Purpose::Marketing)
    }
}

/// The latest list, and when it was read.
#[derive(Debug, Default)]
pub(super) struct KnownPurposes(Mutex<Option<(Timestamp, Arc<Purposes>)>>);

impl KnownPurposes {
    pub(super) async fn get(&self, store: &dyn Store, now: Timestamp) -> Result<Arc<Purposes>> {
        if let Some((read, known)) = &*self.0.lock()
            && now.since(*read) < FRESH
        {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(Purposes::of(&store.templates(None).await?));
        *self.0.lock() = Some((now, Arc::clone(&known)));
        Ok(known)
    }
}
