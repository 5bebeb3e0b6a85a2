//! One word for one thing: the names in the table for PyTorch's users exist, and methods of both `Tensor` and `Var` take the same
//! arguments.

use crate::completeness::{crates, files, public_functions};
use std::collections::BTreeMap;
use std::path::Path;
use syn::visit::{self, Visit};

/// Methods whose arguments differ between `Tensor` and `Var`, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("map", "a tensor's closure takes elements, a value's takes the expression that is differentiated"),
    ("zip_map", "as map"),
];

/// The names in the third column of the page's rows.
fn named(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|l| l.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").nth(2));
    let code =
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    code.filter(|name| name.contains("::") && !name.contains(' ')).collect()
}

#[test]
fn the_names_beside_pytorchs_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/src/from-pytorch.md")).unwrap();
    let (functions, names) = (public_functions(), named(&page));
    assert!(names.len() > 600, "{}", names.len());
    let mut sources = Vec::new();
    files(&crates(), &mut sources);
    let text: String = sources.iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    let declared = |name: &str| {
        let kinds = ["struct", "enum", "trait", "type", "fn", "mod", "const"];
        kinds.iter().any(|k| {
            text.match_indices(&format!("pub {k} {name}")).any(|(i, found)| {
                !text[i + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        })
    };
    let ident = |c: char| c.is_alphanumeric() || c == '_';
    // Functions of traits, and variants of an enum: a line begins with one.
    let inner = |name: &str| {
        let begins =
            |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([',', '(', ' ', '{']));
        text.contains(&format!("fn {name}("))
            || text.contains(&format!("fn {name}<"))
            || text.lines().map(str::trim).any(begins)
    };
    // Items that macros declare are exported by name.
    let exported = |of: &str, name: &str| {
        let read = |file: &str| {
            std::fs::read_to_string(crates().join(of).join("src").join(file)).unwrap_or_default()
        };
        let root = read("lib.rs");
        // A glob exports the items of its module.
        let globs = root.lines().filter_map(|line| line.strip_prefix("pub use ")?.strip_suffix("::*;"));
        let exports = globs.map(|module| read(&format!("{module}/mod.rs"))).chain([root.clone()]);
        exports.into_iter().any(|text| text.split(|c| !ident(c)).any(|word| word == name))
    };
    let exists = |path: &str| {
        let (of, name) = path.rsplit_once("::").unwrap();
        match of {
            "Var" | "Tape" => functions.contains(&format!("tape::{of}::{name}")),
            "Tensor" => functions.contains(&format!("ops::{of}::{name}")),
            _ if functions.iter().any(|f| f.ends_with(&format!("::{name}"))) || declared(name) => true,
            "nn" | "tape" | "ops" | "data" | "train" => exported(of, name),
            _ => inner(name),
        }
    };
    let missing: Vec<_> = names.iter().filter(|n| !exists(n)).collect();
    assert!(missing.is_empty(), "named beside PyTorch's, and not there: {missing:#?}");
    for wrong in ["Var::tanhh", "nn::Conv9d", "nn::Activation::Relu7", "optim::Adamm", "Tensor::the"] {
        assert!(!exists(wrong), "{wrong}");
    }
}

/// Every `#[doc(alias)]` in the sources, in lower case, with the items that it leads to.
fn aliases() -> BTreeMap<String, Vec<String>> {
    let mut sources = Vec::new();
    files(&crates(), &mut sources);
    files(&crates().join("tape/src/scalar"), &mut sources);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources {
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (i, line) in lines.iter().enumerate() {
            let Some(alias) = line.strip_prefix("#[doc(alias = \"").and_then(|l| l.strip_suffix("\")]"))
            else {
                continue;
            };
            // The item comes after its other attributes; a macro's begins with its name.
            let item = lines[i + 1..].iter().find(|l| !l.starts_with("#[") && !l.starts_with("//"));
            let keywords = ["pub", "fn", "const", "struct", "enum", "trait", "type", "mod", "static"];
            let mut words =
                item.into_iter().flat_map(|l| l.split(|c: char| !c.is_alphanumeric() && c != '_'));
            let name = words.find(|word| !word.is_empty() && !keywords.contains(word));
            found.entry(alias.to_lowercase()).or_default().extend(name.map(str::to_owned));
        }
    }
    found
}

/// The word that a user searches for: the last of a path, or a parameter of a class, as in `DataLoader(num_workers)`. An
/// option of a function or an expression is no name.
fn sought(theirs: &str) -> Option<&str> {
    let (path, argument) = theirs.split_once('(').map_or((theirs, ""), |(p, a)| (p, a.trim_end_matches(')')));
    let last = path.rsplit('.').next()?;
    let class = last.starts_with(|c: char| c.is_ascii_uppercase());
    let word = match argument {
        "" => last,
        parameter if class => parameter.split('=').next()?,
        option if option.contains('=') => return None,
        _ => last,
    };
    let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    plain.then_some(word)
}

#[test]
fn the_search_of_the_documentation_finds_pytorchs_names() {
    assert_eq!(sought("torch.sum(dim)"), Some("sum"));
    assert_eq!(sought("DataLoader(drop_last=True)"), Some("drop_last"));
    assert_eq!((sought("x[i, j] = v"), sought("F.interpolate(mode='area')")), (None, None));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/src/from-pytorch.md")).unwrap();
    let aliases = aliases();
    assert!(aliases.len() > 200, "{}", aliases.len());
    let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let (mut count, mut missing) = (0, Vec::new());
    for row in page.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let &[theirs, _, ours, how, ..] = &cells[..] else { continue };
        let ours = code(ours);
        if !how.starts_with("other name") || ours.is_empty() {
            continue;
        }
        for name in code(theirs) {
            let Some(word) = sought(&name).map(str::to_lowercase) else { continue };
            count += 1;
            let items: Vec<&str> = ours.iter().filter_map(|o| o.rsplit("::").next()).collect();
            let same = items.iter().any(|item| item.to_lowercase() == word);
            let leads = aliases.get(&word).is_some_and(|to| to.iter().any(|t| items.contains(&&t[..])));
            if !same && !leads {
                missing.push(format!("{name}: {}", items.join(", ")));
            }
        }
    }
    assert!(count > 250, "{count}");
    assert!(missing.is_empty(), "no #[doc(alias)] leads from PyTorch's name to ours: {missing:#?}");
}

/// The arguments of the public methods of a type, in the form in which they are compared.
struct Methods {
    of: &'static str,
    found: BTreeMap<String, Vec<String>>,
}

impl Visit<'_> for Methods {
    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        let syn::Type::Path(ty) = &*item.self_ty else { return };
        if item.trait_.is_some() || ty.path.segments.last().is_none_or(|s| s.ident != self.of) {
            return;
        }
        for item in &item.items {
            let syn::ImplItem::Fn(f) = item else { continue };
            let takes_self = matches!(f.sig.inputs.first(), Some(syn::FnArg::Receiver(_)));
            if !takes_self || !matches!(f.vis, syn::Visibility::Public(_)) {
                continue;
            }
            let arguments = f.sig.inputs.iter().filter_map(|a| match a {
                syn::FnArg::Typed(a) => Some(kind(&a.ty)),
                syn::FnArg::Receiver(_) => None,
            });
            self.found.insert(f.sig.ident.to_string(), arguments.collect());
        }
    }

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

/// The kind of an argument: an operand, a shape, axes, a number, or its type as written.
fn kind(ty: &syn::Type) -> String {
    let mut words = Words(String::new());
    words.visit_type(ty);
    let text = words.0;
    match &text[..] {
        t if t.contains("IntoMask") || t == "Tensor bool" || t == "IntoTensor bool" => "a mask".to_owned(),
        t if t.contains("Operand") || t == "IntoTensor T" || t == "Var T" || t == "Tensor T" => {
            "an operand".to_owned()
        }
        // An absent operand has no element type that could be inferred, so `Tensor` and `Var` each take their own type.
        "Option Var T" | "Option Tensor T" => "an optional operand".to_owned(),
        t if t.contains("ToShape") || t == "Shape" || t.contains("crate Shape") => "a shape".to_owned(),
        "T" | "f64" => "a number".to_owned(),
        "Into Range" => "Into Slice".to_owned(),
        t => t.to_owned(),
    }
}

/// The identifiers of a type, one after another.
struct Words(String);

impl Visit<'_> for Words {
    fn visit_ident(&mut self, ident: &proc_macro2::Ident) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(&ident.to_string());
    }
    fn visit_lifetime(&mut self, _: &syn::Lifetime) {}
}

#[test]
fn tensor_and_var_take_the_same_arguments_under_the_same_name() {
    let mut sources = Vec::new();
    files(&crates(), &mut sources);
    let [mut tensor, mut var] = ["Tensor", "Var"].map(|of| Methods { of, found: BTreeMap::new() });
    for path in sources.iter().filter(|p| p.components().any(|c| c.as_os_str() == "src")) {
        let file = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
        tensor.visit_file(&file);
        var.visit_file(&file);
    }
    assert!(tensor.found.len() > 80 && var.found.len() > 150, "{} {}", tensor.found.len(), var.found.len());
    let both: Vec<_> = tensor.found.iter().filter_map(|(n, t)| Some((n, t, var.found.get(n)?))).collect();
    assert!(both.len() > 40, "{}", both.len());
    let excused = |name: &str| DIFFERENT.iter().any(|(n, _)| *n == name);
    let different: Vec<_> = both.iter().filter(|(n, t, v)| t != v && !excused(n)).collect();
    assert!(different.is_empty(), "Tensor's and Var's arguments differ: {different:#?}");
    for (name, why) in DIFFERENT {
        assert!(both.iter().any(|(n, t, v)| n == name && t != v), "{name} ({why}) is an exception no more");
    }
}

/// The public functions, one per line, in a file whose diff is reviewed. `UPDATE_LISTING=1 cargo test -p wengert-benches`
/// updates it.
#[test]
fn the_listing_of_public_functions_is_that_of_the_sources() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/public-functions.txt");
    let listing: String = public_functions().into_iter().map(|name| name + "\n").collect();
    if std::env::var_os("UPDATE_LISTING").is_some() {
        std::fs::write(&file, &listing).unwrap();
    }
    let (now, then) = (listing.lines(), std::fs::read_to_string(&file).unwrap());
    let then: std::collections::BTreeSet<&str> = then.lines().collect();
    let now: std::collections::BTreeSet<&str> = now.collect();
    let (added, gone): (Vec<_>, Vec<_>) = (now.difference(&then).collect(), then.difference(&now).collect());
    let what = "if that is meant, write docs/public-functions.txt with UPDATE_LISTING=1";
    assert!(added.is_empty() && gone.is_empty(), "new: {added:?}, gone: {gone:?}; {what}");
}
