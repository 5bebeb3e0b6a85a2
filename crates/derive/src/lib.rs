//! `#[derive(Module)]`: makes the fields of a struct the parts of a module, under their names. `#[gradcheck]`: makes tests of the
//! gradients of a function.
#![forbid(unsafe_code)]

mod gradcheck;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Index, LitStr, Member, Path, Result,
    parse_macro_input, parse_quote,
};

/// Implements `wengert::nn::Module`: every field is visited under its name (its number in a tuple struct).
///
/// Fields of plain types (numbers, strings, …) have no parameters and are skipped; `#[module(skip)]` skips any other
/// field that is not a module. An enum visits the fields of its current variant.
///
/// `#[module(crate = "wengert_nn")]` on the type names the crate in which `Module` is found, for a program that depends on
/// `wengert-nn` and not on `wengert`.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(input).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes tests of the gradients of a function of `Var`s: one test per property, in a module with the name of the function.
///
/// ```ignore
/// use wengert::prelude::*;
///
/// /// x · σ(2x)
/// #[gradcheck]
/// fn swish2<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
///     x * (x * 2.0).sigmoid()
/// }
/// ```
///
/// `cargo test` then runs `swish2::first_order`, `swish2::second_order`, `swish2::cotangents`, `swish2::layouts`, `swish2::empty`,
/// `swish2::f32`, `swish2::threads` and `swish2::modes`; what they require is documented at `wengert::tape::gradcheck::Property`. A
/// failure prints the wrong derivatives with their input and element, the inputs, and the seed that draws them again:
/// `WENGERT_SEED=17 WENGERT_CASES=1 cargo test swish2::first_order`.
///
/// The function stays as it is. It may be generic over the element type (`T: Float`), or have `f64`, or `f32`: then there is no test
/// `f32`, and code for `f32` alone is checked by differences with larger steps and a tolerance of 10⁻³. It returns a `Var`, a tuple,
/// an array or a `Vec` of them, or a `Result` of these. It must be at the level of a module, not inside another function, and the
/// type of an input must be written as `Var`, not as an alias.
///
/// # Inputs
/// What is written about a parameter, in any order:
///
/// | | |
/// |---|---|
/// | nothing | a tensor of any shape, the same for all inputs; any numbers |
/// | `x: [.., n, 3]` | a shape: `..` stands for any leading axes, the same for all inputs; a name, or an expression of names, for a size |
/// | `x in POSITIVE` | the numbers: `Real`, `POSITIVE`, `NON_ZERO`, `Between(a, b)`, `a..=b`, `Away(a, b)`, `Grid`, `Kinks(&[..])` |
/// | `x: [n] in 0.1..=0.9` | both |
/// | `x = g.tensor(&[n, n], ..)` | any expression for a `Tensor<f64>`; `g` is a `Gen` |
/// | `s: State { h: [n], c: [n] }` | a struct of inputs; `(..)` for a tuple, `&[..]` for a slice of them |
/// | `axis in [0, -1]` | the values of another argument: tests run over all combinations |
/// | `labels = g.indices(&[n], k)` | the value of another argument, in terms of sizes and of `g` |
/// | `n in 2..=5` | a range for a size; without it, a size is between 1 and 4, and in some cases around 100 |
///
/// # Options
/// | | |
/// |---|---|
/// | `order = 1` | the first order only |
/// | `kinks = [0.0]` | points at which the derivative jumps: any value between the sides is right there; the second order is checked elsewhere |
/// | `at(0.0 => 0.5)` | the gradient of the sum of the outputs at a point, a convention; with several inputs, tuples |
/// | `not_differentiable_at(0.0)` | asserts a kink, or a derivative that is not finite |
/// | `surrogate = \|x\| x` | the gradient is, on purpose, that of this function: a straight-through estimator |
/// | `reference = \|x\| ..` | values and gradients must be those of this function, which has `f64` |
/// | `broadcast` | inputs whose shapes broadcast, and a test of that name |
/// | `rtol`, `atol`, `tolerance`, `step` | of comparisons with differences, as of `Check` |
/// | `accurate_to(4.0, 8.0)` | the accuracy of values and gradients in single precision, as of `Spec`, also under offsets and scales |
/// | `points = [88.7]` | numbers worth testing |
/// | `cases = 20`, `seed = 0`, `sizes = 1..=4` | the number of cases of a test, the first seed, a range for all sizes |
/// | `allow_non_finite` | derivatives that cannot be compared are no failures |
/// | `skip(empty)` | leaves out tests; without `empty`, no input is empty; `skip(all)` makes none |
/// | `spec` | the function `spec` of the module, an entry for `suite::run_all`, exists outside of tests too |
/// | `crate = "wengert_tape"` | for a program that depends on this crate and not on `wengert` |
#[proc_macro_attribute]
pub fn gradcheck(options: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as syn::ItemFn);
    let tests = gradcheck::attribute(options.into(), &item);
    tests
        .unwrap_or_else(|e| {
            let error = e.into_compile_error();
            quote!(#item #error)
        })
        .into()
}

/// The tests of [`gradcheck`] for a closure: a name, the closure, and the same options.
///
/// ```ignore
/// use wengert::prelude::*;
///
/// gradcheck_test!(log_cosh, |x| x.cosh().log());
/// gradcheck_test!(pool, |x, axis: isize| x.max_axis(axis), x: [n, m] in Grid, axis in [0, 1]);
/// ```
///
/// A parameter without a type is a `Var` of either element type.
#[proc_macro]
pub fn gradcheck_test(input: TokenStream) -> TokenStream {
    let test = parse_macro_input!(input as gradcheck::ClosureTest);
    gradcheck::closure(test).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(mut input: DeriveInput) -> Result<Tokens> {
    let root = root(&input.attrs)?;
    let root = quote!(#root::__private);
    let name = &input.ident;
    let kind = name.to_string();
    let (mut shared, mut unique, mut types) = (Vec::new(), Vec::new(), Vec::new());
    match &input.data {
        Data::Struct(s) => arm(quote!(#name), &s.fields, &mut shared, &mut unique, &mut types, &root)?,
        Data::Enum(e) => {
            for v in &e.variants {
                let variant = &v.ident;
                arm(quote!(#name::#variant), &v.fields, &mut shared, &mut unique, &mut types, &root)?;
            }
        }
        Data::Union(u) => return Err(Error::new(u.union_token.span(), "a union cannot be a module")),
    }
    let generic = !input.generics.params.is_empty();
    if generic {
        let bounds = input.generics.make_where_clause();
        for ty in types {
            bounds.predicates.push(parse_quote!(#ty: #root::Module));
        }
    }
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics #root::Module for #name #arguments #bounds {
            fn kind(&self) -> &'static str {
                #kind
            }
            fn visit(&self, path: &mut #root::ModulePath, visitor: &mut dyn #root::Visitor) {
                visitor.enter(path, #kind);
                match self { #(#shared)* }
                visitor.leave(path);
            }
            fn visit_mut(&mut self, path: &mut #root::ModulePath, visitor: &mut dyn #root::VisitorMut) {
                match self { #(#unique)* }
            }
        }
    })
}

/// One match arm each for `visit` and `visit_mut`, and the types that must be modules.
fn arm(
    pattern: Tokens,
    fields: &Fields,
    shared: &mut Vec<Tokens>,
    unique: &mut Vec<Tokens>,
    types: &mut Vec<syn::Type>,
    root: &Tokens,
) -> Result<()> {
    let (mut bindings, mut visits, mut visits_mut) = (Vec::new(), Vec::new(), Vec::new());
    for (i, field) in fields.iter().enumerate() {
        if skipped(field)? {
            continue;
        }
        let member = match &field.ident {
            Some(ident) => Member::Named(ident.clone()),
            None => Member::Unnamed(Index::from(i)),
        };
        let name = field.ident.as_ref().map_or_else(|| i.to_string(), |ident| ident.to_string());
        let name = name.trim_start_matches("r#");
        let bound = quote::format_ident!("field_{i}");
        bindings.push(quote!(#member: #bound));
        visits.push(quote!(path.enter(#name, |path| #root::Module::visit(#bound, path, visitor));));
        visits_mut.push(quote!(path.enter(#name, |path| #root::Module::visit_mut(#bound, path, visitor));));
        types.push(field.ty.clone());
    }
    shared.push(quote!(#pattern { #(#bindings,)* .. } => { #(#visits)* }));
    unique.push(quote!(#pattern { #(#bindings,)* .. } => { #(#visits_mut)* }));
    Ok(())
}

/// The crate that has `Module`.
fn root(attributes: &[Attribute]) -> Result<Path> {
    let mut root: Path = parse_quote!(::wengert);
    for attribute in attributes.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| match meta.path.is_ident("crate") {
            true => {
                root = meta.value()?.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?;
                Ok(())
            }
            false => Err(meta.error("expected `crate = \"path\"`")),
        })?;
    }
    Ok(root)
}

fn skipped(field: &Field) -> Result<bool> {
    let mut skip = false;
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| match meta.path.is_ident("skip") {
            true => {
                skip = true;
                Ok(())
            }
            false => Err(meta.error("expected `skip`")),
        })?;
    }
    Ok(skip)
}
