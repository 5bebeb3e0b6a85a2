//! Data sets: some come with the crate and are decompressed on request, the others are read from files on the machine.

mod digits;
mod fashion;
mod hamlet;
mod names;
mod series;
mod tables;

pub use digits::digits;
pub use fashion::{FASHION_CLASSES, fashion_mnist, fashion_sample, mnist};
pub use hamlet::hamlet;
pub use names::country_and_language_names;
pub use series::{co2, nile, sunspots};
pub use tables::{IRIS_CLASSES, IRIS_FEATURES, WINE_FEATURES, iris, wine};

use crate::error::{Error, Location, Result};
use crate::format::gunzip;
use std::path::Path;

/// Several times the decompressed size of any text asset: a damaged asset must not fill the memory.
const MOST_BYTES: u64 = 1 << 20;

/// The text of a compressed asset.
fn asset_text(gz: &[u8], path: &str) -> Result<String> {
    let path = Path::new(path);
    String::from_utf8(gunzip(gz, MOST_BYTES, path)?)
        .map_err(|e| Error::malformed(path, Location::Whole, "text in UTF-8", e))
}
