#include "report/loss_chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "report/markup.h"

namespace galore {
namespace {

constexpr double kWidth = 720, kHeight = 400, kLeft = 60, kRight = 700, kTop = 40, kBottom = 350;
constexpr size_t kMostDrawn = 1500;
constexpr const char *kTrainingColour = "#0b6fb8", *kEvaluationColour = "#c2500c";

struct Range {
  double low = INFINITY, high = -INFINITY;
  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void widen(double share) {
    const double more = high > low ? share * (high - low) : 0.5;
    low -= more;
    high += more;
  }
};

ChartPoints finite_points(const ChartPoints& points) {
  ChartPoints kept;
  const size_t stride = points.size() / kMostDrawn + 1;
  for (size_t i = 0; i < points.size(); ++i)
    if (std::isfinite(points[i].second) && (i % stride == 0 || i + 1 == points.size()))
      kept.push_back(points[i]);
  return kept;
}

// Returns 1, 2 or 5 times a power of ten, so that the range has about `count` ticks.
double tick_step(const Range& range, int count) {
  const double raw = (range.high - range.low) / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw) return factor * power;
  return 10 * power;
}

class Drawing {
 public:
  Drawing(const Range& x, const Range& y) : x_(x), y_(y) {}

  double px(double x) const { return kLeft + (x - x_.low) / (x_.high - x_.low) * (kRight - kLeft); }
  double py(double y) const { return kBottom - (y - y_.low) / (y_.high - y_.low) * (kBottom - kTop); }

  std::string axes() const {
    std::string svg;
    const double across = tick_step(x_, 7), up = tick_step(y_, 6);
    for (double v = std::ceil(y_.low / up) * up; v <= y_.high; v += up)
      svg += fmt::format(
          "<line class=\"g\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
          "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>\n",
          kLeft, kRight, py(v), py(v), kLeft - 8, py(v) + 4, std::abs(v) < 1e-9 * up ? 0 : v);
    for (double v = std::ceil(x_.low / across) * across; v <= x_.high; v += across)
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.6g}</text>\n", px(v),
                         kBottom + 18, v);
    return svg + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">step</text>\n",
                             (kLeft + kRight) / 2, kBottom + 38);
  }

  std::string curve(const ChartPoints& points, const char* colour, bool dots) const {
    if (points.empty()) return "";
    std::string path, marks;
    for (const auto& [x, y] : points) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", px(x), py(y));
      if (dots || points.size() == 1)
        marks +=
            fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>", px(x), py(y), colour);
    }
    return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"/>{}\n", path, colour,
                       marks);
  }

 private:
  Range x_, y_;
};

std::string key_of(double x, const char* colour, const char* name) {
  return fmt::format(
      "<line x1=\"{}\" x2=\"{}\" y1=\"24\" y2=\"24\" stroke=\"{}\" stroke-width=\"3\"/>"
      "<text x=\"{}\" y=\"28\">{}</text>\n",
      x, x + 22, colour, x + 28, name);
}

}  // namespace

std::string loss_chart(const std::string& title, const ChartPoints& training, const ChartPoints& evaluation) {
  const ChartPoints train = finite_points(training), eval = finite_points(evaluation);
  Range x, y;
  for (const ChartPoints* points : {&train, &eval})
    for (const auto& [step, value] : *points) {
      x.take(step);
      y.take(value);
    }
  if (!(x.high >= x.low)) return "";
  if (x.high == x.low) x.widen(0);
  y.widen(0.06);
  const Drawing drawing(x, y);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\">\n"
      "<title>{}</title>\n<style>text {{ font: 12px sans-serif; fill: #444; }} .g {{ stroke: #e4e7ea; }}"
      "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<text x=\"{}\" y=\"28\" font-weight=\"bold\">{}</text>\n",
      kWidth, kHeight, escaped_markup(title), kLeft, escaped_markup(title));
  svg += drawing.axes() + drawing.curve(train, kTrainingColour, false) +
         drawing.curve(eval, kEvaluationColour, true);
  if (!train.empty()) svg += key_of(470, kTrainingColour, "training");
  if (!eval.empty()) svg += key_of(580, kEvaluationColour, "evaluation");
  return svg + "</svg>\n";
}

}  // namespace galore
