//! Interactive messages of WhatsApp: their types, what each needs, and their limits.

use serde_json::Value;

use super::{
    BUTTON, CONTENT_MISSING, OUT_OF_RANGE, TEXT_MISSING, UNKNOWN_TYPE, at_most, check_address, check_text, list,
    number, text_of,
};

const REPLIES_MAX: usize = 3;
const ROWS_MAX: usize = 10;
const LABEL_MAX: usize = 20;

/// Checks an interactive message. The error is the provider's code.
pub(super) fn check(part: &Value) -> Result<(), i64> {
    if !part.is_object() {
        return Err(CONTENT_MISSING);
    }
    let kind = text_of(part, "type").to_ascii_lowercase();
    if !["button", "list", "cta_url", "flow", "product", "product_list"].contains(&kind.as_str()) {
        return Err(UNKNOWN_TYPE);
    }
    check_header(&part["header"])?;
    let body = text_of(&part["body"], "text");
    at_most(body, 1_024)?;
    if body.is_empty() && kind != "product" {
        return Err(TEXT_MISSING);
    }
    at_most(text_of(&part["footer"], "text"), 60)?;
    let action = &part["action"];
    if !action.is_object() {
        return Err(CONTENT_MISSING);
    }
    let parameters = &action["parameters"];
    match kind.as_str() {
        "button" => check_replies(list(action, "buttons")),
        "list" => {
            check_text(text_of(action, "button"), LABEL_MAX)?;
            check_rows(list(action, "sections"))
        }
        "cta_url" => {
            check_text(text_of(parameters, "display_text"), LABEL_MAX)?;
            check_address(parameters["url"].as_str())
        }
        "flow" => {
            check_text(text_of(parameters, "flowCta"), LABEL_MAX)?;
            needs(parameters, "flowId")
        }
        "product" => needs(action, "catalog_id").and_then(|()| needs(action, "product_retailer_id")),
        _ => {
            needs(action, "catalog_id")?;
            check_products(list(action, "sections"))
        }
    }
}

/// A header is a text or a file, as its type says.
fn check_header(header: &Value) -> Result<(), i64> {
    match text_of(header, "type").to_ascii_lowercase().as_str() {
        _ if header.is_null() => Ok(()),
        "text" => check_text(text_of(header, "text"), 60),
        kind @ ("image" | "video" | "document") => check_address(header[kind]["link"].as_str()),
        _ => Err(UNKNOWN_TYPE),
    }
}

/// An id is a text, and in some samples a number.
fn needs(part: &Value, key: &str) -> Result<(), i64> {
    let is_given = !text_of(part, key).is_empty() || number(&part[key]).is_some();
    if is_given { Ok(()) } else { Err(CONTENT_MISSING) }
}

fn check_replies(buttons: &[Value]) -> Result<(), i64> {
    if !(1..=REPLIES_MAX).contains(&buttons.len()) {
        return Err(BUTTON);
    }
    buttons.iter().try_for_each(|button| {
        needs(&button["reply"], "id").map_err(|_| BUTTON)?;
        check_text(text_of(&button["reply"], "title"), LABEL_MAX)
    })
}

fn check_rows(sections: &[Value]) -> Result<(), i64> {
    let rows: usize = sections.iter().map(|section| list(section, "rows").len()).sum();
    if !(1..=ROWS_MAX).contains(&rows) || sections.len() > ROWS_MAX {
        return Err(OUT_OF_RANGE);
    }
    for section in sections {
        at_most(text_of(section, "title"), 24)?;
        for row in list(section, "rows") {
            needs(row, "id")?;
            check_text(text_of(row, "title"), 24)?;
            at_most(text_of(row, "description"), 72)?;
        }
    }
    Ok(())
}

fn check_products(sections: &[Value]) -> Result<(), i64> {
    let items = || sections.iter().flat_map(|section| list(section, "product_items"));
    if items().count() == 0 {
        return Err(CONTENT_MISSING);
    }
    sections.iter().try_for_each(|section| at_most(text_of(section, "title"), 24))?;
    items().try_for_each(|item| needs(item, "product_retailer_id"))
}
