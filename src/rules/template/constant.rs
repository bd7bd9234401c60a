//! Fills in the values of a campaign that are the same for every recipient.

use std::convert::Infallible;

use super::bound::{BoundText, Budget};
use crate::base::domain::{Content, Names};

/// Replaces each text whose variables are all constants, so that it counts as what it is: a text without variables.
///
/// A text is left as it is if a variable in it is unknown or has no value, or if the texts would become too large.
pub fn fill_constants(content: &mut Content, names: Names<'_>) {
    let mut left = Budget::default();
    let Ok(()) = content.change_texts(|_, text| {
        if let Some(constant) = constant_within(text, names, &mut left) {
            *text = constant;
        }
        Ok::<_, Infallible>(())
    });
}

/// A text with the values of its variables; `None` unless it has some, and all are constants.
pub fn constant_text(text: &str, names: Names<'_>) -> Option<String> {
    constant_within(text, names, &mut Budget::default())
}

fn constant_within(text: &str, names: Names<'_>, left: &mut Budget) -> Option<String> {
    let bound = BoundText::bind_within(text, names, left).ok()?;
    if !text.contains("{{") || !bound.is_constant() {
        return None;
    }
    let mut constant = String::new();
    bound.write::<&str>(&[], &mut constant).ok()?;
    // Braces of a value would be read as a variable.
    (!constant.contains("{{")).then_some(constant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Values;

    #[test]
    fn only_texts_of_constants_alone_are_filled_in() {
        let values: Values = serde_json::from_str(
            r#"{"Logo": {"text": "logo.png"}, "Path": {"text": "img/{{Logo:upper}}"}, "Hi": {"text": "Hi {{Name}}"},
                "Brace": {"text": "{"}, "None": {"choice": {"by": "Logo", "texts": {"a": "b"}}}}"#,
        )
        .unwrap();
        let columns = ["Name".to_owned()];
        let names = Names { columns: &columns, values: &values };
        for (text, expected) in [
            ("{{Logo}}", Some("logo.png")),
            ("./{{path}}?{{Logo|x}}", Some("./img/LOGO.PNG?logo.png")),
            ("logo.png", None),
            ("{{Logo}} {{Name}}", None),
            ("{{Hi}}", None),
            ("{{Other}}", None),
            ("{{Logo", None),
            ("{{None}}", None),
            ("{{{Brace}}}", None),
        ] {
            assert_eq!(constant_text(text, names).as_deref(), expected, "{text}");
        }
    }
}
