//! `#[derive(Module)]`: makes the fields of a struct the parts of a module, under their names.
#![forbid(unsafe_code)]

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
