//! Data of which each CPU has its own.

use machine::{Bus, Cpu, Family, Var, VarArray};

/// One value for each CPU.
#[derive(Debug)]
pub struct PerCpu<T>(Vec<T>);

impl<T> PerCpu<T> {
    /// One value for each CPU of a machine.
    pub fn new(bus: &Bus, mut make: impl FnMut(u8) -> T) -> Self {
        Self((0..bus.cpus()).map(&mut make).collect())
    }

    /// The value of the CPU that asks.
    pub fn this(&self, cpu: &Cpu<'_>) -> &T {
        &self.0[usize::from(cpu.id())]
    }

    /// The value of any CPU.
    pub fn of(&self, cpu: u8) -> &T {
        &self.0[usize::from(cpu)]
    }

    /// All, lowest CPU first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

/// One variable for each CPU, which other CPUs may read too.
#[derive(Clone, Copy, Debug)]
pub struct PerCpuVar(VarArray);

impl PerCpuVar {
    /// One variable for each CPU of a machine.
    pub fn new(bus: &Bus, family: Family) -> Self {
        Self(bus.memory.vars(family, usize::from(bus.cpus())))
    }

    /// The variable of the CPU that asks.
    pub fn this(&self, cpu: &Cpu<'_>) -> Var {
        self.0.at(usize::from(cpu.id()))
    }

    /// The variable of any CPU.
    pub fn of(&self, cpu: u8) -> Var {
        self.0.at(usize::from(cpu))
    }
}
