//! Three time series in the public domain, as distributed with statsmodels.

use super::asset_text;
use crate::error::{Error, Location, Result};
use crate::format::csv::{Missing, Table, TableConfig};
use crate::series::Series;
use wengert_ops::Tensor;

static SUNSPOTS: &[u8] = include_bytes!("../../assets/sunspots.csv.gz");
static CO2: &[u8] = include_bytes!("../../assets/co2.csv.gz");
static NILE: &[u8] = include_bytes!("../../assets/nile.csv.gz");

/// The mean number of sunspots in each of the 309 years from 1700 to 2008 (National Geophysical Data Center).
///
/// ```
/// let sunspots = wengert_data::sunspots()?;
/// assert_eq!((sunspots.len(), sunspots.values().to_vec()[..3].to_vec()), (309, vec![5.0, 11.0, 16.0]));
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn sunspots() -> Result<Series> {
    let values = column(SUNSPOTS, "assets/sunspots.csv.gz", "SUNACTIVITY", 309)?;
    Series::new(values.into_iter().flatten().map(|v| v as f32).collect::<Vec<_>>().into())
}

/// The concentration of carbon dioxide in the air at Mauna Loa, Hawaii, in parts per million by volume, in each of the
/// 2284 weeks from 29 March 1958 to 29 December 2001 (C. D. Keeling and T. P. Whorf 2004). The 59 weeks without a
/// measurement are interpolated linearly.
///
/// ```
/// let co2 = wengert_data::co2()?;
/// assert_eq!((co2.len(), co2.values().get(&[0, 0])?, co2.values().get(&[2283, 0])?), (2284, 316.1, 371.5));
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn co2() -> Result<Series> {
    let values = column(CO2, "assets/co2.csv.gz", "co2", 2284)?;
    Series::new(interpolated(&values).into_iter().map(|v| v as f32).collect::<Vec<_>>().into())
}

/// The volume of the Nile at Aswan in 10⁸ m³, in each of the 100 years from 1871 to 1970 (G. W. Cobb 1978).
///
/// ```
/// let nile = wengert_data::nile()?;
/// assert_eq!((nile.len(), nile.values().to_vec()[..3].to_vec()), (100, vec![1120.0, 1160.0, 963.0]));
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn nile() -> Result<Series> {
    let values = column(NILE, "assets/nile.csv.gz", "volume", 100)?;
    Series::new(values.into_iter().flatten().map(|v| v as f32).collect::<Vec<_>>().into())
}

/// A column of a table with a known number of rows; missing values are `None`.
fn column(gz: &[u8], path: &str, name: &str, rows: usize) -> Result<Vec<Option<f64>>> {
    let table = Table::parse(&asset_text(gz, path)?, path, &TableConfig::default())?;
    if table.len() != rows {
        return Err(Error::malformed(path.as_ref(), Location::Whole, format!("{rows} rows"), table.len()));
    }
    // No value of these series is negative.
    let values: Tensor<f64> = table.numbers([name], Missing::Value(-1.0))?;
    Ok(values.to_vec().into_iter().map(|v| (v >= 0.0).then_some(v)).collect())
}

/// Interpolates missing values linearly; before the first and after the last value it repeats that value.
fn interpolated(values: &[Option<f64>]) -> Vec<f64> {
    let known: Vec<(usize, f64)> = values.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i, v))).collect();
    let at = |i: usize| {
        let after = known.partition_point(|&(k, _)| k < i);
        match (after.checked_sub(1).map(|before| known[before]), known.get(after)) {
            (_, Some(&(k, v))) if k == i => v,
            (Some((k0, v0)), Some(&(k1, v1))) => v0 + (v1 - v0) * ((i - k0) as f64 / (k1 - k0) as f64),
            (Some((_, v)), None) | (None, Some(&(_, v))) => v,
            (None, None) => 0.0,
        }
    };
    (0..values.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_are_all_there() {
        let sum =
            |series: Result<Series>| series.unwrap().cast::<f64>().values().to_vec().iter().sum::<f64>();
        assert!((sum(sunspots()) - 15_373.4).abs() < 0.1, "{}", sum(sunspots()));
        assert_eq!(sum(nile()), 91_935.0);
        let missing = column(CO2, "co2", "co2", 2284).unwrap().iter().filter(|v| v.is_none()).count();
        assert_eq!(missing, 59);
        let co2 = co2().unwrap().values().to_vec();
        assert!(co2.windows(2).all(|w| (w[0] - w[1]).abs() < 4.0));
    }

    #[test]
    fn gaps_are_filled_by_straight_lines() {
        let values = [None, Some(1.0), None, None, Some(4.0), None];
        assert_eq!(interpolated(&values), [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(interpolated(&[None, None]), [0.0, 0.0]);
    }
}
