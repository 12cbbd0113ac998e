// Parses expressions by Jinja's grammar. Statements are parsed on top of it (parser.cpp).
#pragma once

#include <initializer_list>

#include "chat/jinja/expressions.h"
#include "chat/jinja/lexer.h"
#include "chat/jinja/statements.h"

namespace galore::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  const Token& token() const { return tokens_[place_]; }
  Token take() { return tokens_[token().kind == TokenKind::end ? place_ : place_++]; }
  bool is(TokenKind kind, std::string_view value) const {
    return token().kind == kind && token().value == value;
  }
  bool is_sign(std::string_view value) const { return is(TokenKind::sign, value); }
  bool is_name(std::string_view value) const { return is(TokenKind::name, value); }
  // Passes the token if it stands here.
  bool pass_sign(std::string_view value);
  bool pass_name(std::string_view value);
  void expect_sign(std::string_view value);
  void expect(TokenKind kind, const char* what);
  std::string expect_name(const char* what);
  [[noreturn]] void unexpected(const char* expected) const;
  // Counts nested brackets and blocks while it lives.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ExpressionParser& parser_;
  };

  ExpressionPtr parse_expression();
  // Parses an expression, or a tuple without brackets.
  ExpressionPtr parse_tuple(bool with_conditional = true);
  ExpressionPtr parse_or();
  std::unique_ptr<const Call> parse_call_of(ExpressionPtr callee);
  ExpressionPtr parse_unary(bool with_filters = true);
  ArgumentList parse_arguments();
  FilterCall parse_filter();

  MacroDefinition* macro_ = nullptr;  // the macro that is being parsed

 private:
  bool at_tuple_end() const;
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  bool take_comparison(Comparison& op);
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concatenation();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_number();
  ExpressionPtr parse_brackets();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr node);
  ExpressionPtr parse_filters(ExpressionPtr node);
  ExpressionPtr parse_test(ExpressionPtr node);
  ExpressionPtr parse_dot(ExpressionPtr node);
  ExpressionPtr parse_subscript(ExpressionPtr node);
  void parse_argument(ArgumentList& arguments);
  // Counts the links of a chain such as a + b + c, which nests as deeply as it is long.
  void count_link(int& links) const;

  std::vector<Token> tokens_;
  size_t place_ = 0;
  int depth_ = 0;
};

}  // namespace galore::jinja
