//! Tables in CSV files: comma-separated values, quoted if they contain a comma, a quote or a line feed (RFC 4180).

use super::budget::Budget;
use super::text;
use crate::classification::Classification;
use crate::error::{Error, Location, Result, quoted};
use csv_core::{ReadFieldResult, ReaderBuilder};
use std::fmt;
use std::path::{Path, PathBuf};
use wengert_ops::{Float, Tensor};

/// What the first line of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Header {
    /// The names of the columns.
    #[default]
    Names,
    /// A row like the others.
    Absent,
}

/// The syntax of a table.
///
/// ```
/// use wengert_data::format::csv::{Header, TableConfig};
/// let config = TableConfig { delimiter: b'\t', ..TableConfig::default() };
/// assert_eq!((config.header, config.comment), (Header::Names, None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableConfig {
    /// What the first line is. Default: `Names`.
    pub header: Header,
    /// The character between fields. Default: `44`, a comma.
    pub delimiter: u8,
    /// The character at the beginning of lines that are skipped. Default: `None`: no line is.
    pub comment: Option<u8>,
}

impl Default for TableConfig {
    fn default() -> Self {
        TableConfig { header: Header::Names, delimiter: b',', comment: None }
    }
}

/// What to do with a missing number: an empty field, `?`, `NA`, `N/A`, `NaN` or `null` in any case.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Missing {
    /// Return an error with line and column.
    #[default]
    Refuse,
    /// Replace it by this number.
    Value(f64),
    /// Replace it by the mean of the other numbers of the column.
    Mean,
    /// Replace it by the median of the other numbers of the column.
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

/// A table as text, whose columns can be read as numbers or as classes.
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
    /// All fields, concatenated row by row.
    fields: String,
    /// The end of each field, relative to the beginning of its row.
    ends: Vec<u32>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    /// The beginning of its fields.
    at: usize,
    line: usize,
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
    /// If the file cannot be read or takes [too much memory](super::MOST_PER_BYTE), and as [`parse`](Table::parse).
    pub fn read(path: impl AsRef<Path>, config: &TableConfig) -> Result<Self> {
        let path = path.as_ref();
        let (text, budget) = text::read(path, text::UNPACKING)?;
        Table::parse_within(&text, path, config, budget)
    }

    /// A table in memory; `path` is for error messages. Blank lines, blanks around fields and a byte order mark are
    /// skipped.
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
    /// If rows have different numbers of fields or a row has 4 GiB or more, a header is expected and there is none, or
    /// a quote is not closed.
    pub fn parse(text: &str, path: impl AsRef<Path>, config: &TableConfig) -> Result<Self> {
        Table::parse_within(text, path.as_ref(), config, Budget::of(text.len()))
    }

    fn parse_within(text: &str, path: &Path, config: &TableConfig, mut budget: Budget) -> Result<Self> {
        let text = text.strip_prefix(text::MARK).unwrap_or(text);
        let survey = Survey::of(text, config);
        budget.spend(survey.cost(text), "a table", path, Location::Whole)?;
        let mut table = Table {
            path: path.to_owned(),
            names: None,
            width: 0,
            fields: String::with_capacity(text.len()),
            ends: Vec::with_capacity(survey.fields),
            rows: Vec::with_capacity(survey.rows),
        };
        let uneven = table.fill(text, config)?;
        // The parser closes a quote that the text leaves open.
        if let Some(line) = survey.open {
            return Err(Error::malformed(
                path,
                Location::Line(line),
                "a closing quote",
                "the end of the file",
            ));
        }
        if let Some((line, fields)) = uneven {
            return Err(Error::malformed(
                path,
                Location::Line(line),
                format!("{} fields", table.width),
                fields,
            ));
        }
        if config.header == Header::Names {
            if table.rows.is_empty() {
                return Err(Error::malformed(path, Location::Line(1), "the names of the columns", "nothing"));
            }
            table.names = Some((0..table.width).map(|column| table.field(0, column).to_owned()).collect());
            table.rows.remove(0);
            table.ends.drain(..table.width);
        }
        Ok(table)
    }

    /// Adds the rows of the text up to the first one whose number of fields differs from that of the first row; returns
    /// the line of that row and its number of fields.
    fn fill(&mut self, text: &str, config: &TableConfig) -> Result<Option<(usize, usize)>> {
        let mut parser = ReaderBuilder::new().delimiter(config.delimiter).comment(config.comment).build();
        let (mut rest, mut buffer, mut filled) = (text.as_bytes(), vec![0; 1 << 10], 0);
        let (mut row, mut count) = (Row { at: 0, line: begin(rest, 1, config) }, 0);
        loop {
            let (result, read, written) = parser.read_field(rest, &mut buffer[filled..]);
            (rest, filled) = (&rest[read..], filled + written);
            let last = match result {
                ReadFieldResult::InputEmpty => continue,
                ReadFieldResult::OutputFull => {
                    buffer.resize(2 * buffer.len(), 0);
                    continue;
                }
                ReadFieldResult::Field { record_end } => record_end,
                ReadFieldResult::End => return Ok(None),
            };
            let refuse = |expected: &str, found: &str| {
                Err(Error::malformed(&self.path, Location::Line(row.line), expected, found))
            };
            // Only a delimiter that is not ASCII can cut a character in two.
            let Ok(field) = std::str::from_utf8(&buffer[..filled]) else {
                return refuse("fields in UTF-8", "the delimiter inside of a character");
            };
            self.fields.push_str(field.trim());
            let Ok(end) = u32::try_from(self.fields.len() - row.at) else {
                return refuse("a row of less than 4 GiB", "a longer one");
            };
            self.ends.push(end);
            (filled, count) = (0, count + 1);
            if last {
                if self.rows.is_empty() {
                    self.width = count;
                } else if count != self.width {
                    return Ok(Some((row.line, count)));
                }
                self.rows.push(row);
                let line = usize::try_from(parser.line()).unwrap_or(usize::MAX);
                (row, count) = (Row { at: self.fields.len(), line: begin(rest, line, config) }, 0);
            }
        }
    }

    fn field(&self, row: usize, column: usize) -> &str {
        let i = row * self.width + column;
        let begin = if column == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.fields[self.rows[row].at..][begin..self.ends[i] as usize]
    }

    /// The fields of a column.
    fn fields(&self, column: usize) -> impl Iterator<Item = &str> {
        (0..self.len()).map(move |row| self.field(row, column))
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

    /// The names of the columns, if there is a header. See [`parse`](Table::parse) for an example.
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
                    return refuse("a number, since the table has no header".into(), quoted(name));
                };
                let mut at = (0..self.width).filter(|&i| names[i] == *name);
                match (at.next(), at.next()) {
                    (Some(i), None) => Ok(i),
                    (Some(_), Some(_)) => {
                        refuse("a name that occurs once".into(), format!("{} twice", quoted(name)))
                    }
                    _ => refuse(format!("one of {}", some_of(names)), quoted(name)),
                }
            }
        }
    }

    fn place(&self, row: usize, column: usize) -> Location {
        let column = match &self.names {
            Some(names) => quoted(&names[column]),
            None => column.to_string(),
        };
        Location::Cell { line: self.rows[row].line, column }
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
        Ok(self.fields(at).collect())
    }

    /// Columns of numbers: `[rows, columns]`. See [`Table`] for an example.
    ///
    /// # Errors
    /// If a column does not exist, a field is not a finite number, or a number is missing and that is an error or its
    /// column has no numbers to take a mean or median of.
    pub fn numbers<T: Float, C: Into<Column>>(
        &self,
        columns: impl IntoIterator<Item = C>,
        missing: Missing,
    ) -> Result<Tensor<T>> {
        let columns = columns.into_iter();
        let mut numbers = Vec::with_capacity(columns.size_hint().0);
        for column in columns {
            numbers.push(self.position(&column.into())?);
        }
        let columns = numbers;
        let mut table = Tensor::try_full([self.len(), columns.len()], T::ZERO)?;
        let places = table.data_mut();
        for (k, &column) in columns.iter().enumerate() {
            for (row, value) in self.column(column, missing)?.into_iter().enumerate() {
                let number = T::from_f64(value);
                if value.is_finite() && number.abs() == T::INFINITY {
                    let expected = format!("a number that {} can hold", T::DTYPE);
                    return Err(Error::malformed(&self.path, self.place(row, column), expected, value));
                }
                places[row * columns.len() + k] = number;
            }
        }
        Ok(table)
    }

    fn column(&self, column: usize, missing: Missing) -> Result<Vec<f64>> {
        // Missing numbers are NaN until they are replaced.
        let mut values = Vec::with_capacity(self.len());
        for (row, field) in self.fields(column).enumerate() {
            values.push(match field.parse::<f64>() {
                _ if is_missing(field) => f64::NAN,
                Ok(value) if value.is_finite() => value,
                _ => return Err(self.refuse(row, column, "a number")),
            });
        }
        let Some(first) = values.iter().position(|value| value.is_nan()) else { return Ok(values) };
        let present = || values.iter().copied().filter(|value| !value.is_nan());
        let fill = match missing {
            Missing::Refuse => None,
            Missing::Value(value) => Some(value),
            _ if present().next().is_none() => None,
            Missing::Mean => Some(present().sum::<f64>() / present().count() as f64),
            Missing::Median => {
                let mut present: Vec<f64> = present().collect();
                present.sort_unstable_by(f64::total_cmp);
                let middle = present.len() / 2;
                let below = present[(present.len() - 1) / 2];
                Some(below + (present[middle] - below) / 2.0)
            }
        };
        let fill = fill.ok_or_else(|| self.refuse(first, column, "a number"))?;
        values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = fill);
        Ok(values)
    }

    fn refuse(&self, row: usize, column: usize, expected: &str) -> Error {
        let found = match self.field(row, column) {
            "" => "nothing".to_owned(),
            field => quoted(field),
        };
        Error::malformed(&self.path, self.place(row, column), expected, found)
    }

    /// A column as classes: the class of each row, and the names of the classes. They are in alphabetical order or, if
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
    /// If the column does not exist or a field is missing.
    pub fn classes(&self, column: impl Into<Column>) -> Result<(Vec<i64>, Vec<String>)> {
        let at = self.position(&column.into())?;
        if let Some(row) = self.fields(at).position(is_missing) {
            return Err(self.refuse(row, at, "a class"));
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        // Equal numbers with different spellings remain different classes, next to each other.
        let number = |field: &str| field.parse::<i128>().ok();
        let name = |row: usize| self.field(row, at);
        if self.fields(at).all(|field| number(field).is_some()) {
            order.sort_unstable_by_key(|&row| (number(name(row)), name(row)));
        } else {
            order.sort_unstable_by_key(|&row| name(row));
        }
        let (mut labels, mut names) = (vec![0; self.len()], Vec::new());
        for (i, &row) in order.iter().enumerate() {
            if i == 0 || name(order[i - 1]) != name(row) {
                names.push(name(row).to_owned());
            }
            labels[row] = names.len() as i64 - 1;
        }
        Ok((labels, names))
    }

    /// Columns of numbers as inputs and one column as classes, with the names of the classes. See [`Table`] for an
    /// example.
    ///
    /// # Errors
    /// As [`numbers`](Table::numbers) and [`classes`](Table::classes), and if there are no rows.
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

/// The line of the next row, after blank lines and comments.
fn begin(rest: &[u8], mut line: usize, config: &TableConfig) -> usize {
    let mut comment = false;
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

/// What is known about a table before it is parsed.
struct Survey {
    /// The line of a quote that is not closed.
    open: Option<usize>,
    /// Upper bounds of the numbers of fields and of rows.
    fields: usize,
    rows: usize,
    /// The number of fields of the first row.
    width: usize,
}

impl Survey {
    fn of(text: &str, config: &TableConfig) -> Self {
        let (mut open, mut begins, mut closed, mut comment, mut line) = (None, true, false, false, 1);
        let mut line_begins = true;
        let (mut fields, mut rows, mut width) = (1, 1, None);
        for &byte in text.as_bytes() {
            let newline = byte == b'\n' || byte == b'\r';
            comment |= line_begins && open.is_none() && config.comment == Some(byte);
            let was_closed = std::mem::take(&mut closed);
            match byte {
                _ if comment => comment = !newline,
                b'"' if open.is_some() => (open, closed) = (None, true),
                // A doubled quote closes and opens again.
                b'"' if begins || was_closed => open = Some(line),
                _ if open.is_some() => {}
                _ if newline && !line_begins => {
                    width = width.or(Some(fields));
                    (rows, fields) = (rows + 1, fields + 1);
                }
                _ if byte == config.delimiter => fields += 1,
                _ => {}
            }
            line_begins = newline;
            begins = open.is_none() && (newline || byte == config.delimiter);
            line += usize::from(byte == b'\n');
        }
        Survey { open, fields, rows, width: width.unwrap_or(fields) }
    }

    /// The memory that the table needs in addition to its text, including the names of its columns.
    fn cost(&self, text: &str) -> u64 {
        let names = size_of::<String>() * self.width;
        (2 * text.len() + size_of::<u32>() * self.fields + size_of::<Row>() * self.rows + names) as u64
    }
}

/// The largest number of names that a message lists.
const MOST_LISTED: usize = 20;

/// Names for a message.
fn some_of(names: &[String]) -> String {
    let some: Vec<String> = names.iter().take(MOST_LISTED).map(|name| quoted(name)).collect();
    let more =
        if names.len() > MOST_LISTED { format!(", .. ({} in all)", names.len()) } else { String::new() };
    format!("[{}{more}]", some.join(", "))
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
    fn a_byte_order_mark_and_empty_tables_are_no_matter() {
        for text in ["\u{feff}a\n1\n", "\u{feff}\"a\"\n1\n"] {
            assert_eq!(table(text).unwrap().names().unwrap(), ["a"]);
        }
        let config = TableConfig { comment: Some(b'#'), ..TableConfig::default() };
        let marked = Table::parse("\u{feff}#x\na\n1\n", "t", &config).unwrap();
        assert_eq!((marked.names().unwrap(), marked.len()), (&["a".to_owned()][..], 1));
        assert_eq!(
            message(table("\u{feff}\"a\n1\n")),
            "t.csv, line 1: expected a closing quote, found the end of the file"
        );
        assert!(table("a,b\n").unwrap().classification::<f32, _>(["a"], "b", Missing::Refuse).is_err());
        assert!(table("a\"\"b,c\n\"\",\"x\"\n").is_ok());
    }

    #[test]
    fn what_a_table_holds_is_shown_with_escapes_and_in_short() {
        let wild = format!("\u{1b}]0;{}\u{7}", "x".repeat(500));
        let text = format!("{wild},b\n{wild},2\n");
        let t = table(&text).unwrap();
        for e in [
            t.numbers::<f32, _>([0], Missing::Refuse).unwrap_err(),
            t.text("c").unwrap_err(),
            table(&format!("{wild}\n{wild},2\n")).unwrap_err(),
        ] {
            let e = e.to_string();
            assert!(e.chars().all(|c| !c.is_control()) && e.len() < 400, "{e:?}");
        }
        let many: Vec<String> = (0..50).map(|i| format!("c{i}")).collect();
        let e = message(table(&format!("{}\n", many.join(","))).unwrap().text("x"));
        assert!(e.contains("\"c19\", .. (50 in all)], found \"x\""), "{e}");
    }

    #[test]
    fn a_survey_counts_at_least_what_is_there() {
        let config = TableConfig { comment: Some(b'#'), header: Header::Absent, ..TableConfig::default() };
        for text in
            ["", "a", "a,b\n\n\r\n1,2\r\n#,,,,\n\"3\n,\",\"\"\"\"", ",,,\n,,,", "\"a\"x,\"b\n\"\nc,d\n"]
        {
            let survey = Survey::of(text, &config);
            let table = Table::parse(text, "t", &config).unwrap();
            assert!(survey.rows >= table.len() && survey.rows <= table.len() + 1, "{text:?}");
            assert!(survey.fields >= table.ends.len() && survey.fields <= table.ends.len() + 1, "{text:?}");
            assert!(survey.width == table.width() || text.is_empty(), "{text:?}");
        }
    }
}
