//! [`Summary`]: a model's layers and their parameter counts as a table.

use crate::module::{Leaf, Module, ModulePath, Visitor};
use std::fmt;
use wengert_ops::Shape;

/// A model's layers with the shapes and counts of their parameters, and the totals.
///
/// ```
/// use wengert_nn::{Activation, Linear, Sequential, Summary};
/// use wengert_ops::random::Rng;
/// let mut rng = Rng::seed(0);
/// let net = Sequential::<f32>::new()
///     .push(Linear::new(64, 128, &mut rng))
///     .push(Activation::Relu)
///     .push(Linear::new(128, 10, &mut rng));
/// let summary = Summary::of(&net);
/// assert_eq!(summary.total, 64 * 128 + 128 + 128 * 10 + 10);
/// assert_eq!(summary.to_string(), "\
/// layer  kind        parameters                    count
/// ------------------------------------------------------
///        Sequential                                     
///   0    Linear      weight [128, 64], bias [128]  8,320
///   1    Activation                                    0
///   2    Linear      weight [10, 128], bias [10]   1,290
/// ------------------------------------------------------
/// total 9,610 parameters, 9,610 trainable, 38.4 kB");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// One row per module, in order, containers before their parts.
    pub rows: Vec<Row>,
    /// The number of elements in all parameters.
    pub total: usize,
    /// The number of elements in the parameters that are not frozen.
    pub trainable: usize,
    /// The size of all parameters in bytes.
    pub bytes: usize,
}

/// One module of a [`Summary`].
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The module's path, such as `encoder.0`.
    pub path: String,
    /// The name of the module's type.
    pub kind: &'static str,
    /// The number of modules that contain this one.
    pub depth: usize,
    /// The names and shapes of its own parameters.
    pub params: Vec<(String, Shape)>,
    /// The number of elements in its own parameters.
    pub count: usize,
    /// Whether it contains other modules.
    pub container: bool,
}

impl Summary {
    /// The summary of a model.
    pub fn of(model: &dyn Module) -> Self {
        let mut build =
            Build { open: Vec::new(), summary: Summary { rows: vec![], total: 0, trainable: 0, bytes: 0 } };
        model.visit(&mut ModulePath::root(), &mut build);
        build.summary
    }
}

struct Build {
    /// The rows of the modules that the walk is inside of, outermost first.
    open: Vec<usize>,
    summary: Summary,
}

impl Build {
    fn param(&mut self, path: &ModulePath, p: Leaf<'_>) {
        let s = &mut self.summary;
        s.total += p.numel();
        s.trainable += if p.is_trainable() { p.numel() } else { 0 };
        s.bytes += p.value().nbytes();
        let row = match self.open.last() {
            Some(&i) => i,
            None => {
                // A parameter that is itself the model.
                let row = Row {
                    path: String::new(),
                    kind: "Param",
                    depth: 0,
                    params: vec![],
                    count: 0,
                    container: false,
                };
                s.rows.push(row);
                s.rows.len() - 1
            }
        };
        let row = &mut s.rows[row];
        let name = path.as_str().strip_prefix(row.path.as_str()).unwrap_or(path.as_str());
        row.params.push((name.trim_start_matches('.').to_owned(), p.shape().clone()));
        row.count += p.numel();
    }
}

impl Visitor for Build {
    fn enter(&mut self, path: &ModulePath, kind: &'static str) {
        if let Some(&parent) = self.open.last() {
            self.summary.rows[parent].container = true;
        }
        let path = path.as_str().to_owned();
        let row = Row { path, kind, depth: self.open.len(), params: vec![], count: 0, container: false };
        self.open.push(self.summary.rows.len());
        self.summary.rows.push(row);
    }
    fn leave(&mut self, _path: &ModulePath) {
        self.open.pop();
    }
    fn leaf(&mut self, path: &ModulePath, leaf: Leaf<'_>) {
        if leaf.is_param() {
            self.param(path, leaf);
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = |row: &Row| {
            let params = row
                .params
                .iter()
                .map(|(name, shape)| format!("{name} {shape}"))
                .collect::<Vec<_>>()
                .join(", ");
            let count =
                if row.container && row.params.is_empty() { String::new() } else { grouped(row.count) };
            [format!("{}{}", "  ".repeat(row.depth), row.path), row.kind.to_owned(), params, count]
        };
        let header = ["layer", "kind", "parameters", "count"].map(str::to_owned);
        let table: Vec<[String; 4]> = std::iter::once(header).chain(self.rows.iter().map(cells)).collect();
        let width = |i: usize| table.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
        let w = [width(0), width(1), width(2), width(3)];
        let rule = "-".repeat(w.iter().sum::<usize>() + 6);
        for (i, [layer, kind, params, count]) in table.iter().enumerate() {
            writeln!(
                f,
                "{layer:<a$}  {kind:<b$}  {params:<c$}  {count:>d$}",
                a = w[0],
                b = w[1],
                c = w[2],
                d = w[3]
            )?;
            if i == 0 {
                writeln!(f, "{rule}")?;
            }
        }
        let (total, trainable) = (grouped(self.total), grouped(self.trainable));
        write!(f, "{rule}\ntotal {total} parameters, {trainable} trainable, {}", size(self.bytes))
    }
}

/// A number in decimal, with commas between groups of three digits.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}

fn size(bytes: usize) -> String {
    match bytes as f64 {
        b if b < 1e3 => format!("{bytes} B"),
        b if b < 1e6 => format!("{:.1} kB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.2} GB", b / 1e9),
    }
}
