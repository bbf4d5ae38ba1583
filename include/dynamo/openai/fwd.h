// SPDX-License-Identifier: Apache-2.0
#pragma once

/// The protocol types of the OpenAI API, as a server sees them.
namespace dynamo::openai {
struct GenerationRequest;
struct ChatRequest;
struct CompletionRequest;
struct NvExt;
struct CompletionUsage;
struct ChatDelta;
struct CompletionDelta;
class ChatChunkWriter;
class CompletionChunkWriter;
}  // namespace dynamo::openai
