//! "Did you mean …": finds the name that is closest to a misspelled one.

/// The name closest to `typed`, if a typo can explain the difference.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &&str| strsim::damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase());
    let found = names.into_iter().filter(|name| !name.is_empty()).min_by_key(distance)?;
    let letters = typed.chars().count();
    (distance(&found) <= (letters / 3).max(1) && distance(&found) < letters).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typo_is_corrected_and_another_word_is_not() {
        let names = ["dev", "web-server", "Db"];
        for (typed, meant) in [("dve", "dev"), ("devv", "dev"), ("web-sevrer", "web-server"), ("db", "Db")] {
            assert_eq!(nearest(typed, names), Some(meant), "{typed}");
        }
        for typed in ["", "x", "production", "dexter", "é"] {
            assert_eq!(nearest(typed, names), None, "{typed}");
        }
        assert_eq!(nearest("dev", []), None);
    }
}
