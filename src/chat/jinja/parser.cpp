#include "chat/jinja/parser.h"

#include <algorithm>

#include "chat/jinja/expression_parser.h"

namespace galore::jinja {
namespace {

using Ends = std::initializer_list<const char*>;

class StatementParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  ParsedTemplate parse() {
    ParsedTemplate parsed{parse_body({})};
    parsed.has_generation = has_generation_;
    return parsed;
  }

 private:
  using Parse = std::unique_ptr<const Statement> (StatementParser::*)(int line);

  // Parses up to a tag that is one of `ends`, whose name is then the current token. Without `ends` it
  // parses up to the end of the template.
  Body parse_body(Ends ends) {
    const Nesting nesting(*this);
    Body body;
    for (;;) {
      const int line = token().line;
      if (token().kind == TokenKind::end) {
        if (ends.size() == 0) return body;
        unexpected(fmt::format("'{}'", *(ends.end() - 1)).c_str());
      }
      const Token first = take();
      if (first.kind == TokenKind::data) {
        body.push_back(std::make_unique<Data>(line, first.value));
      } else if (first.kind == TokenKind::variable_begin) {
        body.push_back(std::make_unique<Print>(line, parse_tuple()));
        expect(TokenKind::variable_end, "end of print statement");
      } else {
        if (std::any_of(ends.begin(), ends.end(), [&](const char* end) { return is_name(end); })) return body;
        body.push_back(parse_statement());
        expect(TokenKind::block_end, "end of statement block");
      }
    }
  }

  // Parses the rest of a tag, a body and the name of its last tag.
  Body parse_block(Ends ends) {
    expect(TokenKind::block_end, "end of statement block");
    Body body = parse_body(ends);
    if (ends.size() == 1) take();
    return body;
  }

  std::unique_ptr<const Statement> parse_statement() {
    static const std::map<std::string_view, Parse> tags{{"for", &StatementParser::parse_for},
                                                        {"if", &StatementParser::parse_if},
                                                        {"set", &StatementParser::parse_set},
                                                        {"macro", &StatementParser::parse_macro},
                                                        {"call", &StatementParser::parse_call},
                                                        {"filter", &StatementParser::parse_filter_block},
                                                        {"with", &StatementParser::parse_with},
                                                        {"block", &StatementParser::parse_named_block},
                                                        {"generation", &StatementParser::parse_generation},
                                                        {"break", &StatementParser::parse_break},
                                                        {"continue", &StatementParser::parse_continue}};
    static const std::vector<std::string_view> readers{"include", "import", "from", "extends"};
    const Token tag = token();
    if (tag.kind != TokenKind::name) unexpected("the name of a tag");
    if (std::find(readers.begin(), readers.end(), tag.value) != readers.end())
      throw Fault("the tag '" + tag.value + "' reads files, which chat templates may not", tag.line);
    const auto found = tags.find(tag.value);
    if (found == tags.end()) throw Fault("unknown tag '" + tag.value + "'", tag.line);
    take();
    return (this->*found->second)(tag.line);
  }

  Target parse_target_item() {
    Target target;
    if (pass_sign("(")) {
      target = parse_target();
      if (target.parts.empty()) target.parts.push_back(Target(target));
      expect_sign(")");
      return target;
    }
    target.name = expect_name("a name to assign to");
    if (pass_sign(".")) target.attribute = expect_name("the name of an attribute");
    return target;
  }

  Target parse_target() {
    const Nesting nesting(*this);
    Target first = parse_target_item();
    if (!is_sign(",")) return first;
    Target tuple;
    tuple.parts.push_back(std::move(first));
    while (pass_sign(",") && (token().kind == TokenKind::name || is_sign("(")) && !is_name("in"))
      tuple.parts.push_back(parse_target_item());
    return tuple;
  }

  std::unique_ptr<const Statement> parse_for(int line) {
    Loop loop;
    loop.target = parse_target();
    if (!pass_name("in")) unexpected("'in'");
    loop.items = parse_tuple(/*with_conditional=*/false);
    if (pass_name("if")) loop.condition = parse_expression();
    if (is_name("recursive")) throw Fault("recursive loops are not supported", line);
    loop.body = parse_block({"else", "endfor"});
    if (take().value == "else") loop.otherwise = parse_block({"endfor"});
    return std::make_unique<For>(line, std::move(loop));
  }

  std::unique_ptr<const Statement> parse_if(int line) {
    If::Branches branches;
    for (;;) {
      ExpressionPtr condition = parse_tuple(/*with_conditional=*/false);
      branches.emplace_back(std::move(condition), parse_block({"elif", "else", "endif"}));
      const std::string end = take().value;
      if (end == "elif") continue;
      if (end == "else") branches.emplace_back(nullptr, parse_block({"endif"}));
      return std::make_unique<If>(line, std::move(branches));
    }
  }

  std::vector<FilterCall> parse_filter_chain() {
    std::vector<FilterCall> filters;
    while (pass_sign("|")) filters.push_back(parse_filter());
    return filters;
  }

  std::unique_ptr<const Statement> parse_set(int line) {
    Target target = parse_target();
    if (pass_sign("=")) return std::make_unique<Set>(line, std::move(target), parse_tuple());
    std::vector<FilterCall> filters = parse_filter_chain();
    return std::make_unique<TextBlock>(line, std::move(target), std::move(filters), parse_block({"endset"}));
  }

  std::unique_ptr<const Statement> parse_filter_block(int line) {
    std::vector<FilterCall> filters;
    filters.push_back(parse_filter());
    for (FilterCall& filter : parse_filter_chain()) filters.push_back(std::move(filter));
    return std::make_unique<TextBlock>(line, std::nullopt, std::move(filters), parse_block({"endfilter"}));
  }

  std::unique_ptr<const Statement> parse_with(int line) {
    With::Values values;
    while (token().kind == TokenKind::name) {
      Target target = parse_target_item();
      expect_sign("=");
      values.emplace_back(std::move(target), parse_expression());
      if (!pass_sign(",")) break;
    }
    return std::make_unique<With>(line, std::move(values), parse_block({"endwith"}));
  }

  void parse_signature(MacroDefinition& macro) {
    expect_sign("(");
    while (!pass_sign(")")) {
      if (!macro.parameters.empty()) expect_sign(",");
      if (pass_sign(")")) break;
      MacroDefinition::Parameter parameter{expect_name("the name of a parameter"), nullptr};
      if (pass_sign("="))
        parameter.standard = parse_expression();
      else if (!macro.parameters.empty() && macro.parameters.back().standard)
        unexpected("a default value");
      macro.parameters.push_back(std::move(parameter));
    }
  }

  // A variable that the body of an inner macro uses counts as used by the outer one, too.
  void parse_macro_body(MacroDefinition& macro, const char* end) {
    MacroDefinition* const outer = macro_;
    macro_ = &macro;
    macro.body = parse_block({end});
    macro_ = outer;
    if (!outer) return;
    outer->uses_caller |= macro.uses_caller;
    outer->uses_varargs |= macro.uses_varargs;
    outer->uses_kwargs |= macro.uses_kwargs;
  }

  std::unique_ptr<const Statement> parse_macro(int line) {
    MacroDefinition macro;
    macro.name = expect_name("the name of a macro");
    parse_signature(macro);
    parse_macro_body(macro, "endmacro");
    return std::make_unique<MacroStatement>(line, std::move(macro));
  }

  std::unique_ptr<const Statement> parse_call(int line) {
    MacroDefinition caller;
    caller.name = "caller";
    if (is_sign("(")) parse_signature(caller);
    ExpressionPtr callee = std::make_unique<Name>(expect_name("a call"));
    while (pass_sign("."))
      callee = std::make_unique<AttributeOf>(std::move(callee), expect_name("the name of an attribute"));
    std::unique_ptr<const Call> call = parse_call_of(std::move(callee));
    parse_macro_body(caller, "endcall");
    return std::make_unique<CallBlock>(line, std::move(call), std::move(caller));
  }

  // No template extends a chat template, so a named block stands for its body.
  std::unique_ptr<const Statement> parse_named_block(int line) {
    const std::string name = expect_name("the name of a block");
    while (is_name("scoped") || is_name("required")) take();
    auto block = std::make_unique<With>(line, With::Values(), parse_block({"endblock"}));
    pass_name(name);
    return block;
  }

  std::unique_ptr<const Statement> parse_generation(int line) {
    has_generation_ = true;
    return std::make_unique<Generation>(line, parse_block({"endgeneration"}));
  }

  std::unique_ptr<const Statement> parse_break(int line) {
    return std::make_unique<Jump>(line, Flow::leave_loop);
  }

  std::unique_ptr<const Statement> parse_continue(int line) {
    return std::make_unique<Jump>(line, Flow::next_item);
  }

  bool has_generation_ = false;
};

}  // namespace

ParsedTemplate parse_template(std::string_view source, const Limits& limits) {
  return StatementParser(tokens_of(source, limits)).parse();
}

}  // namespace galore::jinja
