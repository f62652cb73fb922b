//! What `harness::cost` counts, where it can be said beforehand exactly: on small cases, whatever things cost.

use harness::cost::drain::{Case, Others};
use harness::cost::scaling::{Scheme, Tables};
use harness::cost::{Asked, Model, Question, Report, ask, drain, tables, user};
use harness::story::Backends;
use machine::Counted;

fn answer(question: Question, cpus: &[u8], backends: Backends) -> Report {
    let model = Model::default();
    let asked = Asked { questions: vec![question], cpus: cpus.to_vec(), backends, model };
    ask(&asked, &mut |_| {}).expect("the kernels get through")
}

fn find(
    report: &Report,
    backend: &str,
    cpus: u8,
    others: Others,
    case: Case,
    outstanding: u64,
) -> drain::Row {
    let wanted = |row: &&drain::Row| {
        (row.backend, row.cpus, row.others, row.case, row.outstanding)
            == (backend, cpus, others, case, outstanding)
    };
    report.drain.iter().find(wanted).expect("it was measured").clone()
}

#[test]
fn taking_user_memory_away_interrupts_each_other_cpu_on_native_and_none_of_the_guest_under_xen() {
    let cpus = [1, 3];
    let report = answer(Question::User, &cpus, Backends::all());
    let of = |backend: &str, cpus: u8, case: user::Case, designs: &[(&str, &str)]| {
        let here = |row: &&user::Row| (row.backend, row.cpus, row.case) == (backend, cpus, case);
        let found = report.user.iter().filter(here).find(|row| row.chooses(designs));
        found.unwrap_or_else(|| panic!("{backend} {designs:?}"))
    };
    let (page, tables, exit) = (user::Case::MunmapPage, user::Case::MunmapTables, user::Case::Exit);
    for cpus in cpus {
        let others = u64::from(cpus) - 1;
        // Three tables go: each in a batch of one by the deferred way, all in one batch by the others.
        let deferred = [("table_free", "one-deferred")];
        for backend in ["native", "kvm"] {
            assert_eq!(of(backend, cpus, page, &[]).cost.ipis(), others);
            assert_eq!(of(backend, cpus, tables, &[]).cost.ipis(), others);
            assert_eq!(of(backend, cpus, tables, &deferred).cost.ipis(), 2 * others);
            assert_eq!(of(backend, cpus, tables, &[]).grace_periods, 1);
            assert_eq!(of(backend, cpus, exit, &[]).cost.ipis(), others, "they are taken off it");
        }
        let hook = of("native", cpus, tables, &[("table_free", "hook")]);
        let page_batch = of("native", cpus, tables, &[("table_free", "with-pages")]);
        assert_eq!((&hook.cost, hook.grace_periods), (&page_batch.cost, 0));
        assert_eq!(of("native", cpus, tables, &[("flush_reach", "broadcast")]).cost.ipis(), 0);
        for case in [page, tables] {
            let xen = of("xen", cpus, case, &[]);
            assert_eq!(xen.cost.hypercalls.get("event_channel_send"), None, "{xen:?}");
            assert!(
                xen.hypercalls() > 0 && of("hyperv", cpus, case, &[]).hypercalls() == u64::from(cpus > 1)
            );
        }
    }
    assert!(report.findings.iter().all(|finding| finding.holds), "{:?}", report.findings);
    assert_eq!(report.findings.len(), 6);
}

#[test]
fn a_drain_sends_as_many_interrupts_as_there_are_others_however_much_is_outstanding_and_none_for_nothing() {
    let report = answer(Question::Drain, &[1, 3], Backends::NATIVE);
    for (cpus, others) in [(1, Others::Busy), (3, Others::Busy), (3, Others::Idle)] {
        let of = |case, outstanding| find(&report, "native", cpus, others, case, outstanding).cost;
        let sent = u64::from(cpus) - 1;
        let nothing = of(Case::Drain, 0);
        assert_eq!((nothing.ipis(), nothing.flushes(), nothing.count(Counted::Lock)), (0, 0, 0));
        assert!(nothing.stolen_ns.abs() < f64::EPSILON, "{nothing:?}");
        for outstanding in &drain::OUTSTANDING[1..] {
            let cost = of(Case::Drain, *outstanding);
            let (to_busy, to_idle) = (cost.count(Counted::IpiBusy), cost.count(Counted::IpiIdle));
            assert_eq!((to_busy, to_idle), if others == Others::Idle { (0, sent) } else { (sent, 0) });
            assert_eq!((cost.count(Counted::Interrupt), cost.count(Counted::Wakeup)), (sent, to_idle));
        }
        let eager = of(Case::EagerUnmap, 0);
        assert_eq!(eager.ipis(), sent, "one for each other CPU");
        assert_eq!(eager.count(Counted::FlushPage), 5 * u64::from(cpus), "four pages and their guard");
        let lazy = of(Case::LazyUnmap, 0);
        assert_eq!((lazy.ipis(), lazy.flushes()), (0, 0));
        // Above the ceiling it is one flush of everything, on each CPU.
        let many = of(Case::Drain, 64);
        assert_eq!((many.count(Counted::FlushGlobal), many.count(Counted::FlushPage)), (cpus.into(), 0));
        // The caller has touched every page, and nothing was flushed since.
        assert!(many.count(Counted::LeavesLost) >= 64 * 4, "{many:?}");
    }
    let (busy, idle) = (Others::Busy, Others::Idle);
    let time = |others| find(&report, "native", 3, others, Case::Drain, 1).cost;
    assert!(time(idle).stolen_ns > time(busy).stolen_ns, "an idle CPU has to wake");
}

#[test]
fn under_xen_the_same_and_in_hypercalls() {
    let report = answer(Question::Drain, &[2], Backends::XEN);
    let of = |case, outstanding| find(&report, "xen", 2, Others::Busy, case, outstanding).cost;
    assert_eq!((of(Case::Drain, 0).ipis(), of(Case::Drain, 0).hypercalls.len()), (0, 0));
    assert_eq!(of(Case::EagerUnmap, 0).ipis(), 1);
    let one = of(Case::Drain, 1);
    assert_eq!((one.ipis(), one.hypercalls["event_channel_send"]), (1, 1));
    assert_eq!(one.count(Counted::Hypercall), one.hypercalls.values().sum::<u64>());
    // As many areas as are said are outstanding indeed, and their tables stay.
    let many = of(Case::Drain, 512);
    assert!(many.count(Counted::LeavesLost) >= 512 * 4, "{many:?}");
    assert_eq!((many.ipis(), many.flushes()), (1, 2));
}

#[test]
fn a_table_is_drained_for_where_the_design_says_so_and_only_if_something_is_outstanding() {
    let report = answer(Question::Tables, &[2], Backends::XEN);
    let flushes = |variant: &str, case: tables::Case| {
        let wanted = |row: &&tables::Row| {
            (row.chosen("pte_clear"), row.chosen("table_drain"), row.case) == ("at-vunmap", variant, case)
        };
        let row = report.tables.iter().find(wanted).expect("it was measured");
        (row.cost.ipis(), row.cost.flushes() == 0)
    };
    let process = u64::from(tables::PROCESS);
    assert_eq!(flushes("always", tables::Case::OneClean), (0, true));
    assert_eq!(flushes("always", tables::Case::OneAfterUnmap), (1, false));
    // The drain flushes single pages, after which the hypervisor still flushes for the change of type.
    assert_eq!(flushes("always", tables::Case::OneAliased), (2, false));
    for (amid, one) in [
        (tables::Case::NewProcessAmidUnmaps, tables::Case::NewProcess),
        (tables::Case::LiveProcessAmidUnmaps, tables::Case::LiveProcess),
    ] {
        assert_eq!(flushes("always", one), (1, false), "one drain is enough for all");
        assert_eq!(flushes("always", amid), (process, false), "one for each");
    }
    // A new process is drained for once, at the pin; one that runs for each of its tables.
    assert_eq!(flushes("first-pin", tables::Case::NewProcessAmidUnmaps), (1, false));
    assert_eq!(flushes("first-pin", tables::Case::LiveProcessAmidUnmaps), (process, false));
    // Who asks for each page drains for none that has no alias, and for the one that has.
    for design in ["page-flag", "side-table"] {
        assert_eq!(flushes(design, tables::Case::NewProcessAmidUnmaps), (0, true), "{design}");
    }
    assert_eq!(flushes("page-flag", tables::Case::OneAliased), (2, false));
    assert_eq!(flushes("side-table", tables::Case::OneAliased), (1, false), "vunmap has counted off");
    for case in tables::Case::ALL {
        let hypervisors = case == tables::Case::OneAliased;
        assert_eq!(flushes("never", case), (hypervisors.into(), !hypervisors), "{case:?}");
    }
    assert_eq!(flushes("always", tables::Case::MapAndUnmap), (0, true));
    assert_eq!(report.tables.len(), tables::combinations().len() * tables::Case::ALL.len());
    assert!(
        report
            .tables
            .iter()
            .all(|row| row.chosen("table_drain") != "never" || row.chosen("pte_clear") != "at-purge")
    );
}

#[test]
fn the_tables_of_a_new_process_are_pinned_by_one_call_and_those_of_one_that_runs_by_one_each() {
    let report = answer(Question::Tables, &[1], Backends::XEN);
    let calls = |case: tables::Case| {
        let wanted = |row: &&tables::Row| {
            (row.chosen("pte_clear"), row.chosen("table_drain"), row.case) == ("at-vunmap", "never", case)
        };
        report.tables.iter().find(wanted).expect("it was measured").cost.hypercalls.clone()
    };
    assert_eq!(calls(tables::Case::NewProcess).into_iter().collect::<Vec<_>>(), [("mmuext_op", 1)]);
    assert_eq!(calls(tables::Case::LiveProcess)["mmuext_op"], u64::from(tables::PROCESS));
}

#[test]
fn lazy_areas_and_blocks_save_what_the_threshold_predicts_and_blocks_alone_stay_flat() {
    let report = answer(Question::Scaling, &[1, 2], Backends::NATIVE);
    let row = |scheme, cpus| {
        report.scaling.iter().find(|row| (row.scheme, row.cpus) == (scheme, cpus)).expect("it was measured")
    };
    for cpus in [1, 2] {
        let eager = row(Scheme::Eager, cpus);
        let expected = f64::from(cpus - 1);
        assert!((eager.ipis_per_round - expected).abs() < 0.02, "{eager:?}");
        for scheme in [Scheme::Lazy, Scheme::Blocks] {
            let row = row(scheme, cpus);
            #[expect(clippy::cast_precision_loss, reason = "some thousand rounds")]
            let threshold = row.threshold_rounds_per_flush as f64;
            assert!((row.predicted_rounds_per_flush - threshold).abs() < f64::EPSILON, "{row:?}");
            let off = row.measured_rounds_per_flush / threshold - 1.0;
            assert!(off.abs() < 0.02, "{row:?}");
        }
    }
    // 32 MiB for each bit of the number of CPUs, in areas of four pages and a guard.
    assert_eq!(row(Scheme::Lazy, 1).threshold_rounds_per_flush, 8192 / 5 + 1);
    assert_eq!(row(Scheme::Lazy, 2).threshold_rounds_per_flush, 2 * 8192 / 5 + 1);
    // The ninth block is the first above it; each gives four pages 256 times.
    assert_eq!(row(Scheme::Blocks, 1).threshold_rounds_per_flush, (8192 / 1024 + 1) * 256);
    let growth = |scheme| row(scheme, 2).ns_per_round / row(scheme, 1).ns_per_round;
    assert!(growth(Scheme::Blocks) < 1.5 && growth(Scheme::Eager) > 1.5);
    assert!(report.findings.iter().all(|finding| finding.holds), "{:?}", report.findings);
    assert_eq!(report.findings.len(), 4);
}

#[test]
fn under_xen_the_threshold_decides_by_default_and_table_pages_do_without_a_reserve() {
    let report = answer(Question::Scaling, &[2], Backends::XEN);
    let ground = |tables| report.scaling.iter().filter(move |row| row.tables == tables);
    for row in ground(Tables::Freed).filter(|row| row.scheme != Scheme::Eager) {
        assert_eq!(row.table_pages, 0, "the reserve holds them all: {row:?}");
        assert!(row.rounds_before > 10 * row.threshold_rounds_per_flush, "it had to be made: {row:?}");
    }
    for row in ground(Tables::FreedAtOnce).filter(|row| row.scheme != Scheme::Eager) {
        assert!(row.table_pages > 50, "{row:?}");
        #[expect(clippy::cast_precision_loss, reason = "some thousand rounds")]
        let threshold = row.threshold_rounds_per_flush as f64;
        assert!(row.measured_rounds_per_flush < threshold / 10.0, "{row:?}");
    }
    let claims: Vec<_> = report.findings.iter().map(|finding| (finding.on.as_str(), finding.holds)).collect();
    let expected = [
        ("xen, lazy, 2 CPUs", true),
        ("xen, blocks, 2 CPUs", true),
        ("xen, tables freed at once, lazy, 2 CPUs", true),
        ("xen, tables freed at once, blocks, 2 CPUs", true),
    ];
    assert_eq!(claims, expected, "{:?}", report.findings);
}

#[test]
fn the_same_question_has_the_same_answer_and_prices_change_no_count_of_a_single_caller() {
    let dear = harness::cost::model::DEFAULT.replace("hypercall = 220", "hypercall = 100000");
    let ask_with = |model: Model| {
        let asked =
            Asked { questions: vec![Question::Tables], cpus: vec![2], backends: Backends::XEN, model };
        ask(&asked, &mut |_| {}).expect("the kernels get through").tables
    };
    let (one, other) = (ask_with(Model::default()), ask_with(Model::default()));
    assert_eq!(one, other);
    for (cheap, dear) in one.iter().zip(ask_with(Model::parse(&dear).expect("a model"))) {
        assert_eq!((&cheap.cost.counts, &cheap.cost.hypercalls), (&dear.cost.counts, &dear.cost.hypercalls));
        assert!(dear.cost.caller_ns > cheap.cost.caller_ns);
    }
}

#[test]
fn a_verdict_that_rests_on_one_price_changes_with_it() {
    // With so cheap a flush of a page, what a drain does besides costs half as much again as the flushes.
    let text = harness::cost::model::DEFAULT.replace("flush_page = 100", "flush_page = 12");
    let model = Model::parse(&text).expect("a model");
    let asked =
        Asked { questions: vec![Question::Sensitivity], cpus: vec![1], backends: Backends::NATIVE, model };
    let rows = ask(&asked, &mut |_| {}).expect("the kernels get through").sensitivity;
    assert_eq!(rows.len(), harness::cost::model::KEYS.len());
    for row in rows {
        let changes = (row.halved.len(), row.doubled.len());
        match row.price {
            "flush_page" => {
                assert_eq!((row.verdicts, changes), (3, (0, 1)), "{row:?}");
                assert!(row.doubled[0].contains("about as expensive"), "{row:?}");
            }
            // One CPU sends nothing to others.
            "ipi" | "delivery" | "interrupt" | "wakeup" | "transfer" => {
                assert_eq!(changes, (0, 0), "{row:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn up_to_eight_cpus_answer() {
    let report = answer(Question::Drain, &[8], Backends::all());
    for backend in ["native", "xen"] {
        assert_eq!(find(&report, backend, 8, Others::Busy, Case::EagerUnmap, 0).cost.ipis(), 7);
    }
}
