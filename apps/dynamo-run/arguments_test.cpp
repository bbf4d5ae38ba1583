// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"

#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

namespace dynamo::run::arguments_test {
namespace {

Result<Arguments> parse(std::initializer_list<std::string_view> words,
                        Surroundings surroundings = {true, true}) {
  const std::vector<std::string_view> list(words);
  return parse_arguments(list, surroundings);
}

std::string error_of(std::initializer_list<std::string_view> words,
                     Surroundings surroundings = {true, true}) {
  const auto result = parse(words, surroundings);
  return result ? "" : result.error().message();
}

TEST(Arguments, InAndOutMayStandAnywhere) {
  for (const auto& words :
       {std::vector<std::string_view>{"in=http", "out=echo", "m.gguf", "--http-port", "81"},
        {"m.gguf", "--http-port=81", "out=echo", "in=http"},
        {"--http-port=81", "in=http", "m.gguf", "out=echo"}}) {
    const auto result = parse_arguments(words, {true, true});
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(result->input, Input::http);
    EXPECT_EQ(result->engine, Engine::echo);
    EXPECT_EQ(result->model_path, "m.gguf");
    EXPECT_EQ(result->http_port, 81);
  }
}

TEST(Arguments, InputDefaultsToTextOnATerminalElseStdin) {
  EXPECT_EQ(parse({"m.gguf"}, {true, true})->input, Input::text);
  EXPECT_EQ(parse({"m.gguf"}, {false, true})->input, Input::stdin_text);
}

TEST(Arguments, EngineDefaultsToLlamaWhenItIsCompiledIn) {
  EXPECT_EQ(parse({"m.gguf"}, {true, true})->engine, Engine::llama);
  EXPECT_EQ(parse({"m.gguf"}, {true, false})->engine, Engine::echo);
  EXPECT_TRUE(parse({"m.gguf"})->default_engine);
  EXPECT_FALSE(parse({"out=echo"})->default_engine);
}

TEST(Arguments, BatchNamesItsFile) {
  EXPECT_EQ(parse({"in=batch:p.jsonl", "out=echo"})->batch_file, "p.jsonl");
  EXPECT_NE(error_of({"in=batch:", "out=echo"}).find("needs a file"), std::string::npos);
  EXPECT_EQ(parse({"in=http", "out=replay:answers.jsonl", "m"})->engine, Engine::replay);
  EXPECT_EQ(parse({"in=http", "out=replay:answers.jsonl", "m"})->replay_file, "answers.jsonl");
  EXPECT_NE(error_of({"in=http", "out=replay:", "m"}).find("needs a file"), std::string::npos);
}

TEST(Arguments, UnknownInputsAndEnginesAreNamed) {
  EXPECT_NE(error_of({"in=carrier-pigeon"}).find("Invalid in= option 'carrier-pigeon'"),
            std::string::npos);
  EXPECT_NE(error_of({"out=abacus"}).find("Invalid out= option 'abacus'"), std::string::npos);
}

TEST(Arguments, WordsOfOtherBuildsGetAClearMessage) {
  EXPECT_NE(error_of({"in=grpc"}).find("not part of this build yet"), std::string::npos);
  EXPECT_NE(error_of({"in=dyn://a.b.c"}).find("worker mode"), std::string::npos);
  EXPECT_NE(error_of({"out=auto"}).find("remote models"), std::string::npos);
  EXPECT_NE(error_of({"out=mistralrs"}).find("out=llama"), std::string::npos);
  EXPECT_NE(error_of({"out=vllm"}).find("python -m dynamo.vllm"), std::string::npos);
  EXPECT_NE(error_of({"out=echo", "--router-mode=kv"}).find("--router-mode"), std::string::npos);
  EXPECT_NE(error_of({"out=llama", "m.gguf"}, {true, false}).find("--features llama"),
            std::string::npos);
}

TEST(Arguments, LlamaWithoutAModelSaysHowToGiveOne) {
  EXPECT_NE(error_of({"out=llama"}).find("path/to/model.gguf"), std::string::npos);
}

TEST(Arguments, TheModelKeepsItsPlaceBesideInEqualsHttp) {
  EXPECT_EQ(parse({"some-model", "in=http"})->model_path, "some-model");
}

TEST(Arguments, ThePositionalModelWinsOverTheFlag) {
  EXPECT_EQ(parse({"--model-path", "a.gguf", "b.gguf"})->model_path, "b.gguf");
}

TEST(Arguments, CertificateAndKeyRequireEachOther) {
  EXPECT_EQ(error_of({"out=echo", "--tls-cert-path", "c.pem"}),
            "--tls-cert-path and --tls-key-path must be provided together");
  EXPECT_TRUE(parse({"out=echo", "--tls-cert-path", "c.pem", "--tls-key-path", "k.pem"}));
}

TEST(Arguments, VerbosityEndsAtTwo) {
  EXPECT_EQ(parse({"out=echo", "-v"})->verbosity, 1);
  EXPECT_EQ(parse({"in=http", "out=echo", "-vv"})->verbosity, 2);
  EXPECT_NE(error_of({"out=echo", "-vvv"}), "");
}

TEST(Arguments, WhatFollowsTwoDashesIsIgnored) {
  EXPECT_EQ(parse({"out=echo", "--", "--nonsense"})->engine, Engine::echo);
}

TEST(Arguments, NumbersOutOfRangeAreRefused) {
  EXPECT_NE(error_of({"out=echo", "--http-port", "65536"}), "");
  EXPECT_NE(error_of({"out=echo", "--http-port", "-1"}), "");
  EXPECT_NE(error_of({"out=echo", "--context-length", "0"}), "");
  EXPECT_NE(error_of({"out=echo", "--kv-cache-block-size", "0"}), "");
}

TEST(Arguments, UnknownFlagsAreNamed) {
  EXPECT_NE(error_of({"out=echo", "--frobnicate"}).find("--frobnicate"), std::string::npos);
}

TEST(Arguments, HelpAndVersionAsk) {
  EXPECT_EQ(parse({"--help"})->action, Arguments::Action::help);
  EXPECT_EQ(parse({"-h"})->action, Arguments::Action::help);
  EXPECT_EQ(parse({"--version"})->action, Arguments::Action::version);
  EXPECT_NE(usage_text().find("--http-port"), std::string::npos);
  EXPECT_EQ(version_text().rfind("dynamo-run ", 0), 0u);
}

TEST(Arguments, EveryFlagIsAlsoAVariable) {
  ::setenv("DYN_HTTP_PORT", "8123", 1);
  EXPECT_EQ(parse({"out=echo"})->http_port, 8123);
  EXPECT_EQ(parse({"out=echo", "--http-port", "8124"})->http_port, 8124);
  ::unsetenv("DYN_HTTP_PORT");
}

TEST(Arguments, FlagsAreOverridesOfTheVariablesTheySet) {
  ::setenv("DYN_HTTP_HOST", "10.0.0.1", 1);
  const auto parsed = parse({"m.gguf", "out=echo", "--http-port=81", "-v"});
  ::unsetenv("DYN_HTTP_HOST");
  ASSERT_TRUE(parsed) << parsed.error().message();
  const config::Configuration& configuration = *parsed->configuration;
  namespace var = config::var;
  EXPECT_EQ(configuration.source(var::http_port), config::Source::command_line);
  EXPECT_EQ(configuration.get(var::http_port), 81U);
  EXPECT_EQ(configuration.source(var::model_path), config::Source::command_line);
  EXPECT_EQ(configuration.get(var::model_path), "m.gguf");
  EXPECT_EQ(configuration.get(var::log_filter), "debug");
  EXPECT_EQ(configuration.source(var::http_host), config::Source::environment);
  EXPECT_EQ(parsed->http_host, "10.0.0.1");
  EXPECT_EQ(configuration.source(var::model_name), config::Source::built_in);
}

TEST(Arguments, PrintedConfigurationHidesKeys) {
  const auto arguments = parse({"out=echo", "--api-key", "secret-one", "--api-key", "secret-two"});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->api_keys.size(), 2u);
  const std::string text = arguments_json(*arguments);
  EXPECT_EQ(text.find("secret"), std::string::npos);
  EXPECT_NE(text.find("\"api_keys\":2"), std::string::npos);
}

}  // namespace
}  // namespace dynamo::run::arguments_test
