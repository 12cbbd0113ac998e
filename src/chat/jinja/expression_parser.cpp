#include "chat/jinja/expression_parser.h"

#include <cerrno>
#include <cstdlib>

namespace galore::jinja {
namespace {

constexpr int kDeepestNesting = 150, kLongestChain = 500;

constexpr std::pair<std::string_view, Comparison> kComparisons[] = {
    {"==", Comparison::eq}, {"!=", Comparison::ne}, {"<", Comparison::lt},
    {"<=", Comparison::le}, {">", Comparison::gt},  {">=", Comparison::ge}};

std::string shown(const Token& token) {
  switch (token.kind) {
    case TokenKind::end:
      return "end of template";
    case TokenKind::block_end:
      return "end of statement block";
    case TokenKind::variable_end:
      return "end of print statement";
    default:
      return "'" + token.value + "'";
  }
}

Operator product_operator(std::string_view sign) {
  if (sign == "*") return Operator::multiply;
  if (sign == "%") return Operator::modulo;
  return sign == "/" ? Operator::divide : Operator::floor_divide;
}

}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.depth_ <= kDeepestNesting) return;
  --parser_.depth_;
  throw Fault(fmt::format("nested deeper than {} levels", kDeepestNesting), parser_.token().line);
}

void ExpressionParser::count_link(int& links) const {
  if (++links > kLongestChain)
    throw Fault(fmt::format("a chain of operators has more than {} links", kLongestChain), token().line);
}

void ExpressionParser::unexpected(const char* expected) const {
  throw Fault(fmt::format("expected {}, got {}", expected, shown(token())), token().line);
}

bool ExpressionParser::pass_sign(std::string_view value) {
  const bool found = is_sign(value);
  if (found) take();
  return found;
}

bool ExpressionParser::pass_name(std::string_view value) {
  const bool found = is_name(value);
  if (found) take();
  return found;
}

void ExpressionParser::expect_sign(std::string_view value) {
  if (!pass_sign(value)) unexpected(("'" + std::string(value) + "'").c_str());
}

void ExpressionParser::expect(TokenKind kind, const char* what) {
  if (token().kind != kind) unexpected(what);
  take();
}

std::string ExpressionParser::expect_name(const char* what) {
  if (token().kind != TokenKind::name) unexpected(what);
  return take().value;
}

bool ExpressionParser::at_tuple_end() const {
  return token().kind == TokenKind::variable_end || token().kind == TokenKind::block_end || is_sign(")");
}

ExpressionPtr ExpressionParser::parse_tuple(bool with_conditional) {
  std::vector<ExpressionPtr> items;
  do {
    if (!items.empty() && at_tuple_end())
      return std::make_unique<ListLiteral>(SequenceKind::tuple, std::move(items));
    items.push_back(with_conditional ? parse_expression() : parse_or());
    if (items.size() == 1 && !is_sign(",")) return std::move(items[0]);
  } while (pass_sign(","));
  return std::make_unique<ListLiteral>(SequenceKind::tuple, std::move(items));
}

ExpressionPtr ExpressionParser::parse_expression() {
  const Nesting nesting(*this);
  ExpressionPtr node = parse_or();
  for (int links = 0; pass_name("if");) {
    count_link(links);
    ExpressionPtr condition = parse_or();
    ExpressionPtr otherwise = pass_name("else") ? parse_expression() : nullptr;
    node = std::make_unique<Conditional>(std::move(condition), std::move(node), std::move(otherwise));
  }
  return node;
}

ExpressionPtr ExpressionParser::parse_or() {
  ExpressionPtr node = parse_and();
  for (int links = 0; pass_name("or");) {
    count_link(links);
    node = std::make_unique<Logical>(false, std::move(node), parse_and());
  }
  return node;
}

ExpressionPtr ExpressionParser::parse_and() {
  ExpressionPtr node = parse_not();
  for (int links = 0; pass_name("and");) {
    count_link(links);
    node = std::make_unique<Logical>(true, std::move(node), parse_not());
  }
  return node;
}

ExpressionPtr ExpressionParser::parse_not() {
  if (!pass_name("not")) return parse_comparison();
  const Nesting nesting(*this);
  return std::make_unique<PrefixOperation>(Prefix::logical_not, parse_not());
}

bool ExpressionParser::take_comparison(Comparison& op) {
  for (const auto& [sign, comparison] : kComparisons)
    if (pass_sign(sign)) {
      op = comparison;
      return true;
    }
  op = Comparison::in;
  if (pass_name("in")) return true;
  op = Comparison::not_in;
  const bool is_not_in =
      is_name("not") && tokens_[place_ + 1].kind == TokenKind::name && tokens_[place_ + 1].value == "in";
  if (is_not_in) take(), take();
  return is_not_in;
}

ExpressionPtr ExpressionParser::parse_comparison() {
  ExpressionPtr node = parse_sum();
  Comparisons::Chain chain;
  for (Comparison op; take_comparison(op);) chain.emplace_back(op, parse_sum());
  if (chain.empty()) return node;
  return std::make_unique<Comparisons>(std::move(node), std::move(chain));
}

ExpressionPtr ExpressionParser::parse_sum() {
  ExpressionPtr node = parse_concatenation();
  for (int links = 0; is_sign("+") || is_sign("-");) {
    count_link(links);
    const Operator op = take().value == "+" ? Operator::add : Operator::subtract;
    node = std::make_unique<Arithmetic>(op, std::move(node), parse_concatenation());
  }
  return node;
}

ExpressionPtr ExpressionParser::parse_concatenation() {
  std::vector<ExpressionPtr> parts;
  do parts.push_back(parse_product());
  while (pass_sign("~"));
  if (parts.size() == 1) return std::move(parts[0]);
  return std::make_unique<Concatenation>(std::move(parts));
}

ExpressionPtr ExpressionParser::parse_product() {
  ExpressionPtr node = parse_power();
  for (int links = 0; is_sign("*") || is_sign("/") || is_sign("//") || is_sign("%");) {
    count_link(links);
    const Operator op = product_operator(token().value);
    take();
    node = std::make_unique<Arithmetic>(op, std::move(node), parse_power());
  }
  return node;
}

ExpressionPtr ExpressionParser::parse_power() {
  ExpressionPtr node = parse_unary();
  for (int links = 0; pass_sign("**");) {
    count_link(links);
    node = std::make_unique<Arithmetic>(Operator::power, std::move(node), parse_unary());
  }
  return node;
}

ExpressionPtr ExpressionParser::parse_unary(bool with_filters) {
  ExpressionPtr node;
  if (is_sign("-") || is_sign("+")) {
    const Nesting nesting(*this);
    const Prefix op = take().value == "-" ? Prefix::negative : Prefix::positive;
    node = std::make_unique<PrefixOperation>(op, parse_unary(false));
  } else {
    node = parse_primary();
  }
  node = parse_postfix(std::move(node));
  return with_filters ? parse_filters(std::move(node)) : std::move(node);
}

ExpressionPtr ExpressionParser::parse_primary() {
  switch (token().kind) {
    case TokenKind::name:
      return parse_name();
    case TokenKind::text: {
      std::string text;
      while (token().kind == TokenKind::text) text += take().value;
      return std::make_unique<Literal>(Text{std::make_shared<const std::string>(std::move(text))});
    }
    case TokenKind::integer:
    case TokenKind::real:
      return parse_number();
    default:
      return parse_brackets();
  }
}

ExpressionPtr ExpressionParser::parse_name() {
  const Token name = take();
  const std::string& value = name.value;
  if (value == "true" || value == "True") return std::make_unique<Literal>(true);
  if (value == "false" || value == "False") return std::make_unique<Literal>(false);
  if (value == "none" || value == "None") return std::make_unique<Literal>(None{});
  if (macro_) {
    macro_->uses_caller |= value == "caller";
    macro_->uses_varargs |= value == "varargs";
    macro_->uses_kwargs |= value == "kwargs";
  }
  return std::make_unique<Name>(value);
}

ExpressionPtr ExpressionParser::parse_number() {
  const Token number = take();
  if (number.kind == TokenKind::real)
    return std::make_unique<Literal>(std::strtod(number.value.c_str(), nullptr));
  const bool has_base = number.value.size() > 2 && number.value[0] == '0' && std::isalpha(number.value[1]);
  const int base = !has_base                              ? 10
                   : std::tolower(number.value[1]) == 'x' ? 16
                   : std::tolower(number.value[1]) == 'o' ? 8
                                                          : 2;
  char* end = nullptr;
  errno = 0;
  const int64_t value = std::strtoll(number.value.c_str() + (has_base ? 2 : 0), &end, base);
  if (errno != 0 || *end != '\0')
    throw Fault("an integer has more than 64 bits or wrong digits", number.line);
  return std::make_unique<Literal>(value);
}

ExpressionPtr ExpressionParser::parse_brackets() {
  if (is_sign("[")) return parse_list();
  if (is_sign("{")) return parse_dict();
  if (!pass_sign("(")) unexpected("an expression");
  if (pass_sign(")")) return std::make_unique<ListLiteral>(SequenceKind::tuple, std::vector<ExpressionPtr>());
  ExpressionPtr node = parse_tuple();
  expect_sign(")");
  return node;
}

ExpressionPtr ExpressionParser::parse_list() {
  take();
  std::vector<ExpressionPtr> items;
  while (!pass_sign("]")) {
    if (!items.empty()) expect_sign(",");
    if (pass_sign("]")) break;
    items.push_back(parse_expression());
  }
  return std::make_unique<ListLiteral>(SequenceKind::list, std::move(items));
}

ExpressionPtr ExpressionParser::parse_dict() {
  take();
  DictLiteral::Entries entries;
  while (!pass_sign("}")) {
    if (!entries.empty()) expect_sign(",");
    if (pass_sign("}")) break;
    ExpressionPtr key = parse_expression();
    expect_sign(":");
    entries.emplace_back(std::move(key), parse_expression());
  }
  return std::make_unique<DictLiteral>(std::move(entries));
}

}  // namespace galore::jinja
