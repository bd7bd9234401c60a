//! Names that operators give to campaigns and audiences.

/// Checks the name of a campaign or an audience.
pub fn object_name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name needs at least one visible character".to_owned()),
        _ if text.chars().count() > 200 || text.chars().any(char::is_control) => {
            Err("a name must be one line of at most 200 characters".to_owned())
        }
        name => Ok(name.to_owned()),
    }
}
