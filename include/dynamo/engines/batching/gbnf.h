// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dynamo/base/error.h>
#include <dynamo/engines/batching/backend.h>
#include <dynamo/engines/batching/vocabulary.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace dynamo::engines::batching {

/// What a client's grammar may cost the engine's thread. Counted in steps of the matcher, about
/// 10 ns each, so that the bound does not depend on how busy the machine is.
struct GrammarLimits {
  std::uint64_t token_work = 500'000;   ///< for one token
  std::uint64_t mask_work = 5'000'000;  ///< to look at the whole vocabulary
  std::size_t items = 1'000'000;        ///< of state, 8 bytes each
};

/// Compiles a grammar in GBNF with start rule `root`. A grammar that goes over its limits while an
/// answer is generated fails with Errc::invalid_argument; nothing else is harmed.
/// Errors: Errc::invalid_argument with line and column; Errc::unimplemented.
Result<std::unique_ptr<Grammar>> make_gbnf_grammar(std::string_view gbnf,
                                                   std::shared_ptr<const Vocabulary> vocabulary,
                                                   const GrammarLimits& limits = {});

}  // namespace dynamo::engines::batching
