//! Every differentiable operation is checked: the sources are read, and an entry of the table must exercise every public
//! operation.

use crate::words::words;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use wengert_tape::gradcheck::Spec;
use wengert_tape::rules::table;

/// Public functions that return a `Var` without being operations, with the reason.
const NOT_OPERATIONS: &[(&str, &str)] = &[
    ("apply", "records whatever op it is given"),
    ("apply_many", "records whatever op it is given"),
    ("apply_static", "records whatever op it is given"),
    ("pointwise", "records whatever function it is given"),
    ("pointwise2", "records whatever function it is given"),
    ("var", "a leaf"),
    ("constant", "a leaf"),
    ("param", "a leaf"),
    ("failed", "a value that has failed, for the error of something outside the tape"),
    ("outputs", "returns the outputs of a call as a list, computes nothing"),
    ("keep", "marks the value, computes nothing"),
    ("named", "names the value, computes nothing"),
    ("detach", "cuts the gradient, by its name"),
    ("zeros_like", "a constant"),
    ("ones_like", "a constant"),
    ("grad", "the recorded sweep, which every second-order check runs through"),
];

/// Names in the table that are not methods: the operators, and names for several of them.
const OPERATORS: &[&str] = &["add", "sub", "mul", "div", "neg", "scalar"];

/// Methods in the table whose entry calls the underlying op, with the reason.
const CALLED_OTHERWISE: &[(&str, &str)] =
    &[("dropout", "its entry records the op with a fixed key, so that a check draws the same mask twice")];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            // The scalar tape's `Var` is another type: no operation on tensors is declared there.
            if path.ends_with("src/scalar") {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&src(), &mut found);
    found.sort();
    found
        .into_iter()
        .map(|p| {
            let text = std::fs::read_to_string(&p).unwrap();
            (p, text)
        })
        .collect()
}

/// Finds the public functions of a file that return values of a tape.
#[derive(Default)]
struct Finder {
    /// The type whose `impl` is being read, if it is one of the tape's.
    inside: Option<&'static str>,
    found: BTreeSet<String>,
    /// Macros that declare such functions under names passed to them.
    declaring: BTreeSet<String>,
    /// The words passed to each macro.
    calls: BTreeMap<String, Vec<String>>,
}

/// Whether a type mentions `Var`, or `Self` where that is `Var`.
struct Mentions<'a> {
    self_is_var: bool,
    seen: &'a mut bool,
}

impl<'ast> Visit<'ast> for Mentions<'_> {
    fn visit_path_segment(&mut self, s: &'ast syn::PathSegment) {
        *self.seen |= s.ident == "Var" || (self.self_is_var && s.ident == "Self");
        visit::visit_path_segment(self, s);
    }
}

impl Finder {
    fn consider(&mut self, vis: &syn::Visibility, sig: &syn::Signature) {
        let syn::ReturnType::Type(_, output) = &sig.output else {
            return;
        };
        let mut seen = false;
        Mentions { self_is_var: self.inside == Some("Var"), seen: &mut seen }.visit_type(output);
        if matches!(vis, syn::Visibility::Public(_)) && seen {
            self.found.insert(sig.ident.to_string());
        }
    }

    /// The functions that the body of a macro declares.
    fn consider_macro(&mut self, name: &str, body: &str) {
        let words = words(body);
        for (i, pair) in words.windows(2).enumerate() {
            if pair != ["pub", "fn"] {
                continue;
            }
            let signature: Vec<_> = words[i + 2..].iter().take_while(|w| **w != "{").collect();
            let arrow = signature.windows(2).position(|w| *w[0] == "-" && *w[1] == ">");
            let output = arrow.map_or(&[][..], |at| &signature[at..]);
            if !output.iter().any(|w| ["Self", "Var"].contains(w)) {
                continue;
            }
            if *signature[0] == "$" {
                self.declaring.insert(name.to_owned());
            } else {
                self.found.insert((*signature[0]).to_owned());
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_impl(&mut self, i: &'ast syn::ItemImpl) {
        let of = match &*i.self_ty {
            syn::Type::Path(p) => p.path.segments.last().map(|s| s.ident.to_string()),
            _ => None,
        };
        self.inside = ["Var", "Tape"].into_iter().find(|t| Some(*t) == of.as_deref());
        if i.trait_.is_none() && self.inside.is_some() {
            for item in &i.items {
                if let syn::ImplItem::Fn(f) = item {
                    self.consider(&f.vis, &f.sig);
                }
            }
        }
        self.inside = None;
    }

    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        self.consider(&f.vis, &f.sig);
    }

    fn visit_item_macro(&mut self, m: &'ast syn::ItemMacro) {
        let tokens = m.mac.tokens.to_string();
        match &m.ident {
            Some(name) => self.consider_macro(&name.to_string(), &tokens),
            None => {
                let name = m.mac.path.segments.last().unwrap().ident.to_string();
                let words =
                    words(&tokens).into_iter().filter(|w| w.starts_with(|c: char| c.is_ascii_lowercase()));
                self.calls.entry(name).or_default().extend(words.map(str::to_owned));
            }
        }
    }
}

fn operations_of(text: &str) -> BTreeSet<String> {
    let mut finder = Finder::default();
    finder.visit_file(&syn::parse_file(text).unwrap());
    for name in &finder.declaring {
        let words = finder.calls.get(name).into_iter().flatten();
        let other = ["true", "false", "doc"];
        let text: Vec<_> = words.filter(|w| !other.contains(&w.as_str())).cloned().collect();
        finder.found.extend(text);
    }
    finder.found
}

fn operations() -> BTreeMap<String, PathBuf> {
    let each = sources().into_iter().flat_map(|(path, text)| {
        operations_of(&text).into_iter().map(move |name| (name, path.clone())).collect::<Vec<_>>()
    });
    each.collect()
}

fn covered() -> BTreeSet<&'static str> {
    table().into_iter().map(|spec| spec.name).collect()
}

#[test]
fn the_reader_of_sources_finds_every_form_of_declaration() {
    let text = r#"
        impl<T: Float> Var<'_, T> {
            pub fn plain(self) -> Self { self }
            pub fn several(self) -> Vec<Var<'t, T>> { vec![] }
            pub fn array(self) -> [Self; 2] { [self, self] }
            pub fn pair(self) -> (usize, Self) { (0, self) }
            pub fn fallible(self) -> Result<Var<'t, T>> { Ok(self) }
            pub fn number(self) -> usize { 0 }
            pub(crate) fn ours(self) -> Self { self }
            fn private(self) -> Self { self }
        }
        impl<T: Float> Tape<T> {
            pub fn joined<'t>(&'t self, parts: &[Var<'t, T>]) -> Var<'t, T> { parts[0] }
            pub fn strict(self) -> Self { self }
            pub fn takes(&self, x: Var<'_, T>) -> bool { true }
        }
        pub fn free<'t, T>(x: Var<'t, T>) -> Var<'t, T> { x }
        mod inner { pub fn nested<'t, T>(x: Var<'t, T>) -> Var<'t, T> { x } }
        macro_rules! many { ($($(#[$d:meta])* $name:ident)*) => { impl Var { $(pub fn $name(self) -> Self { self })* } } }
        many! { /** words of the documentation */ first second }
        macro_rules! masks { ($name:ident) => { impl Var { pub fn $name(self) -> bool { true } } } }
        masks! { less }
        macro_rules! fixed { () => { impl Var { pub fn given(self) -> Self { self } } } }
    "#;
    let found = operations_of(text);
    let want = [
        "plain", "several", "array", "pair", "fallible", "joined", "free", "nested", "first", "second",
        "given",
    ];
    assert_eq!(found, want.into_iter().map(str::to_owned).collect());
}

#[test]
fn every_public_operation_is_exercised_by_the_table() {
    let (operations, covered) = (operations(), covered());
    // The reader is useless if it finds no operation.
    for known in ["tanh", "matmul", "linear", "concat", "split", "max_keepdim", "cross_entropy"] {
        assert!(operations.contains_key(known), "the sources seem not to declare {known}");
    }
    let exempt = |name: &str| NOT_OPERATIONS.iter().any(|(n, _)| *n == name);
    let missing: Vec<_> = operations
        .iter()
        .filter(|(name, _)| !covered.contains(name.as_str()) && !exempt(name))
        .map(|(name, path)| format!("{name} in {}", path.strip_prefix(src()).unwrap().display()))
        .collect();
    assert!(missing.is_empty(), "no entry of rules::table() exercises: {}", missing.join(", "));
}

#[test]
fn the_table_and_the_exceptions_name_nothing_that_is_gone() {
    let (operations, covered) = (operations(), covered());
    let stale: Vec<_> =
        covered.iter().filter(|name| !operations.contains_key(**name) && !OPERATORS.contains(name)).collect();
    assert!(stale.is_empty(), "enrolled, but there is no such operation: {stale:?}");
    for (name, why) in NOT_OPERATIONS {
        assert!(operations.contains_key(*name), "{name} ({why}) is gone");
        assert!(!covered.contains(name), "{name} is enrolled, so it needs no exception");
    }
}

/// The text of every `fn ..spec()` of a file.
fn spec_functions(text: &str) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("spec() -> ") {
        let head = text[..at].rfind("fn ").unwrap() + 3;
        let end = text[at..].find("\n}\n").map_or(text.len(), |n| at + n);
        found.push((text[head..at].to_owned() + "spec", &text[at..end]));
    }
    found
}

#[test]
fn every_entry_calls_what_it_is_named_after() {
    let rules: Vec<_> =
        sources().into_iter().filter(|(p, _)| p.parent().is_some_and(|d| d.ends_with("rules"))).collect();
    let bodies: Vec<_> = rules.iter().flat_map(|(_, text)| spec_functions(text)).collect();
    let mut unproven = Vec::new();
    for Spec { name, .. } in table() {
        let otherwise = CALLED_OTHERWISE.iter().any(|(n, _)| *n == name);
        let called = bodies.iter().any(|(_, body)| body.contains(&format!(".{name}(")));
        if !(called || otherwise || OPERATORS.contains(&name)) {
            unproven.push(name);
        }
    }
    assert!(unproven.is_empty(), "enrolled by name only: {unproven:?}");
}

#[test]
fn every_rule_file_is_enrolled() {
    let text = std::fs::read_to_string(src().join("rules/mod.rs")).unwrap();
    let body = text.split("pub fn table()").nth(1).unwrap();
    let called: BTreeSet<&str> =
        body.split([',', '[', ']']).map(str::trim).filter_map(|call| call.strip_suffix("()")).collect();
    let mut declared = BTreeSet::new();
    for (path, text) in sources() {
        if !path.parent().is_some_and(|d| d.ends_with("rules")) {
            continue;
        }
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let specs = spec_functions(&text);
        // Files that all rule files use, and comparisons, which have no gradient.
        let exempt = ["mod", "prelude", "compare", "operators", "pointwise"].contains(&file.as_str());
        assert!(exempt || !specs.is_empty(), "rules/{file}.rs has no entry");
        declared.extend(specs.into_iter().map(|(name, _)| format!("{file}::{name}")));
    }
    let called: BTreeSet<String> = called.into_iter().map(str::to_owned).collect();
    assert_eq!(declared, called, "declared in the files, and called in table()");
    assert_eq!(covered().len(), table().len(), "no name twice");
}
