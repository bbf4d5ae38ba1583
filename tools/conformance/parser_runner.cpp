// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "kinds.h"
#include "parser_cases.h"

namespace dynamo::conformance {

Result<void> run_parsers(const Options& options, Tally& tally) {
  for (const std::string& file : options.files) {
    DYN_TRY(const Json cases, read_json(file));
    if (cases.if_array() == nullptr) return fail(Errc::invalid_argument, file + " is not an array");
    for (const Json& parser_case : *cases.if_array()) {
      const Json* name = parser_case.find("id");
      const std::string id =
          name != nullptr && name->if_string() != nullptr ? *name->if_string() : "?";
      if (is_history(parser_case)) {
        tally.skip(id, "superseded or older behaviour");
      } else if (const auto mismatch = check_parser_case(parser_case)) {
        tally.fail(id, mismatch->expected, mismatch->got);
      } else {
        tally.pass();
      }
    }
  }
  return {};
}

}  // namespace dynamo::conformance
