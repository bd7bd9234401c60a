//! Checks the values of a campaign for the columns of its audience.

use super::bound::{Bound, BoundText, Budget};
use super::error::ContentProblem;
use super::text::Written;
use crate::base::domain::{Names, ValueRule};

/// Returns what is wrong with the values, each problem with the name of its value.
pub fn check_values(names: Names<'_>) -> Vec<(&str, ContentProblem)> {
    let mut found = Vec::new();
    for (name, rule) in &names.values.0 {
        found.extend(of_value(name, rule, names).err().map(|problem| (name.as_str(), problem)));
    }
    found
}

fn of_value(name: &str, rule: &ValueRule, names: Names<'_>) -> Result<(), ContentProblem> {
    let lower = name.to_lowercase();
    if let Some(column) = names.columns.iter().find(|column| column.trim().to_lowercase() == lower) {
        return Err(ContentProblem::IsColumn { column: column.trim().to_owned() });
    }
    // Each text by itself, because a name within a text is bound with all that it stands for.
    match rule {
        ValueRule::Text(text) => drop(BoundText::bind(text, names)?),
        ValueRule::Choice(choice) => {
            variable(choice.by.trim(), names)?;
            for text in choice.texts.values().chain(&choice.others) {
                BoundText::bind(text, names)?;
            }
        }
    }
    // A circle is found from its own beginning as well.
    variable(name, names).map(drop)
}

fn variable(head: &str, names: Names<'_>) -> Result<Bound, ContentProblem> {
    Bound::bind(Written { head, default: None, at: 1 }, names, &mut Budget::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Values;

    #[test]
    fn each_value_is_checked_for_the_columns() {
        let values: Values = serde_json::from_str(
            r#"{
                "A": {"text": "{{B}}"}, "B": {"text": "{{A}}"}, "code": {"text": "x"}, "Fine": {"text": "{{Code|x}}"},
                "Tier": {"choice": {"by": "Teer", "texts": {"a": "b"}}}, "Odd": {"choice": {"by": "Code", "texts": {"a": "{{"}}}
            }"#,
        )
        .unwrap();
        let columns = ["Code".to_owned()];
        let found = check_values(Names { columns: &columns, values: &values });
        let found: Vec<String> = found.iter().map(|(name, problem)| format!("{name}: {problem}")).collect();
        let expected = [
            "A: the values refer to each other in a circle: B → A → B; write one of them without the others",
            "B: the values refer to each other in a circle: A → B → A; write one of them without the others",
            "Odd: `{{` opens a variable that is never closed; write {{Column}} or {{Column|default}}",
            "Tier: unknown column \"Teer\"; did you mean \"Tier\"? The columns are Code, A, B, Fine, Odd, Tier, code",
            "code: the audience has a column \"Code\"; give the value another name",
        ];
        assert_eq!(found, expected);
    }
}
