//! Behaviour, one program: every one more would be compiled and linked by itself. What counts in the whole process (memory, threads)
//! has programs of its own beside it.

// The derive writes paths of the facade.
extern crate wengert_nn as wengert;

mod defaults;
mod derive;
mod gradcheck;
mod losses;
mod names;
mod pytorch;
mod pytorch_attention;
mod zoo_gradients;
