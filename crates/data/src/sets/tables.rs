//! Two small tables for classification.

use super::asset_text;
use crate::classification::Classification;
use crate::error::{Error, Location, Result, quoted};
use crate::format::csv::{Header, Missing, Table, TableConfig};

static IRIS: &[u8] = include_bytes!("../../assets/iris.csv.gz");
static WINE: &[u8] = include_bytes!("../../assets/wine.csv.gz");

/// The columns of [`iris`], in centimetres.
pub const IRIS_FEATURES: [&str; 4] = ["sepal length", "sepal width", "petal length", "petal width"];

/// The classes of [`iris`].
pub const IRIS_CLASSES: [&str; 3] = ["setosa", "versicolor", "virginica"];

/// The columns of [`wine`].
pub const WINE_FEATURES: [&str; 13] = [
    "alcohol",
    "malic acid",
    "ash",
    "alcalinity of ash",
    "magnesium",
    "total phenols",
    "flavanoids",
    "nonflavanoid phenols",
    "proanthocyanins",
    "color intensity",
    "hue",
    "OD280/OD315 of diluted wines",
    "proline",
];

/// The measurements of 150 flowers of three species of iris: [`IRIS_FEATURES`] and [`IRIS_CLASSES`] (R. A. Fisher 1936,
/// UCI Machine Learning Repository, [DOI 10.24432/C56C76](https://doi.org/10.24432/C56C76), CC BY 4.0), as distributed
/// with scikit-learn.
///
/// ```
/// let iris = wengert_data::iris()?;
/// assert_eq!((iris.len(), iris.class_counts()), (150, vec![50, 50, 50]));
/// assert_eq!(iris.inputs().to_vec()[..4], [5.1, 3.5, 1.4, 0.2]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn iris() -> Result<Classification> {
    table(IRIS, "assets/iris.csv.gz", 150, IRIS_FEATURES.len())
}

/// Chemical measurements of 178 wines from three growers: [`WINE_FEATURES`] (S. Aeberhard and M. Forina 1992, UCI
/// Machine Learning Repository, [DOI 10.24432/C5PC7J](https://doi.org/10.24432/C5PC7J), CC BY 4.0), as distributed with
/// scikit-learn. The scales of the columns differ widely: normalise them.
///
/// ```
/// use wengert_data::transform::Normalize;
/// let wine = wengert_data::wine()?;
/// assert_eq!((wine.len(), wine.class_counts()), (178, vec![59, 71, 48]));
/// let normalized = wine.with_inputs(Normalize::fit(wine.inputs())?.apply(wine.inputs())?)?;
/// assert_eq!(*normalized.inputs().shape(), [178, 13]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the copy in the crate is damaged.
pub fn wine() -> Result<Classification> {
    table(WINE, "assets/wine.csv.gz", 178, WINE_FEATURES.len())
}

/// A table whose first line gives its size and whose last column is the class.
fn table(gz: &[u8], path: &str, rows: usize, features: usize) -> Result<Classification> {
    let text = asset_text(gz, path)?;
    let (first, rest) = text.split_once('\n').unwrap_or_default();
    let size = format!("{rows},{features},");
    if !first.starts_with(&size) {
        return Err(Error::malformed(
            path.as_ref(),
            Location::Line(1),
            format!("{size} and names"),
            quoted(first),
        ));
    }
    let table = Table::parse(rest, path, &TableConfig { header: Header::Absent, ..TableConfig::default() })?;
    if table.len() != rows {
        return Err(Error::malformed(path.as_ref(), Location::Whole, format!("{rows} rows"), table.len()));
    }
    Ok(table.classification(0..features, features, Missing::Refuse)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_all_there() {
        let sums = |data: Result<Classification>| -> Vec<f64> {
            let data = data.unwrap();
            let width = data.inputs().shape()[1];
            let values = data.inputs().to_vec();
            (0..width).map(|c| values.iter().skip(c).step_by(width).map(|&v| f64::from(v)).sum()).collect()
        };
        // Computed with NumPy.
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(near(&sums(iris()), &[876.5, 458.6, 563.7, 179.9]), "{:?}", sums(iris()));
        assert!(near(&sums(wine())[..3], &[2314.11, 415.87, 421.24]), "{:?}", sums(wine()));
        assert!((sums(wine())[12] - 132_947.0).abs() < 1e-3);
        assert!(table(&WINE[..100], "cut", 178, 13).is_err() && table(WINE, "wine", 177, 13).is_err());
    }
}
