//! A formula compiled to steps over a few registers, each of which is a block of elements in the first-level cache.

use super::expr::{Arithmetic, Binary, Comparison, Step, Unary};
use crate::number::Float;
use std::sync::Arc;
use wengert_ops::kernel::pointwise::{Elementwise, FnKernel, SliceKernel};

/// The number of elements in a block.
const BLOCK: usize = 512;

/// Steps in order; results are in registers, which are reused once their value is no longer needed.
pub(crate) struct Program<T: Float> {
    lines: Vec<Line<T>>,
    constants: Vec<T>,
    registers: usize,
    output: Place,
    cost: usize,
}

struct Line<T: Float> {
    code: Code<T>,
    to: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Input(usize),
    Constant(usize),
    Register(usize),
}

enum Code<T: Float> {
    Unary(Arc<dyn Unary<T>>, Place),
    Binary(Arc<dyn Binary<T>>, [Place; 2]),
    Arithmetic(Arithmetic, [Place; 2]),
    Compare(Comparison, [Place; 2]),
    Select([Place; 3]),
}

impl<T: Float> Program<T> {
    /// Compiles the steps on which the output depends; the others are left out.
    pub(super) fn compile(steps: &[Step<T>], output: u32) -> Self {
        let mut last_use = vec![None; steps.len()];
        last_use[output as usize] = Some(usize::MAX);
        for (id, step) in steps.iter().enumerate().rev() {
            if last_use[id].is_some() {
                for &o in step.operands() {
                    last_use[o as usize].get_or_insert(id);
                }
            }
        }
        let mut program = Program {
            lines: Vec::new(),
            constants: Vec::new(),
            registers: 0,
            output: Place::Input(0),
            cost: 1,
        };
        let mut places = vec![Place::Input(0); steps.len()];
        let mut free = Vec::new();
        for (id, step) in steps.iter().enumerate() {
            if last_use[id].is_none() {
                continue;
            }
            let place = |o: &u32| places[*o as usize];
            let code = match step {
                Step::Input(i) => {
                    places[id] = Place::Input(*i);
                    continue;
                }
                Step::Constant(c) => {
                    let same = |k: &T| k.to_f64().to_bits() == c.to_f64().to_bits();
                    let at = program.constants.iter().position(same).unwrap_or(program.constants.len());
                    if at == program.constants.len() {
                        program.constants.push(*c);
                    }
                    places[id] = Place::Constant(at);
                    continue;
                }
                Step::Unary(p, x) => Code::Unary(Arc::clone(p), place(x)),
                Step::Binary(p, x) => Code::Binary(Arc::clone(p), x.each_ref().map(place)),
                Step::Arithmetic(op, x) => Code::Arithmetic(*op, x.each_ref().map(place)),
                Step::Compare(c, x) => Code::Compare(*c, x.each_ref().map(place)),
                Step::Select(x) => Code::Select(x.each_ref().map(place)),
            };
            program.cost += code.cost();
            // A register that a step reads is free only after that step.
            let to = free.pop().unwrap_or(program.registers);
            program.registers = program.registers.max(to + 1);
            places[id] = Place::Register(to);
            program.lines.push(Line { code, to });
            for &o in step.operands() {
                if let (Place::Register(r), Some(last)) = (places[o as usize], last_use[o as usize])
                    && last == id
                    && !free.contains(&r)
                {
                    free.push(r);
                }
            }
        }
        program.output = places[output as usize];
        program
    }

    /// The cost of one element, in additions.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Runs over slices of the inputs.
    pub(crate) fn run_blocks(&self, x: &[&[T]], out: &mut [T]) {
        let block = BLOCK.min(out.len());
        let constants: Vec<Vec<T>> = self.constants.iter().map(|&c| vec![c; block]).collect();
        let mut file = vec![vec![T::ZERO; block]; self.registers];
        for (b, out) in out.chunks_mut(BLOCK).enumerate() {
            let (start, len) = (b * BLOCK, out.len());
            for line in &self.lines {
                let mut to = std::mem::take(&mut file[line.to]);
                {
                    let read = |p: Place| match p {
                        Place::Input(i) => &x[i][start..start + len],
                        Place::Constant(i) => &constants[i][..len],
                        Place::Register(r) => &file[r][..len],
                    };
                    line.code.run(&read, &mut to[..len]);
                }
                file[line.to] = to;
            }
            out.copy_from_slice(match self.output {
                Place::Input(i) => &x[i][start..start + len],
                Place::Constant(i) => &constants[i][..len],
                Place::Register(r) => &file[r][..len],
            });
        }
    }
}

impl<T: Float, const N: usize> SliceKernel<N, T, T> for Program<T> {
    fn cost(&self) -> usize {
        self.cost
    }
    fn run(&self, x: [&[T]; N], out: &mut [T]) {
        self.run_blocks(&x, out);
    }
}

impl<T: Float> Code<T> {
    fn cost(&self) -> usize {
        match self {
            Code::Unary(p, _) => p.loops().cost(),
            Code::Binary(p, _) => p.loops().cost(),
            _ => 1,
        }
    }

    fn run<'a>(&self, read: &dyn Fn(Place) -> &'a [T], to: &mut [T]) {
        let truth = |b: bool| if b { T::ONE } else { T::ZERO };
        match self {
            Code::Unary(p, x) => p.loops().run([read(*x)], to),
            Code::Binary(p, x) => p.loops().run(x.map(read), to),
            Code::Arithmetic(op, x) => {
                let x = x.map(read);
                match op {
                    Arithmetic::Add => Elementwise(FnKernel(|a: T, b: T| a + b)).run(x, to),
                    Arithmetic::Sub => Elementwise(FnKernel(|a: T, b: T| a - b)).run(x, to),
                    Arithmetic::Mul => Elementwise(FnKernel(|a: T, b: T| a * b)).run(x, to),
                    Arithmetic::Div => Elementwise(FnKernel(|a: T, b: T| a / b)).run(x, to),
                }
            }
            Code::Compare(c, x) => {
                let x = x.map(read);
                match c {
                    Comparison::Less => Elementwise(FnKernel(|a: T, b: T| truth(a < b))).run(x, to),
                    Comparison::LessOrEqual => Elementwise(FnKernel(|a: T, b: T| truth(a <= b))).run(x, to),
                    Comparison::Equal => Elementwise(FnKernel(|a: T, b: T| truth(a == b))).run(x, to),
                }
            }
            Code::Select(x) => {
                let choose = |m: T, yes: T, no: T| if m == T::ZERO { no } else { yes };
                Elementwise(FnKernel(choose)).run(x.map(read), to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::formula::{Elementary, Formula};
    use crate::number::Real;

    #[test]
    fn registers_are_used_again_and_dead_steps_left_out() {
        let f = Formula::<f64>::trace(|[x]| {
            let _dead = x.exp().log().tanh();
            (0..40).fold(x, |y, _| (y * x).sin() + 1.0)
        });
        assert_eq!(f.program.lines.len(), 120);
        assert!(f.program.registers <= 3, "{}", f.program.registers);
        assert!(f.adjoint(0).registers <= 90, "{}", f.adjoint(0).registers);
        let constant = Formula::<f64>::trace(|[x]| x.like(2.0) * x.like(1.0));
        assert!(constant.program.lines.is_empty());
        assert_eq!(constant.program.constants, [2.0]);
    }
}
