//! Reads the addresses of a stored audience.

use crate::base::domain::{Address, AudienceId};
use crate::store::{self, Audience, Audiences};

/// Recipients per page when an audience is read.
const PAGE: u32 = 20_000;

/// Reads addresses of an audience in order, from recipient `from` on; `None` for erased recipients.
pub async fn addresses(
    store: &dyn Audiences,
    audience: AudienceId,
    from: u32,
    limit: u32,
) -> store::Result<Vec<Option<Address>>> {
    let keys = store.address_keys(audience, from, limit).await?;
    if keys.iter().any(|key| key.is_user()) {
        let recipients = store.recipients(audience, from, limit).await?;
        return Ok(recipients.into_iter().map(|recipient| recipient.address).collect());
    }
    Ok(keys.into_iter().map(|key| key.number().map(Address::Number)).collect())
}

/// Calls `each_page` with the addresses of an audience, page by page, each with its recipient's index in its part.
pub async fn each_address(
    store: &dyn Audiences,
    audience: &Audience,
    mut each_page: impl FnMut(Vec<(u32, Address)>),
) -> store::Result<()> {
    for part in &audience.parts {
        let mut from = 0;
        loop {
            let page = addresses(store, part.id, from, PAGE).await?;
            if page.is_empty() {
                break;
            }
            each_page((from..).zip(page).filter_map(|(n, address)| Some((n, address?))).collect());
            from += PAGE;
        }
    }
    Ok(())
}
