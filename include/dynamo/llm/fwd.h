// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace dynamo::tokenizer {
class Tokenizer;
}

namespace dynamo::llm {
struct ModelCard;
struct PreprocessedRequest;
struct Preprocessed;
struct EngineOutput;
struct BackendOutput;
class PromptFormatter;
class Preprocessor;
class Backend;
class ResponsePipeline;
class TokenEngine;
class OutputStream;
}  // namespace dynamo::llm
