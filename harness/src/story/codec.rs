//! What follows for an operation from its row and from the kinds of its operands: its bytes and its line, what it is bound to, how
//! plain it is, how it is drawn. The macro only enumerates; whatever is done with an operand stands in `operand`.

use oracle::vocabulary::{Bound, Mode, Operation, Sort, Told};

use super::Tag;
use super::draw::Draw;
use super::held::Held;
use super::line::{Line, Parsed};
use super::operand::{Bits, Operand};

/// The modes of an operation's operands, one after the other.
fn modes(tag: Tag) -> impl FnMut() -> Option<Mode> {
    let mut modes = tag.row().map_or(&[][..], |row| row.operands).iter().map(|operand| operand.mode);
    move || modes.next().expect("one for each operand")
}

macro_rules! codec {
    ($($(#[$doc:meta])+ $tag:literal $word:literal $name:ident {
        $($field:ident: $kind:ty $(= $mode:ident $(($($role:ident),+))?)?),*
    } $($flag:ident)* => $answers:ident;)+) => {
        /// The operation of a record; none if the tag is that of no operation.
        pub(super) fn decode(tag: Tag, bits: &mut Bits) -> Option<Operation<Told>> {
            Some(match tag {
                $(Tag::$name => Operation::$name { $($field: Operand::decode(bits)),* },)+
                _ => return None,
            })
        }

        /// The operands of a record.
        pub(super) fn encode(operation: &Operation<Told>) -> Bits {
            let mut bits = Bits::default();
            match *operation {
                $(Operation::$name { $($field),* } => { $($field.encode(&mut bits);)* })+
            }
            bits
        }

        /// The operation of a line whose first word was read; none if that is no operation's.
        pub(super) fn parse(tag: Tag, line: &mut Line<'_>) -> Parsed<Option<Operation<Told>>> {
            let mut mode = modes(tag);
            Ok(Some(match tag {
                $(Tag::$name => Operation::$name { $($field: parse_one(line, mode())?),* },)+
                _ => return Ok(None),
            }))
        }

        impl Held {
            /// The operation with its operands, or nothing where one is missing or the caller must not ask for it. The event is
            /// the one of this number.
            pub(in crate::story) fn bind_all(&self, told: &Operation<Told>, event: u16) -> Option<Operation> {
                let mut mode = modes(Tag::of_operation(told));
                Some(match *told {
                    $(Operation::$name { $($field),* } => {
                        Operation::$name { $($field: $field.bind(self, mode(), event)?),* }
                    })+
                })
            }
        }

        /// An operation that is bound to this one, told where it was bound.
        pub(crate) fn told(bound: &Operation<Bound>) -> Operation<Told> {
            match *bound {
                $(Operation::$name { $($field),* } => Operation::$name { $($field: Operand::of($field)),* },)+
            }
        }

        /// How many pages a thing has that the operation makes; 0 where no operand says it.
        pub(super) fn length(bound: &Operation<Bound>) -> u8 {
            let said: Option<u8> = match told(bound) {
                $(Operation::$name { $($field),* } => None $(.or($field.length()))*,)+
            };
            said.unwrap_or(0)
        }

        /// How far its operands are from the plainest.
        pub(crate) fn size(operation: &Operation<Told>) -> u32 {
            match *operation {
                $(Operation::$name { $($field),* } => 0 $(+ $field.size())*,)+
            }
        }

        /// The same operation with the operand of this number plainer, in the way of that number; none where there is no such way.
        fn plainer_at(operation: &Operation<Told>, turn: usize, way: usize) -> Option<Operation<Told>> {
            let mut mode = modes(Tag::of_operation(operation));
            let (mut numbers, mut changed) = (0.., false);
            match *operation {
                $(Operation::$name { $(mut $field),* } => {
                    $(
                        let how = mode();
                        if numbers.next() == Some(turn) && is_told(&$field, how) {
                            ($field, changed) = (*$field.plainer().get(way)?, true);
                        }
                    )*
                    changed.then_some(Operation::$name { $($field),* })
                })+
            }
        }

        /// The same operation with this many pages, if it says how many and these are more.
        pub(crate) fn grown(operation: &Operation<Told>, pages: u8) -> Option<Operation<Told>> {
            match *operation {
                $(Operation::$name { $($field),* } => {
                    let grows = false $(|| $field.grown(pages).is_some())*;
                    grows.then_some(Operation::$name { $($field: $field.grown(pages).unwrap_or($field)),* })
                })+
            }
        }

        /// Gives the slots in it other names, by their sorts and numbers.
        pub(crate) fn rename(operation: &mut Operation<Told>, name: &mut dyn FnMut(Sort, u8) -> u8) {
            match operation {
                $(Operation::$name { $($field),* } => { $($field.rename(name);)* })+
            }
        }

        /// Draws an operation that means something at this moment, if its operands are there.
        pub(super) fn draw(tag: Tag, draw: &mut Draw<'_>) -> Option<Operation<Told>> {
            let mut mode = modes(tag);
            Some(match tag {
                $(Tag::$name => Operation::$name { $($field: Operand::draw(draw, mode())?),* },)+
                _ => return None,
            })
        }
    };
}

oracle::for_each_operation!(codec);

fn parse_one<O: Operand>(line: &mut Line<'_>, mode: Option<Mode>) -> Parsed<O> {
    if matches!(mode, Some(Mode::New(_))) {
        line.keyword("->")?;
    }
    O::parse(line)
}

/// The same operation with one plainer operand, the plainest of each first. What a new thing is called does not matter here, pages
/// apart: all are renamed together.
pub(crate) fn plainer(operation: &Operation<Told>) -> impl Iterator<Item = Operation<Told>> {
    let turns = 0..operation.row().operands.len();
    turns.flat_map(move |turn| (0..).map_while(move |way| plainer_at(operation, turn, way)))
}

fn is_told(operand: &impl Operand, mode: Option<Mode>) -> bool {
    use oracle::vocabulary::Named;
    !matches!(mode, Some(Mode::New(_))) || matches!(operand.named(), Named::Thing(Sort::Page, _))
}
