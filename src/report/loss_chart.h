// Draws the losses of a run as an SVG picture, which file viewers show without another program.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace galore {

// Pairs of step and value. Values that are not finite are left out; the picture is "" when no point is left.
using ChartPoints = std::vector<std::pair<double, double>>;
std::string loss_chart(const std::string& title, const ChartPoints& training, const ChartPoints& evaluation);

}  // namespace galore
