use super::*;
use crate::base::domain::Values;

fn names(values: &str) -> (Vec<String>, Values) {
    let columns = ["Title", "LastName", "Tier", "Shop: name", "Amount", "Vorname"].map(str::to_owned).to_vec();
    let values = serde_json::from_str(values).unwrap();
    (columns, values)
}

fn written(text: &str, values: &str, fields: [&str; 6]) -> Result<String, String> {
    let (columns, values) = names(values);
    let names = Names { columns: &columns, values: &values };
    let bound = BoundText::bind(text, names).map_err(|problem| problem.to_string())?;
    let mut out = String::new();
    bound.write(&fields, &mut out).map_err(|name| format!("no {name}"))?;
    Ok(out)
}

const FIELDS: [&str; 6] = ["Dr", "Ng", "gold", "Volley", "1234.5", "Ann"];

const VALUES: &str = r#"{
    "Shop": {"text": "Volley Store"},
    "Greeting": {"text": "Dear {{Title|}} {{LastName}}"},
    "Opening": {"text": "{{Greeting}} of {{Shop:upper}}"},
    "Discount": {"choice": {"by": "Tier", "texts": {"gold": "20", "silver": "10 for {{LastName}}"}, "others": "5"}},
    "Gift": {"choice": {"by": "Tier:upper", "texts": {"GOLD": "a ring"}}}
}"#;

#[test]
fn variables_are_columns_or_values_with_filters() {
    for (text, expected) in [
        ("{{Shop}}, {{shop}}", "Volley Store, Volley Store"),
        ("{{Opening}}!", "Dear Dr Ng of VOLLEY STORE!"),
        ("{{Greeting:upper}}", "DEAR DR NG"),
        ("{{Discount}}%", "20%"),
        ("{{Discount:number(2, 'de')}}", "20,00"),
        ("{{Gift}}", "a ring"),
        // The longest known name counts.
        ("{{Shop: name}}", "Volley"),
        ("{{Shop: name : upper }}", "VOLLEY"),
        ("{{Shop:upper}}", "VOLLEY STORE"),
        ("{{FirstName:upper}}", "ANN"),
        ("{{Amount:number(2)|free}}", "1,234.50"),
    ] {
        assert_eq!(written(text, VALUES, FIELDS).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn without_a_value_the_nearest_default_counts() {
    let fields = ["", "", "bronze", "x", "soon", " "];
    for (text, expected) in [
        ("{{Discount}}", Ok("5")),
        ("{{Greeting}}", Err("no LastName")),
        ("{{Greeting|Hello}}", Ok("Hello")),
        ("{{Opening:upper|Hello}}", Ok("Hello")),
        ("{{Gift}}", Err("no Tier")),
        ("{{Gift|nothing}}", Ok("nothing")),
        ("{{Amount:number}}", Err("no Amount")),
        ("{{Amount:number|free}}", Ok("free")),
        ("{{Vorname:upper|you}}", Ok("you")),
        ("{{Vorname|}}", Ok("")),
    ] {
        let found = written(text, VALUES, fields);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
    }
    assert_eq!(written("{{Discount}}", VALUES, ["", "Ng", "silver", "", "", ""]).unwrap(), "10 for Ng");
    // A value is text: what looks like a variable in it stays as it is.
    assert_eq!(written("{{Title}}", VALUES, ["{{LastName}}", "Ng", "", "", "", ""]).unwrap(), "{{LastName}}");
}

#[test]
fn what_cannot_be_bound_is_refused_with_its_place() {
    let circle =
        r#"{"A": {"text": "{{b}}"}, "B": {"choice": {"by": "Tier", "texts": {"x": "{{C}}"}}}, "C": {"text": "{{A}}"}}"#;
    let of = |name: &str, inner: &str| format!(r#""{name}": {{"text": "{}"}}"#, format!("{{{{{inner}}}}}").repeat(30));
    let wide = &format!("{{{}, {}, {}}}", of("A", "B"), of("B", "C"), of("C", "Tier"));
    let long = &format!(r#"{{"A": {{"text": "{}"}}, "B": {{"text": "{}"}}}}"#, "{{B}}".repeat(11), "x".repeat(100_000));
    for (text, values, sentence) in [
        ("Hü {{Title:uper}}", VALUES, "character 12: unknown filter \"uper\"; did you mean \"upper\"?"),
        ("{{Title:trim:truncate(0)}}", VALUES, "character 14: truncate does not take these arguments"),
        ("{{Title:trim:}}", VALUES, "character 14: `` is not a filter"),
        ("{{Titel:upper}}", VALUES, "unknown column \"Titel\"; did you mean \"Title\"?"),
        ("{{Shop: nmae}}", VALUES, "character 9: unknown filter \"nmae\""),
        ("{{Greting}}", VALUES, "unknown column \"Greting\"; did you mean \"Greeting\"?"),
        ("{{c}}", circle, "the values refer to each other in a circle: C → A → B → C"),
        ("{{A}}", wide, "\"A\" is made of more than 10,000 parts"),
        ("{{A}}", long, "\"A\" has more than 1,000,000 characters, with the texts that its variables stand for"),
    ] {
        let error = written(text, values, FIELDS).unwrap_err();
        assert!(error.contains(sentence), "{text}\n  gave: {error}\n  want: {sentence}");
    }
}

#[test]
fn a_filter_that_leaves_nothing_visible_gives_no_value() {
    let fields = ["  Dr", "Ng", "gold", "x", "1", "Ann"];
    assert_eq!(written("{{Title:truncate(2)}}", VALUES, fields).unwrap_err(), "no Title");
    assert_eq!(written("{{Title:truncate(2)|Dear}}", VALUES, fields).unwrap(), "Dear");
    assert_eq!(written("{{Title:trim:truncate(2)}}", VALUES, fields).unwrap(), "Dr");
    // A value that is meant to be empty stays so.
    let values = r#"{"Salutation": {"text": "{{Title|}}"}}"#;
    assert_eq!(written("Hi{{Salutation:upper}}", values, ["", "", "", "", "", ""]).unwrap(), "Hi");
}

#[test]
fn a_lack_names_the_text_that_is_of_no_use() {
    let lack = |text: &str, fields: [&str; 6]| {
        let (columns, values) = names(VALUES);
        let bound = BoundText::bind(text, Names { columns: &columns, values: &values }).unwrap();
        let found = bound.variables().find_map(|variable| variable.lack(&fields)).map(|lack| lack.to_string());
        assert_eq!(found.is_some(), bound.write(&fields, &mut String::new()).is_err(), "{text}");
        found.unwrap_or_default()
    };
    let odd = ["", "Ng", "bronze", "x", "soon", "Ann"];
    for (text, expected) in [
        ("{{Title}}", "Title"),
        ("{{Title|Dear}}", ""),
        ("{{Amount:number}}", "Amount: \"soon\" cannot be read"),
        ("{{Gift}}", "Gift: no text for \"BRONZE\""),
        ("{{Discount:number}}", ""),
        ("{{Greeting:number}}", "Greeting: \"Dear  Ng\" cannot be read"),
    ] {
        assert_eq!(lack(text, odd), expected, "{text}");
    }
    assert_eq!(lack("{{Gift}}", ["", "", "", "", "", ""]), "Tier");
}

#[test]
fn a_choice_of_too_many_texts_is_refused_with_its_name() {
    let texts: Vec<String> = (0..10_001).map(|n| format!("\"{n}\": \"x\"")).collect();
    let values = format!(r#"{{"City": {{"choice": {{"by": "Tier", "texts": {{{}}}}}}}}}"#, texts.join(","));
    let error = written("{{City}}", &values, FIELDS).unwrap_err();
    assert_eq!(
        error,
        "\"City\" is made of more than 10,000 parts; write it with fewer variables, or with fewer texts to choose from"
    );
    let many = "{{Tier}}".repeat(10_001);
    assert!(written(&many, "{}", FIELDS).unwrap_err().starts_with("the text is made of more than 10,000 parts"));
}
