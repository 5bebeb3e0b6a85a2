//! A play, for language models.

use super::asset_text;
use crate::error::Result;

static ASSET: &[u8] = include_bytes!("../../assets/hamlet.txt.gz");

/// *Hamlet, Prince of Denmark* by William Shakespeare: 173,942 characters, 65 of them distinct. The text is in the
/// public domain; it comes from Project Gutenberg, as distributed with the Python package `shakespeare` 0.6.
///
/// ```
/// let play = wengert_data::hamlet()?;
/// assert!(play.starts_with("HAMLET, PRINCE OF DENMARK") && play.contains("To be, or not to be"));
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn hamlet() -> Result<String> {
    asset_text(ASSET, "assets/hamlet.txt.gz")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vocabulary;

    #[test]
    fn the_play_is_all_there() {
        let play = hamlet().unwrap();
        assert_eq!((play.len(), Vocabulary::characters(&play).len()), (173_942, 65));
        assert!(play.ends_with("ordnance is shot off.]"));
        assert!(asset_text(&ASSET[..ASSET.len() - 1], "cut").is_err());
    }
}
