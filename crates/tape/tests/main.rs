//! Behaviour, one program: every one more would be compiled and linked by itself. What counts in the whole process (memory, threads)
//! has programs of its own beside it.

mod checkpoint;
mod enrolment;
mod errors;
mod false_alarms;
mod locations;
mod mistakes;
mod refusals;
mod scalar;
mod scalar_sums;
mod scalar_trace;
mod sweep;
mod table;
mod tensors;
mod traps;
mod traps_page;
mod wrong_rules;
