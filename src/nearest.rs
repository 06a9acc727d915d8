//! "Did you mean …": which of the names there are is most like the one that was typed.

/// The name most like `typed`, if any is so near that a slip of the keys explains it.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips = |name: &&str| strsim::damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase());
    let found = names.into_iter().filter(|name| !name.is_empty()).min_by_key(slips)?;
    let letters = typed.chars().count();
    (slips(&found) <= (letters / 3).max(1) && slips(&found) < letters).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_keys_is_understood_and_another_word_is_not() {
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
