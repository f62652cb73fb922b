//! A finding for machines.

use harness::headline::Finding;
use serde::Serialize;

/// What a story found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FindingJson {
    pub(crate) headline: String,
    signature: String,
    event: Option<u16>,
    detail: String,
}

impl From<&Finding> for FindingJson {
    fn from(finding: &Finding) -> Self {
        Self {
            headline: finding.headline.to_string(),
            signature: finding.headline.signature(),
            event: finding.event,
            detail: finding.detail.clone(),
        }
    }
}
