//! `#[gradcheck]` and `gradcheck_test!`: tests of the gradients of a function, one per property.

use proc_macro2::{Ident, Span, TokenStream as Tokens, TokenTree};
use quote::{format_ident, quote};
use std::collections::BTreeMap;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Error, Expr, ExprClosure, FnArg, GenericArgument, GenericParam, ItemFn, Lit, LitStr, Pat, Path,
    PathArguments, Result, Token, Type, Visibility, braced, bracketed, parenthesized, parse_quote,
};

/// `#[gradcheck(..)]` on a function.
pub(crate) fn attribute(options: Tokens, function: &ItemFn) -> Result<Tokens> {
    let entries: Entries = syn::parse2(options)?;
    let generics = function.sig.generics.params.iter().filter_map(|p| match p {
        GenericParam::Type(t) => Some(t.ident.clone()),
        _ => None,
    });
    let generics: Vec<Ident> = generics.collect();
    let mut parameters = Vec::new();
    for argument in &function.sig.inputs {
        match argument {
            FnArg::Typed(typed) => parameters.push(Parameter::new(&typed.pat, Some(&typed.ty))?),
            FnArg::Receiver(own) => {
                let message = "a gradient is checked of a function without `self`: write a function that calls the method";
                return Err(Error::new_spanned(own, message));
            }
        }
    }
    let name = &function.sig.ident;
    let tests = Checked {
        name,
        visibility: &function.vis,
        generics: &generics,
        parameters,
        callee: Callee::Function(quote!(super::#name)),
    };
    let module = tests.module(entries)?;
    Ok(quote!(#function #module))
}

/// `gradcheck_test!(name, |x, ..| .., options)`.
pub(crate) struct ClosureTest {
    name: Ident,
    closure: ExprClosure,
    entries: Entries,
}

impl Parse for ClosureTest {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![,]>()?;
        let closure = input.parse()?;
        let entries = if input.is_empty() {
            Entries(Vec::new())
        } else {
            input.parse::<Token![,]>()?;
            input.parse()?
        };
        Ok(ClosureTest { name, closure, entries })
    }
}

pub(crate) fn closure(test: ClosureTest) -> Result<Tokens> {
    let mut parameters = Vec::new();
    for input in &test.closure.inputs {
        parameters.push(match input {
            Pat::Type(typed) => Parameter::new(&typed.pat, Some(&typed.ty))?,
            other => Parameter::new(other, None)?,
        });
    }
    let tests = Checked {
        name: &test.name,
        visibility: &Visibility::Inherited,
        generics: &[],
        parameters,
        callee: Callee::Closure(test.closure.clone()),
    };
    tests.module(test.entries)
}

/// An option, or what is said about a parameter or a size.
enum Entry {
    /// `x: [n, k] in POSITIVE`
    Shape(Ident, Tree),
    /// `axis in [0, 1]`
    In(Ident, Expr),
    /// `labels = g.indices(&[n], k)`, `rtol = 1e-5`
    Equals(Ident, Expr),
    /// `at(0.0 => 0.0)`
    List(Ident, Tokens),
    /// `broadcast`
    Flag(Ident),
    /// `crate = "path"`
    Crate(Path),
}

struct Entries(Vec<Entry>);

impl Parse for Entries {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut all = Vec::new();
        while !input.is_empty() {
            all.push(entry(input)?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Entries(all))
    }
}

fn entry(input: ParseStream<'_>) -> Result<Entry> {
    if input.parse::<Option<Token![crate]>>()?.is_some() {
        input.parse::<Token![=]>()?;
        return Ok(Entry::Crate(input.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?));
    }
    let name = Ident::parse_any(input)?;
    if input.peek(Token![:]) {
        input.parse::<Token![:]>()?;
        Ok(Entry::Shape(name, input.parse()?))
    } else if input.peek(Token![in]) {
        input.parse::<Token![in]>()?;
        Ok(Entry::In(name, input.parse()?))
    } else if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        Ok(Entry::Equals(name, input.parse()?))
    } else if input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in input);
        Ok(Entry::List(name, content.parse()?))
    } else {
        Ok(Entry::Flag(name))
    }
}

/// The inputs that a parameter is made of.
enum Tree {
    /// `[.., n] in Real`
    Tensor { axes: Vec<Axis>, domain: Option<Expr> },
    /// `([n], [n])`
    Tuple(Vec<Tree>),
    /// `&[[n], [n]]`
    Slice(Vec<Tree>),
    /// `State { h: [n], c: [n] }`
    Struct(Path, Vec<(Ident, Tree)>),
}

enum Axis {
    /// `..`: any leading axes, the same for all inputs.
    Rest,
    Size(Expr),
}

impl Parse for Tree {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(Token![&]) {
            input.parse::<Token![&]>()?;
            let content;
            bracketed!(content in input);
            let trees = Punctuated::<Tree, Token![,]>::parse_terminated(&content)?;
            return Ok(Tree::Slice(trees.into_iter().collect()));
        }
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            let trees = Punctuated::<Tree, Token![,]>::parse_terminated(&content)?;
            return Ok(Tree::Tuple(trees.into_iter().collect()));
        }
        if input.peek(syn::token::Bracket) {
            let content;
            bracketed!(content in input);
            let mut axes = Vec::new();
            while !content.is_empty() {
                let rest = content.peek(Token![..]);
                axes.push(if rest {
                    content.parse::<Token![..]>()?;
                    Axis::Rest
                } else {
                    Axis::Size(content.parse()?)
                });
                if !content.is_empty() {
                    content.parse::<Token![,]>()?;
                }
            }
            let domain = match input.parse::<Option<Token![in]>>()? {
                Some(_) => Some(input.parse()?),
                None => None,
            };
            return Ok(Tree::Tensor { axes, domain });
        }
        let path = input.call(Path::parse_mod_style).map_err(|e| {
            Error::new(
                e.span(),
                "expected a shape such as `[.., n]`, a tuple of shapes, `&[..]` or `Struct { field: [n] }`",
            )
        })?;
        let content;
        braced!(content in input);
        let mut fields = Vec::new();
        while !content.is_empty() {
            let field = content.call(Ident::parse_any)?;
            content.parse::<Token![:]>()?;
            fields.push((field, content.parse()?));
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(Tree::Struct(path, fields))
    }
}

/// The element type of the inputs.
#[derive(Clone, Copy, PartialEq)]
enum Element {
    Both,
    Double,
    Single,
}

struct Parameter {
    name: Ident,
    ty: Option<Type>,
}

impl Parameter {
    fn new(pat: &Pat, ty: Option<&Type>) -> Result<Self> {
        match pat {
            Pat::Ident(p) => Ok(Parameter { name: p.ident.clone(), ty: ty.cloned() }),
            other => Err(Error::new_spanned(other, "expected a parameter with a name")),
        }
    }

    /// Whether it is a single value of a tape; a closure's parameter is one unless its type says something else.
    fn is_var(&self) -> bool {
        match &self.ty {
            None => true,
            Some(Type::Path(path)) => path.path.segments.last().is_some_and(|s| s.ident == "Var"),
            Some(_) => false,
        }
    }

    /// The element type that the type mentions, if it mentions one.
    fn element(&self, generics: &[Ident]) -> Option<Element> {
        let Some(ty) = &self.ty else { return Some(Element::Both) };
        if let Type::Path(path) = ty
            && let Some(last) = path.path.segments.last()
            && let PathArguments::AngleBracketed(arguments) = &last.arguments
        {
            let types = arguments.args.iter().filter_map(|a| match a {
                GenericArgument::Type(t) => Some(t),
                _ => None,
            });
            if let Some(ty) = types.last() {
                return mentioned(&quote!(#ty), generics);
            }
        }
        mentioned(&quote!(#ty), generics)
    }

    fn by_reference(&self) -> bool {
        matches!(self.ty, Some(Type::Reference(_)))
    }

    /// `: T`, for a variable that holds the argument.
    fn annotation(&self) -> Tokens {
        match &self.ty {
            None => quote!(),
            Some(Type::Reference(r)) => match &*r.elem {
                Type::Slice(_) => quote!(),
                Type::Path(p) if p.path.is_ident("str") => quote!(),
                owned => quote!(: #owned),
            },
            Some(ty) => quote!(: #ty),
        }
    }
}

fn mentioned(tokens: &Tokens, generics: &[Ident]) -> Option<Element> {
    let mut found = None;
    each_ident(tokens.clone(), &mut |ident| {
        if generics.contains(ident) {
            found = Some(Element::Both);
        } else if ident == "f64" {
            found = Some(Element::Double);
        } else if ident == "f32" {
            found = Some(Element::Single);
        }
    });
    found
}

fn each_ident(tokens: Tokens, f: &mut dyn FnMut(&Ident)) {
    for tree in tokens {
        match tree {
            TokenTree::Ident(ident) => f(&ident),
            TokenTree::Group(group) => each_ident(group.stream(), f),
            _ => {}
        }
    }
}

enum Callee {
    /// The path of a function.
    Function(Tokens),
    Closure(ExprClosure),
    /// An expression that can be called.
    Expr(Expr),
}

impl Callee {
    fn of(expr: Expr) -> Self {
        match expr {
            Expr::Closure(closure) => Callee::Closure(closure),
            other => Callee::Expr(other),
        }
    }

    /// The call. A closure's body is used in place, since the types of its parameters would not be known in time otherwise.
    fn call(&self, arguments: &[Tokens]) -> Tokens {
        match self {
            Callee::Function(path) => quote!(#path(#(#arguments),*)),
            Callee::Expr(expr) => quote!((#expr)(#(#arguments),*)),
            Callee::Closure(closure) => {
                let (inputs, body) = (closure.inputs.iter(), &closure.body);
                quote!({ #(let #inputs = #arguments;)* #body })
            }
        }
    }
}

/// The options that are not about a parameter.
struct Options {
    root: Path,
    order: Option<Expr>,
    kinks: Option<Expr>,
    points: Option<Expr>,
    sizes: Option<Expr>,
    cases: Option<Expr>,
    seed: Option<Expr>,
    surrogate: Option<Expr>,
    reference: Option<Expr>,
    broadcast: bool,
    spec: bool,
    no_tests: bool,
    /// Whether single precision is tested under offsets and scales.
    scaled: bool,
    /// Calls of methods of `Spec`.
    methods: Vec<Tokens>,
    at: Vec<(Expr, Expr)>,
    not_differentiable: Vec<Expr>,
    skip: Vec<Ident>,
}

const PROPERTIES: &[(&str, &str)] = &[
    ("first_order", "FirstOrder"),
    ("second_order", "SecondOrder"),
    ("cotangents", "Cotangents"),
    ("layouts", "Layouts"),
    ("broadcast", "Broadcast"),
    ("empty", "Empty"),
    ("f32", "F32"),
    ("threads", "Threads"),
    ("modes", "Modes"),
    ("points", "Points"),
];

const OPTIONS: &str = "expected `x: [.., n]`, `x in DOMAIN`, `argument in [..]`, `argument = ..`, or one of `order`, `rtol`, `atol`, \
                       `tolerance`, `step`, `cases`, `seed`, `sizes`, `kinks`, `points`, `at(x => dx)`, `not_differentiable_at(x)`, \
                       `surrogate`, `reference`, `broadcast`, `allow_non_finite`, `accurate_to(value, gradient)`, `skip(..)`, `spec`, `crate`";

/// One input tensor.
struct Leaf {
    name: String,
    axes: Option<Vec<Axis>>,
    domain: Option<Expr>,
    value: Option<Expr>,
}

struct Checked<'a> {
    name: &'a Ident,
    visibility: &'a Visibility,
    generics: &'a [Ident],
    parameters: Vec<Parameter>,
    callee: Callee,
}

/// What is said about one parameter or size.
enum About {
    Shape(Tree),
    In(Expr),
    Equals(Expr),
}

impl Checked<'_> {
    fn module(self, entries: Entries) -> Result<Tokens> {
        let (options, mut about) = self.sort(entries)?;
        let root = &options.root;
        let root = quote!(#root::__private);
        let mut g = Ident::new("g", Span::call_site());
        for (_, said) in &about {
            if let About::Equals(expr) = said {
                // Inside a macro, the caller's `g` is another than that of this macro.
                each_ident(quote!(#expr), &mut |ident| {
                    if ident == "g" {
                        g = ident.clone();
                    }
                });
            }
        }

        let mut leaves = Vec::new();
        let mut arguments = Vec::new();
        let mut statements = Vec::new();
        let mut names = Vec::new();
        let mut lists = Vec::new();
        let mut element = None;
        for parameter in &self.parameters {
            let name = &parameter.name;
            let said = about.iter().position(|(n, _)| n == name).map(|i| about.swap_remove(i).1);
            let first = leaves.len();
            let is_var = parameter.is_var();
            match said {
                Some(About::Shape(tree)) => {
                    arguments.push(inputs(tree, &name.to_string(), &mut leaves));
                }
                said if is_var => {
                    let (domain, value) = match said {
                        Some(About::In(domain)) => (Some(domain), None),
                        Some(About::Equals(value)) => (None, Some(value)),
                        _ => (None, None),
                    };
                    let i = leaves.len();
                    arguments.push(quote!(__x[#i]));
                    leaves.push(Leaf { name: name.to_string(), axes: None, domain, value });
                }
                Some(About::In(list)) => {
                    let annotation = parameter.annotation();
                    statements.push(quote!(let #name #annotation = #g.each(#list);));
                    lists.push(list);
                    names.push(name);
                    arguments.push(argument(parameter));
                }
                Some(About::Equals(value)) => {
                    let annotation = parameter.annotation();
                    statements.push(quote!(let #name #annotation = #value;));
                    names.push(name);
                    arguments.push(argument(parameter));
                }
                None => {
                    let message = format!(
                        "the argument `{name}` has no value: give a list to run over, `{name} in [..]`, an expression, `{name} = ..`, \
                         or, if it is made of several inputs, their shapes, `{name}: ([n], [n])` or `{name}: Struct {{ field: [n] }}`"
                    );
                    return Err(Error::new_spanned(name, message));
                }
            }
            if leaves.len() > first {
                let of = parameter.element(self.generics).unwrap_or(Element::Both);
                if element.is_some_and(|e| e != of) {
                    return Err(Error::new_spanned(name, "all inputs must have the same element type"));
                }
                element = Some(of);
                for i in first..leaves.len() {
                    statements.push(leaf(i, &leaves, &options, &root, &g)?);
                }
            }
        }
        let Some(element) = element else {
            return Err(Error::new_spanned(
                self.name,
                "expected a parameter that is a `Var`: there is nothing to differentiate by",
            ));
        };

        let mut sizes: BTreeMap<String, Ident> = BTreeMap::new();
        for axis in leaves.iter().filter_map(|l| l.axes.as_ref()).flatten() {
            if let Axis::Size(expr) = axis {
                each_ident(quote!(#expr), &mut |ident| {
                    let text = ident.to_string();
                    if text.starts_with(|c: char| c.is_ascii_lowercase()) && !names.contains(&ident) {
                        sizes.entry(text).or_insert_with(|| ident.clone());
                    }
                });
            }
        }
        let mut before = Vec::new();
        for (text, size) in &sizes {
            let range = match about.iter().position(|(n, _)| n == text) {
                Some(i) => match about.swap_remove(i) {
                    (_, About::In(range)) => Some(range),
                    (name, _) => {
                        let message = format!("expected a range of sizes, `{text} in 1..=4`");
                        return Err(Error::new_spanned(name, message));
                    }
                },
                None => options.sizes.clone(),
            };
            // A range that is given is not exceeded.
            let drawn = range.map_or(quote!(axis_size(1..=4)), |range| quote!(within(#range)));
            before.push(quote!(let #size: usize = #g.#drawn;));
        }
        // Sizes that no shape mentions, for expressions.
        let mut i = 0;
        while i < about.len() {
            match &about[i] {
                (size, About::In(range)) if matches!(range, Expr::Range(_)) => {
                    before.push(quote!(let #size: usize = #g.within(#range);));
                    about.remove(i);
                }
                _ => i += 1,
            }
        }
        if let Some((name, _)) = about.first() {
            return Err(Error::new_spanned(
                name,
                format!("there is no parameter or size `{name}`; {OPTIONS}"),
            ));
        }
        before.push(rest(&leaves, &options, &g));
        self.write(&options, &root, &g, [before, statements], &leaves, (&names, &lists, &arguments), element)
    }

    /// Separates options from what is said about parameters and sizes.
    fn sort(&self, entries: Entries) -> Result<(Options, Vec<(Ident, About)>)> {
        let mut o = Options {
            root: parse_quote!(::wengert),
            order: None,
            kinks: None,
            points: None,
            sizes: None,
            cases: None,
            seed: None,
            surrogate: None,
            reference: None,
            broadcast: false,
            spec: false,
            no_tests: false,
            scaled: false,
            methods: Vec::new(),
            at: Vec::new(),
            not_differentiable: Vec::new(),
            skip: Vec::new(),
        };
        let mut about: Vec<(Ident, About)> = Vec::new();
        for entry in entries.0 {
            match entry {
                Entry::Crate(path) => o.root = path,
                Entry::Shape(name, tree) => about.push((name, About::Shape(tree))),
                Entry::In(name, expr) => about.push((name, About::In(expr))),
                Entry::Equals(name, expr) if self.parameters.iter().any(|p| p.name == name) => {
                    about.push((name, About::Equals(expr)));
                }
                Entry::Equals(name, expr) => match name.to_string().as_str() {
                    "order" => o.order = Some(expr),
                    "kinks" => o.kinks = Some(expr),
                    "points" => o.points = Some(expr),
                    "sizes" => o.sizes = Some(expr),
                    "cases" => o.cases = Some(expr),
                    "seed" => o.seed = Some(expr),
                    "surrogate" => o.surrogate = Some(expr),
                    "reference" => o.reference = Some(expr),
                    "tolerance" => o.methods.push(quote!(.rtol(#expr).atol(#expr))),
                    "rtol" | "atol" | "step" => o.methods.push(quote!(.#name(#expr))),
                    _ => return Err(Error::new_spanned(name, OPTIONS)),
                },
                Entry::List(name, tokens) => match name.to_string().as_str() {
                    "at" => o.at.extend(syn::parse2::<Conventions>(tokens)?.0),
                    "not_differentiable_at" => {
                        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
                        o.not_differentiable.extend(syn::parse::Parser::parse2(parser, tokens)?);
                    }
                    "accurate_to" => {
                        o.scaled = true;
                        o.methods.push(quote!(.accurate_to(#tokens)));
                    }
                    "skip" => {
                        let parser = Punctuated::<Ident, Token![,]>::parse_terminated;
                        for property in syn::parse::Parser::parse2(parser, tokens)? {
                            if property == "all" {
                                o.no_tests = true;
                                continue;
                            }
                            if !PROPERTIES.iter().any(|(p, _)| property == p) {
                                let all: Vec<_> = PROPERTIES.iter().map(|(p, _)| *p).collect();
                                let message = format!("expected one of {}", all.join(", "));
                                return Err(Error::new_spanned(property, message));
                            }
                            o.skip.push(property);
                        }
                    }
                    _ => return Err(Error::new_spanned(name, OPTIONS)),
                },
                Entry::Flag(name) => match name.to_string().as_str() {
                    "broadcast" => o.broadcast = true,
                    "spec" => o.spec = true,
                    "allow_non_finite" => o.methods.push(quote!(.allow_non_finite())),
                    _ => return Err(Error::new_spanned(name, OPTIONS)),
                },
            }
        }
        for (i, (name, _)) in about.iter().enumerate() {
            if about[..i].iter().any(|(other, _)| other == name) {
                return Err(Error::new_spanned(name, format!("`{name}` is described twice")));
            }
        }
        Ok((o, about))
    }

    /// The module with the entry and the tests.
    fn write(
        &self,
        options: &Options,
        root: &Tokens,
        g: &Ident,
        [before, statements]: [Vec<Tokens>; 2],
        leaves: &[Leaf],
        (names, lists, arguments): (&[&Ident], &[Expr], &[Tokens]),
        element: Element,
    ) -> Result<Tokens> {
        let call = |callee: &Callee| {
            let call = callee.call(arguments);
            quote!({ #(let #names = ::core::clone::Clone::clone(&#names);)* move |__x| #root::outputs(#call) })
        };
        let own = call(&self.callee);
        let made = match element {
            Element::Both => quote!(#root::Case::many(__inputs, #own, #own)),
            Element::Double => quote!(#root::Case::double(__inputs, #own)),
            Element::Single => quote!(#root::Case::single(__inputs, #own)),
        };
        let mut against = quote!();
        if let (Some(_), Some(second)) = (&options.surrogate, &options.reference) {
            return Err(Error::new_spanned(second, "expected a surrogate or a reference, found both"));
        }
        if let Some(surrogate) = &options.surrogate {
            let other = call(&Callee::of(surrogate.clone()));
            against = quote!(.surrogate(#other));
        }
        if let Some(reference) = &options.reference {
            let other = call(&Callee::of(reference.clone()));
            against = quote!(.reference(#other));
        }
        let texts = names.iter().map(|name| {
            let text = format!("{name} = {{:?}}");
            quote!(::std::format!(#text, #name))
        });
        let variables = (0..leaves.len()).map(variable);
        let input_names = leaves.iter().map(|l| &l.name);

        let kinked = options.kinks.is_some() || leaves.iter().any(|l| has_kinks(l.domain.as_ref()));
        let order = match &options.order {
            None if kinked => quote!(First),
            None => quote!(Second),
            Some(Expr::Lit(lit)) if is_number(&lit.lit, 1) => quote!(FirstOnly),
            Some(Expr::Lit(lit)) if is_number(&lit.lit, 2) => quote!(Second),
            Some(other) => return Err(Error::new_spanned(other, "expected `order = 1` or `order = 2`")),
        };
        let first_only = options.order.is_some() && order.to_string() == "FirstOnly";
        let mut methods = options.methods.clone();
        if !options.scaled {
            methods.push(quote!(.unscaled()));
        }
        if let Some(points) = &options.points {
            methods.push(quote!(.at(&#points)));
        }
        if !lists.is_empty() {
            methods
                .push(quote!(.combinations(1 #(* ::core::iter::IntoIterator::into_iter(#lists).count())*)));
        }
        for (point, gradient) in &options.at {
            let (point, gradient) = (parts(point, leaves.len())?, parts(gradient, leaves.len())?);
            methods.push(quote! {
                .gradient_at(
                    || __case(&mut #root::Gen::seeded(0), ::core::option::Option::Some(::std::vec![#(#root::Tensor::<f64>::from(#point)),*])),
                    ::std::vec![#(#root::Tensor::<f64>::from(#gradient)),*],
                )
            });
        }
        for point in &options.not_differentiable {
            let point = parts(point, leaves.len())?;
            methods.push(quote! {
                .not_differentiable_at(
                    || __case(&mut #root::Gen::seeded(0), ::core::option::Option::Some(::std::vec![#(#root::Tensor::<f64>::from(#point)),*])),
                )
            });
        }

        let rest = leaves.iter().any(|l| l.value.is_none() && l.axes.as_ref().is_none_or(|a| has_rest(a)));
        let applies = |property: &str| match property {
            "second_order" => !first_only,
            "broadcast" => options.broadcast,
            "empty" => rest,
            "f32" => element == Element::Both,
            "points" => !options.at.is_empty() || !options.not_differentiable.is_empty(),
            _ => true,
        };
        let wanted = PROPERTIES
            .iter()
            .filter(|(p, _)| !options.no_tests && applies(p) && !options.skip.iter().any(|s| s == p));
        let cases = options.cases.as_ref().map_or(quote!(20), |cases| quote!(#cases));
        let seed = options.seed.as_ref().map_or(quote!(0), |seed| quote!(#seed));
        let tests = wanted.map(|(test, property)| {
            let (test, property) = (format_ident!("{test}"), format_ident!("{property}"));
            quote! {
                #[cfg(test)]
                #[test]
                fn #test() {
                    #root::assert_property(&spec(), #root::Property::#property, #seed, #cases);
                }
            }
        });
        let (name, text) = (self.name, self.name.to_string());
        let (only_in_tests, visibility) = match options.spec {
            true => (quote!(), self.visibility),
            false => (quote!(#[cfg(test)]), &Visibility::Inherited),
        };
        let doc = format!("The gradient checks of [`{text}`](fn@super::{text}).");
        let doc = if matches!(self.callee, Callee::Function(_)) {
            doc
        } else {
            format!("The gradient checks of `{text}`.")
        };
        Ok(quote! {
            #only_in_tests
            #[doc = #doc]
            #[allow(unused, unreachable_pub, clippy::all, clippy::pedantic, clippy::nursery, reason = "generated code")]
            #visibility mod #name {
                use super::*;

                fn __case(#g: &mut #root::Gen, __at: ::core::option::Option<::std::vec::Vec<#root::Tensor<f64>>>) -> #root::Case {
                    #(#before)*
                    #(#statements)*
                    let __inputs: ::std::vec::Vec<#root::Tensor<f64>> =
                        __at.unwrap_or_else(|| ::std::vec![#(#variables),*]);
                    let __texts: ::std::vec::Vec<::std::string::String> = ::std::vec![#(#texts),*];
                    #made #against .arguments(__texts.join(", "))
                }

                /// The function as an entry for `wengert::tape::gradcheck::suite`.
                pub fn spec() -> #root::Spec {
                    #root::Spec::new(#text, #root::Order::#order, |g| __case(g, ::core::option::Option::None))
                        .input_names([#(#input_names),*])
                        #(#methods)*
                }

                #(#tests)*
            }
        })
    }
}

/// The conventions `x => dx, ..`.
struct Conventions(Vec<(Expr, Expr)>);

impl Parse for Conventions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut all = Vec::new();
        while !input.is_empty() {
            let point = input.parse()?;
            input.parse::<Token![=>]>()?;
            all.push((point, input.parse()?));
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Conventions(all))
    }
}

fn is_number(lit: &Lit, n: u8) -> bool {
    matches!(lit, Lit::Int(i) if i.base10_parse::<u8>().is_ok_and(|i| i == n))
}

/// A point: one expression per input.
fn parts(point: &Expr, inputs: usize) -> Result<Vec<Expr>> {
    match point {
        Expr::Tuple(tuple) if tuple.elems.len() == inputs => Ok(tuple.elems.iter().cloned().collect()),
        other if inputs == 1 => Ok(vec![other.clone()]),
        other => Err(Error::new_spanned(
            other,
            format!("expected a tuple with one value for each of the {inputs} inputs"),
        )),
    }
}

/// The argument of a call: a copy of the variable, or a reference to it.
fn argument(parameter: &Parameter) -> Tokens {
    let name = &parameter.name;
    if parameter.by_reference() { quote!(&#name) } else { quote!(::core::clone::Clone::clone(&#name)) }
}

/// The expression that makes a parameter from the inputs `__x`; adds its inputs.
fn inputs(tree: Tree, name: &str, leaves: &mut Vec<Leaf>) -> Tokens {
    match tree {
        Tree::Tensor { axes, domain } => {
            let i = leaves.len();
            leaves.push(Leaf { name: name.to_owned(), axes: Some(axes), domain, value: None });
            quote!(__x[#i])
        }
        Tree::Tuple(trees) => {
            let trees = trees.into_iter().enumerate();
            let all: Vec<_> = trees.map(|(i, tree)| inputs(tree, &format!("{name}.{i}"), leaves)).collect();
            quote!((#(#all),*))
        }
        Tree::Slice(trees) => {
            let trees = trees.into_iter().enumerate();
            let all: Vec<_> = trees.map(|(i, tree)| inputs(tree, &format!("{name}[{i}]"), leaves)).collect();
            quote!(&[#(#all),*])
        }
        Tree::Struct(path, fields) => {
            let (mut names, mut all) = (Vec::new(), Vec::new());
            for (field, tree) in fields {
                all.push(inputs(tree, &format!("{name}.{field}"), leaves));
                names.push(field);
            }
            quote!(#path { #(#names: #all),* })
        }
    }
}

fn variable(i: usize) -> Ident {
    format_ident!("__input_{i}")
}

fn has_rest(axes: &[Axis]) -> bool {
    axes.iter().any(|a| matches!(a, Axis::Rest))
}

/// Whether an input has the axes `..`, in whole or in part.
fn is_free(leaf: &Leaf) -> bool {
    leaf.value.is_none() && leaf.axes.as_ref().is_none_or(|axes| has_rest(axes))
}

fn has_kinks(domain: Option<&Expr>) -> bool {
    let name = match domain {
        Some(Expr::Call(call)) => &*call.func,
        Some(other) => other,
        None => return false,
    };
    let Expr::Path(path) = name else { return false };
    path.path.segments.last().is_some_and(|s| s.ident == "Kinks" || s.ident == "Grid")
}

/// The axes that `..` stands for.
fn rest(leaves: &[Leaf], options: &Options, g: &Ident) -> Tokens {
    let free: Vec<_> = leaves.iter().filter(|l| is_free(l)).collect();
    if free.is_empty() {
        return quote!();
    }
    let alone = free.iter().all(|l| l.axes.as_ref().is_none_or(|axes| axes.len() == 1));
    let most = if alone { 3usize } else { 2 };
    let shape = if options.skip.iter().any(|s| s == "empty") { quote!(full_shape) } else { quote!(shape) };
    let last = free.len() - 1;
    let whole = if options.broadcast { quote!(let __whole = #g.within(0..=#last);) } else { quote!() };
    quote!(let __rest: ::std::vec::Vec<usize> = #g.#shape(0..=#most); #whole)
}

/// The statement that draws an input.
fn leaf(i: usize, leaves: &[Leaf], options: &Options, root: &Tokens, g: &Ident) -> Result<Tokens> {
    let leaf = &leaves[i];
    let variable = variable(i);
    if let Some(value) = &leaf.value {
        return Ok(quote!(let #variable: #root::Tensor<f64> = #value;));
    }
    let domain = match (&leaf.domain, &options.kinks) {
        (Some(domain), _) => domain_of(domain, root),
        (None, Some(kinks)) => quote!({ const KINKS: &[f64] = &#kinks; #root::Domain::Kinks(KINKS) }),
        (None, None) => quote!(#root::Domain::Real),
    };
    let number = leaves[..i].iter().filter(|l| is_free(l)).count();
    let free = if options.broadcast {
        quote!(if __whole == #number { __rest.clone() } else { #g.broadcastable(&__rest) })
    } else {
        quote!(__rest.clone())
    };
    let shape = match &leaf.axes {
        None => free,
        Some(axes) => {
            if axes.iter().filter(|a| matches!(a, Axis::Rest)).count() > 1 {
                return Err(Error::new(
                    Span::call_site(),
                    format!("{}: expected at most one `..` in a shape", leaf.name),
                ));
            }
            let push = axes.iter().map(|axis| match axis {
                Axis::Rest => quote!(__shape.extend(#free);),
                Axis::Size(size) => quote!(__shape.push(#size);),
            });
            quote!({ let mut __shape = ::std::vec::Vec::<usize>::new(); #(#push)* __shape })
        }
    };
    Ok(quote! {
        let __shape: ::std::vec::Vec<usize> = #shape;
        let #variable: #root::Tensor<f64> = #g.tensor(&__shape, #domain);
    })
}

/// A domain: the names of `Domain` need no path.
fn domain_of(domain: &Expr, root: &Tokens) -> Tokens {
    const NAMES: &[&str] = &["Real", "Kinks", "Grid", "Between", "Away", "POSITIVE", "NON_ZERO"];
    let name = match domain {
        Expr::Call(call) => &*call.func,
        other => other,
    };
    match name {
        Expr::Path(path) if path.path.get_ident().is_some_and(|i| NAMES.iter().any(|n| i == n)) => {
            quote!(#root::Domain::#domain)
        }
        _ => quote!(#root::Domain::from(#domain)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(options: &str, function: &str) -> String {
        let function = syn::parse_str(function).unwrap();
        match attribute(options.parse().unwrap(), &function) {
            Ok(_) => String::new(),
            Err(e) => e.to_string(),
        }
    }

    fn names(options: &str, function: &str) -> Vec<String> {
        let function: ItemFn = syn::parse_str(function).unwrap();
        let code = attribute(options.parse().unwrap(), &function).unwrap();
        let file: syn::File = syn::parse2(code).unwrap();
        let module = file.items.iter().find_map(|item| match item {
            syn::Item::Mod(module) => module.content.as_ref(),
            _ => None,
        });
        let functions = module.unwrap().1.iter().filter_map(|item| match item {
            syn::Item::Fn(f) if f.attrs.iter().any(|a| a.path().is_ident("test")) => {
                Some(f.sig.ident.to_string())
            }
            _ => None,
        });
        functions.collect()
    }

    const UNARY: &str = "fn f<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> { x }";
    const AXIS: &str = "fn f<'t, T: Float>(x: Var<'t, T>, axis: isize) -> Var<'t, T> { x }";

    #[test]
    fn there_is_a_test_for_each_property_that_applies() {
        let all =
            ["first_order", "second_order", "cotangents", "layouts", "empty", "f32", "threads", "modes"];
        assert_eq!(names("", UNARY), all);
        assert_eq!(
            names("order = 1, skip(empty, threads)", UNARY),
            ["first_order", "cotangents", "layouts", "f32", "modes"]
        );
        assert_eq!(
            names("x: [n], order = 1, skip(threads, modes)", UNARY),
            ["first_order", "cotangents", "layouts", "f32"]
        );
        assert_eq!(names("skip(all)", UNARY), [""; 0]);
        assert!(names("broadcast", UNARY).contains(&"broadcast".to_owned()));
        assert!(names("at(0.0 => 1.0)", UNARY).contains(&"points".to_owned()));
        for single in
            ["fn f(x: Var<'_, f32>) -> Var<'_, f32> { x }", "fn f(x: Var<'_, f64>) -> Var<'_, f64> { x }"]
        {
            assert!(!names("", single).contains(&"f32".to_owned()));
        }
    }

    #[test]
    fn mistakes_in_options_are_explained() {
        let two = "fn f<'t, T: Float>(x: Var<'t, T>, y: Var<'t, T>) -> Var<'t, T> { x }";
        for (options, function, says) in [
            ("", AXIS, "the argument `axis` has no value: give a list to run over, `axis in [..]`"),
            ("axs in [0, 1], axis in [0]", AXIS, "there is no parameter or size `axs`; expected"),
            ("rtoll = 1e-3", UNARY, "expected `x: [.., n]`"),
            ("braodcast", UNARY, "expected `x: [.., n]`"),
            ("skip(broadcasts)", UNARY, "expected one of first_order, second_order"),
            ("order = 3", UNARY, "expected `order = 1` or `order = 2`"),
            ("x: [n], x in Real", UNARY, "`x` is described twice"),
            ("x: [.., n, ..]", UNARY, "x: expected at most one `..` in a shape"),
            ("x: n", UNARY, "expected curly braces"),
            ("x: 3", UNARY, "expected a shape such as `[.., n]`"),
            (
                "surrogate = |x| x, reference = |x| x",
                UNARY,
                "expected a surrogate or a reference, found both",
            ),
            ("at(0.0 => 0.0)", two, "expected a tuple with one value for each of the 2 inputs"),
            ("", "fn f(x: Var<'_, f32>, y: Var<'_, f64>) {}", "all inputs must have the same element type"),
            ("n in [1]", "fn f(n: usize) {}", "expected a parameter that is a `Var`"),
            ("", "fn f(self) {}", "a function without `self`"),
            ("", "fn f((x, y): (Var<'_, f64>, Var<'_, f64>)) {}", "expected a parameter with a name"),
        ] {
            let message = message(options, function);
            assert!(message.contains(says), "{options}: {message:?} does not say {says:?}");
        }
    }
}
