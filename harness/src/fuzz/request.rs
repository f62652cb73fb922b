//! What is asked of a target from outside: by `make`, in the environment, and by libFuzzer, among its arguments.

use std::path::PathBuf;

use crate::story::Under;

const BUG: &str = "SHOOTDOWN_BUG";
const DESIGN: &str = "SHOOTDOWN_DESIGN";

/// What is to be changed in the kernels: one bug, and designs as `POINT=VARIANT`, parted by blanks. An empty variable
/// is the same as none. Whether there is such a bug or design is not known here.
pub(super) fn under(variable: impl Fn(&str) -> Option<String>) -> Result<Under, String> {
    let bug = variable(BUG).map(|bug| bug.trim().to_owned()).filter(|bug| !bug.is_empty());
    let designs = variable(DESIGN)
        .unwrap_or_default()
        .split_whitespace()
        .map(|design| match design.split_once('=') {
            Some((point, variant)) if !point.is_empty() && !variant.is_empty() => {
                Ok((point.to_owned(), variant.to_owned()))
            }
            _ => Err(format!("{DESIGN}: expected POINT=VARIANT, found \"{design}\"")),
        })
        .collect::<Result<_, _>>()?;
    Ok(Under { bug, designs })
}

/// The file that libFuzzer is making smaller in this process, if that is what it does: it takes any crash for the one
/// that is looked for, so we have to know which one that is.
pub(super) fn file_to_minimize(engine_args: impl Iterator<Item = String>) -> Option<PathBuf> {
    let mut minimizing = false;
    let mut file = None;
    // The first is the name of the program.
    for arg in engine_args.skip(1) {
        if arg == "-minimize_crash_internal_step=1" {
            minimizing = true;
        } else if !arg.starts_with('-') {
            file = Some(PathBuf::from(arg));
        }
    }
    file.filter(|_| minimizing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(bug: &'static str, design: &'static str) -> Result<Under, String> {
        under(|name| match name {
            BUG => Some(bug.to_owned()),
            DESIGN => Some(design.to_owned()),
            other => panic!("{other} is nobody's variable"),
        })
    }

    #[test]
    fn designs_are_parted_by_blanks() {
        let under =
            asked("va-reuse-unflushed.a", " pte_clear=at-purge  drain=flush ").expect("both are well formed");
        assert_eq!(under.bug.as_deref(), Some("va-reuse-unflushed.a"));
        let designs: Vec<_> =
            under.designs.iter().map(|(point, variant)| (point.as_str(), variant.as_str())).collect();
        assert_eq!(designs, [("pte_clear", "at-purge"), ("drain", "flush")]);
    }

    #[test]
    fn an_empty_variable_asks_for_nothing() {
        assert_eq!(asked("", ""), Ok(Under::default()));
        assert_eq!(under(|_| None), Ok(Under::default()));
    }

    #[test]
    fn a_malformed_design_is_named_with_its_variable() {
        for design in ["drain", "drain=", "=flush"] {
            let message = asked("", design).expect_err(design);
            assert_eq!(message, format!("SHOOTDOWN_DESIGN: expected POINT=VARIANT, found \"{design}\""));
        }
    }

    #[test]
    fn the_file_is_the_argument_that_is_no_flag_and_only_while_minimizing() {
        let file = |args: &[&str]| file_to_minimize(args.iter().map(|&arg| arg.to_owned()));
        let step = "-minimize_crash_internal_step=1";
        assert_eq!(file(&["target", "-runs=255", "crash-1", step]), Some(PathBuf::from("crash-1")));
        assert_eq!(
            file(&["target", step, "-exact_artifact_path=b", "crash-1"]),
            Some(PathBuf::from("crash-1"))
        );
        assert_eq!(file(&["target", "-minimize_crash=1", "crash-1"]), None);
        assert_eq!(file(&["target", step]), None);
    }
}
