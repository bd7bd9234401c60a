//! Tests how columns are recognized and how a row is read by them.

use super::super::block::{Block, Rows};
use super::super::{Options, header};
use super::*;

fn rows_of(lines: &[&str]) -> Rows {
    let mut block = Block::default();
    for (index, line) in lines.iter().enumerate() {
        for cell in line.split(',') {
            block.push(cell.as_bytes());
            block.end_cell();
        }
        block.end_row(index as u64);
    }
    block.seal().unwrap()
}

fn found(lines: &[&str], country: &str, map: &[&str]) -> Result<Columns, NoColumns> {
    let rows = rows_of(lines);
    let default = country.parse().ok().and_then(Home::of).unwrap_or(Home::Missing);
    let map = map.iter().map(|mapping| mapping.parse().unwrap()).collect();
    let reading = Reading { options: &Options { map, ..Options::default() }, default };
    let head = header::find(&rows, &reading);
    Columns::find(head.header.and_then(|place| rows.iter().nth(place)), &|| rows.iter().skip(head.first), &reading)
}

fn find(lines: &[&str], country: &str) -> Result<Columns, NoColumns> {
    found(lines, country, &[])
}

#[test]
fn a_known_name_is_taken_and_mobile_before_phone() {
    assert_eq!(find(&["Phone,Name,MOBILE no", "x,y,+6581234567"], "").unwrap().number(), "MOBILE no");
    assert_eq!(find(&["Phone,Mobile", "+6581234567,", "+6581234568,"], "").unwrap().number(), "Phone");
    assert_eq!(find(&["Name,Teléfono", "x,bad"], "").unwrap().number(), "Teléfono");
}

#[test]
fn without_a_known_name_the_content_decides() {
    assert_eq!(find(&["Who,Where,Reach", "Ann,SG,81234567", "Bob,SG,81234568"], "SG").unwrap().number(), "Reach");
    assert_eq!(find(&["Number,Reach", "12,81234567", "14,81234568"], "SG").unwrap().number(), "Reach");
    assert_eq!(find(&["Order,Number", "+6581234567,+6581234567"], "").unwrap().number(), "Number");
}

#[test]
fn ids_that_could_be_phone_numbers_are_not_taken() {
    assert_eq!(find(&["Kunde,Kontakt", "302345,030 1234567"], "DE").unwrap().number(), "Kontakt");
    assert_eq!(find(&["Kunde,Ziel", "3023456,030 12345678"], "DE").unwrap().number(), "Ziel");
    assert_eq!(find(&["Handy,302345678", "01512 3456789,x"], "DE").unwrap().number(), "Handy");
}

#[test]
fn the_country_of_a_row_helps_to_find_the_number_column() {
    let columns = find(&["A,Country,B", "1,SG,81234567", "2,DE,01512 3456789"], "").unwrap();
    assert_eq!((columns.number(), columns.country), ("B", Some(1)));
}

#[test]
fn a_word_of_a_name_makes_a_country_column_if_it_holds_countries() {
    for name in [
        "Country/Region",
        "Billing Country",
        "Default Address Country Code",
        "Country Code (Billing)",
        "Phone Country Code",
        "Dial Code",
        "Landkürzel",
        "País de residencia",
    ] {
        let header = format!("Name,{name},Phone");
        let columns = find(&[&header, "Ann,SG,81234567", "Wong,+852,91234567"], "SG").unwrap();
        assert_eq!((columns.country, columns.number()), (Some(1), "Phone"), "{name}");
    }
    for name in ["Country of Birth", "Country Club", "Account Manager Country"] {
        let header = format!("Name,{name},Phone");
        assert_eq!(find(&[&header, "Ann,SG,81234567", "Wong,HK,81234568"], "SG").unwrap().country, None, "{name}");
    }
    let regions = ["Name,Country/Region,Phone", "Ann,Texas,81234567", "Bob,Ohio,81234568", "Eve,SG,81234568"];
    assert_eq!(find(&regions, "SG").unwrap().country, None);
}

#[test]
fn a_column_named_country_counts_with_unknown_countries() {
    assert_eq!(find(&["Mobile,Country", "+6581234567,north"], "").unwrap().country, Some(1));
    assert_eq!(find(&["Mobile,Country", "+6581234567,", "+6581234568,-"], "").unwrap().country, None);
}

#[test]
fn an_area_code_column_is_joined_with_the_numbers() {
    let columns = find(&["Name,Vorwahl,Handy", "Anna,0171,2345678", "Bert,0172,2345678"], "DE").unwrap();
    assert_eq!((columns.number(), columns.area_code()), ("Handy", Some("Vorwahl")));
    let columns = find(&["DDD,Telefone", "11,91234-5678", "21,98765-4321"], "BR").unwrap();
    assert_eq!((columns.number(), columns.area_code()), ("Telefone", Some("DDD")));
    assert_eq!(find(&["Area Code,Mobile", "101,81234567", "102,81234568"], "SG").unwrap().area_code(), None);
}

#[test]
fn a_number_may_begin_with_the_digits_of_its_area_code() {
    let read = |lines: &[&str], country: &str| -> Vec<Option<String>> {
        let columns = find(lines, country).unwrap();
        let (rows, home) = (rows_of(lines), Home::of(country.parse().unwrap()).unwrap());
        let numbers = rows.iter().skip(1).map(|row| columns.read(&row, home));
        numbers.map(|number| number.ok().map(|number| number.msisdn.to_string())).collect()
    };
    let all = |numbers: &[&str]| numbers.iter().map(|number| Some((*number).to_owned())).collect::<Vec<_>>();
    let brazil = read(&["DDD,Telefone", "11,91234-5678", "98,98765-4321", "98,98 98765-4321", "98,98987654321"], "BR");
    assert_eq!(brazil, all(&["+5511912345678", "+5598987654321", "+5598987654321", "+5598987654321"]));
    // The number has its code and lacks two digits. It is not joined with the code, even if that would give a number.
    assert_eq!(read(&["DDD,Telefone", "11,91234-5678", "98,98 98765-43"], "BR")[1], None);
    let austria = read(&["Vorwahl,Handy", "660,1234567", "664,6641234"], "AT");
    assert_eq!(austria, all(&["+436601234567", "+436646641234"]));
}

#[test]
fn the_column_written_like_phone_numbers_is_taken_and_others_are_listed() {
    let number = |lines: &[&str], country: &str| find(lines, country).unwrap().number().to_owned();
    assert_eq!(
        number(&["Firma,Fax,Telefon mobil", "A,030 1234567,", "B,030 1234568,0151 23456789"], "DE"),
        "Telefon mobil"
    );
    assert_eq!(number(&["A,Landline,Mobile Number 1", "x,61234567,81234567"], "SG"), "Mobile Number 1");
    let ids =
        ["Name,Kunden-ID,Rückruf", "A,493012340001,0151 23456789", "B,493012340002,", "C,493012340003,0151 23456780"];
    assert_eq!(number(&ids, "DE"), "Rückruf");
    assert_eq!(number(&["Name,Order ID,Reach", "A,12025550100,+6581234567", "B,12025550101,+6581234568"], ""), "Reach");
    assert_eq!(number(&["Name,X,Reach", "A,12025550100,+6581234567", "B,12025550101,"], ""), "Reach");
    let two = find(&["Name,Mobile,Alt,Order ID", "A,+6581234567,+6581234568,6581234569"], "").unwrap();
    assert_eq!((two.number(), two.others()), ("Mobile", vec!["Alt".to_owned()]));
    assert_eq!(number(&["Member ID,Member Contact", "88001001,81234567", "88001002,91234567"], "SG"), "Member Contact");
    assert_eq!(number(&["P.IVA,Recapito", "01234567890,3471234567", "02345678901,3481234567"], "IT"), "Recapito");
    let agents = ["Agent Mobile,Customer Phone", "+6581110000,+6581234567", "+6581110000,+6591234567"];
    assert_eq!(number(&agents, ""), "Customer Phone");
    let others = |lines: &[&str], country: &str| find(lines, country).unwrap().others();
    assert_eq!(others(&["6581234567,6591234567", "6581234568,6591234568"], ""), ["Column 2"]);
    assert_eq!(others(&["Name,Phone,Phone 2", "Ann,+6581234567,", "Bob,,81234568"], ""), ["Phone 2"]);
    assert_eq!(others(&["P.IVA,Cellulare", "01234567890,3471234567"], "IT"), [""; 0]);
    // The column with the known name is empty.
    assert_eq!(number(&["Phone,Contact No", ",+6581234567", ",+6581234568"], ""), "Contact No");
}

#[test]
fn national_numbers_without_a_country_are_not_read_as_foreign() {
    let chinese: Vec<String> = (0..9).map(|n| format!("1{}12345678,x", [30, 51, 37][n % 3])).collect();
    let lines: Vec<&str> = std::iter::once("Mobile,Name").chain(chinese.iter().map(String::as_str)).collect();
    assert!(find(&lines, "").unwrap().is_national && !find(&lines, "CN").unwrap().is_national);
    assert!(!find(&["Mobile,Name", "6581234567,Ann", "4915123456789,Bob"], "").unwrap().is_national);
}

#[test]
fn without_a_number_column_the_error_lists_the_columns() {
    assert_eq!(find(&["A,B", "x,y"], "SG"), Err(NoColumns::NoNumber(vec!["A".into(), "B".into()])));
}

#[test]
fn without_a_header_columns_are_named_by_their_position() {
    let columns = find(&["Ann,81234567,", "Bob,81234568,x"], "SG").unwrap();
    assert_eq!(
        (columns.names(), columns.number()),
        (&["Column 1", "Column 2", "Column 3"].map(str::to_owned)[..], "Column 2")
    );
}

#[test]
fn a_table_begins_at_its_first_filled_column() {
    let columns = find(&[",Mobile,Name", "0,+6581234567,Ann", "1,+6581234568,Bob"], "").unwrap();
    assert_eq!((columns.names(), columns.left), (&["Column 1", "Mobile", "Name"].map(str::to_owned)[..], 0));
    let beside = [",Mobile,Name", ",+6581234567,Ann", "look,+6581234568,Bob", ",+6581234569,Eve"];
    assert_eq!(find(&beside, "").unwrap().left, 0, "nothing is lost");
    assert_eq!(find(&[",Mobile", ",+6581234567"], "").unwrap().left, 1);
}

#[test]
fn mappings_name_columns_and_errors_name_the_mapping() {
    let lines = ["Phone,Cell phone,Vorname", "+6581234567,+6581234568,Ann"];
    let columns = found(&lines, "", &["number=cell PHONE", "FirstName=Vorname"]).unwrap();
    assert_eq!((columns.number(), columns.names()[2].as_str()), ("Cell phone", "FirstName"));
    let names: Vec<String> = ["Phone", "Cell phone", "Vorname"].map(str::to_owned).to_vec();
    assert_eq!(found(&lines, "", &["number=Handy"]), Err(NoColumns::NoSuch("Handy".into(), names)));
    assert_eq!(found(&lines, "", &["Phone=Vorname"]), Err(NoColumns::Twice("Phone".into())));
    assert!(["number", "=x", "number="].iter().all(|text| text.parse::<Mapping>().is_err()));
}

#[test]
fn names_are_unique_and_empty_columns_at_the_end_are_dropped() {
    let rows = ["Mobile,Name", "+6581234567,a,x", "+6581234568,b,y", "+6581234569,c"];
    assert_eq!(find(&rows, "").unwrap().names(), ["Mobile", "Name", "Column 3"], "most rows have it");
    assert_eq!(
        find(&[rows[0], rows[1], rows[3]], "").unwrap().names(),
        ["Mobile", "Name"],
        "one row has a cell too many"
    );
    let columns = find(&["Mobile,Name,,Name,,", "+6581234567,a,b,c,d,"], "").unwrap();
    assert_eq!(columns.names(), ["Mobile", "Name", "Column 3", "Name 2", "Column 5"]);
}
