//! Whether structs of options say their defaults: what the documentation of each field states, beside what the code has.

use std::collections::BTreeMap;
use std::path::Path;

/// The fields of what `{:?}` printed.
fn fields(debug: &str) -> BTreeMap<String, String> {
    let inside = debug.split_once('{').unwrap().1.rsplit_once('}').unwrap().0;
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inside.chars() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().unwrap().push(c),
        }
    }
    let pair = |p: &String| {
        let (name, value) = p.split_once(':').unwrap();
        (name.trim().to_owned(), value.trim().to_owned())
    };
    parts.iter().filter(|p| !p.trim().is_empty()).map(pair).collect()
}

/// Words and numbers; a number as it reads, however it is written.
fn tokens(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || "_.-".contains(c))).filter(|w| !w.is_empty());
    words.map(|w| w.parse::<f64>().map_or_else(|_| w.to_owned(), |n| n.to_string())).collect()
}

/// The sources of the crate.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The documentation of each public field of a struct, and of each method that sets one.
fn documented(source: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let at = [" {\n", "<"].iter().find_map(|after| source.find(&format!("\npub struct {name}{after}")))?;
    let body = source[at..].split_once("{\n")?.1.split_once("\n}")?.0;
    let (mut all, mut doc) = (BTreeMap::new(), String::new());
    // Methods of the impl blocks of this type that come after it.
    let own = |line: &str| {
        line.starts_with("impl") && line.contains(&format!(" {name}")) && !line.contains(" for ")
    };
    let mut inside = false;
    let methods = source[at..].lines().filter(|line| {
        inside = own(line) || inside && *line != "}";
        inside
    });
    for line in body.lines().chain(methods).map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
        } else if let Some(method) = line.strip_prefix("pub fn ") {
            let (called, arguments) = method.split_once('(')?;
            let doc = std::mem::take(&mut doc);
            if arguments.starts_with("mut self") {
                all.entry(called.to_owned()).or_insert(doc);
            }
        } else if let Some(field) = line.strip_prefix("pub ") {
            all.entry(field.split(':').next()?.to_owned()).or_insert(std::mem::take(&mut doc));
        } else if line.starts_with("fn ") || line.is_empty() {
            doc.clear();
        }
    }
    Some(all)
}

/// How many options of the structs, as they print themselves by default, say so in the sources of some folders. `given` are those that
/// have no default, and `without` structs called `Config` that have none.
///
/// # Panics
/// If an option does not say its default, or another, or a struct called `Config` is not among those compared.
pub(crate) fn compare(
    folders: &[&Path],
    in_code: &BTreeMap<String, String>,
    given: &[&str],
    without: &[&str],
) -> usize {
    let mut files = Vec::new();
    folders.iter().for_each(|folder| sources(folder, &mut files));
    let (mut checked, mut wrong) = (0, Vec::new());
    for (name, debug) in in_code {
        let docs = files.iter().find_map(|s| documented(s, name));
        let docs = docs.unwrap_or_else(|| panic!("no struct {name} in the sources"));
        for (field, value) in fields(debug) {
            let called = format!("{name}.{field}");
            if given.contains(&&*called) {
                continue;
            }
            let said = docs.get(&field).and_then(|d| d.split_once("Default: `")?.1.split_once('`'));
            match said {
                Some((said, _)) if tokens(said) == tokens(&value) => checked += 1,
                Some((said, _)) => wrong.push(format!("{called} is said to be {said}, but is {value}")),
                None => wrong.push(format!("{called} does not say that it is {value}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // No struct of options is left out.
    for source in &files {
        for name in source.lines().filter_map(|l| l.strip_prefix("pub struct ")) {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            let known = in_code.contains_key(&name) || without.contains(&&*name);
            assert!(known || !name.ends_with("Config"), "{name} is not compared");
        }
    }
    checked
}
