//! Implementations of [`Module`] for parameters, buffers, plain values, boxes and lists.

use super::{Buffer, Leaf, LeafMut, Module, ModulePath, Visitor, VisitorMut};
use std::marker::PhantomData;
use wengert_ops::Element;
use wengert_tape::{Float, Param};

impl<T: Float> Module for Param<T> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        if let Some(leaf) = Leaf::of_param(self) {
            visitor.leaf(path, leaf);
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        self.set_name(path.as_str());
        if let Some(leaf) = LeafMut::of_param(self) {
            visitor.leaf(path, leaf);
        }
    }
}

impl<T: Element> Module for Buffer<T> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        if let Some(leaf) = Leaf::of_buffer(self) {
            visitor.leaf(path, leaf);
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        if let Some(leaf) = LeafMut::of_buffer(self) {
            visitor.leaf(path, leaf);
        }
    }
}

macro_rules! no_parts {
    ($($t:ty)*) => {$(
        impl Module for $t {
            fn visit(&self, _: &mut ModulePath, _: &mut dyn Visitor) {}
            fn visit_mut(&mut self, _: &mut ModulePath, _: &mut dyn VisitorMut) {}
        }
    )*};
}
no_parts!(() bool char u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64 String &'static str);

impl<T: ?Sized> Module for PhantomData<T> {
    fn visit(&self, _: &mut ModulePath, _: &mut dyn Visitor) {}
    fn visit_mut(&mut self, _: &mut ModulePath, _: &mut dyn VisitorMut) {}
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn kind(&self) -> &'static str {
        (**self).kind()
    }
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        (**self).visit(path, visitor);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        (**self).visit_mut(path, visitor);
    }
}

/// The names of the parts are their positions.
impl<M: Module> Module for [M] {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        for (i, m) in self.iter().enumerate() {
            path.enter_index(i, |path| m.visit(path, visitor));
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        for (i, m) in self.iter_mut().enumerate() {
            path.enter_index(i, |path| m.visit_mut(path, visitor));
        }
    }
}

impl<M: Module> Module for Vec<M> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        self[..].visit(path, visitor);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        self[..].visit_mut(path, visitor);
    }
}

impl<M: Module, const N: usize> Module for [M; N] {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        self[..].visit(path, visitor);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        self[..].visit_mut(path, visitor);
    }
}

impl<M: Module> Module for Option<M> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        if let Some(m) = self {
            m.visit(path, visitor);
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        if let Some(m) = self {
            m.visit_mut(path, visitor);
        }
    }
}
