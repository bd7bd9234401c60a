//! Names that operators give to campaigns and audiences.

/// Checks the name of a campaign or an audience.
///
/// Names are in addresses, where a browser takes `.` and `..` for folders.
pub fn object_name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name needs at least one visible character".to_owned()),
        _ if text.chars().count() > 200 || text.chars().any(char::is_control) => {
            Err("a name must be one line of at most 200 characters".to_owned())
        }
        name @ ("." | "..") => {
            Err(format!("\"{name}\" cannot be a name, because no address can have it; add a letter"))
        }
        name => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_address_can_have_is_refused() {
        for name in [".", "..", " .. "] {
            assert!(object_name(name).unwrap_err().contains("cannot be a name"), "{name}");
        }
        for name in ["...", ".a", "a..", "Nov. 1"] {
            assert_eq!(object_name(name).as_deref(), Ok(name));
        }
    }
}
