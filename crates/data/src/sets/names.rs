//! Names in two languages, for models of pairs of sequences.

use super::asset_text;
use crate::error::{Error, Location, Result};
use crate::format::columns;

static ASSET: &[u8] = include_bytes!("../../assets/names-en-de.tsv.gz");
const PATH: &str = "assets/names-en-de.tsv.gz";
const PAIRS: usize = 939;

/// 939 names of countries, regions and languages in English and in German, of which 387 are equal in both, from the
/// Unicode Common Locale Data Repository 48.2 (Unicode License v3).
///
/// ```
/// use wengert_data::{Pairs, country_and_language_names};
/// let names = country_and_language_names()?;
/// assert_eq!(names[0], ("world".to_owned(), "Welt".to_owned()));
/// let pairs = Pairs::new(&names)?;
/// assert!(pairs.target().tokens().contains(&"ß".to_owned()));
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn country_and_language_names() -> Result<Vec<(String, String)>> {
    let text = asset_text(ASSET, PATH)?;
    let pairs: Vec<_> =
        columns::two(&text, "two names with a tab between them", columns::Second::Needed, PATH.as_ref())?
            .map(|(english, german)| (english.to_owned(), german.to_owned()))
            .collect();
    if pairs.len() != PAIRS {
        return Err(Error::malformed(PATH.as_ref(), Location::Whole, format!("{PAIRS} pairs"), pairs.len()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_all_there_and_differ() {
        let names = country_and_language_names().unwrap();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!((distinct.len(), names.iter().filter(|(e, d)| e == d).count()), (939, 387));
        assert!(names.contains(&("Switzerland".into(), "Schweiz".into())));
        assert!(names.iter().all(|(e, d)| !e.is_empty() && !d.is_empty()));
    }
}
