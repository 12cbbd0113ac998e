// Parses what follows an expression: attributes, subscripts, calls, filters and tests.
#include "chat/jinja/expression_parser.h"

namespace galore::jinja {

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr node) {
  for (int links = 0;;) {
    count_link(links);
    if (pass_sign("."))
      node = parse_dot(std::move(node));
    else if (pass_sign("["))
      node = parse_subscript(std::move(node));
    else if (is_sign("("))
      node = parse_call_of(std::move(node));
    else
      return node;
  }
}

ExpressionPtr ExpressionParser::parse_filters(ExpressionPtr node) {
  for (int links = 0;;) {
    count_link(links);
    if (pass_sign("|"))
      node = std::make_unique<Filtered>(std::move(node), parse_filter());
    else if (is_name("is"))
      node = parse_test(std::move(node));
    else if (is_sign("("))  // calls are valid after filters, too
      node = parse_call_of(std::move(node));
    else
      return node;
  }
}

std::unique_ptr<const Call> ExpressionParser::parse_call_of(ExpressionPtr callee) {
  return std::make_unique<Call>(std::move(callee), parse_arguments());
}

ExpressionPtr ExpressionParser::parse_dot(ExpressionPtr node) {
  const Token name = take();
  if (name.kind == TokenKind::name) return std::make_unique<AttributeOf>(std::move(node), name.value);
  if (name.kind != TokenKind::integer) throw Fault("expected a name or a number after '.'", name.line);
  ExpressionPtr place = std::make_unique<Literal>(int64_t{std::atoll(name.value.c_str())});
  return std::make_unique<ItemOf>(std::move(node), std::move(place));
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr node) {
  ExpressionPtr key;
  if (!is_sign(":")) {
    key = parse_expression();
    if (pass_sign("]")) return std::make_unique<ItemOf>(std::move(node), std::move(key));
  }
  expect_sign(":");
  SliceEnds ends;
  ends.start = std::move(key);
  if (!is_sign(":") && !is_sign("]")) ends.stop = parse_expression();
  if (pass_sign(":") && !is_sign("]")) ends.step = parse_expression();
  expect_sign("]");
  return std::make_unique<SliceOf>(std::move(node), std::move(ends));
}

void ExpressionParser::parse_argument(ArgumentList& arguments) {
  if (pass_sign("**")) {
    arguments.named_rest = parse_expression();
  } else if (pass_sign("*")) {
    arguments.rest = parse_expression();
  } else if (token().kind == TokenKind::name && tokens_[place_ + 1].kind == TokenKind::sign &&
             tokens_[place_ + 1].value == "=") {
    const std::string name = take().value;
    take();
    arguments.named.emplace_back(name, parse_expression());
  } else {
    if (!arguments.named.empty() || arguments.named_rest) unexpected("a named argument");
    arguments.values.push_back(parse_expression());
  }
}

ArgumentList ExpressionParser::parse_arguments() {
  expect_sign("(");
  ArgumentList arguments;
  for (bool is_first = true; !pass_sign(")"); is_first = false) {
    if (!is_first) expect_sign(",");
    if (pass_sign(")")) break;
    parse_argument(arguments);
  }
  return arguments;
}

FilterCall ExpressionParser::parse_filter() {
  FilterCall filter;
  filter.name = expect_name("the name of a filter");
  while (pass_sign(".")) filter.name += "." + expect_name("the name of a filter");
  if (is_sign("(")) filter.arguments = parse_arguments();
  return filter;
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr node) {
  take();
  const bool negated = pass_name("not");
  std::string test = expect_name("the name of a test");
  while (pass_sign(".")) test += "." + expect_name("the name of a test");
  ArgumentList arguments;
  const bool ends = is_name("else") || is_name("or") || is_name("and");
  const bool begins_argument = token().kind == TokenKind::name || token().kind == TokenKind::text ||
                               token().kind == TokenKind::integer || token().kind == TokenKind::real ||
                               is_sign("[") || is_sign("{");
  if (is_sign("(")) {
    arguments = parse_arguments();
  } else if (begins_argument && !ends) {
    if (is_name("is")) unexpected("no second test");
    arguments.values.push_back(parse_postfix(parse_primary()));
  }
  return std::make_unique<Tested>(std::move(node), std::move(test), std::move(arguments), negated);
}

}  // namespace galore::jinja
