// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace dynamo::tokenizer {

/// A token's number in its vocabulary.
using TokenId = std::uint32_t;

class GgufMetadata;
class PrefixCache;
class StopMatcher;
class StreamDecoder;
class Tokenizer;
struct Segment;

}  // namespace dynamo::tokenizer
