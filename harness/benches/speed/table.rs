//! The table of figures, and the clock that they are taken with.

use std::time::{Duration, Instant};

/// What a figure must be.
pub(crate) enum Bar {
    /// Nothing is asked of it.
    None,
    /// Not above this.
    AtMost(f64),
    /// Not below this.
    AtLeast(f64),
}

/// Prints rows as they are measured, and counts the figures that miss their bars.
pub(crate) struct Table {
    missed: u32,
}

impl Table {
    pub(crate) fn begin() -> Self {
        println!("{:<62} {:>12} {:<16} bar", "what", "figure", "unit");
        Self { missed: 0 }
    }

    /// The rows that follow are about this.
    pub(crate) fn subject(name: &str) {
        println!("-- {name}");
    }

    /// A figure.
    pub(crate) fn row(&mut self, what: &str, figure: f64, unit: &str, bar: &Bar) {
        let (text, holds) = match bar {
            Bar::None => (String::new(), true),
            Bar::AtMost(most) => (format!("at most {}", number(*most)), figure <= *most),
            Bar::AtLeast(least) => (format!("at least {}", number(*least)), figure >= *least),
        };
        let verdict = if holds { "" } else { ": MISSED" };
        self.missed += u32::from(!holds);
        println!("{what:<62} {:>12} {unit:<16} {text}{verdict}", number(figure));
    }

    pub(crate) fn end(self) {
        match self.missed {
            0 => println!("-- every bar holds"),
            missed => println!("-- {missed} figures miss their bars"),
        }
    }
}

/// With thousands apart, and decimals only where they tell something.
fn number(figure: f64) -> String {
    let decimals = if figure >= 100.0 { 0 } else { usize::from(figure < 10.0) + 1 };
    let text = format!("{figure:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut apart = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index != 0 && (whole.len() - index).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart + rest
}

/// How long it takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The shortest of so many rounds.
pub(crate) fn best(rounds: u32, mut round: impl FnMut() -> Duration) -> Duration {
    (0..rounds).map(|_| round()).min().expect("at least one round")
}

/// Nanoseconds for each of so many.
pub(crate) fn nanoseconds(all: Duration, count: u32) -> f64 {
    all.as_secs_f64() * 1e9 / f64::from(count)
}
