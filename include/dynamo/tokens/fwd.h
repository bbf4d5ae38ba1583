// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace dynamo::tokens {
class PartialTokenBlock;
class TokenBlock;
class TokenBlockSequence;
struct PositionalLineageHash;
struct PositionalSequenceHash;
}  // namespace dynamo::tokens
