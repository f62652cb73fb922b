//! The answer to `scaling` as a picture: time for a round over the number of CPUs, a panel for each backend.

use harness::cost::scaling::{Row, Scheme};
use plotters::prelude::*;

use crate::complaint::{Complaint, Done};

/// Width of a panel, and height of the picture.
const SIZE: (u32, u32) = (480, 360);

/// What each picture begins with.
pub(super) const BEGINNING: &[u8] = b"<svg ";

/// A line of dots, by scheme.
fn colour(scheme: Scheme) -> RGBColor {
    match scheme {
        Scheme::Eager => RGBColor(190, 40, 40),
        Scheme::Lazy => RGBColor(40, 90, 180),
        Scheme::Blocks => RGBColor(30, 130, 60),
    }
}

/// Draws the rows.
pub(super) fn draw(rows: &[Row]) -> Done<String> {
    let mut picture = String::new();
    paint(rows, &mut picture)
        .map_err(|error| Complaint::new(format!("the picture cannot be drawn: {error}")))?;
    Ok(picture)
}

fn paint(rows: &[Row], picture: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let mut backends: Vec<_> = rows.iter().map(Row::ground).collect();
    backends.dedup();
    let columns = backends.len().max(1);
    let area = SVGBackend::with_string(picture, (SIZE.0 * columns as u32, SIZE.1)).into_drawing_area();
    area.fill(&WHITE)?;
    // The panels have the same scale, so that they can be compared.
    let least = rows.iter().map(|row| row.ns_per_round).fold(f64::INFINITY, f64::min);
    let most = rows.iter().map(|row| row.ns_per_round).fold(0.0, f64::max);
    for (panel, backend) in area.split_evenly((1, columns)).iter().zip(backends) {
        let here: Vec<_> = rows.iter().filter(|row| row.ground() == backend).collect();
        let cpus = here.iter().map(|row| row.cpus).max().unwrap_or(1);
        let mut chart = ChartBuilder::on(panel)
            .caption(format!("map, touch, unmap four pages: {backend}"), ("sans-serif", 15))
            .margin(12)
            .x_label_area_size(34)
            .y_label_area_size(58)
            .build_cartesian_2d(0.5..f64::from(cpus) + 0.5, (least * 0.7..most * 4.0).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("CPUs")
            .y_desc("simulated ns per round and CPU")
            .x_labels(usize::from(cpus))
            .x_label_formatter(&|cpus| format!("{cpus:.0}"))
            .y_label_formatter(&|ns| format!("{ns:.0}"))
            .max_light_lines(0)
            .draw()?;
        for scheme in Scheme::ALL {
            let colour = colour(scheme);
            let points: Vec<_> = here
                .iter()
                .filter(|row| row.scheme == scheme)
                .map(|row| (f64::from(row.cpus), row.ns_per_round))
                .collect();
            let line = LineSeries::new(points, colour.stroke_width(2)).point_size(3);
            chart
                .draw_series(line)?
                .label(scheme.name())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .border_style(BLACK.mix(0.3))
            .draw()?;
    }
    area.present()?;
    drop(area);
    Ok(())
}
