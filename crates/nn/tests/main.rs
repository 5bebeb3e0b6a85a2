//! Tests of behaviour in one program, since each further program would be compiled and linked separately. Tests that depend on
//! the whole process (memory, threads) have their own programs next to it.

// The derive refers to paths of the facade.
extern crate wengert_nn as wengert;

mod defaults;
mod derive;
mod documented;
mod gradcheck;
mod losses;
mod names;
mod pytorch;
mod pytorch_attention;
mod training_checks;
mod zoo_gradients;
