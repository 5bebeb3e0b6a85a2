//! The fuzz covers every public function: the sources are read, and each public function must be in the table.

#[path = "../../../crates/tape/tests/words.rs"]
mod words;

use crate::functions;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use words::words;

/// Public functions that the fuzz does not call, with the reasons. A name that ends in `::` means all functions under it.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("tape::Tape::strict", "panics at the first error, which is its purpose"),
    ("tape::Gen::", "draws inputs for tests: its arguments are a test's own, and an empty choice panics"),
    (
        "nn::ParamState::slots_mut",
        "panics if an optimiser's method asks for other slots than it has,
        which is its own mistake",
    ),
    ("tape::strategies::", "behind a feature, and only for tests"),
    ("tape::suite::assert_property", "an assertion: it panics if the property does not hold"),
    ("nn::TrainingCheck::", "assertions: they panic if what they assert does not hold"),
    ("nn::training::assert_gradients", "an assertion, as above"),
    ("nn::training::assert_no_unused_parameters", "an assertion, as above"),
    ("tape::rules::table", "behind a feature, takes nothing, and the tests of the tape run all of it"),
    ("tape::Var::rows", "runs a program of the caller's, which may do anything"),
    ("ops::simd::with_fma", "runs a closure of the caller's"),
    ("ops::simd::instruction_set", "takes nothing, and its documentation runs it"),
    ("ops::Arena::", "the scalar tape's records, which never leave it"),
];

/// Traits of the libraries whose functions users call.
const TRAITS: &[&str] = &["Layer", "Optimizer", "LanguageModel"];

/// Entries of the table that are operators or provided functions of traits.
const OTHERS: &[&str] =
    &["tape::operators::", "nn::dyn Module::", "nn::dyn Distribution::", "nn::dyn LanguageModel::"];

pub(crate) fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates")
}

pub(crate) fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // The scalar tape takes plain numbers; its types have the names of the tensor tape's types.
        if path.is_dir() && !path.ends_with("tape/src/scalar") {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The arguments of a macro that declares types, and the functions of these types.
#[derive(Default)]
struct Shaping {
    /// The names of the identifiers in one row of its arguments.
    row: Vec<String>,
    /// Functions, each with the name of the identifier that is its type.
    functions: BTreeSet<(String, String)>,
}

/// Finds the public functions of a file.
#[derive(Default)]
struct Finder {
    /// The name of the crate.
    of: String,
    /// The name of the module, for functions that are not methods.
    module: String,
    found: BTreeSet<String>,
    /// The macros that the file defines.
    defined: BTreeSet<String>,
    /// Macros that declare functions with names from their arguments, each with the functions' type or module.
    declaring: BTreeMap<String, String>,
    /// Macros that declare types with functions.
    shaping: BTreeMap<String, Shaping>,
    /// The words in the calls of each macro.
    calls: BTreeMap<String, Vec<String>>,
    /// The calls in `impl` blocks: the type, the macro and the words.
    methods: Vec<(String, String, Vec<String>)>,
}

impl Finder {
    fn add(&mut self, of: &str, name: &str) {
        self.found.insert(format!("{}::{of}::{name}", self.of));
    }

    /// Collects the functions that the body of a macro declares.
    fn body_of_macro(&mut self, name: &str, body: &str) {
        let words = words(body);
        let matched = words.windows(2).position(|w| w == ["=", ">"]).unwrap_or(0);
        let row = words[..matched].windows(4).filter(|w| w[0] == "$" && w[2..] == [":", "ident"]);
        let row: Vec<_> = row.map(|w| w[1].to_owned()).collect();
        let mut of = self.module.clone();
        for (i, pair) in words.windows(2).enumerate() {
            // Exclude the `impl Trait` of an argument.
            let item = i == 0 || ["{", "}", ";", "]", "("].contains(&words[i - 1]);
            if pair[0] == "impl" && item {
                let head: Vec<_> = words[i..].iter().take_while(|w| **w != "{").collect();
                let is_trait = head.iter().any(|w| **w == "for");
                let ty = head
                    .iter()
                    .rev()
                    .find(|w| w.starts_with(|c: char| c.is_ascii_uppercase()) && w.len() > 1);
                of = if is_trait { String::new() } else { ty.map_or(String::new(), |t| (**t).to_owned()) };
                if let Some(dollar) = head.iter().rposition(|w| **w == "$").filter(|_| !is_trait) {
                    of = format!("${}", head.get(dollar + 1).map_or("", |w| **w));
                }
            }
            if pair != ["pub", "fn"] || of.is_empty() {
                continue;
            }
            match words.get(i + 2) {
                Some(function) if of.starts_with('$') => {
                    let shaping = self.shaping.entry(name.to_owned()).or_default();
                    shaping.row.clone_from(&row);
                    shaping.functions.insert((of[1..].to_owned(), (*function).to_owned()));
                }
                Some(&"$") => drop(self.declaring.insert(name.to_owned(), of.clone())),
                Some(function) => self.add(&of, function),
                None => {}
            }
        }
    }
}

fn last(path: &syn::Path) -> String {
    path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default()
}

fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|a| a.path().is_ident("cfg") && quote(&a.meta).contains("test"))
}

fn quote(meta: &syn::Meta) -> String {
    meta.require_list().map(|l| l.tokens.to_string()).unwrap_or_default()
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, m: &'ast syn::ItemMod) {
        if !is_test(&m.attrs) && m.content.is_some() {
            let outer = std::mem::replace(&mut self.module, m.ident.to_string());
            visit::visit_item_mod(self, m);
            self.module = outer;
        }
    }

    fn visit_item_impl(&mut self, i: &'ast syn::ItemImpl) {
        let of = match &*i.self_ty {
            syn::Type::Path(p) => {
                // Tensors of one element type are listed as tensors.
                last(&p.path)
            }
            _ => return,
        };
        let ours = i.trait_.as_ref().is_some_and(|(_, path, _)| TRAITS.contains(&last(path).as_str()));
        for item in &i.items {
            if let syn::ImplItem::Fn(f) = item
                && (ours || i.trait_.is_none() && matches!(f.vis, syn::Visibility::Public(_)))
                && of != "Box"
            {
                self.add(&of, &f.sig.ident.to_string());
            }
            if let syn::ImplItem::Macro(m) = item
                && i.trait_.is_none()
            {
                self.methods.push((of.clone(), last(&m.mac.path), names_in(&m.mac.tokens)));
            }
        }
    }

    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        if matches!(f.vis, syn::Visibility::Public(_)) {
            let module = self.module.clone();
            self.add(&module, &f.sig.ident.to_string());
        }
    }

    fn visit_item_macro(&mut self, m: &'ast syn::ItemMacro) {
        let tokens = m.mac.tokens.to_string();
        match &m.ident {
            Some(name) => {
                self.defined.insert(name.to_string());
                self.body_of_macro(&name.to_string(), &tokens);
            }
            None => {
                let name = last(&m.mac.path);
                let words: Vec<_> = names_in(&m.mac.tokens);
                self.calls.entry(name).or_default().extend(words);
            }
        }
    }
}

/// The words of a macro's call that can be names of functions: words at the top level and in parentheses, but not in
/// expressions.
fn names_in(tokens: &proc_macro2::TokenStream) -> Vec<String> {
    use proc_macro2::{Delimiter, TokenTree};
    let mut names = Vec::new();
    let mut expression = false;
    for token in tokens.clone() {
        match token {
            TokenTree::Punct(p) if p.as_char() == ';' => expression = false,
            TokenTree::Punct(p) if ['|', '=', '.', ':'].contains(&p.as_char()) => expression = true,
            TokenTree::Group(g) if !expression && g.delimiter() == Delimiter::Parenthesis => {
                names.extend(names_in(&g.stream()));
            }
            TokenTree::Ident(i) if !expression => {
                let i = i.to_string();
                if i.len() > 1 && !["true", "false"].contains(&&*i) {
                    names.push(i);
                }
            }
            _ => {}
        }
    }
    names
}

/// Reads the file of a module.
fn read(of: &str, module: &str, text: &str) -> Finder {
    let mut finder = Finder { of: of.to_owned(), module: module.to_owned(), ..Finder::default() };
    finder.visit_file(&syn::parse_file(text).unwrap());
    finder
}

/// The public functions of the files of a crate.
fn functions_of(mut files: Vec<Finder>) -> BTreeSet<String> {
    // A macro that declares functions of its module declares them in other modules too.
    let shared = |f: &Finder| {
        f.declaring
            .iter()
            .filter(|(_, of)| **of == f.module)
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let shared: BTreeSet<String> = files.iter().flat_map(shared).collect();
    for file in &mut files {
        for name in shared.difference(&file.defined) {
            file.declaring.insert(name.clone(), file.module.clone());
        }
    }
    files.into_iter().flat_map(functions_of_file).collect()
}

fn functions_of_file(mut finder: Finder) -> BTreeSet<String> {
    for (name, place) in finder.declaring.clone() {
        for function in finder.calls.get(&name).cloned().unwrap_or_default() {
            if function.starts_with(|c: char| c.is_ascii_lowercase()) {
                finder.add(&place, &function);
            }
        }
    }
    for (of, name, functions) in std::mem::take(&mut finder.methods) {
        if finder.declaring.contains_key(&name) {
            functions.iter().for_each(|function| finder.add(&of, function));
        }
    }
    for (name, Shaping { row, functions }) in std::mem::take(&mut finder.shaping) {
        let call = finder.calls.get(&name).cloned().unwrap_or_default();
        // If the rows do not have all identifiers of the declaration, any word may be the type.
        let even = !row.is_empty() && call.len().is_multiple_of(row.len());
        for (i, of) in call.iter().enumerate() {
            if of == "Kind" || !of.starts_with(|c: char| c.is_ascii_uppercase()) {
                continue;
            }
            for (ty, function) in &functions {
                if !even || row[i % row.len()] == *ty {
                    finder.add(of, function);
                }
            }
        }
    }
    finder.found
}

pub(crate) fn public_functions() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for of in ["ops", "tape", "nn"] {
        let mut paths = Vec::new();
        files(&crates().join(of).join("src"), &mut paths);
        let read = |path: PathBuf| {
            let file = path.file_stem().unwrap().to_str().unwrap();
            let dir = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            let module = if ["mod", "lib"].contains(&file) { dir } else { file };
            read(of, module, &std::fs::read_to_string(&path).unwrap())
        };
        all.extend(functions_of(paths.into_iter().map(read).collect()));
    }
    all
}

#[test]
fn the_reader_of_sources_finds_every_form_of_declaration() {
    let text = r#"
        impl<T: Float> Var<'_, T> {
            pub fn plain(self) -> Self { self }
            pub(crate) fn ours(self) {}
            fn private(self) {}
        }
        impl Tensor<bool> { pub fn flat(&self) {} }
        impl<T: Float> Layer<T> for Linear<T> { fn forward(&self) {} }
        impl Debug for Linear { fn fmt(&self) {} }
        pub fn free() {}
        mod inner { pub fn nested() {} }
        #[cfg(test)] mod tests { pub fn test() {} }
        macro_rules! many { ($($(#[$d:meta])* $name:ident $f:expr;)*) => { impl<T: Float> Tensor<T> { $(pub fn $name(self) {})* } } }
        many! { first |a, b| a + b; /** doc */ second Float::maximum; }
        macro_rules! pairs { ($(($a:ident $b:ident $c:literal))*) => { $(pub fn $a() {} pub fn $b() {})* } }
        pairs! { (left right true) }
        macro_rules! formulas { ($($name:ident $with:ident($x:ident,
            $t:ident) $f:expr;)*) => { $(pub fn $name(o: impl Operand<T>) {} pub fn $with(o: impl Operand<T>) {})* } }
        formulas! { loss loss_with(x, t) (x - t).square(); }
        macro_rules! layers { ($($d:literal $max:ident $op:ident $avg:ident;)*) => { $(impl $max { pub fn find() {} }
            impl<T: Float> $avg<T> { pub fn mean() {} } impl<T: Float> Layer<T> for $avg<T> { fn forward() {} })* } }
        layers! { 1 Max1 max1 Avg1; 2 Max2 max2 Avg2; }
        macro_rules! setters { ($($(#[$d:meta])* $name:ident)*) => { $(pub fn $name(self) {})* } }
        impl<const D: usize> Window<D> { setters! { /** doc */ stride /** doc */ padding } pub fn last() {} }
    "#;
    let other = r#"
        formulas! { log_loss log_loss_with(x, t) (x - t).log(); }
        macro_rules! many { ($($name:ident)*) => { $(const $name: u8 = 0;)* } }
        many! { third }
    "#;
    let found = functions_of(vec![read("c", "m", text), read("c", "o", other)]);
    let want = [
        "c::Var::plain",
        "c::Tensor::flat",
        "c::Linear::forward",
        "c::m::free",
        "c::inner::nested",
        "c::Tensor::first",
        "c::Tensor::second",
        "c::m::left",
        "c::m::right",
        "c::m::loss",
        "c::m::loss_with",
        "c::o::log_loss",
        "c::o::log_loss_with",
        "c::Window::stride",
        "c::Window::padding",
        "c::Window::last",
        "c::Max1::find",
        "c::Max2::find",
        "c::Avg1::mean",
        "c::Avg2::mean",
    ];
    assert_eq!(found, want.into_iter().map(str::to_owned).collect());
}

#[test]
fn every_public_function_is_called() {
    let (public, called) = (public_functions(), functions::<f64>());
    let called: BTreeSet<&str> = called.iter().map(|f| f.name).collect();
    for known in [
        "ops::Tensor::sum",
        "tape::Var::tanh",
        "tape::derivatives::jvp",
        "nn::loss::mse",
        "nn::FirstOrder::step",
    ] {
        assert!(public.contains(known), "the sources seem not to declare {known}");
    }
    let exempt =
        |name: &str| EXCEPTIONS.iter().any(|(e, _)| *e == name || e.ends_with("::") && name.starts_with(e));
    let missing: Vec<_> = public.iter().filter(|n| !called.contains(n.as_str()) && !exempt(n)).collect();
    assert!(missing.is_empty(), "the fuzz has no line for {} functions: {missing:#?}", missing.len());
    let other = |name: &str| OTHERS.iter().any(|o| name.starts_with(o));
    let stale: Vec<_> = called.iter().filter(|n| !public.contains(**n) && !other(n)).collect();
    assert!(stale.is_empty(), "in the table, but not public functions: {stale:#?}");
    for (e, why) in EXCEPTIONS {
        assert!(public.iter().any(|n| n.starts_with(e)), "{e} ({why}) is gone");
    }
}

#[test]
fn no_function_has_two_lines() {
    let mut names: Vec<_> = functions::<f64>().iter().map(|f| f.name).collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// Functions that run a function of the caller, or that sweep through a value of the caller.
const OF_OTHERS: &[&str] =
    &["backward", "backward_from", "backward_retaining", "grad", "hook", "pointwise", "pointwise2"];

/// Functions whose arguments the fuzz makes with another function.
const OF_ANOTHER: &[(&str, &str)] = &[
    ("col2im", "im2col"),
    ("max_unpool1d", "max_pool1d_with_indices"),
    ("max_unpool2d", "max_pool2d_with_indices"),
];

/// Functions whose arguments the fuzz makes with a sum and a transpose.
const OF_DEFINITE: &[&str] =
    &["cholesky", "det", "eigh", "eigvalsh", "inverse", "logdet", "slogdet", "solve", "solve_triangular"];

/// An error names the method that was called, or the function that it is a form of (`sum` for `sum_keepdim`).
#[test]
fn an_error_names_the_function_that_was_called() {
    use crate::arguments::Arguments;
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    for f in functions::<f64>() {
        let Some(method) = f.name.strip_prefix("tape::Var::").filter(|m| !OF_OTHERS.contains(m)) else {
            continue;
        };
        for seed in 0..400 {
            let (tape, other) = (wengert::Tape::new(), wengert::Tape::new());
            let seen = (f.call)(&mut Arguments::new(seed, &tape, &other));
            let Some(refused) = seen.refused else { continue };
            let op = refused.split(':').next().unwrap_or_default();
            let is_form =
                method.strip_prefix(op).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
            // "fuzz" refuses arguments; "operand" and "value" are the tape's words for a handle that it does not know.
            let of_argument = ["fuzz", "operand", "value"].contains(&op)
                || OF_ANOTHER.contains(&(method, op))
                || OF_DEFINITE.contains(&method) && ["add", "t"].contains(&op);
            if !is_form && !of_argument {
                wrong
                    .insert(format!("{method}: {op}"), refused.lines().next().unwrap_or_default().to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{} errors name another function: {wrong:#?}", wrong.len());
}
