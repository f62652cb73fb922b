//! The contract: what counts as a crash, and what does not. Every verdict names one of its rules.
//!
//! # Words
//!
//! A CPU that executes now can *use* a translation if its tag matches or it is global, and one more condition holds: for a
//! user leaf, the CPU is in user mode or in a user copy; for a kernel leaf, its alias is not vunmapped. An entry of a walk
//! cache is always usable, on lazy CPUs too. A stale entry that is not usable is no crash. The checks remember it and judge
//! it where it would become usable: at switch-in, return to user, vCPU entry, reuse of the range and reuse of the frame.
//!
//! # Rules
//!
//! The numbered [`Rule`]s, each with its sentence and its sources. Seeds are the mails that the project grew from: 000 on
//! inhibiting the flush of `vm_unmap_aliases`, 001 on freeing page tables under Xen, 002 on lazier lazy TLB mode, 003 on
//! the core of MMU notifiers, 004 on the rewrite of vmap.
//!
//! # What is legal, and must never be reported
//!
//! - *Either side of a race.* An access that overlaps the operation which revokes its translation may still succeed or
//!   already fail. Two writes that overlap may land in either order. A read that overlaps a write may find the old token or
//!   the new one.
//! - *Pages one by one.* An operation over a range need not be atomic over its pages.
//! - *A late store.* Another CPU may read the older value until a store has left its buffer. The end of an operation empties
//!   the buffer of its CPU, and so does the end of a user access here: the CPU returns to user mode through an instruction that
//!   serialises before anything else is asked of it.
//! - *Running out.* An allocation may fail when there is no memory. A mapping may fail when there is no hole, or while a
//!   purge overlaps. Its handle then stands for nothing on that backend: an operation that needs it is void there, and the
//!   backends are not compared on it. The reference cannot see holes and takes every such failure for true. A backend that
//!   always fails shows in the counts of operations that took effect.
//! - *What failed may have begun.* A page that was to become a table and did not may hold its old word or zero.
//! - *A table asked for with interrupts off*: the kernel may make it, or answer that it would sleep because it has to drain
//!   first.
//! - *Lazy aliases.* After vunmap a stale kernel translation may linger, also to a frame that was freed and reused, until
//!   its range is reused, a drain returns, or the frame takes a role that allows no alias. A caller that touches the range
//!   meanwhile is itself at fault, and stories do not. A walker cannot make a *new* entry once the old one is cleared in
//!   the tables.
//! - *Early reuse.* A kernel may hand a range out again as soon as its unmap took effect, before that unmap has returned.
//! - *Speculation.* A walk may cache what a live and correct table holds at any time, global entries too.
//! - *Entries out of use.* A stale leaf may stay under a tag that is not current, behind a flush on next use, on a lazy
//!   CPU, in a vCPU that does not run and will flush before it does, or to a freed frame if the hypervisor flushes before
//!   it gives it away.
//! - *Either permission.* An access that overlaps a change of the permissions of its area may go through or fault.
//! - *Two memory types*, until the change from the one to the other returned.
//! - *One spurious fault* for each CPU, page and widening of permissions, if a second walk succeeds.
//! - *Fewer pins.* A fast pin may return fewer pages than its caller asked for, and a pinned page outlives its mapping.
//! - *The second of two unmaps*, which found nothing to do, promises nothing for the first.
//! - *A drain asked for with interrupts off* changes nothing and answers that it would sleep.

use core::fmt;

macro_rules! rules {
    ($($(#[doc = $line:literal])* $name:ident = $number:literal, $title:literal, $source:literal;)*) => {
        /// A rule of the contract, by its number.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Rule {
            $($(#[doc = $line])* #[doc = concat!("\n\nSource: ", $source, ".")] $name = $number,)*
        }

        impl Rule {
            /// Every rule, by number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// A few words that stand for the rule in headlines.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What must hold. Each line of a comment begins with a space, which keeps the words apart.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => concat!($($line),*).trim_ascii(),)* }
            }

            /// Where it comes from.
            pub const fn source(self) -> &'static str {
                match self { $(Self::$name => $source,)* }
            }
        }
    };
}

rules! {
    /// Every operation returns what the reference allows, given what overlaps it.
    Outcome = 1, "outcome", "the reference of this crate; seed 004 for the operations of vmap";
    /// Backends agree, by handle and never by address, wherever on each of them the story alone leaves one outcome,
    /// and in what is visible at the end.
    Agreement = 2, "backends agree", "seed 000: an alias that Xen refuses is one that native never notices";
    /// Once the operation that removed or narrowed a mapping returned, no usable translation grants more than the possible
    /// states of the reference allow, or leads to another frame than they do.
    UserRevocation = 3, "user revocation",
        "seed 002; Intel SDM volume 3A, Paging, \"Caching Translation Information\"";
    /// Once vmap returned a range, no CPU has a usable translation of it to anything else.
    RangeReuse = 4, "kernel range reuse", "seeds 000 and 004: a range is reused only after a flush";
    /// Once `vm_unmap_aliases` returned, no alias whose vunmap had returned before the call is left in tables, nor in a
    /// TLB unless the design says tables only, and then its range stays reserved until a flush.
    Drain = 5, "drain", "seeds 000 and 004";
    /// No usable old translation reaches a frame given to a new use. No CPU walks a table after it was freed, takes a
    /// reference on a frame whose count is zero, or frees a pinned page. A pin names a page that was mapped there at some
    /// moment of the call.
    Frames = 6, "frames", "seed 001; Intel SDM volume 3A, Paging, \"Caching Translation Information\"";
    /// The hypervisor refuses nothing that the guest leaves unhandled. An acknowledged update changes the entry that the
    /// guest's current tables reach. The hypervisor never lets a guest write a page table, nor keep a usable translation to
    /// a page given to another owner.
    Hypervisor = 7, "hypervisor", "seeds 000 and 004: no stray alias of a page table under Xen";
    /// After the primary revocation or protection returned, no secondary translation grants more. Each range start that a
    /// subscriber saw is closed by one end.
    SecondaryMmus = 8, "secondary MMUs", "seed 003";
    /// Everything ends. No CPU with interrupts off, at its own level of privilege, waits for an acknowledgement, a grace
    /// period or a sleeping lock. The machine reports the potential cycle, not only the actual one.
    Progress = 9, "progress", "seed 000: a drain asked for with interrupts off";
    /// When all is torn down nothing is left: frames, ranges, references, queued callbacks; and the guest's pages and machine
    /// frames match one to one.
    Rest = 10, "rest", "seed 004: what is put off is still done";
    /// While a pin is held and its address is not remapped, pin and owner see each other's writes. The pin shows no private
    /// write of another address space.
    Pins = 11, "pins are coherent", "seeds 001 and 003";
    /// No page is writable and executable through any two usable translations where the kernel promised that it is not. No
    /// page has two memory types at once.
    Permissions = 12, "permissions and memory types", "seed 004: aliases and page attributes";
}

impl Rule {
    /// The number by which verdicts name it.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} ({})", self.number(), self.title())
    }
}
