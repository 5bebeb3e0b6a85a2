//! Tables in CSV files: comma-separated values, quoted where they hold a comma, a quote or a line feed (RFC 4180).

use super::bytes::{Source, is_gzip, read_file};
use crate::classification::Classification;
use crate::error::{Error, Place, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use wengert_ops::{Float, Tensor};

/// What the first line of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Header {
    /// The names of the columns.
    #[default]
    Names,
    /// A row like any other.
    Absent,
}

/// How a table is written.
///
/// ```
/// use wengert_data::format::csv::{Header, TableConfig};
/// let config = TableConfig { delimiter: b'\t', ..TableConfig::default() };
/// assert_eq!((config.header, config.comment), (Header::Names, None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableConfig {
    /// What the first line is.
    pub header: Header,
    /// The character between fields.
    pub delimiter: u8,
    /// The character that begins lines to be left out.
    pub comment: Option<u8>,
}

impl Default for TableConfig {
    fn default() -> Self {
        TableConfig { header: Header::Names, delimiter: b',', comment: None }
    }
}

/// What to do about a number that is missing: an empty field, `?`, `NA`, `N/A`, `NaN` or `null` in any case.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Missing {
    /// An error that names line and column.
    #[default]
    Refuse,
    /// This number in its place.
    Value(f64),
    /// The mean of the column's other numbers.
    Mean,
    /// The median of the column's other numbers.
    Median,
}

/// A column of a table, by name or by number counted from 0.
///
/// ```
/// use wengert_data::format::csv::Column;
/// assert_eq!(Column::from("age"), Column::Name("age".into()));
/// assert_eq!(Column::from(2), Column::Number(2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// By its name in the header.
    Name(String),
    /// By its position, counted from 0.
    Number(usize),
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Column::Name(name.into())
    }
}

impl From<&String> for Column {
    fn from(name: &String) -> Self {
        Column::Name(name.clone())
    }
}

impl From<usize> for Column {
    fn from(number: usize) -> Self {
        Column::Number(number)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Column::Name(name) => write!(f, "{name:?}"),
            Column::Number(number) => write!(f, "{number}"),
        }
    }
}

/// A table as text, from which columns are taken as numbers or as classes.
///
/// ```
/// use wengert_data::format::csv::{Missing, Table, TableConfig};
/// let text = "height,weight,kind\n1.5,50,cat\n1.0,,dog\n2.0,70,cat\n";
/// let table = Table::parse(text, "pets.csv", &TableConfig::default())?;
/// let (pets, kinds) = table.classification::<f32, _>(["height", "weight"], "kind", Missing::Mean)?;
/// assert_eq!(pets.inputs().to_vec(), [1.5, 50.0, 1.0, 60.0, 2.0, 70.0]);
/// assert_eq!((pets.labels().to_vec(), kinds), (vec![0, 1, 0], vec!["cat".to_owned(), "dog".to_owned()]));
/// let e = table.numbers::<f32, _>(["weight"], Missing::Refuse).unwrap_err();
/// assert_eq!(e.to_string(), "pets.csv, line 3, column \"weight\": expected a number, found nothing");
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    path: PathBuf,
    names: Option<Vec<String>>,
    width: usize,
    rows: Vec<csv::StringRecord>,
    /// The line of each row.
    lines: Vec<usize>,
}

impl Table {
    /// Reads a file, gzip-compressed or not.
    ///
    /// ```
    /// use wengert_data::format::csv::{Table, TableConfig};
    /// assert!(Table::read("no/such/file.csv", &TableConfig::default()).is_err());
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, or as [`parse`](Table::parse).
    pub fn read(path: impl AsRef<Path>, config: &TableConfig) -> Result<Self> {
        let path = path.as_ref();
        Table::parse(&text(read_file(path)?, path)?, path, config)
    }

    /// A table in memory; `path` is for the messages. Blank lines are left out; so are blanks around fields.
    ///
    /// ```
    /// use wengert_data::format::csv::{Table, TableConfig};
    /// let table = Table::parse("a,\"b, c\"\n1,2\n", "t.csv", &TableConfig::default())?;
    /// assert_eq!((table.len(), table.names().unwrap()), (1, &["a".to_owned(), "b, c".to_owned()][..]));
    /// let e = Table::parse("a,b\n1,2\n3\n", "t.csv", &TableConfig::default()).unwrap_err();
    /// assert_eq!(e.to_string(), "t.csv, line 3: expected 2 fields, found 1");
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If rows have different numbers of fields, there is no header where one was asked for, or a quote is not closed.
    pub fn parse(text: &str, path: impl AsRef<Path>, config: &TableConfig) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(config.delimiter)
            .comment(config.comment)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let (mut rows, mut lines) = (Vec::new(), Vec::new());
        for row in reader.records() {
            let row = row.map_err(|e| {
                let line = e.position().map_or(0, csv::Position::line);
                Error::malformed(&path, Place::Line(line as usize), "comma-separated text", e)
            })?;
            lines.push(row.position().map_or(0, |position| begin(text, position, config)));
            rows.push(row);
        }
        // The parser closes what the text leaves open.
        if let Some(line) = open_quote(text, config) {
            return Err(Error::malformed(&path, Place::Line(line), "a closing quote", "the end of the file"));
        }
        let names: Option<Vec<String>> = match config.header {
            Header::Absent => None,
            Header::Names if rows.is_empty() => {
                return Err(Error::malformed(&path, Place::Line(1), "the names of the columns", "nothing"));
            }
            Header::Names => {
                lines.remove(0);
                Some(rows.remove(0).iter().map(str::to_owned).collect())
            }
        };
        let width = names.as_ref().map_or_else(|| rows.first().map_or(0, csv::StringRecord::len), Vec::len);
        if let Some(i) = rows.iter().position(|row| row.len() != width) {
            let expected = format!("{width} fields");
            return Err(Error::malformed(&path, Place::Line(lines[i]), expected, rows[i].len()));
        }
        Ok(Table { path, names, width, rows, lines })
    }

    /// The number of rows, without the header. See [`parse`](Table::parse) for an example.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    ///
    /// ```
    /// use wengert_data::format::csv::{Table, TableConfig};
    /// assert!(Table::parse("a,b\n", "t.csv", &TableConfig::default())?.is_empty());
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of columns.
    ///
    /// ```
    /// use wengert_data::format::csv::{Table, TableConfig};
    /// assert_eq!(Table::parse("a;b;c\n", "t.csv", &TableConfig { delimiter: b';', ..TableConfig::default() })?.width(), 3);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn width(&self) -> usize {
        self.width
    }

    /// The names of the columns, if the table has a header. See [`parse`](Table::parse) for an example.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    fn position(&self, column: &Column) -> Result<usize> {
        let refuse = |expected: String, found: String| Err(Error::argument("column", expected, found));
        match column {
            Column::Number(number) if *number < self.width => Ok(*number),
            Column::Number(number) => refuse(format!("a number below {}", self.width), number.to_string()),
            Column::Name(name) => {
                let Some(names) = &self.names else {
                    return refuse("a number, since the table has no header".into(), format!("{name:?}"));
                };
                let mut at = (0..self.width).filter(|&i| names[i] == *name);
                match (at.next(), at.next()) {
                    (Some(i), None) => Ok(i),
                    (Some(_), Some(_)) => refuse("a name that occurs once".into(), format!("{name:?} twice")),
                    _ => refuse(format!("one of {names:?}"), format!("{name:?}")),
                }
            }
        }
    }

    fn place(&self, row: usize, column: usize) -> Place {
        let column = match &self.names {
            Some(names) => format!("{:?}", names[column]),
            None => column.to_string(),
        };
        Place::Cell { line: self.lines[row], column }
    }

    /// The fields of a column as text, top to bottom.
    ///
    /// ```
    /// use wengert_data::format::csv::{Table, TableConfig};
    /// let table = Table::parse("name,age\n\"Lovelace, Ada\",36\n", "t.csv", &TableConfig::default())?;
    /// assert_eq!(table.text("name")?, ["Lovelace, Ada"]);
    /// let e = table.text("surname").unwrap_err();
    /// assert_eq!(e.to_string(), "column: expected one of [\"name\", \"age\"], found \"surname\"");
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such column.
    pub fn text(&self, column: impl Into<Column>) -> Result<Vec<&str>> {
        let at = self.position(&column.into())?;
        Ok(self.rows.iter().map(|row| &row[at]).collect())
    }

    /// Columns of numbers: `[rows, columns]`. See [`Table`] for an example.
    ///
    /// # Errors
    /// If there is no such column, a field is not a finite number, or one is missing and that is refused (or nothing is
    /// there to take a mean or median of).
    pub fn numbers<T: Float, C: Into<Column>>(
        &self,
        columns: impl IntoIterator<Item = C>,
        missing: Missing,
    ) -> Result<Tensor<T>> {
        let columns: Vec<usize> =
            columns.into_iter().map(|column| self.position(&column.into())).collect::<Result<_>>()?;
        let mut table = vec![T::ZERO; self.len() * columns.len()];
        for (k, &column) in columns.iter().enumerate() {
            for (row, value) in self.column(column, missing)?.into_iter().enumerate() {
                let number = T::from_f64(value);
                if value.is_finite() && number.abs() == T::INFINITY {
                    let expected = format!("a number that {} can hold", T::DTYPE);
                    return Err(Error::malformed(&self.path, self.place(row, column), expected, value));
                }
                table[row * columns.len() + k] = number;
            }
        }
        Ok(Tensor::from_vec(table, [self.len(), columns.len()])?)
    }

    fn column(&self, column: usize, missing: Missing) -> Result<Vec<f64>> {
        let mut values = Vec::with_capacity(self.len());
        for (row, fields) in self.rows.iter().enumerate() {
            let field = &fields[column];
            let value = match field.parse::<f64>() {
                _ if is_missing(field) => None,
                Ok(value) if value.is_finite() => Some(value),
                _ => {
                    let found = format!("{field:?}");
                    return Err(Error::malformed(&self.path, self.place(row, column), "a number", found));
                }
            };
            values.push(value);
        }
        let Some(first) = values.iter().position(Option::is_none) else {
            return Ok(values.into_iter().flatten().collect());
        };
        let mut present: Vec<f64> = values.iter().flatten().copied().collect();
        let fill = match missing {
            Missing::Refuse => None,
            Missing::Value(value) => Some(value),
            _ if present.is_empty() => None,
            Missing::Mean => Some(present.iter().sum::<f64>() / present.len() as f64),
            Missing::Median => {
                present.sort_by(f64::total_cmp);
                let middle = present.len() / 2;
                let below = present[(present.len() - 1) / 2];
                Some(below + (present[middle] - below) / 2.0)
            }
        };
        let refuse = || {
            let found = match &self.rows[first][column] {
                "" => "nothing".to_owned(),
                field => format!("{field:?}"),
            };
            Error::malformed(&self.path, self.place(first, column), "a number", found)
        };
        let fill = fill.ok_or_else(refuse)?;
        Ok(values.into_iter().map(|value| value.unwrap_or(fill)).collect())
    }

    /// A column as classes: the class of each row, and the names of the classes. They are in alphabetical order or, where
    /// all are whole numbers, in numerical order.
    ///
    /// ```
    /// use wengert_data::format::csv::{Table, TableConfig};
    /// let table = Table::parse("n,kind\n10,b\n9,a\n10,b\n", "t.csv", &TableConfig::default())?;
    /// assert_eq!(table.classes("kind")?, (vec![1, 0, 1], vec!["a".to_owned(), "b".to_owned()]));
    /// assert_eq!(table.classes("n")?.1, ["9", "10"]);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such column or a field is missing.
    pub fn classes(&self, column: impl Into<Column>) -> Result<(Vec<i64>, Vec<String>)> {
        let at = self.position(&column.into())?;
        let fields: Vec<&str> = self.rows.iter().map(|row| &row[at]).collect();
        if let Some(row) = fields.iter().position(|field| is_missing(field)) {
            let found =
                if fields[row].is_empty() { "nothing".to_owned() } else { format!("{:?}", fields[row]) };
            return Err(Error::malformed(&self.path, self.place(row, at), "a class", found));
        }
        let mut names = fields.clone();
        // Numbers with equal values and different spellings stay different classes, next to each other.
        let number = |name: &&str| name.parse::<i128>().ok();
        if names.iter().all(|name| number(name).is_some()) {
            names.sort_by_key(|name| (number(name), *name));
        } else {
            names.sort_unstable();
        }
        names.dedup();
        let numbers: std::collections::HashMap<&str, i64> = names.iter().copied().zip(0..).collect();
        let labels = fields.iter().map(|field| numbers[field]).collect();
        Ok((labels, names.into_iter().map(str::to_owned).collect()))
    }

    /// Columns of numbers as inputs and one column as classes, with the names of the classes. See [`Table`] for an
    /// example.
    ///
    /// # Errors
    /// As [`numbers`](Table::numbers) and [`classes`](Table::classes), or if there are no rows.
    pub fn classification<T: Float, C: Into<Column>>(
        &self,
        inputs: impl IntoIterator<Item = C>,
        label: impl Into<Column>,
        missing: Missing,
    ) -> Result<(Classification<T>, Vec<String>)> {
        let inputs = self.numbers(inputs, missing)?;
        let (labels, names) = self.classes(label)?;
        Ok((Classification::new(inputs, labels.into(), names.len())?, names))
    }
}

fn is_missing(field: &str) -> bool {
    ["", "?", "na", "n/a", "nan", "null"].iter().any(|missing| field.eq_ignore_ascii_case(missing))
}

/// The line on which a row begins: the parser's position is before the blank lines and comments that precede it.
fn begin(text: &str, position: &csv::Position, config: &TableConfig) -> usize {
    let rest = text.as_bytes().get(position.byte() as usize..).unwrap_or_default();
    let (mut line, mut comment) = (position.line() as usize, false);
    for &byte in rest {
        comment |= config.comment == Some(byte);
        match byte {
            b'\n' => (line, comment) = (line + 1, false),
            b'\r' => comment = false,
            _ if comment => {}
            _ => break,
        }
    }
    line
}

/// The line of a quote that nothing closes.
fn open_quote(text: &str, config: &TableConfig) -> Option<usize> {
    let (mut open, mut begins, mut closed, mut comment, mut line) = (None, true, false, false, 1);
    let mut line_begins = true;
    for &byte in text.as_bytes() {
        let newline = byte == b'\n' || byte == b'\r';
        comment |= line_begins && open.is_none() && config.comment == Some(byte);
        let was_closed = std::mem::take(&mut closed);
        match byte {
            _ if comment => comment = !newline,
            b'"' if open.is_some() => (open, closed) = (None, true),
            // A doubled quote closes and opens again.
            b'"' if begins || was_closed => open = Some(line),
            _ => {}
        }
        line_begins = newline;
        begins = open.is_none() && (newline || byte == config.delimiter);
        line += usize::from(byte == b'\n');
    }
    open
}

/// A file's text, decompressed if it is a gzip file.
pub(crate) fn text(bytes: Vec<u8>, path: &Path) -> Result<String> {
    let bytes = if is_gzip(&bytes) {
        super::gunzip(&bytes, u64::MAX, path)?
    } else {
        let mut source = Source::new(&bytes, path);
        source.take(bytes.len() as u64, "text")?
    };
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let found = format!("the byte {:#04x}", e.as_bytes()[at]);
        Error::malformed(path, Place::Byte(at as u64), "text in UTF-8", found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table> {
        Table::parse(text, "t.csv", &TableConfig::default())
    }

    fn message<V: fmt::Debug>(result: Result<V>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn fields_may_be_quoted_and_hold_anything() {
        let t = table("a,b\r\n\"x, \"\"y\"\"\nz\", 2 \r\n\r\n3,\"4\"\r\n").unwrap();
        assert_eq!(t.text("a").unwrap(), ["x, \"y\"\nz", "3"]);
        assert_eq!(t.numbers::<f64, _>(["b"], Missing::Refuse).unwrap().to_vec(), [2.0, 4.0]);
        assert_eq!(
            message(table("a,b\n1,\"2\n")),
            "t.csv, line 2: expected a closing quote, found the end of the file"
        );
        assert!(table("a,b\n1,\"\"\"\"\n").is_ok() && table("a,b\n1,\"\"\"\n").is_err());
        let config = TableConfig { comment: Some(b'#'), header: Header::Absent, ..TableConfig::default() };
        let t = Table::parse("# it's \"open\n1,2\n#x\n3,4", "t", &config).unwrap();
        assert_eq!(t.numbers::<f32, _>([1, 0], Missing::Refuse).unwrap().to_vec(), [2.0, 1.0, 4.0, 3.0]);
        assert!(t.names().is_none() && t.width() == 2 && t.len() == 2 && !t.is_empty());
        assert_eq!(
            message(t.text("a")),
            "column: expected a number, since the table has no header, found \"a\""
        );
        assert_eq!(message(t.text(2)), "column: expected a number below 2, found 2");
    }

    #[test]
    fn errors_name_line_and_column() {
        let t = table("a,b\n1,2\n\n\"3\n\",x\ninf,4\n").unwrap();
        assert_eq!(
            message(t.numbers::<f32, _>(["b"], Missing::Mean)),
            "t.csv, line 4, column \"b\": expected a number, found \"x\""
        );
        assert_eq!(
            message(t.numbers::<f32, _>([0], Missing::Mean)),
            "t.csv, line 6, column \"a\": expected a number, found \"inf\""
        );
        let large = table("a\n1e39\n").unwrap();
        assert!(
            message(large.numbers::<f32, _>(["a"], Missing::Mean)).contains("a number that f32 can hold")
        );
        assert!(large.numbers::<f64, _>(["a"], Missing::Mean).is_ok());
        assert_eq!(message(table("")), "t.csv, line 1: expected the names of the columns, found nothing");
        assert_eq!(
            message(table("a,b,a\n").unwrap().text("a")),
            "column: expected a name that occurs once, found \"a\" twice"
        );
        assert_eq!(
            message(table("a\n?\n").unwrap().classes("a")),
            "t.csv, line 2, column \"a\": expected a class, found \"?\""
        );
    }

    #[test]
    fn missing_numbers_are_filled_as_asked() {
        let t = table("a\n1\nNA\n2\n6\n\"\"\n").unwrap();
        let filled = |missing| t.numbers::<f64, _>(["a"], missing).unwrap().to_vec();
        assert_eq!(filled(Missing::Value(-1.0)), [1.0, -1.0, 2.0, 6.0, -1.0]);
        assert_eq!(filled(Missing::Mean), [1.0, 3.0, 2.0, 6.0, 3.0]);
        assert_eq!(filled(Missing::Median), [1.0, 2.0, 2.0, 6.0, 2.0]);
        assert!(t.numbers::<f64, _>(["a"], Missing::Refuse).is_err());
        let none = table("a\n?\n").unwrap();
        assert!(none.numbers::<f64, _>(["a"], Missing::Median).is_err());
        assert_eq!(none.numbers::<f64, _>(["a"], Missing::Value(7.0)).unwrap().to_vec(), [7.0]);
        let even = table("a\n1\n2\n?\n").unwrap();
        assert_eq!(even.numbers::<f64, _>(["a"], Missing::Median).unwrap().to_vec(), [1.0, 2.0, 1.5]);
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused() {
        let e = text(vec![b'a', 0xff], Path::new("t")).unwrap_err().to_string();
        assert_eq!(e, "t, byte 1: expected text in UTF-8, found the byte 0xff");
        assert_eq!(table("\u{feff}a\n1\n").unwrap().names().unwrap(), ["a"]);
        assert!(table("a,b\n").unwrap().classification::<f32, _>(["a"], "b", Missing::Refuse).is_err());
        assert!(table("a\"\"b,c\n\"\",\"x\"\n").is_ok());
    }
}
