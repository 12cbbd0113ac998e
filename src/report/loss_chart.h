// The losses of a run as a picture in SVG: what a folder's viewer shows without any program.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace galore {

// Step and value; values that are not finite are left out. "" if nothing is left to draw.
using ChartPoints = std::vector<std::pair<double, double>>;
std::string loss_chart(const std::string& title, const ChartPoints& training, const ChartPoints& evaluation);

}  // namespace galore
