//! The operations, one row each. A row says how a story writes the operation and what it does with each operand. Nothing
//! here may need an `if`: the reference knows what an operation means, and the kernels know what it does.

use core::fmt;
use core::marker::PhantomData;

use super::{
    AreaSlot, Backing, Bound, BufferPage, BufferSlot, Count, Destination, Level, MmSlot, Mode, ObjectSlot,
    Operand, OwnPage, PageSlot, PinSlot, PinnedPage, Place, RamSlot, RawEntry, Role, Root, Sort, Stage,
    TableEntry, TreeSlot, Use, UserAccess, UserPage, UserRange,
};

/// Hands the rows to a macro; the macro takes from each row what it needs.
///
/// ```text
/// /// What it asks for, as the manual says it.
/// TAG "word" Name { operand: Kind = Mode, .. } flags => answers;
/// ```
///
/// - The tag stands in the bytes of stories. It is never renumbered and never reused.
/// - A kind is a type of operand. `S::Pages` and `S::Token` differ between the stages of an operation.
/// - A mode says what the operation does with the thing that the operand names ([`Mode`]). An operand that names nothing
///   has no mode.
/// - Flags: `irqs_off`, a caller may ask with interrupts off; `device`, a device performs it and no CPU does.
/// - `answers` is a function of the reference: it says which answers are legal while no other operation overlaps.
#[macro_export]
macro_rules! for_each_operation {
    ($($then:tt)+) => { $($then)+! {
        /// the kernel allocates a zeroed page for the caller
        1 "alloc-page" AllocPage { page: PageSlot = New(Plain) } irqs_off => done_or_no_memory;
        /// the page goes back to the allocator
        2 "free-page" FreePage { page: PageSlot = Ends(Plain) } irqs_off => done;
        /// the kernel maps the pages in an area, readable and writable
        3 "vmap" Vmap { pages: S::Pages = Maps, area: AreaSlot = New(Plain) } => mapped;
        /// the kernel unmaps the area lazily: translations may linger until a drain returns or the range is reused
        4 "vunmap" Vunmap { area: AreaSlot = Ends(Plain) } => done;
        /// the kernel maps the pages through the per-CPU blocks
        5 "map-ram" MapRam { pages: S::Pages = Maps, ram: RamSlot = New(Plain) } => mapped;
        /// the kernel unmaps them lazily, as in vunmap
        6 "unmap-ram" UnmapRam { ram: RamSlot = Ends(Plain) } => done;
        /// `vm_unmap_aliases`: when it returns, no alias is left of what was unmapped before the call
        7 "drain-aliases" DrainAliases {} irqs_off => done;
        /// the CPU reads the page's word through a kernel mapping
        8 "read" Read { place: Place = UsesAny } irqs_off => value;
        /// the CPU writes the page's word through a kernel mapping; each write leaves a word of its own
        9 "write" Write { place: Place = UsesAny, token: S::Token } irqs_off => written;
        /// the page becomes a page table of the lowest level, as for a process under construction
        10 "make-table" MakeTable { page: PageSlot = Becomes(Plain, Table) } irqs_off => done_or_no_memory;
        /// the table becomes an ordinary page again, zeroed
        11 "unmake-table" UnmakeTable { page: PageSlot = Becomes(Table, Plain) } => done;
        /// the owner of the page sets a flag in the page's flags word; other callers may map and unmap the page meanwhile
        12 "set-page-flag" SetPageFlag { page: PageSlot = Uses(Plain) } irqs_off => done;
        /// the pages become the tables of a process under construction: the first page is the root, the next three are one
        /// table of each lower level, all others are lowest-level tables. The caller links them as ordinary memory; one
        /// call makes tables of them
        13 "pin-tree" PinTree { pages: S::Pages = Becomes(Plain, Member), tree: TreeSlot = New(Plain) } irqs_off => pinned;
        /// the kernel takes the tree apart; its pages are ordinary zeroed pages again
        14 "unpin-tree" UnpinTree { tree: TreeSlot = Ends(Plain) } => done;
        /// a kernel built with `table_drain=side-table-on-request` counts aliases from now on; any other kernel does
        /// nothing
        15 "track-aliases" TrackAliases {} => done;
        /// unmapped pages become a buffer for a narrow device, zeroed and mapped for the CPUs. Each segment of two pages
        /// has contiguous frames below the device's limit. Under Xen the guest exchanges the frames beneath the pages; the
        /// hypervisor has only three low frames. No other operation may use the pages during the call. Afterwards a page of
        /// the buffer may be mapped elsewhere too
        16 "dma-alloc" DmaAlloc { pages: S::Pages = Lends, buffer: BufferSlot = New(Plain) } irqs_off => buffer;
        /// the kernel unmaps the buffer lazily; its pages are ordinary pages again, zeroed. No page of it may be mapped
        /// elsewhere
        17 "dma-free" DmaFree { buffer: BufferSlot = Ends(Plain) } irqs_off => done;
        /// the device reads by bus address, coherent with the CPUs; at once, and on no CPU
        18 "device-read" DeviceRead { at: BufferPage = Uses(Plain) } device => value;
        /// the device writes by bus address, coherent with the CPUs; at once, and on no CPU
        19 "device-write" DeviceWrite { at: BufferPage = Uses(Plain), token: S::Token } device => done;
        /// the caller makes a hypercall of its own (`mmu_update`): the entry now leads to a page, `readable`, `writable`
        /// (entries that lead to tables are) or `large`. `-> foreign readable` leads to memory of another domain; `empty`
        /// clears the entry
        20 "hv-update" HvUpdate { at: TableEntry = GivesUp, entry: RawEntry = GivesUp } => astray;
        /// the caller pins the page as a table of level 1 to 4 and links it where accesses find it; it flushes nothing
        21 "hv-pin" HvPin { page: PageSlot = GivesUp, level: Level } => astray;
        /// the caller unlinks and unpins the table; it flushes nothing
        22 "hv-unpin" HvUnpin { page: PageSlot = Uses(Astray) } => astray;
        /// the caller offers the frame beneath the page for one that devices reach, whatever refers to it
        /// (`XENMEM_exchange`)
        23 "hv-exchange" HvExchange { page: PageSlot = GivesUp } => astray_exchange;
        /// the CPU writes to the page that the entry leads to, if the caller has linked the entry's page as a table
        24 "hv-write" HvWrite { at: TableEntry = Uses(Astray) } => astray_access;
        /// every CPU flushes everything (`MMUEXT_TLB_FLUSH_ALL`)
        25 "hv-flush" HvFlush {} => astray;
        /// the caller sets the lowest-level entry of an address (`update_va_mapping`): the entry that `p0+1` names, if its
        /// page is linked as a table of level 1; otherwise the first lowest-level entry below it
        26 "hv-update-va" HvUpdateVa { at: TableEntry = Uses(Astray), entry: RawEntry = GivesUp } => astray;
        /// the kernel allocates zeroed pages and maps them in an area; callers know the pages by the area alone
        28 "vmalloc" Vmalloc { count: Count = Sizes, area: AreaSlot = New(Own) } => mapped;
        /// callers may only read the area; the direct map of its pages follows
        29 "set-memory-ro" SetMemoryRo { area: AreaSlot = Changes(Own) } => done;
        /// callers may read and execute the area; the direct map of its pages follows
        30 "set-memory-rox" SetMemoryRox { area: AreaSlot = Changes(Own) } => done;
        /// callers may read and write the area, as in the beginning; the direct map of its pages follows
        31 "set-memory-rw" SetMemoryRw { area: AreaSlot = Changes(Own) } => done;
        /// the kernel unmaps the area lazily and takes its pages back. If a caller ever changed the area's permissions or
        /// memory type, the kernel unmaps at once and leaves no translation behind
        32 "vfree" Vfree { area: AreaSlot = Ends(Own) } => done;
        /// the CPU fetches an instruction
        33 "exec" Exec { place: Place = UsesAny } => fetched;
        /// the CPU reads the word of a page that the area owns, through the direct map
        34 "read-direct" ReadDirect { page: OwnPage = Uses(Own) } => value;
        /// the CPU writes the word of a page that the area owns, through the direct map
        35 "write-direct" WriteDirect { page: OwnPage = Uses(Own), token: S::Token } => written;
        /// as vmalloc, but the kernel may take a page of 2 MiB and map it by one large entry. Native does so if that page
        /// and the addresses reserved for it are free; otherwise it is as vmalloc. So it always is under Xen, whose guests
        /// have pages of 4 KiB only
        36 "vmalloc-huge" VmallocHuge { count: Count = Sizes, area: AreaSlot = New(Own) } => mapped;
        /// the area becomes write-combining, and so does the direct map of its pages; callers may do and find there what
        /// they could before
        37 "set-memory-wc" SetMemoryWc { area: AreaSlot = Changes(Own) } => done;
        /// the area becomes write-back, as in the beginning, and so does the direct map of its pages
        38 "set-memory-wb" SetMemoryWb { area: AreaSlot = Changes(Own) } => done;
        /// the kernel makes an address space: a root and upper levels of its own. Its kernel half leads to the same tables
        /// as the kernel's own address space; its user half is empty
        40 "new-mm" NewMm { mm: MmSlot = New(Plain) } => done_or_no_memory;
        /// the CPU loads an address space, or the kernel's own (`init_mm`), and stays there. Every CPU begins in the
        /// kernel's own. What the CPU sees of the kernel is the same from each
        41 "switch-mm" SwitchMm { to: Root = Uses(Plain) } => done;
        /// the kernel takes the address space apart; it interrupts the CPUs that are in it, and they end up in the kernel's
        /// own
        42 "drop-mm" DropMm { mm: MmSlot = Ends(Plain) } => done;
        /// as dma-alloc, for a wide device, which reaches all memory
        43 "dma-alloc-wide" DmaAllocWide { pages: S::Pages = Lends, buffer: BufferSlot = New(Plain) } irqs_off => buffer;
        /// the caller loads the page as a root on its CPU (`MMUEXT_NEW_BASEPTR`), with interrupts off, and goes back to the root
        /// that was there
        44 "hv-load-root" HvLoadRoot { page: PageSlot = GivesUp } => astray;
        /// the kernel makes an object: zeroed pages that address spaces can map
        45 "new-object" NewObject { count: Count = Sizes, object: ObjectSlot = New(Plain) } => done_or_no_memory;
        /// the caller lets go of the object, and the kernel takes its pages back
        46 "drop-object" DropObject { object: ObjectSlot = Ends(Plain) } => done;
        /// the kernel maps pages of an address space, in the place of whatever was mapped there: `anonymous` memory, or pages
        /// of an object, `shared` or `private` (copied on the first write). A page gets its memory when it is touched
        47 "mmap" Mmap { at: UserRange = Uses(Plain), what: Backing = Uses(Plain), access: UserAccess } => done_or_no_memory;
        /// the kernel unmaps pages of an address space, those that are mapped
        48 "munmap" Munmap { at: UserRange = Uses(Plain) } => done_or_no_memory;
        /// the kernel changes what user code may do with pages of an address space, those that are mapped
        49 "mprotect" Mprotect { at: UserRange = Uses(Plain), access: UserAccess } => done_or_no_memory;
        /// the kernel takes the memory behind pages of an address space away (`MADV_DONTNEED`): anonymous memory begins as
        /// zeroes again, a private page as that of its object
        50 "dontneed" Dontneed { at: UserRange = Uses(Plain) } => done;
        /// a thread of the address space reads the page's word in user mode; the CPU stays in user mode until the next event on it
        51 "load" Load { at: UserPage = Uses(Plain) } => user_value;
        /// a thread of the address space writes the page's word in user mode; the CPU stays there as after `load`
        52 "store" Store { at: UserPage = Uses(Plain), token: S::Token } => user_written;
        /// a thread of the address space has pages pinned, to read or to write them (`get_user_pages_fast`): first by a walk of
        /// the tables with interrupts off and no lock, then for the rest by faults. The kernel may pin fewer, from the first on
        53 "gup-fast" GupFast { at: UserRange = Uses(Plain), access: UserAccess, pins: PinSlot = New(Plain) } irqs_off => pinned_pages;
        /// a caller reads the word of a pinned page
        54 "pin-read" PinRead { at: PinnedPage = Uses(Plain) } => pin_value;
        /// a caller writes the word of a page that is pinned to be written
        55 "pin-write" PinWrite { at: PinnedPage = Uses(Plain), token: S::Token } => pin_written;
        /// the caller lets go of pinned pages
        56 "unpin" Unpin { pins: PinSlot = Ends(Plain) } => done;
        /// the kernel frees those lowest-level tables of a range that hold no entry, while the range may stay mapped
        57 "free-tables" FreeTables { at: UserRange = Uses(Plain) } => done;
        /// the kernel moves pages of an address space, those that are mapped, to other addresses of it, in the place of whatever
        /// was mapped there. A range that overlaps where it moves to is refused
        58 "mremap" Mremap { at: UserRange = Uses(Plain), to: Destination } => moved;
        /// the kernel takes the pages of the object out of memory, those that no caller has pinned: it unmaps them everywhere, stores
        /// what they hold, and frees them. They come back when they are touched next
        59 "reclaim" Reclaim { object: ObjectSlot = Uses(Plain) } => done;
        /// the kernel reads the page's word by its user address, for a thread of the address space (`copy_from_user`); with
        /// interrupts off it takes no fault, and what is not there at this moment it does not read
        60 "copy-from-user" CopyFromUser { at: UserPage = Uses(Plain) } irqs_off => user_value;
        /// the kernel writes the page's word by its user address (`copy_to_user`), as in copy-from-user
        61 "copy-to-user" CopyToUser { at: UserPage = Uses(Plain), token: S::Token } irqs_off => user_written;
        /// a thread of the address space has pages pinned by faults alone (`get_user_pages`), without a walk that holds no lock. The
        /// kernel may pin fewer, from the first on
        62 "gup" Gup { at: UserRange = Uses(Plain), access: UserAccess, pins: PinSlot = New(Plain) } => pinned_pages;
        /// as gup to write, also pages of the address space's own that it may only read, as a debugger does (`FOLL_FORCE`): a private
        /// page is copied first
        63 "gup-forced" GupForced { at: UserRange = Uses(Plain), pins: PinSlot = New(Plain) } => pinned_pages;
    } };
}

/// What an operation does with what an operand names, as a row says it.
macro_rules! mode {
    () => { None };
    (UsesAny) => { Some(Mode::Uses(None)) };
    (Uses $role:ident) => { Some(Mode::Uses(Some(Role::$role))) };
    ($mode:ident) => { Some(Mode::$mode) };
    ($mode:ident $($role:ident)+) => { Some(Mode::$mode($(Role::$role),+)) };
}

macro_rules! is_irqs_off {
    (irqs_off) => {
        true
    };
    ($other:ident) => {
        false
    };
}

macro_rules! is_device {
    (device) => {
        true
    };
    ($other:ident) => {
        false
    };
}

/// What the text form, the bytes and the manual need to know of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The number in the bytes of stories.
    pub tag: u8,
    /// The word in stories and headlines.
    pub word: &'static str,
    /// What it asks for.
    pub about: &'static str,
    /// Whether a caller may ask for it with interrupts off.
    pub irqs_off: bool,
    /// Whether a device performs it and no CPU does.
    pub device: bool,
    /// Its operands, in their order.
    pub operands: &'static [Names],
}

/// What an operand may name, and what the operation does with it.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The sorts of things.
    pub sorts: &'static [Sort],
    /// What the operation does with it; none where the operand names nothing.
    pub mode: Option<Mode>,
}

macro_rules! declare {
    ($(
        $(#[doc = $about:literal])+
        $tag:literal $word:literal $name:ident {
            $($field:ident: $kind:ty $(= $mode:ident $(($($role:ident),+))?)?),*
        } $($flag:ident)* => $answers:ident;
    )+) => {
        /// One request of a caller to a kernel, on one CPU, or to a device.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Operation<S: Stage = Bound> {
            $(
                $(#[doc = $about])+
                $name {
                    $(
                        #[doc = concat!("An operand, `", stringify!($kind $(= $mode)?), "`.")]
                        $field: $kind,
                    )*
                },
            )+
        }

        /// The rows, in the order of the table.
        pub const ROWS: [Row; [$($tag),+].len()] = [$(
            Row {
                tag: $tag,
                word: $word,
                about: concat!($($about),+),
                irqs_off: false $(|| is_irqs_off!($flag))*,
                device: false $(|| is_device!($flag))*,
                operands: Operands::<Bound>::$name,
            }
        ),+];

        /// The operands of each row.
        struct Operands<S>(PhantomData<S>);

        #[allow(non_upper_case_globals, reason = "they are called as the operations are")]
        impl<S: Stage> Operands<S> {
            $(
                const $name: &'static [Names] = &[$(
                    Names { sorts: <$kind as Operand>::SORTS, mode: mode!($($mode $($($role)+)?)?) }
                ),*];
            )+
        }

        enum Index { $($name),+ }

        impl<S: Stage> Operation<S> {
            /// Where its row is in [`ROWS`].
            #[inline]
            pub const fn index(&self) -> usize {
                match self {
                    $(Self::$name { .. } => Index::$name as usize,)+
                }
            }

            /// Tells what the operation does with what it names, in the order of its operands.
            #[inline]
            pub fn each_use(&self, mut see: impl FnMut(Use)) {
                match self {
                    $(Self::$name { $($field),* } => {
                        $(if let Some(mode) = mode!($($mode $($($role)+)?)?) {
                            see(Use { named: $field.named(), mode });
                        })*
                    })+
                }
            }
        }

        impl<S: Stage> fmt::Display for Operation<S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())?;
                match self {
                    $(Self::$name { $($field),* } => {
                        $(write(f, $field, mode!($($mode $($($role)+)?)?))?;)*
                    })+
                }
                Ok(())
            }
        }
    };
}

for_each_operation!(declare);

impl<S: Stage> Operation<S> {
    /// Its row.
    #[inline]
    pub const fn row(&self) -> &'static Row {
        &ROWS[self.index()]
    }

    /// The word by which stories and headlines name it.
    pub const fn name(&self) -> &'static str {
        self.row().word
    }

    /// Whether a device performs it and no CPU does.
    pub const fn is_of_a_device(&self) -> bool {
        self.row().device
    }
}

/// Writes an operand, after what separates it from the word before it.
fn write(f: &mut fmt::Formatter<'_>, operand: &impl Operand, mode: Option<Mode>) -> fmt::Result {
    f.write_str(before(operand, mode))?;
    fmt::Display::fmt(operand, f)
}

fn before<O: Operand>(_: &O, mode: Option<Mode>) -> &'static str {
    if matches!(mode, Some(Mode::New(_))) { " -> " } else { O::BEFORE }
}
