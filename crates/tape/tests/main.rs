//! Tests of behaviour in one program, because each test program is compiled and linked separately. Tests that count for the
//! whole process (memory, threads) have programs of their own next to this one.

mod checkpoint;
mod enrolment;
mod errors;
mod false_alarms;
mod locations;
mod mistakes;
mod profile;
mod refusals;
mod scalar;
mod scalar_sums;
mod scalar_trace;
mod slices;
mod sweep;
mod table;
mod tensors;
mod traps;
mod traps_page;
mod words;
mod wrong_rules;
