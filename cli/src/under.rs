//! What a story is played under: the bug that is planted and the designs that are chosen.

use harness::story::Under;
use serde::Serialize;

/// For machines.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UnderJson {
    bug: Option<String>,
    designs: Vec<DesignJson>,
}

#[derive(Clone, Debug, Serialize)]
struct DesignJson {
    point: String,
    variant: String,
}

impl From<&Under> for UnderJson {
    fn from(under: &Under) -> Self {
        let design = |(point, variant): &(String, String)| DesignJson {
            point: point.clone(),
            variant: variant.clone(),
        };
        Self { bug: under.bug.clone(), designs: under.designs.iter().map(design).collect() }
    }
}
